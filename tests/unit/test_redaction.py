"""Masks: inside a track no frame is without one, and none is smaller than its box plus the margin."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import BadInput
from evidence.mediatime import MediaTime, Span
from evidence.redaction import BoxXYXY, Hide, Margin, Masks, Redaction, Region, read_region
from evidence.track import Origin, Track, TrackBox
from evidence.wire import redaction_from_json

side = st.floats(1, 200, allow_nan=False)
place = st.floats(-50, 2000, allow_nan=False)


@st.composite
def tracks(draw: st.DrawFn, label: str = "face") -> Track:
    first = draw(st.integers(0, 300))
    boxes = []
    for i in range(draw(st.integers(1, 40))):
        x, y, w, h = draw(place), draw(place), draw(side), draw(side)
        boxes.append(TrackBox(first + i, (first + i) * 3003, (x, y, x + w, y + h), 0.5, Origin.DETECTED))
    return Track(draw(st.integers(1, 9)), label, "model", Fraction(1, 90_000), tuple(boxes))


def masks_by_frame(found: list[Track], redaction: Redaction, frame_count: int) -> dict[int, list[BoxXYXY]]:
    masks = Masks(found, redaction)
    of_frame = {frame: masks.at(frame) for frame in range(frame_count)}
    return {frame: boxes for frame, boxes in of_frame.items() if boxes}


@given(st.lists(tracks(), max_size=4), st.floats(0, 1), st.integers(0, 10), st.integers(0, 10))
def test_every_frame_of_a_track_is_covered_with_its_margin(found: list[Track], grow: float, before: int, after: int) -> None:
    redaction = Redaction(margin=Margin(grow, before, after))
    frame_count = 400
    masks = masks_by_frame(found, redaction, frame_count)
    for track in found:
        for box in track.boxes:
            x0, y0, x1, y1 = box.box_xyxy
            dx, dy = (x1 - x0) * grow, (y1 - y0) * grow
            assert any(m[0] <= x0 - dx and m[1] <= y0 - dy and m[2] >= x1 + dx and m[3] >= y1 + dy for m in masks[box.frame])
        for frame in range(max(0, track.boxes[0].frame - before), min(frame_count, track.boxes[-1].frame + after + 1)):
            assert masks.get(frame), f"no mask on frame {frame}"
    assert all(0 <= frame < frame_count for frame in masks)


@given(tracks(label="person"))
def test_what_was_not_asked_for_stays_open(person: Track) -> None:
    assert masks_by_frame([person], Redaction(what=frozenset({Hide.FACES})), 1000) == {}
    assert masks_by_frame([person], Redaction(what=frozenset({Hide.PEOPLE})), 1000)


@given(st.lists(tracks(), max_size=4, unique_by=lambda track: track.id), st.sets(st.integers(1, 9), min_size=1))
def test_kept_tracks_stay_open_and_all_others_are_hidden(found: list[Track], chosen: set[int]) -> None:
    alone = {track.id: masks_by_frame([track], Redaction(), 400) for track in found}
    for redaction, hidden in (
        (Redaction(keep_tracks=frozenset(chosen)), {track.id for track in found} - chosen),
        (Redaction(only_tracks=frozenset(chosen)), {track.id for track in found} & chosen),
    ):
        expected: dict[int, set[BoxXYXY]] = {}
        for number in hidden:
            for frame, boxes in alone[number].items():
                expected.setdefault(frame, set()).update(boxes)
        assert {frame: set(boxes) for frame, boxes in masks_by_frame(found, redaction, 400).items()} == expected


@given(tracks(label="car"))
def test_a_chosen_track_is_hidden_whatever_its_kind(car: Track) -> None:
    assert masks_by_frame([car], Redaction(what=frozenset(), only_tracks=frozenset({car.id})), 400)


def test_tracks_that_are_not_there_are_named_and_so_are_those_that_are() -> None:
    with pytest.raises(BadInput, match="no track 4, 9") as refused:
        Redaction(keep_tracks=frozenset({1, 4, 9})).check_tracks({1, 2, 3, 5})
    assert refused.value.hint == "It has: 1-3, 5."
    Redaction(only_tracks=frozenset({5})).check_tracks({1, 5})
    with pytest.raises(ValueError, match="not both"):
        Redaction(keep_tracks=frozenset({1}), only_tracks=frozenset({2}))


def test_a_drawn_region_holds_every_frame_that_its_times_are_the_label_of() -> None:
    base = Fraction(1001, 30_000)
    for first, last in ((0, 0), (1, 4), (7, 1000), (-2, 3)):
        start, end = MediaTime(first, base), MediaTime(last, base)
        region = read_region(f"10,20.5,30,40@{start.label()}-{end.label()}", "a badge")
        assert region.box_xyxy == (10, 20.5, 30, 40)
        held = [frame for frame in range(-5, 1010) if region.span.contains(MediaTime(frame, base))]
        assert held == list(range(first, last + 1))
        assert region.reason == "a badge"
    later = read_region("0,0,1,1@1:02.5-1:03", "", Fraction(10))
    assert later.span.contains(MediaTime(725, Fraction(1, 10)))
    assert not later.span.contains(MediaTime(62, Fraction(1)))


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3,4", "1,2,3@0-1", "1,2,3,4@1", "1,2,3,4@2-1", "3,2,1,4@0-1", "1,2,1,4@0-1", "1,2,nan,4@0-1", "a,2,3,4@0-1",
     "1,2,inf,4@0-1", "1,2,3,4@0:61-2:00", "1,2,3,4@x-y", "1,2,3,4,5@0-1"],
)  # fmt: skip
def test_what_is_no_region_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match="no region") as refused:
        read_region(text, "")
    assert "@0:00:02.500" in refused.value.hint


def test_a_region_outside_the_picture_or_the_video_is_refused() -> None:
    video = Span(MediaTime(0, Fraction(1)), MediaTime(10, Fraction(1)))
    fits = Redaction(what=frozenset(), regions=(read_region("0,0,640,480@3-4", ""),))
    fits.check_regions((640, 480), video)
    for size_wh in ((639, 480), (640, 479)):
        with pytest.raises(BadInput, match="not wholly in the picture") as refused:
            fits.check_regions(size_wh)
        assert f"{size_wh[0]} × {size_wh[1]}" in refused.value.hint
    late = Redaction(what=frozenset(), regions=(read_region("0,0,5,5@11-12", ""),))
    with pytest.raises(BadInput, match="no frame of the video") as refused:
        late.check_regions((640, 480), video)
    assert "0:00:10.000" in refused.value.hint
    with pytest.raises(ValueError, match="x0 < x1"):
        Region((5, 0, 5, 9), video, "")


def test_a_redaction_that_hides_less_than_it_should_can_not_be_made() -> None:
    for margin in ((-0.1, 5, 5), (float("nan"), 5, 5), (float("inf"), 5, 5), (0.1, -1, 5), (0.1, 5, -1)):
        with pytest.raises(ValueError, match="never smaller"):
            Margin(*margin)
    with pytest.raises(ValueError, match="hides something"):
        Redaction(what=frozenset())
    with pytest.raises(ValueError, match="hides something"):
        redaction_from_json({"what": []})


def test_a_track_with_a_hole_can_not_be_made() -> None:
    def box(frame: int) -> TrackBox:
        return TrackBox(frame, frame, (0, 0, 1, 1), 0.9, Origin.DETECTED)

    with pytest.raises(ValueError, match="hole"):
        Track(1, "face", "model", Fraction(1, 25), (box(3), box(5)))
    with pytest.raises(ValueError, match="at least one"):
        Track(1, "face", "model", Fraction(1, 25), ())


def test_a_mask_is_larger_than_a_tiny_box_by_some_pixels_at_least():
    tiny, large = (100.0, 100.0, 110.0, 112.0), (100.0, 100.0, 200.0, 220.0)
    for box, grown in ((tiny, (92.0, 92.0, 118.0, 120.0)), (large, (85.0, 82.0, 215.0, 238.0))):
        track = Track(1, "face", "m", Fraction(1, 30), (TrackBox(0, 0, box, 0.9, Origin.DETECTED),))
        (mask,) = Masks([track], Redaction()).at(0)
        assert mask == pytest.approx(grown)

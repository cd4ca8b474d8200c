"""Masks: inside a track no frame is without one, and none is smaller than its box plus the margin."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.redaction import BoxXYXY, Hide, Margin, Masks, Redaction
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

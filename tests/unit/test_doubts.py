from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import percentile_filter

from detectors.doubts import Video, doubts_about
from detectors.sharpness import blurred, measured, size_for, surroundings
from evidence.doubt import Doubt, Reason, frames_in, ranked, share_first
from evidence.track import Detections, Origin, Track, TrackBox
from workers.tasks.doubting import doubts_to_json

VIDEO = Video(300, 30.0, (800, 400))
THRESHOLDS = {"m": 0.5}


def nothing_left():
    return left_over([])


def left_over(rows):
    """Rows of (frame, (x0, y0, x1, y1), score)."""
    return Detections(
        frame=np.array([r[0] for r in rows], np.int64),
        pts=np.array([r[0] for r in rows], np.int64),
        box_xyxy=np.array([r[1] for r in rows], np.float32).reshape(-1, 4),
        score=np.array([r[2] for r in rows], np.float32),
        label=("face",) * len(rows),
        model=("m",) * len(rows),
        time_base=Fraction(1, 30),
    )


def track(number, frames, x=300.0, size=60.0, label="face", score=0.9, origin=Origin.DETECTED):
    """`score` and `origin` are values, or functions of the frame."""
    boxes = tuple(
        TrackBox(
            f,
            f,
            (x, 100.0, x + size, 100.0 + size),
            score(f) if callable(score) else score,
            origin(f) if callable(origin) else origin,
        )
        for f in frames
    )
    return Track(number, label, "m", Fraction(1, 30), boxes)


def about(*tracks, rest=None, video=VIDEO):
    found = doubts_about(tracks, rest or nothing_left(), video, THRESHOLDS)
    return [(d.reason, d.first_frame, d.last_frame, d.tracks) for d in found]


def test_a_face_that_is_seen_surely_throughout_leaves_no_doubt():
    assert about(track(1, range(10, 90))) == []


def test_two_tracks_near_one_another_in_place_and_time_are_one_that_broke():
    assert about(track(1, range(50)), track(2, range(80, 120), x=350.0)) == [(Reason.BROKEN, 50, 79, (1, 2))]
    assert about(track(1, range(50)), track(2, range(80, 120), x=700.0)) == []
    assert about(track(1, range(50)), track(2, range(280, 300), x=350.0)) == []


def test_nothing_breaks_over_a_cut_or_at_the_edge_of_the_picture():
    cut = Video(300, 30.0, (800, 400), cuts=(60,))
    assert about(track(1, range(50)), track(2, range(80, 120)), video=cut) == []
    assert about(track(1, range(50), x=740.0), track(2, range(80, 120), x=740.0)) == []


def test_a_stretch_of_faint_sightings_or_none_is_told():
    faint = track(1, range(100), score=lambda f: 0.2 if 30 <= f < 45 else 0.9)
    assert about(faint) == [(Reason.WEAK, 30, 44, (1,))]
    gap = track(1, range(100), origin=lambda f: Origin.INTERPOLATED if 30 <= f < 45 else Origin.DETECTED)
    assert about(gap) == [(Reason.WEAK, 30, 44, (1,))]
    assert about(track(1, range(100), score=lambda f: 0.2 if 30 <= f < 34 else 0.9)) == []


def test_a_track_that_moves_or_ends_while_nothing_is_seen_of_it_may_be_open():
    lost = track(1, range(100), origin=lambda f: Origin.TRACKED if f >= 85 else Origin.DETECTED)
    assert (Reason.BLIND, 85, 99, (1,)) in about(lost)

    def moving(sides):
        boxes = (
            replace(b, box_xyxy=(x := 100.0 + 60.0 * sides * (b.frame >= 45), 100.0, x + 60.0, 160.0)) for b in gap.boxes
        )
        return replace(gap, boxes=tuple(boxes))

    gap = track(1, range(100), origin=lambda f: Origin.INTERPOLATED if 30 <= f < 45 else Origin.DETECTED)
    assert [d[0] for d in about(moving(0.4))] == [Reason.WEAK], "it stayed where it was, and its mask with it"
    assert [d[0] for d in about(moving(0.6))] == [Reason.BLIND, Reason.WEAK]
    long = track(1, range(100), origin=lambda f: Origin.INTERPOLATED if 30 <= f < 60 else Origin.DETECTED)
    assert (Reason.BLIND, 30, 59, (1,)) in about(long)


def test_spans_of_one_kind_shortly_after_one_another_are_one():
    faint = track(1, range(100), score=lambda f: 0.2 if 20 <= f < 32 or 40 <= f < 52 or 80 <= f < 92 else 0.9)
    assert about(faint) == [(Reason.WEAK, 20, 51, (1,)), (Reason.WEAK, 80, 91, (1,))]


def test_an_end_is_told_once_with_the_nearest_beginning_and_not_where_another_track_goes_on():
    beginnings = track(2, range(80, 120)), track(3, range(90, 120), x=400.0)
    assert [d for d in about(track(1, range(50)), *beginnings) if d[0] is Reason.BROKEN] == [(Reason.BROKEN, 50, 79, (1, 2))]
    goes_on = track(4, range(40, 79))
    found = about(track(1, range(50)), goes_on, *beginnings)
    assert [d for d in found if d[0] is Reason.BROKEN] == [(Reason.BROKEN, 79, 79, (4, 2))]


def test_what_lies_in_a_tracks_box_is_not_open():
    rest = left_over([(5, (305.0, 105.0, 350.0, 150.0), 0.55), (6, (340.0, 105.0, 400.0, 150.0), 0.55)])
    assert about(track(1, range(50)), rest=rest) == [(Reason.DROPPED, 6, 6, ())]


def test_what_may_be_open_comes_before_what_is_hidden_and_hard_to_see():
    large_faint = track(1, range(100), size=200.0, score=0.2)
    entering = track(2, range(50), x=790.0, size=10.0, origin=Origin.TRACKED)
    reasons = [d[0] for d in about(large_faint, entering)]
    assert reasons.index(Reason.EDGE) < reasons.index(Reason.WEAK)
    rows = [Doubt(Reason.EDGE, "face", 0, 9, (1,), 0.1), Doubt(Reason.WEAK, "face", 5, 39, (1,), 0.9)]
    assert share_first(rows, 0.2) == pytest.approx(0.05)
    assert share_first([], 0.0) == 0.0


def test_what_was_carried_to_the_edge_of_the_picture_is_told():
    leaving = track(1, range(50), x=740.0, origin=lambda f: Origin.TRACKED if f >= 46 else Origin.DETECTED)
    assert about(leaving) == [(Reason.EDGE, 46, 49, (1,))]


def test_faces_that_lie_on_one_another_are_told_and_so_are_people():
    for label in ("face", "person"):
        one, other = track(1, range(50), label=label), track(2, range(40, 90), x=320.0, label=label)
        assert about(one, other) == [(Reason.CROSSING, 40, 49, (1, 2))]


def test_a_face_of_few_pixels_is_told_and_a_small_dog_is_not():
    assert about(track(1, range(10), size=8.0)) == [(Reason.SMALL, 0, 9, (1,))]
    assert about(track(1, range(10), size=8.0, label="dog")) == []


def test_a_cut_while_something_is_followed_is_told():
    cut = Video(300, 30.0, (800, 400), cuts=(60, 200))
    assert about(track(1, range(60)), track(2, range(60, 90)), video=cut) == [
        (Reason.CUT, 59, 60, (1,)),
        (Reason.CUT, 59, 60, (2,)),
    ]


def test_what_was_seen_surely_and_became_no_track_is_told():
    box = (100.0, 100.0, 200.0, 200.0)
    rest = left_over([(5, box, 0.55), (6, box, 0.55), (20, box, 0.55), (40, box, 0.2)])
    assert about(rest=rest) == [(Reason.DROPPED, 5, 6, ()), (Reason.DROPPED, 20, 20, ())]


def test_the_larger_and_the_graver_come_first():
    tracks = (track(1, range(10), x=10.0, size=8.0), track(2, range(100, 150)), track(3, range(160, 200)))
    assert [d[0] for d in about(*tracks)] == [Reason.BROKEN, Reason.SMALL]
    large = about(track(1, range(100), size=8.0, score=0.2), track(2, range(100), x=500.0, size=80.0, score=0.2))
    assert [d[3] for d in large if d[0] is Reason.WEAK] == [(2,), (1,)]


def test_the_file_says_ranks_times_and_the_share_of_the_video():
    doubts = [Doubt(Reason.WEAK, "face", 10, 19, (4,), 0.5), Doubt(Reason.SMALL, "face", 15, 29, (5,), 0.3)]
    value = doubts_to_json(doubts, VIDEO, np.arange(300) * 1001, Fraction(1, 30000))
    assert (value["frames"], value["share"], value["cuts"]) == (20, pytest.approx(20 / 300, abs=1e-4), [])
    assert value["time_base"] == "1/30000"
    assert value["doubts"][0] == {
        "rank": 1,
        "reason": "weak",
        "label": "face",
        "first_frame": 10,
        "last_frame": 19,
        "start_pts": 10010,
        "end_pts": 19019,
        "tracks": [4],
    }


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20), st.floats(0, 1))))
def test_frames_in_doubt_are_counted_once(spans):
    doubts = [Doubt(Reason.WEAK, "face", first, first + more, (1,), urgency) for first, more, urgency in spans]
    assert frames_in(doubts) == len({f for d in doubts for f in range(d.first_frame, d.last_frame + 1)})
    assert [d.urgency for d in ranked(doubts)] == sorted((d.urgency for d in doubts), reverse=True)


def test_a_stretch_that_is_blurred_beside_its_surroundings_is_told():
    sharp = [8.0] * 300
    sharp[40:46] = [3.0] * 6
    sharp[100] = 3.0
    assert about(video=replace(VIDEO, sharpness=sharp)) == [(Reason.BLUR, 40, 45, ())]
    assert about(video=replace(VIDEO, sharpness=[3.0] * 300)) == [], "out of focus throughout: nothing to hold it against"
    dull = [8.0] * 150 + [3.0] * 150
    assert about(video=replace(VIDEO, sharpness=dull, cuts=(150,))) == [], "another scene is another picture"
    assert about(video=replace(VIDEO, sharpness=())) == []


@given(st.lists(st.floats(0, 50), max_size=200), st.lists(st.integers(1, 199), max_size=3, unique=True))
def test_blurred_stretches_lie_in_the_video_and_in_one_scene(sharpness, cuts):
    scenes = sorted(cut for cut in cuts if cut < len(sharpness))
    found = blurred(sharpness, scenes, 30.0)
    for first, last in found:
        assert 0 <= first < last < len(sharpness)
        assert not any(first < cut <= last for cut in scenes)
    assert all(a[1] < b[0] for a, b in pairwise(found))


@given(st.lists(st.floats(0, 50), min_size=1, max_size=60), st.integers(0, 70))
def test_what_surrounds_a_frame_is_what_scipy_says(sharpness, beside):
    window = min(2 * beside, 2 * len(sharpness) - 2) + 1
    expected = percentile_filter(np.array(sharpness), 75, size=window, mode="nearest")
    assert surroundings(np.array(sharpness), window).tolist() == expected.tolist()


def test_a_picture_out_of_focus_is_measured_as_less_sharp():
    rng = np.random.default_rng(3)
    picture = cv2.resize(rng.integers(0, 255, (54, 96), np.uint8), (480, 270))
    assert measured(cv2.GaussianBlur(picture, (0, 0), 3)) < 0.5 * measured(picture)
    assert size_for((1920, 1080)) == (480, 270)
    assert size_for((320, 240)) == (320, 240)


def test_every_reason_has_its_words():
    assert len({reason.words for reason in Reason}) == len(Reason)

from __future__ import annotations

import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.follower import LOOK_AHEAD, Follower, Seen
from detectors.path import Path, Sighting
from detectors.rules import rule_for
from detectors.tracker import follow
from evidence.track import Detections, Origin

THRESHOLDS = {"m": 0.5}
SIZE = (800, 400)


def detections(rows, time_base=Fraction(1, 30), step=1):
    """Rows of (frame, (x, y), score, label[, size])."""
    rows = [row if len(row) == 5 else (*row, 40) for row in rows]
    return Detections(
        frame=np.array([r[0] for r in rows], np.int64),
        pts=np.array([r[0] * step for r in rows], np.int64),
        box_xyxy=np.array([(r[1][0], r[1][1], r[1][0] + r[4], r[1][1] + r[4]) for r in rows], np.float32).reshape(-1, 4),
        score=np.array([r[2] for r in rows], np.float32),
        label=tuple(r[3] for r in rows),
        model=("m",) * len(rows),
        time_base=time_base,
    )


def tracks_of(rows, frames=100):
    return follow(detections(rows), np.arange(frames), THRESHOLDS, SIZE)[0]


def moving(frames, label="face", score=0.9, speed=2.0, start=100.0):
    return [(f, (start + speed * f, 50.0), score, label) for f in frames]


CARRIED = 3
"""Frames for which a calm face is carried on, and back, at 30 a second."""


def seen_boxes(track):
    """From its first sighting to its last: without the frames for which it is only carried on."""
    found = [b.origin is not Origin.TRACKED for b in track.boxes]
    return track.boxes[found.index(True) : len(found) - found[::-1].index(True)]


def spans(tracks):
    return [(t.label, seen_boxes(t)[0].frame, seen_boxes(t)[-1].frame) for t in tracks]


def test_a_gap_is_filled_on_the_straight_line_and_says_so():
    (track,) = tracks_of(moving([*range(10, 20), *range(26, 40)], label="person"))
    assert (track.boxes[0].frame, track.boxes[-1].frame) == (10, 39)
    filled = [b for b in track.boxes if b.origin is Origin.INTERPOLATED]
    assert [b.frame for b in filled] == list(range(20, 26))
    assert [b.box_xyxy[0] for b in filled] == pytest.approx([100 + 2 * f for f in range(20, 26)], abs=0.02)
    assert all(b.origin is Origin.DETECTED for b in track.boxes if b.frame not in range(20, 26))


def test_in_a_gap_a_face_has_the_box_that_holds_it_half_a_frame_sooner_and_later():
    (track,) = tracks_of(moving([*range(10, 20), *range(26, 40)], speed=6))
    filled = [b.box_xyxy for b in track.boxes if b.origin is Origin.INTERPOLATED]
    assert [x0 for x0, _, _, _ in filled] == pytest.approx([100 + 6 * f - 3 for f in range(20, 26)], abs=0.02)
    assert [x1 for _, _, x1, _ in filled] == pytest.approx([140 + 6 * f + 3 for f in range(20, 26)], abs=0.02)


def test_a_faint_sighting_continues_a_track_and_never_starts_one():
    rows = moving(range(10, 20)) + moving(range(20, 30), score=0.2) + [(f, (600.0, 300.0), 0.2, "face") for f in range(40)]
    (track,) = tracks_of(rows)
    assert spans([track]) == [("face", 10, 29)]
    assert track.best.frame < 20


def test_a_track_reaches_back_to_where_the_thing_was_first_seen_faintly():
    assert spans(tracks_of(moving(range(5, 15), score=0.2) + moving(range(15, 30)))) == [("face", 5, 29)]


@pytest.mark.parametrize("label", ["face", "licence plate"])
def test_a_face_or_plate_that_was_seen_once_is_a_track(label):
    assert spans(tracks_of([(7, (10.0, 10.0), 0.55, label, 20)])) == [(label, 7, 7)]
    assert spans(tracks_of([(7, (10.0, 10.0), 0.75, label, 80)])) == [(label, 7, 7)]


@pytest.mark.parametrize("label", ["face", "licence plate"])
def test_something_large_that_is_never_seen_surely_is_a_mistake_and_stays_in_the_record(label):
    rows = [(f, (10.0, 10.0), 0.55, label, 80) for f in range(4)]
    tracks, rest = follow(detections(rows), np.arange(20), THRESHOLDS, SIZE)
    assert (tracks, len(rest)) == ([], 4)
    assert spans(tracks_of([*rows, (4, (10.0, 10.0), 0.55, label, 80)])) == [(label, 0, 4)]


@pytest.mark.parametrize("label", ["person", "dog", "knife", "car"])
def test_an_object_that_flashed_up_once_faintly_is_dropped_and_stays_in_the_record(label):
    rows = [(7, (10.0, 10.0), 0.55, label)]
    tracks, rest = follow(detections(rows), np.arange(20), THRESHOLDS, SIZE)
    assert tracks == []
    assert rest.label == (label,)
    assert spans(tracks_of([(7, (10.0, 10.0), 0.92, label)])) == [(label, 7, 7)]


def test_a_face_seen_on_every_other_frame_is_one_track_without_a_hole():
    assert spans(tracks_of(moving(range(0, 40, 2)))) == [("face", 0, 38)]


@pytest.mark.parametrize("forward", [True, False])
def test_the_way_of_a_fast_face_to_the_edge_of_the_picture_is_covered(forward):
    """It speeds up from one and a half sizes a frame to three, which no model sees any more; or it came in like that."""
    way = {10: 540, 11: 540, 12: 540, 13: 540, 14: 600, 15: 720, 16: 790}
    rows = [(f if forward else 26 - f, (float(x), 50.0), 0.9, "face") for f, x in way.items() if f <= 14]
    (track,) = tracks_of(sorted(rows))
    boxes = {b.frame if forward else 26 - b.frame: b for b in track.boxes}
    for frame in (15, 16):
        assert boxes[frame].origin is Origin.TRACKED
        assert boxes[frame].box_xyxy[0] <= way[frame]
        assert boxes[frame].box_xyxy[2] >= min(800, way[frame] + 40)
    assert boxes[max(boxes)].box_xyxy[0] >= 790, "what outlives the track there is small"


def test_a_face_is_not_taken_for_what_stands_beside_its_way():
    """A poster, seen faintly all the while, 1.6 sizes away from where the face isn't seen on one frame."""
    poster = [(f, (172.0, 100.0), 0.2, "face") for f in range(40)]
    face = [row for row in moving(range(40), speed=1) if row[0] != 20]
    (track,) = tracks_of(face + poster, frames=40)
    assert [b.box_xyxy[0] for b in seen_boxes(track)] == pytest.approx([100.0 + f for f in range(40)], abs=2)


def test_a_calm_face_is_carried_on_for_a_moment_and_an_object_is_not():
    (face,) = tracks_of(moving(range(10, 20)))
    assert (face.boxes[0].frame, face.boxes[-1].frame) == (10 - CARRIED, 19 + CARRIED)
    assert [b.box_xyxy[0] for b in face.boxes] == pytest.approx([100 + 2 * f for f in range(7, 23)])
    people = tracks_of(moving(range(10, 13), label="person", speed=60.0, score=0.95))
    assert all(b.origin is Origin.DETECTED for person in people for b in person.boxes)


def test_half_a_face_behind_something_is_still_a_whole_one():
    rows = [(f, (100.0, 50.0), 0.9, "face", 40 if f != 20 else 26) for f in range(10, 30)]
    (track,) = tracks_of(rows)
    assert track.boxes[20 - track.boxes[0].frame].box_xyxy == pytest.approx((95, 45, 131, 81))


def test_two_looks_next_to_each_other_do_not_tell_the_speed_where_older_ones_do():
    """A face that stays, and whose box on frame 30 lies too far to the left."""
    path = Path(rule_for("face"), [])
    for n in (12, 18, 24, 30, 31):
        x = 470.0 if n == 30 else 500.0
        path.add(Sighting(n, (n, 0), np.array([x, 300, x + 80, 380]), 0.9, "face", "m", 0.5, (x, 300, 900 - x, 300)))
    assert path.speed().tolist() == [0, 0]
    assert path.speed(at_end=True, frames=2).tolist() == [30, 0]


def test_what_was_followed_back_some_frames_apart_is_one_track_though_its_boxes_do_not_overlap():
    """A face of ten pixels that walks four a frame, found on frame 40, and then on every third frame before."""
    rows = [(f, (100.0 + 4 * f, 300.0), 0.2 if f < 40 else 0.9, "face", 10) for f in (*range(19, 40, 3), *range(40, 50))]
    given, _ = fed(rows, 60, ago=[40 - f if f < 40 else 0 for f, *_ in rows])
    first = min(frame for frame, boxes, _ in given if boxes)
    assert first == 19 - CARRIED
    assert len({number for _, boxes, _ in given for number, *_ in boxes}) == 1


def test_two_pieces_far_apart_stay_two_faces():
    rows = moving(range(10)) + moving(range(15, 25), start=500.0)
    assert spans(tracks_of(rows)) == [("face", 0, 9), ("face", 15, 24)]


def test_a_vehicle_has_the_label_that_was_seen_most():
    rows = [(f, (100.0 + f, 50.0), 0.8, "truck" if f % 4 == 0 else "car") for f in range(20)]
    assert spans(tracks_of(rows)) == [("car", 0, 19)]


def test_two_answers_for_one_vehicle_are_one_track():
    rows = [(f, (100.0 + f, 50.0), score, label) for f in range(20) for score, label in ((0.8, "car"), (0.6, "truck"))]
    assert spans(tracks_of(rows)) == [("car", 0, 19)]


def test_a_face_inside_a_person_is_another_thing():
    rows = moving(range(10)) + moving(range(10), label="person")
    assert spans(tracks_of(rows)) == [("face", 0, 9), ("person", 0, 9)]


def test_numbers_follow_the_first_frame_and_boxes_carry_the_real_times():
    frame_pts = np.array([0, 33, 66, 100, 250, 251, 300, 333], np.int64)  # a variable rate
    rows = [(f, (100.0, 50.0), 0.9, "person") for f in range(2, 7)] + [(f, (400.0, 50.0), 0.9, "face") for f in range(8)]
    tracks, _ = follow(detections(rows, Fraction(1, 1000)), frame_pts, THRESHOLDS, SIZE)
    assert [(t.id, t.label) for t in tracks] == [(1, "face"), (2, "person")]
    assert [b.pts for b in tracks[1].boxes] == frame_pts[2:7].tolist()
    assert [b.pts for b in seen_boxes(tracks[0])] == frame_pts.tolist()


def test_a_short_gap_is_meant_in_seconds_whatever_the_rate():
    """A face lost for two thirds of a second is the same face at 30 and at 120 frames a second."""
    for rate in (30, 120):
        seen = [*range(rate), *range(rate + 2 * rate // 3, 3 * rate)]
        rows = [(f, (100.0, 50.0), 0.9, "face") for f in seen]
        tracks, _ = follow(detections(rows, Fraction(1, rate)), np.arange(3 * rate), THRESHOLDS, SIZE)
        assert spans(tracks) == [("face", 0, 3 * rate - 1)]


def test_no_detections_no_tracks():
    tracks, rest = follow(detections([]), np.arange(50), THRESHOLDS, SIZE)
    assert tracks == []
    assert len(rest) == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.tuples(st.floats(0, 300), st.floats(0, 200)),
            st.floats(0.1, 1),
            st.sampled_from(["face", "person", "car", "truck"]),
        ),
        max_size=60,
    )
)
def test_nothing_sure_is_lost_whatever_was_seen(rows):
    """Every sure face is in a track or doubles a surer one there; a sighting is in at most one track; no holes."""
    seen = detections(sorted(rows, key=lambda r: r[0]))
    tracks, rest = follow(seen, np.arange(31), THRESHOLDS, SIZE)
    assert follow(seen, np.arange(31), THRESHOLDS, SIZE)[0] == tracks
    detected = sum(b.origin is Origin.DETECTED for t in tracks for b in t.boxes)
    assert detected + len(rest) == len(seen)
    boxes = {}
    for track in tracks:
        for b in track.boxes:
            boxes.setdefault((b.frame, track.label), []).append(b.box_xyxy)
    for i in range(len(seen)):
        if seen.label[i] == "face" and seen.score[i] >= 0.7:
            x0, y0, x1, y1 = seen.box_xyxy[i]
            centre = (x0 + x1) / 2, (y0 + y1) / 2
            assert any(b[0] <= centre[0] <= b[2] and b[1] <= centre[1] <= b[3] for b in boxes[(int(seen.frame[i]), "face")])


def fed(rows, frames, shifts=None, cuts=(), rate=30, size=SIZE, ago=()):
    """What a follower gives, frame by frame: (frame, boxes by track, frames added so far), and what was left over.

    `ago`: of each row, how many frames later it is told.
    """
    ago = ago or [0] * len(rows)
    follower = Follower(THRESHOLDS, rate, size, Fraction(1, rate))
    given, left_over = [], []
    for frame in range(frames):
        told = [n for n, r in enumerate(rows) if r[0] + ago[n] == frame]
        here = detections([rows[n] for n in told])
        seen = Seen(here.box_xyxy, here.score, here.label, here.model, [ago[n] for n in told])
        follower.add(frame, seen, shifts[frame] if shifts else None, frame in cuts)
        given += [(f, boxes, frame) for f, boxes in follower.final()]
        left_over += follower.left_over
    follower.end()
    given += [(f, boxes, frames) for f, boxes in follower.final()]
    return given, left_over + follower.left_over


def by_track(given):
    boxes = {}
    for _, there, _ in given:
        for number, _, box in there:
            boxes.setdefault(number, []).append(box)
    return boxes


def test_a_frame_is_final_a_second_later_and_not_before():
    given, _ = fed(moving(range(100)), 100)
    assert [frame for frame, _, _ in given] == list(range(100))
    assert {added - frame for frame, _, added in given[:70]} == {round(LOOK_AHEAD * 30)}


def test_a_track_is_confirmed_backwards_before_its_first_frame_is_final():
    faint, sure = moving(range(10, 20), score=0.2), moving(range(20, 90))
    given, _ = fed(faint + sure, 100)
    assert next(frame for frame, boxes, _ in given if boxes) == 10 - CARRIED


def test_a_faint_sight_off_the_way_between_two_sure_ones_does_not_open_the_way():
    """The camera falls; on one frame half of the face is seen faintly, far ahead."""
    rows = [(f, (300.0, 300.0 - 60 * (f - 10)), 0.9, "face") for f in (10, 11, 13, 14)]
    rows = sorted([*rows, (12, (300.0, 135.0), 0.15, "face")], key=lambda r: r[0])
    given, _ = fed(rows, 30)
    (boxes,) = by_track(given).values()
    (there,) = [b for b in boxes if b.frame == 12]
    assert there.box_xyxy[1] <= 135
    assert there.box_xyxy[3] >= 220, "where it was on the way as well"


def test_what_is_seen_by_looking_back_begins_the_track_where_it_was_first_seen():
    """Sure on frame 40; two frames later it is known that it was there, shaken by the camera, from frame 15 on."""
    camera = [30 * (frame % 2) for frame in range(80)]
    shifts = [(float(camera[f] - camera[f - 1]) if f else 0.0, 0.0) for f in range(80)]
    rows = [(f, (100.0 + 2 * f + camera[f], 50.0), 0.9 if f >= 40 else 0.15, "face") for f in range(15, 70)]
    given, left_over = fed(rows, 80, shifts, ago=[max(0, 42 - f) * (f < 40) for f in range(15, 70)])
    (boxes,) = by_track(given).values()
    detected = [b for b in boxes if b.origin is Origin.DETECTED]
    assert [b.frame for b in detected] == list(range(15, 70))
    assert [b.box_xyxy[0] for b in detected] == [100 + 2 * f + camera[f] for f in range(15, 70)]
    assert left_over == []


def test_what_was_seen_already_is_not_seen_again_by_looking_back():
    rows = moving(range(10, 50))
    again = [(f, (102.0 + 2 * f, 51.0), 0.8, "face") for f in range(30, 40)]
    given, left_over = fed(rows + again, 60, ago=[0] * 40 + [40 - f for f in range(30, 40)])
    assert len(by_track(given)) == 1
    assert sorted(left_over) == [(40, 1 + n) for n in range(10)]


def test_what_is_told_after_its_frame_is_final_belongs_to_no_track():
    given, left_over = fed([(5, (100.0, 50.0), 0.9, "face"), *moving(range(40, 60))], 60, ago=[36] + [0] * 20)
    assert by_track(given)[1][0].frame == 40 - CARRIED
    assert left_over == [(41, 0)]


def test_a_shaken_camera_moves_no_boxes_in_a_gap():
    """The picture swings to and fro by 200 pixels; the face stands still in the world and is lost for six frames."""
    camera = [200 * (frame % 2) for frame in range(60)]
    shifts = [(float(camera[f] - camera[f - 1]) if f else 0.0, 0.0) for f in range(60)]
    rows = [(f, (300.0 + camera[f], 50.0), 0.9, "person") for f in range(10, 50) if f not in range(20, 26)]
    given, _ = fed(rows, 60, shifts)
    (boxes,) = by_track(given).values()
    assert [b.frame for b in boxes] == list(range(10, 50))
    assert [b.box_xyxy[0] for b in boxes] == [300 + camera[f] for f in range(10, 50)]


def test_a_cut_ends_all_tracks_at_once():
    given, _ = fed(moving(range(40), speed=0), 40, cuts=(20,))
    assert [(b[0].frame, b[-1].frame) for b in by_track(given).values()] == [(0, 19), (20, 39)]


def test_nothing_is_kept_of_what_is_over():
    """Five minutes with a new face every second."""
    follower = Follower(THRESHOLDS, 30, SIZE, Fraction(1, 30))
    most = 0
    for frame in range(9000):
        x, y = 20.0 + 97 * (frame // 30 % 8), 10.0 + 83 * (frame // 240 % 4)
        here = detections([(frame, (x, y), 0.9, "face")])
        follower.add(frame, Seen(here.box_xyxy, here.score, here.label, here.model))
        assert len(list(follower.final())) == (frame >= 30)
        list(follower.over())
        most = max(most, len(pickle.dumps(follower)))
        if frame == 900:
            after_half_a_minute = most
    assert most <= 1.1 * after_half_a_minute


ROWS = st.lists(
    st.tuples(
        st.integers(0, 59),
        st.tuples(st.floats(0, 700), st.floats(0, 300)),
        st.floats(0.1, 1),
        st.sampled_from(["face", "person", "car", "truck"]),
    ),
    max_size=60,
)
WALK = st.lists(st.booleans(), min_size=60, max_size=60)
AGO = st.lists(st.sampled_from([0, 0, 1, 4, 20, 29, 30, 40]), min_size=120, max_size=120)


def told_in_time(rows, ago):
    """Not later than the last frame."""
    return [min(a, 59 - row[0]) for row, a in zip(rows, ago, strict=False)]


SHIFTS = st.lists(st.one_of(st.none(), st.tuples(st.floats(-300, 300), st.floats(-300, 300))), min_size=60, max_size=60)


@settings(max_examples=60, deadline=None)
@given(ROWS, WALK, SHIFTS, st.sets(st.integers(1, 59), max_size=3), st.sampled_from([10, 25, 30]), AGO)
def test_inside_a_track_there_is_never_a_frame_without_a_box(rows, there, shifts, cuts, rate, ago):
    """Whatever detections are dropped, however the camera moves; each box has an area in the picture, in its scene."""
    rows = sorted(rows + [r for r, seen in zip(moving(range(60), speed=9), there, strict=True) if seen], key=lambda r: r[0])
    given, left_over = fed(rows, 60, shifts, cuts, rate, ago=told_in_time(rows, ago))
    assert [frame for frame, _, _ in given] == list(range(60))
    tracks = by_track(given)
    assert list(tracks) == list(range(1, len(tracks) + 1))
    detected = 0
    for boxes in tracks.values():
        frames = [b.frame for b in boxes]
        assert frames == list(range(frames[0], frames[-1] + 1))
        assert not any(frames[0] < cut <= frames[-1] for cut in cuts)
        assert any(b.origin is Origin.DETECTED for b in boxes)
        detected += sum(b.origin is Origin.DETECTED for b in boxes)
        for b in boxes:
            x0, y0, x1, y1 = b.box_xyxy
            assert 0 <= x0 < x1 <= SIZE[0]
            assert 0 <= y0 < y1 <= SIZE[1]
    assert detected + len(set(left_over)) == len(rows)
    assert len(set(left_over)) == len(left_over)


@settings(max_examples=40, deadline=None)
@given(ROWS, WALK, AGO)
def test_the_whole_video_at_once_has_the_tracks_that_a_follower_gives(rows, there, ago):
    rows = sorted(rows + [r for r, seen in zip(moving(range(60), speed=9), there, strict=True) if seen], key=lambda r: r[0])
    ago = told_in_time(rows, ago)
    told = replace(detections(rows), ago=np.array(ago, np.int64))
    tracks, rest = follow(told, np.arange(60), THRESHOLDS, SIZE)
    given, left_over = fed(rows, 60, ago=ago)
    assert {t.id: list(t.boxes) for t in tracks} == by_track(given)
    assert len(rest) == len(left_over)

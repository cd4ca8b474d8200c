"""Which tracks of every frame are found again by few looks: counted by kind, and what only few looks find as more."""

from __future__ import annotations

from fractions import Fraction

from benchmarks.seldom import compared
from evidence.track import Origin, Track, TrackBox


def track(label: str, first: int, *boxes: tuple[float, float, float, float], score: float = 0.5) -> Track:
    rows = [TrackBox(first + n, first + n, box, score, Origin.DETECTED) for n, box in enumerate(boxes)]
    return Track(1, label, "model", Fraction(1, 30), tuple(rows))


HERE, BESIDE, THERE = (0, 0, 10, 10), (4, 0, 14, 10), (50, 50, 60, 60)


def test_a_track_is_found_again_where_one_of_its_kind_meets_it_on_a_frame() -> None:
    every = [track("car", 0, THERE, HERE), track("car", 0, (200, 0, 210, 10)), track("person", 0, HERE)]
    few = [track("truck", 1, BESIDE, BESIDE), track("face", 0, HERE, score=0.3)]
    told = compared(every, few)
    assert told["vehicles"] == (1, 2, 0), "a car that is taken for a truck is found; an overlap of 0.43 is enough"
    assert told["people"] == (0, 1, 0)
    assert told["faces"] == (0, 0, 1)
    assert told["sure faces"] == (0, 0, 0)


def test_at_the_same_place_at_another_time_is_not_the_same() -> None:
    told = compared([track("bus", 0, HERE, THERE)], [track("bus", 1, HERE), track("bus", 2, THERE)])
    assert told["vehicles"] == (0, 1, 2)


def test_sure_faces_are_those_that_every_frame_saw_surely() -> None:
    every = [track("face", 0, HERE, score=0.4), track("face", 0, THERE, score=0.39)]
    told = compared(every, [track("face", 0, HERE, score=0.2), track("face", 0, (90, 90, 99, 99), score=0.6)])
    assert told["faces"] == (1, 2, 1)
    assert told["sure faces"] == (1, 1, 1)

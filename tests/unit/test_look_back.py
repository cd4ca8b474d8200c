"""Looking back: a face that is found late is seen on the frames before, where it was, and nowhere else."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.look_back import Earlier, LookBack
from detectors.motion import Motion
from detectors.parts import shown_wh
from detectors.plan import Now, Record
from tests.unit.test_close_looks import Dots, find_dots_in_each

SIZE = (640, 360)
SCALE = 1.0
STILL = Motion((0.0, 0.0), 0.9)
NONE = np.zeros((0, 4), np.float32)


def around(x: float, y: float) -> np.ndarray:
    return np.array([x - 4.5, y - 4.5, x + 4.5, y + 4.5], np.float32)


class Walk:
    """A dot that walks through pictures; only `found_at` does a look at the whole see it."""

    def __init__(
        self, step: float, first: int = 0, rate: int = 25, shift: float = 0.0, cut: int = -1, apart: int = 1
    ) -> None:
        self.step, self.first, self.rate, self.shift, self.cut = step, first, rate, shift, cut
        self.record = Record()
        self.looks = LookBack(find_dots_in_each, SIZE, 0.1, SCALE, self.record, apart)
        self.seen: dict[int, np.ndarray] = {}

    def at(self, frame: int) -> tuple[int, int]:
        return round((450 if self.step + self.shift < 0 else 100) + (self.step + self.shift) * frame), 100

    def to(self, found_at: int, already: frozenset[int] = frozenset(), end: int | None = None) -> None:
        for frame in range(found_at + 1 if end is None else end):
            view = Dots(SIZE, [self.at(frame)] if frame >= self.first else [])
            motion = Motion((self.shift / SIZE[0], 0.0), 0.9, frame == self.cut) if frame else STILL
            now = Now(frame, frame, Fraction(frame, self.rate), motion)
            here = frame == found_at or frame in already
            self.looks.passed(view, now, np.stack([around(*self.at(frame))]) if here else NONE)
            self.looks.new([around(*self.at(frame))] if frame == found_at else [])
            self.take(frame, self.looks.back())

    def take(self, frame: int, earlier: list[Earlier]) -> None:
        for one in earlier:
            assert one.ago > 0
            assert len(one.box) == len(one.score) == 1
            assert frame - one.ago not in self.seen, "a thing is told once"
            self.seen[frame - one.ago] = one.box[0]

    def right(self) -> bool:
        return all(np.abs(box - around(*self.at(frame))).max() <= 2 for frame, box in self.seen.items())


@pytest.mark.parametrize(("step", "shift"), [(0, 0), (3, 0), (-4, 0), (0, 20), (3, -12)])
def test_it_is_followed_back_to_the_first_frame_in_which_it_can_be_seen(step: float, shift: float) -> None:
    """The thing walks, or the camera runs; the way goes over several turns."""
    walk = Walk(step, first=5, shift=shift)
    walk.to(found_at=22, end=26)
    assert sorted(walk.seen) == list(range(5, 22))
    assert walk.right()


def test_it_goes_no_further_back_than_tracks_can_be_changed() -> None:
    walk = Walk(2)
    walk.to(found_at=60, end=70)
    assert 60 - 23 <= min(walk.seen) <= 60 - 20, "0.95 seconds of 25 frames; two frames pass while it is walked back"
    assert sorted(walk.seen) == list(range(min(walk.seen), 60))
    slow = Walk(2, rate=1)
    slow.to(found_at=5)
    assert slow.seen == {}


@pytest.mark.parametrize(("rate", "apart"), [(30, 3), (25, 2), (15, 1), (10, 1)])
def test_it_may_look_some_frames_apart_at_what_a_track_is_joined_over(rate: int, apart: int) -> None:
    walk = Walk(2, rate=rate, apart=3)
    walk.to(found_at=20, end=26)
    assert sorted(walk.seen, reverse=True)[:3] == [20 - apart * n for n in (1, 2, 3)]
    assert walk.right()


def test_it_does_not_go_over_a_cut() -> None:
    walk = Walk(0, cut=15)
    walk.to(found_at=22, end=26)
    assert sorted(walk.seen) == list(range(15, 22))


def test_where_something_was_seen_anyway_nothing_is_looked_at_and_nothing_told_again() -> None:
    walk = Walk(2)
    walk.to(found_at=22, already=frozenset(range(10, 22)), end=26)
    assert sorted(walk.seen) == list(range(10))
    assert walk.record.to_json()[0]["count"] <= 3


def test_what_came_out_of_nothing_costs_four_parts() -> None:
    walk = Walk(0, first=22)
    walk.to(found_at=22, end=40)
    assert walk.seen == {}
    assert [(line["look"], line["input_wh"], line["count"]) for line in walk.record.to_json()] == [
        ("back", list(shown_wh(4)), 1)
    ]


def test_many_at_once_take_turns_and_none_is_forgotten() -> None:
    places = [(60 + 50 * column, 60 + 60 * row) for column in range(10) for row in range(4)]
    record = Record()
    looks = LookBack(find_dots_in_each, SIZE, 0.1, SCALE, record)
    view = Dots(SIZE, places)
    seen = set()
    for frame in range(60):
        new = [around(*place) for place in places] if frame == 20 else []
        looks.passed(view, Now(frame, frame, Fraction(frame, 25), STILL), np.array(new, np.float32).reshape(-1, 4))
        looks.new(new)
        for one in looks.back():
            middles = ((one.box[:, :2] + one.box[:, 2:]) / 2).round().astype(int).tolist()
            seen |= {(frame - one.ago, *middle) for middle in middles}
    assert all(any(abs(x - a) <= 1 and abs(y - b) <= 1 for _, x, y in seen) for a, b in places)
    assert max(line["count"] for line in record.to_json()) <= 2 * 40, "two turns a frame, at most"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 25), st.integers(1, 30), st.floats(-5, 5), st.sampled_from([10, 25, 30]))
def test_nothing_is_told_of_frames_on_which_it_was_not(first: int, found_after: int, step: float, rate: int) -> None:
    walk = Walk(step, first=first, rate=rate)
    walk.to(found_at=first + found_after, end=first + found_after + 6)
    assert all(frame >= first for frame in walk.seen)
    assert walk.right()

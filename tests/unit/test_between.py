"""Looks some frames apart: what may be left out, what may not, and that every frame is told of once and in order."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.between import Between
from detectors.detector import Boxes, Found, Patient, Picture
from detectors.motion import Motion
from detectors.plan import Now

SIZE = (640, 360)
STILL = Motion((0.0, 0.0), 0.9)
UNKNOWN = Motion((0.0, 0.0), 0.0)
FACE = (100.0, 100.0, 160.0, 180.0)

Faces = Callable[[int], list[tuple[float, ...]]]


class Numbered:
    """A frame that is only its number."""

    upright_size_wh = SIZE

    def __init__(self, number: int) -> None:
        self.number = number

    def small_rgb(self, size_wh: tuple[int, int]) -> Picture:
        raise AssertionError("nobody looks at the picture here")

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_wh: tuple[int, int]) -> Picture:
        raise AssertionError("nobody looks at the picture here")


class Video:
    """Faces by frame number, each as sure as can be; `looked` is where somebody looked, `told` what was said."""

    def __init__(self, faces: Faces, motions: dict[int, Motion] | None = None, *, rate: int = 30) -> None:
        self.faces, self.motions, self.rate = faces, motions or {}, rate
        self.looked: list[int] = []
        self.in_order: list[int] = []
        self.told: list[Found] = []
        self.between = Between(self.look, self.closely, SIZE, 0.5, 20)

    def look(self, view: Numbered, now: Now) -> Found:
        assert view.number == now.number
        self.looked.append(view.number)
        box = np.array(self.faces(view.number), np.float32).reshape(-1, 4)
        return Found(box, np.full(len(box), 0.9, np.float32), ("face",) * len(box))

    def closely(self, view: Numbered, now: Now, found: Found, regular: bool) -> Found:
        assert regular == (now.number in self.looked)
        self.in_order.append(view.number)
        return found

    def read(self, frames: int, *, must_look: bool = False) -> list[int]:
        for number in range(frames):
            motion = self.motions.get(number, STILL)
            now = Now(number, number, Fraction(number, self.rate), motion, must_look)
            self.told += self.between.take(Numbered(number), now)
            assert len(self.told) >= number + 1 - 6, "no frame waits longer than for six that come after it"
        self.told += self.between.rest()
        return sorted(self.looked)


def stays(number: int) -> list[tuple[float, ...]]:
    return [FACE]


def moved(by: float) -> tuple[float, ...]:
    return (FACE[0] + by, FACE[1], FACE[2] + by, FACE[3])


def test_where_nothing_happens_every_sixth_frame_is_looked_at_once_that_is_known():
    assert Video(lambda _: []).read(25) == [*range(7), 12, 18, 24]
    video = Video(stays)
    assert video.read(25) == [*range(7), 12, 18, 24]
    assert [len(found) for found in video.told] == [1] * 7 + ([0] * 5 + [1]) * 3


@pytest.mark.parametrize(("rate", "apart"), [(60, 6), (30, 6), (25, 5), (15, 3), (10, 2), (5, 1), (1, 1)])
def test_looks_are_a_fifth_of_a_second_apart_at_most(rate, apart):
    looked = Video(stays, rate=rate).read(40)
    assert {b - a for a, b in zip(looked[apart:-1], looked[apart + 1 : -1], strict=False)} == {apart}


def test_around_what_comes_goes_or_moves_every_frame_is_looked_at():
    comes = Video(lambda n: [FACE] if n >= 15 else []).read(40)
    assert set(comes) >= {*range(12, 25)}, "to where it was before, and for as long as it is new"
    assert len(comes) < 25
    goes = Video(lambda n: [FACE] if n < 15 else []).read(40)
    assert set(goes) >= {*range(12, 25)}
    for fast in (
        lambda n: [moved(10 * n)],
        lambda n: [(100 - 6 * n, 100 - 6 * n, 160 + 6 * n, 160 + 6 * n)] if n < 15 else [],
    ):
        assert Video(fast).read(14) == [*range(14)]
    assert len(Video(lambda n: [moved(3 * n)]).read(40)) < 16, "a walk is known from its ends"


def test_small_things_are_left_to_others():
    small = (100.0, 100.0, 118.0, 118.0)
    assert Video(lambda n: [small] if n >= 15 else []).read(25) == [*range(7), 12, 18, 24]


def test_a_picture_whose_motion_nobody_knows_is_looked_at_by_itself():
    looked = Video(stays, {15: UNKNOWN, 16: Motion((0.0, 0.0), 0.9, cut=True)}).read(31)
    assert looked == [*range(7), 12, 14, 15, 16, *range(17, 23), 28, 30]


def test_the_camera_may_move_as_long_as_things_move_with_it():
    pans = {n: Motion((20 / SIZE[0], 0.0), 0.9) for n in range(1, 40)}
    assert len(Video(lambda n: [moved(20 * n)], pans).read(40)) < 16
    assert Video(stays, pans).read(25) == [*range(25)], "it runs along with the camera"


def test_a_person_who_wants_every_frame_looked_at_gets_it():
    video = Video(stays)
    assert video.read(20, must_look=True) == [*range(20)]
    assert video.in_order == [*range(20)]


@given(
    st.lists(st.lists(st.integers(0, 500), max_size=2), min_size=1, max_size=40),
    st.dictionaries(
        st.integers(0, 39), st.sampled_from([UNKNOWN, Motion((0.1, 0.0), 0.9), Motion((0.0, 0.0), 0.9, cut=True)])
    ),
    st.sampled_from([1, 10, 25, 30, 60]),
)
def test_every_frame_is_told_of_once_in_order_with_what_was_seen_on_it(places, motions, rate):
    video = Video(lambda n: [(x, 50, x + 60, 110) for x in places[n]], motions, rate=rate)
    looked = set(video.read(len(places)))
    assert video.in_order == [*range(len(places))]
    assert len(video.told) == len(places)
    assert len(video.looked) == len(looked), "nothing is looked at twice"
    for number, found in enumerate(video.told):
        here: Boxes = found.box_xyxy
        assert here[:, 0].tolist() == (places[number] if number in looked else [])


def test_a_detector_that_has_take_and_rest_is_a_patient_one():
    assert isinstance(Video(stays).between, Patient)

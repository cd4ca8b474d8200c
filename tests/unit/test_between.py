"""Looks some frames apart: what may be left out, what may not, and that every frame is told of once and in order."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

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
    """Faces by frame number, each with the score that `sure` gives for the frame; `looked` is where somebody looked,
    `glanced` where somebody looked for faces that were known, `close` the frames for close looks, `told` what was said."""

    def __init__(
        self,
        faces: Faces,
        motions: dict[int, Motion] | None = None,
        *,
        rate: int = 30,
        sure: Callable[[int], float] = lambda _: 0.9,
    ) -> None:
        self.faces, self.motions, self.rate, self.sure = faces, motions or {}, rate, sure
        self.looked: list[int] = []
        self.glanced: list[int] = []
        self.close: list[int] = []
        self.in_order: list[int] = []
        self.told: list[Found] = []
        self.between = Between(self.look, self.glance, self.closely, SIZE, 0.5, 20)

    def seen(self, view: Numbered, now: Now) -> Found:
        assert view.number == now.number
        box = np.array(self.faces(view.number), np.float32).reshape(-1, 4)
        return Found(box, np.full(len(box), self.sure(view.number), np.float32), ("face",) * len(box))

    def look(self, view: Numbered, now: Now) -> Found:
        self.looked.append(view.number)
        return self.seen(view, now)

    def glance(self, view: Numbered, now: Now, box: Boxes) -> Found:
        self.glanced.append(view.number)
        return self.seen(view, now)

    def closely(self, view: Numbered, now: Now, found: Found, regular: bool) -> Found:
        if regular:
            self.close.append(now.number)
        self.in_order.append(view.number)
        return found

    def read(self, frames: int, *, must_look: bool = False) -> list[int]:
        for number in range(frames):
            motion = self.motions.get(number, STILL)
            now = Now(number, number, Fraction(number, self.rate), motion, must_look)
            self.told += self.between.take(Numbered(number), now)
            assert len(self.told) >= number + 1 - 12, "no frame waits longer than for twelve that come after it"
        self.told += self.between.rest()
        return sorted(self.looked)


def stays(number: int) -> list[tuple[float, ...]]:
    return [FACE]


def moved(by: float) -> tuple[float, ...]:
    return (FACE[0] + by, FACE[1], FACE[2] + by, FACE[3])


def test_where_nothing_happens_every_twelfth_frame_is_looked_at_once_that_is_known():
    nobody = Video(lambda _: [])
    assert nobody.read(43) == [*range(7), 18, 30, 42]
    assert nobody.glanced == [], "there is nothing to glance at"
    video = Video(stays)
    assert video.read(43) == [*range(7), 18, 30, 42]
    assert video.glanced == [12, 24, 36]
    assert [len(found) for found in video.told] == [1] * 7 + ([0] * 5 + [1]) * 6
    assert nobody.close == video.close == [*range(7), 12, 18, 24, 30, 36, 42]


@pytest.mark.parametrize(("rate", "apart"), [(60, 12), (30, 12), (25, 10), (15, 6), (10, 4), (5, 2), (2, 1), (1, 1)])
def test_looks_are_two_fifths_of_a_second_apart_at_most(rate, apart):
    looked = Video(stays, rate=rate).read(60)
    known = looked.index(max(1, apart // 2))
    assert {b - a for a, b in pairwise(looked[known:-1])} == {apart}


def test_around_what_comes_goes_or_moves_every_frame_is_looked_at():
    comes = Video(lambda n: [FACE] if n >= 15 else []).read(43)
    assert set(comes) >= {*range(12, 25)}, "to where it was before, and for as long as it is new"
    assert len(comes) < 25
    goes = Video(lambda n: [FACE] if n < 15 else []).read(43)
    assert set(goes) >= {*range(12, 19)}
    for fast in (
        lambda n: [moved(10 * n)],
        lambda n: [(100 - 6 * n, 100 - 6 * n, 160 + 6 * n, 160 + 6 * n)] if n < 15 else [],
    ):
        assert Video(fast).read(14) == [*range(14)]
    assert len(Video(lambda n: [moved(3 * n)]).read(40)) < 16, "a walk is known from its ends"


def test_what_went_away_in_the_middle_and_came_back_is_looked_at():
    hides = Video(lambda n: [] if n in (23, 24, 25) else [FACE])
    assert set(hides.read(43)) >= {*range(18, 31)}
    jumps = Video(lambda n: [moved(120)] if n in (23, 24, 25) else [FACE])
    assert set(jumps.read(43)) >= {*range(18, 31)}


def test_in_the_middle_is_looked_wholly_where_many_are_known():
    many = [(20.0 * n, 100.0, 20.0 * n + 30, 130.0) for n in range(9)]
    crowd = Video(lambda _: many)
    assert crowd.read(43) == [*range(7), 12, 18, 24, 30, 36, 42]
    assert crowd.glanced == []


def test_what_was_sure_and_is_seen_faintly_counts_until_it_is_gone():
    fades = Video(lambda n: [FACE] if n < 37 else [], sure=lambda n: 0.9 if n < 20 else 0.2)
    assert set(fades.read(55)) >= {*range(36, 43)}
    assert len(fades.looked) < 30
    never = Video(lambda n: [FACE] if n < 37 else [], sure=lambda _: 0.2)
    assert never.read(43) == [*range(7), 18, 30, 42], "what never was sure doesn't count"


def test_small_things_are_left_to_others():
    small = (100.0, 100.0, 118.0, 118.0)
    assert Video(lambda n: [small] if n >= 15 else []).read(43) == [*range(7), 18, 30, 42]


def test_a_picture_whose_motion_nobody_knows_is_looked_at_by_itself():
    looked = Video(stays, {15: UNKNOWN, 16: Motion((0.0, 0.0), 0.9, cut=True)}).read(37)
    assert looked == [*range(7), 14, 15, 16, *range(17, 23), 34, 36]


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
        assert here[:, 0].tolist() == (places[number] if number in looked | set(video.glanced) else [])


def test_a_detector_that_has_take_and_rest_is_a_patient_one():
    assert isinstance(Video(stays).between, Patient)

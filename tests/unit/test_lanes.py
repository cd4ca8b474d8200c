"""Lanes: work side by side, with the answers of one thread after another."""

from __future__ import annotations

import threading
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.models import catalogue
from detectors import weights
from detectors.detector import Use
from detectors.faces import CenterFace
from detectors.lanes import Lanes
from detectors.motion import Motion
from detectors.plan import Now
from detectors.tiled import Still


@given(st.integers(1, 4), st.lists(st.integers()))
def test_the_answers_are_those_of_one_lane_in_their_order(count, items):
    assert Lanes(count).each(lambda _, item: item * 2, items) == [item * 2 for item in items]


def test_a_lane_does_one_thing_at_a_time_and_all_of_them_work():
    lanes, meeting = Lanes(3), threading.Barrier(3, timeout=30)
    busy: set[int] = set()

    def work(lane: int, _: int) -> int:
        assert lane not in busy
        busy.add(lane)
        meeting.wait()  # Nobody passes until three are here.
        busy.remove(lane)
        return lane

    assert set(lanes.each(work, range(6))) == {0, 1, 2}


@pytest.mark.parametrize("failing", [0, 1, 7])
def test_an_error_in_any_lane_comes_out_and_the_next_work_is_done(failing):
    lanes = Lanes(2)

    def work(_: int, item: int) -> int:
        if item == failing:
            raise ValueError("seen nothing")
        return item

    with pytest.raises(ValueError, match="seen nothing"):
        lanes.each(work, range(8))
    assert lanes.each(lambda _, item: item, range(8)) == list(range(8))


def test_faces_are_the_same_on_any_number_of_lanes():
    """Looks that see something everywhere, at many small things: noise is as good as faces for that."""
    line = catalogue()["centerface"]
    path = weights.find(line, ())
    assert path is not None
    random = np.random.default_rng(7)
    small = random.integers(0, 256, (34, 60, 3)).astype(np.uint8)
    still = Still(np.kron(small, np.ones((32, 32, 1), np.uint8)))
    told = []
    for lanes in (1, 2, 4):
        model = CenterFace(Use("centerface", path, 960, 0.01, 0.02, lanes=lanes), still.upright_size_wh)
        seen = [model.look(still, Now(n, n, Fraction(n), Motion((0.0, 0.0), 0.9))) for n in range(0, 12, 3)]
        told.append([(one.box_xyxy.tolist(), one.score.tolist()) for one in seen])
        assert {look["look"] for look in model.looks.to_json()} == {"whole", "coarse", "mirrored", "tile", "faces"}
    assert told[0] == told[1] == told[2]
    assert any(boxes for boxes, _ in told[0])

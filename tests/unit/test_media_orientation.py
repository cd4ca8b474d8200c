"""Turning: boxes and pictures go through the same turn, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.orientation import UPRIGHT, Orientation, from_matrix

ALL = [
    *(Orientation(a, 0, 0, d) for a in (1, -1) for d in (1, -1)),
    *(Orientation(0, b, c, 0) for b in (1, -1) for c in (1, -1)),
]
orientations = st.sampled_from(ALL)


@given(orientations, st.integers(1, 9), st.integers(1, 9))
def test_turning_and_turning_back_changes_nothing(orientation: Orientation, w: int, h: int) -> None:
    stored = np.arange(w * h, dtype=np.uint8).reshape(h, w)
    upright = orientation.to_upright(stored)
    assert upright.shape[::-1] == orientation.upright_wh((w, h))
    assert (orientation.to_stored(upright) == stored).all()


@given(orientations, st.integers(1, 12), st.integers(1, 12), st.data())
def test_a_box_holds_the_same_pixels_stored_and_upright(
    orientation: Orientation, w: int, h: int, data: st.DataObject
) -> None:
    upright_w, upright_h = orientation.upright_wh((w, h))
    x0, y0 = data.draw(st.integers(0, upright_w)), data.draw(st.integers(0, upright_h))
    x1, y1 = data.draw(st.integers(x0, upright_w)), data.draw(st.integers(y0, upright_h))
    upright = np.zeros((upright_h, upright_w), np.uint8)
    upright[y0:y1, x0:x1] = 1
    p0, q0, p1, q1 = (int(edge) for edge in orientation.box_to_stored((x0, y0, x1, y1), (w, h)))
    stored = np.zeros((h, w), np.uint8)
    stored[q0:q1, p0:p1] = 1
    assert (orientation.to_stored(upright) == stored).all()


@pytest.mark.parametrize("orientation", ALL)
def test_the_matrix_comes_back(orientation: Orientation) -> None:
    assert from_matrix(orientation.matrix or (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)) == orientation


@pytest.mark.parametrize(
    ("matrix", "degrees", "mirrored"),
    [
        ((65536, 0, 0, 0, 65536, 0), 0, False),
        ((0, 65536, 0, -65536, 0, 0), 90, False),
        ((-65536, 0, 0, 0, -65536, 0), 180, False),
        ((0, -65536, 0, 65536, 0, 0), 270, False),
        ((-65536, 0, 0, 0, 65536, 0), 0, True),
    ],
)
def test_degrees_are_clockwise(matrix: tuple[int, ...], degrees: int, mirrored: bool) -> None:
    found = from_matrix(matrix)
    assert (found.degrees, found.mirrored) == (degrees, mirrored)


def test_nonsense_and_slanted_matrices_become_the_nearest_turn() -> None:
    assert from_matrix([0] * 9) == UPRIGHT
    slanted = (60000, 20000, 0, -20000, 60000, 0, 0, 0, 1 << 30)
    assert from_matrix(slanted) == UPRIGHT

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from detectors.pairing import best_pairs

SOME = st.one_of(st.just(0.0), st.sampled_from([0.25, 0.5]), st.floats(0.001, 1.0))


@given(arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=SOME))
def test_pairs_are_worth_as_much_as_any_can_be(worth):
    pairs = best_pairs(worth)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs), "each side at most once"
    assert all(worth[pair] > 0 for pair in pairs)
    most = worth[linear_sum_assignment(worth, maximize=True)].sum()
    assert sum(worth[pair] for pair in pairs) == pytest.approx(most, abs=1e-12)


@pytest.mark.parametrize(("rows", "columns"), [(30, 30), (12, 40), (40, 12)])
@pytest.mark.parametrize("filled", [0.05, 0.3, 1.0])
def test_they_are_those_that_scipy_finds(rows, columns, filled):
    rng = np.random.default_rng(5)
    for _ in range(20):
        worth = rng.random((rows, columns)) * (rng.random((rows, columns)) < filled)
        found = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
        assert best_pairs(worth) == [(i, j) for i, j in found if worth[i, j] > 0]


def test_the_one_that_has_another_place_to_go_moves_on():
    assert best_pairs(np.array([[0.9, 0.8], [0.85, 0.0]])) == [(0, 1), (1, 0)]
    assert best_pairs(np.array([[0.9, 0.01], [0.2, 0.0]])) == [(0, 0)], "not where that is worth less in sum"
    assert best_pairs(np.zeros((2, 3))) == []

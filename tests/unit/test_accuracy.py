"""The mean average precision of boxes, on figures that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.accuracy import Truth, mean_average_precision
from detectors.detector import Found

NOTHING = np.zeros((0, 4))


def truth(*boxes: tuple[int, ...], label: str = "face", ignored: tuple[tuple[int, ...], ...] = ()) -> Truth:
    return Truth(
        np.array(boxes, np.float64).reshape(-1, 4), (label,) * len(boxes), np.array(ignored, np.float64).reshape(-1, 4)
    )


def found(*boxes: tuple[float, ...], label: str = "face") -> Found:
    rows = np.array(boxes, np.float32).reshape(-1, 5)
    return Found(rows[:, :4], rows[:, 4], (label,) * len(rows))


def test_what_agrees_wholly_is_one_and_what_sees_nothing_is_none() -> None:
    there = [truth((0, 0, 10, 10), (20, 0, 30, 10)), truth()]
    assert mean_average_precision(there, [found((20, 0, 30, 10, 0.9), (0, 0, 10, 10, 0.3)), found()]) == pytest.approx(1)
    assert mean_average_precision(there, [found(), found()]) == 0
    assert mean_average_precision([truth()], [found((0, 0, 1, 1, 0.9))]) == 0, "without a true box there is nothing to find"


def test_a_box_that_lies_beside_counts_at_the_overlaps_that_it_reaches() -> None:
    # Seven tenths of it: 0.50, 0.55, 0.60, 0.65, 0.70 of ten overlaps.
    assert mean_average_precision([truth((0, 0, 100, 10))], [found((0, 0, 71, 10, 0.9))]) == pytest.approx(0.5)


def test_a_surer_false_alarm_halves_the_precision_and_a_less_sure_one_costs_nothing() -> None:
    there = [truth((0, 0, 10, 10))]
    assert mean_average_precision(there, [found((50, 50, 60, 60, 0.9), (0, 0, 10, 10, 0.5))]) == pytest.approx(0.5)
    assert mean_average_precision(there, [found((50, 50, 60, 60, 0.2), (0, 0, 10, 10, 0.5))]) == pytest.approx(1)
    twice = found((0, 0, 10, 10, 0.9), (0, 0, 10, 10, 0.8))
    two = [truth((0, 0, 10, 10), (50, 50, 60, 60))]
    # Half of the true ones at full precision: 51 of 101 recalls. The second answer for one of them is a false alarm.
    assert mean_average_precision(two, [twice]) == pytest.approx(51 / 101)


def test_what_lies_over_a_box_that_is_not_judged_counts_neither_way() -> None:
    there = [truth((0, 0, 10, 10), ignored=((50, 50, 60, 60),))]
    assert mean_average_precision(there, [found((50, 50, 60, 60, 0.9), (0, 0, 10, 10, 0.5))]) == pytest.approx(1)


def test_labels_count_alike_and_those_without_truth_are_left_out() -> None:
    there = [truth((0, 0, 10, 10)), truth((0, 0, 10, 10), label="person")]
    seen = [found((0, 0, 10, 10, 0.9)), found((0, 0, 10, 10, 0.9), label="car")]
    assert mean_average_precision(there, seen) == pytest.approx(0.5)

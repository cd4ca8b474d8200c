"""Fixes as columns."""

from __future__ import annotations

import numpy as np
import pytest

from evidence.telemetry import NO_TIME, Family, Flag, Quantity, Telemetry, Zone


def fixes(elapsed_us: list[int], latitude: list[float], flags: list[Flag]) -> Telemetry:
    n = len(elapsed_us)
    return Telemetry(
        family=Family.GPX,
        dialect="1.1",
        device="",
        zone=Zone.UTC,
        elapsed_us=np.array(elapsed_us, np.int64),
        clock_us=np.full(n, NO_TIME),
        flags=np.array(flags, np.uint8),
        columns={Quantity.LATITUDE: np.array(latitude), Quantity.LONGITUDE: np.zeros(n)},
        certainty={},
    )


def test_only_a_fix_that_says_where_has_a_place() -> None:
    said = fixes([0, 1, 2, 3], [51.5, np.nan, 51.5, 51.5], [Flag.NONE, Flag.NONE, Flag.NO_FIX | Flag.JUMP, Flag.JUMP])
    assert said.placed.tolist() == [True, False, False, True]
    assert np.isnan(said.column(Quantity.SPEED)).all()
    assert len(said.column(Quantity.SPEED)) == len(said) == 4


def test_columns_of_two_lengths_and_time_that_runs_back_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        fixes([0, 1], [51.5], [Flag.NONE, Flag.NONE])
    with pytest.raises(ValueError, match="order of elapsed time"):
        fixes([1, 0], [51.5, 51.5], [Flag.NONE, Flag.NONE])

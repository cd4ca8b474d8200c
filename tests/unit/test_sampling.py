"""Fixes at other moments: on the straight line, the short way round, never across a gap, and marked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.sampling import longest_gap_us, sampled
from evidence.telemetry import NO_TIME, Flag, Quantity
from tests.flights import flight

S = 1_000_000


def at(*seconds: float) -> np.ndarray:
    return np.array([round(s * S) for s in seconds], np.int64)


def test_between_two_fixes_lies_the_straight_line_and_it_is_marked() -> None:
    flown = flight(3, latitude=[51.0, 51.1, 51.3], longitude=[0.0, 0.2, 0.2], height_takeoff=[10.0, 20.0, np.nan])
    found = sampled(flown, at(0, 0.5, 1, 1.25))
    assert found.column(Quantity.LATITUDE) == pytest.approx([51.0, 51.05, 51.1, 51.15])
    assert found.column(Quantity.HEIGHT_TAKEOFF)[:3] == pytest.approx([10, 15, 20])
    assert found.flags.tolist() == [0, Flag.INTERPOLATED, 0, Flag.INTERPOLATED]
    assert found.elapsed_us.tolist() == [0, 500_000, 1_000_000, 1_250_000]


@pytest.mark.parametrize(
    ("quantity", "one", "other", "half"),
    [
        ("camera_yaw", 350.0, 20.0, 5.0),
        ("camera_yaw", 10.0, 340.0, 355.0),
        ("camera_yaw", -170.0, 170.0, -180.0),
        ("course", 90.0, 180.0, 135.0),
        ("longitude", 179.9, -179.9, -180.0),
        ("camera_pitch", -80.0, -20.0, -50.0),
    ],
)
def test_angles_go_the_short_way_round(quantity, one, other, half) -> None:
    flown = flight(2, **{"latitude": 0.0, "longitude": 1.0, quantity: [one, other]})
    found = sampled(flown, at(0.5)).column(Quantity[quantity.upper()])[0]
    assert found == pytest.approx(half)


@settings(max_examples=60)
@given(st.floats(-180, 359), st.floats(-180, 359), st.floats(0, 1))
def test_an_angle_between_two_is_no_further_from_either_than_they_are(one, other, share) -> None:
    flown = flight(2, latitude=1.0, longitude=1.0, camera_yaw=[one, other])
    found = sampled(flown, at(share)).column(Quantity.CAMERA_YAW)[0]

    def apart(a: float, b: float) -> float:
        return abs((a - b + 180) % 360 - 180)

    assert max(apart(found, one), apart(found, other)) <= apart(one, other) + 1e-6


def test_a_gap_stays_a_gap() -> None:
    flown = flight(4, latitude=[1.0, 2.0, 3.0, 4.0], longitude=1.0, elapsed_us=at(0, 1, 6, 7))
    found = sampled(flown, at(0.5, 1, 1.5, 5.9, 6, 6.5))
    assert (found.flags & Flag.NO_FIX != 0).tolist() == [False, False, True, True, False, False]
    assert np.isnan(found.column(Quantity.LATITUDE)[[2, 3]]).all()
    assert not found.placed[[2, 3]].any()


def test_a_source_that_writes_every_few_seconds_has_longer_gaps_but_not_any() -> None:
    slow = flight(10, every_us=5 * S, latitude=1.0, longitude=1.0)
    assert longest_gap_us(slow) == 12.5 * S
    assert sampled(slow, at(7)).placed.all()
    hourly = flight(10, every_us=60 * S, latitude=1.0, longitude=1.0)
    assert longest_gap_us(hourly) == 15 * S
    assert not sampled(hourly, at(7)).placed.any()


def test_nothing_is_drawn_to_a_place_that_leaps_or_is_none() -> None:
    leaps = flight(2, latitude=[1.0, 40.0], longitude=1.0, flags=np.array([0, Flag.JUMP], np.uint8))
    found = sampled(leaps, at(0, 0.5, 1))
    assert found.placed.tolist() == [True, False, True]
    assert found.flags[2] == Flag.JUMP
    zero = flight(3, latitude=[1.0, 0.0, 3.0], longitude=1.0, flags=np.array([0, Flag.NO_FIX, 0], np.uint8))
    found = sampled(zero, at(0.5, 1.5))
    assert found.column(Quantity.LATITUDE) == pytest.approx([1.5, 2.5])
    assert (found.flags == Flag.INTERPOLATED).all()


def test_the_ends_are_held_for_a_second() -> None:
    flown = flight(2, latitude=[1.0, 2.0], longitude=1.0, elapsed_us=at(2, 3))
    found = sampled(flown, at(0.9, 1.1, 3.9, 4.1))
    assert found.placed.tolist() == [False, True, True, False]
    assert found.column(Quantity.LATITUDE)[1:3] == pytest.approx([1.0, 2.0])
    assert (found.flags & Flag.INTERPOLATED != 0).all()


def test_the_device_s_clock_runs_on_with_the_media_after_the_fix_before() -> None:
    flown = flight(3, latitude=1.0, longitude=1.0, clock_us=np.array([NO_TIME, 7 * S, 8 * S]))
    found = sampled(flown, at(0, 1.25, 2.5, 9))
    assert found.clock_us.tolist() == [7 * S - S, 7_250_000, 8_500_000, NO_TIME]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 20 * S), min_size=1, max_size=30).map(sorted), st.integers(1, 12))
def test_at_its_own_moments_a_source_is_itself(moments, n) -> None:
    rng = np.random.default_rng(n)
    flown = flight(
        n, latitude=rng.uniform(-80, 80, n), longitude=rng.uniform(-180, 180, n), camera_yaw=rng.uniform(0, 360, n)
    )
    again = sampled(flown, flown.elapsed_us)
    for quantity, column in flown.columns.items():
        assert again.column(quantity) == pytest.approx(column)
    assert (again.flags == 0).all()
    assert len(sampled(flown, np.array(moments))) == len(moments)


def test_moments_that_go_back_are_refused() -> None:
    with pytest.raises(ValueError, match="order"):
        sampled(flight(2, latitude=1.0, longitude=1.0), at(1, 0))

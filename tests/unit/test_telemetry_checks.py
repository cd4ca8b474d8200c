"""No place where there is none, a flag on what can't have been, and nothing smoothed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.telemetry import NO_TIME, Family, Flag, Quantity, Telemetry, Zone
from media.telemetry.checks import FASTEST_MPS, checked

Q = Quantity
METRE_DEG = 1 / 111_200
"""Of latitude, near enough for a test of limits."""


def fixes(
    latitude: list[float],
    longitude: list[float],
    elapsed_s: list[float] | None = None,
    clock_s: list[float | None] | None = None,
    family: Family = Family.DJI_SRT,
    **columns: list[float],
) -> Telemetry:
    n = len(latitude)
    more = {Q[name.upper()]: np.array(values, np.float64) for name, values in columns.items()}
    clock = clock_s if clock_s is not None else [None] * n
    return Telemetry(
        family=family,
        dialect="",
        device="",
        zone=Zone.UTC,
        elapsed_us=(np.array(range(n) if elapsed_s is None else elapsed_s) * 1e6).astype(np.int64),
        clock_us=np.array([NO_TIME if c is None else round(c * 1e6) for c in clock], np.int64),
        flags=np.zeros(n, np.uint8),
        columns={Q.LATITUDE: np.array(latitude), Q.LONGITUDE: np.array(longitude), **more},
        certainty={},
    )


def flagged(telemetry: Telemetry, flag: Flag) -> list[int]:
    return np.flatnonzero(telemetry.flags & int(flag)).tolist()


def test_what_is_no_place_never_becomes_one() -> None:
    found = checked(
        fixes(
            [0.0, 0.00002, 91.0, np.nan, 51.5, np.inf, 90.0, 51.5],
            [0.0, -0.00003, 0.0, 0.0, 181.0, 0.0, 180.0, 0.0],
            home_latitude=[0.0, 51.5, 51.5, 51.5, 51.5, 51.5, 51.5, 51.5],
            home_longitude=[0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 999.0],
        )
    )
    assert flagged(found, Flag.NO_FIX) == [0, 1, 2, 3, 4, 5, 6]
    assert np.isnan(found.column(Q.LATITUDE)).tolist() == [True] * 7 + [False], "Greenwich is a place"
    assert np.isnan(found.column(Q.HOME_LATITUDE)).tolist() == [True] + [False] * 6 + [True]
    assert found.warnings == ("7 of 8 fixes have no place",)
    assert not found.placed[:7].any()
    assert found.placed[7]


def test_a_jump_is_flagged_and_kept() -> None:
    found = checked(fixes([51.5, 51.5001, 51.6, 51.5002, 51.5003], [0.0] * 5))
    assert flagged(found, Flag.JUMP) == [2, 3], "there, and back again"
    assert found.column(Q.LATITUDE)[2] == 51.6
    assert found.placed.all()
    assert "2 fixes lie further from the one before than 60 m/s could have come" in found.warnings


def test_a_gap_gives_time_to_travel() -> None:
    far = 51.5 + 1000 * METRE_DEG
    assert flagged(checked(fixes([51.5, far], [0.0, 0.0], [0, 5])), Flag.JUMP) == [1]
    assert flagged(checked(fixes([51.5, np.nan, far], [0.0, 0.0, 0.0], [0, 5, 30])), Flag.JUMP) == []


def test_what_is_possible_for_an_aircraft_is_a_jump_for_a_person() -> None:
    latitude = [51.5 + 150 * METRE_DEG * s for s in range(10)]
    assert flagged(checked(fixes(latitude, [0.0] * 10, family=Family.MISB)), Flag.JUMP) == []
    assert flagged(checked(fixes(latitude, [0.0] * 10, family=Family.GPMF)), Flag.JUMP) == list(range(1, 10))


def test_as_wrong_as_both_fixes_say_they_may_be_is_no_jump() -> None:
    latitude = [51.5, 51.5 + 400 * METRE_DEG]
    assert flagged(checked(fixes(latitude, [0, 0], accuracy_horizontal=[5, 5])), Flag.JUMP) == [1]
    assert flagged(checked(fixes(latitude, [0, 0], accuracy_horizontal=[100, 100])), Flag.JUMP) == []


@pytest.mark.parametrize("receiver_hz", [1, 5, 10])
def test_positions_repeated_at_frame_rate_are_no_jumps(receiver_hz: int) -> None:
    """30 rows a second, the receiver slower: at 25 m/s and 1 Hz the place leaps 25 m between two frames."""
    seconds = np.arange(300) / 30
    latitude = 51.5 + 25 * METRE_DEG * np.floor(seconds * receiver_hz) / receiver_hz
    found = checked(fixes(latitude.tolist(), [0.0] * 300, seconds.tolist()))
    assert flagged(found, Flag.JUMP) == []


def test_a_leap_between_repeated_positions_is_still_a_jump() -> None:
    found = checked(fixes([51.5] * 30 + [51.51] * 30, [0.0] * 60, [i / 30 for i in range(60)]))
    assert flagged(found, Flag.JUMP) == [30]


def test_a_track_without_any_times_has_no_jumps() -> None:
    assert flagged(checked(fixes([51.5, 52.5, 53.5], [0.0] * 3, [0, 0, 0])), Flag.JUMP) == []
    assert flagged(checked(fixes([51.5, 52.5, 53.5], [0.0] * 3, [0, 0, 0], [1, 1, 1])), Flag.JUMP) == [1, 2]


def test_a_clock_that_went_back_or_leapt_is_flagged_and_whole_seconds_are_not() -> None:
    ticking: list[float | None] = [100.0, 100.0, 101.0, 102.0]
    elapsed = [0.0, 0.5, 1.0, 1.5]
    assert flagged(checked(fixes([51.5] * 4, [0.0] * 4, elapsed, ticking)), Flag.CLOCK_STEP) == []
    stepping: list[float | None] = [100.0, None, 101.0, 99.0]
    assert flagged(checked(fixes([51.5] * 4, [0.0] * 4, elapsed, stepping)), Flag.CLOCK_STEP) == [3]
    leaping: list[float | None] = [100.0, 3700.0, 3700.5, 3701.0]
    found = checked(fixes([51.5] * 4, [0.0] * 4, elapsed, leaping))
    assert flagged(found, Flag.CLOCK_STEP) == [1]
    assert "the device's clock went back, or leapt, 1 times" in found.warnings


degrees = st.floats(-200, 200) | st.sampled_from([0.0, 51.5, np.nan, np.inf, 90.0])


@given(
    st.lists(st.tuples(degrees, degrees, st.none() | st.integers(-(2**62), 2**62), st.integers(0, 255)), max_size=30),
    st.sampled_from(Family),
)
def test_checking_twice_is_checking_once_and_no_row_is_lost(
    rows: list[tuple[float, float, int | None, int]], family: Family
) -> None:
    said = Telemetry(
        family=family,
        dialect="",
        device="",
        zone=Zone.LOCAL,
        elapsed_us=np.arange(len(rows)) * 40_000,
        clock_us=np.array([NO_TIME if r[2] is None else r[2] for r in rows], np.int64),
        flags=np.array([r[3] for r in rows], np.uint8),
        columns={Q.LATITUDE: np.array([r[0] for r in rows]), Q.LONGITUDE: np.array([r[1] for r in rows])},
        certainty={},
    )
    once = checked(said)
    twice = checked(once)
    assert len(once) == len(said)
    assert set(FASTEST_MPS) == set(Family)
    assert ((once.flags & said.flags) == said.flags).all()
    assert once.warnings == twice.warnings
    assert (once.flags == twice.flags).all()
    for name in said.columns:
        np.testing.assert_array_equal(once.column(name), twice.column(name))
        kept = once.placed
        np.testing.assert_array_equal(once.column(name)[kept], said.column(name)[kept])

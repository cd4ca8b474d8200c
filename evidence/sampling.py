"""Fixes at other moments than their own: between two of them, never across a gap, and marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from evidence.telemetry import NO_TIME, Flag, Quantity, Telemetry

LONGEST_GAP_S = 3.0
LONGEST_SPARSE_GAP_S = 15.0
"""A source that writes a fix every few seconds has gaps from two and a half of its own intervals on, at most this."""
BEYOND_S = 1.0
"""So long the first and the last fix are held before and after their moment: a cue that is written once a second."""

_TURNING = frozenset(
    {
        Quantity.PLATFORM_YAW,
        Quantity.PLATFORM_ROLL,
        Quantity.CAMERA_YAW,
        Quantity.CAMERA_ROLL,
        Quantity.COURSE,
        Quantity.LONGITUDE,
        Quantity.HOME_LONGITUDE,
        Quantity.CENTRE_LONGITUDE,
        Quantity.CORNER_1_LONGITUDE,
        Quantity.CORNER_2_LONGITUDE,
        Quantity.CORNER_3_LONGITUDE,
        Quantity.CORNER_4_LONGITUDE,
    }
)
_PLACES = frozenset({Quantity.LATITUDE, Quantity.LONGITUDE})


def sampled(telemetry: Telemetry, elapsed_us: npt.NDArray[np.int64]) -> Telemetry:
    """The same source at those moments, in their order: each column on the straight line between its own two neighbours,
    angles the short way round.

    A moment that lies in a gap, or between two places of which the second is flagged as a jump, has no place (`NO_FIX`);
    one that is no fix's own is `INTERPOLATED`. Raises: ValueError when the moments go back.
    """
    at = np.asarray(elapsed_us, np.int64)
    gap_us = longest_gap_us(telemetry)
    placed = telemetry.placed
    jumps = (telemetry.flags & int(Flag.JUMP)) != 0
    columns = {}
    for quantity, column in telemetry.columns.items():
        good = np.isfinite(column) & (placed if quantity in _PLACES else True)
        broken = jumps if quantity in _PLACES else np.zeros(len(column), bool)
        columns[quantity] = _between(telemetry.elapsed_us, column, good, broken, at, gap_us, quantity in _TURNING)
    flags = np.zeros(len(at), np.uint8)
    own = np.isin(at, telemetry.elapsed_us)
    if len(telemetry):
        row = np.clip(np.searchsorted(telemetry.elapsed_us, at), 0, len(telemetry) - 1)
        flags[own] = telemetry.flags[row[own]]
    flags[~own] |= int(Flag.INTERPOLATED)
    nan = np.full(len(at), np.nan)
    lost = ~np.isfinite(columns.get(Quantity.LATITUDE, nan) + columns.get(Quantity.LONGITUDE, nan))
    flags[lost] |= int(Flag.NO_FIX)
    return replace(telemetry, elapsed_us=at, clock_us=_clock(telemetry, at, gap_us), flags=flags, columns=columns)


def longest_gap_us(telemetry: Telemetry) -> int:
    """From which time on nothing is said between two fixes. Units: microseconds."""
    own = telemetry.elapsed_us[telemetry.placed]
    usual = float(np.median(np.diff(own))) / 1e6 if len(own) > 2 else 0.0
    return int(1e6 * min(max(LONGEST_GAP_S, 2.5 * usual), LONGEST_SPARSE_GAP_S))


def _between(
    own_us: npt.NDArray[np.int64],
    column: npt.NDArray[np.float64],
    good: npt.NDArray[np.bool_],
    broken: npt.NDArray[np.bool_],
    at_us: npt.NDArray[np.int64],
    gap_us: int,
    turning: bool,
) -> npt.NDArray[np.float64]:
    result = np.full(len(at_us), np.nan)
    times, values, breaks = own_us[good], column[good], broken[good]
    if not len(times):
        return result
    right = np.clip(np.searchsorted(times, at_us, "left"), 0, len(times) - 1)
    exact = times[right] == at_us
    left = np.where(exact, right, np.maximum(right - 1, 0))
    inside = (times[left] <= at_us) & (at_us <= times[right])
    joined = inside & (exact | ((times[right] - times[left] <= gap_us) & ~breaks[right]))
    span = np.maximum(times[right] - times[left], 1)
    share = (at_us - times[left]) / span
    step = values[right] - values[left]
    if turning:
        step = (step + 180.0) % 360.0 - 180.0
    line = values[left] + share * step
    if turning:
        low = -180.0 if values.min() < 0 else 0.0
        line = np.where(exact, line, (line - low) % 360.0 + low)
    result[joined] = line[joined]
    held = ~inside & (np.minimum(np.abs(at_us - times[0]), np.abs(at_us - times[-1])) <= BEYOND_S * 1e6)
    result[held] = np.where(at_us < times[0], values[0], values[-1])[held]
    return result


def _clock(telemetry: Telemetry, at_us: npt.NDArray[np.int64], gap_us: int) -> npt.NDArray[np.int64]:
    """The device's time at those moments; it runs on with the media's after the fix before."""
    result = np.full(len(at_us), NO_TIME, np.int64)
    known = telemetry.clock_us != NO_TIME
    times, clocks = telemetry.elapsed_us[known], telemetry.clock_us[known]
    if len(times):
        row = np.clip(np.searchsorted(times, at_us, "right") - 1, 0, len(times) - 1)
        since = at_us - times[row]
        near = (since >= -BEYOND_S * 1e6) & (since <= gap_us)
        result[near] = (clocks[row] + since)[near]
    return result

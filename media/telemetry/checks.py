"""What every parser's fixes go through: no place where there is none, and a flag on what can't have been.

Nothing is smoothed and no row is dropped. What is no place (see `Flag.NO_FIX`) loses its latitude and longitude, so that
nobody can draw it by mistake; a jump keeps them. Checking twice is checking once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from pyproj import Geod

from evidence.telemetry import NO_TIME, Family, Flag, Quantity, Telemetry

_WGS84 = Geod(ellps="WGS84")

_NULL_ISLAND_DEG = 1e-3
"""Receivers without a fix write (0, 0), some with noise of a few metres on it. No evidence comes from 110 m around a
point in the Gulf of Guinea."""

_PAIRS = (
    (Quantity.HOME_LATITUDE, Quantity.HOME_LONGITUDE),
    (Quantity.CENTRE_LATITUDE, Quantity.CENTRE_LONGITUDE),
    (Quantity.CORNER_1_LATITUDE, Quantity.CORNER_1_LONGITUDE),
    (Quantity.CORNER_2_LATITUDE, Quantity.CORNER_2_LONGITUDE),
    (Quantity.CORNER_3_LATITUDE, Quantity.CORNER_3_LONGITUDE),
    (Quantity.CORNER_4_LATITUDE, Quantity.CORNER_4_LONGITUDE),
)

_SMALL_DRONE_MPS, _ON_THE_GROUND_MPS, _CARRIED_BY_ANYTHING_MPS, _AIRCRAFT_MPS = 60.0, 70.0, 100.0, 255.0
FASTEST_MPS = {
    Family.DJI_SRT: _SMALL_DRONE_MPS,
    Family.GPMF: _ON_THE_GROUND_MPS,
    Family.QUICKTIME: _ON_THE_GROUND_MPS,
    Family.GPX: _CARRIED_BY_ANYTHING_MPS,
    Family.NMEA: _CARRIED_BY_ANYTHING_MPS,
    Family.CSV: _CARRIED_BY_ANYTHING_MPS,
    Family.KML: _CARRIED_BY_ANYTHING_MPS,
    Family.JSON: _CARRIED_BY_ANYTHING_MPS,
    Family.MISB: _AIRCRAFT_MPS,
}
"""Over the ground, in metres a second, of what carries a device that writes such a file.

Source: small drone: the fastest that DJI sells to the public, its FPV, is specified with 140 km/h (39 m/s) and wind up
    to 49 km/h (14 m/s), 53 m/s together. On the ground: the 250 km/h (69 m/s) to which German makers limit their cars,
    the fastest that police forces drive. A logger of whatever make: also aboard a police aircraft; the EC135's
    never-exceed speed is 155 knots (80 m/s), and wind adds to it. Aircraft: MISB ST 0601 can't express more than
    255 m/s over the ground (tag 56).
"""

_UNSAID_ACCURACY_M = 4.0
"""Source: GPS Standard Positioning Service Performance Standard, 5th edition (2020), 3.8: 8 m horizontally (95 %)."""
_SIGMAS = 3.0
_PHASE_US = 500_000
"""How much older a position can be than the row that carries it: receivers work at 1 to 18 Hz, rows come at frame rate."""

_BACK_US, _LEAP_US = 100_000, 2_000_000
"""A clock of whole seconds may seem to leap by one; some write rows a few milliseconds out of turn."""


def checked(telemetry: Telemetry) -> Telemetry:
    """The same fixes with NO_FIX, JUMP and CLOCK_STEP set where they are due, and a warning for each kind."""
    columns = {name: np.where(np.isfinite(values), values, np.nan) for name, values in telemetry.columns.items()}
    for latitude, longitude in _PAIRS:
        if latitude in columns and longitude in columns:
            nowhere = _nowhere(columns[latitude], columns[longitude])
            columns[latitude][nowhere] = columns[longitude][nowhere] = np.nan
    unplaced = ~telemetry.placed | _nowhere(telemetry.column(Quantity.LATITUDE), telemetry.column(Quantity.LONGITUDE))
    for name in (Quantity.LATITUDE, Quantity.LONGITUDE):
        if name in columns:
            columns[name][unplaced] = np.nan
    flags = telemetry.flags.astype(np.uint8, copy=True)
    flags[unplaced] |= np.uint8(Flag.NO_FIX)
    found = replace(telemetry, columns=columns, flags=flags)
    jumps, steps = _jumps(found), _clock_steps(found)
    flags[jumps] |= np.uint8(Flag.JUMP)
    flags[steps] |= np.uint8(Flag.CLOCK_STEP)
    return replace(found, warnings=_with_new(telemetry.warnings, _said(found, jumps, steps)))


def _nowhere(latitude: npt.NDArray[np.float64], longitude: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """No latitude or longitude, none that exists, or (0, 0). A pole is what an unset field says, too."""
    with np.errstate(invalid="ignore"):
        possible = (np.abs(latitude) < 90) & (np.abs(longitude) <= 180)
        null_island = (np.abs(latitude) < _NULL_ISLAND_DEG) & (np.abs(longitude) < _NULL_ISLAND_DEG)
    return ~possible | null_island


def _jumps(telemetry: Telemetry) -> npt.NDArray[np.int64]:
    """Rows which can't be reached from the place before, as fast as such a device travels and as wrong as both may be.

    Rows come faster than receivers look: a position that is repeated counts from when it came first.
    """
    rows = np.flatnonzero(telemetry.placed)
    latitude, longitude = telemetry.column(Quantity.LATITUDE)[rows], telemetry.column(Quantity.LONGITUDE)[rows]
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (np.diff(latitude) != 0) | (np.diff(longitude) != 0)
    rows, latitude, longitude = rows[fresh], latitude[fresh], longitude[fresh]
    timeless = len(telemetry) > 0 and telemetry.elapsed_us[0] == telemetry.elapsed_us[-1]
    if len(rows) < 2 or (timeless and (telemetry.clock_us == NO_TIME).all()):
        # A track without any times says nothing of how fast it was travelled.
        return np.empty(0, np.int64)
    way_m = _WGS84.inv(longitude[:-1], latitude[:-1], longitude[1:], latitude[1:])[2]
    accuracy = telemetry.column(Quantity.ACCURACY_HORIZONTAL)[rows]
    error_m = np.where(np.isfinite(accuracy) & (accuracy > 0), accuracy, _UNSAID_ACCURACY_M)
    time_s = (np.diff(telemetry.elapsed_us[rows]) + _PHASE_US) / 1e6
    reach_m = FASTEST_MPS[telemetry.family] * time_s + _SIGMAS * np.hypot(error_m[:-1], error_m[1:])
    jumps: npt.NDArray[np.int64] = rows[1:][way_m > reach_m]
    return jumps


def _clock_steps(telemetry: Telemetry) -> npt.NDArray[np.int64]:
    rows = np.flatnonzero(telemetry.clock_us != NO_TIME)
    # In float64 a microsecond is still exact for 285 years, and a clock of any nonsense can't overflow.
    ticked = np.diff(telemetry.clock_us[rows].astype(np.float64))
    passed = np.diff(telemetry.elapsed_us[rows].astype(np.float64))
    return rows[1:][(ticked < -_BACK_US) | (np.abs(ticked - passed) > _LEAP_US)]


def _said(telemetry: Telemetry, jumps: npt.NDArray[np.int64], steps: npt.NDArray[np.int64]) -> list[str]:
    said = []
    without = len(telemetry) - int(telemetry.placed.sum())
    if without:
        said.append(f"{without} of {len(telemetry)} fixes have no place")
    if len(jumps):
        fastest = FASTEST_MPS[telemetry.family]
        said.append(f"{len(jumps)} fixes lie further from the one before than {fastest:.0f} m/s could have come")
    if len(steps):
        said.append(f"the device's clock went back, or leapt, {len(steps)} times")
    return said


def _with_new(before: tuple[str, ...], new: list[str]) -> tuple[str, ...]:
    return before + tuple(words for words in new if words not in before)

"""Where the drone was, from numbers whose order and unit a dialect leaves unsaid: the evidence of the whole file decides.

`GPS(a, b, c)`: Mavic, Phantom, Inspire, Spark and Mini write longitude first and the number of satellites last; Matrice with
an older payload writes latitude first and something with an M last. Which it is follows, in this order, from letters of the
compass, from a number that can't be a latitude, from named coordinates in the same file, from the distance to HOME and the
speed that the file states itself, and only then from the form, which is said to be an assumption.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Column = Callable[[str], Floats]
"""A column by its name in `dji_cue`, all NaN where the file has none."""

RECEIVER_M = 4.0
"""Source: GPS Standard Positioning Service Performance Standard, 5th edition (2020), 3.8: 8 m horizontally (95 %)."""
_DEGREE_M = 111_320.0
_RADIAN_M = _DEGREE_M * 180 / np.pi
_SATELLITES = 60
"""More than any receiver of a drone counts; DJI's state 9 to 40."""
_COARSE_DECIMALS = 4
_BRITISH_ISLES = ((49.0, 61.5), (-11.0, 2.5))


@dataclass(frozen=True, slots=True)
class Place:
    """Shape: each (n,). `notes` go among the warnings; `sure`: not an assumption."""

    latitude: Floats
    longitude: Floats
    home_latitude: Floats
    home_longitude: Floats
    sea_m: Floats
    """The third number of GPS(), where it is a height."""
    satellites: Floats
    accuracy_m: Floats
    """What rounding leaves of a receiver's accuracy, where coordinates are written coarsely; else NaN."""
    sure: bool
    notes: tuple[str, ...]


def place(
    column: Column, decimals: Callable[[str], int], unit: Callable[[str], str], elapsed_us: npt.NDArray[np.int64]
) -> Place:
    """`decimals`, `unit`: the most decimals, and any unit, that a column is written with."""
    notes: list[str] = []
    first, second = column("gps_1"), column("gps_2")
    latitude, longitude, sure = column("latitude").copy(), column("longitude").copy(), True
    home = [column("home_latitude").copy(), column("home_longitude").copy()]
    if np.isfinite(first).any():
        listed = bool(np.isfinite(column("D")).any() or np.isfinite(column("h.s")).any())
        latitude_first, why, sure = _order(
            column, elapsed_us, third_decimals=decimals("gps_3"), unit=unit("gps_3"), listed=listed
        )
        notes.append(f"GPS() is read as {'latitude, longitude' if latitude_first else 'longitude, latitude'}: {why}")
        a, b = (first, second) if latitude_first else (second, first)
        latitude, longitude = _either(latitude, a), _either(longitude, b)
        a, b = (column("home_1"), column("home_2")) if latitude_first else (column("home_2"), column("home_1"))
        home = [_either(home[0], a), _either(home[1], b)]
    sea_m, satellites = _third(column, decimals("gps_3"), notes)
    written = max(decimals("latitude"), decimals("gps_1"), decimals("gps_2"))
    step_m = _DEGREE_M * 10.0**-written
    if written > _COARSE_DECIMALS and _in_radians(latitude, longitude):
        latitude, longitude = np.degrees(latitude), np.degrees(longitude)
        home = [np.degrees(part) if _in_radians(*home) else part for part in home]
        step_m, sure = _RADIAN_M * 10.0**-written, False
        notes.append("all coordinates are so small that they are taken for radians, as some firmware of 2019 writes them")
    accuracy = np.full(len(latitude), np.nan)
    if step_m > 5 and np.isfinite(latitude + longitude).any():
        accuracy = np.where(np.isfinite(latitude), np.hypot(RECEIVER_M, step_m / np.sqrt(12)), np.nan)
        notes.append(f"coordinates are written in steps of {step_m:.0f} m")
    return Place(latitude, longitude, home[0], home[1], sea_m, satellites, accuracy, sure, tuple(notes))


def _either(mine: Floats, other: Floats) -> Floats:
    return np.where(np.isfinite(mine), mine, other)


def _order(
    column: Column, elapsed_us: npt.NDArray[np.int64], *, third_decimals: int, unit: str, listed: bool
) -> tuple[bool, str, bool]:
    """Whether latitude is first, why, and whether that is sure."""
    ones = np.concatenate([column("gps_1"), column("home_1")])
    twos = np.concatenate([column("gps_2"), column("home_2")])
    wide_first, wide_second = (int((np.abs(values) > 90).sum()) for values in (ones, twos))
    if wide_first != wide_second:
        return wide_second > wide_first, "the other number is beyond 90 degrees", True
    for said in (_by_names(column), _by_distance(column), _by_speed(column, elapsed_us)):
        if said is not None:
            return *said, True
    third = column("gps_3")
    most = float(np.nanmax(np.nan_to_num(third), initial=0))
    told = bool(np.isfinite(third).any())
    counted = told and not unit and not third_decimals and 0 < most <= _SATELLITES
    by_form = not listed and not counted
    if _in_the_isles(column) is not None and _in_the_isles(column) is not by_form:
        why = "only so it lies in the British Isles, an assumption against the habit of such forms"
        return not by_form, why, False
    if listed:
        return False, "the form of lists with D and H.S, an assumption that nothing in the file confirms", True
    if not told:
        return True, "the usual order where there is no third number, an assumption that nothing in the file confirms", False
    if not counted:
        form = "has a unit" if unit else "has decimals" if third_decimals else "is no count of satellites"
        return True, f"the form whose third number {form}, an assumption that nothing in the file confirms", bool(unit)
    return False, "the form whose third number is a count, an assumption that nothing in the file confirms", True


def _by_names(column: Column) -> tuple[bool, str] | None:
    """The same file names its coordinates elsewhere."""
    middle = [np.nanmedian(values) if np.isfinite(values := column(n)).any() else np.nan for n in ("latitude", "longitude")]
    gps = [np.nanmedian(column(n)) for n in ("gps_1", "gps_2")]
    if not np.isfinite(middle).all():
        return None
    as_it_is, swapped = np.abs(np.subtract(gps, middle)).max(), np.abs(np.subtract(gps[::-1], middle)).max()
    if min(as_it_is, swapped) < 0.5 < max(as_it_is, swapped):
        return bool(as_it_is < swapped), "so it agrees with the named coordinates"
    return None


def _by_distance(column: Column) -> tuple[bool, str] | None:
    """`D`, the distance to HOME, fits one of the two readings."""
    stated = column("D")
    offsets = column("gps_1") - column("home_1"), column("gps_2") - column("home_2")
    return _fitting(column, offsets, stated, slack_m=20.0, why="so the distance to HOME is the one that is stated")


def _by_speed(column: Column, elapsed_us: npt.NDArray[np.int64]) -> tuple[bool, str] | None:
    """What was flown within ten seconds fits `H.S`, the speed over ground, in one of the two readings."""
    rows = np.flatnonzero(np.isfinite(column("gps_1") + column("h.s")))
    if len(rows) < 3:
        return None
    time_s = elapsed_us[rows] / 1e6
    flown_m = np.concatenate([[0.0], np.cumsum(np.diff(time_s) * (column("h.s")[rows][1:] + column("h.s")[rows][:-1]) / 2)])
    later = np.searchsorted(time_s, time_s + 10.0)
    begins = np.flatnonzero(later < len(rows))
    if not len(begins):
        return None
    ends = later[begins]
    offsets = tuple(column(n)[rows][ends] - column(n)[rows][begins] for n in ("gps_1", "gps_2"))
    stated = flown_m[ends] - flown_m[begins]
    return _fitting(
        column, (offsets[0], offsets[1]), stated, slack_m=30.0, why="so the way flown fits the speed that is stated"
    )


def _fitting(
    column: Column, offsets: tuple[Floats, Floats], stated_m: Floats, *, slack_m: float, why: str
) -> tuple[bool, str] | None:
    usable = np.isfinite(offsets[0] + offsets[1] + stated_m) & (stated_m > 3 * slack_m)
    if not usable.any():
        return None
    errors = []
    for latitude, name in ((0, "gps_1"), (1, "gps_2")):
        north = offsets[latitude][usable] * _DEGREE_M
        east = offsets[1 - latitude][usable] * _DEGREE_M * np.cos(np.radians(np.nanmedian(column(name))))
        errors.append(float(np.median(np.abs(np.hypot(north, east) - stated_m[usable]))))
    allowed = slack_m / 2 + 0.05 * float(np.median(stated_m[usable]))
    if min(errors) > allowed or max(errors) < 2 * min(errors) + slack_m:
        return None
    return errors[0] < errors[1], why


def _in_the_isles(column: Column) -> bool | None:
    """The reading, latitude first or not, that lies in the British Isles when the other one doesn't."""
    gps = [float(np.nanmedian(column(n))) for n in ("gps_1", "gps_2")]
    inside = [
        all(low <= value <= high for value, (low, high) in zip(pair, _BRITISH_ISLES, strict=True))
        for pair in (gps, gps[::-1])
    ]
    return inside[0] if inside[0] != inside[1] else None


def _third(column: Column, decimals: int, notes: list[str]) -> tuple[Floats, Floats]:
    """Height above the sea and satellites: which of the two the third number of GPS() is."""
    third = column("gps_3")
    nothing = np.full(len(third), np.nan)
    given = third[np.isfinite(third)]
    if not len(given):
        return nothing, column("satellites")
    if (given == 0).all():
        notes.append("the third number in GPS() is always 0 and taken as not given")
        return nothing, column("satellites")
    if decimals == 0 and given.min() >= 0 and given.max() <= _SATELLITES:
        notes.append(
            f"the third number in GPS(), {given.min():.0f} to {given.max():.0f}, is taken as a number of satellites,"
            " not as a height"
        )
        return nothing, _either(column("satellites"), third)
    notes.append("the third number in GPS() is taken as a height above the sea, which the file doesn't say")
    return third, column("satellites")


def _in_radians(latitude: Floats, longitude: Floats) -> bool:
    """Whether all fixes lie where, in degrees, is nothing but the sea off Ghana, though not all at (0, 0).

    Source: a Mavic 2 file of 2019 with latitude 0.608553, longitude -1.963763 and an altitude of 1,430 m: Arizona.
    """
    given = np.isfinite(latitude + longitude)
    if not given.any():
        return False
    within = (np.abs(latitude[given]) < np.pi / 2) & (np.abs(longitude[given]) < np.pi)
    return bool(within.all() and max(np.abs(latitude[given]).max(), np.abs(longitude[given]).max()) > 0.02)

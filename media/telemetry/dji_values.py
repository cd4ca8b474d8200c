"""Heights, angles, speeds and the lens from the named numbers of a drone's subtitles, with what each is above or against.

Each function gives columns, the certainty of those that aren't measured, and what is to be said about them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from evidence.telemetry import Certainty, Quantity

Floats = npt.NDArray[np.float64]
Part = tuple[Mapping[Quantity, Floats], Mapping[Quantity, Certainty], list[str]]

_HIGHEST_M, _FASTEST_MPS = 12_000.0, 150.0
_SONAR_M = 10.0
"""Ultrasonic sensors of drones reach no further."""
_STEEP_DEG = 35.0
"""No aircraft hangs in the air so steeply."""
_STRAIGHT_MPS = 0.3
_WIDEST_MM, _LONGEST_MM = 10.0, 2_000.0
"""As of a 35 mm camera. Below stands the lens itself, of whatever sensor: an Avata, the widest, has 12.7 mm."""
_METRES = {"ft": 0.3048, "feet": 0.3048, "cm": 0.01, "km": 1000.0}
_KMH, _KNOTS = 1 / 3.6, 1852 / 3600
_METRES_A_SECOND = {"km/h": _KMH, "kmh": _KMH, "kph": _KMH, "mph": 0.44704, "kn": _KNOTS, "kts": _KNOTS, "knots": _KNOTS}


class Said(Protocol):
    """The columns of a file, with how they are written (`media.telemetry.dji.Told`)."""

    def has(self, *names: str) -> bool: ...
    def column(self, name: str) -> Floats: ...
    def decimals(self, name: str) -> int: ...
    def unit(self, name: str) -> str: ...


def heights(said: Said, gps_m: Floats) -> Part:
    """`gps_m`: the third number of GPS(), where that is a height."""
    notes: list[str] = []
    certainty: dict[Quantity, Certainty] = {}
    takeoff = _metres(said, "rel_alt")
    for name in ("H", "barometer", "hb"):
        takeoff = _either(takeoff, _metres(said, name))
    sea = _metres(said, "abs_alt")
    plain = _metres(said, "altitude")
    if np.isfinite(plain).any() and not np.isfinite(sea).any():
        certainty |= _plain_altitude(plain, said.decimals("altitude"), taken=bool(np.isfinite(takeoff).any()), notes=notes)
        if Quantity.HEIGHT_TAKEOFF in certainty:
            takeoff = plain
        else:
            sea = plain
    if np.isfinite(gps_m).any() and not np.isfinite(sea).any():
        sea = gps_m
        certainty[Quantity.HEIGHT_SEA] = Certainty.ESTIMATED
    if said.has("height") and not np.isfinite(takeoff).any():
        takeoff = _metres(said, "height")
        certainty[Quantity.HEIGHT_TAKEOFF] = Certainty.ESTIMATED
        notes.append("a bare height is taken as above the take-off point, which the file doesn't say")
    sonar, barometer = _metres(said, "hs"), _metres(said, "hb")
    ground = _either(
        _metres(said, "ground"), np.where((sonar != barometer) & (sonar >= 0) & (sonar <= _SONAR_M), sonar, np.nan)
    )
    columns = {
        Quantity.HEIGHT_TAKEOFF: takeoff,
        Quantity.HEIGHT_SEA: sea,
        Quantity.HEIGHT_ELLIPSOID: _metres(said, "ellipsoid"),
        Quantity.HEIGHT_GROUND: ground,
    }
    for name, values in columns.items():
        wild = np.abs(values) > _HIGHEST_M
        if wild.any():
            columns[name] = np.where(wild, np.nan, values)
            notes.append(f"{int(wild.sum())} heights beyond {_HIGHEST_M:,.0f} m are left out")
    return columns, certainty, notes


def _plain_altitude(values: Floats, decimals: int, *, taken: bool, notes: list[str]) -> dict[Quantity, Certainty]:
    """What `altitude` is above: DJI doesn't say, and its aircraft differ.

    Source: those whose six decimals are whole tenths (27.300000: Air 2, Air 2S) wrote 35.4 m on a plateau at 1,800 m; those
        with the traces of a 32-bit number (213.983002: Mavic 2) wrote the height of the land.
    """
    given = values[np.isfinite(values)]
    # As a 32-bit number has them: 612.299988 is 612.3.
    near = np.spacing(np.abs(given).astype(np.float32)).astype(np.float64) + 1e-6
    tenths = bool((np.abs(given - np.round(given, 1)) <= near).all())
    if decimals >= 3 and tenths and not taken and (given != 0).any():
        notes.append("altitude comes in whole tenths and is taken as above the take-off point, which the file doesn't say")
        return {Quantity.HEIGHT_TAKEOFF: Certainty.ESTIMATED}
    notes.append("altitude is taken as above the sea, which the file doesn't say")
    return {Quantity.HEIGHT_SEA: Certainty.ESTIMATED}


_ANGLES = {
    "platform": (Quantity.PLATFORM_YAW, Quantity.PLATFORM_PITCH, Quantity.PLATFORM_ROLL),
    "camera": (Quantity.CAMERA_YAW, Quantity.CAMERA_PITCH, Quantity.CAMERA_ROLL),
}


def attitude(said: Said) -> Part:
    """Angles as written: yaw clockwise from north, pitch up from the horizon, roll clockwise, for aircraft and camera."""
    columns: dict[Quantity, Floats] = {}
    certainty: dict[Quantity, Certainty] = {}
    notes: list[str] = []
    for whose, quantities in _ANGLES.items():
        found = [said.column(f"{whose}_{axis}") for axis in ("yaw", "pitch", "roll")]
        if whose == _whose_bare(said):
            found = [said.column(axis) for axis in ("yaw", "pitch", "roll")]
            certainty |= dict.fromkeys(quantities, Certainty.ESTIMATED)
            owner = "aircraft" if whose == "platform" else whose
            notes.append(f"yaw, pitch and roll without a name are taken as the {owner}'s, which the file doesn't say")
        given = np.isfinite(found)
        if given.sum() > 3 and given.any(axis=1).all() and not np.nan_to_num(found).any():
            notes.append(f"all angles of the {'aircraft' if whose == 'platform' else whose} are 0 and taken as not given")
            continue
        for quantity, values, most in zip(quantities, found, (360, 180, 180), strict=True):
            wild = np.abs(values) > most
            if wild.any():
                notes.append(f"{int(wild.sum())} angles that can't be are left out")
            columns[quantity] = np.where(wild, np.nan, values)
    return columns, certainty, notes


def _whose_bare(said: Said) -> str:
    """Whose angles they are that stand without a name: the aircraft's, unless it would hang too steeply."""
    if not said.has("yaw", "pitch"):
        return ""
    pitch = said.column("pitch")
    steep = bool(np.isfinite(pitch).any() and abs(float(np.nanmedian(pitch))) > _STEEP_DEG)
    whose = "camera" if steep else "platform"
    return "" if said.has(f"{whose}_yaw", f"{whose}_pitch") else whose


def motion(said: Said, elapsed_us: npt.NDArray[np.int64]) -> Part:
    """Speed over ground, climb and course: stated, or from the three components (x north, y east, z down)."""
    columns: dict[Quantity, Floats] = {}
    certainty: dict[Quantity, Certainty] = {}
    notes: list[str] = []
    north, east = _speed(said, "speed_north"), _speed(said, "speed_east")
    if np.isfinite(north + east).any():
        speed = np.hypot(north, east)
        columns[Quantity.SPEED] = speed
        columns[Quantity.COURSE] = np.where(speed >= _STRAIGHT_MPS, np.degrees(np.arctan2(east, north)) % 360, np.nan)
        columns[Quantity.CLIMB] = -_speed(said, "speed_down")
        certainty |= dict.fromkeys((Quantity.SPEED, Quantity.COURSE, Quantity.CLIMB), Certainty.DERIVED)
        notes.append("speed is taken as x north, y east, z down, as DJI documents it elsewhere")
    if said.has("h.s"):
        columns[Quantity.SPEED] = _either(_speed(said, "h.s"), columns.get(Quantity.SPEED, np.full(len(north), np.nan)))
        certainty.pop(Quantity.SPEED, None)
    elif said.has("speed") and Quantity.SPEED not in columns:
        columns[Quantity.SPEED] = _speed(said, "speed")
        if not said.unit("speed"):
            certainty[Quantity.SPEED] = Certainty.ESTIMATED
            notes.append("a speed without a unit is taken as metres a second")
    if said.has("v.s"):
        climb = _speed(said, "v.s")
        sign = _climbing(climb, heights(said, np.full(len(north), np.nan))[0][Quantity.HEIGHT_TAKEOFF], elapsed_us)
        columns[Quantity.CLIMB] = climb * (sign or 1)
        certainty.pop(Quantity.CLIMB, None)
        if sign == -1:
            notes.append("V.S counts downwards here: the heights show it")
        elif sign is None and np.nan_to_num(climb).any():
            certainty[Quantity.CLIMB] = Certainty.ESTIMATED
            notes.append("V.S is taken as upwards, which nothing in the file confirms")
    for name, values in columns.items():
        if name is not Quantity.COURSE:
            columns[name] = np.where(np.abs(values) > _FASTEST_MPS, np.nan, values)
    return columns, certainty, notes


def _climbing(climb: Floats, height: Floats, elapsed_us: npt.NDArray[np.int64]) -> int | None:
    """1 when the height rises where `climb` is positive, -1 when it falls there, None when too little moves to tell."""
    rows = np.flatnonzero(np.isfinite(climb + height))
    if len(rows) < 3:
        return None
    rise = np.diff(height[rows])
    told = (climb[rows][1:] + climb[rows][:-1]) / 2 * np.diff(elapsed_us[rows]) / 1e6
    agree = float((rise * told).sum())
    if np.abs(told).sum() < 3 or abs(agree) < 0.5 * float(np.sqrt((rise**2).sum() * (told**2).sum())):
        return None
    return 1 if agree > 0 else -1


def lens(said: Said) -> Part:
    """The focal length as of a 35 mm camera, with digital zoom: `240` is 24.0 mm, `24.00` is 24 mm, `10000` is no zoom."""
    notes: list[str] = []
    focal = said.column("focal_len")
    if said.decimals("focal_len") == 0:
        focal = np.where(focal >= 100, focal / 10, focal)
    focal = np.where((focal >= _WIDEST_MM) & (focal <= _LONGEST_MM), focal, np.nan)
    zoom = said.column("zoom")
    if said.decimals("zoom") == 0:
        zoom = np.where(zoom >= 1000, zoom / 10_000, np.where(zoom >= 100, zoom / 100, zoom))
    zoom = np.where((zoom >= 0.1) & (zoom <= 200), zoom, 1.0)
    certainty: dict[Quantity, Certainty] = {}
    if np.isfinite(focal).any() and (zoom != 1).any():
        certainty[Quantity.FOCAL_LENGTH_35] = Certainty.DERIVED
        notes.append("the focal length is multiplied by the digital zoom")
    views = {
        quantity: np.where((said.column(name) > 0) & (said.column(name) < 175), said.column(name), np.nan)
        for quantity, name in ((Quantity.HORIZONTAL_VIEW, "hfov"), (Quantity.VERTICAL_VIEW, "vfov"))
    }
    return {Quantity.FOCAL_LENGTH_35: focal * zoom, **views}, certainty, notes


def _metres(said: Said, name: str) -> Floats:
    return said.column(name) * _METRES.get(said.unit(name).lower(), 1.0)


def _speed(said: Said, name: str) -> Floats:
    return said.column(name) * _METRES_A_SECOND.get(said.unit(name).lower(), 1.0)


def _either(mine: Floats, other: Floats) -> Floats:
    return np.where(np.isfinite(mine), mine, other)

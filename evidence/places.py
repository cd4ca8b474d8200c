"""Places that are asked for, and the values of what was found there: which second of which exhibit, and how well seen.

A shape is drawn with straight lines in longitude and latitude, as on the map; it may cross the antimeridian, and ends
short of the poles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np

from evidence import earth
from evidence.errors import BadInput
from evidence.exhibit import ExhibitId
from evidence.telemetry import Certainty

NORTHMOST_DEG = 85.0
"""Nothing is searched nearer to a pole: straight lines in longitude and latitude mean little there."""
FILE_CLOCK = "file"
"""Whose clock a correction corrects, besides the families of telemetry: what the file or its uploader claims."""
_MOST_CORNERS = 500
_WIDEST_M = 100_000.0
_CIRCLE_CORNERS = 64
_HOW = "Give bbox=west,south,east,north, polygon=lon,lat;lon,lat;… or near=lat,lon,metres, in degrees."


class By(StrEnum):
    """What of an exhibit was there: the ground in its picture, or only the device itself."""

    FOOTPRINT = "footprint"
    POSITION = "position"


class How(StrEnum):
    """How it is known that a sidecar belongs to a video."""

    NAMED = "named by the uploader"
    STEM = "same file name"
    FOLDER = "same folder and overlapping time"
    TIME = "overlapping time"
    PERSON = "paired by a person"

    @property
    def by_time(self) -> bool:
        """Whether nothing but time, in the same folder or anywhere, speaks for it."""
        return self in (How.FOLDER, How.TIME)


@dataclass(frozen=True, slots=True)
class Shape:
    """A place that is asked for. Units: degrees, longitude first; longitudes go beyond ±180 where it crosses that line."""

    ring_lonlat: tuple[tuple[float, float], ...]
    words: str
    """As it was asked for, for the custody log."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """From when to when something of an exhibit covered the place that was asked for.

    Units: seconds of media time, the first and the last second in which it did, and the one in which it was seen best.
    """

    exhibit_id: ExhibitId
    from_s: float
    to_s: float
    best_s: float
    by: By
    certainty: Certainty
    quality: float
    """From 0 to 1: how large the place is in the picture, how much of it, and how near to the middle; 0 for a position."""
    utc_from: datetime | None
    """By the device's clock as corrected; None where it tells no time and nobody claims one."""
    utc_to: datetime | None
    utc_error_s: float | None
    claimed_from: str = ""
    """What the clock itself says there, with its zone; empty where there is no time."""
    claimed_to: str = ""


def box(west: float, south: float, east: float, north: float) -> Shape:
    """West of east across the antimeridian where `west` is the larger. Raises: BadInput."""
    words = f"bbox={_text(west, south, east, north)}"
    for lon in (west, east):
        _check(lon, 180.0, words)
    for lat in (south, north):
        _check(lat, NORTHMOST_DEG, words)
    if south > north or west == east:
        raise BadInput(f"{words} is no box", hint=_HOW)
    east = east + 360 if west > east else east
    return Shape(((west, south), (east, south), (east, north), (west, north)), words)


def polygon(corners_lonlat: Sequence[tuple[float, float]]) -> Shape:
    """Each side goes the short way round the earth. Raises: BadInput."""
    words = "polygon=" + ";".join(_text(*corner) for corner in corners_lonlat)
    if not 3 <= len(corners_lonlat) <= _MOST_CORNERS:
        raise BadInput(f"a shape has 3 to {_MOST_CORNERS} corners, this one {len(corners_lonlat)}", hint=_HOW)
    ring: list[tuple[float, float]] = []
    for lon, lat in corners_lonlat:
        _check(lon, 360.0, words[:200])
        _check(lat, NORTHMOST_DEG, words[:200])
        ring.append((lon if not ring else lon + 360 * round((ring[-1][0] - lon) / 360), lat))
    if abs(ring[-1][0] - ring[0][0]) > 180:
        raise BadInput("a shape may not go around a pole", hint=_HOW)
    return Shape(tuple(ring), words)


def circle(lat: float, lon: float, radius_m: float) -> Shape:
    """All within that distance, and a thousandth of it more. Raises: BadInput."""
    words = f"near={_text(lat, lon, radius_m)}"
    _check(lon, 180.0, words)
    _check(lat, NORTHMOST_DEG, words)
    if not 0 < radius_m <= _WIDEST_M:
        raise BadInput(f"{words}: the distance must be above 0 and at most {_WIDEST_M:,.0f} m", hint=_HOW)
    turn = np.linspace(0, 2 * np.pi, _CIRCLE_CORNERS, endpoint=False)
    # The polygon goes around the circle: the middle of its sides touches it.
    away = radius_m / math.cos(math.pi / _CIRCLE_CORNERS)
    middle = np.broadcast_to(np.array([lat, lon]), (_CIRCLE_CORNERS, 2))
    around = earth.moved(middle, away * np.stack([np.sin(turn), np.cos(turn)], -1))
    lons = lon + (around[:, 1] - lon + 180) % 360 - 180
    return Shape(tuple(zip(lons.tolist(), around[:, 0].tolist(), strict=True)), words)


def asked(bbox: str = "", corners: str = "", near: str = "") -> Shape | None:
    """The shape as an address names it, or none. Raises: BadInput for one that is none, and for two at once."""
    given = [text for text in (bbox, corners, near) if text]
    if not given:
        return None
    if len(given) > 1:
        raise BadInput("bbox, polygon and near can't go together", hint=_HOW)
    if bbox:
        return box(*_numbers(bbox, 4))
    if near:
        return circle(*_numbers(near, 3))
    points = [_numbers(pair, 2) for pair in corners.strip(";").split(";")]
    return polygon([(lon, lat) for lon, lat in points])


def _numbers(text: str, count: int) -> list[float]:
    pieces = text.split(",")
    try:
        numbers = [float(piece) for piece in pieces]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(math.isfinite(n) for n in numbers):
        raise BadInput(f"{text[:80]!r} are not {count} numbers", hint=_HOW)
    return numbers


def _text(*numbers: float) -> str:
    return ",".join(f"{number:.7f}".rstrip("0").rstrip(".") for number in numbers)


def _check(degrees: float, most: float, words: str) -> None:
    if not (math.isfinite(degrees) and abs(degrees) <= most):
        raise BadInput(f"{words}: {degrees:g} lies beyond {most:g} degrees", hint=_HOW)

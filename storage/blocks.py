"""What search tests exactly: of one source and one minute, each second's position and footprint, as the database holds it.

One record a second, little-endian, 72 bytes; `np.frombuffer(row, SECOND)` reads it. Places in units of 1e-7 degrees (a
centimetre), `NOWHERE` where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from evidence.places import NORTHMOST_DEG
from storage import cells

SECOND = np.dtype(
    [
        ("at_us", "<i8"),
        ("clock_us", "<i8"),
        ("camera", "<i4", (2,)),
        ("centre", "<i4", (2,)),
        ("corners", "<i4", (4, 2)),
        ("error_m", "<f4"),
        ("placed_by", "u1"),
        ("seen_by", "u1"),
        ("why", "<u2"),
    ]
)
"""`placed_by`, `seen_by`: the certainty of the position and of the footprint, as numbers of
`evidence.telemetry.CERTAINTIES`, 0 for none;
`why`: a number among the source's reasons; places latitude first."""

NOWHERE = np.iinfo(np.int32).min
PER_DEG = 1e7
_MOST_DEG = 200.0
BLOCK_US = 60_000_000
_TOGETHER = 10
"""Seconds whose cells are looked up at once."""
WIDEST_DEG = 2.0
"""A footprint wider or higher than that is none that a camera near the ground can have: it is kept, and not searched."""


@dataclass(frozen=True, slots=True)
class Block:
    """A minute of one source. `cells`: of the index, see `storage.cells`."""

    minute: int
    seconds: bytes
    cells: frozenset[int]


def to_units(degrees: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Degrees as they lie in a block; what is no place on earth is none."""
    known = np.abs(degrees) <= _MOST_DEG
    return np.where(known, np.round(np.where(known, degrees, 0) * PER_DEG), NOWHERE).astype(np.int32)


def to_degrees(units: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    return np.where(units == NOWHERE, np.nan, units / PER_DEG)


def blocks_of(seconds: npt.NDArray[np.void]) -> Iterator[Block]:
    """The records of one source, sorted by time, minute by minute; those without a place are kept as well."""
    minutes = seconds["at_us"] // BLOCK_US
    for minute in np.unique(minutes).tolist():
        own = seconds[minutes == minute]
        yield Block(minute, own.astype(SECOND).tobytes(), frozenset(_cells(own)))


def read_block(data: bytes) -> npt.NDArray[np.void]:
    return np.frombuffer(data, SECOND)


def positions(seconds: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The rows that can be found by where the device was, and their places. Shape: (k,) and (k, 2) latitude, longitude."""
    camera = to_degrees(seconds["camera"])
    good = (np.abs(camera[:, 0]) <= NORTHMOST_DEG) & (np.abs(camera[:, 1]) <= 360) & (seconds["placed_by"] > 0)
    return np.flatnonzero(good), camera[good]


def corners_of(
    seconds: npt.NDArray[np.void], within: tuple[float, float, float, float] | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The rows that can be found by what the camera saw, and the corners of that ground: longitude first, going on from the
    first one beyond ±180 where it crosses.

    Shape: (k,) and (k, 4, 2). `within`: west, south, east, north; ground that can't touch it on any turn of the earth is
    left out.
    """
    units = seconds["corners"]
    known = seconds["seen_by"] > 0
    for corner in range(4):  # column by column: far faster than along short axes
        known &= (units[:, corner, 0] != NOWHERE) & (units[:, corner, 1] != NOWHERE)
    rows = np.flatnonzero(known)
    corners = (units[rows] / PER_DEG)[..., ::-1]
    _unwrap(corners)
    low, high = _low_high(corners)
    good = (np.abs(high - low) <= WIDEST_DEG).all(1) & (low[:, 1] >= -NORTHMOST_DEG) & (high[:, 1] <= NORTHMOST_DEG)
    if within is not None:
        good &= touches_on_a_turn(low, high, within)
    return rows[good], corners[good]


def ground(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
    """The ground between corners, as shapely has it. Shape: (k, 4, 2) to (k,).

    Four corners of flat ground that a camera sees are convex; what a file says otherwise is taken with its hull.
    """
    found: npt.NDArray[np.object_] = (
        shapely.convex_hull(shapely.linearrings(corners)) if len(corners) else np.empty(0, object)
    )
    return found


def _low_high(corners: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Around each piece of ground. Shape: (k, 4, 2) to (k, 2) twice."""
    one, two, three, four = (corners[:, corner] for corner in range(4))
    low = np.minimum(np.minimum(one, two), np.minimum(three, four))
    return low, np.maximum(np.maximum(one, two), np.maximum(three, four))


def touches(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], within: tuple[float, float, float, float]
) -> npt.NDArray[np.bool_]:
    """Which boxes, longitude first, have a point in common with that one: west, south, east, north."""
    west, south, east, north = within
    return np.asarray((low[:, 0] <= east) & (high[:, 0] >= west) & (low[:, 1] <= north) & (high[:, 1] >= south))


def touches_on_a_turn(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], within: tuple[float, float, float, float]
) -> npt.NDArray[np.bool_]:
    """`touches`, on any turn of the earth."""
    west, south, east, north = within
    turns = [touches(low, high, (west + turn, south, east + turn, north)) for turn in (-360.0, 0.0, 360.0)]
    return np.asarray(np.logical_or.reduce(turns))


def _unwrap(lonlat: npt.NDArray[np.float64]) -> None:
    """Longitudes of each row go on from its first, the short way round. Shape: (n, k, 2)."""
    lons = lonlat[..., 0]
    lons -= 360 * np.round((lons - lons[:, :1]) / 360)


def _cells(seconds: npt.NDArray[np.void]) -> set[int]:
    found = cells.of_points(positions(seconds)[1])
    rows, corners = corners_of(seconds)
    # What is seen in a few seconds overlaps mostly: its hull touches the cells of all of it, and few more.
    for some in np.split(corners, np.flatnonzero(np.diff(rows // _TOGETHER)) + 1) if len(rows) else []:
        around = some.reshape(1, -1, 2).copy()
        _unwrap(around)
        found |= cells.of_ground(shapely.convex_hull(shapely.multipoints(around[0])))
    return found

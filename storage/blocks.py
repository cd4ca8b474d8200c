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
from shapely.geometry.base import BaseGeometry

from evidence.places import NORTHMOST_DEG
from evidence.telemetry import Certainty
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
"""`placed_by`, `seen_by`: the certainty of the position and of the footprint, as numbers of `CERTAINTIES`, 0 for none;
`why`: a number among the source's reasons; places latitude first."""

NOWHERE = np.iinfo(np.int32).min
CERTAINTIES = (None, Certainty.MEASURED, Certainty.DERIVED, Certainty.ESTIMATED)
PER_DEG = 1e7
BLOCK_US = 60_000_000
WIDEST_DEG = 2.0
"""A footprint wider or higher than that is none that a camera near the ground can have: it is kept, and not searched."""


@dataclass(frozen=True, slots=True)
class Block:
    """A minute of one source. `cells`: of the index, see `storage.cells`."""

    minute: int
    seconds: bytes
    cells: frozenset[int]


def to_units(degrees: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Degrees as they lie in a block."""
    known = np.isfinite(degrees)
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


def grounds(seconds: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
    """The rows that can be found by what the camera saw, and that ground: longitude first, beyond ±180 where it crosses.

    Four corners of flat ground that a camera sees are convex; what a file says otherwise is taken with its hull.
    """
    corners = to_degrees(seconds["corners"])[..., ::-1].copy()
    lons = corners[..., 0]
    lons[:] = lons[:, :1] + (lons - lons[:, :1] + 180) % 360 - 180
    spread = np.ptp(corners, axis=1)
    good = np.isfinite(corners).all((1, 2)) & (spread <= WIDEST_DEG).all(1) & (seconds["seen_by"] > 0)
    good &= (np.abs(corners[..., 1]) <= NORTHMOST_DEG).all(1) & (np.abs(lons[:, 0]) <= 360)
    rows = np.flatnonzero(good)
    return rows, shapely.convex_hull(shapely.multipoints(corners[good])) if len(rows) else np.empty(0, object)


def _cells(seconds: npt.NDArray[np.void]) -> set[int]:
    found = cells.of_points(positions(seconds)[1])
    for ground in _united(grounds(seconds)[1]):
        found |= cells.of_ground(ground)
    return found


def _united(pieces: npt.NDArray[np.object_]) -> list[BaseGeometry]:
    """What is seen in a minute overlaps mostly: few pieces, each of which touches its cells once."""
    if not len(pieces):
        return []
    # A footprint may lie on either side of the antimeridian: pieces that far apart don't unite, and need not.
    return list(shapely.get_parts(shapely.unary_union(shapely.buffer(pieces, 1e-9))))

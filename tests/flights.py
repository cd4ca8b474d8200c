"""Generated flights whose truth is known: fixes as a drone would write them, and where its camera looked in truth.

The way from a point of the picture to the ground is another one than in `evidence`: rotation matrices in north, east, down,
pyproj's earth-centred coordinates, and the ground found by halving where pyproj's height changes its sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pyproj import Transformer

from evidence.telemetry import NO_TIME, Family, Quantity, Telemetry, Zone

Floats = npt.NDArray[np.float64]
Q = Quantity

_TO_ECEF = Transformer.from_crs("EPSG:4979", "EPSG:4978")
_FROM_ECEF = Transformer.from_crs("EPSG:4978", "EPSG:4979")


def flight(n: int = 1, *, family: Family = Family.DJI_SRT, every_us: int = 1_000_000, **given: Any) -> Telemetry:
    """Fixes with these columns (by the names of `Quantity`, scalars or arrays); nothing else is known of them."""
    fixed: dict[str, Any] = {"flags": np.zeros(n, np.uint8), "certainty": {}, "frame_synchronous": False, "zone": Zone.LOCAL}
    fixed |= {"elapsed_us": np.arange(n, dtype=np.int64) * every_us, "clock_us": np.full(n, NO_TIME, np.int64)}
    fixed |= {name: given.pop(name) for name in list(given) if name in fixed}
    columns = {Q[name.upper()]: np.broadcast_to(np.asarray(value, float), (n,)).copy() for name, value in given.items()}
    return Telemetry(family=family, dialect="generated", device="", columns=columns, **fixed)


def ray_ned(yaw: float, pitch: float, roll: float, across: float, down: float) -> Floats:
    """North, east, down of the ray through a point of the picture, whose coordinates are tangents right and down."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_down = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
    about_right = np.array([[np.cos(p), 0, np.sin(p)], [0, 1, 0], [-np.sin(p), 0, np.cos(p)]])
    about_ahead = np.array([[1, 0, 0], [0, np.cos(r), -np.sin(r)], [0, np.sin(r), np.cos(r)]])
    ray = about_down @ about_right @ about_ahead @ np.array([1.0, across, down])
    return np.asarray(ray / np.linalg.norm(ray))


def _local(lat: float, lon: float, height: float) -> Transformer:
    return Transformer.from_pipeline(f"+proj=topocentric +ellps=WGS84 +lat_0={lat} +lon_0={lon} +h_0={height}")


def landing(lat: float, lon: float, height: float, ned: Floats) -> tuple[float, float] | None:
    """Where a ray from that place meets the ellipsoid, or None."""
    local = _local(lat, lon, height)

    def place(t: float) -> tuple[float, float, float]:
        north, east, down = t * ned
        x, y, z = local.transform(east, north, -down, direction="INVERSE")
        found = _FROM_ECEF.transform(x, y, z)
        return float(found[0]), float(found[1]), float(found[2])

    # A ray that dips lies deepest where it has come as far as the earth's radius times its dip; near the earth's middle
    # pyproj's heights mean nothing.
    near, far = 0.0, min(6.4e6 * float(ned[2]), 5e6)
    if far <= 0 or place(far)[2] > 0:
        return None
    for _ in range(80):
        middle = (near + far) / 2
        near, far = (near, middle) if place(middle)[2] < 0 else (middle, far)
    return place(far)[:2]


def picture_point(
    camera: tuple[float, float, float], angles: tuple[float, float, float], ground: tuple[float, float]
) -> tuple[float, float] | None:
    """The tangents right and down at which a place on the ground is seen; None when it is behind the camera."""
    x, y, z = _TO_ECEF.transform(ground[0], ground[1], 0.0)
    east, north, up = _local(*camera).transform(x, y, z)
    towards = np.array([north, east, -up])
    ahead, right, down = (ray_ned(*angles, *axis) for axis in ((0.0, 0.0), (1e12, 0.0), (0.0, 1e12)))
    depth = float(ahead @ towards)
    return None if depth <= 0 else (float(right @ towards) / depth, float(down @ towards) / depth)

"""The earth as the WGS84 ellipsoid: east and north of a place, where a ray meets the ground, distance and area.

The ground is the ellipsoid itself and a camera stands at its height above that ground; hills are left out. That the real
ground lies some hundred metres above the ellipsoid moves a place by a ten-thousandth of its distance from the camera.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
"""Source: NGA.STND.0036, Department of Defense World Geodetic System 1984: its defining parameters."""
ECCENTRICITY_2 = FLATTENING * (2 - FLATTENING)
SEMI_MINOR_M = SEMI_MAJOR_M * (1 - FLATTENING)


def ecef(latlon_deg: Floats, height_m: Floats | float) -> Floats:
    """Earth-centred coordinates of a place. Shape: (…, 2) and (…) to (…, 3). Units: metres.

    Source: EPSG Guidance Note 7-2, geographic/geocentric conversions (method 9602).
    """
    lat, lon = np.radians(latlon_deg[..., 0]), np.radians(latlon_deg[..., 1])
    normal = SEMI_MAJOR_M / np.sqrt(1 - ECCENTRICITY_2 * np.sin(lat) ** 2)
    across = (normal + height_m) * np.cos(lat)
    along = (normal * (1 - ECCENTRICITY_2) + height_m) * np.sin(lat)
    return np.stack([across * np.cos(lon), across * np.sin(lon), along], axis=-1)


def axes(latlon_deg: Floats) -> Floats:
    """East, north and up at a place, as rows in earth-centred coordinates. Shape: (…, 2) to (…, 3, 3).

    Source: EPSG Guidance Note 7-2, geocentric/topocentric conversions (method 9836).
    """
    lat, lon = np.radians(latlon_deg[..., 0]), np.radians(latlon_deg[..., 1])
    sin_lat, cos_lat, sin_lon, cos_lon = np.sin(lat), np.cos(lat), np.sin(lon), np.cos(lon)
    none = np.zeros_like(lat)
    rows = [
        np.stack([-sin_lon, cos_lon, none], axis=-1),
        np.stack([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat], axis=-1),
        np.stack([cos_lat * cos_lon, cos_lat * sin_lon, sin_lat], axis=-1),
    ]
    return np.stack(rows, axis=-2)


def ground(latlon_deg: Floats, height_m: Floats, ray_enu: Floats) -> Floats:
    """Where a ray from a camera first meets the ground. NaN where it doesn't. Shape: (…, 2), (…), (…, 3) to (…, 2).

    Source: the root of |o + t d| = 1 in coordinates in which the ellipsoid is the unit sphere, in the form that doesn't
    cancel (Press et al., Numerical Recipes, 5.6); the latitude of a point on the ellipsoid is atan(z / ((1 - e²) p)).
    """
    return _met(ecef(latlon_deg, height_m), np.einsum("...i,...ij->...j", ray_enu, axes(latlon_deg)))


def offset_m(origin_deg: Floats, latlon_deg: Floats) -> Floats:
    """East and north of a place seen from another, on the origin's tangent plane. Shape: (…, 2) twice to (…, 2).

    Some kilometres around the origin a distance on the plane is that on the ellipsoid to a few parts in a million.
    """
    away = ecef(latlon_deg, 0.0) - ecef(origin_deg, 0.0)
    return np.asarray(np.einsum("...ij,...j->...i", axes(origin_deg), away)[..., :2])


def moved(origin_deg: Floats, east_north_m: Floats) -> Floats:
    """The place that lies so far east and north: `offset_m` undone. Shape: (…, 2) twice to (…, 2)."""
    down = np.broadcast_to(np.array([0.0, 0.0, -1.0]), (*east_north_m.shape[:-1], 3))
    plane = np.concatenate([east_north_m, np.zeros((*east_north_m.shape[:-1], 1))], axis=-1)
    frame = axes(origin_deg)
    place = ecef(origin_deg, 0.0) + np.einsum("...i,...ij->...j", plane, frame)
    return _met(place, np.einsum("...i,...ij->...j", down, frame))


def _met(place: Floats, ray: Floats) -> Floats:
    scale = np.array([1 / SEMI_MAJOR_M, 1 / SEMI_MAJOR_M, 1 / SEMI_MINOR_M])
    o, d = place * scale, ray * scale
    a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(b * b - a * c)
        t = np.where(b < 0, c / (root - b), np.nan)
        met = place + t[..., None] * ray
        lat = np.arctan2(met[..., 2], (1 - ECCENTRICITY_2) * np.hypot(met[..., 0], met[..., 1]))
        lon = np.arctan2(met[..., 1], met[..., 0])
    return np.asarray(np.degrees(np.stack([lat, lon], axis=-1)))


def distance_m(one_deg: Floats, other_deg: Floats) -> Floats:
    """Distance of places on the plane midway between them. Shape: (…, 2) twice to (…). Short of 10 km right to 1 in 10⁵."""
    return np.asarray(np.linalg.norm(ecef(one_deg, 0.0) - ecef(other_deg, 0.0), axis=-1))


def middle(corners_deg: Floats) -> Floats:
    """The place in the middle of some corners. Shape: (…, k, 2) to (…, 2)."""
    first = corners_deg[..., 0, :]
    away = offset_m(np.broadcast_to(first[..., None, :], corners_deg.shape), corners_deg)
    return moved(first, away.mean(-2))


def area_m2(corners_deg: Floats) -> Floats:
    """Area of a polygon on the tangent plane of its middle, by the shoelace formula. Shape: (…, k, 2) to (…)."""
    middle = corners_deg[..., :1, :]
    plane = offset_m(np.broadcast_to(middle, corners_deg.shape), corners_deg)
    x, y = plane[..., 0], plane[..., 1]
    return np.asarray(np.abs((x * np.roll(y, -1, -1) - y * np.roll(x, -1, -1)).sum(-1)) / 2)

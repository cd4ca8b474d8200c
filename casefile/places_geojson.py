"""Places as GeoJSON (RFC 7946): paths, fixes, the ground in the picture, and what was seen.

Positions are longitude, latitude in WGS84, with a third number only where the height above the ellipsoid is known, as the
standard means it; all other heights are properties that say what they are above. Lines end at gaps, jumps and the date line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from casefile.places import (
    MISB_LABELS,
    Ground,
    Places,
    Seen,
    Source,
    certainty_of,
    flag_words,
    lines,
    not_measured,
    plain_clock,
    spaced,
    utc,
    with_ground,
)
from evidence.telemetry import NO_TIME, Quantity

_DIGITS = 7
"""A centimetre."""
Json = dict[str, Any]


def geojson(places: Places, every_us: int = 0) -> str:
    """One FeatureCollection; fixes and footprints at least `every_us` apart."""
    features: list[Json] = []
    for source in places.sources:
        features += _path(source)
        features += _fixes(source, every_us)
    for ground in places.grounds:
        features += _footprints(ground, every_us)
    features += [_seen(seen) for seen in places.seen]
    whole: Json = {"type": "FeatureCollection", "features": features}
    box = _box(features)
    if box:
        whole["bbox"] = box
    whole["labels"] = {quantity.value: label for quantity, label in MISB_LABELS.items()}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False) + "\n"


def _path(source: Source) -> Iterator[Json]:
    telemetry = source.telemetry
    rows = np.arange(len(telemetry))
    parts = [_positions(source, part) for part in lines(telemetry, rows) if len(part) > 1]
    if parts:
        about = {"kind": "path", **_about(source), "warnings": list(telemetry.warnings)}
        yield _feature({"type": "MultiLineString", "coordinates": parts}, about)


def _fixes(source: Source, every_us: int) -> Iterator[Json]:
    telemetry = source.telemetry
    for row in spaced(telemetry.elapsed_us, every_us):
        placed = bool(telemetry.placed[row])
        geometry = {"type": "Point", "coordinates": _positions(source, np.array([row]))[0]} if placed else None
        clock = int(telemetry.clock_us[row])
        about: Json = {
            "kind": "fix",
            "exhibit": source.name,
            "source": telemetry.family.value,
            "at_s": int(telemetry.elapsed_us[row]) / 1e6,
            "utc": utc(int(source.utc_us[row])),
            "claimed": None if clock == NO_TIME else plain_clock(clock),
            "certainty": certainty_of(telemetry, int(row)).value if placed else None,
            "flags": flag_words(int(telemetry.flags[row])),
        }
        for quantity, values in telemetry.columns.items():
            if quantity not in {Quantity.LATITUDE, Quantity.LONGITUDE} and math.isfinite(values[row]):
                about[quantity.value] = round(float(values[row]), _DIGITS)
        yield _feature(geometry, about)


def _footprints(ground: Ground, every_us: int) -> Iterator[Json]:
    prints = ground.footprints
    for row in with_ground(prints, every_us):
        about = {
            "kind": "footprint",
            "exhibit": ground.name,
            "at_s": int(prints.elapsed_us[row]) / 1e6,
            "error_m": _number(prints.error_m[row]),
            "certainty": prints.certainty[row],
            "why": prints.why[row],
        }
        corners = [(float(longitude), float(latitude)) for latitude, longitude in prints.corners_deg[row]]
        if np.isfinite(corners).all():
            yield _feature({"type": "Polygon", "coordinates": [_ring(corners)]}, about)
        elif np.isfinite(prints.centre_deg[row]).all():
            latitude, longitude = prints.centre_deg[row]
            yield _feature({"type": "Point", "coordinates": [_degrees(longitude), _degrees(latitude)]}, about)


def _seen(seen: Seen) -> Json:
    major, minor, azimuth = seen.ellipse_m
    return _feature(
        {"type": "Point", "coordinates": [_degrees(seen.longitude_deg), _degrees(seen.latitude_deg)]},
        {
            "kind": "located",
            "exhibit": seen.name,
            "track": seen.track,
            "label": seen.label,
            "at_s": seen.elapsed_us / 1e6,
            "ellipse_major_m": _number(major),
            "ellipse_minor_m": _number(minor),
            "ellipse_azimuth_deg": _number(azimuth),
            "certainty": seen.certainty.value,
            **(asdict(seen.moved) if seen.moved else {}),
        },
    )


def _about(source: Source) -> Json:
    telemetry = source.telemetry
    return {
        "exhibit": source.name,
        "source": telemetry.family.value,
        "dialect": telemetry.dialect,
        "device": telemetry.device,
        "clock": telemetry.clock_words,
        "not_measured": not_measured(telemetry),
        "utc_error_s": source.utc_error_s,
        "utc_by": source.utc_by or None,
    }


def _positions(source: Source, rows: Any) -> list[list[float]]:
    telemetry = source.telemetry
    columns = [telemetry.column(Quantity.LONGITUDE)[rows], telemetry.column(Quantity.LATITUDE)[rows]]
    height = telemetry.column(Quantity.HEIGHT_ELLIPSOID)[rows]
    if np.isfinite(height).all():
        columns.append(height)
    return [[round(float(value), _DIGITS) for value in position] for position in zip(*columns, strict=True)]


def _ring(corners: list[tuple[float, float]]) -> list[list[float]]:
    """Closed, and against the clock as RFC 7946, 3.1.6 asks of an outer ring."""
    closed = [*corners, corners[0]]
    area = sum((b[0] - a[0]) * (b[1] + a[1]) for a, b in pairwise(closed))
    ring = closed[::-1] if area > 0 else closed
    return [[_degrees(longitude), _degrees(latitude)] for longitude, latitude in ring]


def _degrees(value: float) -> float:
    return round(float(value), _DIGITS)


def _number(value: float) -> float | None:
    return round(float(value), 2) if math.isfinite(value) else None


def _feature(geometry: Json | None, properties: Json) -> Json:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _box(features: list[Json]) -> list[float]:
    """West, south, east, north of all geometries; where that spans the date line, west is greater than east."""
    found = np.array([position[:2] for feature in features for position in _flat(feature["geometry"])])
    if not len(found):
        return []
    (west, south), (east, north) = found.min(0), found.max(0)
    if east - west > 180:
        west, east = found[:, 0][found[:, 0] >= 0].min(), found[:, 0][found[:, 0] < 0].max()
    return [float(west), float(south), float(east), float(north)]


def _flat(geometry: Json | None) -> Iterator[list[float]]:
    if geometry is None:
        return
    levels = {"Point": 0, "LineString": 1, "MultiLineString": 2, "Polygon": 2}[geometry["type"]]
    found = [geometry["coordinates"]]
    for _ in range(levels):
        found = [inner for outer in found for inner in outer]
    yield from found

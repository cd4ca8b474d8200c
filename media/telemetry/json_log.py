"""JSON that says where and when: GeoJSON, and records with any names, read as the table that they are.

Source: RFC 7946 (GeoJSON: longitude first, heights above the ellipsoid); times of a line's points under `coordTimes`, as
    converters from GPX write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from evidence.errors import CorruptMedia, TooLarge, UnsupportedMedia
from evidence.telemetry import Family, Telemetry
from media.telemetry import csv_log
from media.telemetry.srt import decoded

MAX_BYTES = 64 * 1024 * 1024
_MAX_NAMES = 500
_MAX_DEPTH = 4
_POINT = ("longitude", "latitude", "ellipsoid height (m)")
_LINE_TIMES = ("coordTimes", "times", "timestamps")


def read_bytes(data: bytes, name: str = "the file") -> Telemetry:
    """Raises: TooLarge, CorruptMedia, UnsupportedMedia."""
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{name} is larger than the {MAX_BYTES:,} bytes of JSON that are read here")
    try:
        content = json.loads(decoded(data))
    except (ValueError, RecursionError) as exc:
        raise CorruptMedia(f"{name} is no JSON that can be read") from exc
    shape = isinstance(content, dict) and content.get("type")
    geographic = shape in ("FeatureCollection", "Feature", "LineString", "MultiLineString")
    records = list(_features(content) if geographic else _records(content))
    if not records:
        raise UnsupportedMedia(f"{name} is JSON, but holds no list of places")
    names = list(islice(dict.fromkeys(key for record in records for key in record), _MAX_NAMES))
    rows = ([record.get(key, "") for key in names] for record in records)
    return csv_log.of_rows(names, rows, name, Family.JSON, "GeoJSON" if geographic else "JSON records")


def _features(content: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Each point, with what its feature says."""
    listed = content.get("features") if content.get("type") == "FeatureCollection" else [content]
    for feature in listed if isinstance(listed, list) else []:
        if not isinstance(feature, dict):
            continue
        geometry = feature.get("geometry") if feature.get("type") == "Feature" else feature
        about = feature.get("properties")
        about = about if isinstance(about, dict) else {}
        if not isinstance(geometry, dict):
            continue
        places, kind = geometry.get("coordinates"), geometry.get("type")
        if kind == "Point":
            yield {**_flat(about), **_place(places)}
        elif kind == "LineString":
            yield from _line(places, _times(about))
        elif kind == "MultiLineString" and isinstance(places, list):
            times = _times(about)
            for number, line in enumerate(places):
                its_own = times[number] if number < len(times) and isinstance(times[number], list) else []
                yield from _line(line, its_own)


def _line(places: object, times: list[Any]) -> Iterator[dict[str, str]]:
    for number, place in enumerate(places if isinstance(places, list) else []):
        when = _text(times[number]) if number < len(times) else ""
        yield {**_place(place), "time": when} if times else _place(place)


def _times(about: dict[str, Any]) -> list[Any]:
    inner = about.get("coordinateProperties")
    for source in (about, inner if isinstance(inner, dict) else {}):
        for key in _LINE_TIMES:
            if isinstance(source.get(key), list):
                return list(source[key])
    return []


def _place(numbers: object) -> dict[str, str]:
    found = numbers if isinstance(numbers, list) else []
    return {key: _text(number) for key, number in zip(_POINT, found, strict=False)}


def _records(content: object, depth: int = 0) -> Iterator[dict[str, str]]:
    """The longest list of objects, at the top or a little below."""
    best = _longest(content, depth)
    yield from (_flat(record) for record in best if isinstance(record, dict))


def _longest(content: object, depth: int) -> list[Any]:
    if isinstance(content, list):
        return content if any(isinstance(record, dict) for record in content) else []
    if isinstance(content, dict) and depth < _MAX_DEPTH:
        return max((_longest(value, depth + 1) for value in content.values()), key=len, default=[])
    return []


def _flat(record: dict[str, Any], before: str = "", depth: int = 0) -> dict[str, str]:
    """`{"position": {"lat": 1}}` is `position lat`."""
    found: dict[str, str] = {}
    for key, value in list(record.items())[:_MAX_NAMES]:
        name = f"{before} {key}".strip()[:200]
        if isinstance(value, dict):
            found |= _flat(value, name, depth + 1) if depth < _MAX_DEPTH else {}
        elif not isinstance(value, list):
            found[name] = _text(value)
    return found


def _text(value: object) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    try:
        return str(value)
    except ValueError:
        # A whole number of thousands of digits.
        return ""

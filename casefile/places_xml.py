"""Places as GPX 1.1 and KML 2.2, for the programs in which people look at tracks.

GPX has one height, `ele`, in metres that programs take as above the sea: it is given only where that is known. Its `time` is
UTC: it is given only where that is known. Everything else stands in extensions of ours.
Source: GPX 1.1 Schema Documentation (topografix.com/GPX/1/1), element order of `wptType`; OGC 12-007r2 (KML 2.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from pyproj import Geod

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
from evidence.telemetry import NO_TIME, Quantity, Telemetry

_NAMESPACE = "urn:exhibit:telemetry:1"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_WGS84 = Geod(ellps="WGS84")
_ELLIPSE_POINTS = 36
_FORBIDDEN = [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)]
_NOT_XML = str.maketrans(dict.fromkeys(_FORBIDDEN, "\N{REPLACEMENT CHARACTER}"))
"""Source: XML 1.0, production 2 (Char)."""


def gpx(places: Places, every_us: int = 0) -> str:
    """A track for each source with a segment for each stretch without a gap, and a waypoint for each thing seen."""
    parts = [
        _HEAD,
        f'<gpx version="1.1" creator="exhibit" xmlns="http://www.topografix.com/GPX/1/1" xmlns:x="{_NAMESPACE}">\n',
    ]
    parts += (_waypoint(seen) for seen in places.seen)
    for source in places.sources:
        telemetry = source.telemetry
        parts.append(f"<trk><name>{_text(source.name)}</name><desc>{_text(_about(source))}</desc>\n")
        for stretch in lines(telemetry, spaced(telemetry.elapsed_us, every_us)):
            parts.append("<trkseg>\n")
            parts += (_track_point(source, int(row)) for row in stretch)
            parts.append("</trkseg>\n")
        parts.append("</trk>\n")
    return "".join([*parts, "</gpx>\n"])


def _track_point(source: Source, row: int) -> str:
    telemetry = source.telemetry
    sea = float(telemetry.column(Quantity.HEIGHT_SEA)[row])
    moment = utc(int(source.utc_us[row]))
    clock = int(telemetry.clock_us[row])
    ours = [("elapsed_s", f"{int(telemetry.elapsed_us[row]) / 1e6:.6f}"), ("certainty", certainty_of(telemetry, row).value)]
    if clock != NO_TIME:
        ours.append(("claimed", plain_clock(clock)))
    ours += (("flag", words) for words in flag_words(int(telemetry.flags[row])))
    ours += _numbers(telemetry, row)
    return (
        f"<trkpt {_at(telemetry.column(Quantity.LATITUDE)[row], telemetry.column(Quantity.LONGITUDE)[row])}>"
        + (f"<ele>{sea:.3f}</ele>" if math.isfinite(sea) else "")
        + (f"<time>{moment}</time>" if moment else "")
        + "<extensions>"
        + "".join(f"<x:{name}{_label(name)}>{_text(value)}</x:{name}>" for name, value in ours)
        + "</extensions></trkpt>\n"
    )


_LABELS = {quantity.value: label for quantity, label in MISB_LABELS.items()}


def _label(name: str) -> str:
    return f" label={quoteattr(_LABELS[name])}" if name in _LABELS else ""


def _at(latitude: float, longitude: float) -> str:
    """GPX has no longitude of 180 degrees: it is -180. Source: GPX 1.1, longitudeType."""
    written = f"{longitude:.7f}"
    return f'lat="{latitude:.7f}" lon="{"-180.0000000" if written == "180.0000000" else written}"'


def _numbers(telemetry: Telemetry, row: int) -> Iterator[tuple[str, str]]:
    for quantity, values in telemetry.columns.items():
        if quantity not in {Quantity.LATITUDE, Quantity.LONGITUDE} and math.isfinite(values[row]):
            yield quantity.value, f"{values[row]:.7g}"


def _about(source: Source) -> str:
    telemetry = source.telemetry
    said = [f"{telemetry.family.value}, {telemetry.dialect}", f"clock: {telemetry.clock_words}"]
    if source.utc_by:
        said.append(f"UTC: {source.utc_by}")
    said += (f"{name} is {value}" for name, value in not_measured(telemetry).items())
    return "; ".join([*said, *telemetry.warnings])


def _waypoint(seen: Seen) -> str:
    return (
        f"<wpt {_at(seen.latitude_deg, seen.longitude_deg)}><name>{_text(_title(seen))}</name>"
        f"<desc>{_text(_description(seen))}</desc></wpt>\n"
    )


def kml(places: Places, every_us: int = 0) -> str:
    """A folder for each exhibit: its path, the ground in its picture, and what was seen with its ellipse."""
    names = dict.fromkeys(
        [source.name for source in places.sources]
        + [ground.name for ground in places.grounds]
        + [seen.name for seen in places.seen]
    )
    parts = [_HEAD, '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>exhibit</name>\n']
    for name in names:
        parts.append(f"<Folder><name>{_text(name)}</name>\n")
        for source in (source for source in places.sources if source.name == name):
            parts.append(_kml_path(source))
            parts += _kml_fixes(source, every_us)
        for ground in (ground for ground in places.grounds if ground.name == name):
            parts += _kml_footprints(ground, every_us)
        parts += (_kml_seen(seen) for seen in places.seen if seen.name == name)
        parts.append("</Folder>\n")
    return "".join([*parts, "</Document></kml>\n"])


def _kml_path(source: Source) -> str:
    telemetry = source.telemetry
    drawn = []
    for part in lines(telemetry, np.arange(len(telemetry))):
        if len(part) > 1:
            points = zip(telemetry.column(Quantity.LONGITUDE)[part], telemetry.column(Quantity.LATITUDE)[part], strict=True)
            drawn.append(
                f"<LineString><tessellate>1</tessellate><coordinates>{_coordinates(points)}</coordinates></LineString>"
            )
    return (
        f"<Placemark><name>path</name><description>{_text(_about(source))}</description>"
        f"<MultiGeometry>{''.join(drawn)}</MultiGeometry></Placemark>\n"
    )


def _kml_fixes(source: Source, every_us: int) -> Iterator[str]:
    telemetry = source.telemetry
    for row in spaced(telemetry.elapsed_us, every_us):
        if not telemetry.placed[row]:
            continue
        moment = utc(int(source.utc_us[row]))
        data = [("elapsed_s", "", f"{int(telemetry.elapsed_us[row]) / 1e6:.6f}")]
        data.append(("certainty", "", certainty_of(telemetry, int(row)).value))
        if telemetry.clock_us[row] != NO_TIME:
            data.append(("claimed", "", plain_clock(int(telemetry.clock_us[row]))))
        data += (("flag", "", words) for words in flag_words(int(telemetry.flags[row])))
        data += ((name, _LABELS.get(name, ""), value) for name, value in _numbers(telemetry, int(row)))
        place = [(telemetry.column(Quantity.LONGITUDE)[row], telemetry.column(Quantity.LATITUDE)[row])]
        yield (
            "<Placemark>"
            + (f"<TimeStamp><when>{moment}</when></TimeStamp>" if moment else "")
            + f"<ExtendedData>{''.join(_datum(*datum) for datum in data)}</ExtendedData>"
            + f"<Point><coordinates>{_coordinates(place)}</coordinates></Point></Placemark>\n"
        )


def _datum(name: str, label: str, value: str) -> str:
    shown = f"<displayName>{_text(label)}</displayName>" if label else ""
    return f"<Data name={quoteattr(name)}>{shown}<value>{_text(value)}</value></Data>"


def _kml_footprints(ground: Ground, every_us: int) -> Iterator[str]:
    prints = ground.footprints
    for row in with_ground(prints, every_us):
        corners = [(longitude, latitude) for latitude, longitude in prints.corners_deg[row]]
        if not np.isfinite(corners).all():
            continue
        about = f"{prints.certainty[row]}, within {prints.error_m[row]:.0f} m (95 %). {prints.why[row]}".strip()
        at_s = int(prints.elapsed_us[row]) / 1e6
        yield (
            f"<Placemark><name>ground at {at_s:.3f} s</name><description>{_text(about)}</description>"
            f"{_polygon([*corners, corners[0]])}</Placemark>\n"
        )


def _kml_seen(seen: Seen) -> str:
    major, minor, azimuth = seen.ellipse_m
    turns = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS + 1)
    along, across = major * np.cos(turns), minor * np.sin(turns)
    directions = azimuth + np.degrees(np.arctan2(across, along))
    start = np.full(len(turns), seen.longitude_deg), np.full(len(turns), seen.latitude_deg)
    longitudes, latitudes, _ = _WGS84.fwd(*start, directions, np.hypot(along, across))
    ring = list(zip(longitudes, latitudes, strict=True))
    point = _coordinates([(seen.longitude_deg, seen.latitude_deg)])
    return (
        f"<Placemark><name>{_text(_title(seen))}</name><description>{_text(_description(seen))}</description>"
        f"<MultiGeometry><Point><coordinates>{point}</coordinates></Point>{_polygon(ring)}</MultiGeometry></Placemark>\n"
    )


def _title(seen: Seen) -> str:
    return f"{seen.label}, track {seen.track}"


def _description(seen: Seen) -> str:
    major, minor, azimuth = seen.ellipse_m
    return (
        f"{seen.name} at {seen.elapsed_us / 1e6:.3f} s, {seen.certainty.value}; within {major:.1f} × {minor:.1f} m (95 %),"
        f" the longer axis at {azimuth:.0f}°{_moved(seen)}"
    )


def _moved(seen: Seen) -> str:
    if seen.moved is None:
        return ""
    told = f"; {seen.moved.speed_mps:.1f} ± {seen.moved.speed_error_mps:.1f} m/s"
    return told if seen.moved.heading_deg is None else f"{told} towards {seen.moved.heading_deg:.0f}°"


def _polygon(ring: Iterable[tuple[float, float]]) -> str:
    return (
        "<Polygon><tessellate>1</tessellate><outerBoundaryIs><LinearRing><coordinates>"
        f"{_coordinates(ring)}</coordinates></LinearRing></outerBoundaryIs></Polygon>"
    )


def _coordinates(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{longitude:.7f},{latitude:.7f}" for longitude, latitude in points)


def _text(value: str) -> str:
    return escape(value.translate(_NOT_XML))

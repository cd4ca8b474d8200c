"""KML: tracks and timed points, as flight apps and mapping programs write them.

Source: OGC KML 2.3 (gx:Track, when, coord, TimeStamp, altitudeMode: heights count only where a mode is given, above the sea
    or above the ground); longitude comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from evidence.errors import CorruptMedia, TooLarge, UnsupportedMedia
from evidence.telemetry import NO_TIME, Family, Quantity, Telemetry, Zone
from media.telemetry import markup
from media.telemetry.rows import MAX_ROWS, Rows, believable_us
from media.telemetry.srt import decoded
from media.telemetry.times import moment_of

MAX_BYTES = 64 * 1024 * 1024
_HEIGHTS = {"absolute": Quantity.HEIGHT_SEA, "relativeToGround": Quantity.HEIGHT_GROUND}
_DROPPED = frozenset({"when", "coord", "angles", "Placemark", "Track", "Style", "StyleMap", "LineString", "Point"})
Q = Quantity

_Place = tuple[float, float, float | None]


@dataclass
class _Shape:
    """One Placemark or gx:Track while it is read."""

    whens: list[int] = field(default_factory=list)
    track: list[_Place | None] = field(default_factory=list)
    point: list[_Place] = field(default_factory=list)
    line: list[_Place] = field(default_factory=list)
    mode: str = ""
    inside: str = ""


@dataclass
class _Read:
    tracks: list[tuple[int, _Place | None, str]] = field(default_factory=list)
    points: list[tuple[int, _Place | None, str]] = field(default_factory=list)
    lines: list[tuple[int, _Place | None, str]] = field(default_factory=list)
    shape: _Shape = field(default_factory=_Shape)

    def close(self) -> None:
        shape, self.shape = self.shape, _Shape()
        if shape.track:
            whens = shape.whens + [NO_TIME] * (len(shape.track) - len(shape.whens))
            self.tracks += [(when, place, shape.mode) for when, place in zip(whens, shape.track, strict=False)]
        if shape.point and shape.whens:
            self.points.append((shape.whens[0], shape.point[0], shape.mode))
        self.lines += [(NO_TIME, place, shape.mode) for place in shape.line]
        for rows in (self.tracks, self.points, self.lines):
            # One more than is taken, so that it is said.
            del rows[MAX_ROWS + 1 :]


def read_bytes(data: bytes, name: str = "the file") -> Telemetry:
    """Tracks with times; else points with times; else lines without.

    Raises: TooLarge, CorruptMedia, UnsupportedMedia.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{name} is larger than the {MAX_BYTES:,} bytes of KML that are read here")
    found = _Read()
    listener = markup.Listener("kml", lambda kind, _: _began(kind, found), lambda k, e: _ended(k, e, found), _DROPPED)
    line = markup.read(decoded(data), name, listener)
    found.close()
    chosen, kind = next(
        (
            (rows, kind)
            for rows, kind in ((found.tracks, "track"), (found.points, "timed points"), (found.lines, "line"))
            if rows
        ),
        ([], ""),
    )
    if not chosen and line:
        raise CorruptMedia(f"{name} is no KML file that can be read: its XML breaks off in line {line}")
    if not chosen:
        raise UnsupportedMedia(f"{name} is KML without a track, a line or points with times")
    warnings = [f"the file is cut short or damaged in line {line}: what stands before was read"] if line else []
    rows = Rows()
    for when, place, mode in chosen:
        rows.add(_values(place, mode), clock_us=when)
    if all(when == NO_TIME for when, _, _ in chosen):
        warnings.append("nothing in it has a time: it can't be laid beside a video")
    return rows.telemetry(Family.KML, f"KML {kind}", zone=Zone.UTC, warnings=warnings)


def _began(kind: str, found: _Read) -> None:
    if kind in ("Placemark", "Track"):
        found.close()
    elif kind in ("Point", "LineString", "Polygon", "LookAt", "Camera"):
        found.shape.inside = kind


def _ended(kind: str, element: Element, found: _Read) -> None:
    shape, text = found.shape, (element.text or "").strip()
    if kind == "when":
        shape.whens.append(believable_us(moment_of(text)[0]))
    elif kind == "coord":
        shape.track.append(next(_places(text.replace(" ", ",")), None))
    elif kind == "altitudeMode":
        shape.mode = text
    elif kind == "coordinates" and shape.inside == "Point":
        shape.point += _places(text)
    elif kind == "coordinates" and shape.inside == "LineString":
        shape.line += _places(text)
    elif kind in ("Placemark", "Track"):
        found.close()


def _places(text: str) -> Iterator[_Place]:
    """`lon,lat[,height]`, one behind the other."""
    for part in text.split():
        try:
            numbers = [float(number) for number in part.split(",") if number]
        except ValueError:
            continue
        if len(numbers) >= 2:
            yield numbers[1], numbers[0], numbers[2] if len(numbers) > 2 else None


def _values(place: _Place | None, mode: str) -> dict[Quantity, float]:
    if place is None:
        return {}
    values = {Q.LATITUDE: place[0], Q.LONGITUDE: place[1]}
    if place[2] is not None and mode in _HEIGHTS:
        values[_HEIGHTS[mode]] = place[2]
    return values

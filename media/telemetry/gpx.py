"""GPX: recorded tracks of any receiver or app.

Read point by point, so that a file cut or damaged anywhere gives what stands before. `gpxpy` 1.6.2 was tried: one time or
number that it can't read, or a missing end, and it gives nothing of a file; the tests compare with it what both can read.

Source: GPX 1.1 schema (topografix.com/GPX/1/1): degrees WGS84, metres above the sea, times in UTC; GPX 1.0 and Garmin's
    TrackPointExtension for speed and course.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from evidence.errors import CorruptMedia, TooLarge, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Quantity, Telemetry, Zone
from media.telemetry import markup
from media.telemetry.rows import MAX_ROWS, Rows, believable_us
from media.telemetry.srt import decoded
from media.telemetry.times import moment_of

MAX_BYTES = 64 * 1024 * 1024
"""Half a million points; a recorder that writes one a second for a day makes 15 MB."""
_METRES_PER_DILUTION = 5.0
_NUMBERS = {
    "ele": Quantity.HEIGHT_SEA,
    "speed": Quantity.SPEED,
    "course": Quantity.COURSE,
    "bearing": Quantity.COURSE,
    "accuracy": Quantity.ACCURACY_HORIZONTAL,
    "hacc": Quantity.ACCURACY_HORIZONTAL,
    "horizontalaccuracy": Quantity.ACCURACY_HORIZONTAL,
    "vacc": Quantity.ACCURACY_VERTICAL,
    "verticalaccuracy": Quantity.ACCURACY_VERTICAL,
}
Q = Quantity


@dataclass(frozen=True, slots=True)
class _Point:
    values: dict[Quantity, float]
    clock_us: int
    fix: bool
    guessed: bool
    """Whether its accuracy is told from the dilution."""


@dataclass
class _Read:
    version: str = ""
    creator: str = ""
    segments: list[list[_Point]] = field(default_factory=list)
    marked: list[_Point] = field(default_factory=list)
    routes: int = 0
    points: int = 0
    damaged: str = ""


def read_bytes(data: bytes, name: str = "the file") -> Telemetry:
    """The tracks, in the order of their times; marked points where there are no tracks.

    Raises: TooLarge, CorruptMedia, UnsupportedMedia.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{name} is larger than the {MAX_BYTES:,} bytes of GPX that are read here")
    found = _parsed(decoded(data), name)
    warnings = [found.damaged] if found.damaged else []
    points = [point for segment in _in_order(found.segments) for point in segment]
    if not points and found.marked:
        points = found.marked
        warnings.append("no track: these are points that were marked")
    elif found.marked:
        warnings.append(f"{len(found.marked)} marked points were left out: they are no track")
    if found.routes:
        warnings.append(f"{found.routes} points of routes were left out: they were planned, not recorded")
    if not points:
        raise UnsupportedMedia(f"{name} has no recorded point{': ' + '; '.join(warnings) if warnings else ''}")
    rows = Rows()
    for point in points:
        rows.add(point.values, clock_us=point.clock_us, fix=point.fix)
    if all(point.clock_us == NO_TIME for point in points):
        warnings.append("no point has a time: the track can't be laid beside a video")
    return rows.telemetry(
        Family.GPX,
        f"GPX {found.version}".strip(),
        device=found.creator,
        zone=Zone.UTC,
        certainty={Q.ACCURACY_HORIZONTAL: Certainty.ESTIMATED} if any(point.guessed for point in points) else {},
        warnings=warnings,
    )


_DROPPED = frozenset({"trkpt", "rtept", "wpt", "trkseg", "trk", "rte"})


def _parsed(text: str, name: str) -> _Read:
    found = _Read()

    def began(kind: str, element: Element) -> None:
        if kind == "gpx":
            found.version = element.get("version", "")[:10]
            found.creator = element.get("creator", "").strip()[:127]
        elif kind == "trkseg":
            found.segments.append([])

    def ended(kind: str, element: Element) -> None:
        _closed(kind, element, found)

    line = markup.read(text, name, markup.Listener("gpx", began, ended, _DROPPED))
    if line and not (found.segments or found.marked):
        raise CorruptMedia(f"{name} is no GPX file that can be read: its XML breaks off in line {line}")
    if line:
        found.damaged = f"the file is cut short or damaged in line {line}: the points before that were read"
    return found


def _closed(kind: str, element: Element, found: _Read) -> None:
    if kind in ("trkpt", "wpt"):
        found.points += 1
        if found.points > MAX_ROWS + 1:
            return
    if kind == "trkpt":
        if not found.segments:
            found.segments.append([])
        found.segments[-1].append(_point(element))
    elif kind == "wpt":
        found.marked.append(_point(element))
    elif kind == "rtept":
        found.routes += 1


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _point(element: Element) -> _Point:
    values = {Q.LATITUDE: _number(element.get("lat")), Q.LONGITUDE: _number(element.get("lon"))}
    clock_us, fix, dilution, geoid = NO_TIME, True, math.nan, math.nan
    for inner, kind in _leaves(element):
        if kind == "time":
            # A time without zone is UTC, as the schema says.
            clock_us = believable_us(moment_of(inner.text or "")[0])
        elif kind == "fix":
            fix = (inner.text or "").strip() != "none"
        elif kind == "hdop":
            dilution = _number(inner.text)
        elif kind == "geoidheight":
            geoid = _number(inner.text)
        elif kind in _NUMBERS:
            values.setdefault(_NUMBERS[kind], _number(inner.text))
    if Q.HEIGHT_SEA in values and math.isfinite(geoid):
        values[Q.HEIGHT_ELLIPSOID] = values[Q.HEIGHT_SEA] + geoid
    guessed = Q.ACCURACY_HORIZONTAL not in values and 0 < dilution < 99
    if guessed:
        values[Q.ACCURACY_HORIZONTAL] = dilution * _METRES_PER_DILUTION
    return _Point(values, clock_us, fix, guessed)


def _leaves(element: Element) -> Iterator[tuple[Element, str]]:
    for inner in element.iter():
        if not len(inner) and inner is not element:
            yield inner, _local(inner).lower()


def _number(said: str | None) -> float:
    """NaN for what is no number."""
    try:
        return float((said or "").strip().replace(",", "."))
    except ValueError:
        return math.nan


def _in_order(segments: list[list[_Point]]) -> list[list[_Point]]:
    """By their first time, where each has one: some apps write the latest first."""
    filled = [segment for segment in segments if segment]
    starts = [next((point.clock_us for point in segment if point.clock_us != NO_TIME), NO_TIME) for segment in filled]
    if NO_TIME in starts:
        return filled
    return [filled[i] for i in sorted(range(len(filled)), key=lambda i: starts[i])]

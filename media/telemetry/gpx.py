"""GPX: recorded tracks of any receiver or app.

Read point by point, so that a file cut or damaged anywhere gives what stands before. `gpxpy` 1.6.2 was tried: one time or
number that it can't read, or a missing end, and it gives nothing of a file; the tests compare with it what both can read.

Source: GPX 1.1 schema (topografix.com/GPX/1/1): degrees WGS84, metres above the sea, times in UTC; GPX 1.0 and Garmin's
    TrackPointExtension for speed and course.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from evidence.errors import CorruptMedia, NotFound, TooLarge, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Quantity, Telemetry, Zone
from media.telemetry.rows import Rows, believable_us
from media.telemetry.srt import decoded
from media.telemetry.times import moment_of

MAX_BYTES = 64 * 1024 * 1024
"""Half a million points; a recorder that writes one a second for a day makes 15 MB."""
_METRES_PER_DILUTION = 5.0
_MAX_LEVELS = 32
"""GPX needs eight, with extensions. Elements nested without end would cost the parser its stack."""
_AT_ONCE = 65_536

_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,200}\?>")
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
    damaged: str = ""


def read(path: Path) -> Telemetry:
    """Raises: NotFound, TooLarge, CorruptMedia, UnsupportedMedia."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise NotFound(f"{path.name} can't be read: {exc.strerror}") from exc
    return read_bytes(data, path.name)


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


def _parsed(text: str, name: str) -> _Read:
    text = _DECLARATION.sub("", text, count=1)
    if re.search(r"<!(?:DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise UnsupportedMedia(f"{name} defines entities of its own, which no GPX recorder does: it was not read")
    found = _Read()
    parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
    open_elements: list[Element] = []
    try:
        for at in range(0, len(text), _AT_ONCE):
            # A lone half of a surrogate pair can stand in no XML.
            parser.feed(text[at : at + _AT_ONCE].encode("utf-8", "replace"))
            _take(parser, open_elements, found, name)
        parser.close()
    except ParseError as exc:
        # What was complete before the damage has been taken, but for what is still in the queue.
        _take(parser, open_elements, found, name)
        line = getattr(exc, "position", (0, 0))[0]
        if not (found.segments or found.marked):
            raise CorruptMedia(f"{name} is no GPX file that can be read: its XML breaks off in line {line}") from exc
        found.damaged = f"the file is cut short or damaged in line {line}: the points before that were read"
    return found


def _take(parser: XMLPullParser[Element], open_elements: list[Element], found: _Read, name: str) -> None:
    try:
        for event in parser.read_events():
            element = event[-1]
            if not isinstance(element, Element):
                continue
            if event[0] == "start":
                _opened(element, open_elements, found, name)
            else:
                open_elements.pop()
                _closed(element, found)
                if _local(element) in ("trkpt", "rtept", "wpt", "trkseg", "trk", "rte") and open_elements:
                    open_elements[-1].remove(element)
    except ParseError:
        # The queue ends with the error that `feed` has raised already.
        return


def _opened(element: Element, open_elements: list[Element], found: _Read, name: str) -> None:
    kind = _local(element)
    if not open_elements:
        if kind != "gpx":
            raise UnsupportedMedia(f"{name} is no GPX file: it starts with {kind[:40]!r}")
        found.version = element.get("version", "")[:10]
        found.creator = element.get("creator", "").strip()[:127]
    elif kind == "trkseg":
        found.segments.append([])
    open_elements.append(element)
    if len(open_elements) > _MAX_LEVELS:
        raise UnsupportedMedia(f"{name} nests its elements deeper than any GPX recorder: it was not read")


def _closed(element: Element, found: _Read) -> None:
    kind = _local(element)
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

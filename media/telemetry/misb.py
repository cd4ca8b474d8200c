"""MISB ST 0601 metadata, as aircraft and larger drones write it: from a transport stream, or as bare packets in a file."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evidence.errors import TooLarge, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Flag, Quantity, Target, Telemetry, Zone
from media.telemetry import attitude, data_stream, klv, misb_targets
from media.telemetry import misb_tags as t
from media.telemetry.checks import checked
from media.telemetry.rows import MAX_ROWS, TOO_MANY, Columns, believable_us, elapsed_of

MAX_BYTES = 256 * 1024 * 1024
_MAX_TARGETS = 200_000
_MOST_LEAP_SECONDS = 100
_MOST_CORRECTION_US = 366 * 86_400 * 1_000_000
_MAX_UNREAD = 1_000
"""Different tags that are counted: the standard has 143."""
_SYNCHRONOUS = 0.5
"""From how many of the sets on must lie on the very time of a frame to be called frame-synchronous: nearly all do, or
next to none."""

Column = npt.NDArray[np.float64]
Q = Quantity


def read(path: Path) -> Telemetry:
    """All sets of a recording with a metadata stream, or of a file of nothing but sets.

    Raises: NotFound, UnsupportedMedia where there are none; CorruptMedia; TooLarge.
    """
    if data_stream.is_bare(path, klv.UAS_LOCAL_SET):
        if path.stat().st_size > MAX_BYTES:
            raise TooLarge(f"{path.name} is larger than the {MAX_BYTES:,} bytes of metadata that are read here")
        return read_bytes(path.read_bytes(), path.name)
    streams = data_stream.read(path, MAX_BYTES)
    for stream in streams:
        if klv.UAS_LOCAL_SET in stream.data:
            return of_stream(stream, path.name)
    raise UnsupportedMedia(f"{path.name} carries no MISB ST 0601 metadata")


def read_bytes(data: bytes, name: str = "the file") -> Telemetry:
    """Bare sets: elapsed time is that of their own clock, from the first.

    Raises: UnsupportedMedia.
    """
    found = klv.Found()
    reading = _Reading()
    for _, content in islice(klv.packets(data, found), MAX_ROWS):
        reading.take(content)
    return reading.telemetry(elapsed_of(reading.clock_us), found, name)


def of_stream(stream: data_stream.DataStream, name: str) -> Telemetry:
    """Sets on the media time of the recording that the stream is of. Raises: UnsupportedMedia."""
    found = klv.Found()
    reading = _Reading()
    at = []
    for start, content in islice(klv.packets(bytes(stream.data), found), MAX_ROWS):
        reading.take(content)
        at.append(start)
    elapsed = stream.elapsed_us(np.array(at, np.int64), reading.clock_us)
    if not stream.timed:
        reading.warnings.append("the metadata has no times of its own: placed by where it stands among the frames")
    if stream.cut:
        reading.warnings.append(stream.cut)
    together = stream.timed and len(at) > 0 and stream.share_on_frames(elapsed) > _SYNCHRONOUS
    return reading.telemetry(elapsed, found, name, frame_synchronous=together)


class _Reading:
    """The sets of one source, as they come."""

    def __init__(self) -> None:
        self.tags: Columns[int] = Columns()
        self.warnings: list[str] = []
        self._clock = array("q")
        self._correction_us: int = 0
        self._corrected: Counter[int] = Counter()
        self._texts: dict[int, str] = {}
        self._unread: Counter[int] = Counter()
        self._odd: Counter[int] = Counter()
        self._cut = self._cut_targets = self._leap_us = 0
        self._leap_positive = False
        self._targets: list[tuple[int, Target]] = []

    @property
    def clock_us(self) -> npt.NDArray[np.int64]:
        """In UTC: some systems count leap seconds in their time (ST 0603) and say how many that are (tag 136).

        A count of all seconds is never behind UTC. ST 0601 adds the number, which is then negative; some write the count
        itself, positive: both take it off.
        """
        clock = np.array(self._clock, np.int64)
        return np.where(clock == NO_TIME, NO_TIME, clock - self._leap_us)

    def take(self, content: klv.Items) -> None:
        numbers: dict[int, float] = {}
        vmti = b""
        for tag, value in content.values:
            scale = t.SCALES.get(tag)
            if scale is not None:
                number = scale.number(value)
                if number is None:
                    self._odd[tag] += 1
                else:
                    numbers[tag] = number
            elif tag in (t.DESIGNATION, t.SENSOR):
                self._texts.setdefault(tag, value[:127].decode("utf-8", "replace").strip("\0 "))
            elif tag == t.VMTI:
                vmti = value
            elif tag != 1 and (tag in self._unread or len(self._unread) < _MAX_UNREAD):
                self._unread[tag] += 1
        self._cut += content.cut
        self._take_targets(vmti, numbers)
        leap = numbers.get(t.LEAP_SECONDS, 0)
        if not self._leap_us and abs(leap) < _MOST_LEAP_SECONDS:
            self._leap_us = abs(int(leap)) * 1_000_000
            self._leap_positive = leap > 0
        self._correct(numbers.get(t.CORRECTION))
        said = believable_us(int(numbers.get(t.TIME, NO_TIME)))
        self._clock.append(said if said == NO_TIME else believable_us(said + self._correction_us))
        self.tags.add(numbers)

    def _correct(self, said_us: float | None) -> None:
        """What was found out after the flight is added to the time (ST 0601 tag 137); it holds until another is said."""
        if said_us is not None and abs(said_us) <= _MOST_CORRECTION_US:
            self._correction_us = int(said_us)
        if self._correction_us:
            self._corrected[self._correction_us] += 1

    def _take_targets(self, value: bytes, numbers: dict[int, float]) -> None:
        if not value or len(self._targets) >= _MAX_TARGETS:
            return
        centre = numbers.get(t.CENTRE_LATITUDE, np.nan), numbers.get(t.CENTRE_LONGITUDE, np.nan)
        found, whole = misb_targets.targets(value, 0, centre)
        self._cut_targets += not whole
        self._targets += [(len(self.tags), target) for target in found]

    def telemetry(
        self, elapsed_us: npt.NDArray[np.int64], found: klv.Found, name: str, *, frame_synchronous: bool = False
    ) -> Telemetry:
        if not len(self.tags):
            raise UnsupportedMedia(
                f"{name} has no MISB set that can be read: {'; '.join(_counted(found)) or 'none is there'}"
            )
        self.warnings += _counted(found) + self._said()
        order = np.argsort(elapsed_us, kind="stable")
        columns, certainty = _quantities(self.tags, self.warnings)
        columns = {q: values[order] for q, values in columns.items() if np.isfinite(values).any()}
        targets = [replace(target, elapsed_us=int(elapsed_us[row])) for row, target in self._targets[:_MAX_TARGETS]]
        return checked(
            Telemetry(
                family=Family.MISB,
                dialect=self._dialect(),
                device=", ".join(text for _, text in sorted(self._texts.items()) if text),
                zone=Zone.UTC,
                elapsed_us=elapsed_us[order],
                clock_us=self.clock_us[order],
                flags=np.full(len(order), Flag.NONE, np.uint8),
                columns=columns,
                certainty={q: c for q, c in certainty.items() if q in columns},
                warnings=tuple(self.warnings),
                targets=tuple(sorted(targets, key=lambda target: target.elapsed_us)),
                frame_synchronous=frame_synchronous,
            )
        )

    def _dialect(self) -> str:
        versions = self.tags.column(t.VERSION)
        said = sorted({int(v) for v in versions[np.isfinite(versions)]})
        return "ST 0601" + (f".{said[0]}" if len(said) == 1 else "")

    def _said(self) -> list[str]:
        said = [TOO_MANY] if len(self.tags) >= MAX_ROWS else []
        if self._leap_us:
            doubt = (
                ", though the standard would add a positive number: an assumption" if self._leap_positive else ", as it says"
            )
            said.append(f"{self._leap_us // 1_000_000} leap seconds were taken off its time{doubt}")
        if self._corrected:
            amounts = ", ".join(f"{us / 1e6:+.6f} s in {count} sets" for us, count in self._corrected.most_common(3))
            said.append(f"its time was corrected after the flight, as it says itself (tag 137): {amounts}")
        if self._cut:
            said.append(f"{self._cut} sets end within an item")
        if self._cut_targets:
            said.append(f"{self._cut_targets} sets of targets are damaged")
        if len(self._targets) >= _MAX_TARGETS:
            said.append(f"only the first {_MAX_TARGETS:,} targets were read")
        if self._odd:
            said.append("of an unexpected length, left out: " + _listed(self._odd, lambda tag: f"tag {tag}"))
        named = Counter({tag: count for tag, count in self._unread.items() if tag in t.NOT_READ})
        if named:
            said.append("not used: " + _listed(named, lambda tag: f"{t.NOT_READ[tag]} (tag {tag})"))
        unknown = self._unread - named
        if unknown:
            said.append("unknown: " + _listed(unknown, lambda tag: f"tag {tag}"))
        return said


def _listed(counts: Counter[int], name: Callable[[int], str]) -> str:
    shown = [f"{name(tag)} × {counts[tag]}" for tag in sorted(counts)]
    return ", ".join(shown[:20]) + (f", and {len(shown) - 20} more" if len(shown) > 20 else "")


def _counted(found: klv.Found) -> list[str]:
    said = []
    if found.wrong_checksum:
        said.append(f"{found.wrong_checksum} sets with a wrong checksum were left out")
    if found.no_checksum:
        said.append(f"{found.no_checksum} sets have no checksum and were read unproven")
    if found.cut:
        said.append(f"{found.cut} sets are damaged or cut short")
    if found.gave_up:
        said.append("the rest was given up: too much of it is damaged")
    return said


def _first(*columns: Column) -> Column:
    """Of each row the first that says something."""
    found = columns[0]
    for column in columns[1:]:
        found = np.where(np.isfinite(found), found, column)
    return found


def _quantities(tags: Columns[int], warnings: list[str]) -> tuple[dict[Quantity, Column], dict[Quantity, Certainty]]:
    of = tags.column
    certainty: dict[Quantity, Certainty] = {}
    columns = {
        Q.LATITUDE: of(t.LATITUDE),
        Q.LONGITUDE: of(t.LONGITUDE),
        Q.HEIGHT_SEA: of(t.HEIGHT_SEA),
        Q.HEIGHT_ELLIPSOID: _first(of(t.LONG_HEIGHT_ELLIPSOID), of(t.HEIGHT_ELLIPSOID)),
        Q.HEIGHT_GROUND: of(t.HEIGHT_GROUND),
        Q.PLATFORM_YAW: of(t.HEADING),
        Q.PLATFORM_PITCH: _first(of(t.FULL_PITCH), of(t.PITCH)),
        Q.PLATFORM_ROLL: _first(of(t.FULL_ROLL), of(t.ROLL)),
        Q.HORIZONTAL_VIEW: of(t.HORIZONTAL_VIEW),
        Q.VERTICAL_VIEW: of(t.VERTICAL_VIEW),
        Q.SLANT_RANGE: of(t.SLANT_RANGE),
        Q.CENTRE_LATITUDE: of(t.CENTRE_LATITUDE),
        Q.CENTRE_LONGITUDE: of(t.CENTRE_LONGITUDE),
        Q.CENTRE_HEIGHT_SEA: of(t.CENTRE_HEIGHT_SEA),
        Q.SPEED: of(t.GROUND_SPEED),
        Q.COURSE: of(t.COURSE),
        Q.CLIMB: of(t.CLIMB),
    }
    _look(columns, tags, certainty, warnings)
    _view_from_width(columns, tags, certainty)
    _move(columns, tags, certainty)
    _centre_height(columns, tags, certainty)
    columns.update(_corners(tags))
    return columns, certainty


def _look(
    columns: dict[Quantity, Column], tags: Columns[int], certainty: dict[Quantity, Certainty], warnings: list[str]
) -> None:
    pitch, roll = columns[Q.PLATFORM_PITCH], columns[Q.PLATFORM_ROLL]
    relative = tags.column(t.AZIMUTH), tags.column(t.ELEVATION), _or_zero(tags.column(t.SENSOR_ROLL))
    known = np.isfinite(pitch) & np.isfinite(roll)
    looking = np.isfinite(columns[Q.PLATFORM_YAW]) & np.isfinite(relative[0]) & np.isfinite(relative[1])
    how = Certainty.DERIVED
    if (looking & ~known).any():
        # Some platforms are stabilised and say nothing of pitch and roll.
        warnings.append(f"{int((looking & ~known).sum())} sets give no pitch or roll of the platform: taken as level")
        how = Certainty.ESTIMATED
    angles = attitude.absolute((columns[Q.PLATFORM_YAW], _or_zero(pitch), _or_zero(roll)), relative)
    for quantity, column in zip((Q.CAMERA_YAW, Q.CAMERA_PITCH, Q.CAMERA_ROLL), angles, strict=True):
        columns[quantity] = column
        certainty[quantity] = how


def _or_zero(column: Column) -> Column:
    return np.where(np.isfinite(column), column, 0.0)


def _view_from_width(columns: dict[Quantity, Column], tags: Columns[int], certainty: dict[Quantity, Certainty]) -> None:
    """Where no field of view is given, the target's width at its distance tells it."""
    width = _first(tags.column(t.LONG_TARGET_WIDTH), tags.column(t.TARGET_WIDTH))
    distance = columns[Q.SLANT_RANGE]
    if not np.isfinite(columns[Q.HORIZONTAL_VIEW]).any():
        usable = (width > 0) & (distance > 0)
        angle = 2 * np.degrees(np.arctan2(width, 2 * distance))
        columns[Q.HORIZONTAL_VIEW] = np.where(usable, angle, np.nan)
        certainty[Q.HORIZONTAL_VIEW] = Certainty.DERIVED


def _move(columns: dict[Quantity, Column], tags: Columns[int], certainty: dict[Quantity, Certainty]) -> None:
    north, east = tags.column(t.NORTH_SPEED), tags.column(t.EAST_SPEED)
    if not np.isfinite(columns[Q.SPEED]).any():
        columns[Q.SPEED] = np.hypot(north, east)
        certainty[Q.SPEED] = Certainty.DERIVED
    if not np.isfinite(columns[Q.COURSE]).any():
        columns[Q.COURSE] = np.degrees(np.arctan2(east, north)) % 360
        certainty[Q.COURSE] = Certainty.DERIVED


def _centre_height(columns: dict[Quantity, Column], tags: Columns[int], certainty: dict[Quantity, Certainty]) -> None:
    """Only above the ellipsoid: the sensor's two heights tell the geoid between them."""
    if not np.isfinite(columns[Q.CENTRE_HEIGHT_SEA]).any():
        geoid = columns[Q.HEIGHT_ELLIPSOID] - columns[Q.HEIGHT_SEA]
        columns[Q.CENTRE_HEIGHT_SEA] = tags.column(t.CENTRE_HEIGHT_ELLIPSOID) - geoid
        certainty[Q.CENTRE_HEIGHT_SEA] = Certainty.DERIVED


def _corners(tags: Columns[int]) -> Iterable[tuple[Quantity, Column]]:
    """In full where given, else by their offsets from the frame centre."""
    centre = tags.column(t.CENTRE_LATITUDE), tags.column(t.CENTRE_LONGITUDE)
    for number, (full, offset) in enumerate(zip(t.CORNERS, t.CORNER_OFFSETS, strict=True), 1):
        for axis, name in enumerate(("LATITUDE", "LONGITUDE")):
            value = _first(tags.column(full[axis]), centre[axis] + tags.column(offset[axis]))
            yield Quantity[f"CORNER_{number}_{name}"], value

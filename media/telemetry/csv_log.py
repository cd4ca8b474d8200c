"""Flight logs and body-worn exports as tables: any maker's columns, any separator, feet and knots as they come.

What a column means is told from its heading (`csv_columns`), when a row was from its cells (`csv_times`). What had to be
guessed (an altitude above nothing stated, a speed without a unit, a day before a month) is said in a warning.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import numpy as np
import numpy.typing as npt

from evidence.errors import TooLarge, UnsupportedMedia
from evidence.telemetry import Certainty, Family, Quantity, Telemetry
from media.telemetry import csv_cells as cells
from media.telemetry.csv_columns import (
    LATITUDE,
    LENGTH_ROLES,
    LONGITUDE,
    SPEED_ROLES,
    Extra,
    Heading,
    Role,
    headings,
    of_a_drone,
)
from media.telemetry.csv_times import is_stamp, times
from media.telemetry.rows import MAX_ROWS, Columns, Rows
from media.telemetry.srt import decoded

MAX_BYTES = 64 * 1024 * 1024
_MAX_HEAD_LINES = 60
_SAMPLE = 200
_MAX_TIME_COLUMNS = 8
_MAX_CELL = 64
_METRES_PER_DILUTION = 5.0
_ON_THE_GROUND_M = 10.0
_MAX_SPANS = 10

_TRUE = frozenset({"1", "true", "yes", "on", "recording", "start", "1.0"})
_NO_FIX = frozenset({"0", "none", "no fix", "nofix", "no", "invalid", "false", "v", "n"})
_NO_FIX_TYPE = _NO_FIX | {"1"}
"""Of a kind of fix (MAVLink's GPS_FIX_TYPE, PX4, ArduPilot): 1 is a receiver without one. NMEA's quality 1 is a fix."""
_MAKERS = (
    ("osd latitude", "DJI flight log"),
    ("altitude above sea level", "Airdata"),
    ("is taking video", "Litchi"),
    ("offset time", "DJI DatCon"),
)
Q = Quantity


@dataclass
class _Table:
    """A table as it lies there: where its headings were found, and the rows behind them."""

    headings: list[Heading]
    rows: Iterator[Sequence[str]] = field(default_factory=lambda: iter(()))
    broken: bool = False
    family: Family = Family.CSV
    dialect: str = ""

    def behind(self, lines: Sequence[str], separator: str) -> Iterator[list[str]]:
        """The rows, up to one that never ends."""
        try:
            yield from csv.reader(lines, delimiter=separator, skipinitialspace=True)
        except csv.Error:
            self.broken = True


@dataclass
class _Reading:
    used: dict[Role, Heading]
    drone: bool
    values: Columns[Quantity] = field(default_factory=Columns)
    extras: dict[Extra, list[float]] = field(default_factory=dict)
    fixed: list[bool] = field(default_factory=list)
    times: list[tuple[Heading, list[str]]] = field(default_factory=list)
    recording: list[bool] = field(default_factory=list)
    millionths: bool = False
    """Whether places come as whole numbers of ten millionths, as autopilots log what their receivers said."""
    semicircles: bool = False
    """Whether places come as parts of a circle: nothing in the table was converted from what Garmin's recordings hold."""
    device: str = ""
    odd: int = 0
    broken: bool = False
    warnings: list[str] = field(default_factory=list)
    certainty: dict[Quantity, Certainty] = field(default_factory=dict)


def read_bytes(data: bytes, name: str = "the file") -> Telemetry:
    """Raises: TooLarge, UnsupportedMedia."""
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{name} is larger than the {MAX_BYTES:,} bytes of a table that are read here")
    return _of(_table(decoded(data), name), name)


def of_rows(names: Sequence[str], rows: Iterable[Sequence[str]], name: str, family: Family, dialect: str) -> Telemetry:
    """Of a table that came in another form: its headings, and its cells as text. Raises: UnsupportedMedia."""
    return _of(_Table(headings(names), iter(rows), family=family, dialect=dialect), name)


def _of(table: _Table, name: str) -> Telemetry:
    if not _has_places(table.headings):
        raise _unrecognised(table.headings, name)
    sample = list(islice(table.rows, _SAMPLE))
    reading = _reading(table, sample)
    for row in chain(sample, table.rows):
        if len(reading.values) > MAX_ROWS:
            break
        _take(row, reading)
    reading.broken = table.broken
    if not len(reading.values):
        raise UnsupportedMedia(f"{name} has columns for places, but no row that can be read")
    return _telemetry(reading, table)


def _table(text: str, name: str) -> _Table:
    """The first line with a heading for latitude and one for longitude, or one for both."""
    lines = text.splitlines()
    best: list[Heading] = []
    for number, line in enumerate(lines[:_MAX_HEAD_LINES]):
        for separator in ",;\t|":
            if separator not in line:
                continue
            found = headings(next(csv.reader([line[:100_000]], delimiter=separator), []))
            if _has_places(found):
                table = _Table(found)
                table.rows = table.behind(lines[number + 1 :], separator)
                return table
            best = max(best, found, key=len)
    raise _unrecognised(best, name)


def _has_places(found: Sequence[Heading]) -> bool:
    roles = {heading.role for heading in found}
    return {Q.LATITUDE, Q.LONGITUDE} <= roles or Extra.BOTH in roles


def _unrecognised(found: Sequence[Heading], name: str) -> UnsupportedMedia:
    seen = ", ".join(h.words for h in found[:8] if h.words) or "none"
    return UnsupportedMedia(
        f"{name} has no columns that are recognised as latitude and longitude (its columns: {seen})",
        hint="If it is a flight log, export it with a line of headings.",
    )


def _reading(table: _Table, sample: Sequence[Sequence[str]]) -> _Reading:
    """Which column is used for what: the first that says something, latitude and longitude of one name."""
    filled = [heading for heading in table.headings if _says_something(heading, sample)]
    filled = [_with_unit(heading, sample) for heading in filled]
    used: dict[Role, Heading] = {}
    for heading in [*filled, *table.headings]:
        if heading.role is not None:
            used.setdefault(heading.role, heading)
    pair = _paired(filled) or _paired(table.headings)
    if pair is not None:
        used[Q.LATITUDE], used[Q.LONGITUDE] = pair
    drone = of_a_drone(table.headings)
    reading = _Reading(used, drone)
    if Extra.HEADING in used:
        used[Q.PLATFORM_YAW if drone else Q.COURSE] = used.pop(Extra.HEADING)
    if Extra.PLAIN_HEIGHT in used:
        used.setdefault(Q.HEIGHT_TAKEOFF if drone else Extra.PLAIN_ALTITUDE, used.pop(Extra.PLAIN_HEIGHT))
    timed = [h for h in table.headings if h.role is Extra.TIME][:_MAX_TIME_COLUMNS] or _unnamed_stamps(table, sample)
    reading.times = [(h, []) for h in timed]
    return reading


def _says_something(heading: Heading, sample: Sequence[Sequence[str]]) -> bool:
    said = (row[heading.place].strip() for row in sample if heading.place < len(row))
    return any(cell and (heading.role not in _PLACES or re.search("[1-9]", cell)) for cell in said)


def _with_unit(heading: Heading, sample: Sequence[Sequence[str]]) -> Heading:
    """With the unit of its first cell, where the heading says none: `12.0 km/h`."""
    if heading.unit or heading.role is None:
        return heading
    said = (_cell(row, heading) for row in sample)
    found = replace(heading, unit=cells.unit(next((cell for cell in said if cell), "")))
    return found if found.has_unit and found.role in LENGTH_ROLES | SPEED_ROLES else heading


def _unnamed_stamps(table: _Table, sample: Sequence[Sequence[str]]) -> list[Heading]:
    """A column without a heading, but with dates and times."""
    return [h for h in table.headings if not h.words and any(is_stamp(_cell(row, h)) for row in sample)][:1]


def _paired(found: Sequence[Heading]) -> tuple[Heading, Heading] | None:
    for latitude in found:
        for longitude in found:
            if latitude.role is Q.LATITUDE and longitude.role is Q.LONGITUDE:
                rest = [LATITUDE.sub("", LONGITUDE.sub("", h.words)) for h in (latitude, longitude)]
                if rest[0] == rest[1]:
                    return latitude, longitude
    return None


def _cell(row: Sequence[str], heading: Heading) -> str:
    return row[heading.place].strip()[:_MAX_CELL] if heading.place < len(row) else ""


def _take(row: Sequence[str], reading: _Reading) -> None:
    if not any(row):
        return
    said: dict[Quantity, float] = {}
    extras: dict[Extra, str] = {}
    for role, heading in reading.used.items():
        text = _cell(row, heading)
        if isinstance(role, Quantity):
            said[role] = cells.degrees(text) if role in _PLACES else cells.number(text) * heading.factor
        else:
            extras[role] = text
    times_said = [_cell(row, h) for h, _ in reading.times]
    if Extra.BOTH in extras and Q.LATITUDE not in reading.used:
        said[Q.LATITUDE], said[Q.LONGITUDE] = cells.pair(extras[Extra.BOTH])
    elif Q.LATITUDE in said and Q.LONGITUDE in said:
        together = cells.in_minutes(*(_cell(row, reading.used[q]) for q in (Q.LATITUDE, Q.LONGITUDE)))
        said[Q.LATITUDE], said[Q.LONGITUDE] = together or (said[Q.LATITUDE], said[Q.LONGITUDE])
    _turn(said, extras, reading)
    if not any(map(math.isfinite, said.values())):
        # A heading in the middle of a joined log, a note, a total.
        reading.odd += 1
        return
    for (_, told), text in zip(reading.times, times_said, strict=True):
        told.append(text)
    for extra in (*_SPEEDS, Extra.PLAIN_ALTITUDE):
        if extra in extras:
            number = cells.number(extras[extra]) * reading.used[extra].factor
            reading.extras.setdefault(extra, []).append(number)
    dilution = cells.number(extras.get(Extra.DILUTION, ""))
    if Q.ACCURACY_HORIZONTAL not in said and 0 < dilution < 99:
        said[Q.ACCURACY_HORIZONTAL] = dilution * _METRES_PER_DILUTION
        reading.certainty[Q.ACCURACY_HORIZONTAL] = Certainty.ESTIMATED
    satellites = cells.number(extras.get(Extra.SATELLITES, ""))
    none = _NO_FIX_TYPE if Extra.FIX in reading.used and reading.used[Extra.FIX].of_kinds else _NO_FIX
    reading.fixed.append(satellites != 0 and extras.get(Extra.FIX, "").lower() not in none)
    reading.recording.append(extras.get(Extra.RECORDING, "").lower() in _TRUE)
    reading.device = reading.device or extras.get(Extra.DEVICE, "")
    reading.values.add({q: number for q, number in said.items() if math.isfinite(number)})


_PLACES = frozenset({Q.LATITUDE, Q.LONGITUDE, Q.HOME_LATITUDE, Q.HOME_LONGITUDE})
_SPEEDS = (Extra.NORTH_SPEED, Extra.EAST_SPEED, Extra.DOWN_SPEED)


def _turn(said: dict[Quantity, float], extras: dict[Extra, str], reading: _Reading) -> None:
    """South and west by a column of their own; whole numbers of ten millionths, or of a circle's 2^32 parts as Garmin
    counts them, by their size and the heading."""
    for quantity, side, letter, most in (
        (Q.LATITUDE, Extra.LATITUDE_SIDE, "S", 90),
        (Q.LONGITUDE, Extra.LONGITUDE_SIDE, "W", 180),
    ):
        value = said.get(quantity, math.nan)
        heading = reading.used.get(quantity)
        if heading is not None and heading.semicircles and abs(value) > 1000:
            value *= 180 / 2**31
            reading.semicircles = True
        elif 1000 < abs(value) <= most * 1e7 and value.is_integer():
            value *= 1e-7
            reading.millionths = True
        if heading is not None and heading.unit.startswith("rad"):
            value = math.degrees(value)
        if extras.get(side, "").upper().startswith(letter):
            value = -abs(value)
        said[quantity] = value


def _telemetry(reading: _Reading, table: _Table) -> Telemetry:
    count = len(reading.values)
    found = times(reading.times, count, garmin=reading.semicircles)
    columns = {q: reading.values.column(q) for q in reading.values}
    _heights(columns, reading)
    _moves(columns, reading)
    if reading.millionths:
        _as_autopilots_count(columns, reading)
    reading.warnings += found.warnings + tuple(_spans(reading.recording, found.elapsed_us))
    if reading.odd:
        reading.warnings.append(f"{reading.odd} lines have no numbers where the columns are, and were left out")
    if reading.broken:
        reading.warnings.append("the table breaks off within a cell: the rows before that were read")
    rows = Rows()
    numbers = {q: values.tolist() for q, values in columns.items()}
    clock, elapsed = found.clock_us.tolist(), found.elapsed_us.tolist()
    for i in range(count):
        values = {q: column[i] for q, column in numbers.items()}
        rows.add(values, clock_us=clock[i], elapsed_us=elapsed[i], fix=reading.fixed[i])
    words = {h.words for h in table.headings}
    dialect = next((maker for key, maker in _MAKERS if key in words), f"table of {len(table.headings)} columns")
    return rows.telemetry(
        table.family,
        table.dialect or dialect,
        device=reading.device[:127],
        zone=found.zone,
        certainty=reading.certainty,
        warnings=reading.warnings,
    )


def _heights(columns: dict[Quantity, npt.NDArray[np.float64]], reading: _Reading) -> None:
    """An altitude above nothing stated is above the sea, as receivers have it; a drone's that starts at its take-off is
    above that."""
    if Extra.PLAIN_ALTITUDE not in reading.extras:
        return
    plain = np.array(reading.extras[Extra.PLAIN_ALTITUDE])
    known = plain[np.isfinite(plain)]
    if not len(known):
        return
    from_takeoff = reading.drone and Q.HEIGHT_TAKEOFF not in columns and abs(known[0]) < _ON_THE_GROUND_M
    quantity = Q.HEIGHT_TAKEOFF if from_takeoff else Q.HEIGHT_SEA
    if quantity in columns:
        return
    columns[quantity] = plain
    if reading.drone:
        above = "the take-off point: it starts near nought" if from_takeoff else "the sea"
        reading.warnings.append(f"the altitude doesn't say above what: taken as above {above}")
        reading.certainty[quantity] = Certainty.ESTIMATED
    if not reading.used[Extra.PLAIN_ALTITUDE].has_unit:
        reading.warnings.append("the altitude has no unit: taken as metres")


def _moves(columns: dict[Quantity, npt.NDArray[np.float64]], reading: _Reading) -> None:
    north, east, down = (np.array(reading.extras.get(extra, [])) for extra in _SPEEDS)
    if Q.SPEED not in columns and len(north) and len(east):
        columns[Q.SPEED] = np.hypot(north, east)
        reading.certainty[Q.SPEED] = Certainty.DERIVED
    if Q.COURSE not in columns and len(north) and len(east):
        columns[Q.COURSE] = np.degrees(np.arctan2(east, north)) % 360
        reading.certainty[Q.COURSE] = Certainty.DERIVED
    if Q.CLIMB not in columns and len(down):
        columns[Q.CLIMB] = -down
    speed = reading.used.get(Q.SPEED)
    if speed is not None and not speed.has_unit and Q.SPEED in columns:
        reading.warnings.append("the speed has no unit: taken as metres a second")
        reading.certainty[Q.SPEED] = Certainty.ESTIMATED


_THOUSANDTHS = (Q.HEIGHT_TAKEOFF, Q.HEIGHT_SEA, Q.HEIGHT_ELLIPSOID, Q.HEIGHT_GROUND)
_HUNDREDTHS = (Q.SPEED, Q.CLIMB, Q.COURSE, Q.PLATFORM_YAW)


def _as_autopilots_count(columns: dict[Quantity, npt.NDArray[np.float64]], reading: _Reading) -> None:
    """Beside places in ten millionths of a degree, whole numbers without a unit are millimetres, and speeds and headings
    hundredths. Source: MAVLink, GLOBAL_POSITION_INT and GPS_RAW_INT; PX4, SensorGps.msg before 2023."""
    heads = {q: reading.used.get(q) for q in (*_THOUSANDTHS, *_HUNDREDTHS)}
    plain = reading.used.get(Extra.PLAIN_ALTITUDE)
    north = reading.used.get(Extra.NORTH_SPEED)
    for quantity in _THOUSANDTHS:
        head = heads[quantity] or plain
        if quantity in columns and head is not None and not head.has_unit and _whole(columns[quantity]):
            columns[quantity] = columns[quantity] / 1000
            _counted(reading, quantity, "heights are whole numbers and taken as millimetres, as autopilots log them")
    for quantity in _HUNDREDTHS:
        head = heads[quantity] or (north if quantity in (Q.SPEED, Q.CLIMB) else None)
        if quantity not in columns or head is None or head.unit or not np.nanmax(np.abs(columns[quantity]), initial=0) > 0:
            continue
        parts = [np.array(reading.extras.get(extra, [])) for extra in _SPEEDS] if head is north else [columns[quantity]]
        angle = quantity in (Q.COURSE, Q.PLATFORM_YAW)
        if all(_whole(part) for part in parts) and (not angle or np.nanmax(columns[quantity]) > 360):
            columns[quantity] = columns[quantity] / 100
            _counted(
                reading, quantity, "speeds and headings are whole numbers and taken as hundredths, as autopilots log them"
            )


def _whole(values: npt.NDArray[np.float64]) -> bool:
    known = values[np.isfinite(values)]
    return bool((known == np.round(known)).all())


def _counted(reading: _Reading, quantity: Quantity, words: str) -> None:
    reading.certainty[quantity] = Certainty.ESTIMATED
    if words not in reading.warnings:
        reading.warnings = [w for w in reading.warnings if "has no unit" not in w] + [words]


def _spans(recording: Sequence[bool], elapsed_us: npt.NDArray[np.int64]) -> list[str]:
    """When the log says that the camera was recording, which is what its video can be laid on."""
    on = np.concatenate([[False], np.array(recording, bool), [False]])
    edges = np.flatnonzero(np.diff(on.astype(np.int8)))
    spans = [
        f"{elapsed_us[a] / 1e6:.1f} to {elapsed_us[b - 1] / 1e6:.1f} s" for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]
    if not spans:
        return []
    more = f", and {len(spans) - _MAX_SPANS} more" if len(spans) > _MAX_SPANS else ""
    return ["the log says that video was recorded from " + ", ".join(spans[:_MAX_SPANS]) + more]

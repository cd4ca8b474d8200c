"""When each row of a log was: dates in any usual spelling, seconds since whatever, or a time of day alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from evidence.clock import micros
from evidence.telemetry import NO_TIME, Zone
from media.telemetry.csv_columns import Heading
from media.telemetry.rows import believable_us, elapsed_of

_DAY_US = 86_400 * 1_000_000
_SAMPLE = 200
_MONTHS = {"janfebmaraprmayjunjulaugsepoctnovdec"[3 * month : 3 * month + 3]: month + 1 for month in range(12)}
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,:](?P<fraction>\d{1,9}))?)?"
    r"\s?(?P<half>[AaPp]\.?[Mm]\.?)?\s?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_DAY = (
    r"(?:(?P<y1>\d{4})[-/.:](?P<m1>\d{1,2})[-/.:](?P<d1>\d{1,2})|(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y2>\d{4}|\d{2})"
    r"|(?P<d3>\d{1,2})[ -](?P<n3>[A-Za-z]{3})[a-z]*[ ,-]+(?P<y3>\d{4})"
    r"|(?P<n4>[A-Za-z]{3})[a-z]*[ .]+(?P<d4>\d{1,2}),? (?P<y4>\d{4})"
    r"|(?P<y5>(?:19|20)\d{2})(?P<m5>\d{2})(?P<d5>\d{2}))"
)
_STAMP = re.compile(rf"{_DAY}(?:[T ,]{{1,3}}{_CLOCK})")
_COMPACT = re.compile(r"(?P<day>(?:19|20)\d{6})[T _-]?(?P<clock>\d{6})(?:[.,](?P<fraction>\d{1,9}))?(?P<zone>Z?)")
_DATE = re.compile(_DAY)
_OF_DAY = re.compile(_CLOCK)
_OF_DAY_COMPACT = re.compile(r"(\d{1,2})(\d{2})(\d{2})(?:[.,](\d{1,9}))?")
_SPAN = re.compile(r"(?:(\d{1,4})\s?h\w*\s?)?(?:(\d{1,5})\s?m(?:in\w*)?\s?)?(?:(\d{1,7}(?:[.,]\d{1,9})?)\s?s\w*)?")
_COLONS = re.compile(r"(?:\d{1,4}:)?\d{1,4}:\d{1,2}(?:[.,]\d{1,9})?")
_NUMBER = re.compile(r"[+-]?\d{1,19}(?:[.,]\d{1,12})?(?:[eE][+-]?\d{1,2})?")
_SINCE_SOMETHING = re.compile(
    r"\b(?:elapsed|fly|flight|video|media|offset|record\w*|clip|play|since|relative|boot|seconds|t|ts)\b"
)
_LASTING = re.compile(r"\b(?:elapsed|fly|flight|video|media|offset|clip|play|since|relative)\b")
"""What such a column counts in 00:01:02 is no time of day."""
_SAID_UTC = re.compile(r"\b(?:utc|gmt|gps|unix|epoch|zulu|posix)\b")


_GARMIN_ZERO_S = 631_065_600
"""1989-12-31 in seconds since 1970."""
_GARMIN_FIRST_S, _GARMIN_LAST_S = 500_000_000, 1_500_000_000
"""From 2005 to 2037. Counted from 1970 these would be moments from 1985 to 2017: a table that was converted in its times
alone, and is that old, is taken wrongly, and it is said how it was taken."""


class Kind(Enum):
    STAMP = auto()
    EPOCH = auto()
    DATE = auto()
    OF_DAY = auto()
    SPAN = auto()
    NUMBER = auto()


@dataclass(frozen=True, slots=True)
class Times:
    """Shape: (rows,) each."""

    clock_us: npt.NDArray[np.int64]
    elapsed_us: npt.NDArray[np.int64]
    zone: Zone
    warnings: tuple[str, ...]


Column = tuple[Heading, Sequence[str]]


def times(columns: Sequence[Column], rows: int, *, garmin: bool = False) -> Times:
    """From every column that speaks of time: the best clock, and the best count since the log began.

    `garmin`: whether the table holds the numbers of a Garmin recording as they are.
    """
    warnings: list[str] = []
    if garmin:
        columns = [(heading, _since_1970(heading, texts, warnings)) for heading, texts in columns]
    columns = _apart(columns, warnings)
    kinds = [(kind, column) for column in columns if (kind := _kind(column)) is not None]
    clock, zone = _clock(kinds, rows, warnings)
    elapsed = _elapsed(kinds, clock, warnings)
    if elapsed is None and (clock == NO_TIME).all():
        of_day = next((column for kind, column in kinds if kind is Kind.OF_DAY), None)
        if of_day is None:
            warnings.append("no column says when: the rows can't be laid beside a video")
        else:
            warnings.append("no column has a date: only the time of day is known")
            return Times(clock, elapsed_of(_unwrapped([_of_day(text) for text in of_day[1]])), zone, tuple(warnings))
    if elapsed is not None and len(np.unique(elapsed)) * 2 < len(np.unique(clock[clock != NO_TIME])):
        # A count of whole seconds beside a clock that knows their parts.
        elapsed = elapsed_of(clock) + elapsed[0]
    return Times(clock, elapsed_of(clock) if elapsed is None else elapsed, zone, tuple(warnings))


def _apart(columns: Sequence[Column], warnings: list[str]) -> Sequence[Column]:
    """240526 and 141314, as receivers' loggers run dates and times together, in the spelling that the rest reads.

    A time is only taken for one beside such a date: by itself 141314 may be milliseconds.
    """
    dates = [(h, texts) for h, texts in columns if "date" in h.words and _all(r"\d{6}|\d{8}", texts)]
    if not dates:
        return columns
    heading, texts = dates[0]
    apart: dict[int, list[str]] = {}
    if _all(r"\d{6}", texts):
        years = [max(int(text[at : at + 2] or 0) for text in texts) for at in (0, 4)]
        order = (slice(0, 2), slice(4, 6)) if years[0] > 31 else (slice(4, 6), slice(0, 2)) if years[1] > 31 else None
        if order is None:
            warnings.append(f"a date like {next(filter(None, texts))} may have its year or its day first: it is not read")
        apart[heading.place] = [f"20{t[order[0]]}-{t[2:4]}-{t[order[1]]}" if order and t else "" for t in texts]
    for other, cells in columns:
        if re.search(r"^(?:utc |gps )?time(?: utc| local)?$", other.words) and _all(r"\d{5,6}(?:\.\d{1,9})?", cells):
            parts = [text.partition(".") for text in cells]
            full = [whole.zfill(6) for whole, _, _ in parts]
            if all(t[2:4] < "60" and t[4:6] <= "60" for t in full):
                apart[other.place] = [
                    f"{t[:2]}:{t[2:4]}:{t[4:]}{point}{rest}" if whole else ""
                    for t, (whole, point, rest) in zip(full, parts, strict=True)
                ]
    return [(heading, apart.get(heading.place, texts)) for heading, texts in columns]


def _since_1970(heading: Heading, texts: Sequence[str], warnings: list[str]) -> Sequence[str]:
    """Garmin's seconds, counted from the last day of 1989, as seconds since 1970; other columns as they are.

    Source: FIT protocol, type date_time: seconds since 1989-12-31 00:00:00 UTC.
    """
    if not _all(r"\d{9,10}(?:\.0*)?", texts) or re.search(r"\b(?:unix|epoch|posix)\b", heading.words):
        return texts
    seconds = [int(text.partition(".")[0]) if text else None for text in texts]
    if not all(_GARMIN_FIRST_S <= second < _GARMIN_LAST_S for second in seconds if second is not None):
        return texts
    warnings.append(f"“{heading.words}” is taken as seconds since 1989-12-31, as Garmin's recordings count them")
    return ["" if second is None else str(second + _GARMIN_ZERO_S) for second in seconds]


def _all(pattern: str, texts: Sequence[str]) -> bool:
    return any(texts) and all(re.fullmatch(pattern, text) for text in texts if text)


def is_stamp(text: str) -> bool:
    """Whether a cell holds a date and a time of day."""
    return _STAMP.fullmatch(text) is not None


def _kind(column: Column) -> Kind | None:
    """What most of the first cells are."""
    heading, texts = column
    sample = [text for text in texts[: _SAMPLE * 10] if text][:_SAMPLE]
    found = Counter(_kind_of(text, heading) for text in sample)
    if not found:
        return None
    kind, count = found.most_common(1)[0]
    return kind if count * 2 > len(sample) else None


def _kind_of(text: str, heading: Heading) -> Kind | None:
    if _STAMP.fullmatch(text) or _COMPACT.fullmatch(text):
        return Kind.STAMP
    if _NUMBER.fullmatch(text):
        if "date" in heading.words and _DATE.fullmatch(text):
            return Kind.DATE
        if heading.words.endswith("gps time") and not heading.unit and _OF_DAY_COMPACT.fullmatch(text):
            return Kind.OF_DAY
        # A flight of thirty years in seconds is a date.
        return Kind.EPOCH if _number(text) * (heading.tick_us or 1e6) > 9e14 or _number(text) > 9e11 else Kind.NUMBER
    if _DATE.fullmatch(text):
        return Kind.DATE
    if _OF_DAY.fullmatch(text):
        return Kind.SPAN if _LASTING.search(heading.words) else Kind.OF_DAY
    return Kind.SPAN if _SPAN.fullmatch(text) else None


def _clock(kinds: Sequence[tuple[Kind, Column]], rows: int, warnings: list[str]) -> tuple[npt.NDArray[np.int64], Zone]:
    whole = [(kind, column) for kind, column in kinds if kind in (Kind.STAMP, Kind.EPOCH)]
    whole.sort(key=lambda found: _rank(found[0], found[1][0]))
    dates = [column for kind, column in kinds if kind is Kind.DATE]
    clocks = [column for kind, column in kinds if kind is Kind.OF_DAY]
    utc = False
    if whole:
        kind, (heading, texts) = whole[0]
        month_first = _month_first(texts, warnings)
        read = [_epoch(text) if kind is Kind.EPOCH else _stamp(text, month_first) for text in texts]
        utc = kind is Kind.EPOCH or bool(_SAID_UTC.search(heading.words)) or any(zoned for _, zoned in read)
    elif dates and clocks:
        heading, texts = dates[0]
        month_first = _month_first(texts, warnings)
        pairs = zip(texts, clocks[0][1], strict=True)
        read = [_together(_midnight(day, month_first), _of_day(clock)) for day, clock in pairs]
        utc = bool(_SAID_UTC.search(heading.words) or _SAID_UTC.search(clocks[0][0].words))
    else:
        return np.full(rows, NO_TIME), Zone.LOCAL
    clock = np.array([believable_us(moment) for moment, _ in read], np.int64)
    return clock, Zone.UTC if utc else Zone.LOCAL


def _rank(kind: Kind, heading: Heading) -> int:
    if re.search(r"\b(?:utc|gmt|zulu)\b", heading.words):
        return 0
    return 1 if kind is Kind.EPOCH else 3 if "local" in heading.words else 2


def _elapsed(
    kinds: Sequence[tuple[Kind, Column]], clock_us: npt.NDArray[np.int64], warnings: list[str]
) -> npt.NDArray[np.int64] | None:
    numbers = [column for kind, column in kinds if kind is Kind.NUMBER]
    numbers = [column for column in numbers if len(set(column[1])) > 1] or numbers
    numbers.sort(key=lambda c: (c[0].tick_us is None, _SINCE_SOMETHING.search(c[0].words) is None))
    spans = [column for kind, column in kinds if kind is Kind.SPAN]
    if numbers:
        heading, texts = numbers[0]
        read = np.array([_number(text) for text in texts])
        factor = heading.tick_us
        if factor is None:
            factor, unit = _unit_of(read, clock_us)
            warnings.append(f"the time has no unit: taken as {unit}")
        with np.errstate(invalid="ignore"):
            usable = np.isfinite(read) & (np.abs(read * factor) < 1e15)
        ticks = np.where(usable, np.round(np.where(usable, read, 0) * factor), NO_TIME).astype(np.int64)
    elif spans:
        ticks = np.array([_span(text) for text in spans[0][1]], np.int64)
    else:
        return None
    known = ticks[ticks != NO_TIME]
    return elapsed_of(ticks) + (known[0] if len(known) else 0)


_UNITS = ((1e6, "seconds"), (1e3, "milliseconds"), (1.0, "microseconds"), (1e-3, "nanoseconds"))


def _unit_of(read: npt.NDArray[np.float64], clock_us: npt.NDArray[np.int64]) -> tuple[float, str]:
    """Microseconds in one, and its name: the one that goes as fast as the clock, or by the steps alone."""
    steps = np.diff(read[np.isfinite(read)])
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    ticks = np.diff(clock_us[clock_us != NO_TIME].astype(np.float64))
    passed = float(ticks[ticks > 0].sum())
    if step > 0 and passed > 0:
        whole = float(steps[steps > 0].sum())
        return min(_UNITS, key=lambda unit: abs(np.log(whole * unit[0] / passed)))
    # 20 seconds, or 20 milliseconds: nothing logs a flight more slowly than the one or faster than the other, as a rule.
    return _UNITS[int(step >= 5) + int(step >= 20_000) + int(step >= 20_000_000)]


def _unwrapped(of_day: Sequence[int]) -> npt.NDArray[np.int64]:
    """Times of day, going on after midnight."""
    ticks, days, last = [], 0, NO_TIME
    for now in of_day:
        if now != NO_TIME and last != NO_TIME and now < last - _DAY_US // 2:
            days += 1
        last = now if now != NO_TIME else last
        ticks.append(now if now == NO_TIME else now + days * _DAY_US)
    return np.array(ticks, np.int64)


def _month_first(texts: Sequence[str], warnings: list[str]) -> bool:
    """Whether 3/2/2026 is the second of March: only where a number tells; else the day comes first, as it does here (and
    wherever dots stand between)."""
    first = second = 0
    for text in texts:
        match = _DATE.match(text)
        if match and match["a"] and "." not in match[0]:
            first, second = max(first, int(match["a"])), max(second, int(match["b"]))
    if first and first <= 12 and second <= 12:
        warnings.append("dates like 3/2/2026 are taken as day, month, year; nothing in the file tells")
    return first <= 12 < second


def _midnight(text: str, month_first: bool) -> int:
    match = _DATE.match(text)
    if match is None:
        return NO_TIME
    part = match.groupdict()
    a, b = (part["b"], part["a"]) if month_first else (part["a"], part["b"])
    named = next((n for n in (part["n3"], part["n4"]) if n), "")
    year = next((y for y in (part["y1"], part["y2"], part["y3"], part["y4"], part["y5"]) if y), "0")
    month = part["m1"] or part["m5"] or b or str(_MONTHS.get(named.lower(), 0))
    day = part["d1"] or part["d3"] or part["d4"] or part["d5"] or a or "0"
    try:
        return micros(
            datetime.combine(datetime(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day)), time(), UTC)
        )
    except ValueError:
        return NO_TIME


def _of_day(text: str) -> int:
    """Microseconds since midnight."""
    match = _OF_DAY.search(text)
    if match is not None:
        hour, minute = int(match["hour"]), int(match["minute"])
        second, fraction = int(match["second"] or 0), match["fraction"]
        if match["half"]:
            hour = hour % 12 + (12 if match["half"][0] in "Pp" else 0)
    else:
        compact = _OF_DAY_COMPACT.fullmatch(text)
        if compact is None:
            return NO_TIME
        hour, minute, second, fraction = int(compact[1]), int(compact[2]), int(compact[3]), compact[4]
    if hour > 23 or minute > 59 or second > 60:
        return NO_TIME
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + int((fraction or "0").ljust(6, "0")[:6])


def _together(midnight: int, of_day: int) -> tuple[int, bool]:
    return (NO_TIME if NO_TIME in (midnight, of_day) else midnight + of_day), False


def _stamp(text: str, month_first: bool) -> tuple[int, bool]:
    """The moment, and whether the text itself says its zone."""
    compact = _COMPACT.fullmatch(text)
    if compact is not None:
        of_day = _of_day(compact["clock"] + (f".{compact['fraction']}" if compact["fraction"] else ""))
        return _together(_midnight(compact["day"], False), of_day)[0], bool(compact["zone"])
    match = _STAMP.fullmatch(text)
    if match is None:
        return NO_TIME, False
    moment, _ = _together(_midnight(text, month_first), _of_day(text[match.start("hour") :]))
    zone = match["zone"]
    if moment != NO_TIME and zone and zone[0] in "+-":
        moment -= (-1 if zone[0] == "-" else 1) * (int(zone[1:3]) * 60 + int(zone[-2:])) * 60_000_000
    return moment, bool(zone)


def _epoch(text: str) -> tuple[int, bool]:
    """Seconds since 1970, or thousandths, millionths or thousand millionths of them, told from their size."""
    number = _number(text)
    if not np.isfinite(number):
        return NO_TIME, True
    factor = next(f for limit, f in ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (np.inf, 1e-3)) if abs(number) < limit)
    return believable_us(round(number * factor)), True


def _span(text: str) -> int:
    if _COLONS.fullmatch(text):
        parts = [_number(part) for part in reversed(text.split(":"))]
        return round(sum(part * 60.0**power for power, part in enumerate(parts)) * 1e6)
    match = _SPAN.fullmatch(text)
    if match is None or not text:
        return NO_TIME
    hours, minutes, seconds = match.groups()
    return round((int(hours or 0) * 60 + int(minutes or 0)) * 6e7 + _number(seconds or "0") * 1e6)


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return np.nan

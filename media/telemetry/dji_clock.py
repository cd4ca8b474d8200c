"""The date and time that one cue of a drone's subtitles writes, in any of the usual spellings.

`2021-12-25 12:27:52.373`, `20211225_122752`, `2017.8.5 14:11:51,393,525`, `5.6.2025 05:06:07`,
`05/26/2024 02:13:14 PM GMT+1`. A date whose order nothing shows (`05/06/2024`) is none.
"""

from __future__ import annotations

import re
from calendar import timegm

from evidence.telemetry import NO_TIME

_DATE = re.compile(
    r"(?<![\d.])(\d{1,4})\s?([-./:])\s?(\d{1,2})\s?[-./:]\s?(\d{1,4})(?!\d)"
    r"(?:[ \tT_,]{1,4}|[ \t\],;|]{0,4}\[?time\s?[:=]\s?)(\d{1,2}):(\d{1,2}):(\d{1,2})"
    r"((?:[.,:]\d{1,9}){0,4})(?!\d)(?:\s?([AP])\.?M\b\.?)?"
    r"\s?((?:UTC|GMT)?[ ]?[+-]\d{2}:?\d{2}\b|(?:UTC|GMT)[ ]?[+-]\d{1,2}\b|Z\b|UTC\b|GMT\b|[+-]\d{2}\b(?![.,]\d))?",
    re.IGNORECASE,
)
_RUN_TOGETHER = re.compile(r"(?<![\w.])((?:19|20)\d{2})(\d{2})(\d{2})[_T](\d{2})(\d{2})(\d{2})(?!\d)")
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})?")
_FIRST_S, _LAST_S = 1e9, 4e9
"""The years 2001 to 2096."""


def clock(text: str) -> tuple[int, bool, str]:
    """Microseconds as in `Telemetry.clock_us`, whether the text says its zone, and the text without the date."""
    text = _RUN_TOGETHER.sub(r"\1-\2-\3 \4:\5:\6", text)
    date = _DATE.search(text)
    if date is None:
        return NO_TIME, False, text
    return *_moment(date), _DATE.sub(" ", text)


def _moment(date: re.Match[str]) -> tuple[int, bool]:
    day_s = _day(date)
    hour, minute, second = (int(date[k]) for k in range(5, 8))
    half = (date[9] or "").upper()
    if day_s is None or not (hour < 24 and minute < 60 and second < 61) or (half and not 1 <= hour <= 12):
        return NO_TIME, False
    hour = hour % 12 + 12 * (half == "P") if half else hour
    # DJI writes milliseconds and microseconds as two numbers, some of them twice over.
    parts = re.findall(r"\d+", date[8])
    fraction = parts[0] if parts else ""
    if len(parts) > 1 and len(fraction) <= 3:
        fraction = fraction.zfill(3) + parts[1].zfill(3)[:3]
    moment = (day_s + (hour * 60 + minute) * 60 + second) * 1_000_000 + int(fraction.ljust(6, "0")[:6] or 0)
    zone = date[10] or ""
    offset = _OFFSET.search(zone)
    if offset is not None:
        moment -= (-1 if offset[1] == "-" else 1) * (int(offset[2]) * 60 + int(offset[3] or 0)) * 60_000_000
    return moment, bool(zone)


def _day(date: re.Match[str]) -> int | None:
    """Seconds since 1970 at its midnight: the year first, or last behind the day (with dots) or what can't be a month."""
    first, mark, second, third = int(date[1]), date[2], int(date[3]), int(date[4])
    if len(date[1]) == 4 and len(date[4]) <= 2:
        year, month, day = first, second, third
    elif len(date[1]) <= 2 and len(date[4]) == 4 and (mark == "." or max(first, second) > 12):
        year, month, day = third, *((first, second) if second > 12 and mark != "." else (second, first))
    else:
        return None
    if not (1970 <= year <= 2200 and 1 <= month <= 12 and 1 <= day <= 31):
        return None
    return timegm((year, month, day, 0, 0, 0))


def of_timestamp(number: float) -> int:
    """Of seconds, thousandths or millionths of them since 1970; `NO_TIME` for what is no such count."""
    for factor in (1e6, 1e3, 1.0):
        if _FIRST_S <= number * factor / 1e6 <= _LAST_S:
            return round(number * factor)
    return NO_TIME

"""A date and time as standards write it, read without trust."""

from __future__ import annotations

import re
from datetime import datetime

from evidence.clock import micros
from evidence.telemetry import NO_TIME

_MOMENT = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?\s?(Z|[+-]\d{2}(?::?\d{2})?)?\s*",
    re.IGNORECASE,
)


def moment_of(said: str) -> tuple[int, bool]:
    """Microseconds since 1970-01-01, and whether the text names its zone; without one, as it reads. `NO_TIME` for what is
    no moment. A leap second is the second after it.

    Source: ISO 8601, RFC 3339.
    """
    match = _MOMENT.fullmatch(said)
    if match is None:
        return NO_TIME, False
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        moment = micros(datetime(year, month, day, hour, minute, min(second, 59)))
    except ValueError:
        return NO_TIME, False
    if second > 60:
        return NO_TIME, False
    moment += (second - min(second, 59)) * 1_000_000 + int((match[7] or "0").ljust(6, "0")[:6])
    zone = match[8] or ""
    if zone[:1] in ("+", "-"):
        hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
        moment -= (-1 if zone[0] == "-" else 1) * (hours * 60 + minutes) * 60_000_000
    return moment, bool(zone)

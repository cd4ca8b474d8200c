"""What a device says the time was, what it was in truth as far as is known, and how that is known: never mixed.

Every error is one that the truth stays within 95 times of 100.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evidence.telemetry import NO_TIME, Family, Telemetry, Zone

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

UNCHECKED_S = 60.0
"""A device clock that nobody checked: a minute, by assumption. Cameras set by hand or by a phone drift so far."""
SATELLITE_S = 1.0
"""A clock that runs by satellites: a second, for what lies between reading it and writing it into a file."""
HOUR_S = 3600.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC; of a moment without a zone, as it reads."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def from_micros(clock_us: int) -> datetime:
    """The moment so many microseconds after 1970-01-01 UTC."""
    return _EPOCH + timedelta(microseconds=clock_us)


class Evidence(StrEnum):
    """How it is known that a clock was wrong, and by how much."""

    SATELLITES = "satellite time in the telemetry"
    TRUSTED_CLOCK = "a trusted clock, filmed"
    EVENT = "the same event in another recording"
    TRACK = "the same way in another track"
    ZONE = "the zone of the device's clock, as stated"
    STATED = "a person's statement"


@dataclass(frozen=True, slots=True)
class ClockClaim:
    """A device's date and time at one moment, kept as it came.

    Units: `clock_us`: microseconds since 1970-01-01 in the zone that `zone` names.
    """

    clock_us: int
    zone: Zone
    device: str = ""
    satellites: bool = False
    """Whether the device says that it took the time from satellites."""

    def __str__(self) -> str:
        said = from_micros(self.clock_us).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        return f"{said} {self.zone.value}"


@dataclass(frozen=True, slots=True)
class Correction:
    """What is to be added to a claim, read as it stands, to get UTC. For a local claim that includes its zone.

    Units: seconds.
    """

    offset_s: float
    error_s: float
    evidence: Evidence
    words: str
    """The evidence in words: which clock was filmed, what it showed, who says so."""
    who: str = ""
    frame_us: int | None = None
    """The moment of the video that shows it, in microseconds of media time."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.offset_s) and math.isfinite(self.error_s) and self.error_s >= 0):
            raise ValueError("a correction is a finite number of seconds with an error that isn't negative")


class Corrected(NamedTuple):
    """A moment in UTC, how far it may be off, and on what it rests."""

    utc: datetime
    error_s: float
    words: str


def corrected(claim: ClockClaim, correction: Correction | None = None) -> Corrected:
    """The claim in UTC: by its correction, or else as the device says, local time being the United Kingdom's."""
    utc_us, error = corrected_us(np.array([claim.clock_us], np.int64), claim.zone, correction, claim.satellites)
    if correction is not None:
        words = f"corrected by {correction.offset_s:+.3f} s: {correction.evidence.value}"
    elif claim.zone is Zone.LOCAL:
        words = "assumed to be local time of the United Kingdom; the clock was not checked"
    else:
        words = "satellite time" if claim.satellites else "as the device says; the clock was not checked"
    return Corrected(from_micros(int(utc_us[0])), float(error[0]), words)


def corrected_us(
    clock_us: Integers, zone: Zone, correction: Correction | None = None, satellites: bool = False
) -> tuple[Integers, Floats]:
    """`corrected` for a column. Shape: (n,) to (n,) microseconds UTC (`NO_TIME` where none) and (n,) seconds (NaN there)."""
    known = clock_us != NO_TIME
    error = np.where(known, SATELLITE_S if satellites else UNCHECKED_S, np.nan)
    utc = clock_us.copy()
    if correction is not None:
        utc[known] += round(correction.offset_s * 1e6)
        error[known] = correction.error_s
    elif zone is Zone.LOCAL:
        ahead, unsure = london_ahead_s(clock_us[known])
        utc[known] -= ahead * 1_000_000
        error[known] += np.where(unsure, HOUR_S, 0.0)
    return utc, error


def by_satellites(telemetry: Telemetry) -> bool:
    """Whether the source's clock is set by satellites as its format says."""
    return satellites_set(telemetry.family, telemetry.zone)


def satellites_set(family: Family, zone: Zone) -> bool:
    """The same, of a source that isn't at hand."""
    return zone is Zone.UTC and family in (Family.MISB, Family.GPMF, Family.NMEA)


def london_ahead_s(local_us: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """How far British clocks were ahead of UTC at a local time, and whether that is unsure: in the hour that comes twice in
    October (summer time is taken) and in the hour that there is not in March (winter time is taken).

    Source: Summer Time Act 1972 as amended by the Summer Time Order 2002 (SI 2002/262): from one o'clock UTC on the last
        Sunday of March to one o'clock UTC on the last Sunday of October.
    """
    ahead, unsure = np.zeros(len(local_us), np.int64), np.zeros(len(local_us), bool)
    years = local_us.astype("datetime64[us]").astype("datetime64[Y]").astype(int) + 1970
    hour = int(HOUR_S * 1e6)
    for year in np.unique(years):
        here = years == year
        start, end = _last_sunday_us(int(year), 3) + hour, _last_sunday_us(int(year), 10) + hour
        local = local_us[here]
        ahead[here] = np.where((local >= start + hour) & (local < end + hour), int(HOUR_S), 0)
        unsure[here] = ((local >= start) & (local < start + hour)) | ((local >= end) & (local < end + hour))
    return ahead, unsure


def _last_sunday_us(year: int, month: int) -> int:
    last = datetime(year, month, 31, tzinfo=UTC)
    sunday = last - timedelta(days=(last.weekday() + 1) % 7)
    return micros(sunday)


def filmed(claim: ClockClaim, shown: datetime, error_s: float, words: str, who: str, frame_us: int) -> Correction:
    """The correction from a trusted clock that is seen in the picture at a frame where the device claims `claim`.

    Raises: ValueError when `shown` has no zone.
    """
    if shown.tzinfo is None:
        raise ValueError("the time that the clock shows needs a zone")
    offset = (shown - from_micros(claim.clock_us)).total_seconds()
    return Correction(offset, error_s, Evidence.TRUSTED_CLOCK, words, who, frame_us)


def in_zone(ahead_s: float, who: str, words: str) -> Correction:
    """The correction that states a clock's zone: so many seconds ahead of UTC. The clock itself stays unchecked."""
    return Correction(-ahead_s, UNCHECKED_S, Evidence.ZONE, words, who)


def composed(to_other: Correction, others: Correction) -> Correction:
    """From one device over another: what brings this clock to that one's, and that one's to UTC."""
    words = f"{to_other.words}; {others.words}"
    error = math.hypot(to_other.error_s, others.error_s)
    return Correction(to_other.offset_s + others.offset_s, error, to_other.evidence, words, to_other.who, to_other.frame_us)

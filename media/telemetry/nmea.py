"""NMEA 0183: the sentences of a receiver, as loggers and body-worn cameras keep them, by pynmea2.

Source: NMEA 0183 as pynmea2's sentence types have it; GGA, RMC, GLL, GNS, GST, GSA, VTG and ZDA are used.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pynmea2

from evidence.clock import micros
from evidence.errors import TooLarge, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Quantity, Telemetry, Zone
from media.telemetry.rows import MAX_ROWS, Rows, elapsed_of
from media.telemetry.srt import decoded

MAX_BYTES = 64 * 1024 * 1024
"""Ten hours of a receiver that writes eight sentences five times a second."""

_SENTENCE = re.compile(r"\$([A-Z]{2}[A-Z]{3}),([^$*\r\n]{0,160})(?:\*([0-9A-Fa-f]{2}))?")
_CHECKED = re.compile(r"\$[A-Z]{5},[^$*\r\n]{0,160}\*[0-9A-Fa-f]{2}")
_KNOT_MPS = 1852 / 3600
_METRES_PER_DILUTION = 5.0
_DAY_US = 86_400 * 1_000_000
_HALF_DAY_US = _DAY_US // 2
_OLDEST = 2005
"""Nobody filmed with a receiver of theirs before; a receiver whose week count rolled over says so (1024 weeks back)."""
_NO_MODES = {"E": "dead reckoning", "M": "a position typed in", "S": "a simulator"}

Q = Quantity


@dataclass
class _Epoch:
    """Everything said about one moment."""

    of_day_us: int | None = None
    values: dict[Quantity, float] = field(default_factory=dict)
    fix: bool = False
    dilution: float = math.nan

    @property
    def said(self) -> bool:
        return self.of_day_us is not None or bool(self.values)


@dataclass
class _Reading:
    epochs: list[_Epoch] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    """Microseconds since the first day's midnight; the days are counted as the time of day starts over."""
    day_of: list[tuple[int, int]] = field(default_factory=list)
    """From which epoch on which date holds: (epoch, when the first day began, in microseconds since 1970)."""
    counts: Counter[str] = field(default_factory=Counter)
    talkers: Counter[str] = field(default_factory=Counter)
    guessed: bool = False
    epoch: _Epoch = field(default_factory=_Epoch)
    days: int = 0

    def moment(self, of_day_us: int) -> None:
        """A sentence with its own time starts a new epoch when the time is another."""
        if self.epoch.of_day_us is not None and self.epoch.of_day_us != of_day_us:
            self.close()
        self.epoch.of_day_us = of_day_us

    def close(self) -> None:
        epoch, self.epoch = self.epoch, _Epoch()
        if not epoch.said or len(self.epochs) > MAX_ROWS:
            return
        now = epoch.of_day_us
        last = self.ticks[-1] if self.ticks else None
        if now is None:
            tick = last or 0
        else:
            if last is not None and now + self.days * _DAY_US < last - _HALF_DAY_US:
                self.days += 1
            tick = now + self.days * _DAY_US
        if Q.ACCURACY_HORIZONTAL not in epoch.values and 0 < epoch.dilution < 99:
            epoch.values[Q.ACCURACY_HORIZONTAL] = epoch.dilution * _METRES_PER_DILUTION
            self.guessed = True
        self.ticks.append(tick)
        self.epochs.append(epoch)

    def on(self, day: date) -> None:
        """The date of the epoch that is open."""
        last = self.ticks[-1] if self.ticks else None
        now = self.epoch.of_day_us or 0
        over = last is not None and now + self.days * _DAY_US < last - _HALF_DAY_US
        zero = micros(datetime.combine(day, time(), UTC)) - (self.days + over) * _DAY_US
        if not self.day_of or self.day_of[-1][1] != zero:
            self.day_of.append((len(self.ticks), zero))


def read_bytes(data: bytes, name: str = "the file") -> Telemetry:
    """One fix for each moment of which the receiver spoke.

    Raises: TooLarge, UnsupportedMedia.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{name} is larger than the {MAX_BYTES:,} bytes of NMEA that are read here")
    reading = _Reading()
    text = decoded(data)
    for sentence in _sentences(text, reading.counts, proven=_CHECKED.search(text) is not None):
        taking = _TAKEN.get(sentence.sentence_type)
        if taking is not None:
            reading.talkers[sentence.talker] += 1
            taking(sentence, reading)
    reading.close()
    if not reading.epochs:
        raise UnsupportedMedia(f"{name} has no NMEA sentence that says where or when: {'; '.join(_said(reading)) or 'none'}")
    return _telemetry(reading)


def _sentences(text: str, counts: Counter[str], *, proven: bool) -> Iterator[Any]:
    """Those with a right checksum, whatever a logger wrote before them on the line; all of a logger that took the checksums
    off (`proven` False)."""
    for match in _SENTENCE.finditer(text):
        if match[3] is None:
            counts["no checksum" if proven else "unproven"] += 1
            if proven:
                continue
        try:
            sentence = pynmea2.parse(match[0], check=proven)
        except pynmea2.ChecksumError:
            counts["wrong checksum"] += 1
        except (pynmea2.ParseError, ValueError, TypeError, IndexError):
            counts["odd"] += 1
        else:
            if isinstance(sentence, pynmea2.TalkerSentence):
                yield sentence


def _telemetry(reading: _Reading) -> Telemetry:
    clocks = _clocks(reading)
    elapsed = elapsed_of(np.array(clocks if reading.day_of else reading.ticks, np.int64))
    rows = Rows()
    for epoch, clock, at in zip(reading.epochs, clocks, elapsed.tolist(), strict=True):
        rows.add(epoch.values, clock_us=clock, elapsed_us=at, fix=epoch.fix)
    certainty = {Q.ACCURACY_HORIZONTAL: Certainty.ESTIMATED} if reading.guessed else {}
    talkers = "+".join(sorted(reading.talkers))
    return rows.telemetry(
        Family.NMEA, f"NMEA 0183 {talkers}".strip(), zone=Zone.UTC, certainty=certainty, warnings=_said(reading)
    )


def _clocks(reading: _Reading) -> list[int]:
    """A date holds until the next one; before the first, the first holds back."""
    if not reading.day_of:
        return [NO_TIME] * len(reading.ticks)
    found, which = [], 0
    for row, tick in enumerate(reading.ticks):
        while which + 1 < len(reading.day_of) and reading.day_of[which + 1][0] <= row:
            which += 1
        found.append(reading.day_of[which][1] + tick)
    return found


def _said(reading: _Reading) -> list[str]:
    counts = reading.counts
    said = []
    for key, words in (
        ("wrong checksum", "sentences with a wrong checksum were left out"),
        ("no checksum", "sentences without a checksum were left out"),
        ("unproven", "sentences were read unproven: not one has a checksum"),
        ("odd", "sentences could not be read"),
    ):
        if counts[key]:
            said.append(f"{counts[key]} {words}")
    for mode, words in _NO_MODES.items():
        if counts[f"mode {mode}"]:
            said.append(f"{counts[f'mode {mode}']} positions come from {words}, not from satellites")
    if reading.epochs and not reading.day_of:
        said.append("no sentence has a date: only the time of day is known")
    elif any(zero < micros(datetime(_OLDEST, 1, 1, tzinfo=UTC)) for _, zero in reading.day_of):
        said.append(f"dates before {_OLDEST}: the receiver's count of weeks may have rolled over (1024 weeks back)")
    return said


def _number(sentence: Any, name: str) -> float:
    try:
        return float(getattr(sentence, name))
    except (AttributeError, TypeError, ValueError):
        return math.nan


def _time(sentence: Any, reading: _Reading) -> None:
    said = getattr(sentence, "timestamp", None)
    if isinstance(said, time):
        reading.moment(((said.hour * 60 + said.minute) * 60 + said.second) * 1_000_000 + said.microsecond)


def _place(sentence: Any, reading: _Reading, *, valid: bool) -> None:
    """Of several systems that speak of one moment, the first with a fix is taken."""
    if not valid or reading.epoch.fix:
        return
    try:
        latitude, longitude = float(sentence.latitude), float(sentence.longitude)
    except (AttributeError, TypeError, ValueError):
        return
    if sentence.lat_dir in ("N", "S") and sentence.lon_dir in ("E", "W"):
        reading.epoch.values[Q.LATITUDE], reading.epoch.values[Q.LONGITUDE] = latitude, longitude
        reading.epoch.fix = True


def _set(reading: _Reading, quantity: Quantity, value: float) -> None:
    if math.isfinite(value):
        reading.epoch.values.setdefault(quantity, value)


def _mode(letter: object, reading: _Reading) -> bool:
    if letter in _NO_MODES:
        reading.counts[f"mode {letter}"] += 1
    return letter != "N"


def _gga(sentence: Any, reading: _Reading) -> None:
    _time(sentence, reading)
    quality, satellites = _number(sentence, "gps_qual"), _number(sentence, "num_sats")
    valid = quality > 0 and satellites != 0
    _mode({6: "E", 7: "M", 8: "S"}.get(int(quality) if math.isfinite(quality) else 0), reading)
    _place(sentence, reading, valid=valid)
    if valid:
        height, geoid = _number(sentence, "altitude"), _number(sentence, "geo_sep")
        _set(reading, Q.HEIGHT_SEA, height)
        _set(reading, Q.HEIGHT_ELLIPSOID, height + geoid)
        reading.epoch.dilution = _number(sentence, "horizontal_dil")


def _rmc(sentence: Any, reading: _Reading) -> None:
    _time(sentence, reading)
    said = getattr(sentence, "datestamp", None)
    if isinstance(said, date):
        reading.on(said)
    valid = getattr(sentence, "status", "") == "A" and _mode(getattr(sentence, "mode_indicator", ""), reading)
    _place(sentence, reading, valid=valid)
    if valid:
        _set(reading, Q.SPEED, _number(sentence, "spd_over_grnd") * _KNOT_MPS)
        _set(reading, Q.COURSE, _number(sentence, "true_course"))


def _gll(sentence: Any, reading: _Reading) -> None:
    _time(sentence, reading)
    _place(sentence, reading, valid=getattr(sentence, "status", "") == "A")


def _gns(sentence: Any, reading: _Reading) -> None:
    _time(sentence, reading)
    modes = set(str(getattr(sentence, "mode_indicator", "") or "N"))
    valid = modes != {"N"}
    if modes <= {"N", *_NO_MODES}:
        for letter in sorted(modes - {"N"}):
            _mode(letter, reading)
    _place(sentence, reading, valid=valid)
    if valid:
        height, geoid = _number(sentence, "altitude"), _number(sentence, "geo_sep")
        _set(reading, Q.HEIGHT_SEA, height)
        _set(reading, Q.HEIGHT_ELLIPSOID, height + geoid)
        reading.epoch.dilution = _number(sentence, "hdop")


def _gst(sentence: Any, reading: _Reading) -> None:
    """Deviations to the north and to the east, of which the mean is one axis's."""
    _time(sentence, reading)
    north, east = _number(sentence, "std_dev_latitude"), _number(sentence, "std_dev_longitude")
    _set(reading, Q.ACCURACY_HORIZONTAL, math.sqrt((north * north + east * east) / 2))
    _set(reading, Q.ACCURACY_VERTICAL, _number(sentence, "std_dev_altitude"))


def _gsa(sentence: Any, reading: _Reading) -> None:
    """One for each system of satellites: what GGA or GNS says of all of them comes first, and 99.99 is none."""
    dilution = _number(sentence, "hdop")
    if reading.epoch.said and not 0 < reading.epoch.dilution < 99 and 0 < dilution < 99:
        reading.epoch.dilution = dilution


def _vtg(sentence: Any, reading: _Reading) -> None:
    if reading.epoch.said:
        _set(reading, Q.COURSE, _number(sentence, "true_track"))
        _set(reading, Q.SPEED, _number(sentence, "spd_over_grnd_kmph") / 3.6)
        _set(reading, Q.SPEED, _number(sentence, "spd_over_grnd_kts") * _KNOT_MPS)


def _zda(sentence: Any, reading: _Reading) -> None:
    _time(sentence, reading)
    year, month, day = (_number(sentence, name) for name in ("year", "month", "day"))
    try:
        reading.on(date(int(year), int(month), int(day)))
    except (ValueError, OverflowError):
        return


_TAKEN: dict[str, Callable[[Any, _Reading], None]] = {
    "GGA": _gga, "RMC": _rmc, "GLL": _gll, "GNS": _gns, "GST": _gst, "GSA": _gsa, "VTG": _vtg, "ZDA": _zda,
}  # fmt: skip

"""The form under "Correct a clock": whose clock, how it is known to be wrong, and to within what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from pydantic import BaseModel

from evidence.clock import ClockClaim, Correction, Evidence, corrected, filmed, from_micros, in_zone
from evidence.mediatime import read_clock
from evidence.telemetry import Zone
from web.pages.rendering import from_uk_time

HOW = {
    "filmed": "A trusted clock was filmed",
    "zone": "Its zone is known",
    "seconds": "It is known by how much it was wrong",
}
SHOWN_IN = {"uk": "UK time", "utc": "UTC"}
KNOWN_FROM = {
    Evidence.EVENT.value: "The same event is in another recording",
    Evidence.TRACK.value: "The same way is in another track",
    Evidence.STATED.value: "Somebody says so",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_WORDS = 1000
_FIRST_YEAR, _LAST_YEAR = 1980, 2200
_DAYS_S = 100 * 366 * 86400.0
_FARTHEST_ZONE_H = 14.0
"""Source: IANA time zone database: Pacific/Kiritimati, the zone furthest ahead of UTC."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that can be corrected, with what it said along its exhibit's time line.

    Units: microseconds: of media time, and since 1970 by the clock.
    """

    exhibit_id: str
    claim: str
    """A source's family, or `storage.ledger.places.FILE_CLOCK`."""
    name: str
    device: str
    zone: Zone
    satellites: bool
    said: Sequence[tuple[int, int]]

    @property
    def key(self) -> str:
        return f"{self.exhibit_id}:{self.claim}"

    def at(self, media_us: int) -> ClockClaim:
        """What it said at that moment, counted on from the nearest moment at which it said something."""
        nearest_us, clock_us = min(self.said, key=lambda pair: abs(pair[0] - media_us))
        return ClockClaim(clock_us + media_us - nearest_us, self.zone, self.device, self.satellites)


class ClockForm(BaseModel):
    """As it was typed: nothing is refused before `read`, so that the page can show it again."""

    clock: str = ""
    how: str = ""
    at: str = ""
    shown: str = ""
    shown_in: str = "uk"
    ahead: str = ""
    seconds: str = ""
    known_from: str = Evidence.STATED.value
    within: str = ""
    because: str = ""

    def read(
        self, clocks: Mapping[str, Clock], who: str, clock_zero: Fraction
    ) -> tuple[tuple[Clock, Correction] | None, dict[str, str]]:
        """The clock and its correction, or what is wrong by field.

        `clock_zero`: the moment of the exhibit's time line at which the player's clock shows zero. Units: seconds.
        """
        errors: dict[str, str] = {}
        clock = clocks.get(self.clock)
        if clock is None:
            errors["clock"] = "Choose the clock"
        if self.how not in HOW:
            errors["how"] = "Choose how it is known"
        words = " ".join(self.because.split())
        if not words:
            errors["because"] = "Enter on what this rests, such as whose clock was filmed"
        elif len(words) > _LONGEST_WORDS:
            errors["because"] = f"This must be {_LONGEST_WORDS} characters or fewer"
        within = 0.0
        if self.how in {"filmed", "seconds"}:
            within = _number(self.within, 0, _DAYS_S, "within", "Enter within how many seconds it is right", errors)
        correction = None
        if self.how == "filmed":
            correction = self._filmed(clock, words, who, within, clock_zero, errors)
        elif self.how == "zone":
            hours = _number(
                self.ahead, -_FARTHEST_ZONE_H, _FARTHEST_ZONE_H, "ahead", "Enter hours, such as 0, 1 or -5", errors
            )
            correction = in_zone(hours * 3600, who, words)
        elif self.how == "seconds":
            correction = self._by_seconds(clock, words, who, within, errors)
        if errors or clock is None or correction is None:
            return None, errors
        return (clock, correction), {}

    def _filmed(
        self, clock: Clock | None, words: str, who: str, within: float, clock_zero: Fraction, errors: dict[str, str]
    ) -> Correction | None:
        at, shown = Fraction(0), EPOCH
        try:
            at = read_clock(self.at)
        except ValueError:
            errors["at"] = "Enter the moment of the player, such as 1:02.5"
        try:
            shown = from_uk_time(self.shown)
            if self.shown_in == "utc":
                shown = datetime.fromisoformat(self.shown.strip()).replace(tzinfo=UTC)
            if not _FIRST_YEAR <= shown.year <= _LAST_YEAR:
                raise ValueError(f"nothing was filmed in {shown.year}")
        except (ValueError, OverflowError):
            errors["shown"] = "Enter the date and time that it showed, such as 2026-11-24 22:00:03"
        if errors or clock is None:
            return None
        media_us = round((at + clock_zero) * 1_000_000)
        return filmed(clock.at(media_us), shown, within, words, who, media_us)

    def _by_seconds(
        self, clock: Clock | None, words: str, who: str, within: float, errors: dict[str, str]
    ) -> Correction | None:
        """Seconds behind: to be added to what the clock is taken for without a correction."""
        behind = _number(
            self.seconds, -_DAYS_S, _DAYS_S, "seconds", "Enter seconds, such as 12.5, or -12.5 where it was fast", errors
        )
        if self.known_from not in KNOWN_FROM:
            errors["known_from"] = "Choose how it is known"
        if errors or clock is None:
            return None
        claim = clock.at(clock.said[0][0])
        taken_for = corrected(claim).utc - from_micros(claim.clock_us)
        return Correction(taken_for.total_seconds() + behind, within, Evidence(self.known_from), words, who)


def _number(text: str, low: float, high: float, field: str, words: str, errors: dict[str, str]) -> float:
    try:
        value = float(text.strip().replace("−", "-"))
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        errors[field] = words
        return 0.0
    return value

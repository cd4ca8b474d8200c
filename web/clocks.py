"""How far the clocks of a case's recordings lie apart, as their common ways and events show it.

Each act with its permission and its AuditEvent, as in `web.actions`. Raises (all): NotAllowed, NotFound, Unavailable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from evidence.case import Act
from evidence.clock import Corrected, corrected_us, from_micros, micros
from evidence.errors import BadInput
from evidence.exhibit import Exhibit
from evidence.lag import Disagreement, Way, by_events, by_way, moment_at
from evidence.places import FILE_CLOCK
from evidence.telemetry import NO_TIME, Zone
from storage.index.corrections import newest
from storage.index.places import Source
from storage.ledger.people import SignedIn
from web.actions import looked
from web.context import Context
from web.permission import acts_on_exhibit, find_case, find_exhibit, require_for_some
from web.places import SourceSeen, sources_seen

_MOST_PAIRS = 500
"""Of one case: a second or two of work."""
_MOST_EVENTS = 50
_LONGEST_S = 10**7
_HOW = "Give events=12.5,40.2;31,58.8: the seconds in this and in the other recording, one pair an event."


@dataclass(frozen=True, slots=True)
class Apart:
    """Two clocks, and how far the second is ahead of the first, each as it is corrected now."""

    first: Exhibit
    first_clock: str
    """A source's family, or `evidence.places.FILE_CLOCK`."""
    second: Exhibit
    second_clock: str
    found: Disagreement


@dataclass(frozen=True, slots=True)
class _Clock:
    """One that tells a time at one of its moments at least. Shape: (n,) each; `latlon_deg`: (n, 2)."""

    exhibit: Exhibit
    name: str
    at_us: npt.NDArray[np.int64]
    utc_us: npt.NDArray[np.int64]
    error_s: float
    latlon_deg: npt.NDArray[np.float64]

    def way(self) -> Way:
        return Way(self.utc_us, self.latlon_deg, self.error_s)

    def at(self, media_us: int) -> Corrected:
        utc_us = moment_at(self.at_us, self.utc_us, media_us)
        return Corrected(from_micros(utc_us), self.error_s, self.name)


def by_ways(context: Context, who: SignedIn, case_id: str) -> tuple[Sequence[Apart], bool]:
    """Every two recordings of the case that went the same way, those that contradict each other first; and whether there
    were too many to compare them all."""
    case = find_case(context, who, Act.SEE_CASE, case_id)
    require_for_some(context, who, Act.SEE_EXHIBIT)
    looked(context, who, f"clocks:{case.id}", case_id=case.id)
    clocks: dict[tuple[str, str], _Clock] = {}
    for exhibit in context.index.exhibits_of(case.id):
        if Act.SEE_EXHIBIT in acts_on_exhibit(context, who, exhibit):
            for source, clock in _clocks(context, who, exhibit):
                # What a sidecar says is told once: of its video, or else of itself.
                if source.carrier_id != exhibit.id or (source.carrier_id, clock.name) not in clocks:
                    clocks[source.carrier_id, clock.name] = clock
    pairs = list(combinations(clocks.values(), 2))
    found = [apart for one, other in pairs[:_MOST_PAIRS] if (apart := _by_way(one, other)) is not None]
    found.sort(key=lambda a: (not a.found.contradicts, -abs(a.found.offset_s), a.first.reference, a.second.reference))
    return found, len(pairs) > _MOST_PAIRS


def against(
    context: Context, who: SignedIn, exhibit_id: str, other_id: str, events_us: Sequence[tuple[int, int]] = ()
) -> Sequence[Apart]:
    """Two recordings: by events that both show, each at a moment of media time in the first and in the second; without any,
    by the ways that both went, as far as they are one.

    Raises: BadInput with too many events, and where one of the two tells no time.
    """
    one, other = (find_exhibit(context, who, Act.SEE_EXHIBIT, id) for id in (exhibit_id, other_id))
    for exhibit in (one, other):
        looked(context, who, f"clocks:{exhibit.id}", exhibit=exhibit)
    if not events_us:
        here, there = ([clock for _, clock in _clocks(context, who, exhibit)] for exhibit in (one, other))
        return [apart for a, b in product(here, there) if (apart := _by_way(a, b)) is not None]
    if one.id == other.id or len(events_us) > _MOST_EVENTS:
        raise BadInput(f"two recordings and at most {_MOST_EVENTS} events that both show are needed", hint=_HOW)
    first, second = (_one_clock(context, who, exhibit) for exhibit in (one, other))
    pairs = [(first.at(moment), second.at(moment_there)) for moment, moment_there in events_us]
    return [Apart(one, first.name, other, second.name, by_events(pairs))]


def _by_way(one: _Clock, other: _Clock) -> Apart | None:
    if one.exhibit.id == other.exhibit.id:
        return None
    found = by_way(one.way(), other.way())
    return None if found is None else Apart(one.exhibit, one.name, other.exhibit, other.name, found)


def _clocks(context: Context, who: SignedIn, exhibit: Exhibit) -> list[tuple[Source, _Clock]]:
    seen = sources_seen(context, who, exhibit)
    return [(one.source, _of_source(exhibit, one)) for one in seen if (one.utc_us != NO_TIME).any()]


def _of_source(exhibit: Exhibit, seen: SourceSeen) -> _Clock:
    places = [(fix.latitude, fix.longitude) for fix in seen.fixes]
    latlon = np.array([[np.nan if value is None else value for value in place] for place in places], np.float64)
    at_us = np.array([fix.at_us for fix in seen.fixes], np.int64)
    error_s = float(np.nanmax(seen.utc_error_s))
    return _Clock(exhibit, seen.source.family.value, at_us, seen.utc_us, error_s, latlon.reshape(-1, 2))


def _one_clock(context: Context, who: SignedIn, exhibit: Exhibit) -> _Clock:
    """The clock that is known best: of a source, or else what is claimed of the file."""
    clocks = [clock for _, clock in _clocks(context, who, exhibit)]
    if clocks:
        return min(clocks, key=lambda clock: clock.error_s)
    start = exhibit.captured_at or (exhibit.media.claimed_capture_time if exhibit.media else None)
    if start is None:
        raise BadInput(
            f"{exhibit.reference} tells no time", hint="Correct its clock first: from a trusted clock that it shows."
        )
    correction = newest(context.index.corrections([exhibit.id])).get((exhibit.id, FILE_CLOCK))
    claim_us = np.array([micros(start)], np.int64)
    utc_us, error_s = corrected_us(claim_us, Zone.UTC, correction)
    return _Clock(exhibit, FILE_CLOCK, np.zeros(1, np.int64), utc_us, float(error_s[0]), np.full((1, 2), np.nan))


def events_asked(text: str) -> list[tuple[int, int]]:
    """`12.5,40.2;31,58.8` in microseconds. Raises: BadInput."""
    found = []
    for pair in text.strip().strip(";").split(";"):
        try:
            here, there = (float(number) for number in pair.split(","))
            if not (abs(here) <= _LONGEST_S and abs(there) <= _LONGEST_S):
                raise ValueError("longer than any recording")
        except ValueError:
            raise BadInput(f"{pair[:80]!r} is no event of two recordings", hint=_HOW) from None
        found.append((round(here * 1_000_000), round(there * 1_000_000)))
    return found

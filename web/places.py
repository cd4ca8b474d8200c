"""Places as people ask for them: an exhibit's fixes and footprints, who filmed a spot, pairs, and corrections of clocks.

Each act with its permission and its AuditEvent, as in `web.actions`. Raises (all): NotAllowed, NotFound, Unavailable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evidence.audit import Verb
from evidence.case import Act
from evidence.clock import Correction, corrected_us, satellites_set
from evidence.errors import BadInput
from evidence.exhibit import Exhibit, ExhibitId
from evidence.places import FILE_CLOCK, Shape
from evidence.steps import SIDECARS
from evidence.telemetry import NO_TIME, Family
from storage.index import Query, Seen
from storage.index.corrections import CorrectionRow, newest
from storage.index.places import Fix, LocatedRow, Pair, Source
from storage.ledger.people import SignedIn
from web.actions import case_asked_for, looked
from web.context import Context
from web.permission import acts_on_exhibit, find_exhibit, require_for_some

_LONGEST_OFFSET_US = 400 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """A source with what lies in it, row i of fixes and times together, about one a second or `every_s`.

    `utc_us`: by the corrected clock, `NO_TIME` where the device tells none; `seconds`: records of `storage.blocks.SECOND`.
    """

    source: Source
    fixes: Sequence[Fix]
    utc_us: npt.NDArray[np.int64]
    utc_error_s: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class PlacesSeen:
    exhibit: Exhibit
    sources: Sequence[SourceSeen]
    located: Sequence[LocatedRow]


def places(context: Context, who: SignedIn, exhibit_id: str, *, every_s: int = 1) -> PlacesSeen:
    """Where an exhibit was and what it looked at, from those of its sources whose file he may see."""
    exhibit = find_exhibit(context, who, Act.SEE_EXHIBIT, exhibit_id)
    looked(context, who, f"fixes:{exhibit.id}", exhibit=exhibit)
    return PlacesSeen(exhibit, sources_seen(context, who, exhibit, every_s), context.index.located(exhibit.id))


def sources_seen(context: Context, who: SignedIn, exhibit: Exhibit, every_s: int = 1) -> list[SourceSeen]:
    """Of an exhibit that he may see, those sources whose file he may see too. Whoever asks has it logged."""
    sources = context.index.sources(exhibit.id, seen_by=who.user)
    corrections = newest(context.index.corrections([source.carrier_id for source in sources]))
    return [_source_seen(context, source, corrections, every_s) for source in sources]


def sightings(context: Context, who: SignedIn, shape: Shape, query: Query, case: str = "") -> Sequence[Seen]:
    """What he may watch that covered that place, best first; `case` is a reference or an id of a case that he may see."""
    require_for_some(context, who, Act.SEE_EXHIBIT)
    query = case_asked_for(context, who, query, case)
    found = context.index.sightings(who.user, shape, query)
    asked = {
        "place": shape.words,
        "labels": list(query.labels),
        "kind": query.kind,
        "from": query.after.isoformat() if query.after else None,
        "to": query.before.isoformat() if query.before else None,
        "offset": query.offset,
    }
    context.ledger.viewings.record(who.user.name, Verb.SEARCHED, case_id=query.case_id, details=asked)
    return found


def pairs(context: Context, who: SignedIn, exhibit_id: str) -> Sequence[Pair]:
    """Its sidecars, or the videos that it belongs to, as far as he may see them."""
    exhibit = find_exhibit(context, who, Act.SEE_EXHIBIT, exhibit_id)
    looked(context, who, f"exhibit:{exhibit.id}", exhibit=exhibit)
    return [
        pair
        for pair in context.index.pairs(exhibit.id)
        if Act.SEE_EXHIBIT in acts_on_exhibit(context, who, pair.sidecar if pair.video.id == exhibit.id else pair.video)
    ]


def pair(context: Context, who: SignedIn, exhibit_id: str, other_id: str, *, offset_us: int | None = None) -> None:
    """Say that a sidecar and a video, given in any order, belong together; the video is located again.

    `offset_us`: to be added to the sidecar's time, None: by its format or by the clocks. Raises: BadInput, Conflict.
    """
    if offset_us is not None and abs(offset_us) > _LONGEST_OFFSET_US:
        raise BadInput("the two time lines can't be that far apart", hint="Give the seconds to add to the sidecar's time.")
    sidecar, video = _both(context, who, exhibit_id, other_id)
    ready = context.ledger.places.pair(who.user, sidecar, video, offset_us=offset_us)
    context.bell.ring(ready)


def unpair(context: Context, who: SignedIn, exhibit_id: str, other_id: str) -> None:
    """Say that they don't belong together, which stays so. Raises: Conflict when they are no pair."""
    sidecar, video = _both(context, who, exhibit_id, other_id)
    ready = context.ledger.places.unpair(who.user, sidecar, video)
    context.bell.ring(ready)


def corrections(context: Context, who: SignedIn, exhibit_id: str) -> Sequence[CorrectionRow]:
    """Every correction of this exhibit's clocks, oldest first; of each clock the last one counts."""
    exhibit = find_exhibit(context, who, Act.SEE_EXHIBIT, exhibit_id)
    looked(context, who, f"exhibit:{exhibit.id}", exhibit=exhibit)
    return context.index.corrections([exhibit.id])


def correct_clock(context: Context, who: SignedIn, exhibit_id: str, claim: str, correction: Correction) -> None:
    """Say by how much a clock in this exhibit's own file was off: `claim` is a source's family, or FILE_CLOCK.

    Raises: BadInput for a clock that there is none of.
    """
    exhibit = find_exhibit(context, who, Act.PROCESS, exhibit_id)
    if claim not in {FILE_CLOCK, *(family.value for family in Family)}:
        known = ", ".join([FILE_CLOCK, *(family.value for family in Family)])
        raise BadInput(f"there is no clock {claim[:40]!r}", hint=f"Choose one of: {known}.")
    ready = context.ledger.places.correct_clock(who.user, exhibit.id, claim, correction)
    context.bell.ring(ready)


def _both(context: Context, who: SignedIn, exhibit_id: str, other_id: str) -> tuple[ExhibitId, ExhibitId]:
    one = find_exhibit(context, who, Act.PROCESS, exhibit_id)
    other = find_exhibit(context, who, Act.PROCESS, other_id)
    return (one.id, other.id) if one.file_type in SIDECARS else (other.id, one.id)


def _source_seen(context: Context, source: Source, known: Mapping[tuple[str, str], Correction], every_s: int) -> SourceSeen:
    fixes = context.index.fixes(source.id)
    seconds = context.index.seconds(source.id)
    if every_s > 1:
        kept = _every([fix.at_us for fix in fixes], every_s)
        fixes, seconds = [fixes[row] for row in kept], seconds[_every(seconds["at_us"].tolist(), every_s)]
    clock = np.array([NO_TIME if fix.clock_us is None else fix.clock_us for fix in fixes], np.int64)
    correction = known.get((source.carrier_id, source.family.value))
    utc, error = corrected_us(clock, source.zone, correction, satellites_set(source.family, source.zone))
    return SourceSeen(source, fixes, utc, error, seconds)


def _every(at_us: Sequence[int], every_s: int) -> npt.NDArray[np.int64]:
    """The first row of each period."""
    _, first = np.unique(np.asarray(at_us, np.int64) // (every_s * 1_000_000), return_index=True)
    return np.asarray(first, np.int64)

"""When exhibits were filmed: the clock that is known best, what it says at the start, and that as it is corrected now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, DateTime, cast, func, select

from evidence.clock import ClockClaim, Corrected, Correction, corrected, micros, satellites_set
from evidence.exhibit import ExhibitId
from evidence.places import FILE_CLOCK
from evidence.telemetry import Family, Zone
from storage.index.corrections import corrections, newest
from storage.place_tables import clock_corrections, telemetry_sources
from storage.rows import AnyRow
from storage.tables import exhibits

# What the uploader claims goes before what the container claims.
CLAIMED = func.coalesce(
    exhibits.c.captured_at, cast(exhibits.c.media["claimed_capture_time"].astext, DateTime(timezone=True))
)


@dataclass(frozen=True, slots=True)
class Filmed:
    """The start of an exhibit's time line by one of its clocks."""

    clock: str
    """A source's family, or `evidence.places.FILE_CLOCK`: what the uploader or the file claims."""
    claim: ClockClaim
    start: Corrected
    checked: bool
    """Whether its claim was corrected, or comes from satellites; else it is merely read as UTC."""

    def at(self, seconds: float) -> datetime:
        """UTC so many seconds of media time later."""
        return self.start.utc + timedelta(seconds=seconds)

    def claimed_at(self, seconds: float) -> str:
        """What the clock itself says there, with its zone."""
        there = self.claim.clock_us + round(seconds * 1_000_000)
        return str(ClockClaim(there, self.claim.zone, self.claim.device, self.claim.satellites))


def filmed(
    connection: Connection, wanted: ColumnElement[bool], reach: ColumnElement[bool] | None = None
) -> Mapping[ExhibitId, Filmed]:
    """Of the exhibits that this condition is for, those of which anybody tells when they were filmed.

    `reach`: which exhibits' files may be asked, as a condition on `exhibits`; None: all. Of several clocks the one with the
    smallest error counts, telemetry's before what is claimed of the file.
    """
    ids = select(exhibits.c.id).where(wanted)
    sources = (
        select(telemetry_sources)
        .where(telemetry_sources.c.exhibit_id.in_(ids), telemetry_sources.c.clock_first_us.is_not(None))
        .order_by(telemetry_sources.c.exhibit_id, telemetry_sources.c.number)
    )
    if reach is not None:
        sources = sources.where(telemetry_sources.c.carrier_id.in_(select(exhibits.c.id).where(reach)))
    told = connection.execute(sources).all()
    claims = connection.execute(select(exhibits.c.id, CLAIMED.label("claimed")).where(wanted, CLAIMED.is_not(None))).all()
    carriers = {row.carrier_id for row in told}
    about = clock_corrections.c.exhibit_id.in_(ids) | clock_corrections.c.exhibit_id.in_(carriers)
    known = newest(corrections(connection, about))
    found: dict[ExhibitId, Filmed] = {}
    for row in told:
        _best(found, row.exhibit_id, _of_source(row, known.get((row.carrier_id, row.family))))
    for row in claims:
        claim, correction = ClockClaim(micros(row.claimed), Zone.UTC), known.get((row.id, FILE_CLOCK))
        _best(found, row.id, Filmed(FILE_CLOCK, claim, corrected(claim, correction), correction is not None))
    return found


def _best(found: dict[ExhibitId, Filmed], exhibit_id: ExhibitId, one: Filmed) -> None:
    if exhibit_id not in found or one.start.error_s < found[exhibit_id].start.error_s:
        found[exhibit_id] = one


def _of_source(row: AnyRow, correction: Correction | None) -> Filmed:
    family, zone = Family(row.family), Zone(row.zone)
    satellites = satellites_set(family, zone)
    first = ClockClaim(row.clock_first_us, zone, row.device, satellites)
    utc, error_s, words = corrected(first, correction)
    before = timedelta(microseconds=row.first_us or 0)
    claim = ClockClaim(row.clock_first_us - (row.first_us or 0), zone, row.device, satellites)
    checked = correction is not None or satellites
    return Filmed(family.value, claim, Corrected(utc - before, error_s, words), checked)

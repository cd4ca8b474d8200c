"""Corrections of clocks as the database has them: of each clock the newest counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, select

from evidence.clock import Correction, Evidence
from evidence.exhibit import ExhibitId
from storage.place_tables import clock_corrections
from storage.rows import AnyRow


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """A correction of one of an exhibit's clocks: `claim` is a source's family, or `file`."""

    id: str
    exhibit_id: ExhibitId
    claim: str
    correction: Correction
    made_at: datetime


def corrections(connection: Connection, wanted: ColumnElement[bool]) -> Sequence[CorrectionRow]:
    """Those that this condition on `clock_corrections` is for, oldest first."""
    rows = select(clock_corrections).where(wanted).order_by(clock_corrections.c.made_at, clock_corrections.c.id)
    return [_of(row) for row in connection.execute(rows)]


def newest(rows: Sequence[CorrectionRow]) -> Mapping[tuple[str, str], Correction]:
    """The correction that counts, by exhibit and clock."""
    return {(row.exhibit_id, row.claim): row.correction for row in rows}


def _of(row: AnyRow) -> CorrectionRow:
    correction = Correction(
        row.offset_us / 1e6, row.error_us / 1e6, Evidence(row.evidence), row.words, row.made_by, row.media_us
    )
    return CorrectionRow(row.id, row.exhibit_id, row.claim, correction, row.made_at.astimezone(UTC))

"""Reads of doubts about an exhibit's tracks, and of findings that were accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from evidence.doubt import Reason
from evidence.exhibit import ExhibitId
from storage.index.reader import Reader
from storage.tables import accepted_findings, doubts


@dataclass(frozen=True, slots=True)
class DoubtRow:
    """A doubt as the index holds it; `share` of the video that lies in any doubt of the exhibit."""

    rank: int
    reason: Reason
    label: str
    time_base: str
    first_pts: int
    last_pts: int
    first_frame: int
    last_frame: int
    track_ids: tuple[int, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Accepted:
    finding: int
    reason: str
    made_by: str
    made_at: datetime


class FindingIndex(Reader):
    def doubts(self, exhibit_id: ExhibitId) -> Sequence[DoubtRow]:
        """The most urgent first."""
        wanted = select(doubts).where(doubts.c.exhibit_id == exhibit_id).order_by(doubts.c.rank)
        return [
            DoubtRow(
                row.rank,
                Reason(row.reason),
                row.label,
                row.time_base,
                row.first_pts,
                row.last_pts,
                row.first_frame,
                row.last_frame,
                tuple(row.track_ids),
                row.share,
            )
            for row in self._all(wanted)
        ]

    def accepted(self, exhibit_id: ExhibitId) -> Mapping[str, Mapping[int, Accepted]]:
        """By the SHA-256 of the redacted copy, and the finding's number in its report."""
        wanted = select(accepted_findings).where(accepted_findings.c.exhibit_id == exhibit_id)
        found: dict[str, dict[int, Accepted]] = {}
        for row in self._all(wanted):
            accepted = Accepted(row.finding, row.reason, row.made_by, row.made_at.astimezone(UTC))
            found.setdefault(row.copy_sha256, {})[row.finding] = accepted
        return found

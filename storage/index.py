"""Reads only: find cases, exhibits, steps, outputs, tracks, audit. Nothing here writes or locks.

Who may see what is decided by the caller with `evidence.case.allows`; the queries that list things take
the user and give only what he may see, so that counts leak nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from evidence.audit import AuditEvent
from evidence.case import Case, CaseId, Relation, User, UserId
from evidence.exhibit import Exhibit, ExhibitId, UploadId
from evidence.steps import Step, StepRun, StepRunId
from storage.ledger.uploads import Upload


@dataclass(frozen=True, slots=True)
class Output:
    id: str
    exhibit_id: ExhibitId | None
    case_id: CaseId | None
    step_run_id: StepRunId
    step: Step
    segment: int
    name: str
    key: str
    sha256: str
    size_bytes: int
    content_type: str
    recipe: str
    details: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TrackRow:
    """A track as the index holds it. Units: boxes in pixels of the upright picture."""

    exhibit_id: ExhibitId
    track_id: int
    label: str
    model: str
    time_base: str
    first_pts: int
    last_pts: int
    first_frame: int
    last_frame: int
    best_pts: int
    best_frame: int
    best_score: float
    best_box_xyxy: tuple[float, float, float, float]
    start_s: float
    end_s: float
    frames: int
    thumbnail_output: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result: the track, its exhibit, and when it was (None: the exhibit has no claimed time)."""

    track: TrackRow
    exhibit: Exhibit
    case_reference: str
    from_time: datetime | None
    to_time: datetime | None


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for. `after`/`before` are claimed capture times; undated exhibits never match them."""

    labels: tuple[str, ...] = ()
    case_id: CaseId | None = None
    after: datetime | None = None
    before: datetime | None = None
    kind: str = ""
    min_score: float = 0.0
    limit: int = 200
    offset: int = 0


class Index:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # people
    def users(self) -> Sequence[User]:
        raise NotImplementedError

    def user(self, user_id: UserId) -> User:
        raise NotImplementedError

    def user_by_name(self, name: str) -> User:
        raise NotImplementedError

    # cases
    def case(self, case_id: CaseId) -> Case:
        raise NotImplementedError

    def case_by_reference(self, reference: str) -> Case:
        raise NotImplementedError

    def cases_for(self, user: User, text: str = "") -> Sequence[Case]:
        """Cases he is a member of (an auditor: all), urgent first, then newest; `text` matches reference or title."""
        raise NotImplementedError

    def members(self, case_id: CaseId) -> Sequence[User]:
        raise NotImplementedError

    def relations(self, user: User, *, case_id: CaseId | None = None, exhibit: Exhibit | None = None) -> frozenset[Relation]:
        """How he stands to a case, or to an exhibit (as uploader, as member of its case)."""
        raise NotImplementedError

    # exhibits, uploads
    def exhibit(self, exhibit_id: ExhibitId) -> Exhibit:
        raise NotImplementedError

    def exhibit_by_digest(self, case_id: CaseId | None, sha256: str, user_id: UserId) -> Exhibit | None:
        """The exhibit of that case (or, without a case, of that officer's tray) that has these bytes."""
        raise NotImplementedError

    def exhibits_of(self, case_id: CaseId) -> Sequence[Exhibit]:
        raise NotImplementedError

    def exhibits_by(self, user: User) -> Sequence[Exhibit]:
        """What he uploaded himself, newest first."""
        raise NotImplementedError

    def unfiled(self, user: User) -> Sequence[Exhibit]:
        """The tray: everybody's for a supervisor or administrator, his own otherwise."""
        raise NotImplementedError

    def upload(self, upload_id: UploadId) -> Upload:
        raise NotImplementedError

    # steps and outputs
    def step_run(self, run_id: StepRunId) -> StepRun:
        raise NotImplementedError

    def step_runs(
        self,
        exhibit_id: ExhibitId | None = None,
        *,
        case_id: CaseId | None = None,
        states: Sequence[str] = (),
        limit: int = 1000,
    ) -> Sequence[StepRun]:
        """Oldest first. Of an exhibit, of a case (its exhibits' and its exports'), or of all."""
        raise NotImplementedError

    def outputs(
        self, exhibit_id: ExhibitId | None = None, *, case_id: CaseId | None = None, name: str = "", step: Step | None = None
    ) -> Sequence[Output]:
        """Newest first; for `case_id`, outputs of its exports only."""
        raise NotImplementedError

    # tracks
    def tracks(self, exhibit_id: ExhibitId) -> Sequence[TrackRow]:
        raise NotImplementedError

    def search(self, user: User, query: Query) -> tuple[Sequence[Hit], Sequence[Hit]]:
        """(dated, undated) hits in what he may watch. Undated ones only when no time was asked for... see docs/api.md."""
        raise NotImplementedError

    # audit
    def audit_of_case(self, case_id: CaseId, *, after: int = 0, limit: int = 500) -> Sequence[AuditEvent]:
        raise NotImplementedError

    def audit_of_exhibit(self, exhibit_id: ExhibitId, *, limit: int = 500) -> Sequence[AuditEvent]:
        raise NotImplementedError

    def audit_events(self, *, after: int = 0) -> Iterator[AuditEvent]:
        """The whole chain in order, streamed."""
        raise NotImplementedError

"""What the index gives that the core has no word for: outputs, track rows, search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evidence.case import CaseId
from evidence.exhibit import Exhibit, ExhibitId
from evidence.steps import Step, StepRunId
from storage.rows import AnyRow


@dataclass(frozen=True, slots=True)
class ApiToken:
    """Of an API token what may be shown: its secret is kept nowhere."""

    id: str
    user: str
    label: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    def works(self, now: datetime) -> bool:
        return self.revoked_at is None and self.expires_at > now


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
    """A track as the index holds it.

    Units: boxes in pixels of the upright picture; `start_s` and `end_s` in seconds from the video's first frame.
    """

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
    """A search result: the track, its exhibit, and when it was (None: nobody and no device says when it was filmed)."""

    track: TrackRow
    exhibit: Exhibit
    case_reference: str
    """Empty for the unfiled tray."""
    from_time: datetime | None
    """UTC by the exhibit's clock that is known best, as it is corrected now."""
    to_time: datetime | None
    error_s: float | None
    claimed_from: str
    """What that clock itself says there, with its zone; empty without a time."""
    clock: str
    """A source's family, or `evidence.places.FILE_CLOCK`."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for. `after`/`before`: what may lie there by the corrected clocks; undated exhibits are listed apart."""

    labels: tuple[str, ...] = ()
    case_id: CaseId | None = None
    after: datetime | None = None
    before: datetime | None = None
    kind: str = ""
    min_score: float = 0.0
    limit: int = 200
    offset: int = 0


def output_of(row: AnyRow) -> Output:
    return Output(
        id=row.id,
        exhibit_id=row.exhibit_id,
        case_id=row.case_id,
        step_run_id=row.step_run_id,
        step=Step(row.step),
        segment=row.segment,
        name=row.name,
        key=row.key,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        content_type=row.content_type,
        recipe=row.recipe,
        details=row.details,
        created_at=row.created_at.astimezone(UTC),
    )


def track_of(row: AnyRow) -> TrackRow:
    x0, y0, x1, y1 = row.best_box_xyxy
    return TrackRow(
        exhibit_id=row.exhibit_id,
        track_id=row.track_id,
        label=row.label,
        model=row.model,
        time_base=row.time_base,
        first_pts=row.first_pts,
        last_pts=row.last_pts,
        first_frame=row.first_frame,
        last_frame=row.last_frame,
        best_pts=row.best_pts,
        best_frame=row.best_frame,
        best_score=row.best_score,
        best_box_xyxy=(x0, y0, x1, y1),
        start_s=row.start_s,
        end_s=row.end_s,
        frames=row.frames,
        thumbnail_output=row.thumbnail_output,
    )

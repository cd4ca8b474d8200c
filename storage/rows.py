"""From database rows to the values of `evidence`, in one place for readers and writer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from evidence.audit import AuditEvent, Verb
from evidence.case import Case, CaseState, Role, User
from evidence.exhibit import Condition, Digest, Exhibit, FileType, SourceKind
from evidence.steps import Step, StepRun, StepState
from evidence.wire import media_from_json

AnyRow = Row[tuple[Any, ...]]


def user_of(row: AnyRow) -> User:
    return User(row.id, row.name, row.display_name, Role(row.role), row.disabled, row.must_change_password)


def case_of(row: AnyRow) -> Case:
    return Case(row.id, row.reference, row.title, CaseState(row.state), row.urgent, _utc(row.created_at), row.created_by)


def exhibit_of(row: AnyRow) -> Exhibit:
    return Exhibit(
        id=row.id,
        case_id=row.case_id,
        claimed_case=row.claimed_case,
        reference=row.reference,
        filename=row.filename,
        kind=SourceKind(row.kind),
        file_type=FileType(row.file_type),
        sha256=Digest(row.sha256),
        size_bytes=row.size_bytes,
        uploaded_by=row.uploaded_by,
        uploaded_at=_utc(row.uploaded_at),
        captured_at=_utc_or_none(row.captured_at),
        device=row.device,
        officer=row.officer,
        sidecar_for=row.sidecar_for,
        folder=row.folder,
        condition=Condition(row.condition),
        note=row.note,
        media=None if row.media is None else media_from_json(row.media),
        key=row.key,
        version_id=row.version_id,
        secured_at=_utc_or_none(row.secured_at),
        locked_until=_utc_or_none(row.locked_until),
    )


def step_run_of(row: AnyRow) -> StepRun:
    return StepRun(
        id=row.id,
        exhibit_id=row.exhibit_id,
        case_id=row.case_id,
        step=Step(row.step),
        segment=row.segment,
        params=row.params,
        state=StepState(row.state),
        attempt=row.attempt,
        killed=row.killed,
        recipe=row.recipe,
        progress_done=row.progress_done,
        progress_total=row.progress_total,
        note=row.note,
        error=row.error,
        hint=row.hint,
        log_tail=row.log_tail,
        worker=row.worker,
        requested_by=row.requested_by,
        cancel_requested=row.cancel_requested,
        created_at=_utc(row.created_at),
        started_at=_utc_or_none(row.started_at),
        finished_at=_utc_or_none(row.finished_at),
    )


def event_of(row: AnyRow) -> AuditEvent:
    return AuditEvent(
        row.number,
        _utc(row.at),
        row.actor,
        Verb(row.verb),
        row.case_id,
        row.exhibit_id,
        row.details,
        row.previous,
        row.hash,
    )


def event_json(row: AnyRow) -> dict[str, Any]:
    """The event as docs/custody.md writes it, whatever the row says: a checker must see what somebody put there."""
    return {
        "number": row.number,
        "at": _utc(row.at).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor": row.actor,
        "verb": row.verb,
        "case_id": row.case_id,
        "exhibit_id": row.exhibit_id,
        "details": row.details,
        "previous": row.previous,
        "hash": row.hash,
    }


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _utc_or_none(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)

"""The JSON that goes out: people, cases, uploads, logs; exhibits and tracks have a module of their own.

Moments in a video are exact (`pts` × `time_base`) with a label for people; times are UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from evidence.audit import AuditEvent, body
from evidence.case import Case, User
from evidence.mediatime import MediaTime
from storage.ledger.uploads import Upload
from web.actions import CaseView, exhibit_made_of

API = "/api/v1"


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Moment(Answer):
    """A moment of the stream, exact."""

    pts: int
    time_base: str = Field(description="Seconds per tick, as a fraction: 1/90000.")
    label: str = Field(description="H:MM:SS.mmm, for people.")

    @classmethod
    def at(cls, pts: int, time_base: str) -> Moment:
        return cls(pts=pts, time_base=time_base, label=MediaTime(pts, Fraction(time_base)).label())


class Person(Answer):
    id: str
    name: str
    display_name: str
    role: str

    @classmethod
    def of(cls, user: User) -> Person:
        return cls(id=user.id, name=user.name, display_name=user.display_name, role=user.role.value)


class CaseLine(Answer):
    id: str
    reference: str
    title: str
    state: str
    urgent: bool
    created_at: datetime

    @classmethod
    def of(cls, case: Case) -> CaseLine:
        return cls(
            id=case.id,
            reference=case.reference,
            title=case.title,
            state=case.state.value,
            urgent=case.urgent,
            created_at=case.created_at,
        )


class CaseList(Answer):
    cases: list[CaseLine]


class WholeCase(CaseLine):
    members: list[Person]
    acts: list[str] = Field(description="What you may do here.")

    @classmethod
    def seen(cls, view: CaseView) -> WholeCase:
        line = CaseLine.of(view.case).model_dump()
        return cls(**line, members=[Person.of(m) for m in view.members], acts=sorted(a.value for a in view.acts))


class UploadAnswer(Answer):
    id: str
    state: str = Field(description="receiving, checking, done, refused, failed, expired or deleted.")
    filename: str
    claimed_case: str
    size_bytes: int
    offset_bytes: int
    exhibit: str | None = Field(description="Set when the state is done.")
    duplicate_of: str | None = Field(description="The exhibit that holds the same bytes already.")
    error: str
    hint: str
    expires_at: datetime

    @classmethod
    def of(cls, upload: Upload) -> UploadAnswer:
        return cls(
            id=upload.id,
            state=upload.state.value,
            filename=upload.metadata.get("filename", ""),
            claimed_case=upload.claimed_case,
            size_bytes=upload.size_bytes,
            offset_bytes=upload.offset_bytes,
            exhibit=exhibit_made_of(upload),
            duplicate_of=upload.duplicate_of,
            error=upload.error,
            hint=upload.hint,
            expires_at=upload.expires_at,
        )


class EventAnswer(Answer):
    number: int
    at: str = Field(description="UTC with microseconds, as the hash covers it.")
    actor: str
    verb: str
    case_id: str | None
    exhibit_id: str | None
    details: dict[str, Any]
    previous: str
    hash: str


class LogAnswer(Answer):
    events: list[EventAnswer]
    next_after: int | None = Field(description="Send it as `after` for the following events; null: these are all.")

    @classmethod
    def of(cls, events: Sequence[AuditEvent], limit: int | None = None) -> LogAnswer:
        """`limit` is how many were asked for; without it there is no next page."""
        lines = [EventAnswer(**body(event), hash=event.hash) for event in events]
        return cls(events=lines, next_after=events[-1].number if events and len(events) == limit else None)


class Me(Answer):
    user: Person
    must_change_password: bool
    csrf: str = Field(description="Send it as X-CSRF-Token with every request that changes something; empty for tokens.")

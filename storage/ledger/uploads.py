"""Resumable upload state: offset, parts, expiry, one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError

from evidence.audit import Verb
from evidence.case import CaseId, CaseState, User, UserId
from evidence.errors import Busy, CaseClosed, Conflict, Fenced, NotFound
from evidence.exhibit import ExhibitId, UploadId
from evidence.ports import Clock
from storage.database import lock_number, open_single, translated
from storage.ledger.writer import Act, Writer, clean, new_id
from storage.rows import AnyRow
from storage.tables import cases, upload_parts, uploads, users

_WRITERS = 48
"""Uploads that one process writes at the same moment: each holds a connection of its own for its lock."""


class UploadState(StrEnum):
    RECEIVING = "receiving"
    CHECKING = "checking"
    """All bytes are here; they are being read back, locked and registered."""
    DONE = "done"
    REFUSED = "refused"
    """Not evidence, or not what its digest says: nothing was kept."""
    FAILED = "failed"
    EXPIRED = "expired"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class UploadPart:
    number: int
    key: str
    size_bytes: int
    sha256: str
    full: bool


@dataclass(frozen=True, slots=True)
class Upload:
    id: UploadId
    user_id: UserId
    case_id: CaseId | None
    claimed_case: str
    metadata: Mapping[str, str]
    size_bytes: int
    offset_bytes: int
    state: UploadState
    exhibit_id: ExhibitId
    duplicate_of: ExhibitId | None
    error: str
    hint: str
    attempt: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    parts: tuple[UploadPart, ...]


class UploadLedger(Writer):
    def __init__(self, engine: Engine, clock: Clock) -> None:
        super().__init__(engine, clock)
        self._single = open_single(engine)
        self._writers = threading.BoundedSemaphore(_WRITERS)

    def begin(self, actor: User, size_bytes: int, metadata: Mapping[str, str], *, expiry: timedelta) -> Upload:
        """A new upload, with the exhibit id it will get. The case is looked up by `metadata["case"]`; unknown: no case.

        An upload of no bytes is CHECKING at once: there is nothing to wait for.

        Raises: CaseClosed.
        """
        metadata = {clean(key): clean(value) for key, value in metadata.items()}
        claimed = " ".join(metadata.get("case", "").split())
        with self._transaction() as (connection, now):
            # FOR SHARE: a case can't be closed between this look and the row.
            found = select(cases).where(func.lower(cases.c.reference) == func.lower(claimed)).with_for_update(read=True)
            case = connection.execute(found).first()
            if case is not None and case.state == CaseState.CLOSED.value:
                raise CaseClosed(f"case {case.reference} is closed")
            row = {
                "id": new_id(),
                "user_id": actor.id,
                "case_id": None if case is None else case.id,
                "claimed_case": claimed,
                "metadata": metadata,
                "size_bytes": size_bytes,
                "state": (UploadState.RECEIVING if size_bytes else UploadState.CHECKING).value,
                "exhibit_id": new_id(),
                "created_at": now,
                "updated_at": now,
                "expires_at": now + expiry,
            }
            made = connection.execute(insert(uploads).values(row).returning(uploads)).one()
            details = {"upload": made.id, "size_bytes": size_bytes, "metadata": metadata}
            act = Act(actor.name, Verb.UPLOAD_STARTED, made.case_id, made.exhibit_id, details)
            self._log(connection, act, now)
        return upload_of(made, ())

    @contextmanager
    def writing(self, upload_id: UploadId) -> Iterator[Upload]:
        """Hold the upload for one writer (an advisory lock of the database, which dies with the connection).

        Raises: Busy when another request is writing, NotFound.
        """
        if not self._writers.acquire(timeout=10):
            raise Busy("too many uploads are being written here at the same moment")
        try:
            # Closed at the end, and the lock goes with it: it can't outlive this block in a pool.
            with translated():
                connection = self._single.connect()
            with connection:
                with translated():
                    number = {"n": lock_number("upload", upload_id)}
                    if not connection.execute(text("SELECT pg_try_advisory_lock(:n)"), number).scalar_one():
                        raise Busy("another request is writing this upload")
                    upload = read_upload(connection, upload_id)
                try:
                    yield upload
                finally:
                    # PostgreSQL notices a closed connection a moment later only, and the next request comes at once.
                    with suppress(DBAPIError):
                        connection.execute(text("SELECT pg_advisory_unlock(:n)"), number)
        finally:
            self._writers.release()

    def advance(self, upload: Upload, part: UploadPart, *, expiry: timedelta) -> Upload:
        """Record a staged part (or tail, which replaces an earlier tail) and the new offset; at the end: CHECKING.

        The bytes must be durable before this is called. Raises: Conflict when the offset moved meanwhile.
        """
        parts = {p.number: p for p in upload.parts} | {part.number: part}
        offset = sum(p.size_bytes for p in parts.values())
        if offset < upload.offset_bytes or offset > upload.size_bytes:
            raise Conflict(f"a part that would move the upload from {upload.offset_bytes} to {offset} bytes")
        state = UploadState.CHECKING if offset == upload.size_bytes else UploadState.RECEIVING
        with self._transaction() as (connection, now):
            same = and_(
                uploads.c.id == upload.id,
                uploads.c.offset_bytes == upload.offset_bytes,
                uploads.c.state == UploadState.RECEIVING.value,
            )
            new = {"offset_bytes": offset, "state": state.value, "updated_at": now, "expires_at": now + expiry}
            row = connection.execute(update(uploads).where(same).values(new).returning(uploads)).first()
            if row is None:
                raise Conflict("the upload has moved on meanwhile", hint="Ask for its offset and go on from there.")
            values = {
                "upload_id": upload.id,
                "number": part.number,
                "key": part.key,
                "size_bytes": part.size_bytes,
                "sha256": part.sha256,
                "full": part.full,
            }
            connection.execute(
                upsert(upload_parts)
                .values(values)
                .on_conflict_do_update(index_elements=["upload_id", "number"], set_=values)
            )
        return upload_of(row, tuple(parts[n] for n in sorted(parts)))

    def settle(self, upload: Upload) -> Upload:
        """The sender could name only an upper bound (a form); what is here is all of it: size = offset, CHECKING.

        Raises: Conflict when it has moved on meanwhile, or nothing is here.
        """
        with self._transaction() as (connection, now):
            same = and_(
                uploads.c.id == upload.id,
                uploads.c.offset_bytes == upload.offset_bytes,
                uploads.c.offset_bytes > 0,
                uploads.c.state == UploadState.RECEIVING.value,
            )
            new = {"size_bytes": uploads.c.offset_bytes, "state": UploadState.CHECKING.value, "updated_at": now}
            row = connection.execute(update(uploads).where(same).values(new).returning(uploads)).first()
            if row is None:
                raise Conflict("the upload has moved on meanwhile")
        return upload_of(row, upload.parts)

    def claim_checking(self, lease: timedelta) -> Upload | None:
        """Take one upload whose bytes are all here and which nobody checks; `attempt` is the fence. SKIP LOCKED.

        Raises: DatabaseDown. The lease is counted by the database's clock, as all machines share that one.
        """
        free = and_(
            uploads.c.state == UploadState.CHECKING.value,
            or_(uploads.c.lease_until.is_(None), uploads.c.lease_until < func.now()),
        )
        one = select(uploads.c.id).where(free).order_by(uploads.c.updated_at, uploads.c.id).limit(1)
        with self._transaction() as (connection, _now):
            claimed = (
                update(uploads)
                .where(uploads.c.id == one.with_for_update(skip_locked=True).scalar_subquery())
                .values(attempt=uploads.c.attempt + 1, lease_until=func.now() + lease)
                .returning(uploads.c.id)
            )
            upload_id = connection.execute(claimed).scalar()
            return None if upload_id is None else read_upload(connection, upload_id)

    def renew(self, upload: Upload, lease: timedelta) -> bool:
        """Hold on to the check. False when another server has it by now: stop."""
        with self._transaction() as (connection, _now):
            statement = update(uploads).where(held(upload)).values(lease_until=func.now() + lease)
            return bool(connection.execute(statement).rowcount)

    def refuse(self, upload: Upload, error: str, hint: str) -> None:
        """Nothing of it was kept: state REFUSED, with the reason in plain words, logged.

        From RECEIVING, where its first bytes said what it is, or from CHECKING. Raises: Fenced.
        """
        self._end_check(upload, UploadState.REFUSED, error, hint)

    def fail(self, upload: Upload, error: str, hint: str) -> None:
        """A check that can't be finished for a reason that isn't the file's; the bytes stay staged, `reopen_failed` goes on.

        Raises: Fenced.
        """
        self._end_check(upload, UploadState.FAILED, error, hint)

    def _end_check(self, upload: Upload, state: UploadState, error: str, hint: str) -> None:
        with self._transaction() as (connection, now):
            new = {
                "state": state.value,
                "error": clean(error),
                "hint": clean(hint),
                "updated_at": now,
                "lease_until": None,
            }
            this = _refusable(upload) if state is UploadState.REFUSED else held(upload)
            if not connection.execute(update(uploads).where(this).values(new)).rowcount:
                raise Fenced("another server checks this upload by now")
            if state is UploadState.REFUSED:
                connection.execute(delete(upload_parts).where(upload_parts.c.upload_id == upload.id))
            details = {"upload": upload.id, "state": state.value, "error": error}
            act = Act("system:receive", Verb.UPLOAD_REFUSED, upload.case_id, upload.exhibit_id, details)
            self._log(connection, act, now)

    def reopen_failed(self, before: datetime) -> int:
        """Check all FAILED uploads again that have stood so since `before`: what was in the way may be gone. How many."""
        failed = and_(uploads.c.state == UploadState.FAILED.value, uploads.c.updated_at < before)
        with self._transaction() as (connection, now):
            new = {"state": UploadState.CHECKING.value, "lease_until": None, "updated_at": now}
            return connection.execute(update(uploads).where(failed).values(new)).rowcount

    def drop_duplicate(self, upload: Upload, of: ExhibitId) -> None:
        """State DONE with `duplicate_of`; logged. The caller has deleted the unlocked copy. Raises: Fenced."""
        with self._transaction() as (connection, now):
            new = {
                "state": UploadState.DONE.value,
                "duplicate_of": of,
                "exhibit_id": of,
                "updated_at": now,
                "lease_until": None,
            }
            if not connection.execute(update(uploads).where(held(upload)).values(new)).rowcount:
                raise Fenced("another server checks this upload by now")
            connection.execute(delete(upload_parts).where(upload_parts.c.upload_id == upload.id))
            actor = connection.execute(select(users.c.name).where(users.c.id == upload.user_id)).scalar_one()
            details = {"upload": upload.id, "metadata": upload.metadata, "dropped": upload.exhibit_id}
            self._log(connection, Act(actor, Verb.DUPLICATE_DROPPED, upload.case_id, of, details), now)

    def delete(self, actor: User, upload_id: UploadId) -> Upload:
        """End an upload that isn't complete, as it was, so that its parts can be removed.

        Raises: NotFound, Conflict when all of it is here already.
        """
        with self._transaction() as (connection, now):
            ended = (UploadState.RECEIVING.value, UploadState.FAILED.value)
            old = read_upload(connection, upload_id, lock=True)
            if old.state.value not in ended:
                raise Conflict(f"this upload is {old.state.value}", hint="An exhibit that is registered stays.")
            new = {"state": UploadState.DELETED.value, "updated_at": now}
            connection.execute(update(uploads).where(uploads.c.id == upload_id).values(new))
            connection.execute(delete(upload_parts).where(upload_parts.c.upload_id == upload_id))
            details = {"upload": upload_id, "offset_bytes": old.offset_bytes, "size_bytes": old.size_bytes}
            act = Act(actor.name, Verb.UPLOAD_DELETED, old.case_id, old.exhibit_id, details)
            self._log(connection, act, now)
        return old

    def expired(self) -> list[Upload]:
        """Mark unfinished uploads past their time EXPIRED and give them, so that their parts can be removed."""
        with self._transaction() as (connection, now):
            late = and_(uploads.c.state == UploadState.RECEIVING.value, uploads.c.expires_at < now)
            some = select(uploads.c.id).where(late).order_by(uploads.c.id).limit(100).with_for_update(skip_locked=True)
            found = [read_upload(connection, upload_id) for upload_id in connection.execute(some).scalars().all()]
            for upload in found:
                new = {"state": UploadState.EXPIRED.value, "updated_at": now}
                connection.execute(update(uploads).where(uploads.c.id == upload.id).values(new))
                connection.execute(delete(upload_parts).where(upload_parts.c.upload_id == upload.id))
            for upload in found:
                details = {"upload": upload.id, "offset_bytes": upload.offset_bytes, "size_bytes": upload.size_bytes}
                act = Act("system:uploads", Verb.UPLOAD_EXPIRED, upload.case_id, upload.exhibit_id, details)
                self._log(connection, act, now)
        return found


def _refusable(upload: Upload) -> ColumnElement[bool]:
    """Still coming in, or checked by this holder."""
    return or_(held(upload), and_(uploads.c.id == upload.id, uploads.c.state == UploadState.RECEIVING.value))


def held(upload: Upload) -> ColumnElement[bool]:
    """Whether this check still has the upload: the fence."""
    return and_(
        uploads.c.id == upload.id,
        uploads.c.attempt == upload.attempt,
        uploads.c.state == UploadState.CHECKING.value,
    )


def read_upload(connection: Connection, upload_id: UploadId, *, lock: bool = False) -> Upload:
    """The upload with its parts. Raises: NotFound."""
    wanted = select(uploads).where(uploads.c.id == upload_id)
    row = connection.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise NotFound("there is no such upload", hint="Start a new one.")
    parts = connection.execute(
        select(upload_parts).where(upload_parts.c.upload_id == upload_id).order_by(upload_parts.c.number)
    )
    return upload_of(row, [UploadPart(p.number, p.key, p.size_bytes, p.sha256, p.full) for p in parts])


def upload_of(row: AnyRow, parts: Sequence[UploadPart]) -> Upload:
    return Upload(
        id=row.id,
        user_id=row.user_id,
        case_id=row.case_id,
        claimed_case=row.claimed_case,
        metadata=row.metadata,
        size_bytes=row.size_bytes,
        offset_bytes=row.offset_bytes,
        state=UploadState(row.state),
        exhibit_id=row.exhibit_id,
        duplicate_of=row.duplicate_of,
        error=row.error,
        hint=row.hint,
        attempt=row.attempt,
        created_at=row.created_at.astimezone(UTC),
        updated_at=row.updated_at.astimezone(UTC),
        expires_at=row.expires_at.astimezone(UTC),
        parts=tuple(parts),
    )

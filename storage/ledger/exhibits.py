"""Registering, filing, locks, what a probe found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from evidence.audit import Verb
from evidence.case import CaseId, CaseState, User
from evidence.errors import CaseClosed, Conflict, Fenced, NotFound
from evidence.exhibit import Condition, Digest, Exhibit, ExhibitId, FileType
from evidence.steps import next_steps
from storage.ledger.graph import AUTOMATIC, new_step_row, renamed
from storage.ledger.pairing import hold_pairings, pair_up, part_strangers
from storage.ledger.uploads import Upload, UploadState, held
from storage.ledger.writer import Act, Writer
from storage.rows import exhibit_of, user_of
from storage.tables import cases, exhibits, reference_numbers, step_runs, upload_parts, uploads, users


@dataclass(frozen=True, slots=True)
class Received:
    """What was learnt of an upload's object by reading it back."""

    key: str
    version_id: str
    sha256: Digest
    size_bytes: int
    file_type: FileType
    locked_until: datetime | None
    """As read back from the store; None where the store can't lock."""


class ExhibitLedger(Writer):
    def register(self, upload: Upload, received: Received) -> Exhibit:
        """Exhibit, AuditEvent, first step row and upload DONE in one transaction; `secured_at` is set iff locked.

        Raises: Conflict when the case already holds that SHA-256 (a race; the caller treats it as a duplicate),
            Fenced when another server checks this upload by now.
        """
        with self._transaction() as (connection, now):
            hold_pairings(connection)
            done = {"state": UploadState.DONE.value, "updated_at": now, "lease_until": None, "error": "", "hint": ""}
            if not connection.execute(update(uploads).where(held(upload)).values(done)).rowcount:
                raise Fenced("another server checks this upload by now")
            connection.execute(upload_parts.delete().where(upload_parts.c.upload_id == upload.id))
            uploader = user_of(connection.execute(select(users).where(users.c.id == upload.user_id)).one())
            reference = _next_reference(connection, upload.case_id, uploader)
            exhibit = _insert(connection, upload, received, reference, now)
            wanted = next_steps(received.file_type, (), False, frozenset(), frozenset())
            for step in wanted:
                connection.execute(insert(step_runs).values(new_step_row(exhibit.id, step, AUTOMATIC, now)))
            details = {
                "reference": reference,
                "filename": exhibit.filename,
                "kind": exhibit.kind,
                "claimed_case": exhibit.claimed_case,
                "sha256": exhibit.sha256.hex,
                "size_bytes": exhibit.size_bytes,
                "key": exhibit.key,
                "version_id": exhibit.version_id,
                "locked_until": exhibit.locked_until,
                "captured_at": exhibit.captured_at,
                "device": exhibit.device,
                "officer": exhibit.officer,
                "sidecar_for": exhibit.sidecar_for,
                "folder": exhibit.folder,
                "upload": upload.id,
                "ready": [step.step for step in wanted],
            }
            self._log(connection, Act(uploader.name, Verb.EXHIBIT_RECEIVED, exhibit.case_id, exhibit.id, details), now)
            self._pair(connection, exhibit, now)
        return exhibit

    def file(self, actor: User, exhibit_id: ExhibitId, case_id: CaseId) -> Exhibit:
        """Move an exhibit from the tray to a case; it gets a reference there and keeps its analysis.

        Copies that bear another reference than the new one are made anew.

        Raises: NotFound, CaseClosed, Conflict when it is filed already or the case holds the same bytes.
        """
        with self._transaction() as (connection, now):
            hold_pairings(connection)
            exhibit = locked_exhibit(connection, exhibit_id)
            if exhibit.case_id is not None:
                raise Conflict(f"exhibit {exhibit.reference} is filed already")
            case = connection.execute(select(cases).where(cases.c.id == case_id).with_for_update(read=True)).first()
            if case is None:
                raise NotFound("there is no such case")
            if case.state == CaseState.CLOSED.value:
                raise CaseClosed(f"case {case.reference} is closed")
            uploader = user_of(connection.execute(select(users).where(users.c.id == exhibit.uploaded_by)).one())
            reference = _next_reference(connection, case_id, uploader)
            this = exhibits.c.id == exhibit_id
            new = {"case_id": case_id, "reference": reference}
            try:
                row = connection.execute(update(exhibits).where(this).values(new).returning(exhibits)).one()
            except IntegrityError as exc:
                raise Conflict(f"case {case.reference} holds this file already") from exc
            ready = [] if reference == exhibit.reference else renamed(connection, exhibit_id)
            details = {"reference": reference, "was": exhibit.reference, "case": case.reference, "ready": ready}
            self._log(connection, Act(actor.name, Verb.EXHIBIT_FILED, case_id, exhibit_id, details), now)
            part_strangers(connection, exhibit_of(row))
            self._pair(connection, exhibit_of(row), now)
        return exhibit_of(row)

    def _pair(self, connection: Connection, exhibit: Exhibit, now: datetime) -> None:
        """With what is there already: a sidecar may come before its video, or after it."""
        for said in pair_up(connection, exhibit, now):
            self._log(connection, Act("system:pairing", Verb.PAIRED, exhibit.case_id, ExhibitId(said["video"]), said), now)

    def extend_lock(self, exhibit_id: ExhibitId, until: datetime) -> None:
        """Record a lock as read back from the store; it never gets shorter. Raises: NotFound."""
        with self._transaction() as (connection, now):
            exhibit = locked_exhibit(connection, exhibit_id)
            if exhibit.locked_until is not None and until <= exhibit.locked_until:
                return
            connection.execute(update(exhibits).where(exhibits.c.id == exhibit_id).values(locked_until=until))
            details = {"locked_until": until, "was": exhibit.locked_until}
            self._log(connection, Act("system:locks", Verb.LOCK_EXTENDED, exhibit.case_id, exhibit_id, details), now)

    def due_for_lock(self, before: datetime) -> Sequence[Exhibit]:
        """Exhibits whose lock ends before that moment: to be rolled forward. A closed case and the tray hold theirs too."""
        due = select(exhibits).where(exhibits.c.locked_until < before).order_by(exhibits.c.locked_until).limit(1000)
        with self._transaction() as (connection, _now):
            return [exhibit_of(row) for row in connection.execute(due)]


def locked_exhibit(connection: Connection, exhibit_id: ExhibitId) -> Exhibit:
    """The exhibit, held until the transaction ends. Raises: NotFound."""
    row = connection.execute(select(exhibits).where(exhibits.c.id == exhibit_id).with_for_update()).first()
    if row is None:
        raise NotFound("there is no such exhibit")
    return exhibit_of(row)


def _next_reference(connection: Connection, case_id: CaseId | None, uploader: User) -> str:
    """The producer's next number in that case (or in his own tray). A number that was given out is never given again."""
    row = {"scope": case_id or f"unfiled:{uploader.id}", "initials": uploader.initials, "last": 1}
    counted = (
        upsert(reference_numbers)
        .values(row)
        .on_conflict_do_update(index_elements=["scope", "initials"], set_={"last": reference_numbers.c.last + 1})
        .returning(reference_numbers.c.last)
    )
    return f"{uploader.initials}/{connection.execute(counted).scalar_one()}"


def _insert(connection: Connection, upload: Upload, received: Received, reference: str, now: datetime) -> Exhibit:
    metadata = upload.metadata
    captured = metadata.get("captured_at", "")
    row = {
        "id": upload.exhibit_id,
        "case_id": upload.case_id,
        "claimed_case": upload.claimed_case,
        "reference": reference,
        "filename": metadata.get("filename", "") or "unnamed",
        "kind": metadata["kind"],
        "file_type": received.file_type.value,
        "sha256": received.sha256.hex,
        "size_bytes": received.size_bytes,
        "uploaded_by": upload.user_id,
        "uploaded_at": now,
        "captured_at": _moment(captured) if captured else None,
        "device": metadata.get("device", ""),
        "officer": metadata.get("officer", ""),
        "sidecar_for": metadata.get("sidecar_for", ""),
        "folder": metadata.get("folder", ""),
        "condition": Condition.UNKNOWN.value,
        "key": received.key,
        "version_id": received.version_id,
        "secured_at": None if received.locked_until is None else now,
        "locked_until": received.locked_until,
    }
    try:
        return exhibit_of(connection.execute(insert(exhibits).values(row).returning(exhibits)).one())
    except IntegrityError as exc:
        raise Conflict("these bytes are an exhibit of the same case already") from exc


def _moment(value: str) -> datetime:
    """A claimed moment; without an offset it is taken as UTC."""
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

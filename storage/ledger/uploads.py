"""Resumable upload state: offset, parts, expiry, one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from evidence.case import CaseId, User, UserId
from evidence.exhibit import ExhibitId, UploadId
from storage.ledger.writer import Writer


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
    def begin(self, actor: User, size_bytes: int, metadata: Mapping[str, str], *, expiry: timedelta) -> Upload:
        """A new upload, with the exhibit id it will get. The case is looked up by `metadata["case"]`; unknown: no case.

        Raises: CaseClosed.
        """
        raise NotImplementedError

    @contextmanager
    def writing(self, upload_id: UploadId) -> Iterator[Upload]:
        """Hold the upload for one writer (an advisory lock of the database, which dies with the connection).

        Raises: Busy when another request is writing, NotFound.
        """
        raise NotImplementedError
        yield

    def advance(self, upload: Upload, part: UploadPart, *, expiry: timedelta) -> Upload:
        """Record a staged part (or tail, which replaces an earlier tail) and the new offset; at the end: CHECKING.

        The bytes must be durable before this is called. Raises: Conflict when the offset moved meanwhile.
        """
        raise NotImplementedError

    def settle(self, upload: Upload) -> Upload:
        """The sender could name only an upper bound (a form); what is here is all of it: size = offset, CHECKING.

        Raises: Conflict when the upload isn't RECEIVING any more.
        """
        raise NotImplementedError

    def claim_checking(self, lease: timedelta) -> Upload | None:
        """Take one upload whose bytes are all here and which nobody checks; `attempt` is the fence. SKIP LOCKED."""
        raise NotImplementedError

    def renew(self, upload: Upload, lease: timedelta) -> bool: ...

    def refuse(self, upload: Upload, error: str, hint: str) -> None:
        """Nothing of it was kept: state REFUSED, with the reason in plain words, logged.

        From RECEIVING (its first bytes said what it is) or, fenced by `attempt`, from CHECKING.
        Raises: Fenced, Conflict when it stands at neither.
        """
        raise NotImplementedError

    def fail(self, upload: Upload, error: str, hint: str) -> None:
        """A check that can't be finished for a reason that isn't the file's; the bytes stay staged, `reopen` goes on."""
        raise NotImplementedError

    def drop_duplicate(self, upload: Upload, of: ExhibitId) -> None:
        """State DONE with `duplicate_of`; logged. The caller has deleted the unlocked copy."""
        raise NotImplementedError

    def delete(self, actor: User, upload_id: UploadId) -> Upload: ...

    def expired(self) -> list[Upload]:
        """Mark unfinished uploads past their time EXPIRED and give them, so that their parts can be removed."""
        raise NotImplementedError

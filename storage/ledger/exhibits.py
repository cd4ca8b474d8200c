"""Registering, filing, locks, what a probe found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence.case import CaseId, User
from evidence.exhibit import Digest, Exhibit, ExhibitId, FileType
from storage.ledger.uploads import Upload
from storage.ledger.writer import Writer


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
        raise NotImplementedError

    def file(self, actor: User, exhibit_id: ExhibitId, case_id: CaseId) -> Exhibit:
        """Move an exhibit from the tray to a case; it gets a reference there. Raises: Conflict, CaseClosed."""
        raise NotImplementedError

    def extend_lock(self, exhibit_id: ExhibitId, until: datetime) -> None: ...

    def due_for_lock(self, before: datetime) -> Sequence[Exhibit]:
        """Exhibits of cases whose lock ends before that moment: to be rolled forward."""
        raise NotImplementedError

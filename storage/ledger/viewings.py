"""Who looked at what, and acts that have no rows of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evidence.audit import Verb
from evidence.case import User
from storage.ledger.writer import Writer


class ViewingLedger(Writer):
    def open(
        self,
        user: User,
        session: str,
        object_key: str,
        *,
        verb: Verb,
        case_id: str | None,
        exhibit_id: str | None,
        details: Mapping[str, Any],
    ) -> int:
        """One event per viewing (user, object, session): the first call logs, later ranges of the same belong to it.

        Committed before the caller sends the first byte. Returns the event's number. Raises: DatabaseDown: send nothing.
        """
        raise NotImplementedError

    def record(
        self,
        actor: str,
        verb: Verb,
        *,
        case_id: str | None = None,
        exhibit_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Log an act without rows: a search, a reading of the log, a denial."""
        raise NotImplementedError

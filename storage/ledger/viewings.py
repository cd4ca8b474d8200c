"""Who looked at what, and acts that have no rows of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence.audit import Verb
from evidence.case import User
from storage.ledger.writer import Act, Writer
from storage.tables import viewings

_LONGEST_VIEWING = timedelta(hours=12)
"""A token lives for months: what it fetches tomorrow is another viewing."""


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

        To look and to fetch are two acts. A viewing ends after 12 hours at the latest.
        Committed before the caller sends the first byte. Returns the event's number. Raises: DatabaseDown: send nothing.
        """
        key = f"{verb.value} {object_key}"
        with self._transaction() as (connection, now):
            this = (viewings.c.session == session) & (viewings.c.object_key == key)
            row = {"session": session, "object_key": key, "audit_number": 0, "at": now}
            # A second request of the same moment waits here for the first, and then finds its number.
            new = (
                upsert(viewings)
                .values(row)
                .on_conflict_do_update(
                    index_elements=["session", "object_key"],
                    set_=row,
                    where=viewings.c.at < now - _LONGEST_VIEWING,
                )
                .returning(viewings.c.session)
            )
            if connection.execute(new).first() is None:
                return int(connection.execute(select(viewings.c.audit_number).where(this)).scalar_one())
            number = self._log(connection, Act(user.name, verb, case_id, exhibit_id, details), now)
            connection.execute(update(viewings).where(this).values(audit_number=number))
            return number

    def record(
        self,
        actor: str,
        verb: Verb,
        *,
        case_id: str | None = None,
        exhibit_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Log an act without rows: a search, a reading of the log, a denial. The event's number."""
        with self._transaction() as (connection, now):
            return self._log(connection, Act(actor, verb, case_id, exhibit_id, details), now)

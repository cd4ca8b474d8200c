"""Cases and their members."""

from __future__ import annotations

import re

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from evidence.audit import Verb
from evidence.case import UNFILED, Case, CaseId, CaseState, User, UserId
from evidence.errors import BadInput, Conflict, NotFound
from storage.ledger.writer import Act, Writer, clean, new_id
from storage.rows import AnyRow, case_of
from storage.tables import cases, memberships, users

_REFERENCE = re.compile(r"[^\W_][\w ./()&+-]{0,63}")


class CaseLedger(Writer):
    def create(self, actor: User, reference: str, title: str = "") -> Case:
        """A new open case, the maker its first member.

        Raises: Conflict when the reference is taken (in whatever spelling), BadInput for an odd one.
        """
        reference = _checked_reference(reference)
        with self._transaction() as (connection, now):
            case = Case(CaseId(new_id()), reference, clean(title).strip()[:500], CaseState.OPEN, False, now, actor.id)
            row = {
                "id": case.id,
                "reference": case.reference,
                "title": case.title,
                "state": case.state.value,
                "urgent": case.urgent,
                "created_at": now,
                "created_by": actor.id,
            }
            try:
                connection.execute(insert(cases).values(row))
            except IntegrityError as exc:
                raise Conflict(f"there is a case {reference} already", hint="Choose another reference.") from exc
            member = {"case_id": case.id, "user_id": actor.id, "added_at": now, "added_by": actor.id}
            connection.execute(insert(memberships).values(member))
            details = {"reference": reference, "title": case.title}
            self._log(connection, Act(actor.name, Verb.CASE_CREATED, case.id, details=details), now)
        return case

    def change(self, actor: User, case_id: CaseId, *, urgent: bool | None = None, closed: bool | None = None) -> Case:
        """Set what is given; what is so already stays, and leaves no event. Raises: NotFound."""
        with self._transaction() as (connection, now):
            case = case_of(_locked(connection, case_id))
            new: dict[str, object] = {}
            if urgent is not None and urgent != case.urgent:
                new["urgent"] = urgent
            state = case.state if closed is None else (CaseState.CLOSED if closed else CaseState.OPEN)
            if state is not case.state:
                new["state"] = state.value
            if new:
                row = connection.execute(update(cases).where(cases.c.id == case_id).values(new).returning(cases)).one()
                case = case_of(row)
                self._log(connection, Act(actor.name, Verb.CASE_CHANGED, case_id, details=new), now)
        return case

    def add_member(self, actor: User, case_id: CaseId, user_id: UserId) -> None:
        """Somebody who is one already stays one. Raises: NotFound for a case or user that isn't there."""
        with self._transaction() as (connection, now):
            _locked(connection, case_id)
            name = _user_name(connection, user_id)
            row = {"case_id": case_id, "user_id": user_id, "added_at": now, "added_by": actor.id}
            added = upsert(memberships).values(row).on_conflict_do_nothing().returning(memberships.c.user_id)
            if connection.execute(added).first() is not None:
                self._log(connection, Act(actor.name, Verb.MEMBER_ADDED, case_id, details={"user": name}), now)

    def remove_member(self, actor: User, case_id: CaseId, user_id: UserId) -> None:
        """Somebody who is none stays none. Raises: NotFound, Conflict for the last one: nobody could see the case."""
        with self._transaction() as (connection, now):
            _locked(connection, case_id)
            name = _user_name(connection, user_id)
            is_member = (memberships.c.case_id == case_id) & (memberships.c.user_id == user_id)
            if not connection.execute(delete(memberships).where(is_member)).rowcount:
                return
            left = select(func.count()).select_from(memberships).where(memberships.c.case_id == case_id)
            if not connection.execute(left).scalar_one():
                raise Conflict("the last member of a case can't leave it", hint="Add another member first.")
            self._log(connection, Act(actor.name, Verb.MEMBER_REMOVED, case_id, details={"user": name}), now)


def _checked_reference(reference: str) -> str:
    reference = " ".join(clean(reference).split())
    if not _REFERENCE.fullmatch(reference) or reference.lower() == UNFILED:
        raise BadInput(
            "a case reference has 1 to 64 letters, digits, spaces and . / ( ) & + - _",
            hint="Write it as on the case file, for example 01AB1234567/23.",
        )
    return reference


def _locked(connection: Connection, case_id: CaseId) -> AnyRow:
    row = connection.execute(select(cases).where(cases.c.id == case_id).with_for_update()).first()
    if row is None:
        raise NotFound("there is no such case")
    return row


def _user_name(connection: Connection, user_id: UserId) -> str:
    name: str | None = connection.execute(select(users.c.name).where(users.c.id == user_id)).scalar()
    if name is None:
        raise NotFound("there is no such user", hint="exhibit user list shows all of them.")
    return name

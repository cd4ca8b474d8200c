"""What a case is, and who may do what with which part of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

CaseId = NewType("CaseId", str)
UserId = NewType("UserId", str)

UNFILED = "unfiled"
"""What pages call the tray of uploads whose case reference isn't known."""


class Role(StrEnum):
    OFFICER = "officer"
    INVESTIGATOR = "investigator"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    ADMIN = "admin"


class CaseState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class Act(StrEnum):
    """What a person can want to do. Every route asks for exactly one of these."""

    CREATE_CASE = "create a case"
    SEE_CASE = "see a case"
    MANAGE_CASE = "change a case, its members or its urgency"
    UPLOAD = "upload to a case"
    SEE_EXHIBIT = "see an exhibit's record"
    WATCH = "watch or fetch footage"
    PROCESS = "retry or cancel a step, make a clip or a redaction"
    EXPORT = "export a case"
    SEE_AUDIT = "read a custody log"
    SEE_TRAY = "see the unfiled tray"
    FILE_FROM_TRAY = "file an upload from the tray"
    MANAGE_USERS = "manage users"


class Relation(StrEnum):
    """How a person stands to the thing: not at all, as its uploader, or as a member of its case."""

    NONE = "none"
    OWN = "own"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class User:
    id: UserId
    name: str
    display_name: str
    role: Role
    disabled: bool = False
    must_change_password: bool = False

    @property
    def initials(self) -> str:
        """The producer's initials of an exhibit reference (ABC in ABC/1): letters only, at most four."""
        words = [word for word in self.display_name.replace("-", " ").split() if word[0].isalpha()]
        letters = "".join(word[0] for word in words) or self.name[:3]
        return "".join(letter for letter in letters.upper() if letter.isalpha())[:4] or "EXH"


@dataclass(frozen=True, slots=True)
class Case:
    id: CaseId
    reference: str
    title: str
    state: CaseState
    urgent: bool
    created_at: datetime
    created_by: UserId


_N, _O, _M = Relation.NONE, Relation.OWN, Relation.MEMBER
_ALLOWED: dict[Act, dict[Role, frozenset[Relation]]] = {
    Act.CREATE_CASE: {Role.INVESTIGATOR: frozenset({_N}), Role.SUPERVISOR: frozenset({_N}), Role.ADMIN: frozenset({_N})},
    Act.SEE_CASE: {
        Role.INVESTIGATOR: frozenset({_M}),
        Role.SUPERVISOR: frozenset({_M}),
        Role.AUDITOR: frozenset({_N, _M}),
        Role.OFFICER: frozenset({_M}),
        Role.ADMIN: frozenset({_M}),
    },
    Act.MANAGE_CASE: {Role.SUPERVISOR: frozenset({_M}), Role.INVESTIGATOR: frozenset({_M}), Role.ADMIN: frozenset({_M})},
    Act.UPLOAD: {
        Role.OFFICER: frozenset({_N, _M}),
        Role.INVESTIGATOR: frozenset({_N, _M}),
        Role.SUPERVISOR: frozenset({_N, _M}),
        Role.ADMIN: frozenset({_N, _M}),
    },
    Act.SEE_EXHIBIT: {
        Role.OFFICER: frozenset({_O}),
        Role.INVESTIGATOR: frozenset({_O, _M}),
        Role.SUPERVISOR: frozenset({_O, _M}),
        Role.ADMIN: frozenset({_O, _M}),
    },
    Act.WATCH: {
        Role.OFFICER: frozenset({_O}),
        Role.INVESTIGATOR: frozenset({_O, _M}),
        Role.SUPERVISOR: frozenset({_O, _M}),
        Role.ADMIN: frozenset({_O, _M}),
    },
    Act.PROCESS: {
        Role.INVESTIGATOR: frozenset({_M}),
        Role.SUPERVISOR: frozenset({_M}),
        Role.ADMIN: frozenset({_M}),
    },
    Act.EXPORT: {Role.INVESTIGATOR: frozenset({_M}), Role.SUPERVISOR: frozenset({_M}), Role.ADMIN: frozenset({_M})},
    Act.SEE_AUDIT: {
        Role.INVESTIGATOR: frozenset({_M}),
        Role.SUPERVISOR: frozenset({_M}),
        Role.AUDITOR: frozenset({_N, _M}),
        Role.ADMIN: frozenset({_M}),
    },
    Act.SEE_TRAY: {
        Role.OFFICER: frozenset({_O}),
        Role.SUPERVISOR: frozenset({_N, _O}),
        Role.INVESTIGATOR: frozenset({_O}),
        Role.ADMIN: frozenset({_N, _O}),
    },
    Act.FILE_FROM_TRAY: {
        Role.SUPERVISOR: frozenset({_N, _O}),
        Role.ADMIN: frozenset({_N, _O}),
        Role.OFFICER: frozenset({_O}),
        Role.INVESTIGATOR: frozenset({_O}),
    },
    Act.MANAGE_USERS: {Role.ADMIN: frozenset({_N})},
}


def allows(user: User, act: Act, relations: frozenset[Relation] = frozenset({Relation.NONE})) -> bool:
    """Whether `user`, standing in `relations` to the thing, may do `act`. Deny by default.

    Source: docs/custody.md, "Who may see what" (an auditor reads logs and no media; an administrator
    is no member of a case by being administrator).
    """
    if user.disabled:
        return False
    allowed = _ALLOWED[act].get(user.role, frozenset())
    return bool(allowed & (relations | {Relation.NONE}))

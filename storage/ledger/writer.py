"""One transaction with its AuditEvent: what every part of the ledger stands on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from fractions import Fraction
from typing import Any

import rfc8785
from sqlalchemy import Connection, Engine, insert, select, text

from evidence.audit import GENESIS, AuditEvent, Verb, chain_hash
from evidence.ports import Clock
from storage.database import lock_number, translated
from storage.tables import audit

_CHAIN_LOCK = lock_number("audit chain", "")
_LARGEST_INTEGER = 2**53 - 1
"""RFC 8785 allows no larger one: other languages would read it as another number."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is going to be written into the custody log."""

    actor: str
    verb: Verb
    case_id: str | None = None
    exhibit_id: str | None = None
    details: Mapping[str, Any] | None = None


class Writer:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, datetime]]:
        """A transaction and the moment it counts as. Raises: DatabaseDown when PostgreSQL can't be reached."""
        with translated(), self._engine.begin() as connection:
            yield connection, self._clock.now().astimezone(UTC)

    def _log(self, connection: Connection, act: Act, at: datetime) -> int:
        """Append `act` to the chain inside the caller's transaction; the number it got.

        The chain's head is locked until the transaction ends, so call it last.
        """
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _CHAIN_LOCK})
        # A statement of its own: its snapshot is taken after the lock, so it sees the last committed event.
        head = connection.execute(select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)).first()
        unsigned = AuditEvent(
            number=1 if head is None else head.number + 1,
            at=at,
            actor=clean(act.actor),
            verb=act.verb,
            case_id=act.case_id,
            exhibit_id=act.exhibit_id,
            details=plain(act.details or {}),
            previous=GENESIS if head is None else head.hash,
            hash="",
        )
        connection.execute(
            insert(audit).values(
                number=unsigned.number,
                at=unsigned.at,
                actor=unsigned.actor,
                verb=unsigned.verb.value,
                case_id=unsigned.case_id,
                exhibit_id=unsigned.exhibit_id,
                details=unsigned.details,
                previous=unsigned.previous,
                hash=chain_hash(unsigned, rfc8785.dumps),
            )
        )
        return unsigned.number


def new_id() -> str:
    """A fresh id for a row: 32 hex digits, which cannot be guessed."""
    return uuid.uuid4().hex


def clean(value: str) -> str:
    """Text as PostgreSQL can hold it: no NUL, no half characters; what was there shows as a replacement mark."""
    return value.replace("\x00", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def storable(value: Any) -> Any:
    """A JSON value that a JSONB column takes: all of its text cleaned."""
    match value:
        case str():
            return clean(value)
        case Mapping():
            return {clean(str(key)): storable(item) for key, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
        case _:
            return value


def plain(value: Any) -> Any:
    """JSON values as the custody log holds them: text, true whole numbers, lists and objects; no floats.

    Other numbers become text, in their shortest exact spelling.

    Raises: TypeError for a value that has no such form.
    """
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return clean(value)
        case int():
            return value if abs(value) <= _LARGEST_INTEGER else str(value)
        case float() | Fraction():
            return str(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case Mapping():
            return {clean(str(key)): plain(item) for key, item in value.items()}
        case frozenset() | set():
            return sorted(plain(item) for item in value)
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            raise TypeError(f"{type(value).__name__} has no form in the custody log")

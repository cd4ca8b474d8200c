"""One transaction with its AuditEvent: what every part of the ledger stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from evidence.audit import Verb
from evidence.ports import Clock


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
        raise NotImplementedError
        yield

    def _log(self, connection: Connection, act: Act, at: datetime) -> int:
        """Append `act` to the chain inside the caller's transaction; the number it got.

        The chain's head is locked until the transaction ends, so call it last.
        """
        raise NotImplementedError

"""A connection for reading, and rows of it: what every part of the index stands on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Select

from storage.database import translated
from storage.rows import AnyRow


class Reader:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated(), self._engine.connect() as connection:
            yield connection

    def _all(self, statement: Select[Any]) -> Sequence[AnyRow]:
        with self._reading() as connection:
            return connection.execute(statement).all()

    def _first(self, statement: Select[Any]) -> AnyRow | None:
        with self._reading() as connection:
            return connection.execute(statement).first()

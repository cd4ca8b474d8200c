"""Connections to PostgreSQL: engines, what its errors mean here, and whether its tables are ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import psycopg
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from evidence.errors import BadInput, Busy, DatabaseDown, NoSpace, WrongSchema
from storage.migrations import HEAD

# A machine that vanishes in the middle of a transaction must not hold the log's head, or anything, for long.
_SESSION = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "timezone": "UTC",
        "idle_in_transaction_session_timeout": "30s",
        "lock_timeout": "30s",
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
    }.items()
)
# And a server that vanishes without a word must not hold us: by themselves connections wait for hours.
_CONNECTING = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "options": _SESSION,
}
_DISK_FULL = "53100"
_READ_ONLY = "25006"
_UNDEFINED_TABLE = "42P01"
_LOST_A_RACE = frozenset({"40001", "40P01", "55P03"})  # serialization failure, deadlock, lock not available


def open_engine(url: str, *, pool_size: int = 16, max_overflow: int = 16) -> Engine:
    """A pool on this address, sessions in UTC; it opens only as many connections as are in use at the same moment.

    Raises: BadInput for an address that is none.
    """
    return create_engine(
        _address(url),
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=10,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={**_CONNECTING, "application_name": "exhibit"},
    )


def open_single(engine: Engine) -> Engine:
    """An engine on the same address whose connections are opened and closed each time."""
    return create_engine(
        engine.url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={**_CONNECTING, "application_name": "exhibit lock"},
    )


def _address(url: str) -> str:
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise BadInput(
            "the database address can't be understood", hint="Write it as postgresql://user:password@host:5432/exhibit"
        ) from exc
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


@contextmanager
def translated() -> Iterator[None]:
    """What goes wrong between us and PostgreSQL, in our words. Broken constraints pass: the caller knows them."""
    try:
        yield
    except PoolTimeout as exc:
        raise DatabaseDown("all connections to the database are in use") from exc
    except (OperationalError, InterfaceError) as exc:
        _raise(exc)
    except InternalError as exc:
        if getattr(exc.orig, "sqlstate", None) != _READ_ONLY:
            raise
        raise DatabaseDown("the database takes no writes at the moment") from exc


def in_binary(connection: Connection, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows of a statement with `%s` in it, in binary: columns of bytes come otherwise as text, twice as long."""
    try:
        with connection.connection.driver_connection.cursor(binary=True) as cursor:  # type: ignore[union-attr]
            rows: list[tuple[Any, ...]] = cursor.execute(statement, values).fetchall()
            return rows
    except psycopg.Error as exc:
        raise DatabaseDown(f"the database can't be read: {str(exc).strip().partition(chr(10))[0]}") from exc


def _raise(exc: DBAPIError) -> NoReturn:
    state = getattr(exc.orig, "sqlstate", None)
    if state == _DISK_FULL:
        raise NoSpace("the disk of the database is full") from exc
    if state in _LOST_A_RACE:
        raise Busy("somebody else was changing the same thing") from exc
    first_line = str(exc.orig).strip().partition("\n")[0]
    raise DatabaseDown(f"the database can't be reached: {first_line}") from exc


def lock_number(kind: str, name: str) -> int:
    """The number of an advisory lock for this thing: 63 bits of a hash, so that two things hardly ever share one."""
    digest = hashlib.sha256(f"{kind}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def check_schema(engine: Engine) -> None:
    """Whether the tables are the ones of this program and the role is held to them.

    Raises: WrongSchema, saying what to run; DatabaseDown.
    """
    with translated(), engine.connect() as connection:
        try:
            version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        except ProgrammingError as exc:
            if getattr(exc.orig, "sqlstate", None) != _UNDEFINED_TABLE:
                raise WrongSchema(f"the database can't be read: {exc.orig}") from exc
            raise WrongSchema("the database has no tables yet: run exhibit migrate") from exc
        if version != HEAD:
            raise WrongSchema(
                f"the database is at version {version or 'none'}, this program works with {HEAD}: run exhibit migrate",
                hint="Run: exhibit migrate (and update every machine to the same release of exhibit).",
            )
        may_rewrite = connection.execute(
            text("SELECT has_table_privilege(current_user, 'audit', 'UPDATE, DELETE, TRUNCATE')")
        ).scalar_one()
    if may_rewrite:
        raise WrongSchema(
            "the role that the program connects as could rewrite the custody log",
            hint="Set app_database_url to a role of its own that owns nothing, then run: exhibit migrate",
        )

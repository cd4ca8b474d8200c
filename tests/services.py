"""The real servers behind the fixtures: PostgreSQL, Valkey and MinIO of this test process alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from config.settings import load
from evidence.errors import Unavailable
from storage import embedded, minio_server, servers
from storage.migrate import migrate_database

TEMPLATE = "exhibit_template"
# A test's database is thrown away: nothing has to survive a power cut.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB", "max_wal_size=256MB")


@dataclass(frozen=True, slots=True)
class Postgres:
    """One server with a migrated template; every test gets a copy of it."""

    sockets: Path

    def address(self, role: str, database: str) -> str:
        return embedded.socket_url(self.sockets, role, database)

    def create(self, name: str) -> None:
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE)))

    def drop(self, name: str) -> None:
        self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composed | sql.SQL) -> None:
        with psycopg.connect(host=str(self.sockets), user=servers.OWNER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)


@dataclass(frozen=True, slots=True)
class Services:
    postgres: Postgres
    redis_url: str


@contextmanager
def running_services() -> Iterator[Services]:
    """PostgreSQL with a template database and Valkey, in a folder that goes with them."""
    # Not pytest's own folder: its path can be too long for a socket, and PostgreSQL as root needs to pass through it.
    folder = Path(tempfile.mkdtemp(prefix="exhibit-tests-"))
    try:
        with embedded.running(load({"data_dir": folder}, {}), postgres_options=_FAST) as settings:
            place = embedded.Place(folder)
            postgres = Postgres(place.sockets("postgres"))
            postgres._run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
            migrate_database(postgres.address(servers.OWNER, TEMPLATE), postgres.address(embedded.APP_ROLE, TEMPLATE))
            yield Services(postgres, settings.redis_url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_minio() -> Iterator[minio_server.Server]:
    """A MinIO server; without its program the tests of it are skipped, and fail in CI."""
    cache = Path(os.environ.get("EXHIBIT_CACHE", "~/.cache/exhibit")).expanduser()
    program = minio_server.find(cache)
    if program is None:
        missing(f"no minio on the PATH or in {cache}/bin: make minio builds it")
    folder = Path(tempfile.mkdtemp(prefix="exhibit-minio-"))
    try:
        with minio_server.serving(program, folder / "data", folder / "log") as server:
            yield server
    except Unavailable as exc:
        missing(str(exc))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def missing(reason: str) -> None:
    """A service isn't there: skip here, fail in CI, where it has to be."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

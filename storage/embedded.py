"""The bundled PostgreSQL and Valkey under a data folder, for whoever needs them, as long as anybody does.

`exhibit up` holds them for its lifetime; a short command attaches to running ones or starts them for itself.
Every holder keeps a shared file lock, which dies with its process; whoever leaves last turns off the light.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psycopg
from psycopg import sql
from sqlalchemy import URL

from config.settings import Settings
from evidence.errors import Unavailable
from storage import servers

APP_ROLE = "exhibit_app"
_LONGEST_SOCKET_PATH = 100
"""Units: bytes. Linux allows 107; PostgreSQL's and Valkey's file names are counted in."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the parts of an embedded installation lie."""

    data_dir: Path

    @property
    def postgres(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def run(self) -> Path:
        return self.data_dir / "run"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    def sockets(self, server: str) -> Path:
        """A folder whose path is short enough for a socket: in the data folder, or else a private temporary one."""
        here = self.run / server
        if len(os.fsencode(here)) + len("/.s.PGSQL.5432.lock") <= _LONGEST_SOCKET_PATH:
            return here
        name = hashlib.sha256(os.fsencode(self.data_dir.resolve())).hexdigest()[:16]
        return Path("/tmp") / f"exhibit-{os.geteuid()}-{name}" / server  # noqa: S108 - see _own_sockets


def _own_sockets(place: Place, server: str) -> Path:
    """The folder for the sockets, sure to be ours alone, also where everybody may make one."""
    sockets = place.sockets(server)
    path = sockets.parent
    if path == place.run:
        return sockets
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o066:
        raise Unavailable(f"{path} exists already and is not ours alone", hint="Use a data folder with a shorter path.")
    return sockets


@contextmanager
def running(settings: Settings, *, postgres_options: Sequence[str] = ()) -> Iterator[Settings]:
    """The settings with every address filled in, and the servers that the settings don't name, running.

    A database or bell that is configured is left alone. Outside a program that handles SIGTERM itself, SIGTERM
    inside ends the program as `SystemExit(143)`, so that nothing is left running.

    Raises: Unavailable when a server can't start.
    """
    need_postgres = not settings.database_url and not settings.app_database_url
    need_valkey = not settings.redis_url
    if not need_postgres and not need_valkey:
        yield settings
        return
    place = Place(settings.data_dir)
    _make_folders(place)
    with _sigterm_unwinds(), (place.run / "holders.lock").open("ab") as holders:
        try:
            with _alone(place):
                fcntl.flock(holders, fcntl.LOCK_SH)
                filled = _start_missing(settings, place, need_postgres, need_valkey, postgres_options)
            yield filled
        finally:
            with _alone(place):
                _leave(place, holders.fileno())


def is_running(settings: Settings) -> bool:
    """Whether somebody runs the embedded database of this data folder now."""
    return servers.postgres_pid(Place(settings.data_dir).postgres) is not None


def _make_folders(place: Place) -> None:
    try:
        for folder in (place.data_dir, place.run, place.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise Unavailable(
            f"the data folder {place.data_dir} can't be used: {exc.strerror}", hint="Choose another one with --data."
        ) from exc


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """One process at a time starts or stops servers of this folder."""
    with (place.run / "start.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start_missing(
    settings: Settings, place: Place, need_postgres: bool, need_valkey: bool, postgres_options: Sequence[str]
) -> Settings:
    filled: dict[str, str] = {}
    if need_postgres:
        sockets = _own_sockets(place, "postgres")
        if servers.postgres_pid(place.postgres) is None:
            servers.start_postgres(place.postgres, sockets, place.logs / "postgres.log", postgres_options)
        _ensure_database(sockets)
        filled["database_url"] = socket_url(sockets, servers.OWNER)
        filled["app_database_url"] = socket_url(sockets, APP_ROLE)
    if need_valkey:
        sockets, pid_file = _own_sockets(place, "valkey"), place.run / "valkey.pid"
        if servers.valkey_pid(pid_file, sockets) is None:
            pid = servers.start_valkey(sockets, place.logs / "valkey.log")
            pid_file.write_text(str(pid), "ascii")
        filled["redis_url"] = f"unix://{servers.valkey_socket(sockets)}?db=0"
    return settings.model_copy(update=filled)


def socket_url(sockets: Path, role: str, database: str = servers.DATABASE) -> str:
    return URL.create(
        "postgresql+psycopg", username=role, database=database, query={"host": str(sockets)}
    ).render_as_string()


def _ensure_database(sockets: Path) -> None:
    with psycopg.connect(host=str(sockets), user=servers.OWNER, dbname="postgres", autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (servers.DATABASE,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(servers.DATABASE)))


def _leave(place: Place, holders: int) -> None:
    """Give up our share of the servers, and stop them when nobody else has one."""
    fcntl.flock(holders, fcntl.LOCK_UN)
    try:
        fcntl.flock(holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    pid_file = place.run / "valkey.pid"
    valkey = servers.valkey_pid(pid_file, place.sockets("valkey"))
    if valkey is not None:
        servers.stop(valkey, signal.SIGTERM)
    pid_file.unlink(missing_ok=True)
    postgres = servers.postgres_pid(place.postgres)
    if postgres is not None:
        servers.stop(postgres, signal.SIGINT)  # "fast": sessions end, everything is written
    for folder in (place.sockets("postgres"), place.sockets("valkey")):
        with suppress(OSError):  # still in use, or never made
            folder.rmdir()
            if folder.parent != place.run:
                folder.parent.rmdir()


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not ours:
        yield
        return

    def unwind(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the way out must not be cut short
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

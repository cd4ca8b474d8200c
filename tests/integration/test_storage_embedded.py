"""The bundled servers: shared while anybody needs them, gone after the last one, whoever was first or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from config.settings import Settings, load
from evidence.errors import Unavailable
from storage import embedded, servers
from storage.migrate import migrate
from storage.open import opened

HOLDER = """
import signal, sys
from config.settings import load
from storage import embedded
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started with it ignored
with embedded.running(load({"data_dir": sys.argv[1]}, {})) as settings:
    print(settings.redis_url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data(server_folder: Path) -> Iterator[Path]:
    folder = server_folder / "data"
    yield folder
    assert ours(folder) == [], "something was left running"


@pytest.fixture
def plain(data: Path) -> Settings:
    return load({"data_dir": data}, {})


def ours(folder: Path) -> list[int]:
    """Every process whose command line names this folder or its sockets."""
    names = {str(folder), str(embedded.Place(folder).sockets("postgres").parent)}
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            if any(name in command for name in names) and "storage import embedded" not in command:
                found.append(int(entry.name))
    return found


def holder(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def ready(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, "the holder ended"
    return line


def test_servers_run_inside_and_are_gone_after(plain: Settings, data: Path) -> None:
    with embedded.running(plain) as settings:
        assert embedded.is_running(plain)
        migrate(settings)
        with opened(settings) as storage:
            assert storage.ledger.people.first_admin() is not None
        with redis.Redis.from_url(settings.redis_url) as client:
            assert client.ping()
            assert client.config_get("port") == {"port": "0"}
        assert ours(data)
    assert ours(data) == []
    assert not embedded.is_running(plain)
    with embedded.running(plain) as settings, opened(settings) as storage:
        assert len(storage.index.users()) == 1, "what was written is there again"


def test_nobody_else_can_reach_the_sockets(plain: Settings) -> None:
    with embedded.running(plain):
        place = embedded.Place(plain.data_dir)
        for server in ("postgres", "valkey"):
            assert place.sockets(server).stat().st_mode & 0o077 == 0
        with psycopg.connect(host=str(place.sockets("postgres")), user="postgres", dbname="postgres") as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_what_is_configured_is_left_alone(plain: Settings, data: Path) -> None:
    configured = plain.model_copy(update={"app_database_url": "postgresql://app@db/x", "redis_url": "redis://bell"})
    with embedded.running(configured) as settings:
        assert settings == configured
    assert not data.exists()
    bell_only = plain.model_copy(update={"app_database_url": "postgresql://app@db/x"})
    with embedded.running(bell_only) as settings:
        assert settings.app_database_url == "postgresql://app@db/x"
        assert settings.database_url == ""
        assert settings.redis_url.startswith("unix://")
        assert not embedded.is_running(plain)


def test_the_last_one_turns_off_the_light(plain: Settings, data: Path) -> None:
    child = holder(data)
    try:
        url = ready(child)
        with embedded.running(plain) as settings:
            assert settings.redis_url == url.strip(), "attached, not started again"
            child.communicate(timeout=30)
            assert child.returncode == 0
            with redis.Redis.from_url(settings.redis_url) as client:
                assert client.ping()
        assert ours(data) == []
    finally:
        child.kill()
        child.communicate()


def test_starting_at_the_same_moment(data: Path) -> None:
    children = [holder(data) for _ in range(4)]
    try:
        assert len({ready(child) for child in children}) == 1
    finally:
        for child in children:
            child.communicate(timeout=60)
    assert [child.returncode for child in children] == [0, 0, 0, 0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_that_is_told_to_stop_leaves_nothing(data: Path, number: signal.Signals) -> None:
    child = holder(data)
    try:
        ready(child)
        child.send_signal(number)
        assert child.wait(30) != 0  # before its input ends, which is a reason to stop of its own
    finally:
        child.communicate(timeout=30)
    assert ours(data) == []


def test_after_a_killed_holder_the_next_one_takes_over_and_cleans_up(plain: Settings, data: Path) -> None:
    child = holder(data)
    url = ready(child)
    child.kill()
    child.communicate()
    assert ours(data), "a kill can't be noticed by the killed"
    with embedded.running(plain) as settings:
        assert settings.redis_url == url.strip()
    assert ours(data) == []


def test_a_killed_database_comes_back(plain: Settings, data: Path) -> None:
    with embedded.running(plain) as settings:
        migrate(settings)
        with opened(settings) as storage:
            storage.ledger.people.first_admin()
        pid = servers.postgres_pid(embedded.Place(data).postgres)
        assert pid
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while servers.postgres_pid(embedded.Place(data).postgres) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with embedded.running(plain) as again, opened(again) as storage:
            assert len(storage.index.users()) == 1


def test_a_long_path_gets_short_sockets(server_folder: Path) -> None:
    folder = server_folder / ("a long name " * 8) / "data"
    settings = load({"data_dir": folder}, {})
    with embedded.running(settings) as filled:
        sockets = embedded.Place(folder).sockets("valkey")
        assert not sockets.is_relative_to(folder)
        assert len(str(sockets)) < 100
        with redis.Redis.from_url(filled.redis_url) as client:
            assert client.ping()
        migrate(filled)
    assert ours(folder) == []
    assert not sockets.parent.exists()


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="data folder"), embedded.running(load({"data_dir": tmp_path / "file"}, {})):
        pass


def test_data_of_another_release_is_refused_in_words(plain: Settings, data: Path) -> None:
    (data / "postgres").mkdir(parents=True)
    (data / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(Unavailable, match="PostgreSQL 12"), embedded.running(plain):
        pass
    assert ours(data) == []


def test_a_foreign_folder_in_place_of_the_short_one_is_refused(server_folder: Path) -> None:
    folder = server_folder / ("a long name " * 8) / "data"
    taken = embedded.Place(folder).sockets("postgres").parent
    taken.mkdir(mode=0o777)
    taken.chmod(0o777)
    try:
        with pytest.raises(Unavailable, match="not ours alone"), embedded.running(load({"data_dir": folder}, {})):
            pass
    finally:
        taken.rmdir()
    assert ours(folder) == []

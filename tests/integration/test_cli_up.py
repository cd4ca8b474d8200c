"""`exhibit up` starts everything, says where, keeps it going, and leaves nothing running."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli.doctor import examine
from config.settings import Settings

EXHIBIT = [sys.executable, "-I", "-m", "cli.main"]


def environ(**more: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("EXHIBIT_")}
    return kept | more


class Up:
    """A running `exhibit up` on a data folder of its own."""

    def __init__(self, data: Path, log: Path, **more: str) -> None:
        self.data = data
        self._log = log
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [*EXHIBIT, "up", "--data", str(data), "--port", "0", "--workers", "2", "--json"],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environ(**more),
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, log.read_text()
        self.told = json.loads(line)

    def said(self) -> str:
        return self._log.read_text()

    def tree(self) -> list[psutil.Process]:
        """Everything that belongs to this data folder: below the program, or the servers, which are on their own."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        return list({p.pid: p for p in [*below, *processes_of(self.data)]}.values())

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(40)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def processes_of(data: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        command = " ".join(process.info["cmdline"] or [])
        variables = process.info["environ"] or {}
        if str(data) in command or variables.get("EXHIBIT_DATA_DIR") == str(data):
            found.append(process)
    return found


def wait_for(what: str, check: object, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not check():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture
def data() -> Iterator[Path]:
    # Not below pytest's own folder: that is closed to the account that PostgreSQL runs as when we are root.
    folder = Path(tempfile.mkdtemp(prefix="exhibit-up-"))
    yield folder / "data"
    for process in processes_of(folder):
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def get(address: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=10) as answer:
        return bytes(answer.read())


def test_up_serves_restarts_a_worker_and_leaves_nothing(data: Path, tmp_path: Path) -> None:
    up = Up(data, tmp_path / "said")
    assert up.told["first_admin"]["password"] in up.said()
    assert json.loads(get(up.told["address"] + "/readyz"))["ready"] is True

    parts = up.tree()
    names = {p.name() for p in parts}
    assert {"postgres", "valkey-server"} <= names
    commands = [" ".join(p.cmdline()) for p in parts]
    assert sum(c.endswith("cli.main serve") for c in commands) == 1
    assert not any("postgresql" in c.lower() or "unix://" in c for c in commands if "cli.main" in c), "addresses on argv"
    web = next(p for p in parts if " ".join(p.cmdline()).endswith("cli.main serve"))
    assert "EXHIBIT_DATABASE_URL" not in web.environ(), "the web server holds no owner's address"

    second = [*EXHIBIT, "up", "--data", str(data), "--port", "0"]
    beside = subprocess.run(second, env=environ(), capture_output=True, text=True, check=False)
    assert (beside.returncode, beside.stdout) == (3, "")
    assert f"exhibit up runs already on the data folder {data}" in beside.stderr

    worker = next(p for p in psutil.Process(up.process.pid).children() if "worker" in p.cmdline())
    worker.kill()
    wait_for("the dead worker is told and started again", lambda: "started again" in up.said())
    assert "is dead (exit code -9)" in up.said()
    workers = [p for p in psutil.Process(up.process.pid).children() if "worker" in p.cmdline() and p.is_running()]
    assert len(workers) == 2

    before = up.tree()
    assert up.end(signal.SIGTERM) == 0
    _, alive = psutil.wait_procs(before, timeout=5)
    assert not alive, [p.cmdline() for p in alive]
    assert processes_of(data) == []
    assert "nothing is left running" in up.said()
    assert {"web.log", "worker-1.log", "worker-2.log", "postgres.log"} <= {p.name for p in (data / "logs").iterdir()}

    again = Up(data, tmp_path / "again")
    assert again.told["first_admin"] is None, "a password is shown once"
    assert again.end(signal.SIGINT) == 0
    assert processes_of(data) == []


def test_up_dies_and_takes_its_programs_along(data: Path, tmp_path: Path) -> None:
    """Even killed hard, its own programs follow; the database and the bell stay for the next start, which uses them."""
    up = Up(data, tmp_path / "said")
    ours = [p for p in up.tree() if "cli.main" in " ".join(p.cmdline())]
    up.process.kill()
    up.process.wait()
    assert up.process.stdout is not None
    up.process.stdout.close()
    _, alive = psutil.wait_procs(ours, timeout=30)
    assert not alive
    again = Up(data, tmp_path / "again")
    assert again.end(signal.SIGTERM) == 0
    assert processes_of(data) == []


def test_a_dead_web_server_ends_it_all_and_is_told(data: Path, tmp_path: Path) -> None:
    up = Up(data, tmp_path / "said")
    web = next(p for p in psutil.Process(up.process.pid).children() if "serve" in p.cmdline())
    web.kill()
    assert up.process.stdout is not None
    up.process.stdout.close()
    assert up.process.wait(40) == 4
    assert "the web server ended (exit code -9)" in up.said()
    assert "Traceback" not in up.said()
    assert processes_of(data) == []


@pytest.mark.minio
def test_what_is_configured_is_used_and_left_alone(
    data: Path, tmp_path: Path, minio_settings: Settings, owner_url: str
) -> None:
    up = Up(
        data,
        tmp_path / "said",
        EXHIBIT_DATABASE_URL=owner_url,
        EXHIBIT_APP_DATABASE_URL=minio_settings.app_database_url,
        EXHIBIT_REDIS_URL=minio_settings.redis_url,
        EXHIBIT_STORE="minio",
        EXHIBIT_MINIO_ENDPOINT=minio_settings.minio_endpoint,
        EXHIBIT_MINIO_ACCESS_KEY=minio_settings.minio_access_key,
        EXHIBIT_MINIO_SECRET_KEY=minio_settings.minio_secret_key,
        EXHIBIT_MINIO_BUCKET=minio_settings.minio_bucket,
    )
    assert "PostgreSQL, as configured" in up.said()
    assert minio_settings.minio_endpoint in up.said()
    assert not {"postgres", "valkey-server"} & {p.name() for p in up.tree()}
    assert not any(minio_settings.minio_secret_key in " ".join(p.cmdline()) for p in up.tree()), "a secret on argv"
    taken = subprocess.run(
        [*EXHIBIT, "up", "--data", str(data / "other"), "--port", up.told["address"].rpartition(":")[2]],
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (taken.returncode, "is taken" in taken.stderr) == (3, True)
    assert up.end(signal.SIGTERM) == 0
    parts = {finding.part: finding for finding in examine(minio_settings)}
    assert (parts["database"].state, parts["bell"].state, parts["store"].state) == ("ok", "note", "ok")
    assert parts["locks"].found == "every original in a case is locked well into the future"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_web_server_alone_ends_well_and_leaves_nothing_running(data: Path, number: signal.Signals) -> None:
    subprocess.run([*EXHIBIT, "migrate", "--data", str(data)], env=environ(), capture_output=True, check=True)
    command = [*EXHIBIT, "serve", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, env=environ(), stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr is not None
        assert next((line for line in serving.stderr if "startup complete" in line), ""), "it serves"
        serving.send_signal(number)
        serving.communicate(timeout=40)
    assert serving.returncode == 0
    assert not processes_of(data)


def test_a_wrong_setting_and_a_dead_part_are_told_in_a_sentence(data: Path) -> None:
    wrong = subprocess.run(
        [*EXHIBIT, "up", "--data", str(data)],
        env=environ(EXHIBIT_LOCK_DAYS="0"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 2
    assert "lock_days" in wrong.stderr
    down = subprocess.run(
        [*EXHIBIT, "up", "--data", str(data)],
        env=environ(
            EXHIBIT_DATABASE_URL="postgresql://postgres@127.0.0.1:1/exhibit",
            EXHIBIT_APP_DATABASE_URL="postgresql://exhibit_app@127.0.0.1:1/exhibit",
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert down.returncode == 4
    assert "the database can't be reached" in down.stderr
    assert "Traceback" not in down.stderr
    assert processes_of(data) == []

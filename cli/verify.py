"""`exhibit verify`: a case file, or this installation's custody log, as recorded or not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from casefile.verify import BagCheck, Finding, LogCheck, verify_bag, verify_log
from cli.exit_codes import ExitCode
from config.settings import load
from evidence.errors import BadInput, NotFound

_HEAD = re.compile(r"(\d+):([0-9a-f]{64})")


def verify(
    path: Annotated[Path | None, typer.Argument(metavar="DIR", help="A case file: a folder or a .zip.")] = None,
    log: Annotated[bool, typer.Option("--log", help="Check this installation's custody log instead.")] = False,
    fingerprint: Annotated[str | None, typer.Option(help="The fingerprint of the case file, as the sender told it.")] = None,
    head: Annotated[
        str | None, typer.Option(help="NUMBER:HASH of an event noted earlier; the log must still hold it (with --log).")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The data folder (with --log).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was found as JSON.")] = False,
) -> None:
    """Check a case file, or this installation's custody log.

    The check shares nothing with what wrote them but the format, which docs/custody.md describes.

    Example: exhibit verify case-file/ --fingerprint 9ab0…

    Example: exhibit verify --log

    Exit code: 0 all as recorded; 1 not, with each wrong file or the first wrong event named; 2 wrong use; 3 there is no
    such folder; 4 the database is down.
    """
    if log == (path is not None):
        raise BadInput("give either a case file or --log", hint="exhibit verify DIR, or: exhibit verify --log")
    if path is not None:
        if not path.exists():
            raise NotFound(f"there is no {path}", hint="Name the folder or the .zip that exhibit export wrote.")
        ok = _say_bag(verify_bag(path), fingerprint, as_json)
    else:
        ok = _say_log(_check_log(data, head), as_json)
    raise typer.Exit(ExitCode.DONE if ok else ExitCode.FAILED)


def _check_log(data: Path | None, head: str | None) -> LogCheck:
    wanted = _HEAD.fullmatch(head) if head else None
    if head and wanted is None:
        raise BadInput("--head is not NUMBER:HASH", hint="Copy it from what an earlier exhibit verify --log said.")
    from storage import embedded
    from storage.heads import noted_heads
    from storage.open import opened

    with embedded.running(load({"data_dir": data})) as settings, opened(settings) as storage:
        heads = dict(noted_heads(storage.store))
        if wanted is not None:
            heads[int(wanted[1])] = wanted[2]
        missing = dict(heads)
        check = verify_log(_crossing_off(storage.index.audit_json(), missing))
    if check.ok and missing:
        number = min(missing)
        found = "is not the one that was noted" if number <= check.events else "was noted, and the log ends before it"
        return LogCheck(check.events, check.gaps, check.head, number, f"event {number} {found}")
    return check


def _crossing_off(events: Iterator[dict[str, Any]], missing: dict[int, str]) -> Iterator[dict[str, Any]]:
    """The same events; each noted head that is met on the way is taken off the list."""
    for event in events:
        if missing.get(event["number"]) == event["hash"]:
            del missing[event["number"]]
        yield event


def _say_bag(check: BagCheck, fingerprint: str | None, as_json: bool) -> bool:
    findings = list(check.findings)
    if fingerprint and fingerprint.lower() != check.fingerprint:
        findings.append(Finding("fingerprint", "is not the one that you were told: this is not the case file that was sent"))
    if as_json:
        found = [{"where": f.where, "what": f.what} for f in findings]
        events = check.log.events if check.log else 0
        typer.echo(
            json.dumps(
                {
                    "ok": not findings,
                    "files": check.files,
                    "size_bytes": check.size_bytes,
                    "events": events,
                    "fingerprint": check.fingerprint,
                    "findings": found,
                }
            )
        )
        return not findings
    console = Console(soft_wrap=True, highlight=False)
    for finding in findings:
        console.print(Text.assemble(("WRONG ", "bold red"), str(finding)))
    if check.log and check.log.ok:
        console.print(f"custody log: {check.log.events} events, each as written")
    console.print(f"fingerprint: {check.fingerprint or '-'}")
    verdict = Text("NOT as recorded", "bold red") if findings else Text("all as recorded", "bold green")
    console.print(Text.assemble(f"{check.files} files, {check.size_bytes} bytes: ", verdict))
    return not findings


def _say_log(check: LogCheck, as_json: bool) -> bool:
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "ok": check.ok,
                    "events": check.events,
                    "head": f"{check.events}:{check.head}",
                    "first_bad": check.first_bad,
                    "problem": check.problem,
                }
            )
        )
        return check.ok
    console = Console(soft_wrap=True, highlight=False)
    if check.ok:
        console.print(Text.assemble("custody log: ", ("true", "bold green"), f", {check.events} events, each as written"))
        console.print(f"head: {check.events}:{check.head}  (note it elsewhere; check it later with --head)")
    else:
        console.print(Text.assemble("custody log: ", ("false", "bold red"), f", {check.problem}"))
    return check.ok

"""`exhibit export`: a case as a folder (or zip) that can be checked without this program."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.progress import counting
from config.settings import load
from evidence.audit import Verb
from evidence.case import CaseId
from evidence.errors import Conflict
from evidence.steps import Step, StepState

if TYPE_CHECKING:
    from storage.index import Index


def export(
    case: Annotated[str, typer.Argument(help="Reference of the case.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder to write, or a name ending in .zip.")],
    data: Annotated[Path | None, typer.Option(help="The data folder.")] = None,
    user: Annotated[
        str | None, typer.Option("--as", help="The user for whom this is done; the custody log names both.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was written as JSON.")] = False,
) -> None:
    """Write a case as a folder that can be checked without this program.

    Every original, what was made of it, the record of exhibits, the custody log, manifests with SHA-256 and verify.py.
    Each file is compared with its recorded digest while it is written. For who has a shell on this machine; it is logged.

    Example: exhibit export 01AB/12345/26 -o case-file/

    Exit code: 0 written; 1 a stored file is not what was recorded (nothing is left); 3 no such case, or DIR is there
    already; 4 a part is down.
    """
    from casefile.bag import write_bag
    from storage import embedded
    from storage.open import opened
    from workers.steps.export import contents_of

    if out.exists():
        raise Conflict(f"{out} is there already", hint="Choose a new folder: a case file is never written over another.")
    with embedded.running(load({"data_dir": data})) as settings, opened(settings) as storage:
        found = storage.index.case_by_reference(case)
        actor = f"system:cli for {storage.index.user_by_name(user).name}" if user else "system:cli"
        viewings = storage.ledger.viewings
        # Before the first byte leaves; a second event, with the fingerprint, says that it did.
        viewings.record(actor, Verb.EXPORTED, case_id=found.id, details={"to": "folder", "state": "started"})
        contents = contents_of(storage.index, storage.store, found.id, made_by=actor, made_at=datetime.now(UTC))
        with counting("files", quiet=as_json) as progress:
            written = write_bag(out, contents, progress)
        not_done = _not_done(storage.index, found.id)
        summary = {
            "files": written.files,
            "size_bytes": written.size_bytes,
            "events": written.events,
            "fingerprint": written.fingerprint,
        }
        viewings.record(actor, Verb.EXPORTED, case_id=found.id, details={"to": "folder", "state": "done", **summary})
    if as_json:
        typer.echo(json.dumps({"path": str(written.path), **summary, "steps_not_done": not_done}))
        return
    typer.echo(
        f"{written.path}: {written.files} files, {written.size_bytes} bytes, {written.events} events of the custody log"
    )
    typer.echo(f"fingerprint: {written.fingerprint}  (tell it to the receiver by another way)")
    typer.echo(f"check it:    exhibit verify {written.path}   or   python {written.path / 'verify.py'} {written.path}")
    if not_done:
        some = ", ".join(f"{count} {state}" for state, count in not_done.items())
        typer.echo(f"not in it:   what steps make that aren't done ({some}); exhibit steps list --case {case} shows them")


def _not_done(index: Index, case_id: CaseId) -> dict[str, int]:
    """How many steps on the case's exhibits are in each state in which nothing was made of them."""
    open_states = [StepState.WAITING, StepState.READY, StepState.RUNNING, StepState.FAILED, StepState.QUARANTINED]
    runs = index.step_runs(None, case_id=case_id, states=[state.value for state in open_states], limit=100_000)
    return dict(Counter(run.state.value for run in runs if run.step is not Step.EXPORT))

"""`exhibit demo`: the whole way of one clip on real parts, in a data folder of its own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.demo_run import SHOWN, USER, Story, made_clip, play, settings_for, timed
from cli.exit_codes import ExitCode
from cli.parts import one_interrupt
from cli.steps_view import seconds_of, step_name
from cli.up import Machine, look_after, running
from evidence.errors import BadInput, NotFound, StepFailed


class Store(StrEnum):
    FOLDER = "folder"
    MINIO = "minio"


def demo(
    clip: Annotated[Path | None, typer.Option(help="Your own video; without it a clip is made from photographs.")] = None,
    case: Annotated[str, typer.Option(help="Reference of the case that is made for it.")] = "DEMO/1",
    store: Annotated[Store, typer.Option(help="Where the original goes; minio locks it.")] = Store.FOLDER,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up for the browser until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="At the end say everything as JSON.")] = False,
) -> None:
    """Show the whole way of a clip, on real parts in a folder of its own.

    Starts PostgreSQL, Valkey, the store, the web server and two workers in ./demo-data (or EXHIBIT_DEMO_DIR), made anew
    each time; makes a case; uploads the clip over HTTP; shows each step; then what was found, the check of the custody
    log, the annotated and the redacted copy, a contact sheet, and the address of the page.

    Example: exhibit demo --clip street.mp4 --case 01AB/12345/26 --keep

    Exit code: 0 every step done and the log verified; 1 a step failed; 2 wrong use, or the clip is no video; 3 the folder
    holds something else; 4 a part could not be started; 130 stopped before the end.
    """
    console = Console(stderr=as_json)
    if clip is not None and not clip.is_file():
        raise NotFound(f"there is no file {clip}", hint="Name a video: make demo CLIP=path/to/video.mp4")
    folder = Path(os.environ.get("EXHIBIT_DEMO_DIR") or "demo-data").absolute()
    if clip is not None and clip.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"{clip} lies in {folder}, which is made anew", hint="Copy it to another place first.")
    story = Story()
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)

    try:
        with one_interrupt(), ExitStack() as stack:
            settings = stack.enter_context(settings_for(folder, store.value, say))
            clip = clip or made_clip(folder, say, story)
            with timed(story, "start"):
                machine = stack.enter_context(running(settings, say))
            password = play(machine, clip, case, folder, console, story)
            story.seconds["total"] = time.monotonic() - began
            _tell(console, machine, story, password, keep)
            if as_json:
                typer.echo(json.dumps(_as_json(machine, story), ensure_ascii=False))
            if keep:
                say("Ctrl-C stops everything.")
                look_after(machine, say)
    except KeyboardInterrupt:
        say("stopped; nothing is left running")
        if "total" not in story.seconds:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
    if story.failed or not story.log_ok:
        raise StepFailed(
            f"not everything went well: {', '.join(story.failed) or 'the custody log'}", hint="See the lines above."
        )


# --- what is said at the end ---------------------------------------------------------------------------------------


def _tell(console: Console, machine: Machine, story: Story, password: str, keep: bool) -> None:
    exhibit = story.exhibit
    console.print(_steps_table(story))
    console.print(_found_table(story))
    locked = f", locked until {exhibit['locked_until'][:10]}" if exhibit["locked_until"] else ""
    lines = [
        (
            "exhibit",
            f"{exhibit['reference']} in case {exhibit['case_reference']}: {exhibit['state']}; {exhibit['storage']}{locked}",
        ),
        ("sha256", exhibit["sha256"]),
        ("custody log", story.log),
        *((name, str(story.files[name])) for name in SHOWN if name in story.files),
        ("page", f"{machine.address}/exhibits/{exhibit['id']}{'' if keep else '  (KEEP=1, or --keep, leaves it up)'}"),
        ("sign in as", f"{USER} with {password}"),
        ("times", ", ".join(f"{name} {took:.1f} s" for name, took in story.seconds.items())),
    ]
    console.print()
    for name, text in lines:
        colour = "bold red" if name == "custody log" and not story.log_ok else "bold"
        console.print(Text.assemble((f"{name:<14}", colour), text), soft_wrap=True)


def _steps_table(story: Story) -> Table:
    table = Table("step", "state", "time", "what is to be said", title="Steps", title_justify="left")
    for step in story.exhibit["steps"]:
        took = seconds_of(step)
        time_text = "" if took is None else f"{took:.1f} s"
        table.add_row(step_name(step), step["state"], time_text, Text(step["error"] or step["note"]))
    return table


def found_rows(tracks: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """For each label: how many tracks, when first and last seen, the best score; most tracks first."""
    labels: dict[str, list[Mapping[str, Any]]] = {}
    for track in tracks:
        labels.setdefault(track["label"], []).append(track)
    for label, some in sorted(labels.items(), key=lambda item: (-len(item[1]), item[0])):
        first = min(some, key=lambda track: _exact(track["first"]))
        last = max(some, key=lambda track: _exact(track["last"]))
        yield {
            "label": label,
            "tracks": len(some),
            "first_seen": first["first"]["label"],
            "last_seen": last["last"]["label"],
            "best_score": max(track["best_score"] for track in some),
        }


def _exact(moment: Mapping[str, Any]) -> Fraction:
    return int(moment["pts"]) * Fraction(moment["time_base"])


def _found_table(story: Story) -> Table:
    table = Table("label", "tracks", "first seen", "last seen", "best score", title="What was found", title_justify="left")
    for row in found_rows(story.tracks):
        table.add_row(row["label"], str(row["tracks"]), row["first_seen"], row["last_seen"], f"{row['best_score']:.2f}")
    if not story.tracks:
        table.add_row("nothing", "0", "", "", "")
    for what, reason in _not_looked_for(story).items():
        table.add_row(Text(what, "yellow"), Text(reason, "yellow"), "", "", "")
    return table


def _not_looked_for(story: Story) -> dict[str, str]:
    """What no detector looked for, and why, as the DETECT step recorded it."""
    details = [output["details"] for output in story.exhibit["outputs"] if output["step"] == "detect"]
    return {missing["what"]: missing["reason"] for detail in details for missing in detail.get("not_looked_for", ())}


def _as_json(machine: Machine, story: Story) -> dict[str, Any]:
    return {
        "address": machine.address,
        "exhibit": {
            name: story.exhibit[name] for name in ("id", "reference", "case_reference", "sha256", "state", "storage")
        },
        "steps": {step_name(step): step["state"] for step in story.exhibit["steps"]},
        "found": list(found_rows(story.tracks)),
        "not_looked_for": _not_looked_for(story),
        "custody_log": {"ok": story.log_ok, "said": story.log},
        "files": {name: str(path) for name, path in story.files.items()},
        "seconds": {name: round(took, 2) for name, took in story.seconds.items()},
    }

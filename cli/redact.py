"""`exhibit redact`: one file with faces, plates or people hidden, without servers, through the workers' own tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.analyse import bench, check_readable, put, sha256_of
from evidence.errors import BadInput, Conflict
from evidence.redaction import AudioPolicy, Hide, Redaction, Style
from workers.alone import TASK_OF, Bench

_OF_ITSELF = "faces, and plates where a plate model is configured"


def redact(
    file: Annotated[Path, typer.Argument(help="A video.", dir_okay=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="The redacted copy, an MP4 file.", dir_okay=False)],
    what: Annotated[
        str, typer.Option(help=f"What to hide: faces, plates, people, comma-separated. Without it: {_OF_ITSELF}.")
    ] = "",
    style: Annotated[Style, typer.Option(help="How; blur and pixelation can be undone in part.")] = Style.SOLID,
    audio: Annotated[AudioPolicy, typer.Option(help="Keep the sound or leave it out.")] = AudioPolicy.KEEP,
    report: Annotated[
        Path | None, typer.Option(help="Where to write the report (JSON); without it none is written.", dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say the report as JSON, and nothing else.")] = False,
) -> None:
    """Hide faces, plates or people in one video, without any server. The copy is a draft: nobody has looked at it.

    What is asked for in --what and has no detector here is refused, and nothing is written. The report lists what
    was not looked for. The file itself is never changed.

    Example: exhibit redact clip.mp4 -o clip-redacted.mp4 --what faces,plates --report report.json

    Exit code: 0 done; 1 a step failed, or a model file isn't the one in the catalogue; 2 the file can't be used, or
    nothing here can find what is to be hidden; 3 the output is there already; 130 stopped.
    """
    check_readable(file)
    asked = _hide(what)
    if output.suffix.lower() != ".mp4":
        raise BadInput(f"{output} is no name of an MP4 file", hint=f"Name the copy {output.stem}.mp4.")
    for place in (output, report):
        if place is not None and place.exists():
            raise Conflict(f"{place} is there already", hint="Choose another name, or move the old file.")
    if report is not None and report.absolute() == output.absolute():
        raise BadInput("the report can't be the same file as the copy", hint="Name it report.json, for example.")
    with bench(output.absolute().parent, quiet=as_json) as work:
        redaction = Redaction(what=asked or _of_itself(work), style=style, audio=audio)
        source = sha256_of(file)
        made, told = work.redact(file.absolute(), redaction)
        whole = {
            "file": file.name,
            "sha256": source,
            "output": output.name,
            "output_sha256": sha256_of(made),
            **told,
        }
        text = json.dumps(whole, ensure_ascii=False, indent=2)
        if report is not None:
            written = made.with_name("report-to-hand-out.json")
            written.write_text(text + "\n", "utf-8")
            report.absolute().parent.mkdir(parents=True, exist_ok=True)
            put(written, report)
        put(made, output)
    if as_json:
        typer.echo(text)
    else:
        _show(redaction, whole, output)


def _hide(what: str) -> frozenset[Hide]:
    names = [name.strip() for name in what.split(",") if name.strip()]
    known = {hide.value for hide in Hide}
    for name in names:
        if name not in known:
            raise BadInput(f"--what {name}: no such kind of thing", hint=f"Choose from {', '.join(sorted(known))}.")
    return frozenset(Hide(name) for name in names)


def _of_itself(work: Bench) -> frozenset[Hide]:
    return frozenset({Hide.FACES, *([Hide.PLATES] if work.can_look_for(TASK_OF[Hide.PLATES]) else [])})


def _show(redaction: Redaction, whole: dict[str, Any], output: Path) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    hidden = " and ".join(sorted(hide.value for hide in redaction.what))
    console.print(f"{output}: {hidden} hidden. A draft: watch it before it leaves your hands.")
    for missing in whole["not_looked_for"]:
        console.print(f"{missing['what']}: {missing['reason']}")

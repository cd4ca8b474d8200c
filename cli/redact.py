"""`exhibit redact`: one file with what was chosen hidden, without servers, through the workers' own tasks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli import second_look
from cli.analyse import EveryFrame, bench, check_folder, check_readable, put, sha256_of
from cli.exit_codes import ExitCode
from cli.hiding import NOTHING, Choice, Found
from evidence.errors import BadInput, Conflict
from evidence.redaction import AudioPolicy, Hide, Keep, Redaction, Style

_WHAT = f"""What to hide: {", ".join(hide.value for hide in Hide)}, comma-separated, or {NOTHING} but --region. Without it:
faces, and plates where a plate model is configured. Heads are every face, and those of people seen from behind."""
_Tracks = Annotated[
    Path | None, typer.Option(help="Folder of an exhibit analyse of this file: its tracks are taken.", file_okay=False)
]
_Keep = Annotated[list[int] | None, typer.Option(metavar="ID", help="Leave this track of --tracks open; repeatable.")]
_Only = Annotated[
    list[int] | None, typer.Option(metavar="ID", help="Hide no track of --tracks but this, of any kind; repeatable.")
]
_KeepOf = Annotated[
    list[Keep] | None,
    typer.Option("--keep", help="What the copy keeps: location, one place in its header. Without it: nothing of that."),
]
_Region = Annotated[
    list[str] | None,
    typer.Option(
        metavar="x0,y0,x1,y1@FROM-TO",
        help="Hide this rectangle too: pixels of the upright picture, times as 0:01:02.5; repeatable.",
    ),
]
_Report = Annotated[
    Path | None, typer.Option(help="Where to write the report (JSON); without it none is written.", dir_okay=False)
]
_NoSmart = Annotated[
    bool, typer.Option("--no-smart", help="Encode everything, also groups of pictures with nothing to hide.")
]
_NoSecondLook = Annotated[
    bool, typer.Option("--no-second-look", help="Don't let another model look for faces and plates in the copy.")
]
_Mend = Annotated[bool, typer.Option("--mend", help="Hide what the second look finds, and look again; at most twice.")]


def redact(
    file: Annotated[Path, typer.Argument(help="A video.", dir_okay=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="The redacted copy, an MP4 file.", dir_okay=False)],
    what: Annotated[str, typer.Option(help=_WHAT)] = "",
    tracks: _Tracks = None,
    keep_track: _Keep = None,
    only_track: _Only = None,
    region: _Region = None,
    reason: Annotated[str, typer.Option(help="Why; it stands in the report.")] = "",
    style: Annotated[Style, typer.Option(help="How; blur and pixelation can be undone in part.")] = Style.SOLID,
    audio: Annotated[AudioPolicy, typer.Option(help="Keep the sound or leave it out.")] = AudioPolicy.KEEP,
    keep: _KeepOf = None,
    report: _Report = None,
    every_frame: EveryFrame = False,
    no_smart: _NoSmart = False,
    no_second_look: _NoSecondLook = False,
    mend: _Mend = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say the report as JSON, and nothing else.")] = False,
) -> None:
    """Hide faces, plates or people in one video, without any server. The copy is a draft: nobody has looked at it.

    What is asked for in --what and has no detector here is refused, and nothing is written. The report lists what
    was not looked for. The file itself is never changed.

    A track's number is that of one analysis: --keep-track and --only-track need --tracks, the folder that exhibit
    analyse wrote about this very file. Where it, or --what heads, looked for people, a face that turns away is carried on.

    Example: exhibit redact clip.mp4 -o clip-redacted.mp4 --what faces,plates --report report.json

    Example: exhibit redact clip.mp4 -o clip-redacted.mp4 --tracks found/ --keep-track 3 --reason "the suspect"

    Where it was filmed is in no copy, but with --keep location: then its header names one place, and the report says which.

    Another model then searches the copy for what is still open; each place is in the report, its picture in COPY-findings/.
    Where tracks may be wrong is in the report too (doubts), ranked.

    Exit code: 0 done; 1 a step failed, or a model file isn't the one in the catalogue; 2 the file can't be used,
    nothing here can find what is to be hidden, or the folder for the copy or the report isn't there; 3 the output is there
    already, or the copy is there and a second look found places that may be open; 130 stopped by Ctrl-C, 143 by SIGTERM.
    """
    check_readable(file)
    choice = Choice.read(what, keep_track or (), only_track or (), region or (), reason, tracks)
    _check_places(output, report, *([] if no_second_look else [second_look.pictures_place(output)]))
    with bench(output.absolute().parent, quiet=as_json, every_frame=every_frame) as work:
        source = sha256_of(file)
        found = None if tracks is None else Found.read(tracks, source, work.scratch)
        redaction = replace(choice.redaction(work, found, style, audio), keep=frozenset(keep or ()))
        how = second_look.How(smart=not no_smart, look=not no_second_look, mend=mend)
        copy = second_look.make(work, file.absolute(), redaction, found.path if found else None, how)
        about = {"file": file.name, "sha256": source, "output": output.name, "output_sha256": sha256_of(copy.file)}
        whole = {**about, **copy.report}
        text = json.dumps(whole, ensure_ascii=False, indent=2)
        _hand_out(copy, text, output, report)
    if as_json:
        typer.echo(text)
    else:
        _show(redaction, whole, output)
    if copy.open:
        raise typer.Exit(ExitCode.FINDINGS)


def _hand_out(copy: second_look.Copy, text: str, output: Path, report: Path | None) -> None:
    """The copy last: when it is there, all is there."""
    if report is not None:
        written = copy.file.with_name("report-to-hand-out.json")
        written.write_text(text + "\n", "utf-8")
        put(written, report)
    second_look.put_pictures(copy, output)
    put(copy.file, output)


def _check_places(output: Path, report: Path | None, *others: Path) -> None:
    if output.suffix.lower() != ".mp4":
        raise BadInput(f"{output} is no name of an MP4 file", hint=f"Name the copy {output.stem}.mp4.")
    for place in (output, report, *others):
        if place is not None:
            check_folder(place.absolute().parent)
        if place is not None and place.exists():
            raise Conflict(f"{place} is there already", hint="Choose another name, or move the old file.")
    if report is not None and report.absolute() == output.absolute():
        raise BadInput("the report can't be the same file as the copy", hint="Name it report.json, for example.")


def _show(redaction: Redaction, whole: dict[str, Any], output: Path) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"{output}: {redaction.in_words()} hidden. A draft: watch it before it leaves your hands.")
    if Keep.LOCATION in redaction.keep:
        kept = whole["location"]["kept"]
        console.print(f"It says where it was filmed: {kept}" if kept else "The file names no place, so the copy keeps none.")
    if whole["missing"]:
        console.print(f"Of the file itself, {whole['missing']}.")
    if whole["damage_count"]:
        console.print(f"{whole['damage_count']} place(s) of it can't be decoded; the first: {whole['damage'][0]}.")
    for missing in whole["not_looked_for"]:
        console.print(f"{missing['what']}: {missing['reason']}")
    _show_doubts(console, whole.get("doubts"))
    second_look.show(console, whole["second_look"], output)


def _show_doubts(console: Console, doubts: dict[str, Any] | None) -> None:
    """Where a person should look at the copy first; nothing where tracks of an earlier analysis were taken."""
    if doubts and doubts["doubts"]:
        every, first = len(doubts["doubts"]), doubts["first"]
        spans = "one span" if first["spans"] == 1 else f"{first['spans']} spans"
        console.print(
            f"Look first at {spans}, {100 * first['share']:.1f} % of the video, where something may stand open; --report "
            f"lists them, and {every - first['spans']} more, {100 * doubts['share']:.1f} % in all."
        )

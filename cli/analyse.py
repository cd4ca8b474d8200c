"""`exhibit analyse`: what can be seen in one file, without servers, through the same tasks as the workers' steps."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.exit_codes import ExitCode
from cli.progress import counting
from config.settings import load
from evidence.errors import BadInput, Conflict
from evidence.mediatime import MediaTime
from workers.alone import MADE, TRACKS, Analysis, Bench

ANNOTATED = "annotated.mp4"
_TRACKS_SHOWN = 40

EveryFrame = Annotated[
    bool, typer.Option("--every-frame", help="Look at every frame, also where the camera and all that is seen stand still.")
]

LooksPerSecond = Annotated[
    float,
    typer.Option(
        metavar="N",
        min=0,
        help="""Look at so many frames of a second only, and fill in between: several times quicker, but faint faces are
missed, and where the camera moves boxes between two looks are off. 0: go through all frames; what is to be hidden by these
tracks needs that.""",
    ),
]

Tiles = Annotated[
    str,
    typer.Option(
        metavar="auto|off|N",
        help="""How small things are looked for: auto looks in overlapping tiles, enlarged, where a few frames of the video
show that this finds what the whole picture doesn't; off never; N always, in tiles of N pixels of the picture.""",
    ),
]


def analyse(
    file: Annotated[Path, typer.Argument(help="A video.", dir_okay=False)],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Folder for what is found; made when it isn't there, its parent is not.", file_okay=False
        ),
    ],
    labels: Annotated[
        str, typer.Option(help="Only these, comma-separated (person,car,face,licence plate …); empty: all.")
    ] = "",
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Make annotated.mp4 as well, with everything drawn in.")
    ] = False,
    looks_per_second: LooksPerSecond = 0.0,
    every_frame: EveryFrame = False,
    tiles: Tiles = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Say the result as JSON, and nothing else.")] = False,
) -> None:
    """Find people, vehicles, faces and plates in one video, without any server.

    Writes tracks.json, tracks.mot.txt (MOT 1.1), detections.parquet and doubts.json (where to look again) into --out, and
    annotated.mp4 with --annotate.
    What nothing here can look for is named in the result. Nothing is written when it fails. Each track has a number, the
    same for the same file and models: exhibit redact --tracks OUT takes it, unless --looks-per-second passed over frames.

    Example: exhibit analyse clip.mp4 --out found/ --annotate

    Example: exhibit analyse clip.mp4 --out found/ --looks-per-second 5

    Example: exhibit analyse flight.mp4 --out found/ --tiles 640

    Exit code: 0 done; 1 a step failed, or a model file isn't the one in the catalogue; 2 the file or a label can't be
    used, or --out's parent isn't there; 3 results are in --out already; 130 stopped by Ctrl-C, 143 by SIGTERM.
    """
    check_readable(file)
    wanted = tuple(dict.fromkeys(label.strip() for label in labels.split(",") if label.strip()))
    names = (*MADE, ANNOTATED) if annotate else MADE
    for name in names:
        if (out / name).exists():
            raise Conflict(f"{out / name} is there already", hint="Choose another folder for --out, or move the old result.")
    from detectors.tiled import Asked  # Brings the detectors with it, which no other command's start should wait for.

    Asked.read({"mode": tiles})
    how = {"every_frame": every_frame, "tiles": tiles, "looks_per_second": looks_per_second}
    with bench(out.absolute().parent, quiet=as_json, **how) as work:
        sha256 = sha256_of(file)
        analysis = work.analyse(file.absolute(), wanted, sha256)
        made = [analysis.folder / name for name in MADE]
        if annotate:
            made.append(work.annotate(file.absolute(), analysis, file.name))
        summary = {"file": file.name, "sha256": sha256, **_summary(analysis)}
        summary["outputs"] = {path.name: sha256_of(path) for path in made}
        out.mkdir(exist_ok=True)
        for path in made:
            put(path, out / path.name)
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, indent=2))
    else:
        _show(summary, out)


@contextmanager
def bench(beside: Path, *, quiet: bool, **how: Any) -> Iterator[Bench]:
    """A bench with a scratch folder on the file system of the result; nothing of it stays, Ctrl-C and SIGTERM included.
    `how`: what it is to look at, as `Bench` names it.

    Raises: BadInput when there is no folder `beside`.
    """
    check_folder(beside)
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with tempfile.TemporaryDirectory(prefix=".exhibit-", dir=beside) as scratch:
            yield Bench(load(), Path(scratch), lambda name: counting(name, quiet=quiet), **how)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
    sys.exit(ExitCode.TERMINATED)


def check_folder(folder: Path) -> None:
    """Raises: BadInput when it isn't there: one that is made for a mistyped name hides what was written."""
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}", hint="Make it first, or correct the name.")


def check_readable(file: Path) -> None:
    """Raises: BadInput for what is no file, or can't be read."""
    try:
        with file.open("rb") as opened:
            if not opened.read(1):
                raise BadInput(f"{file} is empty", hint="Check that it was copied whole.")
    except OSError as exc:
        raise BadInput(f"{file} can't be read: {exc.strerror}", hint="Check the name.") from exc


def put(made: Path, place: Path) -> None:
    """Move a finished file to its place, all at once. Raises: Conflict when something came to lie there meanwhile."""
    try:
        place.hardlink_to(made)
    except FileExistsError as exc:
        raise Conflict(f"{place} is there already", hint="Choose another name, or move the old file.") from exc
    except OSError:  # another file system, or one without hard links
        beside = place.with_name(f".{place.name}.part")
        try:
            shutil.copyfile(made, beside)
            if place.exists():
                raise Conflict(f"{place} is there already", hint="Choose another name, or move the old file.") from None
            beside.rename(place)
        finally:
            beside.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _summary(analysis: Analysis) -> dict[str, Any]:
    tracks = analysis.tracks
    return {
        "frames": analysis.report["frames"],
        "found": _found(tracks),
        "tracks": [_track(track) for track in tracks],
        **{name: analysis.report[name] for name in ("looked_for", "not_looked_for", "models", "tiles")},
        "condition": analysis.media.condition.value,
        "note": analysis.media.note,
    }


def _found(tracks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each label: tracks, first and last seen, best score."""
    of_label: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for track in tracks:
        of_label[track["label"]].append(track)
    lines = []
    for label, some in sorted(of_label.items(), key=lambda line: (-len(line[1]), line[0])):
        time_base = Fraction(some[0]["time_base"])
        lines.append(
            {
                "label": label,
                "tracks": len(some),
                "first_seen": MediaTime(min(t["pts"][0] for t in some), time_base).label(),
                "last_seen": MediaTime(max(t["pts"][-1] for t in some), time_base).label(),
                "best_score": max(max(t["score"]) for t in some),
            }
        )
    return lines


def _track(track: dict[str, Any]) -> dict[str, Any]:
    """One line for each track; its number is what --keep-track and --only-track of `exhibit redact` take."""
    time_base = Fraction(track["time_base"])
    return {
        "id": track["id"],
        "label": track["label"],
        "first_seen": MediaTime(track["pts"][0], time_base).label(),
        "last_seen": MediaTime(track["pts"][-1], time_base).label(),
        "best_score": max(track["score"]),
    }


def _show(summary: dict[str, Any], out: Path) -> None:
    console = Console()
    table = Table("label", "tracks", "first seen", "last seen", "best score", title=summary["file"])
    for line in summary["found"]:
        table.add_row(line["label"], str(line["tracks"]), line["first_seen"], line["last_seen"], f"{line['best_score']:.2f}")
    console.print(table)
    tracks = Table("track", "label", "first seen", "last seen", "best score")
    for line in summary["tracks"][:_TRACKS_SHOWN]:
        tracks.add_row(str(line["id"]), line["label"], line["first_seen"], line["last_seen"], f"{line['best_score']:.2f}")
    console.print(tracks)
    if len(summary["tracks"]) > _TRACKS_SHOWN:
        console.print(f"and {len(summary['tracks']) - _TRACKS_SHOWN} tracks more, all in {TRACKS}")
    for how in summary["tiles"]:
        if how["tiles"]:
            words = f"{how['model']} looked at {how['tiles']['count']} tiles as well: {how['why']}"
            console.print(words, markup=False, highlight=False)
    for missing in summary["not_looked_for"]:
        console.print(f"{missing['what']}: {missing['reason']}", markup=False, highlight=False)
    if summary["note"]:
        console.print(summary["note"], markup=False, highlight=False)
    console.print(f"written to {out}: {', '.join(summary['outputs'])}", markup=False, highlight=False, soft_wrap=True)

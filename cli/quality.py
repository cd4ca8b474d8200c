"""`exhibit quality`: what is left open and what is found on a station's own labelled clips, with the record of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.analyse import bench, check_readable, put, sha256_of
from cli.labelled import Labelled, labelled
from cli.progress import counting
from cli.quality_record import in_short, record
from config.models import ModelTask
from config.settings import Settings, load
from detectors.agreement import agreement
from evidence.errors import BadInput, Conflict, CorruptMedia, NoDetector
from evidence.exhibit import VideoInfo
from evidence.redaction import LABELS_OF, Hide, Redaction
from evidence.truth import read_mot
from evidence.wire import media_from_json
from workers import child
from workers.alone import TASK_OF

NAMES = ("quality.md", "quality.json")
_RUNS_ON = ("openvino", "av", "numpy", "opencv-python-headless")
_MOT = "tracks.mot.txt"


def quality(
    folder: Annotated[Path, typer.Argument(help="Videos, and a truth file beside each.", file_okay=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for the record; made when it isn't there.", file_okay=False)],
    what: Annotated[Hide, typer.Option(help="What the truth files are about that don't say so in their name.")] = Hide.FACES,
    as_json: Annotated[bool, typer.Option("--json", help="Say the figures as JSON, and nothing else.")] = False,
) -> None:
    """Measure on your own labelled clips what is left open and what is found.

    Each clip is redacted and analysed as `exhibit redact` and `exhibit analyse` would with this installation's settings
    and models, and compared with its truth: clip.mp4 with clip.mot.txt (MOT text), or clip.faces.mot.txt,
    clip.heads.mot.txt, clip.plates.mot.txt, clip.people.mot.txt. Writes quality.md and quality.json into --out: figures
    with their 95 % intervals, the models with their SHA-256, the version, and the SHA-256 of every clip and truth. The
    folder is not changed.

    Example: exhibit quality labelled/ --out validation-2026-11/

    Exit code: 0 measured; 1 a step failed, or a copy doesn't match its clip frame for frame; 2 the folder, a truth or a
    video can't be used, or there is no model for it; 3 a record is in --out already; 130 stopped.
    """
    for name in NAMES:
        if (out / name).exists():
            raise Conflict(f"{out / name} is there already", hint="Choose another folder for --out, or move the old record.")
    clips = labelled(folder, what)
    settings = load()
    streams = [_checked(clip, settings, quiet=as_json) for clip in clips]
    out.mkdir(parents=True, exist_ok=True)
    _refuse_what_is_missing(clips, out, quiet=as_json)
    lines = []
    for clip, stream in zip(clips, streams, strict=True):
        line = _measured(clip, stream, settings, out, quiet=as_json)
        lines.append(line)
        if not as_json:
            typer.echo(in_short(line))
    told = {"about": _about(), "clips": lines}
    with tempfile.TemporaryDirectory(prefix=".exhibit-", dir=out) as scratch:
        for name, text in zip(NAMES, (record(told), json.dumps(told, ensure_ascii=False, indent=1) + "\n"), strict=True):
            written = Path(scratch) / name
            written.write_text(text, "utf-8")
            put(written, out / name)
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        Console(highlight=False, markup=False, soft_wrap=True).print(f"written to {out}: {', '.join(NAMES)}")
    if any(line["hiding"]["problems"] for line in lines):
        raise typer.Exit(1)


def _checked(clip: Labelled, settings: Settings, *, quiet: bool) -> VideoInfo:
    """The stream that the truth is about. Raises: CorruptMedia; BadInput when the truth names frames that aren't there."""
    check_readable(clip.video)
    params = {"segment_s": settings.segment_s, "max_pixels": settings.max_pixels, "max_duration_s": settings.max_duration_s}
    with tempfile.TemporaryDirectory() as scratch, counting(clip.video.name, quiet=quiet) as progress:
        job = child.Job("probe", {"original": clip.video}, Path(scratch), params)
        stream = media_from_json(child.run(job, child.Limits.of(settings), progress)).main_video
    if stream is None:
        raise CorruptMedia(f"no frame of {clip.video.name} can be read")
    last = max(clip.truth) + 1
    if last > stream.frame_count:
        raise BadInput(
            f"{clip.truth_file.name} names frame {last}, but {clip.video.name} has {stream.frame_count} frames that decode",
            hint="Frames count from 1, every decoded frame once. Was the truth made on another version of the clip?",
        )
    return stream


def _refuse_what_is_missing(clips: Sequence[Labelled], beside: Path, *, quiet: bool) -> None:
    with bench(beside, quiet=quiet) as work:
        kinds = {clip.kind for clip in clips}
        missing = sorted(kind.value for kind in kinds if not all(map(work.can_look_for, _tasks(kind))))
    if missing:
        raise NoDetector(f"nothing here can look for: {', '.join(missing)}")


def _tasks(kind: Hide) -> set[ModelTask]:
    """All that have to look for it: a head is a face, or the upper end of a person."""
    return {TASK_OF[hide] for hide in Hide if LABELS_OF[hide] <= LABELS_OF[kind]}


def _measured(clip: Labelled, stream: VideoInfo, settings: Settings, beside: Path, *, quiet: bool) -> dict[str, Any]:
    with bench(beside.absolute(), quiet=quiet) as work:
        copy, told = work.redact(clip.video.absolute(), Redaction(what=frozenset({clip.kind})))
        job = child.Job(
            "judge",
            {"original": clip.video, "copy": copy, "truth": clip.truth_file},
            _empty(work.scratch / "judge"),
            {"stream_index": stream.index},
        )
        with work.stage("judge") as progress:
            hiding = child.run(job, child.Limits.of(settings), progress)
    boxes = [box for some in clip.truth.values() for box in some]
    return {
        "clip": clip.video.name,
        "sha256": sha256_of(clip.video),
        "frames": stream.frame_count,
        "kind": clip.kind.value,
        "truth": {
            "file": clip.truth_file.name,
            "sha256": sha256_of(clip.truth_file),
            "boxes": sum(box.judged for box in boxes),
            "not_judged": sum(not box.judged for box in boxes),
            "identities": len({box.identity for box in boxes if box.judged}),
            "frames": [min(clip.truth) + 1, max(clip.truth) + 1],
        },
        "hiding": {**hiding, "models": told["models"]},
        "finding": _found(clip, beside, quiet=quiet),
    }


def _found(clip: Labelled, beside: Path, *, quiet: bool) -> dict[str, Any] | None:
    """What analysis finds of it; None for a kind that it has no label of its own for."""
    labels = LABELS_OF[clip.kind]
    if len(labels) != 1:
        return None
    with bench(beside.absolute(), quiet=quiet) as work:
        analysis = work.analyse(clip.video.absolute(), sorted(labels))
        found = read_mot((analysis.folder / _MOT).read_text("utf-8"), _MOT)
        return {**agreement(clip.truth, found), "models": list(analysis.report["models"])}


def _about() -> dict[str, Any]:
    return {
        "exhibit": version("exhibit"),
        "runs_on": {name: version(name) for name in _RUNS_ON},
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder

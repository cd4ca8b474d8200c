"""A folder of labelled clips: videos, and beside each what a person says is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import BadInput
from evidence.redaction import Hide
from evidence.truth import Truth, read_mot

_MOT = ".mot.txt"
_VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".avi", ".mkv", ".webm", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv"}
    | {".asf", ".flv", ".mxf", ".dav", ".264", ".265", ".h264", ".h265", ".hevc"}
)
_HOW = (
    "Beside clip.mp4 lies clip.mot.txt (or clip.faces.mot.txt, .heads, .plates, .people), one line for each box: "
    "frame,id,x,y,w,h. See docs/operations.md."
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One video, and all of one kind that is to be seen in it."""

    video: Path
    truth_file: Path
    kind: Hide
    truth: Truth


def labelled(folder: Path, kind: Hide) -> list[Labelled]:
    """Every video of `folder` with its truth; `kind` is what a truth that doesn't name its own is about.

    Raises: BadInput when there is none, when one belongs to no other, or when a truth can't be read.
    """
    found, without = beside(folder, kind)
    if without:
        raise BadInput(f"no truth file beside {', '.join(without)}", hint="Label it, or move it elsewhere. " + _HOW)
    if not found:
        raise BadInput(f"{folder} holds no labelled video", hint=_HOW)
    return found


def beside(folder: Path, kind: Hide) -> tuple[list[Labelled], list[str]]:
    """The videos of `folder` that have a truth, and the names of those that have none.

    Raises: BadInput for what is no folder, a truth that belongs to no video, or one that can't be read.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder", hint="Give a folder with videos. " + _HOW)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    videos = [path for path in files if path.suffix.lower() in _VIDEOS]
    found = list(_paired(videos, [path for path in files if path.name.lower().endswith(_MOT)], kind))
    return found, [path.name for path in videos if path not in {line.video for line in found}]


def _paired(videos: list[Path], truths: list[Path], kind: Hide) -> Iterator[Labelled]:
    for file in truths:
        stem = file.name[: -len(_MOT)]
        named = next((hide for hide in Hide if stem.endswith(f".{hide.value}")), None)
        stem = stem.removesuffix(f".{named.value}") if named else stem
        of = [path for path in videos if stem in (path.stem, path.name)]
        if len(of) != 1:
            which = "no video" if not of else f"{len(of)} videos ({', '.join(path.name for path in of)})"
            raise BadInput(f"{file.name} belongs to {which}", hint="One video for each truth file. " + _HOW)
        try:
            text = file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as exc:
            raise BadInput(f"{file.name} can't be read as text", hint=_HOW) from exc
        truth = read_mot(text, file.name)
        if not any(box.judged for boxes in truth.values() for box in boxes):
            raise BadInput(f"{file.name} has no box to judge", hint=_HOW)
        yield Labelled(of[0], file, named or kind, truth)

"""Who hides faces: exhibit as shipped, and the controls beside it; each clip's copy made and scored, or remembered."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import kept, yunet_control
from benchmarks.desk import Desk, last_words, stress_clip
from benchmarks.runners import redact_options
from config.models import catalogue
from config.settings import load
from detectors import weights

_HERE = Path(__file__).parent
SOURCE = "face_david"


@dataclass(frozen=True, slots=True)
class Redactor:
    """`redact(clip, copy)` makes the copy and gives the models that looked; `digest` changes when the copy may."""

    name: str
    shown: str
    """How it stands in the report."""
    digest: str
    redact: Callable[[Path, Path], list[dict[str, Any]]]


def exhibit(desk: Desk) -> Redactor:
    """As shipped, but that no second look is taken at the copy: it tells of what is open, and changes nothing."""
    words = ["--what", "faces", *(("--no-second-look",) if "--no-second-look" in redact_options() else ())]

    def redact(clip: Path, copy: Path) -> list[dict[str, Any]]:
        report = copy.with_name("report.json")
        desk.exhibit("redact", clip, "-o", copy, *words, "--report", report)
        models: list[dict[str, Any]] = json.loads(report.read_bytes())["models"]
        return models

    return Redactor("exhibit", f"`exhibit redact {' '.join(words)}`", kept.engine(desk.environment()), redact)


def controls(desk: Desk) -> list[Redactor]:
    """deface as it is installed, and YuNet frame by frame where its weights are."""

    def deface(clip: Path, copy: Path) -> list[dict[str, Any]]:
        desk.run(sys.executable, "-m", "benchmarks.deface_control", clip, copy)
        return []

    digest = f"{version('deface')} {kept.content([_HERE / 'deface_control.py'])}"
    found = [Redactor("deface", f"deface {version('deface')}, its default setting", digest, deface)]
    folders = load(environ=desk.environment()).model_folders
    line = catalogue(folders)["yunet"]
    model = weights.find(line, folders)
    if model is not None:

        def yunet(clip: Path, copy: Path) -> list[dict[str, Any]]:
            desk.run(sys.executable, "-m", "benchmarks.yunet_control", clip, copy, model)
            return []

        shown = f"YuNet in OpenCV, score {yunet_control.SCORE}, boxes × {yunet_control.GROW}, each frame alone"
        digest = f"{line.sha256} {version('opencv-python-headless')} {kept.content([_HERE / 'yunet_control.py'])}"
        found.append(Redactor("yunet", shown, digest, yunet))
    return found


def hidden(desk: Desk, by: Redactor, clip: Path, kind: str, seed: int | None = None) -> dict[str, Any]:
    """One copy and its score: `clip`, `seed`, `by`, and `figures` with `models`, or `why` there are none."""
    truth = clip.with_suffix(".mot.txt")
    scorers = [desk.evaluation / name for name in ("redaction_score.py", "boxlib.py")]
    depends_on = {"by": by.name, "digest": by.digest, "clip": kept.content([clip, truth]), "scorer": kept.content(scorers)}

    def measure() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=desk.scratch) as folder:
            copy = Path(folder) / "copy.mp4"
            try:
                models = by.redact(clip, copy)
            except subprocess.CalledProcessError as exc:
                return {"why": f"not redacted: {last_words(exc.stderr, lines=2)}"}
            return {"models": models, **desk.score("redaction_score.py", clip, copy, truth)}

    return {"clip": kind, "seed": seed, "by": by.name, **desk.kept.get(depends_on, measure)}


def all_hidden(
    desk: Desk, by: Redactor, seeds: Sequence[int], frames: int, kinds: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The easy clip, then every kind of each seed."""
    yield hidden(desk, by, desk.truth / f"{SOURCE}.mp4", SOURCE)
    for seed in seeds:
        for kind in kinds:
            try:
                clip = stress_clip(desk, kind, seed, frames)
            except subprocess.CalledProcessError as exc:
                yield {"clip": kind, "seed": seed, "by": by.name, "why": f"no clip: {last_words(exc.stderr)}"}
                continue
            yield hidden(desk, by, clip, kind, seed)

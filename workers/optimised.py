"""`exhibit models optimise`, the worker's side: a child of its own measures a model, and what it chose is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from config.models import ModelLine, ModelTask
from config.settings import Settings
from detectors import choice
from detectors.choice import Choice
from detectors.device import processor
from evidence.errors import BadInput
from evidence.ports import Progress
from evidence.redaction import Hide
from workers import child, models

_TIMEOUT_S = 3600
_TRUTH = {ModelTask.FACES: (Hide.FACES, "face"), ModelTask.PLATES: (Hide.PLATES, "licence plate")} | {
    ModelTask.OBJECTS: (Hide.PEOPLE, "person")
}
"""Which truth files speak of what a model finds, and under which of our labels."""
BROUGHT = "crops of the two photographs that ultralytics brings: one to calibrate on, the other to judge by"


@dataclass(frozen=True, slots=True)
class Frames:
    """A folder of stills and videos. `truths`: each labelled video, its truth file and what that is about."""

    folder: Path
    truths: Sequence[tuple[Path, Path, Hide]] = ()


def optimise(line: ModelLine, path: Path, frames: Frames | None, settings: Settings, progress: Progress) -> Choice:
    """Measure one model, keep what was chosen and give it. `path`: its weights; without `frames`: `BROUGHT`.

    Raises: BadInput for too few pictures, or a model that runs on the GPU; Unavailable without NNCF; WrongWeights;
        StepFailed, Cancelled.
    """
    spec = models.spec(line, path, settings, progress, measured=False)
    if spec["runtime"] != "openvino":
        raise BadInput(f"{line.name} runs on the GPU here: there is nothing to choose", hint="Name another model.")
    kind, label = _TRUTH[line.task]
    truths = frames.truths if frames else ()
    params = {
        "spec": spec,
        "keep": list(settings.detect_labels),
        "max_pixels": settings.max_pixels,
        # What somebody scores with is not calibrated on, whatever it is about.
        "apart": sorted({file.name for video, text, _ in truths for file in (video, text)}),
        "truths": [[video.name, text.name] for video, text, of in truths if of is kind],
        "truth_label": label,
    }
    inputs = {"weights": Path(spec["path"])} | ({"frames": frames.folder} if frames else {})
    cache = settings.cache_dir / "models"
    cache.mkdir(parents=True, exist_ok=True)
    limits = child.Limits(memory_bytes=settings.child_memory_bytes, timeout_s=_TIMEOUT_S, silence_s=0)
    with (
        models.alone(cache / f"{line.sha256}.lock"),
        tempfile.TemporaryDirectory(dir=cache, prefix=".measuring-") as scratch,
    ):
        out = Path(scratch) / "out"
        out.mkdir()
        told = child.run(child.Job("optimise", inputs, out, params), limits, progress)
        folder = told.pop("folder")
        told["frames"] = {"from": frames.folder.name if frames else BROUGHT, **told["frames"]}
        about = {
            "model": line.name,
            "sha256": line.sha256,
            "processor": processor(),
            "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        }
        return choice.keep(cache, {**about, **told}, out / folder if folder else None)

"""From a line of DETECT's parameters to a detector that is ready to look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.models import ModelFormat, ModelTask
from detectors import weights
from detectors.detector import Detector, Use, View
from detectors.plates import Plates
from evidence.errors import NoDetector

if TYPE_CHECKING:
    from detectors.tiled import Asked, Chosen

_SINGLE = {ModelTask.OBJECTS: None, ModelTask.FACES: "face", ModelTask.PLATES: "licence plate"}


def load(spec: Mapping[str, Any], size_wh: tuple[int, int], keep: frozenset[str], lanes: int = 1) -> Detector:
    """`spec` is an entry of `workers.models.detect_params`; `keep` are the object labels that are wanted; `lanes`:
    threads for looks that don't depend on each other, where the model has such.

    Units: `size_wh`: pixels of the upright picture, whose shape decides the network's.
    Raises: WrongWeights when the file is not what its SHA-256 says, or is no such model.
    """
    task, path, kind = ModelTask(spec["task"]), Path(spec["path"]), ModelFormat(spec["format"])
    if path.is_dir():
        weights.check_prepared(path, spec["file_sha256"])
        path = path if kind is ModelFormat.ULTRALYTICS else path / "model.xml"
    else:
        weights.check(path, spec["file_sha256"])
    use = Use(
        name=spec["name"],
        path=path,
        longest=spec["input_size"],
        threshold=spec["low_threshold"],
        sure=spec["threshold"],
        single_label=_SINGLE[task],
        renamed=spec["labels"],
        keep=keep if task is ModelTask.OBJECTS else None,
        lanes=lanes,
    )
    if kind is not ModelFormat.ULTRALYTICS:
        from detectors.faces import CenterFace, YuNet

        return {ModelFormat.YUNET: YuNet, ModelFormat.CENTERFACE: CenterFace}[kind](use, size_wh)
    from detectors import yolo

    detector = yolo.from_weights(use, size_wh) if spec["runtime"] == "torch" else yolo.exported(use, size_wh)
    if task is ModelTask.PLATES:
        return Plates(detector)
    if not detector.labels:
        raise NoDetector(f"the model {use.name} knows none of the labels that are wanted: {', '.join(sorted(keep))}")
    return detector


def with_tiles(
    spec: Mapping[str, Any],
    detector: Detector,
    size_wh: tuple[int, int],
    keep: frozenset[str],
    asked: Asked,
    samples: Callable[[], Sequence[View]],
) -> tuple[Detector, Chosen | None]:
    """The detector that `load` gave for `spec`, looking in tiles as well where that pays, and what was chosen; None where
    there is no choice, as only objects are looked for in tiles.

    Call it before any model runs in another thread. Raises: as `load`.
    """
    from detectors.yolo import Yolo

    if not isinstance(detector, Yolo) or ModelTask(spec["task"]) is not ModelTask.OBJECTS:
        return detector, None
    from detectors.tiled import Tiled, choose

    @cache
    def part_at(tile_wh: tuple[int, int]) -> Yolo:
        part = load({**spec, "input_size": max(tile_wh)}, tile_wh, keep)
        assert isinstance(part, Yolo)
        return part

    chosen = choose(asked, detector, part_at, size_wh, spec["threshold"], samples)
    if chosen.plan is None:
        return detector, chosen
    return Tiled(detector, part_at, chosen.plan, size_wh), chosen


def described(spec: Mapping[str, Any], detector: Detector) -> dict[str, Any]:
    """What stands in a record of a model that looked: what was asked for, and what really ran.

    `sha256` is that of the weights in the catalogue, `ran` that of each file that was computed with.
    """
    runtime, _, precision = detector.runtime.rpartition(" ")
    asked = ("name", "task", "sha256", "licence", "threshold", "low_threshold")
    return {
        **{name: spec[name] for name in asked},
        "runtime": runtime,
        "precision": precision,
        "ran": weights.files_of(Path(spec["path"]), spec["file_sha256"]),
        "input_wh": list(detector.picture_wh),
    }

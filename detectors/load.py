"""From a line of DETECT's parameters to a detector that is ready to look."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.models import ModelFormat, ModelTask
from detectors import weights
from detectors.detector import Detector, Use
from detectors.plates import Plates
from evidence.errors import NoDetector

_SINGLE = {ModelTask.OBJECTS: None, ModelTask.FACES: "face", ModelTask.PLATES: "licence plate"}


def load(spec: Mapping[str, Any], size_wh: tuple[int, int], keep: frozenset[str]) -> Detector:
    """`spec` is an entry of `workers.models.detect_params`; `keep` are the object labels that are wanted.

    Units: `size_wh`: pixels of the upright picture, whose shape decides the network's.
    Raises: WrongWeights when the file is not what its SHA-256 says, or is no such model.
    """
    task, path = ModelTask(spec["task"]), Path(spec["path"])
    if path.is_dir():
        weights.check_prepared(path, spec["file_sha256"])
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
    )
    kind = ModelFormat(spec["format"])
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


def described(spec: Mapping[str, Any], detector: Detector) -> dict[str, Any]:
    """What stands in a record of a model that looked: what was asked for, and what really ran."""
    runtime, _, precision = detector.runtime.rpartition(" ")
    asked = ("name", "task", "sha256", "licence", "threshold", "low_threshold")
    return {
        **{name: spec[name] for name in asked},
        "runtime": runtime,
        "precision": precision,
        "input_wh": list(detector.picture_wh),
    }

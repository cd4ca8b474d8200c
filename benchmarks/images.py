"""Still pictures through a detector as the step DETECT loads it, or through the same weights in float on torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from config.models import ModelTask, catalogue
from config.settings import load as load_settings
from detectors import weights
from detectors.detector import Detector, Found, Use
from detectors.load import load
from evidence.redaction import Hide, Masks, Redaction
from evidence.track import Origin, Track, TrackBox
from workers import models

_PICTURES = (".jpg", ".jpeg", ".png")
_PLATES = Redaction(what=frozenset({Hide.PLATES}))
LEAST_SCORE = 0.001
"""Down to here boxes are given for an average precision, as COCO asks."""

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Looked:
    """A model, ready for pictures of any size, and what it is. `at(size)` gives the detector for it."""

    spec: Spec
    at: Callable[[tuple[int, int]], Detector]

    def model(self) -> dict[str, Any]:
        runtime, _, precision = self.at((640, 480)).runtime.rpartition(" ")
        kept = {name: self.spec[name] for name in ("name", "task", "sha256", "threshold", "low_threshold")}
        return {**kept, "runtime": runtime, "precision": precision}


def shipped(task: ModelTask, environment: Mapping[str, str], least: float | None = None) -> Looked | None:
    """The model that a worker would use here, None without weights. `least`: the score from which boxes are kept."""
    params = models.detect_params(load_settings(environ=environment), lambda *_: None, frozenset({task}))
    if not params["detectors"]:
        return None
    spec = params["detectors"][0]
    opened = spec if least is None else {**spec, "low_threshold": least}

    @cache
    def at(size_wh: tuple[int, int]) -> Detector:
        return load(opened, size_wh, frozenset(spec["classes"]))

    return Looked(spec, at)


def in_float(spec: Spec, environment: Mapping[str, str], least: float) -> Looked | None:
    """The same weights, run by torch in float32 on the processor; None for networks that are no ultralytics weights."""
    from detectors import yolo

    folders = load_settings(environ=environment).model_folders
    line = catalogue(folders)[spec["name"]]
    path = weights.find(line, folders)
    if path is None or path.suffix != ".pt":
        return None
    use = Use(spec["name"], path, spec["input_size"], least, renamed=spec["labels"])

    @cache
    def at(size_wh: tuple[int, int]) -> Detector:
        return yolo.from_weights(use, size_wh, "cpu")

    return Looked(spec, at)


def pictures(folder: Path) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Every picture below `folder` by name. Shape: (h, w, 3), RGB."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES):
        yield path.name, np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def write_boxes(by: Looked, folder: Path, out: Path) -> None:
    """Everything that it sees in a folder's pictures, in the form that the scorer of boxes reads."""
    lines: list[dict[str, Any]] = []
    for name, picture in pictures(folder):
        lines += [{"image": name, "label": label, "score": s, "xyxy": box} for box, s, label in _rows(by, picture)]
    out.write_text(json.dumps(lines), "utf-8")


def write_plates(by: Looked, folder: Path, boxes_out: Path, masks_out: Path) -> float:
    """Boxes of plates, and the masks that REDACT would paint over them; the mean share of a picture under masks of
    things that reach the threshold."""
    boxes: list[dict[str, Any]] = []
    masks: list[dict[str, Any]] = []
    hidden: list[float] = []
    for name, picture in pictures(folder):
        under = np.zeros(picture.shape[:2], np.bool_)
        for box, score, _ in _rows(by, picture):
            line = {"image": name, "label": "plate", "score": score}
            boxes.append({**line, "xyxy": box})
            mask = _mask(box, score, by.spec["name"])
            masks.append({**line, "xyxy": mask})
            if score >= by.spec["threshold"]:
                x0, y0, x1, y1 = (max(0, round(side)) for side in mask)
                under[y0:y1, x0:x1] = True
        hidden.append(float(under.mean()))
    for out, lines in ((boxes_out, boxes), (masks_out, masks)):
        out.write_text(json.dumps(lines), "utf-8")
    return sum(hidden) / max(1, len(hidden))


def _rows(by: Looked, picture: npt.NDArray[np.uint8]) -> list[tuple[list[float], float, str]]:
    found: Found = by.at((picture.shape[1], picture.shape[0])).detect(picture)
    return list(zip(found.box_xyxy.tolist(), found.score.tolist(), found.label, strict=True))


def _mask(box: list[float], score: float, model: str) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    seen = TrackBox(0, 0, (x0, y0, x1, y1), score, Origin.DETECTED)
    return Masks([Track(1, "licence plate", model, Fraction(1, 25), (seen,))], _PLATES).at(0)[0]

"""Which precision a model runs in on this processor: each is measured, in time and in what it finds."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from config.models import ModelFormat
from detectors import network, weights, yolo
from detectors.accuracy import Truth, mean_average_precision
from detectors.detector import Detector, Found, Picture, letterbox
from detectors.faces import CenterFace, YuNet
from detectors.load import load
from detectors.quantise import Input, quantise
from evidence.ports import Progress

INT8 = "int8"
_F32 = "f32"
LOST_AT_MOST = 0.01
"""mAP50-95 that int8 may cost."""
LEAST_BOXES = 20
"""With fewer true boxes, nobody can say what int8 costs: float is kept."""
_NO_NOISE = 0.97
"""What is measured twice differs by some percent: faster is only what takes less than so much."""
_TIMED, _ROUNDS = 6, 8
_GIVEN = {ModelFormat.ULTRALYTICS: (yolo.SCALE, False), ModelFormat.YUNET: (1.0, YuNet.bgr)} | {
    ModelFormat.CENTERFACE: (1.0, CenterFace.bgr)
}
"""What stands for 1 in a network's own input, and whether blue comes first."""

Spec = Mapping[str, Any]
At = Callable[[tuple[int, int]], Detector]


@dataclass(frozen=True, slots=True)
class Material:
    """Pictures to calibrate on, and others to judge by. `truths`: what a person says is in those; None: nobody did."""

    calibration: Sequence[Picture]
    judged: Sequence[Picture]
    truths: Sequence[Truth] | None


def optimise(
    spec: Spec, keep: frozenset[str], material: Material, out: Path, progress: Progress
) -> tuple[dict[str, Any], Path | None]:
    """Quantise, measure and choose for one entry of `workers.models.detect_params`: the choice with its figures, and the
    chosen network's folder in `out`; None where that is what runs anyway.

    Raises: WrongWeights; Unavailable without NNCF.
    """
    at = _opened(spec, keep)
    usual_wh = Counter((p.shape[1], p.shape[0]) for p in material.judged).most_common(1)[0][0]
    usual = at(usual_wh).runtime.rpartition(" ")[2]
    progress(1, 5)
    folders = {} if usual == _F32 else {_F32: _written(spec, network.runtime().read_model(_file(spec)), out, _F32)}
    folders[INT8] = _written(spec, quantise(_file(spec), material.calibration, _given(spec)), out, None)
    progress(2, 5)
    ways = {usual: at} | {name: _opened(_moved(spec, folder), keep) for name, folder in folders.items()}
    of_usual_form = [p for p in material.judged if (p.shape[1], p.shape[0]) == usual_wh]
    look_ms = _timed({name: way(usual_wh) for name, way in ways.items()}, of_usual_form[:_TIMED])
    progress(3, 5)
    fastest = fastest_float({name: of["median"] for name, of in look_ms.items()}, usual)
    accuracy = _accuracy(ways[fastest], ways[INT8], material, spec["threshold"])
    progress(4, 5)
    chosen, why = decide(look_ms[fastest]["median"], look_ms[INT8]["median"], fastest, accuracy)
    return {
        "precision": ways[chosen](usual_wh).runtime.rpartition(" ")[2],
        "why": why,
        "input_wh": list(at(usual_wh).picture_wh),
        "look_ms": look_ms,
        "accuracy": accuracy,
        "made_with": {name: version(name) for name in ("openvino", "nncf")},
    }, folders.get(chosen)


def fastest_float(look_ms: Mapping[str, float], usual: str) -> str:
    """The precision that the processor takes by itself, unless the other one is clearly faster."""
    best = min((name for name in look_ms if name != INT8), key=lambda name: look_ms[name])
    return best if look_ms[best] < _NO_NOISE * look_ms[usual] else usual


def decide(float_ms: float, int8_ms: float, of_float: str, accuracy: Mapping[str, Any]) -> tuple[str, str]:
    """The precision to run in, and why: int8 only where it is faster and what it costs is known and small."""
    lost = accuracy["lost"]
    if int8_ms >= _NO_NOISE * float_ms:
        return of_float, "int8 is not faster here"
    if lost is None:
        return of_float, f"int8 is faster, but the pictures show too little to judge it by ({accuracy['boxes']} boxes)"
    if lost > LOST_AT_MOST:
        return of_float, f"int8 is faster, but loses {lost:.3f} of mAP50-95 (allowed: {LOST_AT_MOST:g})"
    return INT8, f"faster, and loses {max(0.0, lost):.3f} of mAP50-95"


def _accuracy(of_float: At, of_int8: At, material: Material, sure: float) -> dict[str, Any]:
    """`lost` is None where there are too few boxes to say it."""
    seen = [_seen(of_float, picture) for picture in material.judged]
    truths = material.truths
    against = "a person's boxes" if truths is not None else "the float network's own boxes"
    if truths is None:
        truths = [_as_truth(found, sure) for found in seen]
    boxes = sum(len(truth.label) for truth in truths)
    about: dict[str, Any] = {"against": against, "pictures": len(truths), "boxes": boxes}
    if boxes < LEAST_BOXES:
        return {**about, "float": None, INT8: None, "lost": None}
    there = {label for truth in truths for label in truth.label}
    figures = [
        round(mean_average_precision(truths, found), 4)
        for found in (seen, [_seen(of_int8, picture) for picture in material.judged])
    ]
    return {
        **about,
        "labels": sorted(there),
        "float": figures[0],
        INT8: figures[1],
        "lost": round(figures[0] - figures[1], 4),
    }


def _seen(at: At, picture: Picture) -> Found:
    return at((picture.shape[1], picture.shape[0])).detect(picture)


def _as_truth(found: Found, sure: float) -> Truth:
    """What starts a track counts as there; less sure boxes are what int8 may see or not."""
    there = np.flatnonzero(found.score >= sure)
    nothing = np.zeros((0, 4))
    return Truth(found.box_xyxy[there].astype(np.float64), tuple(found.label[i] for i in there), nothing)


def _timed(detectors: Mapping[str, Detector], pictures: Sequence[Picture]) -> dict[str, dict[str, Any]]:
    """Processor time of a look, the detectors in turns. Units: milliseconds."""
    took: dict[str, list[float]] = {name: [] for name in detectors}
    for number in range(_ROUNDS + 1):
        for picture in pictures:
            for name, detector in detectors.items():
                before = time.process_time()
                detector.detect(picture)
                if number:  # Not the first: it is still fetching its memory.
                    took[name].append(1000 * (time.process_time() - before))
    return {
        name: {"median": round(median(of), 1), "min": round(min(of), 1), "max": round(max(of), 1), "looks": len(of)}
        for name, of in took.items()
    }


def _opened(spec: Spec, keep: frozenset[str]) -> At:
    return cache(lambda size_wh: load(spec, size_wh, keep))


def _file(spec: Spec) -> Path:
    path = Path(spec["path"])
    return path / "model.xml" if path.is_dir() else path


def _given(spec: Spec) -> Callable[[Picture], Input]:
    """What the network itself takes of a picture."""
    kind = ModelFormat(spec["format"])
    scale, bgr = _GIVEN[kind]
    padding = yolo.PADDING if kind is ModelFormat.ULTRALYTICS else 0

    def given(picture: Picture) -> Input:
        filled = letterbox((picture.shape[1], picture.shape[0]), spec["input_size"], padding).fill(picture)
        ordered = filled[:, :, ::-1] if bgr else filled
        return np.ascontiguousarray(ordered.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(scale))

    return given


def _written(spec: Spec, model: Any, out: Path, precision: str | None) -> Path:
    """A folder as PREPARE makes them."""
    folder = out / (precision or INT8)
    folder.mkdir()
    network.write(model, folder / "model.xml", precision)
    before = Path(spec["path"]) / weights.ABOUT
    about = json.loads(before.read_text("utf-8")) if before.is_file() else {"classes": ["face"], "task": "detect"}
    about["files"] = {name: weights.sha256_of(folder / name) for name in ("model.xml", "model.bin")}
    about["precision"] = precision or INT8
    (folder / weights.ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1), "utf-8")
    return folder


def _moved(spec: Spec, folder: Path) -> Spec:
    return {**spec, "path": str(folder), "file_sha256": weights.sha256_of(folder / weights.ABOUT)}

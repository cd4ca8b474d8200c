"""Plates on still pictures, through the detector as the step DETECT loads it and the masks as REDACT paints them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from config.models import ModelTask
from config.settings import load as load_settings
from detectors.load import load
from evidence.redaction import Hide, Masks, Redaction
from evidence.track import Origin, Track, TrackBox
from workers import models

_PICTURES = (".jpg", ".jpeg", ".png")
_REDACTION = Redaction(what=frozenset({Hide.PLATES}))


def look_at_stills(folder: Path, out: Path, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """What looked, or None without weights; `boxes.json` and `masks.json` in `out`, as the scorer of boxes reads them.

    `hidden` is the mean share of a picture under masks of things that reach the threshold.
    """
    params = models.detect_params(load_settings(environ=environment), lambda *_: None, frozenset({ModelTask.PLATES}))
    if not params["detectors"]:
        return None
    spec = params["detectors"][0]
    boxes: list[dict[str, Any]] = []
    masks: list[dict[str, Any]] = []
    hidden: list[float] = []
    runtime = ""
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES):
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        detector = load(spec, (picture.shape[1], picture.shape[0]), frozenset())
        runtime = detector.runtime
        found = detector.detect(picture)
        under = np.zeros(picture.shape[:2], np.bool_)
        for box, score in zip(found.box_xyxy.tolist(), found.score.tolist(), strict=True):
            line = {"image": path.name, "label": "plate", "score": score}
            boxes.append({**line, "xyxy": box})
            mask = _mask(box, score, spec["name"])
            masks.append({**line, "xyxy": mask})
            if score >= spec["threshold"]:
                x0, y0, x1, y1 = (max(0, round(side)) for side in mask)
                under[y0:y1, x0:x1] = True
        hidden.append(float(under.mean()))
    for name, lines in (("boxes", boxes), ("masks", masks)):
        (out / f"{name}.json").write_text(json.dumps(lines), "utf-8")
    kept = {name: spec[name] for name in ("name", "task", "sha256", "threshold", "low_threshold")}
    precision = runtime.rpartition(" ")
    return {**kept, "runtime": precision[0], "precision": precision[2], "hidden": sum(hidden) / max(1, len(hidden))}


def _mask(box: list[float], score: float, model: str) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    seen = TrackBox(0, 0, (x0, y0, x1, y1), score, Origin.DETECTED)
    return Masks([Track(1, "licence plate", model, Fraction(1, 25), (seen,))], _REDACTION).at(0)[0]

"""OPTIMISE: one model in eight bits, calibrated and judged on pictures, beside float: what runs best on this processor.

Inputs `weights` (a file, or a folder that PREPARE made) and, if given, `frames` (a folder of stills and videos).
Params: `spec`, the model's entry in DETECT's `detectors`; `keep`, the object labels that are wanted; `max_pixels`;
`apart`, names in `frames` that are not calibrated on; `truths`, [[video, MOT text file], …] in `frames` that say what
this model should find, and `truth_label`, which of our labels they are about.
In `out`: `int8` and `f32`, folders as PREPARE makes them (the second where float32 is not what the processor does anyway).
Result: as `detectors.optimise.optimise` gives it, with `frames` (what was used) and `folder` (which one was chosen; null:
none).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detectors.accuracy import Truth
from detectors.choice import check_installed
from detectors.optimise import Material, optimise
from evidence.errors import BadInput
from evidence.ports import Progress
from evidence.truth import TruthBox, read_mot
from media import examples
from media.examples import Example

_LEAST_CALIBRATED, _LEAST_JUDGED = 10, 4
_OF_A_TRUTH = 60
"""Frames of each labelled video by which it is judged."""


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: BadInput for a folder with too few pictures; WrongWeights; Unavailable without NNCF."""
    check_installed()
    progress(0, 5)
    spec = {**params["spec"], "path": str(inputs["weights"])}
    longest, folder = spec["input_size"], inputs.get("frames")
    unread: list[str] = []
    if folder is None:
        found = examples.crops(longest)
    else:
        found, unread = examples.from_folder(folder, longest, params["apart"], params["max_pixels"])
    truths: list[tuple[Example, Truth]] | None = None
    if folder is not None and params["truths"]:
        truths = _labelled(folder, params, longest)
        calibration, judged = found, [example for example, _ in truths]
    else:
        calibration, judged = split(found)
    if len(calibration) < _LEAST_CALIBRATED or len(judged) < _LEAST_JUDGED:
        raise BadInput(
            f"{len(calibration)} pictures to calibrate on and {len(judged)} to judge by are too few",
            hint="Give a folder with some dozens of pictures, or with videos, that nobody labelled. Labelled videos are "
            "judged by, never calibrated on.",
        )
    material = Material(
        [e.picture for e in calibration], [e.picture for e in judged], [truth for _, truth in truths] if truths else None
    )
    told, chosen = optimise(spec, frozenset(params["keep"]), material, out, progress)
    progress(5, 5)
    used = {"calibrated_on": len(calibration), "judged_by": len(judged), "unread": unread}
    files = {"calibration": _files(calibration), "judged": _files(judged)}
    return {**told, "frames": {**used, "files": files}, "folder": chosen and chosen.name}


def split(found: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """About two thirds to calibrate on and a third to judge by: of other files, unless they are too few for that."""
    calibration: list[Example] = []
    judged: list[Example] = []
    for file in _files(found):
        (judged if 2 * len(judged) < len(calibration) else calibration).extend(e for e in found if e.file == file)
    if 6 * len(judged) >= len(found):
        return calibration, judged
    at = 2 * len(found) // 3
    return list(found[:at]), list(found[at:])


def _labelled(folder: Path, params: Mapping[str, Any], longest: int) -> list[tuple[Example, Truth]]:
    pairs = []
    for video, text in params["truths"]:
        truth = read_mot((folder / text).read_text("utf-8-sig"), text)
        first, last = min(truth), max(truth)
        numbers = sorted({int(n) for n in np.linspace(first, last, min(last - first + 1, _OF_A_TRUTH))})
        for example in examples.numbered(folder / video, numbers, longest, params["max_pixels"]):
            pairs.append((example, _truth(truth.get(example.number, ()), params["truth_label"], example.scale)))
    return pairs


def _truth(boxes: Sequence[TruthBox], label: str, scale: float) -> Truth:
    there, ignored = (
        np.array([box.box_xyxy for box in boxes if box.judged is judged]).reshape(-1, 4) * scale for judged in (True, False)
    )
    return Truth(there, (label,) * len(there), ignored)


def _files(some: Sequence[Example]) -> list[str]:
    return list(dict.fromkeys(example.file for example in some))

"""How well boxes in pictures agree with true ones: the mean average precision of COCO, from IoU 0.50 to 0.95."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.boxes import overlaps
from detectors.detector import Found

_OVERLAPS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True)
class Truth:
    """What is in one picture. Shape: `box_xyxy`: (n, 4); `ignored`: (m, 4), boxes that count neither way."""

    box_xyxy: npt.NDArray[np.float64]
    label: tuple[str, ...]
    ignored: npt.NDArray[np.float64]


def mean_average_precision(truths: Sequence[Truth], found: Sequence[Found]) -> float:
    """mAP50-95 over the labels that the truth has; what was found of others is left out. 0 without any true box.

    A found box takes the free true box that it overlaps most, the surest first; precision is read at 101 recalls.
    Source: the COCO evaluation (T.-Y. Lin et al., 2014).
    """
    labels = sorted({label for truth in truths for label in truth.label})
    return float(np.mean([_of_label(label, truths, found) for label in labels])) if labels else 0.0


def _of_label(label: str, truths: Sequence[Truth], found: Sequence[Found]) -> float:
    scores, hits, there = [np.zeros(0)], [np.zeros((0, len(_OVERLAPS)), np.bool_)], 0
    for truth, seen in zip(truths, found, strict=True):
        true = truth.box_xyxy[[name == label for name in truth.label]]
        mine = np.flatnonzero([name == label for name in seen.label])
        mine = mine[np.argsort(-seen.score[mine], kind="stable")]
        hit = _hits(true, seen.box_xyxy[mine])
        over_ignored = (overlaps(seen.box_xyxy[mine], truth.ignored) >= _OVERLAPS[0]).any(axis=1)
        counted = hit.any(axis=1) | ~over_ignored
        scores.append(seen.score[mine][counted])
        hits.append(hit[counted])
        there += len(true)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return _area(np.concatenate(hits)[order], there)


def _hits(true: npt.NDArray[np.float64], mine: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Whether each box, the surest first, gets a true one at each of the overlaps. Shape: (boxes, overlaps)."""
    near = overlaps(mine, true)
    hit = np.zeros((len(mine), len(_OVERLAPS)), np.bool_)
    for column, least in enumerate(_OVERLAPS):
        free = np.ones(len(true), np.bool_)
        for row in range(len(mine)):
            left = near[row] * free
            if len(true) and left.max() >= least:
                hit[row, column], free[left.argmax()] = True, False
    return hit


def _area(hits: npt.NDArray[np.bool_], there: int) -> float:
    """The mean over all overlaps of the best precision at each recall or beyond."""
    if not len(hits):
        return 0.0
    right = hits.cumsum(axis=0)
    precision = right / np.arange(1, len(hits) + 1)[:, None]
    best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    areas = []
    for column in range(hits.shape[1]):
        at = np.searchsorted(right[:, column] / there, _RECALLS, side="left")
        areas.append(np.append(best[:, column], 0.0)[at].mean())
    return float(np.mean(areas))

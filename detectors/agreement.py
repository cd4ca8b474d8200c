"""How well tracks agree with what a person says is there: recall, precision, and identities kept (IDF1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from detectors.boxes import overlaps
from evidence.figures import share
from evidence.truth import Truth, TruthBox

OVERLAP = 0.5
"""The least intersection over union of two boxes that are one thing."""


def agreement(truth: Truth, found: Truth, overlap: float = OVERLAP) -> dict[str, Any]:
    """`recall` of true boxes and `precision` of found ones (each a share), and `idf1` (None without any box).

    Boxes are paired one to one on each frame, as many as can be. A found box over one that isn't judged counts neither
    way. IDF1 pairs identities one to one over the whole video.
    Source: E. Ristani et al., Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking (2016).
    """
    hits = boxes = predictions = 0
    together: Counter[tuple[int, int]] = Counter()
    for frame in sorted({*truth, *found}):
        there = [box for box in truth.get(frame, ()) if box.judged]
        theirs = _counted(found.get(frame, ()), there, [box for box in truth.get(frame, ()) if not box.judged], overlap)
        near = _overlaps(there, theirs)
        allowed = near >= overlap
        rows, columns = linear_sum_assignment(np.where(allowed, 1 + near, 0), maximize=True)
        hits += int(allowed[rows, columns].sum())
        boxes, predictions = boxes + len(there), predictions + len(theirs)
        together.update((there[i].identity, theirs[j].identity) for i, j in zip(*np.nonzero(allowed), strict=True))
    whole = boxes + predictions
    return {
        "overlap": overlap,
        "recall": share(hits, boxes),
        "precision": share(hits, predictions),
        "idf1": 2 * _identities_kept(together) / whole if whole else None,
    }


def _counted(
    found: Sequence[TruthBox], judged: Sequence[TruthBox], ignored: Sequence[TruthBox], overlap: float
) -> list[TruthBox]:
    """Found boxes without those that lie over an ignored one and over no other."""
    if not ignored:
        return list(found)
    ignore = (_overlaps(ignored, found) >= overlap).any(axis=0) & ~(_overlaps(judged, found) >= overlap).any(axis=0)
    return [found[int(i)] for i in np.flatnonzero(~ignore)]


def _overlaps(first: Sequence[TruthBox], second: Sequence[TruthBox]) -> npt.NDArray[np.float64]:
    return overlaps(*(np.array([box.box_xyxy for box in boxes], np.float64).reshape(-1, 4) for boxes in (first, second)))


def _identities_kept(together: Counter[tuple[int, int]]) -> int:
    """Frames on which paired identities are together, for the best one-to-one pairing."""
    rows = {identity: i for i, identity in enumerate(sorted({ours for ours, _ in together}))}
    columns = {identity: j for j, identity in enumerate(sorted({theirs for _, theirs in together}))}
    frames = np.zeros((len(rows), len(columns)), np.int64)
    for (ours, theirs), count in together.items():
        frames[rows[ours], columns[theirs]] = count
    return int(frames[linear_sum_assignment(frames, maximize=True)].sum())

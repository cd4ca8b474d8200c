"""Tiles: overlapping parts that cover a picture, and what was seen in them and in the whole made one list of boxes.

Nothing is counted twice: a thing that lies in the overlap of two tiles, or that a tile's border cuts, has one box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.boxes import overlaps
from detectors.detector import NOTHING, Boxes, Found, Scores

OVERLAP = 96
"""Least overlap of neighbouring tiles, in pixels of the network: what is smaller lies whole in one of them, and the whole
look finds what is larger."""
_AT_BORDER = 3.0
"""Pixels of the network from a tile's inner border within which a box may have been cut by it."""
_SAME = 0.5
"""Overlap from which what two looks saw is one thing."""
_PART = 0.6
"""Share of a cut box that lies in another box from which it is a part of that."""
_BESIDE = 0.5
"""Overlap, along the border that cut them, from which two cut boxes are two halves of one thing."""

Box = tuple[int, int, int, int]


def layout(size_wh: tuple[int, int], scale: float, side: int) -> list[Box]:
    """Parts of one size that together cover the picture, row by row; neighbours overlap by OVERLAP at least.

    Units: boxes in pixels of the picture; `scale`: pixels of the network for one of the picture; `side`: the longest side
    that a part may have in the network.
    """
    columns, rows = (_along(whole, scale, side) for whole in size_wh)
    return [(x, y, x + w, y + h) for y, h in rows for x, w in columns]


def _along(whole: int, scale: float, side: int) -> list[tuple[int, int]]:
    if whole * scale <= side:
        return [(0, whole)]
    count = math.ceil((whole * scale - OVERLAP) / (side - OVERLAP))
    # Pieces as short as the overlap allows, and one pixel for the rounding of where they begin.
    length = min(whole, math.ceil((whole + (count - 1) * OVERLAP / scale) / count) + 1)
    return [(round(i * (whole - length) / (count - 1)), length) for i in range(count)]


def cut_sides(box_xyxy: Boxes, tile: Box, size_wh: tuple[int, int], scale: float) -> npt.NDArray[np.bool_]:
    """Which sides of each box a tile's border may have cut off; the picture's own edge cuts nothing off.

    Shape: (n, 4): left, top, right, bottom. Units: pixels of the picture.
    """
    inner = np.array([tile[0] > 0, tile[1] > 0, tile[2] < size_wh[0], tile[3] < size_wh[1]])
    away = np.abs(box_xyxy - np.array(tile, np.float32)) * scale
    cut: npt.NDArray[np.bool_] = (away <= _AT_BORDER) & inner
    return cut


@dataclass(frozen=True, slots=True)
class Sights:
    """What several looks at one picture saw; row i of every column belongs together.

    Shape: `box_xyxy`: (n, 4); `score`, `look` (number of the look): (n,); `cut`: (n, 4), as `cut_sides` gives it.
    """

    box_xyxy: Boxes
    score: Scores
    label: tuple[str, ...]
    look: npt.NDArray[np.int64]
    cut: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, looks: Sequence[tuple[Found, npt.NDArray[np.bool_]]]) -> Sights:
        """`looks`: what each saw, and which sides of its boxes are cut."""
        return cls(
            np.concatenate([np.zeros((0, 4), np.float32), *(found.box_xyxy for found, _ in looks)]),
            np.concatenate([np.zeros(0, np.float32), *(found.score for found, _ in looks)]),
            tuple(label for found, _ in looks for label in found.label),
            np.repeat(np.arange(len(looks)), [len(found) for found, _ in looks]),
            np.concatenate([np.zeros((0, 4), np.bool_), *(cut for _, cut in looks)]),
        )


def merged(sights: Sights, kind_of: Callable[[str], frozenset[str]]) -> Found:
    """One box for each thing, the surest first. Labels of one kind may be said of one thing, those of two may not.

    A box is the mean of those that several looks saw, weighted by their scores; two of one look are two things. What a
    border cut is left out where its whole was seen, and halves on both sides of it are put together.
    """
    kinds = [kind_of(label) for label in sights.label]
    boxes: list[npt.NDArray[np.float32]] = []
    scores: list[float] = []
    labels: list[str] = []
    for kind in dict.fromkeys(kinds):
        rows = np.array([i for i, own in enumerate(kinds) if own == kind])
        rows = rows[np.argsort(-sights.score[rows], kind="stable")]
        cut = sights.cut[rows].any(axis=1)
        # The surest sight names the thing.
        things = [(_mean(sights, heap), heap[0]) for heap in _heaps(sights, rows[~cut])]
        for heap in _halves(sights, rows[cut]):
            box = _around(sights.box_xyxy[heap])
            if not any(_inside(box, known) >= _PART for known, _ in things):
                things.append((box, heap[0]))
        for box, first in things:
            boxes.append(box)
            scores.append(float(sights.score[first]))
            labels.append(sights.label[first])
    if not boxes:
        return NOTHING
    order = np.argsort(-np.array(scores, np.float32), kind="stable")
    return Found(np.stack(boxes)[order], np.array(scores, np.float32)[order], tuple(labels[i] for i in order))


def _heaps(sights: Sights, rows: npt.NDArray[np.int64]) -> list[list[int]]:
    """Rows (the surest first) that are sights of one thing by different looks, the surest of each first."""
    heaps: list[list[int]] = []
    overlap = overlaps(sights.box_xyxy[rows], sights.box_xyxy[rows])
    free = np.ones(len(rows), np.bool_)
    for i in range(len(rows)):
        if not free[i]:
            continue
        free[i] = False
        heap, looks = [int(rows[i])], {int(sights.look[rows[i]])}
        for j in np.argsort(-overlap[i], kind="stable"):
            if overlap[i, j] < _SAME:
                break
            if free[j] and int(sights.look[rows[j]]) not in looks:
                free[j] = False
                heap.append(int(rows[j]))
                looks.add(int(sights.look[rows[j]]))
        heaps.append(heap)
    return heaps


def _halves(sights: Sights, rows: npt.NDArray[np.int64]) -> list[list[int]]:
    """Cut rows (the surest first) that are pieces of one thing, the surest of each first, larger things first."""
    heaps = [[int(row)] for row in rows]
    grown = True
    while grown:
        grown = False
        for i, heap in enumerate(heaps):
            for other in heaps[i + 1 :]:
                if _fit(sights, heap, other):
                    heap += other
                    heaps.remove(other)
                    grown = True
                    break
    heaps = [sorted(heap, key=lambda row: -float(sights.score[row])) for heap in heaps]
    return sorted(heaps, key=lambda heap: -float(_area(_around(sights.box_xyxy[heap]))))


def _fit(sights: Sights, some: Sequence[int], others: Sequence[int]) -> bool:
    """Whether two boxes of different tiles meet where borders cut them, as long on both sides of it."""
    for a in some:
        for b in others:
            if sights.look[a] == sights.look[b]:
                continue
            for axis in (0, 1):
                towards = (sights.cut[a, axis + 2] and sights.cut[b, axis]) or (
                    sights.cut[a, axis] and sights.cut[b, axis + 2]
                )
                one, other = sights.box_xyxy[a], sights.box_xyxy[b]
                if towards and _shared(one, other, axis) > 0 and _shared(one, other, 1 - axis) >= _BESIDE:
                    return True
    return False


def _shared(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32], axis: int) -> float:
    """Overlap of two boxes along one axis, by what they span together."""
    both = min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis])
    span = max(one[axis + 2], other[axis + 2]) - min(one[axis], other[axis])
    return float(max(0.0, both) / max(1e-6, span))


def _mean(sights: Sights, rows: Sequence[int]) -> npt.NDArray[np.float32]:
    weight = sights.score[list(rows)].astype(np.float64)
    mean: npt.NDArray[np.float32] = np.average(sights.box_xyxy[list(rows)], axis=0, weights=weight + 1e-6).astype(np.float32)
    return mean


def _around(boxes: Boxes) -> npt.NDArray[np.float32]:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)]).astype(np.float32)


def _area(box: npt.NDArray[np.float32]) -> float:
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))


def _inside(box: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Share of a box that lies in another."""
    both = np.concatenate([np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])])
    return _area(both) / max(1e-6, _area(box))

"""What boxes have to do with one another: how much they overlap, and which are second answers for one thing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_BLOCK = 32
"""Boxes that are held against all others at a time: one by one most of the time goes into calls, all at once most of the
work is for boxes that are gone already."""


def overlaps(some: npt.NDArray[np.floating[Any]], others: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Intersection over union of every pair of boxes. Shape: (n, 4), (m, 4) to (n, m)."""
    a, b = some[:, None].astype(np.float64), others[None].astype(np.float64)
    both = np.maximum(0, np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).prod(axis=2)
    areas = [(box[..., 2:] - box[..., :2]).prod(axis=2) for box in (a, b)]
    result: npt.NDArray[np.float64] = both / np.maximum(1e-6, areas[0] + areas[1] - both)
    return result


def middles_apart(
    some: npt.NDArray[np.floating[Any]], others: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.floating[Any]]:
    """How far the middles of every pair of boxes lie apart, along the longer way. Shape: (n, 4), (m, 4) to (n, m)."""
    middles = (some[:, None, :2] + some[:, None, 2:] - others[None, :, :2] - others[None, :, 2:]) / 2
    apart: npt.NDArray[np.floating[Any]] = np.abs(middles).max(axis=2, initial=0)
    return apart


def suppress(
    box_xyxy: npt.NDArray[np.float32], score: npt.NDArray[np.float32], group: npt.NDArray[np.int64], iou: float, most: int
) -> npt.NDArray[np.int64]:
    """Non-maximum suppression within each group: the rows to keep, the surest first."""
    if not len(score):
        return np.zeros(0, np.int64)
    order = np.argsort(-score, kind="stable")
    # Shifting each group to a place of its own makes one pass do for all.
    shifted = box_xyxy + (group * (float(box_xyxy.max()) + 1))[:, None].astype(np.float32)
    area = (shifted[:, 2] - shifted[:, 0]) * (shifted[:, 3] - shifted[:, 1])
    kept: list[int] = []
    while len(order) and len(kept) < most:
        block = order[:_BLOCK, None]
        overlap = np.maximum(
            0, np.minimum(shifted[block, 2:], shifted[order, 2:]) - np.maximum(shifted[block, :2], shifted[order, :2])
        )
        both = overlap[..., 0] * overlap[..., 1]
        apart = both <= iou * (area[block] + area[order] - both)
        left = np.ones(len(order), np.bool_)
        for row, first in enumerate(block[:, 0].tolist()):
            if left[row]:
                kept.append(first)
                left[row + 1 :] &= apart[row, row + 1 :]
        order = order[_BLOCK:][left[_BLOCK:]]
    return np.array(kept[:most], np.int64)

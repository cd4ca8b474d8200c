"""How sharp each frame is, beside the frames around it: where it drops, nobody can judge what was in view."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

_LONGEST = 480
"""Pixels of the longer side of the grey pictures that are measured: 0.4 ms a frame."""
_BESIDE_S, _PERCENTILE = 2.0, 75
"""A frame is held against the sharper ones of the seconds around it."""
_DROP = 0.6
"""Share of their sharpness below which it is blurred."""
_LEAST_FRAMES = 2
_AT_ONCE = 1024
"""Frames whose surroundings are sorted together: a megabyte."""


def size_for(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The size in which a picture of `size_wh` is to be measured; never larger than it is."""
    scale = min(1.0, _LONGEST / max(size_wh))
    w, h = (max(16, round(side * scale)) for side in size_wh)
    return (w, h)


def measured(grey: npt.NDArray[np.uint8]) -> float:
    """How much grey levels change from pixel to pixel on average. Rounded, so that what is stored is what was used."""
    return round(cv2.norm(cv2.Laplacian(grey, cv2.CV_16S), cv2.NORM_L1) / grey.size, 3)


def blurred(sharpness: Sequence[float], scenes: Sequence[int], frames_per_second: float) -> list[tuple[int, int]]:
    """First and last frame of each stretch that is blurred beside its surroundings in the same scene.

    `scenes`: frames with which another scene begins, ascending. What is out of focus throughout has no surroundings to be
    held against, and is not told.
    """
    found = []
    window = 2 * max(1, round(_BESIDE_S * frames_per_second)) + 1
    for start, end in pairwise([0, *scenes, len(sharpness)]):
        here = np.array(sharpness[start:end], np.float64)
        if len(here) < 2 * _LEAST_FRAMES:
            continue
        beside = surroundings(here, min(window, 2 * len(here) - 1))
        low = np.flatnonzero(np.diff(np.concatenate([[0], (here < _DROP * beside).astype(np.int8), [0]])))
        found += [
            (start + int(first), start + int(last) - 1)
            for first, last in zip(low[::2], low[1::2], strict=True)
            if last - first >= _LEAST_FRAMES
        ]
    return found


def surroundings(values: npt.NDArray[np.float64], window: int) -> npt.NDArray[np.float64]:
    """Of the `window` (odd) values around each, that below which `_PERCENTILE` of them lie; the ends stand on beyond them.

    SciPy, whose `percentile_filter` is the same, takes too long to load for this.
    """
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, window // 2, mode="edge"), window)
    rank = window * _PERCENTILE // 100
    parts = [
        np.partition(around[start : start + _AT_ONCE], rank, axis=1)[:, rank] for start in range(0, len(around), _AT_ONCE)
    ]
    return np.concatenate(parts)

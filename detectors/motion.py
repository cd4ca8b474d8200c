"""How the camera moved from one frame to the next, and whether the picture was cut, seen on small grey pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]

_LONGEST = 160
"""Pixels of the longer side of the pictures that are compared: 0.4 ms a frame."""
_LEAST_RESPONSE = 0.05
"""A phase correlation that answers less surely says nothing about the camera."""
_WORTH = 0.95
"""What moving the picture must leave of the difference; a still camera's pictures only get worse by it."""
_CUT_DIFFERENCE, _CUT_RESPONSE = 0.55, 0.2
"""A cut changes the grey levels nearly everywhere, and nothing of the old picture is found in the new one. On the stress
clips' cuts the difference was 0.59 to 0.98 and the response at most 0.08; a running camera came to 0.56 and 0.83."""
_BLOCKS_WH = (8, 5)
_LEVELS = 16


@dataclass(frozen=True, slots=True)
class Motion:
    """What a frame says about the one before it.

    Units: `shift_wh`: how far the content moved, as shares of the picture's width and height; `response`: how surely,
        0 to 1; `difference`: from 0 (the same grey levels, block by block) to 1 (none in common).
    """

    shift_wh: tuple[float, float]
    response: float
    difference: float

    @property
    def cut(self) -> bool:
        """Whether another scene begins with this frame."""
        return self.difference >= _CUT_DIFFERENCE and self.response < _CUT_RESPONSE

    def shift(self, size_wh: tuple[int, int]) -> tuple[float, float] | None:
        """In pixels of a picture of this size, x right, y down; None when nobody can say."""
        if self.response < _LEAST_RESPONSE or self.cut:
            return None
        return (self.shift_wh[0] * size_wh[0], self.shift_wh[1] * size_wh[1])

    def to_json(self) -> list[float]:
        return [*self.shift_wh, self.response, self.difference]

    @classmethod
    def from_json(cls, value: list[float]) -> Motion:
        across, down, response, difference = value
        return cls((across, down), response, difference)


STILL = Motion((0.0, 0.0), 0.0, 0.0)
"""What the first frame says."""


def size_for(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The size in which a picture of `size_wh` is to be given to `between`."""
    longest = max(size_wh)
    w, h = (max(16, round(side * _LONGEST / longest)) for side in size_wh)
    return (w, h)


def between(before: Grey, after: Grey) -> Motion:
    """Two pictures of one size, in frame order. Rounded, so that what is stored is what was used."""
    h, w = before.shape
    window = cv2.createHanningWindow((w, h), cv2.CV_32F)
    (dx, dy), response = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    if not _explains(before, after, dx, dy):
        dx = dy = 0.0
    levels = [np.bincount(_bins(picture), minlength=_BLOCKS_WH[0] * _BLOCKS_WH[1] * _LEVELS) for picture in (before, after)]
    difference = np.abs(levels[0] - levels[1]).sum() / (2 * before.size)
    return Motion((round(dx / w, 6), round(dy / h, 6)), round(float(response), 4), round(float(difference), 4))


def _explains(before: Grey, after: Grey, dx: float, dy: float) -> bool:
    """Whether the pictures fit better when the first is moved: people who pass a still camera draw the peak with them."""
    h, w = before.shape
    x, y = math.ceil(abs(dx)), math.ceil(abs(dy))
    if 2 * x >= w or 2 * y >= h:
        return False
    moved = cv2.warpAffine(before, np.array([[1, 0, dx], [0, 1, dy]], np.float32), (w, h))
    inside = (slice(y, h - y), slice(x, w - x))
    still_apart, moved_apart = (cv2.absdiff(p[inside], after[inside]).mean() for p in (before, moved))
    return bool(moved_apart < _WORTH * still_apart)


def _bins(picture: Grey) -> npt.NDArray[np.int64]:
    """For each pixel the number of its block and grey level."""
    h, w = picture.shape
    columns, rows = np.arange(w) * _BLOCKS_WH[0] // w, np.arange(h) * _BLOCKS_WH[1] // h
    block = rows[:, None] * _BLOCKS_WH[0] + columns
    bins: npt.NDArray[np.int64] = (block * _LEVELS + picture.astype(np.int64) * _LEVELS // 256).ravel()
    return bins


class Watch:
    """Motion frame by frame; keeps the first and the last picture, so that segments can be joined at their seams."""

    def __init__(self) -> None:
        self.first: Grey | None = None
        self.last: Grey | None = None

    def at(self, grey: Grey) -> Motion:
        """Frames in order. A picture of another size than the one before says nothing about it."""
        before, self.last = self.last, grey
        if before is None:
            self.first = grey
        return STILL if before is None or before.shape != grey.shape else between(before, grey)

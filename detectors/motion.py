"""How the camera moved from one frame to the next, and whether the picture was cut, seen on small grey pictures."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

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
_STILL = 6.0
"""Grey levels by which a still camera's pictures differ on average at most; beyond, what no shift explains is not known."""
_CUT_DIFFERENCE, _CUT_RESPONSE = 0.55, 0.2
"""A cut changes the grey levels nearly everywhere, and nothing of the old picture is found in the new one. On the stress
clips' cuts the difference was 0.59 to 0.98 and the response at most 0.08; a running camera came to 0.56 and 0.83."""
_BLOCKS_WH = (8, 5)
_LEVELS = 16


@dataclass(frozen=True, slots=True)
class Motion:
    """What a frame says about the one before it.

    Units: `shift_wh`: how far the content moved, as shares of the picture's width and height; `response`: how surely,
        0 to 1.
    """

    shift_wh: tuple[float, float]
    response: float
    cut: bool = False
    """Whether another scene begins with this frame."""

    def shift(self, size_wh: tuple[int, int]) -> tuple[float, float] | None:
        """In pixels of a picture of this size, x right, y down; None when nobody can say."""
        if self.response < _LEAST_RESPONSE or self.cut:
            return None
        return (self.shift_wh[0] * size_wh[0], self.shift_wh[1] * size_wh[1])

    def to_json(self) -> list[float]:
        return [*self.shift_wh, self.response, float(self.cut)]

    @classmethod
    def from_json(cls, value: list[float]) -> Motion:
        across, down, response, cut = value
        return cls((across, down), response, bool(cut))


STILL = Motion((0.0, 0.0), 0.0)
"""What the first frame says."""


def size_for(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The size in which a picture of `size_wh` is to be given to `between`."""
    longest = max(size_wh)
    w, h = (max(16, round(side * _LONGEST / longest)) for side in size_wh)
    return (w, h)


def between(before: Grey, after: Grey) -> Motion:
    """Two pictures of one size, in frame order. Rounded, so that what is stored is what was used."""
    h, w = before.shape
    (dx, dy), response = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), _window((w, h)))
    levels = [np.bincount(_bins(picture), minlength=_BLOCKS_WH[0] * _BLOCKS_WH[1] * _LEVELS) for picture in (before, after)]
    difference = np.abs(levels[0] - levels[1]).sum() / (2 * before.size)
    cut = bool(difference >= _CUT_DIFFERENCE and response < _CUT_RESPONSE)
    apart = float(cv2.absdiff(before, after).mean())
    if not _explains(before, after, dx, dy):
        dx = dy = 0.0
        response = min(response, 1.0 if apart <= _STILL else 0.0)
    return Motion((round(dx / w, 6), round(dy / h, 6)), round(float(response), 4), cut)


@cache
def _window(size_wh: tuple[int, int]) -> npt.NDArray[np.float32]:
    window: npt.NDArray[np.float32] = cv2.createHanningWindow(size_wh, cv2.CV_32F).astype(np.float32, copy=False)
    return window


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


def recorded(motions: Sequence[Motion], watch: Watch) -> dict[str, Any]:
    """What was seen of one segment as a JSON value, with its first and last picture, for `joined`."""
    ends = [None if grey is None else _packed(grey) for grey in (watch.first, watch.last)]
    return {"motions": [motion.to_json() for motion in motions], "first": ends[0], "last": ends[1]}


def joined(segments: Sequence[Mapping[str, Any] | None]) -> list[Motion]:
    """The motion of a whole video from that of its segments that have frames, seams included: as if it was watched whole.

    Empty when a segment has none recorded.
    """
    motions: list[Motion] = []
    before: Grey | None = None
    for segment in segments:
        if segment is None:
            return []
        here = [Motion.from_json(value) for value in segment["motions"]]
        first = _unpacked(segment["first"])
        if before is not None and before.shape == first.shape:
            here[0] = between(before, first)
        before = _unpacked(segment["last"])
        motions += here
    return motions


def _packed(grey: Grey) -> dict[str, Any]:
    return {"wh": [grey.shape[1], grey.shape[0]], "grey": base64.b64encode(np.ascontiguousarray(grey).tobytes()).decode()}


def _unpacked(value: Mapping[str, Any]) -> Grey:
    w, h = value["wh"]
    return np.frombuffer(base64.b64decode(value["grey"]), np.uint8).reshape(h, w)

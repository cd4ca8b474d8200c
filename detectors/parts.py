"""Parts of pictures around single small faces, enlarged and looked at one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.detector import Boxes, Picture, Scores, View

CELL = 128
"""Pixels of the sides of one enlarged part, which is one input of a network. With 192, a look took twice the time."""
_ENLARGED = 2
"""How many times larger a small face is shown than the tiles show it: one of twenty pixels scores twice as high then."""
_ROOM = 2.75
"""Sides of a larger face that a part is wide at least."""
_EDGE = 3
"""Pixels of a cell in which the middle of a face can't be trusted."""

LookAtEach = Callable[[Sequence[Callable[[], Picture]]], list[tuple[Boxes, Scores]]]
"""Looks at pictures by themselves, each made when its turn comes: boxes in pixels of the picture, and their scores."""
Part = tuple[int, int, int, int]


def part_around(box: npt.NDArray[Any], scale: float, size_wh: tuple[int, int]) -> Part:
    """The square around a box that a part shows, inside a picture of `size_wh`. `scale`: of the tiles."""
    longest = float((box[2:] - box[:2]).max())
    return square_around(box, round(max(least_side(scale), _ROOM * longest)), size_wh)


def square_around(box: npt.NDArray[Any], side: int, size_wh: tuple[int, int]) -> Part:
    """The square of this side around a box's middle, moved inside a picture of `size_wh`, and no larger than that."""
    side = min(side, *size_wh)
    middle = (box[:2] + box[2:]) / 2
    x, y = (int(min(max(0, round(float(at) - side / 2)), whole - side)) for at, whole in zip(middle, size_wh, strict=True))
    return x, y, x + side, y + side


def least_side(scale: float) -> int:
    """Pixels of a picture that the smallest part shows of it."""
    return round(CELL / _ENLARGED / scale)


def shown_wh(count: int) -> tuple[int, int]:
    """The size of so many parts in a row, for the record."""
    return count * CELL, CELL


def look_at_parts(look: LookAtEach, parts: Sequence[tuple[View, Part]]) -> list[tuple[Boxes, Scores]]:
    """What is seen in each part. Units: boxes in pixels of the picture."""
    shown = look([partial(view.part_rgb, part, (CELL, CELL)) for view, part in parts])
    seen = []
    for (_, part), (box, score) in zip(parts, shown, strict=True):
        middle = (box[:, :2] + box[:, 2:]) / 2
        inside = ((middle >= _EDGE) & (middle < CELL - _EDGE)).all(axis=1)
        placed = box[inside] * ((part[2] - part[0]) / CELL) + np.array(part[:2] * 2)
        seen.append((placed.astype(np.float32), score[inside]))
    return seen

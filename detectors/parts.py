"""Parts of pictures, enlarged and laid side by side on one sheet: a dozen small faces are one look of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.detector import Boxes, Picture, Scores, View

CELL, COLUMNS, ROWS = 192, 4, 3
"""Pixels of the sides of one enlarged part, and how many of them one sheet holds."""
_EDGE = 4
"""Pixels of a cell in which the middle of a face can't be trusted."""

Look = Callable[[Picture], tuple[Boxes, Scores]]
"""Boxes in pixels of a sheet, and their scores."""
Corner = tuple[int, int]


def corner_of(box: npt.NDArray[Any], side: int, size_wh: tuple[int, int]) -> Corner:
    """The upper left corner of the part of `side` pixels around a box, inside a picture of `size_wh`."""
    middle = (box[:2] + box[2:]) / 2
    x, y = (int(min(max(0, round(float(at) - side / 2)), whole - side)) for at, whole in zip(middle, size_wh, strict=True))
    return x, y


def sheet_wh(count: int) -> tuple[int, int]:
    return COLUMNS * CELL, -(-count // COLUMNS) * CELL


def look_at_parts(look: Look, parts: Sequence[tuple[View, Corner]], side: int) -> list[tuple[Boxes, Scores]]:
    """What is seen in each part of `side` pixels at its corner, enlarged. Units: boxes in pixels of the picture."""
    width, height = sheet_wh(len(parts))
    sheet = np.zeros((height, width, 3), np.uint8)
    for number, (view, (x, y)) in enumerate(parts):
        row, column = divmod(number, COLUMNS)
        part = view.part_rgb((x, y, x + side, y + side), (CELL, CELL))
        sheet[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = part
    box, score = look(sheet)
    middle = (box[:, :2] + box[:, 2:]) / 2
    cell = (middle // CELL).astype(int)
    number_of = cell[:, 1] * COLUMNS + cell[:, 0]
    inside = ((middle % CELL >= _EDGE) & (middle % CELL < CELL - _EDGE)).all(axis=1) & (cell[:, 0] < COLUMNS)
    scale = side / CELL
    seen = []
    for number, (_, corner) in enumerate(parts):
        mine = np.flatnonzero(inside & (number_of == number))
        shift = np.array(corner, np.float32) - cell[mine] * side
        seen.append(((box[mine] * scale + np.tile(shift, 2)).astype(np.float32), score[mine]))
    return seen

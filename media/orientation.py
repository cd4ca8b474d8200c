"""How a stored picture is turned to stand upright: a quarter turn, perhaps mirrored, and boxes through it.

People, detectors and masks work on the upright picture; planes lie as they were stored. This is the only place
where one becomes the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]

_ONE = 1 << 16
_W = 1 << 30


@dataclass(frozen=True, slots=True)
class Orientation:
    """Upright x = a·p + c·q, y = b·p + d·q for stored (p, q), moved so that the picture starts at 0.

    Source: FFmpeg `libavutil/display.h`, the layout of AV_FRAME_DATA_DISPLAYMATRIX.
    """

    a: int = 1
    b: int = 0
    c: int = 0
    d: int = 1

    @property
    def turned(self) -> bool:
        """Whether width and height change places."""
        return self.a == 0

    @property
    def degrees(self) -> int:
        """Clockwise turn that brings the stored picture upright (after mirroring, where it is mirrored)."""
        return {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}[(self.d, -self.c)]

    @property
    def mirrored(self) -> bool:
        return self.a * self.d - self.b * self.c < 0

    @property
    def matrix(self) -> tuple[int, ...] | None:
        """The display matrix to write, None for a picture that is stored upright."""
        if self == UPRIGHT:
            return None
        return (self.a * _ONE, self.b * _ONE, 0, self.c * _ONE, self.d * _ONE, 0, 0, 0, _W)

    def upright_wh(self, stored_wh: tuple[int, int]) -> tuple[int, int]:
        w, h = stored_wh
        return (h, w) if self.turned else (w, h)

    stored_wh = upright_wh
    """The same exchange takes an upright size back to a stored one."""

    def box_to_stored(self, box: Box, stored_wh: tuple[int, int]) -> Box:
        x0, y0, x1, y1 = box
        w, h = stored_wh
        if self.turned:
            q = (x0, x1) if self.c > 0 else (h - x1, h - x0)
            p = (y0, y1) if self.b > 0 else (w - y1, w - y0)
        else:
            p = (x0, x1) if self.a > 0 else (w - x1, w - x0)
            q = (y0, y1) if self.d > 0 else (h - y1, h - y0)
        return (p[0], q[0], p[1], q[1])

    def to_upright(self, stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Shape: (h, w) or (h, w, channels) in, turned out; contiguous."""
        picture = stored.swapaxes(0, 1) if self.turned else stored
        down, right = (self.b, self.c) if self.turned else (self.d, self.a)
        return np.ascontiguousarray(picture[::down, ::right])

    def to_stored(self, upright: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The inverse of `to_upright`."""
        down, right = (self.b, self.c) if self.turned else (self.d, self.a)
        picture = upright[::down, ::right]
        return np.ascontiguousarray(picture.swapaxes(0, 1) if self.turned else picture)


UPRIGHT = Orientation()


def from_matrix(matrix: Sequence[int]) -> Orientation:
    """The quarter turn nearest to a display matrix (9 integers, 16.16); upright when it makes no sense."""
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    straight, across = abs(a) + abs(d), abs(b) + abs(c)
    if straight == across == 0:
        return UPRIGHT
    return Orientation(_sign(a), 0, 0, _sign(d)) if straight >= across else Orientation(0, _sign(b), _sign(c), 0)


def from_side_data(data: bytes) -> Orientation:
    return from_matrix(np.frombuffer(data[:36], dtype=np.int32).tolist())


def _sign(value: int) -> int:
    return -1 if value < 0 else 1

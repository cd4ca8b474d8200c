"""Drawing what was found onto a picture's planes: boxes, labels, and where and when the picture comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import av.video.frame
import cv2
import numpy as np
import numpy.typing as npt

from evidence.errors import UnsupportedMedia
from media.lettering import height_for, lettered
from media.orientation import Box, Orientation
from media.paint import outward
from media.planes import Samples, is_full_range, writable

Colour = tuple[int, int, int]
"""Y, U, V in full range."""

PAPER: Colour = (20, 128, 128)
_INK = 235
_WHEEL: tuple[tuple[int, int, int], ...] = (
    (255, 214, 0), (0, 200, 255), (255, 120, 190), (120, 230, 90), (255, 140, 40),
    (170, 150, 255), (0, 220, 170), (255, 90, 90), (210, 210, 120), (140, 190, 255),
)  # fmt: skip
"""Light colours (R, G, B) that stand out on footage and carry black letters."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A box with its caption. Units: pixels of the upright picture."""

    box: Box
    caption: str
    number: int
    """Decides the colour: the same thing keeps it through the whole video."""
    sure: bool
    """A thin outline for boxes that no detector saw."""


class Pen:
    """Draws on 8-bit 4:2:0 pictures of one size and orientation, without making them RGB."""

    def __init__(self, size_wh: tuple[int, int], orientation: Orientation) -> None:
        self._size_wh, self._orientation = size_wh, orientation
        self._upright_wh = orientation.upright_wh(size_wh)
        self._letters_px = height_for(size_wh)
        self._line = max(2, self._letters_px // 8) & ~1
        self._tile = lru_cache(maxsize=512)(self._make_tile)

    def marks(self, picture: av.video.frame.VideoFrame, marks: Sequence[Mark]) -> None:
        """All outlines first, then all captions, so that no outline crosses a caption."""
        planes, full = _planes(picture), is_full_range(picture)
        for mark in marks:
            self._outline(planes, mark, full)
        for mark in marks:
            tile = self._tile(mark.caption, _colour(mark.number), 16, full)
            x, y = mark.box[0], mark.box[1] - self._upright_tile_wh(tile)[1]
            self._paste(planes, tile, x, mark.box[1] if y < 0 else y)

    def lines(self, picture: av.video.frame.VideoFrame, lines: Sequence[str]) -> None:
        """Lines of text at the lower left, the last one lowest."""
        planes, full = _planes(picture), is_full_range(picture)
        y: float = self._upright_wh[1]
        for text in reversed(lines):
            tile = self._make_tile(text, PAPER, _INK, full)
            y -= self._upright_tile_wh(tile)[1]
            self._paste(planes, tile, 0, y)

    def _outline(self, planes: list[Samples], mark: Mark, full: bool) -> None:
        x0, y0, x1, y1 = mark.box
        colour = _ranged(_colour(mark.number), full)
        t = self._line if mark.sure else max(2, self._line // 2) & ~1
        for edge in ((x0, y0, x1, y0 + t), (x0, y1 - t, x1, y1), (x0, y0, x0 + t, y1), (x1 - t, y0, x1, y1)):
            if edge[2] < edge[0] or edge[3] < edge[1]:
                continue
            region = outward(edge, self._orientation, self._size_wh)
            if region is not None:
                left, top, right, bottom = region
                planes[0][top:bottom, left:right] = colour[0]
                for plane, value in zip(planes[1:], colour[1:], strict=True):
                    plane[top // 2 : (bottom + 1) // 2, left // 2 : (right + 1) // 2] = value

    def _make_tile(self, text: str, paper: Colour, ink: int, full: bool) -> list[npt.NDArray[np.uint8]]:
        """Y, U and V of a caption, as stored."""
        cover = self._orientation.to_stored(lettered(text, self._letters_px)).astype(np.float32) / 255
        y, u, v = _ranged(paper, full)
        dark = _ranged((ink, 128, 128), full)[0]
        thin = cv2.resize(cover, (cover.shape[1] // 2, cover.shape[0] // 2), interpolation=cv2.INTER_AREA)
        mixed = (y + (dark - y) * cover, u + (128 - u) * thin, v + (128 - v) * thin)
        return [np.rint(plane).astype(np.uint8) for plane in mixed]

    def _upright_tile_wh(self, tile: list[npt.NDArray[np.uint8]]) -> tuple[int, int]:
        h, w = tile[0].shape
        return self._orientation.upright_wh((w, h))

    def _paste(self, planes: list[Samples], tile: list[npt.NDArray[np.uint8]], x: float, y: float) -> None:
        """Put the tile's upper left corner at (x, y) of the upright picture, moved so that it lies inside."""
        w, h = self._upright_tile_wh(tile)
        x = min(max(x, 0), max(0, self._upright_wh[0] - w))
        y = min(max(y, 0), max(0, self._upright_wh[1] - h))
        stored = self._orientation.box_to_stored((x, y, x + w, y + h), self._size_wh)
        left, top = (max(0, int(edge)) & ~1 for edge in stored[:2])
        for plane, part, step in zip(planes, tile, (1, 2, 2), strict=True):
            target = plane[top // step :, left // step :][: part.shape[0], : part.shape[1]]
            target[:] = part[: target.shape[0], : target.shape[1]]


def _planes(picture: av.video.frame.VideoFrame) -> list[Samples]:
    """Raises: UnsupportedMedia for anything but 8-bit 4:2:0."""
    if picture.format.name not in {"yuv420p", "yuvj420p"}:
        raise UnsupportedMedia(f"pictures in the form {picture.format.name} can't be drawn on")
    return writable(picture)


def _colour(number: int) -> Colour:
    """Source: ITU-R BT.601, full range."""
    r, g, b = _WHEEL[number % len(_WHEEL)]
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return (round(y), round(128 + 0.564 * (b - y)), round(128 + 0.713 * (r - y)))


def _ranged(colour: Colour, full: bool) -> Colour:
    if full:
        return colour
    y, u, v = colour
    return (16 + round(y * 219 / 255), 128 + round((u - 128) * 224 / 255), 128 + round((v - 128) * 224 / 255))

"""Covering regions of a picture, on its planes, so that nothing of what was there is left.

Boxes are in pixels of the upright picture. Each is rounded outward to even coordinates, so that every sample of
every plane that shares a pixel with the box is covered; a mask that can't be painted is an error, never skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import av.video.frame
import cv2
import numpy as np

from evidence.errors import UnsupportedMedia
from evidence.redaction import Style
from media.orientation import Box, Orientation
from media.planes import Samples, is_full_range, layout, writable

_BLOCKS = 6
"""A pixelated or blurred region keeps at most this many values across its longer side."""


def cover(
    picture: av.video.frame.VideoFrame, boxes: Iterable[Box], orientation: Orientation, style: Style = Style.SOLID
) -> int:
    """Cover `boxes` in place; how many of them lie in the picture, at least in part.

    Raises: UnsupportedMedia for a pixel format whose planes are not known; ValueError for a box that is none.
    """
    form = layout(picture.format.name)
    if form is None:
        raise UnsupportedMedia(f"pictures in the form {picture.format.name} can't be painted")
    size_wh = (picture.width, picture.height)
    regions = [region for box in boxes if (region := outward(box, orientation, size_wh)) is not None]
    if not regions:
        return 0
    planes, full = writable(picture), is_full_range(picture)
    for x0, y0, x1, y1 in regions:
        for number, plane in enumerate(planes):
            sx, sy = form.step_xy if number else (1, 1)
            part = plane[y0 // sy : -(-y1 // sy), x0 // sx : -(-x1 // sx)]
            if style is Style.SOLID:
                part[:] = 1 << (form.bits - 1) if number else 0 if full else 16 << (form.bits - 8)
            else:
                part[:] = _coarse(part, cv2.INTER_NEAREST if style is Style.PIXELATE else cv2.INTER_LINEAR)
    return len(regions)


def outward(box: Box, orientation: Orientation, stored_wh: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The even-edged region of the stored picture that holds an upright box; None when the box lies outside it.

    Raises: ValueError for edges that are not finite or in the wrong order.
    """
    if not all(math.isfinite(edge) for edge in box) or box[2] < box[0] or box[3] < box[1]:
        raise ValueError(f"not a box: {box}")
    # Whole pixels first: turning a fraction could round it inward.
    whole = (math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3]))
    w, h = stored_wh
    x0, y0, x1, y1 = (int(edge) for edge in orientation.box_to_stored(whole, stored_wh))
    x0, y0 = max(0, x0) & ~1, max(0, y0) & ~1
    x1, y1 = min(w, x1 + (x1 & 1)), min(h, y1 + (y1 & 1))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _coarse(part: Samples, interpolation: int) -> Samples:
    """The region from at most `_BLOCKS` × `_BLOCKS` averages of itself, and of nothing outside it."""
    h, w = part.shape
    longer = max(h, w)
    blocks = (max(1, min(w, round(_BLOCKS * w / longer))), max(1, min(h, round(_BLOCKS * h / longer))))
    small = cv2.resize(np.ascontiguousarray(part), blocks, interpolation=cv2.INTER_AREA)
    coarse: Samples = cv2.resize(small, (w, h), interpolation=interpolation)
    return coarse

"""Single pictures out of a video: posters, crops of tracks, contact sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from media.lettering import height_for, lettered
from media.orientation import Box

RGB = npt.NDArray[np.uint8]
_QUALITY = 85


def save_jpeg(picture: RGB, path: Path) -> None:
    """Without any metadata. Shape: (height, width, 3), RGB."""
    Image.fromarray(picture).save(path, "JPEG", quality=_QUALITY, optimize=True)


def fitted(size_wh: tuple[int, int], within_wh: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the same shape that fits, never larger than it was and never less than a pixel."""
    scale = min(1.0, within_wh[0] / size_wh[0], within_wh[1] / size_wh[1])
    return (max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale)))


def shrunk(picture: RGB, within_wh: tuple[int, int]) -> RGB:
    h, w = picture.shape[:2]
    size = fitted((w, h), within_wh)
    if size == (w, h):
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS), dtype=np.uint8)


def cropped(picture: RGB, box: Box, margin: float) -> RGB:
    """The box with `margin` times its size on every side, cut to the picture; at least 8 pixels each way."""
    h, w = picture.shape[:2]
    x0, y0, x1, y1 = box
    dx, dy = max(4.0, (x1 - x0) * margin), max(4.0, (y1 - y0) * margin)
    left, top = max(0, min(w - 8, int(x0 - dx))), max(0, min(h - 8, int(y0 - dy)))
    right, bottom = min(w, max(left + 8, round(x1 + dx))), min(h, max(top + 8, round(y1 + dy)))
    return np.ascontiguousarray(picture[top:bottom, left:right])


def sheet(rows: list[tuple[str, list[RGB]]], titles: list[str], cell_wh: tuple[int, int]) -> RGB:
    """Pictures in rows under column titles, each row with its name at the left. `cell_wh` bounds one picture."""
    gap, letters = 8, height_for((640, 640))
    names = [lettered(name, letters) for name, _ in rows]
    heads = [lettered(title, letters) for title in titles]
    left = max(n.shape[1] for n in names) + 2 * gap
    top = max(head.shape[0] for head in heads) + gap
    w = left + len(titles) * (cell_wh[0] + gap)
    h = top + len(rows) * (cell_wh[1] + gap)
    page = np.full((h, w, 3), 255, np.uint8)
    for column, head in enumerate(heads):
        _write(page, head, left + column * (cell_wh[0] + gap), 0)
    for row, (name, (_, pictures)) in enumerate(zip(names, rows, strict=True)):
        y = top + row * (cell_wh[1] + gap)
        _write(page, name, gap, y)
        for column, picture in enumerate(pictures):
            small = shrunk(picture, cell_wh)
            x = left + column * (cell_wh[0] + gap)
            page[y : y + small.shape[0], x : x + small.shape[1]] = small
    return page


def _write(page: RGB, letters: RGB, x: int, y: int) -> None:
    target = page[y : y + letters.shape[0], x : x + letters.shape[1]]
    target[:] = (255 - letters[: target.shape[0], : target.shape[1]])[:, :, None]

"""Text as small pictures, in a font that every installation has."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Alpha = npt.NDArray[np.uint8]


_LONGEST = 100

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=32)
def _font(height_px: int, layout: ImageFont.Layout) -> _Font:
    """DejaVu Sans, which knows most alphabets, from the installed matplotlib; else the one that Pillow carries."""
    found = importlib.util.find_spec("matplotlib")
    for folder in (found.submodule_search_locations or []) if found else []:
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.exists():
            return ImageFont.truetype(str(path), height_px, layout_engine=layout)
    return ImageFont.load_default(height_px)


def height_for(size_wh: tuple[int, int]) -> int:
    """Letters that can be read on a picture of this size. Units: pixels."""
    # Twenty pixels at 1080 lines: read at a glance, and a crowd of captions still shows the crowd.
    return max(12, round(min(size_wh) / 54))


def lettered(text: str, height_px: int) -> Alpha:
    """How much of each pixel the letters cover, 0 to 255, with a small border.

    What can't be printed (line breaks, signs that turn the writing direction) is left out; long texts are cut.
    Shape: (height, width), both even.
    """
    text = "".join(letter for letter in text if letter.isprintable()).strip()
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    try:
        return _drawn(text, height_px, _font(height_px, ImageFont.Layout.RAQM))
    except RuntimeError:
        # The shaping library gives up on some mixtures of scripts; letter by letter always works.
        return _drawn(text, height_px, _font(height_px, ImageFont.Layout.BASIC))


def _drawn(text: str, height_px: int, font: _Font) -> Alpha:
    left, top, right, bottom = font.getbbox(text or " ")
    border = max(2, height_px // 5)
    # One height for all texts of a size, so that lines stand still while their letters change.
    _, line_top, _, line_bottom = font.getbbox("Ájg|")
    top, bottom = min(top, line_top), max(bottom, line_bottom)
    w, h = round(right - left) + 2 * border, round(bottom - top) + 2 * border
    picture = Image.new("L", (w + w % 2, h + h % 2), 0)
    ImageDraw.Draw(picture).text((border - left, border - top), text, fill=255, font=font)
    return np.asarray(picture, dtype=np.uint8)

"""A clip with real people and faces in it, made at run time by moving over a photograph that ultralytics ships."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np


def photograph(name: str) -> Path:
    spec = importlib.util.find_spec("ultralytics")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "assets" / name


def pan_clip(
    path: Path,
    *,
    frames: int = 50,
    seed: int = 0,
    size_wh: tuple[int, int] = (640, 360),
    rate: int = 25,
    blurred: range = range(0),
) -> Path:
    """`rate` frames a second, a key frame each second. Another `seed` makes another file of the same picture.

    `blurred`: frames that are out of focus.
    """
    width, height = size_wh
    picture = cv2.imread(str(photograph("zidane.jpg")))
    picture = cv2.resize(picture, (int(width * 1.2), int(height * 1.2)))
    with av.open(str(path), "w") as container:
        container.metadata["comment"] = f"take {seed}"
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "g": str(rate)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, rate)
        for number in range(frames):
            x = int((picture.shape[1] - width) * (0.5 + 0.5 * np.sin(number / 40)))
            cut = np.ascontiguousarray(picture[10 : 10 + height, x : x + width])
            if number in blurred:
                cut = cv2.GaussianBlur(cut, (31, 31), 0)
            frame = av.VideoFrame.from_ndarray(cut, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path

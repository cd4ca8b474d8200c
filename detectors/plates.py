"""Number plates: any YOLO plate model, without the boxes that can't be a plate."""

from __future__ import annotations

import numpy as np

from detectors.detector import Detector, Found, Picture, View
from detectors.plan import Now, Record

WIDER_THAN_HIGH = 0.9
"""Least width by height: a two-line plate (1.3) seen at a slant. Upright pictures only: rotation is undone before."""
_MOST_OF_THE_PICTURE = 0.4
"""A plate held before the camera fills a third. On dark or small pictures plate models see walls and people as plates."""


class Plates:
    """A detector of plates that answers with what its model saw, less what has no plate's form."""

    def __init__(self, model: Detector) -> None:
        self._model = model
        self.name, self.labels, self.runtime = model.name, model.labels, model.runtime

    @property
    def picture_wh(self) -> tuple[int, int]:
        return self._model.picture_wh

    def detect(self, picture: Picture) -> Found:
        return self._fitting(self._model.detect(picture), (picture.shape[1], picture.shape[0]))

    @staticmethod
    def _fitting(found: Found, size_wh: tuple[int, int]) -> Found:
        width, height = (found.box_xyxy[:, 2:] - found.box_xyxy[:, :2]).T
        picture_area = size_wh[0] * size_wh[1]
        fits = (width >= WIDER_THAN_HIGH * height) & (width * height <= _MOST_OF_THE_PICTURE * picture_area)
        kept = np.flatnonzero(fits)
        return Found(found.box_xyxy[kept], found.score[kept], tuple(found.label[i] for i in kept))

    @property
    def looks(self) -> Record:
        return self._model.looks

    def begin(self) -> None:
        self._model.begin()

    def look(self, view: View, now: Now) -> Found:
        return self._fitting(self._model.look(view, now), view.upright_size_wh)

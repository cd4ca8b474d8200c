"""What every detector promises, and the geometry that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from detectors.plan import Now, Record

STRIDE = 32
"""Networks here halve their input five times: both sides of it are multiples of this."""

Picture = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """What one model saw in one picture; row i of every column belongs together, the surest first.

    Shape: `box_xyxy`: (n, 4); `score`: (n,); `label`: n strings.
    Units: boxes in pixels of the picture that was given, cut to its edges.
    """

    box_xyxy: Boxes
    score: Scores
    label: tuple[str, ...]
    earlier: tuple[tuple[int, Found], ...] = ()
    """What is now seen on frames before this one: how many frames ago, and what."""

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, slots=True)
class Use:
    """One model file, and what is wanted of it."""

    name: str
    path: Path
    longest: int
    """Pixels of the longer side of the network's input."""
    threshold: float
    """Least score that is kept."""
    sure: float | None = None
    """Score that starts a track; None: the least."""
    single_label: str | None = None
    """Our label for whatever a model with a single class finds."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Our label for a class of the model; classes not named are kept as they are."""
    keep: frozenset[str] | None = None
    """Labels that are wanted; None: all."""
    lanes: int = 1
    """Threads in which looks that don't depend on each other may run (`detectors.lanes`)."""

    def labels(self, classes: tuple[str, ...]) -> tuple[str, ...]:
        """Our label for each of a model's classes."""
        if self.single_label and len(classes) == 1:
            return (self.single_label,)
        return tuple(self.renamed.get(name, name) for name in classes)


class View(Protocol):
    """A frame as detectors may see it: scaled, or a part of it. Units: pixels of the upright picture."""

    @property
    def upright_size_wh(self) -> tuple[int, int]: ...
    def small_rgb(self, size_wh: tuple[int, int]) -> Picture: ...
    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_wh: tuple[int, int]) -> Picture: ...


class Detector(Protocol):
    """A model, ready to look at pictures of one shape."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]:
        """Everything that it can find, in our words."""
        ...

    @property
    def picture_wh(self) -> tuple[int, int]:
        """The size in which it wants its pictures; others are scaled first."""
        ...

    @property
    def runtime(self) -> str:
        """What computes, and how exactly: `openvino bfloat16`."""
        ...

    def detect(self, picture: Picture) -> Found:
        """One picture by itself. Shape: `picture`: (h, w, 3), RGB, upright."""
        ...

    @property
    def looks(self) -> Record:
        """Which looks were taken, at which frames of the video."""
        ...

    def begin(self) -> None:
        """Forget what was seen: the next frame begins a stretch of video that is looked at by itself."""
        ...

    def look(self, view: View, now: Now) -> Found:
        """The next frame of a video, as far as a look at it is due. Units: boxes in pixels of the upright picture."""
        ...


@runtime_checkable
class Patient(Protocol):
    """A detector that may say what lies on a frame some frames later, when it has seen what comes after."""

    def take(self, view: View, now: Now) -> list[Found]:
        """The next frame of a video; what is told now of the frames given before and of this one, in order, one each."""
        ...

    def rest(self) -> list[Found]:
        """What is told of all frames that are still owed: there are no more, or the next begins a stretch of its own."""
        ...


def whole_look(detector: Detector, view: View) -> Found:
    """What a detector sees in a frame as a whole. Units: boxes in pixels of the upright picture."""
    found = detector.detect(view.small_rgb(detector.picture_wh))
    scale = np.array([a / b for a, b in zip(view.upright_size_wh, detector.picture_wh, strict=True)] * 2, np.float32)
    return Found(found.box_xyxy * scale, found.score, found.label)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a picture lies in a network's input: scaled to `inner_wh`, at `offset_xy`, padded to `outer_wh`."""

    inner_wh: tuple[int, int]
    outer_wh: tuple[int, int]
    padding: int | None
    """The grey around the picture; None: the picture mirrored at its edges."""

    @property
    def offset_xy(self) -> tuple[int, int]:
        return (self.outer_wh[0] - self.inner_wh[0]) // 2, (self.outer_wh[1] - self.inner_wh[1]) // 2

    def fill(self, picture: Picture) -> Picture:
        """The network's input. Shape: (h, w, 3) of `outer_wh`."""
        w, h = self.inner_wh
        if picture.shape[:2] != (h, w):
            picture = scaled(picture, (w, h))
        if self.inner_wh == self.outer_wh:
            return np.ascontiguousarray(picture)
        x, y = self.offset_xy
        if self.padding is None:
            right, bottom = self.outer_wh[0] - w - x, self.outer_wh[1] - h - y
            mirrored: Picture = cv2.copyMakeBorder(picture, y, bottom, x, right, cv2.BORDER_REFLECT)
            return mirrored
        filled = np.full((self.outer_wh[1], self.outer_wh[0], 3), self.padding, np.uint8)
        filled[y : y + h, x : x + w] = picture
        return filled

    def back(self, box_xyxy: Boxes, picture_wh: tuple[int, int]) -> Boxes:
        """Boxes of the network's input as boxes of the picture, cut to its edges."""
        scale = np.array([picture_wh[0] / self.inner_wh[0], picture_wh[1] / self.inner_wh[1]] * 2, np.float32)
        moved = (box_xyxy - np.array(self.offset_xy * 2, np.float32)) * scale
        inside: Boxes = np.clip(moved, 0, np.array(picture_wh * 2, np.float32)).astype(np.float32)
        return inside


def scaled(picture: Picture, size_wh: tuple[int, int]) -> Picture:
    """Halved by averages as often as that is not too small, then interpolated: averages over other shares take five times
    as long, and interpolating alone passes over pixels."""
    while picture.shape[1] >= 2 * size_wh[0] and picture.shape[0] >= 2 * size_wh[1]:
        half_wh = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = cv2.resize(picture, half_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    result: Picture = cv2.resize(picture, size_wh, interpolation=cv2.INTER_LINEAR)
    return result


def letterbox(size_wh: tuple[int, int], longest: int, padding: int) -> Letterbox:
    """A whole picture of `size_wh`, its longer side made `longest`, in the smallest input that holds it."""
    scale = longest / max(size_wh)
    w, h = (max(1, round(side * scale)) for side in size_wh)
    return Letterbox((w, h), (math.ceil(w / STRIDE) * STRIDE, math.ceil(h / STRIDE) * STRIDE), padding)


def mirrored(size_wh: tuple[int, int], longest: int, border: float) -> Letterbox:
    """As `letterbox`, with at least `border` of the picture's longer side mirrored around it."""
    inside = letterbox(size_wh, round(longest / (1 + 2 * border)), 0).inner_wh
    room = round(2 * border * max(inside))
    w, h = (math.ceil((side + room) / STRIDE) * STRIDE for side in inside)
    return Letterbox(inside, (w, h), None)


NOTHING = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())

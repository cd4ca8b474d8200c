"""What was seen, where, from when to when, and how surely."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from evidence.mediatime import MediaTime, Span

BoxXYXY = tuple[float, float, float, float]


class Origin(StrEnum):
    """How a box came to be: a model saw it, a tracker carried it on, or it was filled in between two."""

    DETECTED = "detected"
    TRACKED = "tracked"
    INTERPOLATED = "interpolated"


@dataclass(frozen=True, slots=True)
class Detections:
    """What detectors saw, as columns; row i of every column belongs together.

    Shape: `frame`, `pts`, `score`: (n,); `box_xyxy`: (n, 4) float32; `label`, `model`: n strings.
    Units: boxes in pixels of the upright picture, x right, y down, corners exclusive at the far side;
        `frame` counts decoded frames of the whole video from 0; `pts` in ticks of `time_base`; `ago`: how many frames
        later it was seen that this lay there, by a look back; 0: on its own frame.
    """

    frame: npt.NDArray[np.int64]
    pts: npt.NDArray[np.int64]
    box_xyxy: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]
    label: tuple[str, ...]
    model: tuple[str, ...]
    time_base: Fraction
    ago: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Empty when given as nothing: then 0 everywhere."""

    def __post_init__(self) -> None:
        n = len(self.label)
        if n and not len(self.ago):
            object.__setattr__(self, "ago", np.zeros(n, np.int64))
        columns = (self.frame, self.pts, self.score, self.ago)
        if any(column.shape != (n,) for column in columns) or len(self.model) != n:
            raise ValueError("the columns of Detections must have one length")
        if self.box_xyxy.shape != (n, 4):
            raise ValueError("box_xyxy must be (n, 4)")

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, slots=True)
class TrackBox:
    """One frame of a track."""

    frame: int
    pts: int
    box_xyxy: BoxXYXY
    score: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class Track:
    """One thing followed through the video: a box for every frame from its first to its last, no holes.

    `boxes` are in frame order; `id` is unique within an exhibit's analysis.
    """

    id: int
    label: str
    model: str
    time_base: Fraction
    boxes: tuple[TrackBox, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.boxes:
            raise ValueError("a track has at least one box")
        frames = [b.frame for b in self.boxes]
        if frames != list(range(frames[0], frames[0] + len(frames))):
            raise ValueError(f"track {self.id} has a hole or frames out of order")

    @property
    def span(self) -> Span:
        return Span(MediaTime(self.boxes[0].pts, self.time_base), MediaTime(self.boxes[-1].pts, self.time_base))

    @property
    def best(self) -> TrackBox:
        """The frame that shows it best: the surest detection, the larger among equals."""

        def area(b: TrackBox) -> float:
            x0, y0, x1, y1 = b.box_xyxy
            return (x1 - x0) * (y1 - y0)

        return max(self.boxes, key=lambda b: (b.origin is Origin.DETECTED, round(b.score, 3), area(b)))


def apart(one: BoxXYXY, other: BoxXYXY) -> float:
    """Distance of two boxes' middles in their mean size, which is the square root of an area."""
    sizes = [size_of(box) for box in (one, other)]
    away = math.hypot(one[0] + one[2] - other[0] - other[2], one[1] + one[3] - other[1] - other[3]) / 2
    return away / (sum(sizes) / 2)


def size_of(box_xyxy: BoxXYXY) -> float:
    """The square root of a box's area; never 0."""
    x0, y0, x1, y1 = box_xyxy
    return math.sqrt(max(1e-6, (x1 - x0) * (y1 - y0)))


class Playback:
    """Which tracks are there on a frame, asked for in frame order; keeps only those that are there now."""

    def __init__(
        self, tracks: Iterable[Track], before_frames: int = 0, after_frames: int = 0, scenes: Sequence[int] = ()
    ) -> None:
        """`scenes`: frames with which another scene begins, ascending: a track has nothing to do with another scene."""
        self._before, self._after, self._scenes = before_frames, after_frames, scenes
        self._coming = sorted(tracks, key=lambda t: (-t.boxes[0].frame, -t.id))
        self._now: list[Track] = []
        self._frame = -1

    def at(self, frame: int) -> list[Track]:
        """Tracks from `before_frames` ahead of their first box to `after_frames` past their last.

        Raises: ValueError when asked to go back.
        """
        if frame < self._frame:
            raise ValueError(f"frame {frame} was asked for after frame {self._frame}")
        self._frame = frame
        while self._coming and self._coming[-1].boxes[0].frame - self._before <= frame:
            self._now.append(self._coming.pop())
        self._now = [t for t in self._now if t.boxes[-1].frame + self._after >= frame]
        return [t for t in self._now if self._in_scene(t, frame)]

    def _in_scene(self, track: Track, frame: int) -> bool:
        nearest = min(max(frame, track.boxes[0].frame), track.boxes[-1].frame)
        return bisect_right(self._scenes, nearest) == bisect_right(self._scenes, frame)

"""Tracks of frames that were looked at, a few a second, become tracks of all frames: filled in between two looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from config.models import ModelTask
from detectors.rules import Rule
from evidence.doubt import Doubt
from evidence.track import Detections, Origin, Track, TrackBox

_LOWER, _LOWER_FACE = 0.7, 0.8
"""Of the score that starts a track: what is seen thirty times a second is seen at its best, and what is seen five times
hardly ever is. Of faces, lower still brings more that is none than faces."""
_LEAST_LOOKS = 2
_SURER, _AT_LEAST = 0.25, 0.25
"""By so much less sure one look must be than one frame among all, to make a track by itself; and its least score."""


def lowered(models: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """From which score a track starts, by model, where a few frames a second are looked at. `models`: as they are recorded
    (`detectors.load.described`)."""
    share = {ModelTask.FACES.value: _LOWER_FACE}
    return {model["name"]: share.get(model["task"], _LOWER) * model["threshold"] for model in models}


def adapted(rule: Rule) -> Rule:
    """A rule for looks instead of frames: two make a track, or a sure one."""
    return replace(rule, least_seen=_LEAST_LOOKS, sure=max(_AT_LEAST, rule.sure - _SURER))


class Filling:
    """Which frames of a video were looked at; what was counted in looks is told in frames.

    Shape: `looked_pts`, `frame_pts`: the times of the frames that were looked at, and of all, ascending.
    """

    def __init__(self, looked_pts: npt.NDArray[np.int64], frame_pts: npt.NDArray[np.int64]) -> None:
        self.frame_pts = frame_pts
        self._numbers = np.searchsorted(frame_pts, looked_pts)

    def frame(self, look: int) -> int:
        return int(self._numbers[look])

    def track(self, track: Track) -> Track:
        """With a box for every frame from its first look to its last: on the straight line between two, by time."""
        boxes: list[TrackBox] = []
        for one, other in pairwise(track.boxes):
            boxes += self._from(one, other)
        last = track.boxes[-1]
        return replace(track, boxes=(*boxes, replace(last, frame=self.frame(last.frame))))

    def _from(self, one: TrackBox, other: TrackBox) -> list[TrackBox]:
        """The first of the two, and those up to the other."""
        first, end = self.frame(one.frame), self.frame(other.frame)
        origin = Origin.TRACKED if Origin.TRACKED in (one.origin, other.origin) else Origin.INTERPOLATED
        a, b = np.array(one.box_xyxy), np.array(other.box_xyxy)
        frames = np.arange(first + 1, end)
        times = self.frame_pts[frames]
        places = (a + (b - a) * ((times - one.pts) / (other.pts - one.pts))[:, None]).round(2).tolist()
        score = min(one.score, other.score)
        between = [
            TrackBox(frame, pts, (x0, y0, x1, y1), score, origin)
            for frame, pts, (x0, y0, x1, y1) in zip(frames.tolist(), times.tolist(), places, strict=True)
        ]
        return [replace(one, frame=first), *between]

    def detections(self, seen: Detections) -> Detections:
        return replace(seen, frame=self._numbers[seen.frame] if len(seen) else seen.frame)

    def doubts(self, doubts: Sequence[Doubt]) -> list[Doubt]:
        return [replace(d, first_frame=self.frame(d.first_frame), last_frame=self.frame(d.last_frame)) for d in doubts]

"""Tracks of frames that were looked at, a few a second, become tracks of all frames: filled in between two looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from evidence.doubt import Doubt
from evidence.track import Detections, Origin, Track, TrackBox


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
        found = [replace(one, frame=first)]
        for frame in range(first + 1, end):
            pts = int(self.frame_pts[frame])
            x0, y0, x1, y1 = (a + (b - a) * ((pts - one.pts) / (other.pts - one.pts))).round(2).tolist()
            found.append(TrackBox(frame, pts, (x0, y0, x1, y1), min(one.score, other.score), origin))
        return found

    def detections(self, seen: Detections) -> Detections:
        return replace(seen, frame=self._numbers[seen.frame] if len(seen) else seen.frame)

    def doubts(self, doubts: Sequence[Doubt]) -> list[Doubt]:
        return [replace(d, first_frame=self.frame(d.first_frame), last_frame=self.frame(d.last_frame)) for d in doubts]

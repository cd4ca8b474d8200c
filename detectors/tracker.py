"""Detections over time become tracks: one thing, a box for every frame from first to last.

The whole video at once is the same follower (`detectors.follower`) fed frame by frame: so a pipeline that paints while
it reads, and TRACK, which has all segments' detections before it, come to the same tracks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from detectors.follower import Follower, Seen
from detectors.motion import Motion
from detectors.rules import Rule, as_written
from evidence.ports import Progress
from evidence.track import Detections, Track, TrackBox

_RATE = 30.0
"""Frames a second of a video with a single frame."""


class Gathered:
    """Everything that a follower gives, kept: for whoever needs whole tracks. Grows with the tracks."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._boxes: dict[int, list[TrackBox]] = {}
        self._tracks: list[Track] = []
        self.left_over: list[tuple[int, int]] = []
        """Of what belongs to no track: the frame with which it was given, and its row there."""

    def take(self) -> None:
        """What became final; call it now and then."""
        for _, given in self._follower.final():
            for number, _, box in given:
                self._boxes.setdefault(number, []).append(box)
        self.left_over += self._follower.left_over
        for over in self._follower.over():
            boxes = tuple(self._boxes.pop(over.number))
            self._tracks.append(Track(over.number, over.label, over.model, self._follower.time_base, boxes))

    def tracks(self) -> list[Track]:
        """Those that are over, numbered from 1 by their first frame."""
        return sorted(self._tracks, key=lambda track: track.id)


def follow(
    seen: Detections,
    frame_pts: npt.NDArray[np.int64],
    thresholds: Mapping[str, float],
    size_wh: tuple[int, int],
    progress: Progress = lambda done, total: None,  # noqa: ARG005 - the port's signature
    motions: Sequence[Motion] = (),
    adapted: Callable[[Rule], Rule] = as_written,
) -> tuple[list[Track], Detections]:
    """The tracks, numbered from 1 by their first frame, and the detections that belong to none.

    `thresholds` gives, by model, the score from which a detection starts a track; `motions` what each frame says about
    the one before (none: a still camera, no cuts); `adapted` what becomes of the rules. The same input gives the same
    tracks, however the video was cut into segments.

    Shape: `frame_pts`: the pts of every frame of the video, in order.
    Units: `size_wh`: pixels of the upright picture.
    """
    follower = Follower(thresholds, frames_per_second(frame_pts, seen.time_base), size_wh, seen.time_base, adapted)
    gathered = Gathered(follower)
    told = seen.frame + seen.ago
    order = np.argsort(told, kind="stable")
    starts = np.searchsorted(told[order], np.arange(len(frame_pts) + 1))
    rows_of = [order[a:b] for a, b in pairwise(starts)]
    for frame, (pts, rows) in enumerate(zip(frame_pts.tolist(), rows_of, strict=True)):
        motion = motions[frame] if motions else None
        label, model = ([column[row] for row in rows] for column in (seen.label, seen.model))
        here = Seen(seen.box_xyxy[rows], seen.score[rows], label, model, seen.ago[rows].tolist())
        shift, cut = (motion.shift(size_wh), motion.cut) if motion else (None, False)
        follower.add(pts, here, shift, cut)
        gathered.take()
        progress(frame, len(frame_pts))
    follower.end()
    gathered.take()
    return gathered.tracks(), _only(seen, sorted(int(rows_of[frame][row]) for frame, row in gathered.left_over))


def frames_per_second(frame_pts: npt.NDArray[np.int64], time_base: Fraction) -> float:
    """By the median of the steps from frame to frame."""
    steps = np.diff(frame_pts)
    return 1 / (float(np.median(steps)) * float(time_base)) if len(steps) else _RATE


def _only(seen: Detections, rows: Sequence[int]) -> Detections:
    return Detections(
        frame=seen.frame[rows],
        pts=seen.pts[rows],
        box_xyxy=seen.box_xyxy[rows],
        score=seen.score[rows],
        label=tuple(seen.label[row] for row in rows),
        model=tuple(seen.model[row] for row in rows),
        time_base=seen.time_base,
        ago=seen.ago[rows],
    )

"""Doubts as TRACK and SINGLE_PASS write them: what a follower left over, how sharp the frames were, and doubts.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.doubts import WATCHED, Video, doubts_about
from detectors.filled import Filling
from detectors.follower import Seen
from evidence.doubt import Doubt, frames_in
from evidence.track import Detections, Track

NAME = "doubts.json"


class LeftOver:
    """What was seen surely of the kinds that are hidden, and belongs to no track, kept while a video is read."""

    def __init__(self, thresholds: Mapping[str, float], look_ahead: int) -> None:
        """`look_ahead` of the follower: for so many frames it may still take what it was given."""
        self._thresholds, self._most = thresholds, look_ahead + 1
        self._seen: dict[int, Seen] = {}
        self._kept: list[tuple[int, Seen, int]] = []

    def fed(self, frame: int, seen: Seen) -> None:
        self._seen[frame] = seen
        self._seen.pop(frame - self._most, None)

    def take(self, left_over: Iterable[tuple[int, int]]) -> None:
        """`left_over` of the follower, after its newest frame."""
        for given, row in left_over:
            seen = self._seen[given]
            if seen.label[row] in WATCHED and seen.score[row] >= self._thresholds[seen.model[row]]:
                self._kept.append((given - (seen.ago[row] if seen.ago else 0), seen, row))

    def detections(self, frame_pts: Sequence[int], time_base: Fraction) -> Detections:
        kept = sorted(self._kept, key=lambda one: one[0])
        frame = np.array([one for one, _, _ in kept], np.int64)
        return Detections(
            frame=frame,
            pts=np.array(frame_pts, np.int64)[frame],
            box_xyxy=np.array([seen.box_xyxy[row] for _, seen, row in kept], np.float32).reshape(-1, 4),
            score=np.array([seen.score[row] for _, seen, row in kept], np.float32),
            label=tuple(seen.label[row] for _, seen, row in kept),
            model=tuple(seen.model[row] for _, seen, row in kept),
            time_base=time_base,
        )


def write_doubts(
    out: Path,
    tracks: Sequence[Track],
    left_over: Detections,
    video: Video,
    thresholds: Mapping[str, float],
    frame_pts: npt.NDArray[np.int64],
    filling: Filling | None = None,
) -> int:
    """doubts.json in `out` (`workers.tasks.track` says what is in it); how many there are.

    `filling`: where everything else is counted in looks, which frames those were.
    """
    doubts = doubts_about(tracks, left_over, video, thresholds)
    if filling is not None:
        doubts, frame_pts = filling.doubts(doubts), filling.frame_pts
        cuts = [filling.frame(cut) for cut in video.cuts]
        video = replace(video, frame_count=len(frame_pts), cuts=cuts)
    value = doubts_to_json(doubts, video, frame_pts, left_over.time_base)
    (out / NAME).write_text(json.dumps(value, indent=1), "utf-8")
    return len(doubts)


def doubts_to_json(
    doubts: Sequence[Doubt], video: Video, frame_pts: npt.NDArray[np.int64], time_base: Fraction
) -> dict[str, Any]:
    frames = frames_in(doubts)
    first = [doubt for doubt in doubts if doubt.reason.may_be_open]
    first_frames = frames_in(first)
    return {
        "frames": frames,
        "share": round(frames / video.frame_count, 4),
        "first": {"spans": len(first), "frames": first_frames, "share": round(first_frames / video.frame_count, 4)},
        "time_base": str(time_base),
        "cuts": list(video.cuts),
        "doubts": [
            {
                "rank": rank,
                "reason": doubt.reason.value,
                "label": doubt.label,
                "first_frame": doubt.first_frame,
                "last_frame": doubt.last_frame,
                "start_pts": int(frame_pts[doubt.first_frame]),
                "end_pts": int(frame_pts[doubt.last_frame]),
                "tracks": list(doubt.tracks),
            }
            for rank, doubt in enumerate(doubts, 1)
        ],
    }

"""Where what was seen stands in the picture, about once a second: the points that are worth placing on the ground."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evidence.track import Track

_OFF_THE_GROUND = frozenset({"face", "head", "licence plate"})
"""The lower edge of these is not where anything stands."""
_EDGE_PX = 2


@dataclass(frozen=True, slots=True)
class Feet:
    """The middle of the lower edge of boxes, in the order of their time.

    Shape: `track`, `at_us`: (m,); `points_xy`: (m, 2). Units: microseconds since the first frame; pixels of the upright
        picture.
    """

    track: npt.NDArray[np.int64]
    at_us: npt.NDArray[np.int64]
    points_xy: npt.NDArray[np.float64]


def feet(tracks: Iterable[Track], size_wh: tuple[int, int], first_pts: int, every_s: float = 1.0) -> Feet:
    """One point a track and second; none where the picture's edge cuts the feet off."""
    rows: list[tuple[int, int, float, float]] = []
    for track in tracks:
        if track.label in _OFF_THE_GROUND:
            continue
        taken = None
        for box in track.boxes:
            at_us = round((box.pts - first_pts) * track.time_base * 1_000_000)
            moment = int(at_us // (every_s * 1e6))
            x0, _, x1, y1 = box.box_xyxy
            if moment == taken or y1 >= size_wh[1] - _EDGE_PX:
                continue
            taken = moment
            rows.append((at_us, track.id, (x0 + x1) / 2, y1))
    rows.sort()
    numbers = np.array(rows, np.float64).reshape(-1, 4)
    return Feet(numbers[:, 1].astype(np.int64), numbers[:, 0].astype(np.int64), numbers[:, 2:])

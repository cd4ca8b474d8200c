"""Which of the things that are followed a sighting is of: by overlap, and for what moves fast by nearness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from detectors.boxes import overlaps
from detectors.path import Path, Sighting

NEXT_FRAMES = 3
"""So soon a thing may be found further away: a fast one leaves its own box behind."""
_LIKE_SIZE = 1.6
"""Two sightings of one thing that lie apart differ in size by this factor at most."""


def by_overlap(
    paths: Sequence[Path], sightings: Sequence[Sighting], frame: int, least: float
) -> list[tuple[Path, Sighting]]:
    """The pairs that overlap most in sum."""
    if not paths or not sightings:
        return []
    overlap = overlaps(np.array([path.thought_at(frame) for path in paths]), places(sightings))
    for i, path in enumerate(paths):
        if frame - path.last.frame > NEXT_FRAMES:
            overlap[i, [not like(path.last, s) for s in sightings]] = 0
    likely = overlap * np.sqrt([s.score for s in sightings])
    rows, columns = linear_sum_assignment(likely, maximize=True)
    return [(paths[i], sightings[j]) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if overlap[i, j] >= least]


def places(sightings: Sequence[Sighting]) -> npt.NDArray[np.float64]:
    return np.array([s.place for s in sightings]).reshape(-1, 4)


def away_from(path: Path, sighting: Sighting, gap: int) -> float | None:
    """How far a sighting lies from where the path was thought or last seen, in box sizes; None: too far, or another size."""
    if not like(path.last, sighting):
        return None
    centre = (sighting.place[:2] + sighting.place[2:]) / 2
    away = min(
        float(np.hypot(*((place[:2] + place[2:]) / 2 - centre)))
        for place in (path.thought_at(sighting.frame), path.last.place)
    ) / ((path.last.size + sighting.size) / 2)
    return away if away <= path.rule.join_distance * (1 + gap if gap <= NEXT_FRAMES else 1) else None


def away_back_from(path: Path, sighting: Sighting) -> float | None:
    """As `away_from`, for a sighting on the frame before its first."""
    if not like(path.first, sighting):
        return None
    centre = (sighting.place[:2] + sighting.place[2:]) / 2
    away = min(
        float(np.hypot(*((place[:2] + place[2:]) / 2 - centre)))
        for place in (path.thought_at(sighting.frame), path.first.place)
    ) / ((path.first.size + sighting.size) / 2)
    return away if away <= path.rule.join_distance * 2 else None


def like(one: Sighting, other: Sighting) -> bool:
    """Whether they are of about one size."""
    return max(one.size, other.size) <= _LIKE_SIZE * min(one.size, other.size)


def one_each(fits: list[tuple[int, float, int, int]]) -> list[tuple[int, int]]:
    """The best fits first, each side at most once."""
    pairs: list[tuple[int, int]] = []
    for _, _, i, j in sorted(fits):
        if all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
    return pairs

"""Which of the things that are followed a sighting is of: by overlap, and for what moves fast by nearness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

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
    return [(paths[i], sightings[j]) for i, j in best_pairs(likely) if overlap[i, j] >= least]


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


def best_pairs(worth: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Row and column of each pair, so that the pairs are worth most in sum; each row and column at most once.

    Done here, as SciPy, which has it too, takes 42 MB and a quarter of a second to load. Most rows just get what is worth
    most to them; each of the others takes the way of swaps that costs least, found as shortest ways are.
    Shape: `worth`: (rows, columns), nothing negative; what is worth nothing is no pair.
    """
    some = np.flatnonzero(worth.any(axis=1))
    rows, columns = len(some), worth.shape[1]
    # To the right, what costs nothing and is no pair: so that each row finds something.
    cost = np.hstack([-worth[some], np.zeros((rows, rows))])
    of_row, of_column = cost.min(axis=1), np.zeros(columns + rows)
    """How much of a cost each side bears: together never more than it is, and all of it where there is a pair."""
    owner: dict[int, int] = {}
    for row, column in enumerate(cost.argmin(axis=1).tolist()):
        owner.setdefault(column, row)
    for row in sorted(set(range(rows)) - set(owner.values())):
        _swap_in(row, cost, of_row, of_column, owner)
    pairs = ((int(some[row]), column) for column, row in owner.items() if column < columns)
    return sorted(pair for pair in pairs if worth[pair] > 0)


def _swap_in(
    row: int,
    cost: npt.NDArray[np.float64],
    of_row: npt.NDArray[np.float64],
    of_column: npt.NDArray[np.float64],
    owner: dict[int, int],
) -> None:
    """Find a column for `row`, moving others on where that costs least; what each side bears, and `owner`, change."""
    way = np.full(len(of_column), np.inf)
    before = np.full(len(of_column), -1)
    passed: list[int] = []
    at, so_far = row, 0.0
    while True:
        over = so_far + cost[at] - of_row[at] - of_column
        over[passed] = np.inf
        shorter = over < way
        way[shorter], before[shorter] = over[shorter], at
        left = way.copy()
        left[passed] = np.inf
        column = int(left.argmin())
        so_far = float(way[column])
        if column not in owner:
            break
        passed.append(column)
        at = owner[column]
    of_row[row] += so_far
    for other in passed:
        of_row[owner[other]] += so_far - way[other]
        of_column[other] -= so_far - way[other]
    while column >= 0:
        taker = int(before[column])
        given_up = next((c for c, r in owner.items() if r == taker), -1)
        owner[column] = taker
        column = given_up

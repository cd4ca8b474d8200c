"""The exact test: which seconds cover a shape, how well they show it, and the spans that they join into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from evidence.exhibit import ExhibitId
from evidence.places import By, Shape, Sighting
from evidence.telemetry import CERTAINTIES, NO_TIME, Certainty
from storage.blocks import corners_of, ground, positions

_MOST_WEIGHED = 2_000
"""Of more seconds than that every second or third … is weighed, and speaks for its neighbours."""
_LONGEST_HOLE = 2
"""Seconds: one second without a fix does not part two spans."""
_FOOTPRINT, _POSITION = 1, 0
_ESTIMATED_IS_WORTH = 0.5
_CERTAINTY_NUMBER = {certainty: number for number, certainty in enumerate(CERTAINTIES)}


@dataclass(frozen=True, slots=True)
class Seconds:
    """Seconds that cover a shape. Shape: (k,) each. Units: `quality` 0 to 1; `by` 1 for a footprint, 0 for a position."""

    row: npt.NDArray[np.int64]
    by: npt.NDArray[np.int8]
    certainty: npt.NDArray[np.uint8]
    quality: npt.NDArray[np.float64]

    def of(self, some: npt.NDArray[Any]) -> Seconds:
        return Seconds(self.row[some], self.by[some], self.certainty[some], self.quality[some])


def drawn(shape: Shape) -> BaseGeometry:
    """The shape for shapely, longitude first; a ring that crosses itself is taken as the areas that it goes around."""
    return shapely.make_valid(shapely.Polygon(shape.ring_lonlat))


def covering(seconds: npt.NDArray[np.void], shape: BaseGeometry) -> Seconds:
    """The records, of any blocks, whose footprint touches the shape, and of the others those whose position lies in it."""
    around = _on_all_turns(shape)
    shapely.prepare(around)
    ground_rows, corners = corners_of(seconds, shape.bounds)
    # Where a corner lies in it, the ground touches it: only of the rest the ground itself is needed.
    seen = shapely.intersects_xy(around, corners[..., 0], corners[..., 1]).any(1)
    seen[~seen] = shapely.intersects(around, ground(corners[~seen]))
    point_rows, latlon = positions(seconds)
    there = shapely.intersects_xy(around, latlon[:, 1], latlon[:, 0])
    by_ground = ground_rows[seen]
    by_point = np.setdiff1d(point_rows[there], by_ground)
    quality = _quality(seconds[by_ground], corners[seen], around)
    certainty = seconds["seen_by"][by_ground]
    quality[certainty == _CERTAINTY_NUMBER[Certainty.ESTIMATED]] *= _ESTIMATED_IS_WORTH
    rows = np.concatenate([by_ground, by_point])
    order = np.argsort(rows, kind="stable")
    by = np.concatenate([np.full(len(by_ground), _FOOTPRINT, np.int8), np.full(len(by_point), _POSITION, np.int8)])
    worth = np.concatenate([certainty, seconds["placed_by"][by_point]])
    return Seconds(rows[order], by[order], worth[order], np.concatenate([quality, np.zeros(len(by_point))])[order])


def spans(
    exhibit_id: ExhibitId,
    at_us: npt.NDArray[np.int64],
    found: Seconds,
    utc_us: npt.NDArray[np.int64],
    error_s: npt.NDArray[np.float64],
) -> list[Sighting]:
    """Seconds of one exhibit, of all its sources, joined into spans of one kind and certainty; the best of a second counts.

    Shape: all (k,), row i of each belongs together, in any order.
    """
    second = at_us // 1_000_000
    order = np.lexsort((-found.quality, -found.by, second))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(second[order]) > 0
    order = order[first]
    by, certainty = found.by[order], found.certainty[order]
    parted = (np.diff(second[order]) > _LONGEST_HOLE) | (np.diff(by) != 0) | (np.diff(certainty.astype(int)) != 0)
    pieces = np.split(order, np.flatnonzero(parted) + 1) if len(order) else []
    return [_sighting(exhibit_id, rows, at_us, found, utc_us, error_s) for rows in pieces]


def best_first(sightings: Sequence[Sighting]) -> list[Sighting]:
    """What shows the place best first, mere positions after all footprints, the longer of equals first."""
    return sorted(sightings, key=lambda s: (s.by is By.POSITION, -s.quality, s.from_s - s.to_s, s.exhibit_id, s.from_s))


def _sighting(
    exhibit_id: ExhibitId,
    rows: npt.NDArray[np.int64],
    at_us: npt.NDArray[np.int64],
    found: Seconds,
    utc_us: npt.NDArray[np.int64],
    error_s: npt.NDArray[np.float64],
) -> Sighting:
    start, end, best = rows[0], rows[-1], rows[np.argmax(found.quality[rows])]
    dated = utc_us[start] != NO_TIME and utc_us[end] != NO_TIME
    certainty = CERTAINTIES[int(found.certainty[start])]
    return Sighting(
        exhibit_id=exhibit_id,
        from_s=float(at_us[start] / 1e6),
        to_s=float(at_us[end] / 1e6),
        best_s=float(at_us[best] / 1e6),
        by=By.FOOTPRINT if found.by[start] == _FOOTPRINT else By.POSITION,
        certainty=certainty or Certainty.ESTIMATED,
        quality=round(float(found.quality[best]), 4),
        utc_from=_moment(utc_us[start]) if dated else None,
        utc_to=_moment(utc_us[end]) if dated else None,
        utc_error_s=round(float(max(error_s[start], error_s[end])), 3) if dated else None,
    )


def _moment(utc_us: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(utc_us))


def _on_all_turns(shape: BaseGeometry) -> BaseGeometry:
    """Places are written from -180 to 180 degrees or a little beyond; the shape too: so it stands there thrice."""
    turns = [shapely.transform(shape, lambda xy, by=turn: xy + np.array([by, 0.0])) for turn in (-360.0, 0.0, 360.0)]
    return shapely.unary_union(turns)


def _quality(
    seconds: npt.NDArray[np.void], corners: npt.NDArray[np.float64], around: BaseGeometry
) -> npt.NDArray[np.float64]:
    """How well each footprint shows the shape: √(share of the picture × share of the shape) × nearness to the middle.

    Source: ours; the ground's scale is taken as even over the footprint, so that far corners count for a little too much.
    """
    if not len(corners):
        return np.empty(0)
    step = -(-len(corners) // _MOST_WEIGHED)
    some = ground(corners[::step])
    common = some.copy()
    partly = ~shapely.contains(around, some)
    common[partly] = shapely.intersection(some[partly], around)
    whole = shapely.area(around) / 3
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(np.nan_to_num(shapely.area(common) / shapely.area(some)), 0, 1)
        of_shape = np.clip(shapely.area(common) / whole if whole else np.ones(len(some)), 0, 1)
    middle = shapely.get_coordinates(shapely.centroid(common)) if len(common) else np.empty((0, 2))
    quality = np.sqrt(share * of_shape) * (1 - 0.5 * _off_middle(seconds[::step], middle))
    return np.repeat(quality, step)[: len(corners)]


def _off_middle(seconds: npt.NDArray[np.void], lonlat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far from the picture's middle a place on the ground appears: 0 there, 1 in a corner.

    Source: P. Heckbert, Fundamentals of Texture Mapping and Image Warping (1989), 2.2.3: the projective mapping of the
        unit square onto a quadrilateral, here undone.
    """
    corners = seconds["corners"].astype(np.float64)[..., ::-1] / 1e7
    corners = (corners - corners[:, :1] + 180) % 360 - 180
    x, y = corners[..., 0].T, corners[..., 1].T
    first = seconds["corners"][:, 0, ::-1] / 1e7
    place = (lonlat - first + 180) % 360 - 180
    with np.errstate(divide="ignore", invalid="ignore"):
        sum_x, sum_y = x[0] - x[1] + x[2] - x[3], y[0] - y[1] + y[2] - y[3]
        ax, bx, ay, by = x[1] - x[2], x[3] - x[2], y[1] - y[2], y[3] - y[2]
        whole = ax * by - bx * ay
        g, h = (sum_x * by - bx * sum_y) / whole, (ax * sum_y - sum_x * ay) / whole
        # u and v solve two linear equations: of what x and y are in terms of them.
        a, b = x[1] - x[0] + g * (x[1] - place[:, 0]), x[3] - x[0] + h * (x[3] - place[:, 0])
        c, d = y[1] - y[0] + g * (y[1] - place[:, 1]), y[3] - y[0] + h * (y[3] - place[:, 1])
        px, py = place[:, 0] - x[0], place[:, 1] - y[0]
        turn = a * d - b * c
        u, v = (px * d - b * py) / turn, (a * py - px * c) / turn
        away = np.hypot(2 * u - 1, 2 * v - 1) / np.sqrt(2)
    return np.where(np.isfinite(away), np.clip(away, 0, 1), 1.0)

"""The exact test: which seconds cover a shape, and how well they show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from evidence.places import Shape
from storage.blocks import corners_of, ground, positions, touches_on_a_turn
from storage.quality import in_picture, worth_of
from storage.stretches import FOOTPRINT, POSITION

_TURNS = (-360.0, 0.0, 360.0)
_APART_US = 2_500_000


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


def covering(seconds: npt.NDArray[np.void], shape: BaseGeometry, every: int = 1) -> Seconds:
    """The records, of any blocks, whose footprint touches the shape, and of the others those whose position lies in it.

    One second of `every` so many is weighed, and speaks for those that follow it.
    """
    around = _on_all_turns(shape)
    shapely.prepare(around)
    ground_rows, corners = corners_of(seconds, shape.bounds)
    seen = _seen(corners, shape, around)
    by_ground = ground_rows[seen]
    by_point = _there(seconds, by_ground, shape, around)
    quality = _quality(seconds[by_ground], corners[seen], shape, around, every)
    rows = np.concatenate([by_ground, by_point])
    order = np.argsort(rows, kind="stable")
    by = np.concatenate([np.full(len(by_ground), FOOTPRINT, np.int8), np.full(len(by_point), POSITION, np.int8)])
    worth = np.concatenate([seconds["seen_by"][by_ground], seconds["placed_by"][by_point]])
    return Seconds(rows[order], by[order], worth[order], np.concatenate([quality, np.zeros(len(by_point))])[order])


def _seen(corners: npt.NDArray[np.float64], shape: BaseGeometry, around: BaseGeometry) -> npt.NDArray[np.bool_]:
    """Which pieces of ground touch the shape: where a corner lies in it, the ground itself is not needed."""
    if _is_box(shape):
        west, south, east, north = shape.bounds
        lon, lat = corners[..., 0], corners[..., 1]
        inside = np.logical_or.reduce([(lon >= west + turn) & (lon <= east + turn) for turn in _TURNS])
        seen = (inside & (lat >= south) & (lat <= north)).any(1)
    else:
        seen = shapely.intersects_xy(around, corners[..., 0], corners[..., 1]).any(1)
    rest = np.flatnonzero(~seen)
    seen[rest] = shapely.intersects(around, ground(corners[rest]))
    return np.asarray(seen)


def _there(
    seconds: npt.NDArray[np.void], seen: npt.NDArray[np.int64], shape: BaseGeometry, around: BaseGeometry
) -> npt.NDArray[np.int64]:
    """The rows of which only the position lies in the shape."""
    unseen = np.ones(len(seconds), bool)
    unseen[seen] = False
    rows = np.flatnonzero(unseen)
    point_rows, latlon = positions(seconds[rows])
    lonlat = latlon[:, ::-1]
    there = np.flatnonzero(touches_on_a_turn(lonlat, lonlat, shape.bounds))
    return np.asarray(rows[point_rows[there[shapely.intersects_xy(around, lonlat[there, 0], lonlat[there, 1])]]])


def _on_all_turns(shape: BaseGeometry) -> BaseGeometry:
    """Places are written from -180 to 180 degrees or a little beyond; the shape too: so it stands there thrice."""
    turns = [shapely.transform(shape, lambda xy, by=turn: xy + np.array([by, 0.0])) for turn in _TURNS]
    return shapely.unary_union(turns)


def _quality(
    seconds: npt.NDArray[np.void],
    corners: npt.NDArray[np.float64],
    shape: BaseGeometry,
    around: BaseGeometry,
    every: int,
) -> npt.NDArray[np.float64]:
    """How well each footprint shows the shape: √(share of the picture × share of the shape) × nearness to the middle.

    Source: ours; the ground's scale is taken as even over the footprint, so that far corners count for a little too much.
    """
    if not len(corners):
        return np.empty(0)
    weighed = _weighed(seconds["at_us"], every)
    some, common = _in_common(corners[weighed], shape, around)
    area, whole = shapely.area(common), shapely.area(shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(np.nan_to_num(area / shapely.area(some)), 0, 1)
        of_shape = np.clip(area / whole if whole else np.ones(len(some)), 0, 1)
    middle = shapely.centroid(common)
    nearness = in_picture(seconds[weighed], np.stack([shapely.get_x(middle), shapely.get_y(middle)], -1))
    quality = np.sqrt(share * of_shape) * nearness * worth_of(seconds["seen_by"][weighed])
    return np.asarray(quality[np.cumsum(weighed) - 1])


def _in_common(
    corners: npt.NDArray[np.float64], shape: BaseGeometry, around: BaseGeometry
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Pieces of ground, and what each has in common with the shape: a box on the map cuts far faster than other shapes."""
    if _is_box(shape):
        west, south, east, north = shape.bounds
        turn = 360 * np.round((corners[:, :1, :1] - (west + east) / 2) / 360)
        some = ground(corners - turn * [1, 0])
        return some, shapely.clip_by_rect(some, west, south, east, north)
    some = ground(corners)
    common = some.copy()
    partly = ~shapely.contains(around, some)
    common[partly] = shapely.intersection(some[partly], around)
    return some, common


def _is_box(shape: BaseGeometry) -> bool:
    return bool(shape.equals(shapely.box(*shape.bounds)))


def _weighed(at_us: npt.NDArray[np.int64], every: int) -> npt.NDArray[np.bool_]:
    """Which ones: the same whatever else is asked for, and the first of all that follow one another."""
    chosen = (at_us // 1_000_000) % every == 0
    apart = np.diff(at_us)
    chosen[0] = True
    chosen[1:] |= (apart < 0) | (apart > _APART_US)
    return np.asarray(chosen)

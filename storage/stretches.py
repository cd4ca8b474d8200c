"""Stretches: seconds in a row that are found in the same way, with what they have in common, as the database holds them.

A shape that holds all of a stretch needs none of its seconds: one that it doesn't touch neither. One record a stretch,
little-endian, 68 bytes; those of a minute lie beside its seconds (`storage.blocks`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from evidence.telemetry import NO_TIME
from storage.blocks import NOWHERE, PER_DEG, corners_of, ground, positions, touches
from storage.quality import in_picture, worth_of

STRETCH = np.dtype(
    [
        ("from_us", "<i8"),
        ("to_us", "<i8"),
        ("best_us", "<i8"),
        ("clock_from_us", "<i8"),
        ("clock_to_us", "<i8"),
        ("low", "<i4", (2,)),
        ("high", "<i4", (2,)),
        ("weight", "<f4"),
        ("most", "<f4"),
        ("by", "u1"),
        ("certainty", "u1"),
        ("spare", "<u2"),
    ]
)
"""`low`, `high`: around positions and footprints, latitude first, in the units of blocks, `NOWHERE` where that is no small
area; `weight`: over the root of a shape's area in square degrees, the quality of the best second, if the shape holds all;
`most`: the same, at most, whatever of the stretch a shape holds; `by`: 1 for a footprint, 0 for a position."""

FOOTPRINT, POSITION = 1, 0
LONGEST_HOLE = 2
"""Seconds: one second without a fix does not part two spans."""
_WIDEST_DEG = 10.0
_LEAP_US = 1_500_000
"""By so much more, or less, than the time that went by a clock leapt."""


def stretches_of(seconds: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Of the records of one source and minute, sorted by time, those that can be found."""
    ground_rows, corners = corners_of(seconds)
    point_rows, camera = positions(seconds)
    n = len(seconds)
    low, high, by = np.full((n, 2), np.nan), np.full((n, 2), np.nan), np.full(n, -1)
    low[point_rows] = high[point_rows] = camera
    by[point_rows], by[ground_rows] = POSITION, FOOTPRINT
    if len(ground_rows):
        seen_low, seen_high = corners.min(1)[:, ::-1], corners.max(1)[:, ::-1]
        turn = 360 * np.nan_to_num(np.round((seen_low[:, 1] - low[ground_rows, 1]) / 360))
        low[ground_rows, 1] += turn
        high[ground_rows, 1] += turn
        low[ground_rows] = np.fmin(low[ground_rows], seen_low)
        high[ground_rows] = np.fmax(high[ground_rows], seen_high)
    rows = np.flatnonzero(by >= 0)
    weight, most = np.zeros(n), np.zeros(n)
    weight[ground_rows], most[ground_rows] = _weights(seconds[ground_rows], corners)
    worth = np.where(by == FOOTPRINT, seconds["seen_by"], seconds["placed_by"])
    return _joined(seconds[rows], by[rows], worth[rows], low[rows], high[rows], weight[rows], most[rows])


def _joined(
    seconds: npt.NDArray[np.void],
    by: npt.NDArray[np.int64],
    worth: npt.NDArray[np.uint8],
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    most: npt.NDArray[np.float64],
) -> npt.NDArray[np.void]:
    at_us, clock_us = seconds["at_us"], seconds["clock_us"]
    second = at_us // 1_000_000
    leapt = np.abs(np.diff(clock_us - at_us)) > _LEAP_US
    none = clock_us == NO_TIME
    leapt = np.where(none[1:] | none[:-1], none[1:] != none[:-1], leapt)
    parted = (np.diff(second) > LONGEST_HOLE) | (np.diff(by) != 0) | (np.diff(worth.astype(int)) != 0) | leapt
    starts = np.concatenate([[0], np.flatnonzero(parted) + 1]) if len(seconds) else np.empty(0, int)
    ends = np.concatenate([starts[1:], [len(seconds)]]) if len(seconds) else starts
    made = np.zeros(len(starts), STRETCH)
    for row, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        best = start + int(np.argmax(weight[start:end]))
        made[row] = (
            *(at_us[start], at_us[end - 1], at_us[best], clock_us[start], clock_us[end - 1]),
            *_around(low[start:end], high[start:end]),
            *(weight[best], most[start:end].max(), by[start], worth[start], 0),
        )
    return made


def _around(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    turn = 360 * np.round((low[:, 1] - low[0, 1]) / 360)
    south, west = low[:, 0].min(), (low[:, 1] - turn).min()
    north, east = high[:, 0].max(), (high[:, 1] - turn).max()
    whole = 360 * round((west + east) / 720)
    if max(east - west, north - south) > _WIDEST_DEG:
        return np.full(2, NOWHERE), np.full(2, NOWHERE)
    units = np.array([[south, west - whole], [north, east - whole]]) * PER_DEG
    return np.round(units[0]).astype(np.int64), np.round(units[1]).astype(np.int64)


def _weights(
    seconds: npt.NDArray[np.void], corners: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if not len(corners):
        return np.empty(0), np.empty(0)
    seen = ground(corners)
    root = np.sqrt(shapely.area(seen)) * worth_of(seconds["seen_by"])
    return root * in_picture(seconds, shapely.get_coordinates(shapely.centroid(seen))), root


def nearby(stretches: npt.NDArray[np.void], shape: BaseGeometry) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which stretches may have something in the shape, and which of them lie in it with all that they have."""
    low, high = (stretches[name].astype(np.float64) / PER_DEG for name in ("low", "high"))
    unknown = stretches["low"][:, 0] == NOWHERE
    west, south, east, north = shape.bounds
    near, inside = unknown.copy(), np.zeros(len(low), bool)
    upright = shape.equals(shapely.box(*shape.bounds))
    shapely.prepare(shape)
    for turn in (-360.0, 0.0, 360.0):
        near |= touches(low[:, ::-1], high[:, ::-1], (west + turn, south, east + turn, north))
        held = ~unknown & (low[:, 0] >= south) & (high[:, 0] <= north)
        held &= (low[:, 1] - turn >= west) & (high[:, 1] - turn <= east)
        if not upright:
            rows = np.flatnonzero(held)
            boxes = shapely.box(low[rows, 1] - turn, low[rows, 0], high[rows, 1] - turn, high[rows, 0])
            held[rows] = shapely.covers(shape, boxes)
        inside |= held
    return near, inside


def held(stretches: npt.NDArray[np.void], shape: BaseGeometry) -> npt.NDArray[np.float64]:
    """The quality of each stretch's best second, where the shape holds all of it."""
    return _over(stretches["weight"], shape)


def at_most(stretches: npt.NDArray[np.void], shape: BaseGeometry) -> npt.NDArray[np.float64]:
    """What none of its seconds can show better of the shape: none has more of it than the box around them all."""
    most = _over(stretches["most"], shape)
    low, high = (stretches[name].astype(np.float64) / PER_DEG for name in ("low", "high"))
    west, south, east, north = shape.bounds
    turn = 360 * np.round(((low[:, 1] + high[:, 1]) - (west + east)) / 720)
    sides = [
        np.minimum(high[:, 0], north) - np.maximum(low[:, 0], south),
        np.minimum(high[:, 1] - turn, east) - np.maximum(low[:, 1] - turn, west),
    ]
    shared = np.prod(np.clip(sides, 0, None), axis=0)
    known = (stretches["low"][:, 0] != NOWHERE) & (shared > 0) & (east - west < 180)
    return np.asarray(np.where(known, np.minimum(most, _over(np.sqrt(shared), shape)), most))


def _over(root: npt.NDArray[np.floating[Any]], shape: BaseGeometry) -> npt.NDArray[np.float64]:
    """A quality, of the root of an area."""
    whole = shapely.area(shape)
    return np.asarray(np.clip(root / np.sqrt(whole), 0, 1) if whole else np.sign(root), np.float64)

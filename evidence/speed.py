"""How fast, and which way, something on the ground moved: from two places of one track.

What is wrong with the camera's place, height, angles and view is nearly the same at both, a moment apart: of it only that
part counts by which it moves them differently, and a tenth that is taken to change from moment to moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evidence import earth
from evidence.geo import HOLDS_95, at_moments, locate, of_picture, spread, whole
from evidence.sight import rounding_m
from evidence.telemetry import Quantity, Telemetry

Floats = npt.NDArray[np.float64]

CHANGES_SHARE = 0.1
"""Which part of the camera's errors changes from one moment to the next, as a share of each standard deviation."""
SIDES_95 = 1.96
"""Half of what holds 95 % of a normal distribution, in standard deviations."""
_FOOT = 7
_REACH_US = 1_250_000
"""Before and after a point: points come about once a second."""
_SHORTEST_S = 0.8


@dataclass(frozen=True, slots=True)
class Motion:
    """Shape: (m,) each, row by row what was asked for; NaN where it can't be said.

    Units: metres a second; degrees clockwise from north. Errors hold 95 times of 100. No heading where it may as well stand.
    """

    speed_mps: Floats
    speed_error_mps: Floats
    heading_deg: Floats
    heading_error_deg: Floats


def motion(
    telemetry: Telemetry,
    size_wh: tuple[int, int],
    track: npt.NDArray[np.int64],
    elapsed_us: npt.NDArray[np.int64],
    points_xy: Floats,
) -> Motion:
    """Speed and heading of each track at each of its points, from those within a second or so before and after it.

    Shape: `track`, `elapsed_us`: (m,); `points_xy`: (m, 2), in any order.
    Source: first-order propagation with correlated inputs (JCGM 100:2008, 5.2): what both ends share enters as the
        difference of its effects.
    """
    order = np.lexsort((elapsed_us, track))
    found = Motion(*np.full((4, len(order)), np.nan))
    if not len(order):
        return found
    whose, at, points_xy = track[order], elapsed_us[order], points_xy[order]
    places = locate(telemetry, size_wh, at, points_xy).latlon_deg
    moves = spread(at_moments(telemetry, size_wh, at), of_picture(points_xy, size_wh))
    before, after = _ends(whose, at, whole(places) & whole(moves))
    span_s = (at[after] - at[before]) / 1e6
    span_s[span_s < _SHORTEST_S] = np.nan
    way = earth.offset_m(places[before], places[after]) / span_s[:, None]
    coarse = rounding_m(np.stack([telemetry.column(Quantity.LATITUDE), telemetry.column(Quantity.LONGITUDE)], -1))
    covariance = _apart(moves[before], moves[after], coarse) / span_s[:, None, None] ** 2
    speed = np.linalg.norm(way, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        along = way / speed[:, None]
        across = np.stack([along[:, 1], -along[:, 0]], -1)
        error, beside = (np.sqrt(np.einsum("ni,nij,nj->n", axis, covariance, axis)) for axis in (along, across))
        stands = ~(speed > HOLDS_95 * np.maximum(error, beside))
        turned = np.degrees(np.arctan(SIDES_95 * beside / speed))
    heading = np.degrees(np.arctan2(way[:, 0], way[:, 1])) % 360
    heading[stands], turned[stands] = np.nan, np.nan
    for column, values in zip(
        (found.speed_mps, found.speed_error_mps, found.heading_deg, found.heading_error_deg),
        (speed, SIDES_95 * error, heading, turned),
        strict=True,
    ):
        column[order] = values
    return found


def _ends(
    track: npt.NDArray[np.int64], at_us: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The first and the last known row of the same track within reach of each row; the row itself where there is none."""
    row = np.arange(len(at_us))
    before, after = row.copy(), row.copy()
    starts = np.flatnonzero(np.r_[True, np.diff(track) != 0])
    for start, end in zip(starts, [*starts[1:], len(track)], strict=True):
        own = start + np.flatnonzero(known[start:end])
        if len(own):
            here = np.searchsorted(at_us[own], at_us[own] - _REACH_US, "left")
            there = np.searchsorted(at_us[own], at_us[own] + _REACH_US, "right") - 1
            before[own], after[own] = own[here], own[there]
    return before, after


def _apart(before: Floats, after: Floats, coarse_m: float) -> Floats:
    """Covariance of the way between two places. Shape: (n, 9, 2) twice to (n, 2, 2)."""
    shared = after[:, :_FOOT] - before[:, :_FOOT]
    own = np.concatenate([end[:, :_FOOT] * CHANGES_SHARE for end in (before, after)], 1)
    feet = np.concatenate([end[:, _FOOT:] for end in (before, after)], 1)
    every = np.concatenate([shared, own, feet], 1)
    return np.asarray(np.einsum("nki,nkj->nij", every, every) + 2 * coarse_m**2 * np.eye(2))

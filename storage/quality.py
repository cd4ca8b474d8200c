"""How well a second shows a place: by where in the picture it is, and by what its place is worth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evidence.telemetry import CERTAINTIES, Certainty

_ESTIMATED_IS_WORTH = 0.5
_ESTIMATED = CERTAINTIES.index(Certainty.ESTIMATED)


def worth_of(certainty: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """What a quality is multiplied with: half for what is estimated."""
    return np.where(certainty == _ESTIMATED, _ESTIMATED_IS_WORTH, 1.0)


def in_picture(seconds: npt.NDArray[np.void], lonlat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What a place counts for by where it is in the picture: 1 in the middle, half in a corner."""
    return np.asarray(1 - 0.5 * _off_middle(seconds, lonlat))


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

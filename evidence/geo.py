"""What a camera saw of the ground, and where a detection stood: each with its error, or why there is none.

Every error here is meant to hold 95 times of 100: an ellipse contains the true place, a length is the longest half axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evidence import earth
from evidence.sampling import sampled as sampled
from evidence.sight import Sight, sight
from evidence.telemetry import Certainty, Quantity, Telemetry

Floats = npt.NDArray[np.float64]

GRAZING_DEG = 5.0
"""A ray that dips less is not placed: half a degree more or less is a tenth of its distance, and any hedge is in its way."""
REACH = 1 / np.tan(np.radians(GRAZING_DEG))
"""How far such a ray comes, in heights: 11.4."""
HOLDS_95 = 2.4477
"""Half axes of the ellipse that holds 95 % of a two-dimensional normal distribution, in standard deviations: √(χ²₂(.95))."""
FOOT_SHARE = 0.01
"""How well the foot of a detection is known, as one standard deviation: a share of half the picture's height."""
CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
MIDDLE = np.array([0.0, 0.0])

_SINE = np.sin(np.radians(GRAZING_DEG))
_CORNER_COLUMNS = tuple((Quantity(f"corner_{k}_latitude_deg"), Quantity(f"corner_{k}_longitude_deg")) for k in (1, 2, 3, 4))


@dataclass(frozen=True, slots=True)
class Footprints:
    """The ground in the picture at each fix.

    Shape: `elapsed_us`, `error_m`: (n,); `centre_deg`, `camera_deg`: (n, 2) latitude, longitude; `corners_deg`: (n, 4, 2),
        clockwise from the picture's upper left. NaN where there is none.
    Units: `error_m`: metres within which the middle of the picture is known, 95 times of 100 (where the middle can't be
        placed: the middle of the lower edge).
    """

    elapsed_us: npt.NDArray[np.int64]
    centre_deg: Floats
    corners_deg: Floats
    camera_deg: Floats
    error_m: Floats
    certainty: tuple[Certainty | None, ...]
    """None where there is no footprint."""
    why: tuple[str, ...]
    """Why there is none, what was assumed, or what was cut off; empty where nothing is to be said."""

    def __len__(self) -> int:
        return len(self.elapsed_us)


@dataclass(frozen=True, slots=True)
class Located:
    """Points of the picture on the ground.

    Shape: `latlon_deg`: (m, 2); `ellipse`: (m, 3), half axes in metres of the ellipse that holds 95 % and the azimuth of the
        longer one in degrees from north. NaN where there is none, and `why` says why.
    """

    latlon_deg: Floats
    ellipse: Floats
    certainty: tuple[Certainty | None, ...]
    why: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.latlon_deg)


def footprints(telemetry: Telemetry, size_wh: tuple[int, int] | None = None) -> Footprints:
    """The ground in the picture at each fix: as the file says it, or calculated; marked, or none and why."""
    look = sight(telemetry, size_wh)
    n = len(look)
    centre = _placed(look, np.broadcast_to(MIDDLE, (n, 1, 2)))[:, 0]
    corners, cut = _corners(look)
    seen = np.where(np.isfinite(centre[:, :1]), 0.0, 1.0) * np.array([[0.0, 1.0]])
    error = HOLDS_95 * _ellipse(look, seen)[:, 0]
    said_centre, said_corners = _said(telemetry)
    given = whole(said_corners)
    off = np.where(given, _apart_m(said_corners, corners), np.nan)
    corners = np.where(given[:, None, None], said_corners, corners)
    centre = np.where(whole(said_centre)[:, None], said_centre, centre)
    bounded = whole(corners)
    there = bounded | whole(centre)
    error[~there] = np.nan
    worth = _said_worth(telemetry)
    certainty, why = [], []
    for i in range(n):
        certainty.append(_certainty(bool(there[i]), worth if given[i] else None, bool(look.assumed[i])))
        if given[i]:
            odd = off[i] > 2 * error[i]
            why.append(f"the file's own corners lie about {_about(off[i])} m from where its angles lead" if odd else "")
        elif there[i] and not bounded[i]:
            alone = "the field of view is not known" if not np.isfinite(look.half_width[i]) else "it looks over the horizon"
            why.append("; ".join(filter(None, (look.why[i], f"{alone}: only the middle is placed"))))
        else:
            why.append(_because(look, i, bool(there[i]), bool(cut[i])))
    return Footprints(telemetry.elapsed_us, centre, corners, look.latlon_deg, error, tuple(certainty), tuple(why))


def locate(telemetry: Telemetry, size_wh: tuple[int, int], elapsed_us: npt.NDArray[np.int64], points_xy: Floats) -> Located:
    """Where points of the picture lie on the ground, each with the ellipse of its error.

    Shape: `elapsed_us`: (m,); `points_xy`: (m, 2), pixels of the upright picture.
    Source: first-order propagation of the stated accuracies (JCGM 100:2008, 5.1), by differences over one standard
        deviation each way.
    """
    look, points = at_moments(telemetry, size_wh, elapsed_us), of_picture(points_xy, size_wh)
    inside = whole(points) & (np.abs(points) <= 1).all(-1)
    places = _placed(look, points[:, None])[:, 0]
    ellipse = _ellipse(look, points)
    ellipse[:, :2] *= HOLDS_95
    there = whole(places) & whole(ellipse) & inside
    places[~there], ellipse[~there] = np.nan, np.nan
    why = []
    for i in range(len(look)):
        if not inside[i]:
            why.append("it lies outside the picture")
        else:
            why.append(_because(look, i, bool(there[i]), False))
    certainty = tuple(_certainty(bool(t), None, bool(a)) for t, a in zip(there, look.assumed, strict=True))
    return Located(places, ellipse, certainty, tuple(why))


def at_moments(telemetry: Telemetry, size_wh: tuple[int, int], elapsed_us: npt.NDArray[np.int64]) -> Sight:
    """How the camera looked at each of these moments, in any order."""
    # Among the source's own moments: speed, course and turning are seen from one to the next.
    moments = np.union1d(telemetry.elapsed_us, elapsed_us)
    return sight(sampled(telemetry, moments), size_wh).rows(np.searchsorted(moments, elapsed_us))


def of_picture(points_xy: Floats, size_wh: tuple[int, int]) -> Floats:
    """Pixels as `Sight` has them: from -1 to 1."""
    return np.asarray(points_xy / np.array(size_wh, float) * 2 - 1)


def _certainty(there: bool, said: Certainty | None, assumed: bool) -> Certainty | None:
    if not there:
        return None
    return said or (Certainty.ESTIMATED if assumed else Certainty.DERIVED)


def _because(look: Sight, row: int, there: bool, cut: bool) -> str:
    if there and cut:
        limit = _about(look.height_m[row] * REACH)
        far = f"what lies further away than about {limit} m is left out: the camera looks at the horizon"
        return "; ".join(filter(None, (look.why[row], far)))
    if there or not np.isfinite(look.latlon_deg[row, 0] + look.height_m[row]):
        return look.why[row]
    if not np.isfinite(look.half_width[row]):
        return "the field of view is not known"
    return f"it lies above the horizon, or less than {GRAZING_DEG:.0f}° below it"


def _placed(look: Sight, points: Floats) -> Floats:
    """The ground under points, if their rays dip enough. Shape: (n, k, 2) to (n, k, 2)."""
    return np.where(_dips(look, points)[..., None], look.ground(points), np.nan)


def _corners(look: Sight) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Four corners on the ground, and where the picture was cut off below the horizon.

    A corner above the limit slides along its side of the picture, or else along its upper or lower edge, towards the corner
    at the other end until its ray dips enough.
    """
    points = np.broadcast_to(CORNERS, (len(look), 4, 2)).copy()
    dips = _dips(look, points)
    for neighbour in ([3, 2, 1, 0], [1, 0, 3, 2]):
        slides = ~_dips(look, points) & dips[:, neighbour]
        rows = np.flatnonzero(slides.any(1))
        if len(rows):
            slid = _slid(look.rows(rows), points[rows], points[rows][:, neighbour])
            points[rows] = np.where(slides[rows, :, None], slid, points[rows])
    places = _placed(look, points)
    all_four = whole(places)
    return np.where(all_four[:, None, None], places, np.nan), all_four & ~dips.all(1)


def _slid(look: Sight, here: Floats, there: Floats) -> Floats:
    """The first points on the way from `here` to `there` whose rays dip enough, found by halving. Shape: (n, k, 2)."""
    lost, kept = np.zeros(here.shape[:2]), np.ones(here.shape[:2])
    for _ in range(30):
        middle = (lost + kept) / 2
        good = _dips(look, here + middle[..., None] * (there - here))
        kept, lost = np.where(good, middle, kept), np.where(good, lost, middle)
    return np.asarray(here + kept[..., None] * (there - here))


def whole(values: Floats) -> npt.NDArray[np.bool_]:
    """Which rows are there in full. Shape: (n, …) to (n,)."""
    return np.asarray(np.isfinite(values).all(tuple(range(1, values.ndim))))


def _dips(look: Sight, points: Floats) -> npt.NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray(-look.rays(points)[..., 2] >= _SINE)


def spread(look: Sight, points: Floats) -> Floats:
    """East and north by which each point moves when a parameter is one standard deviation larger.

    Shape: (n, 2) to (n, 9, 2): the parameters of `Sight.sigma`, then the foot's place across and down the picture. NaN where
        a ray leaves the ground on the way.
    """
    n = len(look)
    base = look.ground(points[:, None])[:, 0]
    result = np.zeros((n, 9, 2))
    result[:, 0, 0], result[:, 1, 1] = look.sigma[:, 0], look.sigma[:, 1]
    for which in range(2, 7):
        step = look.sigma[:, which]
        there, back = (look.shifted(which, by).ground(points[:, None])[:, 0] for by in (step, -step))
        result[:, which] = (earth.offset_m(base, there) - earth.offset_m(base, back)) / 2
    for axis in (0, 1):
        foot = np.zeros((n, 2))
        foot[:, axis] = FOOT_SHARE
        there, back = (look.ground((points + by)[:, None])[:, 0] for by in (foot, -foot))
        result[:, 7 + axis] = (earth.offset_m(base, there) - earth.offset_m(base, back)) / 2
    # The middle of the picture can be placed without a field of view; its place doesn't hang on it.
    result[~np.isfinite(look.half_width) & whole(base), 6:] = 0.0
    return result


def _ellipse(look: Sight, points: Floats) -> Floats:
    """Half axes (one standard deviation) and azimuth of each point's error. Shape: (n, 2) to (n, 3)."""
    moves = spread(look, points)
    covariance = np.einsum("nki,nkj->nij", moves, moves)
    lost = ~whole(covariance)
    covariance[lost] = np.eye(2)
    squares, directions = np.linalg.eigh(covariance)
    azimuth = np.degrees(np.arctan2(directions[:, 0, 1], directions[:, 1, 1])) % 180
    ellipse = np.stack([np.sqrt(squares[:, 1]), np.sqrt(squares[:, 0]), azimuth], -1)
    ellipse[lost] = np.nan
    return ellipse


def _said(telemetry: Telemetry) -> tuple[Floats, Floats]:
    """Centre and corners as the file says them; no corners that are no places on earth, or that enclose nothing."""
    centre = np.stack([telemetry.column(Quantity.CENTRE_LATITUDE), telemetry.column(Quantity.CENTRE_LONGITUDE)], -1)
    corners = np.stack([np.stack([telemetry.column(a), telemetry.column(b)], -1) for a, b in _CORNER_COLUMNS], 1)
    with np.errstate(invalid="ignore"):
        real = (np.abs(corners[..., 0]) <= 90).all(1) & (np.abs(corners[..., 1]) <= 180).all(1)
        real &= earth.area_m2(corners) > 0.01
    return centre, np.where(real[:, None, None], corners, np.nan)


def _apart_m(one: Floats, other: Floats) -> Floats:
    """How far apart the middles of two footprints lie. Shape: (n, 4, 2) twice to (n,)."""
    return earth.distance_m(*(earth.middle(corners) for corners in (one, other)))


def _about(metres: float) -> str:
    """Two digits: so that a flight has few different words."""
    return f"{float(f'{metres:.1e}'):,.0f}"


def _said_worth(telemetry: Telemetry) -> Certainty:
    return telemetry.certainty.get(_CORNER_COLUMNS[0][0], Certainty.MEASURED)

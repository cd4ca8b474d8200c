"""Where a camera stood and how it looked at each fix, with what each value is worth: a pinhole camera above flat ground."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from evidence import earth
from evidence.telemetry import Certainty, Family, Flag, Quantity, Telemetry

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# One standard deviation where a format gives none. docs/places.md says where each comes from, and a test compares.
PLACE_M = 3.3
HEIGHT_TAKEOFF_M = 2.0
HEIGHT_SEA_M = 6.6
YAW_DEG = 3.0
PITCH_DEG = 1.0
ROLL_DEG = 1.0
VIEW_SHARE = 0.02
LENS_SHARE = 0.05
BESIDE_S = 0.2

# The same for what is assumed where something is missing.
PLATFORM_YAW_DEG = 15.0
COURSE_DEG = 40.0
UNKNOWN_YAW_DEG = 90.0
NADIR_DEG = 40.0
USUAL_VIEW_SHARE = 0.15

USUAL_VIEW_DEG = 67.0
USUAL_ASPECT = 16 / 9
FILM_MM = 17.3
"""Half the width of a 4:3 picture with the diagonal of 35 mm film (43.27 mm): the sensors of small cameras are 4:3, and
their video takes the whole width or a little less. Source: CIPA DCG-001, equivalent focal length by the diagonal."""
MOVING_MPS = 1.0
LOWEST_M = 1.0
LONGEST_S = 6.0


@dataclass(frozen=True, slots=True)
class Sight:
    """Each row one look. Shape: (n,) each, `latlon_deg`: (n, 2), `sigma`: (n, 7), one standard deviation of east, north,
    height (metres), yaw, pitch, roll (degrees), and of the view's half widths (as a share).

    Units: angles as in `Quantity`; `half_width`, `half_height`: tangents of half the fields of view, NaN where not known.
    """

    latlon_deg: Floats
    height_m: Floats
    yaw_deg: Floats
    pitch_deg: Floats
    roll_deg: Floats
    half_width: Floats
    half_height: Floats
    sigma: Floats
    assumed: Bools
    """Whether something that matters was assumed, not measured."""
    why: tuple[str, ...]
    """Why there is no sight, or what was assumed, in words; or empty."""

    def __len__(self) -> int:
        return len(self.height_m)

    def rows(self, which: npt.NDArray[np.int64]) -> Sight:
        """These rows, in this order."""
        columns = (
            "latlon_deg",
            "height_m",
            "yaw_deg",
            "pitch_deg",
            "roll_deg",
            "half_width",
            "half_height",
            "sigma",
            "assumed",
        )
        return Sight(**{name: getattr(self, name)[which] for name in columns}, why=tuple(self.why[i] for i in which))

    def rays(self, points: Floats) -> Floats:
        """Unit vectors east, north, up through points of the picture. Shape: (n, k, 2) to (n, k, 3).

        Units: a point's coordinates from -1 (left, upper edge) to 1 (right, lower edge).
        Source: pinhole model, Hartley & Zisserman, Multiple View Geometry, 6.1; yaw, pitch, roll in that order as in
            MISB ST 0601 (aircraft axes turned to east, north, up).
        """
        yaw, pitch, roll = (np.radians(a)[:, None] for a in (self.yaw_deg, self.pitch_deg, self.roll_deg))
        none = np.zeros_like(yaw)
        ahead = np.stack([np.cos(pitch) * np.sin(yaw), np.cos(pitch) * np.cos(yaw), np.sin(pitch)], -1)
        level = np.stack([np.cos(yaw), -np.sin(yaw), none], -1)
        over = np.stack([-np.sin(pitch) * np.sin(yaw), -np.sin(pitch) * np.cos(yaw), np.cos(pitch)], -1)
        right = level * np.cos(roll)[..., None] - over * np.sin(roll)[..., None]
        up = over * np.cos(roll)[..., None] + level * np.sin(roll)[..., None]
        # The middle of the picture needs no field of view.
        across = np.where(points[..., 0] == 0, 0.0, points[..., 0] * self.half_width[:, None])
        down = np.where(points[..., 1] == 0, 0.0, points[..., 1] * self.half_height[:, None])
        ray = ahead + across[..., None] * right - down[..., None] * up
        return np.asarray(ray / np.linalg.norm(ray, axis=-1, keepdims=True))

    def ground(self, points: Floats) -> Floats:
        """Latitude and longitude under points of the picture. Shape: (n, k, 2) to (n, k, 2)."""
        k = points.shape[1]
        places = np.repeat(self.latlon_deg[:, None], k, axis=1)
        return earth.ground(places, np.repeat(self.height_m[:, None], k, axis=1), self.rays(points))

    def shifted(self, which: int, by: Floats) -> Sight:
        """As if parameter `which` of `sigma` were larger. East and north are left to the caller: they move all alike."""
        if which < 2:
            return self
        if which == 6:
            return replace(self, half_width=self.half_width * (1 + by), half_height=self.half_height * (1 + by))
        name = ("height_m", "yaw_deg", "pitch_deg", "roll_deg")[which - 2]
        return replace(self, **{name: getattr(self, name) + by})


def sight(telemetry: Telemetry, size_wh: tuple[int, int] | None = None) -> Sight:
    """How the camera looked at each fix, from what the fixes say and, where they don't, from what is usual."""
    n = len(telemetry)
    words = _Words(n)
    latlon = np.stack([telemetry.column(Quantity.LATITUDE), telemetry.column(Quantity.LONGITUDE)], -1)
    latlon[~telemetry.placed] = np.nan
    words.none(~telemetry.placed, "no place is known")
    sigma = np.zeros((n, 7))
    leaps = (telemetry.flags & int(Flag.JUMP)) != 0
    words.assume(leaps, "the place leaps impossibly far here, and may be wrong")
    height, sigma[:, 2] = _height(telemetry, words)
    speed, course = _movement(telemetry, latlon)
    towards = _towards(telemetry, latlon, height)
    yaw, sigma[:, 3] = _yaw(telemetry, towards[0], course, words)
    pitch, sigma[:, 4] = _pitch(telemetry, towards[1], words)
    roll = telemetry.column(Quantity.CAMERA_ROLL)
    sigma[:, 5] = np.where(np.isfinite(roll), ROLL_DEG, 2 * ROLL_DEG)
    width, half_height, sigma[:, 6] = _view(telemetry, size_wh, words)
    stated = telemetry.column(Quantity.ACCURACY_HORIZONTAL)
    around = np.where(np.isfinite(stated) & (stated > 0), stated, PLACE_M)
    sigma[:, 0] = sigma[:, 1] = np.hypot(around, rounding_m(latlon))
    if not telemetry.frame_synchronous:
        sigma[:, :2] = np.hypot(sigma[:, :2], BESIDE_S * np.nan_to_num(speed)[:, None])
        for at, quantity in ((3, Quantity.CAMERA_YAW), (4, Quantity.CAMERA_PITCH)):
            sigma[:, at] = np.hypot(sigma[:, at], BESIDE_S * _turning(telemetry, quantity))
    words.assume(_guessed(telemetry), "the file's own place, height or angles are estimates")
    return Sight(latlon, height, yaw, pitch, np.nan_to_num(roll), width, half_height, sigma, words.assumed, words.said())


class _Words:
    """Gathers per row what is said of it."""

    def __init__(self, n: int) -> None:
        self._code = np.zeros(n, np.int64)
        self._kinds: list[tuple[str, bool]] = []
        self._missing = np.zeros(n, bool)
        self.assumed = np.zeros(n, bool)

    def none(self, where: Bools, words: str) -> None:
        fresh = where & ~self._missing
        self._missing |= where
        self._code[fresh] = 1 << len(self._kinds)
        self._kinds.append((words, True))

    def assume(self, where: Bools, words: str, matters: bool = True) -> None:
        fresh = where & ~self._missing
        self._code[fresh] |= 1 << len(self._kinds)
        self._kinds.append((words, False))
        if matters:
            self.assumed |= fresh

    def said(self) -> tuple[str, ...]:
        known = {
            int(code): "; ".join(words for bit, (words, _) in enumerate(self._kinds) if int(code) >> bit & 1)
            for code in np.unique(self._code)
        }
        return tuple(known[int(code)] for code in self._code)


def _guessed(telemetry: Telemetry) -> Bools:
    """Rows of a source that says itself that its places or angles are estimates."""
    weighty = (
        Quantity.LATITUDE,
        Quantity.LONGITUDE,
        Quantity.HEIGHT_TAKEOFF,
        Quantity.HEIGHT_GROUND,
        Quantity.CAMERA_YAW,
        Quantity.CAMERA_PITCH,
        Quantity.HORIZONTAL_VIEW,
    )
    guessed = np.zeros(len(telemetry), bool)
    for quantity in weighty:
        if telemetry.certainty.get(quantity) is Certainty.ESTIMATED:
            guessed |= np.isfinite(telemetry.column(quantity))
    return guessed


def _height(telemetry: Telemetry, words: _Words) -> tuple[Floats, Floats]:
    """Height above the ground and its standard deviation: the ground's own, against the frame's centre, over take-off."""
    sea, centre = telemetry.column(Quantity.HEIGHT_SEA), telemetry.column(Quantity.CENTRE_HEIGHT_SEA)
    ranged = telemetry.column(Quantity.SLANT_RANGE) * -np.sin(np.radians(telemetry.column(Quantity.CAMERA_PITCH)))
    stated = telemetry.column(Quantity.ACCURACY_VERTICAL)
    given = np.where(np.isfinite(stated) & (stated > 0), stated, HEIGHT_SEA_M)
    ways = (
        (telemetry.column(Quantity.HEIGHT_GROUND), np.full(len(telemetry), HEIGHT_TAKEOFF_M)),
        (sea - centre, given),
        (telemetry.column(Quantity.HEIGHT_TAKEOFF), np.full(len(telemetry), HEIGHT_TAKEOFF_M)),
        (ranged, given),
    )
    height, sigma = np.full(len(telemetry), np.nan), np.full(len(telemetry), np.nan)
    for value, worth in ways:
        open_ = ~np.isfinite(height) & np.isfinite(value)
        height[open_], sigma[open_] = value[open_], worth[open_]
    words.none(~np.isfinite(height), "the height above the ground is not known")
    low = np.isfinite(height) & (height < LOWEST_M)
    words.none(low, "it was on the ground, or below where it took off")
    height[low] = np.nan
    return height, sigma


def _movement(telemetry: Telemetry, latlon: Floats) -> tuple[Floats, Floats]:
    """Speed and course, as the source says or else as its places show over two seconds; no course where it hardly moves."""
    speed, course = telemetry.column(Quantity.SPEED).copy(), telemetry.column(Quantity.COURSE).copy()
    before, after, span_s = _around(telemetry.elapsed_us, 1_000_000)
    way = earth.offset_m(latlon[before], latlon[after])
    with np.errstate(invalid="ignore", divide="ignore"):
        shown = np.linalg.norm(way, axis=-1) / span_s
    use = ~np.isfinite(speed) & np.isfinite(shown)
    speed[use] = shown[use]
    use = ~np.isfinite(course) & np.isfinite(shown)
    course[use] = (np.degrees(np.arctan2(way[:, 0], way[:, 1])) % 360)[use]
    course[~(np.nan_to_num(speed, nan=MOVING_MPS) >= MOVING_MPS)] = np.nan
    return speed, course


def _turning(telemetry: Telemetry, quantity: Quantity) -> Floats:
    """How fast an angle turns around each fix. Units: degrees a second; 0 where it can't be said."""
    angle = telemetry.column(quantity)
    before, after, span_s = _around(telemetry.elapsed_us, 500_000)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.abs((angle[after] - angle[before] + 180) % 360 - 180) / span_s
    return np.where(np.isfinite(rate), rate, 0.0)


def _around(at_us: npt.NDArray[np.int64], half_us: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """The first and the last row within so much of each, or else its neighbours, and the seconds between the two.

    NaN seconds where that is too long to say anything.
    """
    row = np.arange(len(at_us))
    before = np.minimum(np.searchsorted(at_us, at_us - half_us, "left"), np.maximum(row - 1, 0))
    after = np.maximum(np.searchsorted(at_us, at_us + half_us, "right") - 1, np.minimum(row + 1, len(row) - 1))
    span_s = (at_us[after] - at_us[before]) / 1e6
    span_s[span_s > LONGEST_S] = np.nan
    return before, after, span_s


def rounding_m(latlon: Floats) -> float:
    """What a source that writes three or four decimals of a degree leaves open, as one standard deviation.

    Source: a value rounded to steps of s has the standard deviation s/√12 (JCGM 100:2008, 4.3.7).
    """
    given = latlon[np.isfinite(latlon).all(1)]
    # One place alone can end in zeros by chance.
    several = bool(len(given) > 1 and np.ptp(given, axis=0).any())
    for decimals in (3, 4) if several else (4,):
        steps = given * 10**decimals
        if len(given) > 1 and (np.abs(steps - np.round(steps)) < 1e-6).all():
            return float(10**-decimals * 111_320 / np.sqrt(12))
    return 0.0


def _towards(telemetry: Telemetry, latlon: Floats, height: Floats) -> tuple[Floats, Floats]:
    """Yaw and pitch from the camera to the middle of the picture as the file gives it, or pitch from the slant range."""
    centre = np.stack([telemetry.column(Quantity.CENTRE_LATITUDE), telemetry.column(Quantity.CENTRE_LONGITUDE)], -1)
    way = earth.offset_m(latlon, centre)
    far = np.linalg.norm(way, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sunk = -np.degrees(np.arcsin(height / telemetry.column(Quantity.SLANT_RANGE)))
    pitch = np.where(np.isfinite(far), -np.degrees(np.arctan2(height, far)), sunk)
    return np.degrees(np.arctan2(way[:, 0], way[:, 1])) % 360, pitch


def _yaw(telemetry: Telemetry, towards: Floats, course: Floats, words: _Words) -> tuple[Floats, Floats]:
    yaw, sigma = np.full(len(telemetry), np.nan), np.full(len(telemetry), np.nan)
    ways = (
        (telemetry.column(Quantity.CAMERA_YAW), YAW_DEG, ""),
        (towards, YAW_DEG, ""),
        (telemetry.column(Quantity.PLATFORM_YAW), PLATFORM_YAW_DEG, "the camera is taken to look where the aircraft points"),
        (course, COURSE_DEG, "the camera is taken to look where the aircraft flies"),
        (
            np.zeros(len(telemetry)),
            UNKNOWN_YAW_DEG,
            "which way the camera looks is not known: the upper edge is taken for north",
        ),
    )
    for value, worth, said in ways:
        use = ~np.isfinite(yaw) & np.isfinite(value)
        yaw[use], sigma[use] = value[use], worth
        if said:
            words.assume(use, said)
    return yaw, sigma


def _pitch(telemetry: Telemetry, towards: Floats, words: _Words) -> tuple[Floats, Floats]:
    pitch = telemetry.column(Quantity.CAMERA_PITCH).copy()
    sigma = np.full(len(telemetry), PITCH_DEG)
    use = ~np.isfinite(pitch) & np.isfinite(towards)
    pitch[use] = towards[use]
    use = ~np.isfinite(pitch)
    pitch[use], sigma[use] = -90.0, NADIR_DEG
    words.assume(use, "how far the camera looks down is not known: straight down is taken")
    return pitch, sigma


def _view(telemetry: Telemetry, size_wh: tuple[int, int] | None, words: _Words) -> tuple[Floats, Floats, Floats]:
    """Tangents of half the fields of view, and their standard deviation as a share."""
    aspect = size_wh[0] / size_wh[1] if size_wh and min(size_wh) > 0 else USUAL_ASPECT
    tilt = [telemetry.column(q) for q in (Quantity.HORIZONTAL_VIEW, Quantity.VERTICAL_VIEW)]
    with np.errstate(invalid="ignore", divide="ignore"):
        width, height = (np.where((a > 0) & (a < 175), np.tan(np.radians(a) / 2), np.nan) for a in tilt)
        focal = telemetry.column(Quantity.FOCAL_LENGTH_35)
        film = np.where(focal > 0, FILM_MM / focal, np.nan) * min(1.0, aspect)
    sigma = np.full(len(telemetry), VIEW_SHARE)
    width = np.where(np.isfinite(width), width, height * aspect)
    use = ~np.isfinite(width) & np.isfinite(film)
    width[use], sigma[use] = film[use], LENS_SHARE
    if telemetry.family is Family.DJI_SRT:
        use = ~np.isfinite(width)
        width[use], sigma[use] = np.tan(np.radians(USUAL_VIEW_DEG) / 2), USUAL_VIEW_SHARE
        words.assume(use, f"the field of view is not known: {USUAL_VIEW_DEG:.0f}° are taken, as usual for this maker")
    height = np.where(np.isfinite(height), height, width / aspect)
    if size_wh is None:
        lacking = np.isfinite(width) & ~np.isfinite(telemetry.column(Quantity.VERTICAL_VIEW))
        words.assume(lacking, "the picture is taken to be 16:9")
    return width, height, sigma

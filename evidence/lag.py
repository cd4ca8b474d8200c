"""How far two time lines lie apart, measured: a sidecar and its video, or the clocks of two devices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evidence import earth
from evidence.clock import Corrected
from evidence.telemetry import NO_TIME, Telemetry

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

REACTION_S = 0.5
"""How well a person can say at which moment an event happens in a recording."""
USUAL_JOIN_S = 0.4
"""How far the time lines of a sidecar and its video differ where nothing shows more: what is seen with DJI's recordings."""
COMMON_S = 10
"""Seconds of a common way from which on two tracks can be laid on one another."""
COMMON_M = 30.0
"""A common way shorter than this, or one that hardly turns, fits in many ways."""
_MOMENTS = 400
"""So many are laid on the other way: an hour is compared every nine seconds."""
_QUARTER_S = 900.0
_NEAR_S = 300.0


@dataclass(frozen=True, slots=True)
class Residual:
    """By how much a source's time line and its video's disagree. Units: seconds; None where it can't be measured."""

    length_s: float | None
    """How much later the video ends than the fixes do, the last of which lasts as long as they do mostly."""
    clock_s: float | None
    """How much later the video was created, by its file, than the fixes begin, by the device's clock: whole quarters of an
    hour (a zone) left out, and nothing beyond five minutes."""
    join_s: float
    """How far a fix may lie from its frame."""


def residual(telemetry: Telemetry, video_us: int | None, created_us: int | None = None) -> Residual:
    """What the ends, and the clocks at the beginning, of a source and its video differ by.

    Units: microseconds: the video's length; its creation time since 1970, as its file says it.
    """
    length = clock = None
    if len(telemetry) > 1 and video_us is not None:
        usual = float(np.median(np.diff(telemetry.elapsed_us)))
        length = (video_us - float(telemetry.elapsed_us[-1]) - usual) / 1e6
    begun = begins_us(telemetry)
    if begun is not None and created_us is not None:
        apart = (created_us - begun) / 1e6
        apart -= _QUARTER_S * round(apart / _QUARTER_S)
        clock = apart if abs(apart) <= _NEAR_S else None
    join = 0.0 if telemetry.frame_synchronous else max(USUAL_JOIN_S, abs(length) if length is not None else 0.0)
    return Residual(length, clock, join)


def begins_us(telemetry: Telemetry) -> int | None:
    """The device's time at elapsed time 0, from all of its times up to the first step of the clock; None without one.

    A clock that is written in whole seconds is up to a second behind; the fix that puts the beginning latest is nearest.
    """
    known = np.flatnonzero(telemetry.clock_us != NO_TIME)
    if not len(known):
        return None
    zero = telemetry.clock_us[known] - telemetry.elapsed_us[known]
    steps = np.flatnonzero(np.abs(zero - zero[0]) > 2_000_000)
    zero = zero[: steps[0]] if len(steps) else zero
    whole = bool((telemetry.clock_us[known] % 1_000_000 == 0).all())
    return int(zero.max()) if whole else int(np.median(zero))


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How far the second device's clock, corrected as it is, is ahead of the first one's. Units: seconds."""

    offset_s: float
    error_s: float
    rests_on: int
    """Events, or seconds of a common way."""
    contradicts: bool
    """Whether it is more than the errors stated for both clocks allow."""


def by_events(pairs: Sequence[tuple[Corrected, Corrected]], reaction_s: float = REACTION_S) -> Disagreement:
    """From events that both recordings show: each pair is one event, at the first's and at the second's time.

    Raises: ValueError without a pair.
    """
    if not pairs:
        raise ValueError("a disagreement rests on at least one event that both recordings show")
    apart = np.array([(second.utc - first.utc).total_seconds() for first, second in pairs])
    # Each of the two moments of a pair is told by a person.
    spread = 2 * float(apart.std(ddof=1)) if len(apart) > 1 else 0.0
    error = max(reaction_s * math.sqrt(2), spread) / math.sqrt(len(apart))
    allowed = max(math.hypot(first.error_s, second.error_s) for first, second in pairs)
    offset = float(apart.mean())
    return Disagreement(offset, error, len(apart), abs(offset) - error > allowed)


@dataclass(frozen=True, slots=True)
class Way:
    """Where a device was, by its own clock as corrected. Shape: (n,) microseconds UTC; (n, 2) latitude, longitude; rows
    without a time or a place are left out of all that is said of it."""

    utc_us: Integers
    latlon_deg: Floats
    error_s: float
    """Of its clock."""

    @property
    def known(self) -> tuple[Floats, Floats]:
        """Seconds and places in the order of time."""
        use = np.isfinite(self.latlon_deg).all(1) & (self.utc_us != NO_TIME)
        order = np.argsort(self.utc_us[use], kind="stable")
        return self.utc_us[use][order] / 1e6, self.latlon_deg[use][order]


def by_way(first: Way, second: Way, search_s: float = 120.0, noise_m: float = 10.0) -> Disagreement | None:
    """From a way that both went, told apart only by their clocks: the offset that lays one track best on the other.

    None where they have no common way, or where it fits at more than one offset (a straight line at even pace, a stop).

    Units: `noise_m`: how far two fixes of one place lie apart, each receiver being off on its own.
    """
    (one_s, one), (two_s, two) = first.known, second.known
    if len(one_s) < COMMON_S or len(two_s) < COMMON_S:
        return None
    if one_s[0] - two_s[-1] > search_s or two_s[0] - one_s[-1] > search_s or _never_near(one, two, noise_m):
        return None
    origin = one[:1]
    one_m, two_m = (earth.offset_m(np.broadcast_to(origin, p.shape), p) for p in (one, two))
    length_s = math.floor(one_s[-1]) - math.ceil(one_s[0]) + 1.0
    at = np.arange(math.ceil(one_s[0]), math.floor(one_s[-1]) + 1.0, max(1.0, math.ceil(length_s / _MOMENTS)))
    here = _along(at, one_s, one_m)
    offsets = np.arange(-search_s, search_s + 0.25, 0.5)
    apart, common = _apart(at, here, two_s, two_m, offsets, noise_m)
    if not np.isfinite(apart).any():
        return None
    best = int(np.nanargmin(apart))
    if apart[best] > noise_m or best in (0, len(offsets) - 1):
        return None
    fine = offsets[best] + np.arange(-1.0, 1.01, 0.02)
    offset = float(fine[np.nanargmin(_apart(at, here, two_s, two_m, fine, noise_m)[0])])
    # As good as the best within the noise of a mean over what is common: receivers are off alike for about ten seconds.
    limit = apart[best] + noise_m / math.sqrt(max(1.0, common[best] / 10))
    fits = offsets[apart <= limit]
    error = max(0.5, float(np.abs(fits - offset).max()))
    if error > search_s / 4:
        return None
    return Disagreement(offset, error, int(common[best]), abs(offset) - error > math.hypot(first.error_s, second.error_s))


def moment_at(at_us: Integers, utc_us: Integers, wanted_us: int) -> int:
    """UTC at a moment of media time, from the nearest fix that tells a time.

    Shape: `at_us`, `utc_us`: (n,). Units: microseconds. Raises: ValueError where none does.
    """
    known = np.flatnonzero(utc_us != NO_TIME)
    if not len(known):
        raise ValueError("no fix tells a time")
    nearest = known[np.argmin(np.abs(at_us[known] - wanted_us))]
    return int(utc_us[nearest]) + wanted_us - int(at_us[nearest])


def _never_near(one: Floats, two: Floats, within_m: float) -> bool:
    """Whether the boxes around two ways lie further apart than that."""
    (low, high), (others_low, others_high) = ((way.min(0), way.max(0)) for way in (one, two))
    nearest = np.clip(others_low, low, high), np.clip(low, others_low, others_high)
    return bool(earth.distance_m(*nearest) > 2 * within_m)


def _along(at: Floats, times: Floats, places: Floats) -> Floats:
    """Places at moments, on straight lines; NaN outside and in gaps of over three seconds."""
    east, north = (np.interp(at, times, places[:, axis], left=np.nan, right=np.nan) for axis in (0, 1))
    after = np.clip(np.searchsorted(times, at), 1, len(times) - 1)
    gap = times[after] - times[after - 1] > 3.0
    return np.where(gap[:, None], np.nan, np.stack([east, north], -1))


def _apart(
    at: Floats, here: Floats, times: Floats, places: Floats, offsets: Floats, noise_m: float
) -> tuple[Floats, Floats]:
    """How unlike both ways are at each offset, and how many seconds that rests on; NaN where there is too little, or where
    they lie side by side.

    The root of the mean square of their distance from its mean, since receivers are off by a few metres for a long time.
    """
    found, common = np.full(len(offsets), np.nan), np.zeros(len(offsets))
    every_s = float(at[1] - at[0]) if len(at) > 1 else 1.0
    for i, offset in enumerate(offsets):
        away = here - _along(at + offset, times, places)
        known = np.isfinite(away).all(1)
        common[i] = known.sum() * every_s
        moved = np.ptp(here[known], axis=0) if known.any() else np.zeros(2)
        if common[i] >= COMMON_S and np.hypot(*moved) >= COMMON_M and np.hypot(*away[known].mean(0)) <= 2 * noise_m:
            found[i] = math.sqrt(float(away[known].var(0).sum()))
    return found, common

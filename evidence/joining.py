"""Fixes of a sidecar laid on the time line of its video: by elapsed time, never by frame number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evidence.clock import Correction, by_satellites, corrected_us
from evidence.lag import residual
from evidence.telemetry import NO_TIME, Certainty, Family, Quantity, Telemetry

_OWN_TIME_LINE = frozenset({Family.DJI_SRT})
"""Formats whose zero is the video's first frame by their nature."""
_NOTABLE_S = 1.0
_TOLD_S = 0.05


@dataclass(frozen=True, slots=True)
class Joined:
    """A source on its video's time line.

    Units: microseconds; `residual_us`: how much later the video ends than the fixes do, None where that can't be measured.
    """

    telemetry: Telemetry
    offset_us: int
    """What was added to the source's own time."""
    residual_us: int | None
    warnings: tuple[str, ...] = ()


def embedded(telemetry: Telemetry, duration_us: int | None, created_us: int | None = None) -> Joined:
    """A source on its video's own time line, whose ends are compared, and the clocks at the beginning.

    `created_us`: the video's creation time, as its file says it.
    """
    found = residual(telemetry, duration_us, created_us)
    residual_us = None if found.length_s is None else round(found.length_s * 1e6)
    return Joined(telemetry, 0, residual_us, (*_of_residual(residual_us), *_of_clocks(found.clock_s)))


def joined(
    telemetry: Telemetry,
    *,
    duration_us: int,
    start_utc_us: int | None,
    created_us: int | None = None,
    offset_us: int | None = None,
    correction: Correction | None = None,
    by_time: bool = False,
) -> Joined:
    """A sidecar's source: by what a person said, by its format's zero, by the two clocks, or else beginning with the video.

    `start_utc_us`: when the video began as far as is known. `by_time`: that they belong together is known from their times
    alone, so that its places are estimates.
    """
    if by_time:
        worth = {**telemetry.certainty, Quantity.LATITUDE: Certainty.ESTIMATED, Quantity.LONGITUDE: Certainty.ESTIMATED}
        telemetry = replace(telemetry, certainty=worth)
    if offset_us is not None:
        return Joined(_shifted(telemetry, offset_us), offset_us, None)
    if telemetry.family in _OWN_TIME_LINE:
        return embedded(telemetry, duration_us, created_us)
    by_clocks = _between_clocks_us(telemetry, start_utc_us, correction)
    if by_clocks is not None and _meets(telemetry, by_clocks, duration_us):
        said = "it was laid on the video by the two devices' clocks, which may differ"
        return Joined(_shifted(telemetry, by_clocks), by_clocks, None, (said,))
    said = "its times don't overlap with the video's" if by_clocks is not None else "one of the two tells no time"
    return Joined(telemetry, 0, None, (f"{said}: it was taken to begin with the video",))


def _between_clocks_us(telemetry: Telemetry, start_utc_us: int | None, correction: Correction | None) -> int | None:
    known = np.flatnonzero(telemetry.clock_us != NO_TIME)
    if start_utc_us is None or not len(known):
        return None
    clock = telemetry.clock_us[known[:1]]
    utc, _ = corrected_us(clock, telemetry.zone, correction, by_satellites(telemetry))
    return int(utc[0]) - int(telemetry.elapsed_us[known[0]]) - start_utc_us


def _meets(telemetry: Telemetry, offset_us: int, duration_us: int) -> bool:
    at = telemetry.elapsed_us + offset_us
    return bool(((at >= 0) & (at <= duration_us)).any())


def _shifted(telemetry: Telemetry, offset_us: int) -> Telemetry:
    targets = tuple(replace(target, elapsed_us=target.elapsed_us + offset_us) for target in telemetry.targets)
    return replace(telemetry, elapsed_us=telemetry.elapsed_us + offset_us, targets=targets)


def _of_residual(residual_us: int | None) -> tuple[str, ...]:
    if residual_us is None or abs(residual_us) < _NOTABLE_S * 1e6:
        return ()
    sooner = "before" if residual_us > 0 else "after"
    return (f"the fixes end {abs(residual_us) / 1e6:.1f} s {sooner} the video",)


def _of_clocks(clock_s: float | None) -> tuple[str, ...]:
    if clock_s is None or abs(clock_s) < _TOLD_S:
        return ()
    later = "later" if clock_s > 0 else "sooner"
    return (f"by its file the video began {abs(clock_s):.1f} s {later} than the fixes do by the device's clock",)

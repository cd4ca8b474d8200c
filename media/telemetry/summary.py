"""What a source of fixes holds, in a few numbers: how many, where from and to, which fields, how exact, what is odd."""

from __future__ import annotations

from typing import Any

import numpy as np

from evidence.clock import from_micros
from evidence.telemetry import NO_TIME, Quantity, Telemetry, Zone


def summary(telemetry: Telemetry) -> dict[str, Any]:
    """JSON values. Units: `…_s` seconds of media time, `accuracy_m` metres (the median of what is stated or estimated)."""
    clocks = telemetry.clock_us[telemetry.clock_us != NO_TIME]
    accuracy = telemetry.column(Quantity.ACCURACY_HORIZONTAL)
    stated = accuracy[np.isfinite(accuracy)]
    some = len(telemetry) > 0
    return {
        "family": telemetry.family.value,
        "dialect": telemetry.dialect,
        "device": telemetry.device,
        "zone": telemetry.zone.value,
        "fixes": len(telemetry),
        "placed": int(telemetry.placed.sum()),
        "first_s": int(telemetry.elapsed_us[0]) / 1e6 if some else None,
        "last_s": int(telemetry.elapsed_us[-1]) / 1e6 if some else None,
        "clock_first": _clock(int(clocks[0]), telemetry.zone) if len(clocks) else None,
        "clock_last": _clock(int(clocks[-1]), telemetry.zone) if len(clocks) else None,
        "fields": [name.value for name, values in telemetry.columns.items() if np.isfinite(values).any()],
        "certainty": {name.value: certainty.value for name, certainty in telemetry.certainty.items()},
        "accuracy_m": round(float(np.median(stated)), 2) if len(stated) else None,
        "frame_synchronous": telemetry.frame_synchronous,
        "targets": len(telemetry.targets),
        "warnings": list(telemetry.warnings),
    }


def _clock(clock_us: int, zone: Zone) -> str:
    """As it came: with a Z only where the format says UTC."""
    moment = from_micros(clock_us).replace(tzinfo=None)
    return moment.isoformat() + ("Z" if zone is Zone.UTC else "")

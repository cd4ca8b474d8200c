"""Generated flights: the seconds of a device that moves and looks around, as LOCATE would give them back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from evidence import earth
from evidence.exhibit import ExhibitId
from evidence.telemetry import NO_TIME, Family, Zone
from storage.blocks import SECOND, blocks_of, to_units
from storage.ledger.places import NewPlaces, NewSource

MEASURED, DERIVED, ESTIMATED = 1, 2, 3


def seconds(
    camera: npt.NDArray[np.float64],
    corners: npt.NDArray[np.float64] | None = None,
    *,
    first_s: int = 0,
    clock_s: int | None = None,
    worth: int = DERIVED,
) -> npt.NDArray[np.void]:
    """One record a second. Shape: `camera`: (n, 2), `corners`: (n, 4, 2), degrees, latitude first."""
    records = np.zeros(len(camera), SECOND)
    records["at_us"] = (np.arange(len(camera)) + first_s) * 1_000_000
    records["clock_us"] = NO_TIME if clock_s is None else records["at_us"] + (clock_s - first_s) * 1_000_000
    records["camera"] = to_units(camera)
    records["placed_by"] = np.where(np.isfinite(camera).all(-1), MEASURED, 0)
    given = np.full((len(camera), 4, 2), np.nan) if corners is None else corners
    records["corners"] = to_units(given)
    records["centre"] = to_units(given.mean(1))
    records["seen_by"] = np.where(np.isfinite(given).all((1, 2)), worth, 0)
    records["error_m"] = 5
    return records


def rectangle(middle: npt.NDArray[np.float64], yaw_deg: npt.NDArray[np.float64], wide_m: float, high_m: float) -> Any:
    """Ground around places, turned by yaw, clockwise from the picture's upper left. Shape: (n, 2) and (n,) to (n, 4, 2)."""
    yaw = np.radians(yaw_deg)
    sides = []
    for right, up in ((-1, 1), (1, 1), (1, -1), (-1, -1)):
        x, y = right * wide_m / 2, up * high_m / 2
        away = np.stack([x * np.cos(yaw) + y * np.sin(yaw), y * np.cos(yaw) - x * np.sin(yaw)], -1)
        sides.append(earth.moved(middle, away))
    return np.stack(sides, 1)


def wandering(
    random: np.random.Generator, start: tuple[float, float], n: int, speed_mps: float = 8.0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """A way of n seconds and the heading at each of them."""
    heading = np.cumsum(random.normal(0, 8, n)) + random.uniform(0, 360)
    step = speed_mps * np.stack([np.sin(np.radians(heading)), np.cos(np.radians(heading))], -1)
    way = earth.moved(np.broadcast_to(np.array(start), (n, 2)), np.cumsum(step, 0))
    return way, heading % 360


def source(carrier: ExhibitId, records: npt.NDArray[np.void], **about: Any) -> NewSource:
    n = len(records)
    camera = np.where(records["placed_by"][:, None] > 0, records["camera"] / 1e7, np.nan)
    clock = [None if value == NO_TIME else value for value in records["clock_us"].tolist()]
    known = [value for value in clock if value is not None]
    nan = np.full(n, np.nan)
    fixes = {
        "at_us": records["at_us"],
        "clock_us": np.array(clock, object),
        "latitude": camera[:, 0],
        "longitude": camera[:, 1],
        **dict.fromkeys(("height_takeoff_m", "height_sea_m", "accuracy_m", "yaw_deg", "pitch_deg", "speed_mps"), nan),
        "certainty": np.where(records["placed_by"] > 0, "measured", "").astype(object),
        "flags": np.zeros(n, np.int16),
    }
    told = {
        "family": Family.DJI_SRT.value,
        "dialect": "generated",
        "device": "",
        "zone": Zone.UTC.value,
        "fixes": n,
        "placed": int((records["placed_by"] > 0).sum()),
        "first_us": int(records["at_us"][0]),
        "last_us": int(records["at_us"][-1]),
        "clock_first_us": known[0] if known else None,
        "clock_last_us": known[-1] if known else None,
        "offset_us": 0,
        "residual_us": None,
        "frame_synchronous": False,
        "warnings": [],
        "reasons": [""],
    }
    return NewSource(carrier, told | about, "telemetry-0.parquet", fixes, tuple(blocks_of(records)))


def places(carrier: ExhibitId, records: npt.NDArray[np.void], **about: Any) -> NewPlaces:
    return NewPlaces((source(carrier, records, **about),))

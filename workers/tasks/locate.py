"""LOCATE: where a device was and what it looked at, second by second, and where on the ground what was seen stood.

Inputs: `original`, the video (or a sidecar by itself); `sidecar-0`, `sidecar-1` … that belong to it; `tracks.json`; all but
`original` optional, and that too with `before`. Params: `size_wh` and `duration_us` of the video (absent for a sidecar by
itself); `start_utc_us`, when it began as far as is known, or null; `created_us`, when by its file, or null; `sidecars`, for
each its `reference`, `offset_us` (set by a person, or null), `by_time`, and `corrections` ({family: [seconds to add to its
clock, their error]}); `filenames`, of the original and the sidecars in their order; `before`, the `sources` and `notes` of
the result of an earlier run on the same files, or null: then its `telemetry-0.parquet` … are inputs, and nothing is parsed.

In `out`, for each source of fixes: `telemetry-0.parquet` … (every fix, `media.telemetry.table`) and `seconds-0.npz` (about
one row a second, see `_seconds`). With tracks and a footprint also `located.npz`: `track`, `at_us`, `latlon`, `ellipse`,
`certainty`, `motion` (speed, its error, heading, its error).

Result: {"sources": [{"carrier": 0 for the original, 1 + n for sidecar n, "family", "dialect", "device", "zone", "fixes",
"placed", "first_us", "last_us", "clock_first_us", "clock_last_us", "offset_us", "residual_us", "frame_synchronous",
"warnings", "reasons"}], "located_by": number of the source that placed what was seen, or null, "notes": [what could not be
read, and why]}. What can't be read is a note: it never stops the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evidence import geo
from evidence.clock import Correction, Evidence
from evidence.errors import BadInput
from evidence.feet import feet
from evidence.joining import Joined, embedded, joined
from evidence.ports import Progress
from evidence.sampling import longest_gap_us, sampled
from evidence.speed import motion
from evidence.telemetry import CERTAINTIES, NO_TIME, Certainty, Flag, Quantity, Telemetry
from evidence.wire import track_from_json
from media.telemetry import table
from media.telemetry.read import read

MOST_SECONDS = 400_000
"""Of one source: four and a half days. What lies beyond is in the Parquet file."""

LEFT_OUT = f"only the first {MOST_SECONDS} seconds are on the map; the Parquet file has all"

LINKS = "in"
"""Folders in `out` that lead to the inputs, and are nothing to keep."""

_ODD = re.compile(r"[^\w.-]")
_NUMBER = {certainty: number for number, certainty in enumerate(CERTAINTIES)}
_COLUMNS = {
    "height_takeoff_m": Quantity.HEIGHT_TAKEOFF,
    "height_sea_m": Quantity.HEIGHT_SEA,
    "accuracy_m": Quantity.ACCURACY_HORIZONTAL,
    "yaw_deg": Quantity.CAMERA_YAW,
    "pitch_deg": Quantity.CAMERA_PITCH,
    "speed_mps": Quantity.SPEED,
}
_Columns = dict[str, npt.NDArray[Any]]


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    size_wh = None if params.get("size_wh") is None else (int(params["size_wh"][0]), int(params["size_wh"][1]))
    before = params.get("before")
    if before is None:
        found, notes = _read_all(inputs, params, out)
        told = [{"carrier": carrier, **_about(source)} for carrier, source in found]
        fixes = [source.telemetry for _, source in found]
    else:
        told, notes = before["sources"], before["notes"]
        fixes = [table.read(inputs[f"telemetry-{number}.parquet"]) for number in range(len(told))]
    sources, seen = [], []
    for number, (about, telemetry) in enumerate(zip(told, fixes, strict=True)):
        table.write(telemetry, out / f"telemetry-{number}.parquet")
        moments, cut = _moments(telemetry, params.get("duration_us"))
        columns, reasons = _seconds(sampled(telemetry, moments), size_wh)
        np.savez_compressed(out / f"seconds-{number}.npz", allow_pickle=False, **columns)
        left_out = [LEFT_OUT] if cut and LEFT_OUT not in about["warnings"] else []
        sources.append({**about, "warnings": [*about["warnings"], *left_out], "reasons": reasons})
        seen.append(int((columns["seen_by"] > 0).sum()))
        progress(number + 1, len(fixes))
    located_by = None
    if size_wh is not None and "tracks.json" in inputs and any(seen):
        located_by = int(np.argmax(seen))
        placed = _located(fixes[located_by], size_wh, inputs["tracks.json"])
        np.savez_compressed(out / "located.npz", allow_pickle=False, **placed)
    return {"sources": sources, "located_by": located_by, "notes": notes}


def _named(paths: Sequence[Path], params: Mapping[str, Any], out: Path) -> list[Path]:
    """The same files under the names they came with: an ending says something, and a warning names its file."""
    links = []
    for number, (path, filename) in enumerate(zip(paths, params["filenames"], strict=True)):
        folder = out / f"{LINKS}-{number}"
        folder.mkdir()
        link = folder / (_ODD.sub("_", filename)[-100:].lstrip(".") or "file")
        link.symlink_to(path.absolute())
        links.append(link)
    return links


def _read_all(
    inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path
) -> tuple[list[tuple[int, Joined]], list[str]]:
    """Every source with its carrier's number, on the time line of the video; and what could not be read."""
    duration_us, created_us = params.get("duration_us"), params.get("created_us")
    about: Sequence[Mapping[str, Any]] = params.get("sidecars", ())
    original, *sidecars = _named([inputs["original"], *(inputs[f"sidecar-{n}"] for n in range(len(about)))], params, out)
    found: list[tuple[int, Joined]] = []
    notes: list[str] = []
    try:
        found += [(0, embedded(telemetry, duration_us, created_us)) for telemetry in read(original)]
    except BadInput as exc:
        notes.append(str(exc))
    for number, (path, sidecar) in enumerate(zip(sidecars, about, strict=True)):
        try:
            told = read(path)
        except BadInput as exc:
            notes.append(f"{sidecar['reference']}: {exc}")
            continue
        for telemetry in told:
            source = joined(
                telemetry,
                duration_us=int(params["duration_us"]),
                start_utc_us=params.get("start_utc_us"),
                created_us=created_us,
                offset_us=sidecar.get("offset_us"),
                correction=_correction(sidecar.get("corrections", {}).get(telemetry.family.value)),
                by_time=bool(sidecar.get("by_time")),
            )
            found.append((number + 1, source))
    return found, notes


def _correction(given: Sequence[float] | None) -> Correction | None:
    return None if given is None else Correction(given[0], given[1], Evidence.STATED, "")


def _moments(telemetry: Telemetry, duration_us: int | None) -> tuple[npt.NDArray[np.int64], bool]:
    """About one moment a second while there are fixes: a fix's own where the second has one. And whether some were left out.

    A second without a fix between two that are near enough is filled; of a sidecar, only what lies in the video is taken.
    """
    at = telemetry.elapsed_us
    if duration_us is not None:
        at = at[(at >= 0) & (at <= duration_us)]
    if not len(at):
        return at, False
    seconds, first = np.unique(at // 1_000_000, return_index=True)
    own = at[first]
    between = [
        np.arange(left + 1, right)
        for left, right, one, next_one in zip(seconds[:-1], seconds[1:], own[:-1], own[1:], strict=True)
        if right - left > 1 and next_one - one <= longest_gap_us(telemetry)
    ]
    filled = np.concatenate(between) * 1_000_000 if between else np.empty(0, np.int64)
    moments = np.sort(np.concatenate([own, filled]))
    return moments[:MOST_SECONDS], len(moments) > MOST_SECONDS


def _seconds(telemetry: Telemetry, size_wh: tuple[int, int] | None) -> tuple[_Columns, list[str]]:
    """Columns of one row a moment, and the reasons that `why` numbers.

    Shape: all (n,), but `camera`, `centre`: (n, 2) and `corners`: (n, 4, 2), degrees, latitude first.
    """
    prints = geo.footprints(telemetry, size_wh)
    reasons = sorted({*prints.why, ""})
    numbers = {why: number for number, why in enumerate(reasons)}
    placed = telemetry.placed
    worth = _NUMBER[telemetry.certainty.get(Quantity.LATITUDE, Certainty.MEASURED)]
    between = (telemetry.flags & int(Flag.INTERPOLATED)) != 0
    placed_by = np.where(placed, np.where(between, max(worth, _NUMBER[Certainty.DERIVED]), worth), 0)
    camera = np.stack([telemetry.column(Quantity.LATITUDE), telemetry.column(Quantity.LONGITUDE)], -1)
    columns: _Columns = {
        "at_us": telemetry.elapsed_us,
        "clock_us": telemetry.clock_us,
        "flags": telemetry.flags,
        "camera": np.where(placed[:, None], camera, np.nan),
        "centre": prints.centre_deg,
        "corners": prints.corners_deg,
        "error_m": prints.error_m,
        "placed_by": placed_by.astype(np.uint8),
        "seen_by": np.array([_NUMBER[certainty] for certainty in prints.certainty], np.uint8),
        "why": np.array([numbers[why] for why in prints.why], np.uint16),
    }
    return columns | {name: telemetry.column(quantity) for name, quantity in _COLUMNS.items()}, reasons


def _about(source: Joined) -> dict[str, Any]:
    telemetry = source.telemetry
    clocks = telemetry.clock_us[telemetry.clock_us != NO_TIME]
    some = len(telemetry) > 0
    return {
        "family": telemetry.family.value,
        "dialect": telemetry.dialect,
        "device": telemetry.device,
        "zone": telemetry.zone.value,
        "fixes": len(telemetry),
        "placed": int(telemetry.placed.sum()),
        "first_us": int(telemetry.elapsed_us[0]) if some else None,
        "last_us": int(telemetry.elapsed_us[-1]) if some else None,
        "clock_first_us": int(clocks[0]) if len(clocks) else None,
        "clock_last_us": int(clocks[-1]) if len(clocks) else None,
        "offset_us": source.offset_us,
        "residual_us": source.residual_us,
        "frame_synchronous": telemetry.frame_synchronous,
        "warnings": [*telemetry.warnings, *source.warnings],
    }


def _located(telemetry: Telemetry, size_wh: tuple[int, int], path: Path) -> _Columns:
    whole = json.loads(path.read_bytes())
    first_pts = int(whole["frame_pts"][0]) if whole["frame_pts"] else 0
    stood = feet((track_from_json(value) for value in whole["tracks"]), size_wh, first_pts)
    found = geo.locate(telemetry, size_wh, stood.at_us, stood.points_xy)
    moved = motion(telemetry, size_wh, stood.track, stood.at_us, stood.points_xy)
    good = np.array([certainty is not None for certainty in found.certainty], bool)
    return {
        "track": stood.track[good],
        "at_us": stood.at_us[good],
        "latlon": found.latlon_deg[good],
        "ellipse": found.ellipse[good],
        "certainty": np.array([_NUMBER[c] for c in found.certainty if c is not None], np.uint8),
        "motion": np.stack([moved.speed_mps, moved.speed_error_mps, moved.heading_deg, moved.heading_error_deg], axis=-1)[
            good
        ],
    }

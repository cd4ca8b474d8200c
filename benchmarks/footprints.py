"""How far calculated footprints lie from those that MISB files carry, and errors on generated flights whose truth is known.

    python -m benchmarks.footprints [FILE.ts …]

The file's own corners and frame centres are taken away, footprints are calculated from position, heights, angles and fields
of view, and both are compared by pyproj on the ellipsoid. Prints what stands in docs/places.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyproj import Geod

from evidence import earth, geo, sight
from evidence.telemetry import NO_TIME, Family, Quantity, Telemetry, Zone
from media.telemetry import misb

Floats = npt.NDArray[np.float64]

_DRAWS = 20_000
_PLACE = (51.500012, -0.100034)
_HALF = float(np.tan(np.radians(35)))
_PICTURE = (1920, 1080)
_LOOKS = ((60.0, -90.0), (100.0, -60.0), (100.0, -45.0), (100.0, -30.0), (100.0, -20.0), (100.0, -10.0))
_SAID = ("corner_", "centre_latitude", "centre_longitude")
_GEOD = Geod(ellps="WGS84")


def against_the_file(path: Path) -> list[str]:
    """Two lines of the table: frame centres and corners."""
    told = misb.read(path)
    bare = replace(told, columns={q: c for q, c in told.columns.items() if not q.value.startswith(_SAID)})
    theirs, ours = geo.footprints(told), geo.footprints(bare)
    span_s = (told.elapsed_us[-1] - told.elapsed_us[0]) / 1e6
    away = _metres(theirs.camera_deg, theirs.centre_deg)
    about = (
        f"{path.name}: {told.device or told.dialect}, {len(told)} fixes, {span_s:.1f} s, {np.nanmedian(away):,.0f} m away"
    )
    lines = []
    for what, their, our in (
        ("centre", theirs.centre_deg, ours.centre_deg),
        ("corners", theirs.corners_deg, ours.corners_deg),
    ):
        apart = _metres(their, our)
        apart = apart[np.isfinite(apart)]
        lines.append(f"| {about} | {what} | {len(apart)} | {_percentiles(apart)} |")
    return lines


def _percentiles(metres: Floats) -> str:
    if not len(metres):
        return "none | none"
    middle, most = np.percentile(metres, [50, 95])
    return f"{middle:.2f} m | {most:.2f} m"


def _metres(one: Floats, other: Floats) -> Floats:
    known = np.isfinite(one + other).all(-1)
    flat = np.full(known.shape, np.nan)
    flat[known] = _GEOD.inv(one[known][:, 1], one[known][:, 0], other[known][:, 1], other[known][:, 0])[2]
    return flat


def drawn(height_m: float, pitch_deg: float, rng: np.random.Generator) -> str:
    """A line: the same look many times, every value wrong as the stated defaults say."""
    n = _DRAWS
    columns = {
        Quantity.HEIGHT_TAKEOFF: height_m + rng.normal(0, sight.HEIGHT_TAKEOFF_M, n),
        Quantity.CAMERA_YAW: 30 + rng.normal(0, sight.YAW_DEG, n),
        Quantity.CAMERA_PITCH: pitch_deg + rng.normal(0, sight.PITCH_DEG, n),
        Quantity.CAMERA_ROLL: rng.normal(0, sight.ROLL_DEG, n),
        Quantity.HORIZONTAL_VIEW: 2 * np.degrees(np.arctan(_HALF * (1 + rng.normal(0, sight.VIEW_SHARE, n)))),
    }
    around = earth.moved(np.tile(_PLACE, (n, 1)), rng.normal(0, sight.PLACE_M, (n, 2)))
    columns |= {Quantity.LATITUDE: around[:, 0], Quantity.LONGITUDE: around[:, 1]}
    flown = _telemetry(columns)
    truth = _telemetry(
        {
            Quantity.LATITUDE: np.array([_PLACE[0]]),
            Quantity.LONGITUDE: np.array([_PLACE[1]]),
            Quantity.HEIGHT_TAKEOFF: np.array([height_m]),
            Quantity.CAMERA_YAW: np.array([30.0]),
            Quantity.CAMERA_PITCH: np.array([pitch_deg]),
            Quantity.CAMERA_ROLL: np.array([0.0]),
            Quantity.HORIZONTAL_VIEW: np.array([70.0]),
        }
    )
    point = np.array([[960.0, 700.0]])
    there = geo.locate(truth, _PICTURE, truth.elapsed_us, point).latlon_deg
    feet = point + rng.normal(0, geo.FOOT_SHARE, (n, 2)) * np.array(_PICTURE) / 2
    found = geo.locate(flown, _PICTURE, flown.elapsed_us, feet)
    placed = np.isfinite(found.latlon_deg).all(1)
    way = earth.offset_m(found.latlon_deg[placed], np.broadcast_to(there, (int(placed.sum()), 2)))
    turn = np.radians(found.ellipse[placed, 2])
    along = way[:, 0] * np.sin(turn) + way[:, 1] * np.cos(turn)
    across = way[:, 0] * np.cos(turn) - way[:, 1] * np.sin(turn)
    held = (along / found.ellipse[placed, 0]) ** 2 + (across / found.ellipse[placed, 1]) ** 2 <= 1
    far = np.linalg.norm(earth.offset_m(np.array([_PLACE]), there))
    middle, most = np.percentile(np.hypot(way[:, 0], way[:, 1]), [50, 95])
    longest, shortest = np.median(found.ellipse[placed, 0]), np.median(found.ellipse[placed, 1])
    return (
        f"| {height_m:.0f} m | {pitch_deg:.0f}° | {far:.0f} m | {middle:.1f} m | {most:.1f} m | "
        f"{longest:.0f} × {shortest:.0f} m | {held.mean():.1%} | {placed.mean():.1%} |"
    )


def _telemetry(columns: dict[Quantity, Floats]) -> Telemetry:
    n = len(columns[Quantity.LATITUDE])
    at = np.arange(n, dtype=np.int64) * 1_000_000
    flags, clock = np.zeros(n, np.uint8), np.full(n, NO_TIME, np.int64)
    return Telemetry(Family.MISB, "generated", "", Zone.UTC, at, clock, flags, columns, {}, frame_synchronous=True)


def main(paths: Sequence[str]) -> None:
    if paths:
        print("| footage | what | compared | median | 95th percentile |\n|---|---|---|---|---|")
        for path in paths:
            print("\n".join(against_the_file(Path(path))))
        print()
    rng = np.random.default_rng(7)
    print("| height | pitch | distance | median | 95th percentile | ellipse | holds the truth | placed |")
    print("|---|---|---|---|---|---|---|---|")
    for height, pitch in _LOOKS:
        print(drawn(height, pitch, rng))


if __name__ == "__main__":
    main(sys.argv[1:])

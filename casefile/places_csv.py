"""Places as tables (RFC 4180): one of fixes, one of the ground in the picture, one of what was seen."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from casefile.places import Places, Seen, certainty_of, flag_words, not_measured, plain_clock, spaced, utc
from evidence.telemetry import NO_TIME, Quantity

_FIX = ("exhibit", "source", "elapsed_s", "utc", "utc_error_s", "utc_by", "claimed", "clock", "placed", "certainty", "flags")
_ALSO = ("not_measured",)
_GROUND = tuple(f"{what}_{axis}_deg" for what in ("camera", "centre") for axis in ("latitude", "longitude"))
_CORNERS = tuple(f"corner_{k}_{axis}_deg" for k in (1, 2, 3, 4) for axis in ("latitude", "longitude"))
_SEEN = ("exhibit", "track", "label", "elapsed_s", "latitude_deg", "longitude_deg")
_ELLIPSE = ("ellipse_major_m", "ellipse_minor_m", "ellipse_azimuth_deg", "certainty")
_MOVED = ("speed_mps", "speed_error_mps", "heading_deg", "heading_error_deg")
_CALCULATED = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula at the start of a text."""


def fixes_csv(places: Places, every_us: int = 0) -> str:
    """Every fix, those without a place too. Each quantity that any source gives has a column; its name has the unit."""
    given = [q for q in Quantity if any(q in source.telemetry.columns for source in places.sources)]
    rows: list[Sequence[object]] = []
    for source in places.sources:
        telemetry = source.telemetry
        columns = [telemetry.column(quantity) for quantity in given]
        unmeasured = "; ".join(f"{name} {worth}" for name, worth in not_measured(telemetry).items())
        for row in spaced(telemetry.elapsed_us, every_us):
            clock = int(telemetry.clock_us[row])
            placed = bool(telemetry.placed[row])
            rows.append(
                [
                    _safe(source.name),
                    telemetry.family.value,
                    f"{int(telemetry.elapsed_us[row]) / 1e6:.6f}",
                    utc(int(source.utc_us[row])),
                    source.utc_error_s,
                    source.utc_by,
                    None if clock == NO_TIME else plain_clock(clock),
                    telemetry.zone.value,
                    "yes" if placed else "no",
                    certainty_of(telemetry, int(row)).value if placed else None,
                    "; ".join(flag_words(int(telemetry.flags[row]))),
                    *(_number(column[row]) for column in columns),
                    unmeasured,
                ]
            )
    return _table((*_FIX, *(quantity.value for quantity in given), *_ALSO), rows)


def footprints_csv(places: Places, every_us: int = 0) -> str:
    """The ground in the picture at each moment, those without any too, with why."""
    rows: list[Sequence[object]] = []
    for ground in places.grounds:
        prints = ground.footprints
        for row in spaced(prints.elapsed_us, every_us):
            certainty = prints.certainty[row]
            rows.append(
                [
                    _safe(ground.name),
                    f"{int(prints.elapsed_us[row]) / 1e6:.6f}",
                    *(_number(value) for value in prints.camera_deg[row]),
                    *(_number(value) for value in prints.centre_deg[row]),
                    *(_number(value) for value in prints.corners_deg[row].ravel()),
                    _number(prints.error_m[row]),
                    None if certainty is None else certainty.value,
                    prints.why[row],
                ]
            )
    return _table(("exhibit", "elapsed_s", *_GROUND, *_CORNERS, "error_m", "certainty", "why"), rows)


def located_csv(places: Places) -> str:
    """What was seen, moment by moment, with the ellipse that holds its place 95 times of 100."""
    rows = [
        [
            _safe(seen.name),
            seen.track,
            _safe(seen.label),
            f"{seen.elapsed_us / 1e6:.6f}",
            _number(seen.latitude_deg),
            _number(seen.longitude_deg),
            *(_number(value) for value in seen.ellipse_m),
            seen.certainty.value,
            *_moved(seen),
        ]
        for seen in places.seen
    ]
    return _table((*_SEEN, *_ELLIPSE, *_MOVED), rows)


def _moved(seen: Seen) -> list[str | None]:
    values = [None if seen.moved is None else getattr(seen.moved, name) for name in _MOVED]
    return [None if value is None else _number(value) for value in values]


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _number(value: float) -> str | None:
    return f"{value:.9g}" if math.isfinite(value) else None


def _safe(value: str) -> str:
    return f"'{value}" if value.startswith(_CALCULATED) else value

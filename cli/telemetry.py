"""`exhibit telemetry`: where a drone, camera or receiver was, from one file, without any server."""

from __future__ import annotations

import json
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from casefile.places import Ground, Places, Source, certainty_of, flag_words, plain_clock, spaced
from casefile.places_csv import fixes_csv, footprints_csv
from casefile.places_geojson import geojson
from casefile.places_xml import gpx, kml
from cli.analyse import check_folder, check_readable
from cli.progress import counting
from config.settings import load
from evidence.errors import BadInput, Conflict
from evidence.geo import footprints
from evidence.sampling import sampled
from evidence.telemetry import NO_TIME, Quantity, Telemetry
from media.telemetry import table
from workers import child

_SECOND_US = 1_000_000
_ROWS_SHOWN = 40
_WIDTH = 170


class Format(StrEnum):
    TABLE = "table"
    GEOJSON = "geojson"
    GPX = "gpx"
    KML = "kml"
    CSV = "csv"


def telemetry(
    file: Annotated[Path, typer.Argument(help="An SRT, GPX, NMEA, CSV, KLV or GoPro file, or a recording.", dir_okay=False)],
    to: Annotated[Format, typer.Option("--to", help="What to write.")] = Format.TABLE,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write; without it: standard output.")] = None,
    every_s: Annotated[float, typer.Option("--every", help="At most one fix in so many seconds; 0: all.", min=0)] = 0.0,
    ground: Annotated[
        bool, typer.Option("--ground", help="The ground in the picture, one a second, as well (csv: instead of fixes).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say what the file holds as JSON, and write only --out.")] = False,
) -> None:
    """Read where a drone, camera or receiver was from one file, without any server.

    Every source in the file is read: subtitles and metadata tracks of a recording too. What is odd, assumed or could not
    be read is said. Times are UTC only where the format says so; a device's local time stays as it came.

    Example: exhibit telemetry DJI_0001.SRT --to gpx -o flight.gpx

    Exit code: 0 done; 1 the reading itself failed; 2 the file carries no telemetry or can't be read, said in a sentence, or
    wrong use; 3 OUT is there already.
    """
    check_readable(file)
    if out is not None:
        check_folder(out.absolute().parent)
        if out.exists():
            raise Conflict(f"{out} is there already", hint="Choose another name, or move the old file.")
    if ground and to in {Format.GPX, Format.TABLE}:
        raise BadInput(f"--ground can't be written as {to.value}", hint="Choose --to geojson, kml or csv.")
    told, sources = _read(file, quiet=as_json or out is None)
    places = _places(file, told, sources, ground=ground)
    text = _written(places, to, round(every_s * 1e6), ground=ground)
    if out is not None:
        out.write_text(text, encoding="utf-8", newline="")
    if as_json:
        typer.echo(json.dumps({"file": file.name, **told, "out": out and str(out)}, ensure_ascii=False, indent=2))
    elif out is None and to is not Format.TABLE:
        typer.echo(text, nl=False)
    if not as_json:
        _show(told, sources, fixes=to is Format.TABLE and out is None, aside=to is not Format.TABLE)


def _read(file: Path, *, quiet: bool) -> tuple[dict[str, Any], list[Telemetry]]:
    """In the process that holds nothing. Raises: UnsupportedMedia, CorruptMedia, TooLarge, StepFailed."""
    with tempfile.TemporaryDirectory(prefix="exhibit-") as scratch, counting("sources", quiet=quiet) as progress:
        job = child.Job("telemetry", {"original": file}, Path(scratch))
        told = child.run(job, child.Limits.of(load()), progress)
        return told, [table.read(Path(scratch) / f"telemetry-{n}.parquet") for n in range(len(told["sources"]))]


def _places(file: Path, told: dict[str, Any], sources: list[Telemetry], *, ground: bool) -> Places:
    grounds = []
    if ground:
        size = told["size_wh"]
        for source in sources:
            moments = source.elapsed_us[spaced(source.elapsed_us, _SECOND_US)]
            grounds.append(Ground(file.name, footprints(sampled(source, moments), size and (size[0], size[1]))))
    return Places([Source.of(file.name, source) for source in sources], grounds)


def _written(places: Places, to: Format, every_us: int, *, ground: bool) -> str:
    match to:
        case Format.GEOJSON:
            return geojson(places, every_us)
        case Format.GPX:
            return gpx(places, every_us)
        case Format.KML:
            return kml(places, every_us)
        case Format.CSV:
            return footprints_csv(places, every_us) if ground else fixes_csv(places, every_us)
        case Format.TABLE:
            rows = [row for source in places.sources for row in (_HEADER, *_rows(source.telemetry, every_us or _SECOND_US))]
            return "".join("\t".join(row) + "\n" for row in rows)


_HEADER = ("at", "clock", "latitude", "longitude", "above take-off", "above sea", "speed", "yaw", "pitch", "worth", "flags")
_SHOWN = (
    (Quantity.HEIGHT_TAKEOFF, "{:.1f} m"),
    (Quantity.HEIGHT_SEA, "{:.1f} m"),
    (Quantity.SPEED, "{:.1f} m/s"),
    (Quantity.CAMERA_YAW, "{:.1f}°"),
    (Quantity.CAMERA_PITCH, "{:.1f}°"),
)


def _rows(source: Telemetry, every_us: int) -> list[tuple[str, ...]]:
    rows = []
    for row in spaced(source.elapsed_us, every_us):
        placed = bool(source.placed[row])
        clock = int(source.clock_us[row])
        values = [(float(source.column(quantity)[row]), form) for quantity, form in _SHOWN]
        rows.append(
            (
                f"{int(source.elapsed_us[row]) / 1e6:.3f} s",
                "" if clock == NO_TIME else plain_clock(clock),
                f"{source.column(Quantity.LATITUDE)[row]:.6f}" if placed else "",
                f"{source.column(Quantity.LONGITUDE)[row]:.6f}" if placed else "",
                *("" if np.isnan(value) else form.format(value) for value, form in values),
                certainty_of(source, int(row)).value if placed else "",
                ", ".join(flag_words(int(source.flags[row]))),
            )
        )
    return rows


def _show(told: dict[str, Any], sources: list[Telemetry], *, fixes: bool, aside: bool) -> None:
    """On standard error when the result itself goes to standard output."""
    console = Console(stderr=aside, highlight=False, soft_wrap=True)
    for about, source in zip(told["sources"], sources, strict=True):
        if fixes:
            shown = Table(*_HEADER, title=f"{about['family']}: {about['dialect']}")
            rows = _rows(source, _SECOND_US)
            for row in rows[:_ROWS_SHOWN]:
                shown.add_row(*row)
            Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH).print(shown)
            if len(rows) > _ROWS_SHOWN:
                console.print(f"and {len(rows) - _ROWS_SHOWN} seconds more: --to csv has them all")
        span_s = (about["last_s"] or 0) - (about["first_s"] or 0)
        holds = f"{about['fixes']} fixes, {about['placed']} with a place, over {span_s:.1f} s; clock: {source.clock_words}"
        console.print(f"{about['family']} ({about['dialect']}): {holds}", markup=False)
        for words in about["warnings"]:
            console.print(f"  {words}", markup=False)

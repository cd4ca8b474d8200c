"""TELEMETRY: every source of fixes in one file, for a person who asks about that file alone.

Input `original`. Outputs `telemetry-0.parquet` … (`media.telemetry.table`), one for each source. Result: {"sources": [what
each holds (`media.telemetry.summary`)], "size_wh": of a recording's upright picture, or null}.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.errors import BadInput
from evidence.ports import Progress
from media.probe import probe
from media.telemetry import table
from media.telemetry.read import read
from media.telemetry.summary import summary


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: UnsupportedMedia, CorruptMedia, TooLarge, NotFound, in words, when there is nothing."""
    del params
    found = read(inputs["original"])
    for number, telemetry in enumerate(found):
        table.write(telemetry, out / f"telemetry-{number}.parquet")
        progress(number + 1, len(found))
    return {"sources": [summary(telemetry) for telemetry in found], "size_wh": _size_wh(inputs["original"])}


def _size_wh(path: Path) -> tuple[int, int] | None:
    try:
        video = probe(path, quick=True).main_video
    except BadInput:
        return None  # a sidecar, or a recording without a picture
    return None if video is None else video.upright_size_wh

"""SHEET: a contact sheet: the same moments of several copies of a video, one row each.

Inputs: `tracks.json` and any number of videos by name (`original`, `annotated`, `redacted` …); rows come in the order of
the names given in `rows`, else in that of the inputs. Params, all optional: `rows`, `columns` (4), `cell_px` (480).
In `out`: `sheet.jpg`. Result: {"frames": [the frame numbers shown]}. The copies must have the same frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from evidence.errors import IntegrityError
from evidence.mediatime import MediaTime
from evidence.ports import Progress
from evidence.track import Origin
from media.frames import read_frames
from media.probe import main_stream
from media.stills import RGB, fitted, save_jpeg, sheet
from workers.tasks import analysis as analyses


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: IntegrityError when a copy lacks a frame that the analysis has."""
    analysis = analyses.read(inputs[analyses.NAME])
    names: Sequence[str] = params.get("rows") or [name for name in inputs if name != analyses.NAME]
    frames = moments(analysis, int(params.get("columns", 4)))
    cell = int(params.get("cell_px", 480))
    rows = []
    for done, name in enumerate(names):
        progress(done, len(names))
        rows.append((name, _pictures(inputs[name], frames, (cell, cell))))
    cell_wh = (max(p.shape[1] for _, row in rows for p in row), max(p.shape[0] for _, row in rows for p in row))
    titles = [MediaTime(analysis.frame_pts[frame], analysis.time_base).label() for frame in frames]
    save_jpeg(sheet(rows, titles, cell_wh), out / "sheet.jpg")
    progress(len(names), len(names))
    return {"frames": frames}


def moments(analysis: analyses.Analysis, count: int) -> list[int]:
    """The frame of each of `count` equal stretches of the video on which the most was seen, and most surely."""
    seen = np.zeros(analysis.frame_count)
    for track in analysis.tracks:
        for box in track.boxes:
            seen[box.frame] += box.score * (1.0 if box.origin is Origin.DETECTED else 0.5)
    edges = np.linspace(0, analysis.frame_count, min(count, analysis.frame_count) + 1).astype(int).tolist()
    return [first + _best(seen[first:end]) for first, end in pairwise(edges)]


def _best(seen: np.ndarray[Any, np.dtype[np.float64]]) -> int:
    """The surest frame; of equals the middle one, so that an empty stretch isn't shown by its edge."""
    best = np.flatnonzero(seen == seen.max())
    return int(best[len(best) // 2])


def _pictures(path: Path, frames: Sequence[int], within_wh: tuple[int, int]) -> list[RGB]:
    found: list[RGB] = []
    wanted = set(frames)
    with read_frames(path, main_stream(path)) as reader:
        for frame in reader:
            if frame.index in wanted:
                found.append(frame.small_rgb(fitted(frame.upright_size_wh, within_wh)))
            if len(found) == len(wanted):
                return found
    raise IntegrityError(f"{path.name} has fewer frames than were analysed")

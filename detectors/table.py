"""Detections in Parquet files: what one segment's models saw, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from evidence.errors import IntegrityError
from evidence.track import Detections, Track

_BOX = pa.list_(pa.float32(), 4)
_SEEN = [
    ("frame", pa.int64()),
    ("pts", pa.int64()),
    ("time_base", pa.string()),
    ("box_xyxy", _BOX),
    ("score", pa.float32()),
    ("label", pa.string()),
    ("model", pa.string()),
]
_RAW = pa.schema([*_SEEN, ("ago", pa.int64())])
_FINAL = pa.schema([*_SEEN[:6], ("track_id", pa.int64()), ("model", pa.string()), ("origin", pa.string())])
_ABOUT = b"exhibit"


@dataclass(frozen=True, slots=True)
class SegmentSeen:
    """One segment: what was seen in it, and every frame that decoded, seen in or not.

    Shape: `frame_pts`: (frames,); `detections.frame` counts within the segment.
    """

    number: int
    frame_pts: npt.NDArray[np.int64]
    detections: Detections
    about: dict[str, Any]
    """`start_pts` (where it was cut), `size_wh`, `models`, `looked_for`, `not_looked_for`, `damage`, and `motion`
    (`detectors.motion.recorded`), as JSON values."""


def write_raw(seen: SegmentSeen, path: Path) -> None:
    found = seen.detections
    about = {"number": seen.number, "frame_pts": seen.frame_pts.tolist(), "time_base": str(found.time_base), **seen.about}
    schema = _RAW.with_metadata({_ABOUT: json.dumps(about, ensure_ascii=False)})
    pq.write_table(pa.table(_seen_columns(found), schema=schema), path)


def read_raw(path: Path) -> SegmentSeen:
    """Raises: IntegrityError for a file that DETECT didn't write."""
    try:
        table = pq.read_table(path)
        about = json.loads(table.schema.metadata[_ABOUT])
        table = table.select(_RAW.names).cast(_RAW)
    except (pa.ArrowException, KeyError, TypeError, ValueError) as exc:
        raise IntegrityError(f"{path.name} is no table of detections", hint="Retry the DETECT steps.") from exc
    detections = Detections(
        frame=table["frame"].to_numpy(),
        pts=table["pts"].to_numpy(),
        box_xyxy=_boxes(table["box_xyxy"]),
        score=table["score"].to_numpy(),
        label=tuple(table["label"].to_pylist()),
        model=tuple(table["model"].to_pylist()),
        time_base=Fraction(about.pop("time_base")),
        ago=table["ago"].to_numpy(),
    )
    frame_pts = np.array(about.pop("frame_pts"), np.int64)
    return SegmentSeen(about.pop("number"), frame_pts, detections, about)


def write_final(tracks: Sequence[Track], untracked: Detections, path: Path) -> None:
    """Every box of every track, and what was seen but belongs to none (track_id -1), by frame, then track."""
    boxes = [(b, t) for t in tracks for b in t.boxes]
    count = len(boxes) + len(untracked)
    time_base = str(untracked.time_base)
    columns = {
        "frame": np.array([b.frame for b, _ in boxes] + untracked.frame.tolist(), np.int64),
        "pts": np.array([b.pts for b, _ in boxes] + untracked.pts.tolist(), np.int64),
        "time_base": [time_base] * count,
        "box_xyxy": _box_column(np.array([b.box_xyxy for b, _ in boxes] + untracked.box_xyxy.tolist(), np.float32)),
        "score": np.array([b.score for b, _ in boxes] + untracked.score.tolist(), np.float32),
        "label": [t.label for _, t in boxes] + list(untracked.label),
        "track_id": np.array([t.id for _, t in boxes] + [-1] * len(untracked), np.int64),
        "model": [t.model for _, t in boxes] + list(untracked.model),
        "origin": [b.origin.value for b, _ in boxes] + ["detected"] * len(untracked),
    }
    table = pa.table(columns, schema=_FINAL).sort_by([("frame", "ascending"), ("track_id", "ascending")])
    pq.write_table(table, path)


def _seen_columns(found: Detections) -> dict[str, Any]:
    return {
        "frame": found.frame,
        "pts": found.pts,
        "time_base": [str(found.time_base)] * len(found),
        "box_xyxy": _box_column(found.box_xyxy),
        "score": found.score,
        "label": list(found.label),
        "model": list(found.model),
        "ago": found.ago,
    }


def _box_column(box_xyxy: npt.NDArray[np.float32]) -> Any:
    return pa.FixedSizeListArray.from_arrays(pa.array(box_xyxy.reshape(-1), pa.float32()), 4)


def _boxes(column: Any) -> npt.NDArray[np.float32]:
    flat: npt.NDArray[np.float32] = column.combine_chunks().flatten().to_numpy()
    return flat.reshape(-1, 4)

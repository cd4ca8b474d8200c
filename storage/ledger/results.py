"""What a step gives back, and how it becomes rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence.errors import Conflict
from evidence.exhibit import Condition, Exhibit, MediaInfo
from evidence.steps import StepRun
from evidence.track import Track
from evidence.wire import media_to_json
from storage.ledger.findings import NewDoubts
from storage.ledger.places import NewPlaces
from storage.ledger.writer import clean, new_id, storable
from storage.rows import exhibit_of
from storage.tables import exhibits, outputs, tracks


@dataclass(frozen=True, slots=True)
class NewOutput:
    """An object already stored under `key`, to be recorded with the step's result."""

    name: str
    key: str
    sha256: str
    size_bytes: int
    content_type: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What a step gives back. `media`/`condition` come from PROBE, `tracks` and
    `doubts` from INDEX, `places` from LOCATE."""

    recipe: str
    outputs: Sequence[NewOutput] = ()
    note: str = ""
    condition: Condition | None = None
    condition_note: str = ""
    media: MediaInfo | None = None
    tracks: Sequence[Track] | None = None
    thumbnails: Mapping[int, str] = field(default_factory=dict)
    """Track id → output name of its picture."""
    places: NewPlaces | None = None
    doubts: NewDoubts | None = None
    models: Sequence[str] = ()
    """`name sha256` of what really ran, for the custody log."""


def record_outputs(connection: Connection, run: StepRun, result: Result, now: datetime) -> None:
    """Rows for objects that are stored already. Raises: Conflict when a key is known with other bytes."""
    for output in result.outputs:
        row = {
            "id": new_id(),
            "exhibit_id": run.exhibit_id,
            "case_id": run.case_id,
            "step_run_id": run.id,
            "step": run.step.value,
            "segment": run.segment,
            "name": output.name,
            "key": output.key,
            "sha256": output.sha256,
            "size_bytes": output.size_bytes,
            "content_type": output.content_type,
            "recipe": result.recipe,
            "details": storable(output.details),
            "created_at": now,
        }
        known = connection.execute(select(outputs.c.sha256).where(outputs.c.key == output.key)).scalars()
        if any(sha256 != output.sha256 for sha256 in known):
            raise Conflict(f"output {output.name} is recorded already, with another SHA-256")
        # The same recipe again: the object is kept, and is the newest result now.
        connection.execute(
            upsert(outputs)
            .values(row)
            .on_conflict_do_update(index_elements=["step_run_id", "key"], set_={"created_at": now})
        )


def record_probe(connection: Connection, exhibit: Exhibit, result: Result) -> Exhibit:
    """Write what a probe learnt about the exhibit itself; the exhibit as it stands then."""
    new: dict[str, Any] = {}
    if result.media is not None:
        new["media"] = storable(media_to_json(result.media))
    if result.condition is not None:
        new |= {"condition": result.condition.value, "note": clean(result.condition_note)}
    if not new:
        return exhibit
    this = exhibits.c.id == exhibit.id
    return exhibit_of(connection.execute(update(exhibits).where(this).values(new).returning(exhibits)).one())


def record_tracks(connection: Connection, exhibit: Exhibit, result: Result) -> None:
    """Put the tracks of this run in the place of an earlier run's.

    Units: `start_s` and `end_s` in seconds from the video's first frame; the pts are the truth.
    """
    connection.execute(delete(tracks).where(tracks.c.exhibit_id == exhibit.id))
    video = exhibit.media.main_video if exhibit.media is not None else None
    zero = video.start_pts * video.time_base if video is not None else 0
    rows = []
    for track in result.tracks or ():
        best, first, last = track.best, track.boxes[0], track.boxes[-1]
        rows.append(
            {
                "exhibit_id": exhibit.id,
                "track_id": track.id,
                "label": track.label,
                "model": track.model,
                "time_base": str(track.time_base),
                "first_pts": first.pts,
                "last_pts": last.pts,
                "first_frame": first.frame,
                "last_frame": last.frame,
                "best_pts": best.pts,
                "best_frame": best.frame,
                "best_score": best.score,
                "best_box_xyxy": list(best.box_xyxy),
                "start_s": float(track.span.start.seconds - zero),
                "end_s": float(track.span.end.seconds - zero),
                "frames": len(track.boxes),
                "thumbnail_output": result.thumbnails.get(track.id, ""),
            }
        )
    if rows:
        connection.execute(insert(tracks), rows)

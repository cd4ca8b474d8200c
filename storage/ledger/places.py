"""Where devices were and looked: what LOCATE gives back as rows; pairings and clocks' corrections that a person makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence.audit import Verb
from evidence.case import User
from evidence.clock import Correction
from evidence.errors import BadInput, Conflict
from evidence.exhibit import Exhibit, ExhibitId, FileType
from evidence.places import How
from evidence.steps import SIDECARS, Priority, Step, StepRun, StepState, Wanted
from evidence.telemetry import CERTAINTIES
from storage.blocks import Block, read_block
from storage.ledger.exhibits import locked_exhibit
from storage.ledger.graph import AUTOMATIC, new_step_row
from storage.ledger.pairing import hold_pairings, in_words, locate_again, partners
from storage.ledger.writer import Act, Writer, clean, new_id, storable
from storage.place_tables import clock_corrections, fixes, located, pairings, place_blocks, place_cells, telemetry_sources
from storage.rows import exhibit_of
from storage.stretches import stretches_of
from storage.tables import exhibits, outputs, step_runs

TRACKS = "tracks.json"
"""What TRACK calls its output with the tracks."""
_LONGEST_WORDS = 1000
_ROWS_AT_ONCE = 5000
_LOCATES = (step_runs.c.step == Step.LOCATE.value, step_runs.c.exhibit_id.is_not(None))
_PROBED = (
    step_runs.c.step == Step.PROBE.value,
    step_runs.c.state == StepState.DONE.value,
    step_runs.c.exhibit_id.is_not(None),
)
_MOTION = ("speed_mps", "speed_error_mps", "heading_deg", "heading_error_deg")


@dataclass(frozen=True, slots=True)
class NewSource:
    """One source of fixes as LOCATE found it.

    Shape: `fixes`: columns of the table of that name (n,) each, NaN where not said; `blocks`: see `storage.blocks`.
    """

    carrier_id: ExhibitId
    about: dict[str, Any]
    """Columns of the table `telemetry_sources` besides those that say where it belongs."""
    output: str
    """Name of the output with every fix."""
    fixes: dict[str, npt.NDArray[Any]] = field(repr=False)
    blocks: Sequence[Block] = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewLocated:
    """What was seen, placed on the ground by one of the sources.

    Shape: (m,) each; `latlon` (m, 2), `ellipse` (m, 3); `motion` (m, 4): speed, its error, heading, its error, NaN where
        they can't be said.
    """

    source: int
    label: Sequence[str]
    track: npt.NDArray[np.int64]
    at_us: npt.NDArray[np.int64]
    latlon: npt.NDArray[np.float64]
    ellipse: npt.NDArray[np.float64]
    certainty: npt.NDArray[np.uint8]
    cell: npt.NDArray[np.int64]
    motion: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class NewPlaces:
    sources: Sequence[NewSource] = ()
    located: NewLocated | None = None
    tracks: str = ""
    """SHA-256 of the tracks that were there to be placed; empty before there were any."""


def record_places(connection: Connection, exhibit: Exhibit, run: StepRun, places: NewPlaces) -> None:
    """Put the places of this run in the place of an earlier run's."""
    connection.execute(delete(telemetry_sources).where(telemetry_sources.c.exhibit_id == exhibit.id))
    ids = [_record_source(connection, exhibit, run, number, source) for number, source in enumerate(places.sources)]
    if places.located is not None:
        _insert(connection, located, _located_rows(exhibit, ids[places.located.source], places.located))


def missed_tracks(connection: Connection, exhibit: Exhibit, places: NewPlaces) -> bool:
    """Whether tracks were made while LOCATE ran, that could be placed."""
    mine = (outputs.c.exhibit_id == exhibit.id) & (outputs.c.step == Step.TRACK.value) & (outputs.c.name == TRACKS)
    newest = select(outputs.c.sha256).where(mine).order_by(outputs.c.created_at.desc(), outputs.c.id).limit(1)
    return bool(places.sources) and connection.execute(newest).scalar() not in (None, places.tracks)


def _record_source(connection: Connection, exhibit: Exhibit, run: StepRun, number: int, source: NewSource) -> str:
    source_id = new_id()
    row = {
        **storable(source.about),
        "id": source_id,
        "exhibit_id": exhibit.id,
        "carrier_id": source.carrier_id,
        "step_run_id": run.id,
        "number": number,
        "output": source.output,
    }
    connection.execute(insert(telemetry_sources).values(row))
    names = list(source.fixes)
    columns = [_plain(values) for values in source.fixes.values()]
    rows = [{"source_id": source_id, **dict(zip(names, values, strict=True))} for values in zip(*columns, strict=True)]
    _insert(connection, fixes, rows)
    for block in source.blocks:
        stretches = stretches_of(read_block(block.seconds)).tobytes()
        new = {"source_id": source_id, "minute": block.minute, "seconds": block.seconds, "stretches": stretches}
        block_id = connection.execute(insert(place_blocks).values(new).returning(place_blocks.c.id)).scalar_one()
        _insert(connection, place_cells, [{"cell": cell, "block_id": block_id} for cell in sorted(block.cells)])
    return source_id


def _located_rows(exhibit: Exhibit, source_id: str, found: NewLocated) -> list[dict[str, Any]]:
    certainties = [CERTAINTIES[number] for number in found.certainty.tolist()]
    motion = np.full((len(found.track), 4), np.nan) if found.motion is None else found.motion
    columns = zip(
        found.track.tolist(),
        found.at_us.tolist(),
        found.label,
        found.latlon.tolist(),
        found.ellipse.tolist(),
        certainties,
        found.cell.tolist(),
        zip(*(_plain(motion[:, column]) for column in range(4)), strict=True),
        strict=True,
    )
    return [
        {
            "exhibit_id": exhibit.id,
            "source_id": source_id,
            "track_id": track,
            "at_us": at_us,
            "label": clean(label),
            "latitude": latlon[0],
            "longitude": latlon[1],
            "major_m": ellipse[0],
            "minor_m": ellipse[1],
            "azimuth_deg": ellipse[2],
            "certainty": certainty.value if certainty else "",
            "cell": cell,
            **dict(zip(_MOTION, moved, strict=True)),
        }
        for track, at_us, label, latlon, ellipse, certainty, cell, moved in columns
    ]


def _plain(values: npt.NDArray[Any]) -> list[Any]:
    """A column as Python values: what isn't a number is nothing."""
    if values.dtype.kind != "f":
        return list(values.tolist())
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _insert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(insert(table), rows[start : start + _ROWS_AT_ONCE])


class PlaceLedger(Writer):
    def pair(self, actor: User, sidecar_id: ExhibitId, video_id: ExhibitId, *, offset_us: int | None = None) -> int:
        """A person says that this sidecar belongs to that video; `offset_us` is to be added to its time, None: by rule.

        The video is located again. How many steps became ready. Raises: NotFound, BadInput when it is no sidecar or no
        video, Conflict when they lie in two cases.
        """
        with self._transaction() as (connection, now):
            hold_pairings(connection)
            sidecar, video = _both(connection, sidecar_id, video_id)
            row = {
                "sidecar_id": sidecar.id,
                "video_id": video.id,
                "how": How.PERSON.value,
                "active": True,
                "offset_us": offset_us,
                "made_by": actor.name,
                "made_at": now,
            }
            connection.execute(
                upsert(pairings).values(row).on_conflict_do_update(index_elements=["sidecar_id", "video_id"], set_=row)
            )
            ready = locate_again(connection, {video.id})
            details = {**in_words(sidecar, video), "how": How.PERSON, "offset_us": offset_us, "ready": ready}
            self._log(connection, Act(actor.name, Verb.PAIRED, video.case_id, video.id, details), now)
        return len(ready)

    def unpair(self, actor: User, sidecar_id: ExhibitId, video_id: ExhibitId) -> int:
        """A person parts them; nothing pairs them again by itself. Raises: NotFound, Conflict when they are no pair."""
        with self._transaction() as (connection, now):
            hold_pairings(connection)
            sidecar, video = _both(connection, sidecar_id, video_id)
            this = (pairings.c.sidecar_id == sidecar.id) & (pairings.c.video_id == video.id) & pairings.c.active
            parted = {"active": False, "made_by": actor.name, "made_at": now}
            was = connection.execute(pairings.update().where(this).values(parted).returning(pairings.c.how)).first()
            if was is None:
                raise Conflict(f"{sidecar.reference} is not paired with {video.reference}")
            ready = locate_again(connection, {video.id})
            details = {**in_words(sidecar, video), "was": was.how, "ready": ready}
            self._log(connection, Act(actor.name, Verb.UNPAIRED, video.case_id, video.id, details), now)
        return len(ready)

    def locate_missed(self, after: ExhibitId | None, limit: int) -> tuple[ExhibitId | None, int]:
        """Make LOCATE ready for exhibits that came before there was that step, some at a time in the order of their ids.

        Where to go on from, None: there are no more; and how many rows became ready.
        """
        missed = exhibits.c.id.not_in(select(step_runs.c.exhibit_id).where(*_LOCATES))
        may_need = or_(
            exhibits.c.file_type.in_([kind.value for kind in SIDECARS]),
            exhibits.c.id.in_(select(step_runs.c.exhibit_id).where(*_PROBED)),
        )
        wanted = select(exhibits).where(missed, may_need, exhibits.c.id > (after or "")).order_by(exhibits.c.id).limit(limit)
        with self._transaction() as (connection, now):
            held = connection.execute(wanted.with_for_update()).all()
            # Whoever held them before us may have made the row: asked again, now that they are ours.
            there = select(step_runs.c.exhibit_id).where(*_LOCATES, step_runs.c.exhibit_id.in_([row.id for row in held]))
            taken = set(connection.execute(there).scalars())
            ready = 0
            for exhibit in (exhibit_of(row) for row in held if row.id not in taken):
                if exhibit.file_type not in SIDECARS and (exhibit.media is None or exhibit.media.main_video is None):
                    continue
                row = {**new_step_row(exhibit.id, Wanted(Step.LOCATE), AUTOMATIC, now), "priority": Priority.RERUN.value}
                connection.execute(insert(step_runs).values(row | {"case_id": exhibit.case_id}))
                details = {"step": Step.LOCATE.value, "why": "it came before there was this step"}
                self._log(connection, Act(AUTOMATIC, Verb.STEP_ASKED, exhibit.case_id, exhibit.id, details), now)
                ready += 1
        return (held[-1].id if len(held) == limit else None), ready

    def correct_clock(self, actor: User, exhibit_id: ExhibitId, claim: str, correction: Correction) -> int:
        """What is to be added to a clock of this exhibit (`claim`: a source's family, or FILE_CLOCK), with its evidence.

        The newest correction of a clock counts; none is ever changed. What lies by clocks is located again, and the copy in
        which they run is made again; of how many exhibits. Raises: NotFound, BadInput.
        """
        words = " ".join(clean(correction.words).split())
        if not words or len(words) > _LONGEST_WORDS:
            raise BadInput(
                "a correction needs its evidence in words", hint=f"Say it in at most {_LONGEST_WORDS} characters."
            )
        with self._transaction() as (connection, now):
            hold_pairings(connection)
            exhibit = locked_exhibit(connection, exhibit_id)
            row = {
                "id": new_id(),
                "exhibit_id": exhibit.id,
                "claim": clean(claim),
                "offset_us": round(correction.offset_s * 1e6),
                "error_us": round(correction.error_s * 1e6),
                "evidence": correction.evidence.value,
                "words": words,
                "media_us": correction.frame_us,
                "made_by": actor.name,
                "made_at": now,
            }
            connection.execute(insert(clock_corrections).values(row))
            ready = locate_again(connection, partners(connection, exhibit), {Step.ANNOTATE})
            details = {key: row[key] for key in ("claim", "offset_us", "error_us", "evidence", "words", "media_us")}
            act = Act(actor.name, Verb.CLOCK_CORRECTED, exhibit.case_id, exhibit.id, {**details, "ready": ready})
            self._log(connection, act, now)
        return len(ready)


def _both(connection: Connection, sidecar_id: ExhibitId, video_id: ExhibitId) -> tuple[Exhibit, Exhibit]:
    sidecar, video = locked_exhibit(connection, sidecar_id), locked_exhibit(connection, video_id)
    if sidecar.file_type not in SIDECARS:
        raise BadInput(f"{sidecar.reference} is no sidecar", hint="Choose a file of telemetry or subtitles.")
    if video.file_type is not FileType.VIDEO:
        raise BadInput(f"{video.reference} is no video", hint="A sidecar belongs to a video.")
    if sidecar.case_id != video.case_id:
        raise Conflict("they don't lie in the same case", hint="Upload the sidecar to the video's case as well.")
    return sidecar, video

"""Reads of places: sources of fixes and what lies in them, pairs, clocks' corrections; which exhibits filmed a spot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, select

from evidence.case import Act, User
from evidence.exhibit import Exhibit, ExhibitId
from evidence.places import How
from evidence.steps import StepRunId
from evidence.telemetry import Certainty, Family, Zone
from storage.blocks import read_block
from storage.index.corrections import CorrectionRow, corrections
from storage.index.filmed import Filmed, filmed
from storage.index.reader import Reader
from storage.index.search import within_reach
from storage.place_tables import clock_corrections, fixes, located, pairings, place_blocks, telemetry_sources
from storage.rows import AnyRow, exhibit_of
from storage.tables import exhibits


@dataclass(frozen=True, slots=True)
class Source:
    """A source of fixes on the time line of an exhibit. Units: microseconds where a name ends in `_us`."""

    id: str
    exhibit_id: ExhibitId
    carrier_id: ExhibitId
    step_run_id: StepRunId
    number: int
    family: Family
    dialect: str
    device: str
    zone: Zone
    fixes: int
    placed: int
    first_us: int | None
    last_us: int | None
    clock_first_us: int | None
    clock_last_us: int | None
    offset_us: int
    residual_us: int | None
    frame_synchronous: bool
    warnings: tuple[str, ...]
    reasons: tuple[str, ...]
    output: str


@dataclass(frozen=True, slots=True)
class Fix:
    """One row of the table of fixes; None where the file doesn't say it."""

    source_id: str
    at_us: int
    clock_us: int | None
    latitude: float | None
    longitude: float | None
    height_takeoff_m: float | None
    height_sea_m: float | None
    accuracy_m: float | None
    yaw_deg: float | None
    pitch_deg: float | None
    speed_mps: float | None
    certainty: Certainty | None
    """Of the place; None where there is none."""
    flags: int


@dataclass(frozen=True, slots=True)
class LocatedRow:
    """Where a track stood at a moment, with the ellipse that holds the truth 95 times of 100."""

    track_id: int
    label: str
    at_us: int
    latitude: float
    longitude: float
    major_m: float
    minor_m: float
    azimuth_deg: float
    certainty: Certainty
    speed_mps: float | None
    """Over two seconds; None where it can't be said. Errors hold 95 times of 100 as well."""
    speed_error_mps: float | None
    heading_deg: float | None
    """None where it may as well stand."""
    heading_error_deg: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    sidecar: Exhibit
    video: Exhibit
    how: How
    active: bool
    offset_us: int | None
    made_by: str
    made_at: datetime


class PlaceIndex(Reader):
    def sources(self, exhibit_id: ExhibitId, *, seen_by: User | None = None) -> Sequence[Source]:
        """In their order; with `seen_by`, those whose file he may see as well."""
        wanted = select(telemetry_sources).where(telemetry_sources.c.exhibit_id == exhibit_id)
        if seen_by is not None:
            reach = select(exhibits.c.id).where(within_reach(seen_by, Act.SEE_EXHIBIT))
            wanted = wanted.where(telemetry_sources.c.carrier_id.in_(reach))
        return [source_of(row) for row in self._all(wanted.order_by(telemetry_sources.c.number))]

    def fixes(self, source_id: str) -> Sequence[Fix]:
        """In order of time, about one a second."""
        wanted = select(fixes).where(fixes.c.source_id == source_id).order_by(fixes.c.at_us)
        return [Fix(**{**row._mapping, "certainty": _worth(row.certainty)}) for row in self._all(wanted)]

    def seconds(self, source_id: str) -> npt.NDArray[np.void]:
        """Positions and footprints, in order of time: records of `storage.blocks.SECOND`."""
        wanted = select(place_blocks.c.seconds).where(place_blocks.c.source_id == source_id).order_by(place_blocks.c.minute)
        return read_block(b"".join(row.seconds for row in self._all(wanted)))

    def located(self, exhibit_id: ExhibitId, *, labels: Sequence[str] = ()) -> Sequence[LocatedRow]:
        """By track and time."""
        wanted = select(located).where(located.c.exhibit_id == exhibit_id).order_by(located.c.track_id, located.c.at_us)
        if labels:
            wanted = wanted.where(located.c.label.in_(labels))
        return [
            LocatedRow(
                row.track_id,
                row.label,
                row.at_us,
                row.latitude,
                row.longitude,
                row.major_m,
                row.minor_m,
                row.azimuth_deg,
                Certainty(row.certainty),
                row.speed_mps,
                row.speed_error_mps,
                row.heading_deg,
                row.heading_error_deg,
            )
            for row in self._all(wanted)
        ]

    def pairs(self, exhibit_id: ExhibitId, *, active: bool = True) -> Sequence[Pair]:
        """In which the exhibit is the sidecar or the video; with `active` False, those too that a person has parted."""
        mine: ColumnElement[bool] = (pairings.c.sidecar_id == exhibit_id) | (pairings.c.video_id == exhibit_id)
        wanted = select(pairings).where(mine).order_by(pairings.c.made_at, pairings.c.sidecar_id)
        rows = self._all(wanted.where(pairings.c.active) if active else wanted)
        ids = {row.sidecar_id for row in rows} | {row.video_id for row in rows}
        known = {row.id: exhibit_of(row) for row in self._all(select(exhibits).where(exhibits.c.id.in_(ids)))}
        return [
            Pair(
                known[row.sidecar_id],
                known[row.video_id],
                How(row.how),
                row.active,
                row.offset_us,
                row.made_by,
                row.made_at.astimezone(UTC),
            )
            for row in rows
        ]

    def filmed(self, exhibit_ids: Sequence[ExhibitId], seen_by: User) -> Mapping[ExhibitId, Filmed]:
        """When they were filmed, by clocks in files that he may see; without those of which nobody tells it."""
        with self._reading() as connection:
            return filmed(connection, exhibits.c.id.in_(exhibit_ids), within_reach(seen_by, Act.SEE_EXHIBIT))

    def filmed_by_all(self, exhibit_id: ExhibitId) -> Filmed | None:
        """The same of one exhibit by every clock that there is: for what is made of it, whoever sees it later."""
        with self._reading() as connection:
            return filmed(connection, exhibits.c.id == exhibit_id).get(exhibit_id)

    def corrections(self, exhibit_ids: Sequence[ExhibitId]) -> Sequence[CorrectionRow]:
        """Every correction of these exhibits' clocks, oldest first: of each clock the last one counts."""
        with self._reading() as connection:
            return corrections(connection, clock_corrections.c.exhibit_id.in_(exhibit_ids))


def _worth(text: str) -> Certainty | None:
    return Certainty(text) if text else None


def source_of(row: AnyRow) -> Source:
    given: dict[str, Any] = dict(row._mapping)
    given |= {"family": Family(row.family), "zone": Zone(row.zone)}
    given |= {"warnings": tuple(row.warnings), "reasons": tuple(row.reasons)}
    return Source(**given)

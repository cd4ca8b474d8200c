"""Who filmed this spot, and when: cells give candidates, the exact test decides, the best come first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ARRAY, BigInteger, Connection, Select, bindparam, func, select

from evidence.case import Act, User
from evidence.clock import Correction, corrected_us, satellites_set
from evidence.exhibit import Exhibit, ExhibitId
from evidence.places import FILE_CLOCK, Shape, Sighting
from evidence.telemetry import NO_TIME, Family, Zone
from storage import cells
from storage.blocks import SECOND, read_block
from storage.index.places import correction_of, newest
from storage.index.search import within_reach
from storage.index.values import Query
from storage.place_tables import clock_corrections, place_blocks, place_cells, telemetry_sources
from storage.rows import AnyRow, exhibit_of
from storage.sightings import Seconds, best_first, covering, drawn, spans
from storage.tables import cases, exhibits, tracks

_BLOCKS_AT_ONCE = 2000
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A sighting with its exhibit."""

    sighting: Sighting
    exhibit: Exhibit
    case_reference: str
    """Empty for the unfiled tray."""


@dataclass(frozen=True, slots=True)
class _Covered:
    """Seconds of one source that cover the shape. Shape: (k,) each."""

    source: AnyRow
    at_us: npt.NDArray[np.int64]
    clock_us: npt.NDArray[np.int64]
    found: Seconds

    def outside(self, start_us: int, end_us: int) -> _Covered:
        keep = (self.at_us < start_us) | (self.at_us > end_us)
        return _Covered(self.source, self.at_us[keep], self.clock_us[keep], self.found.of(keep))


def sightings(connection: Connection, user: User, shape: Shape, query: Query) -> Sequence[Seen]:
    """The spans of what he may watch in which a position or footprint covers the shape, the best first.

    With labels: those in which a track of such a label was there too. With a time: those that may lie in it by the
    corrected clocks; what has no time at all stays, as nobody knows that it doesn't belong.
    """
    covered: dict[ExhibitId, list[_Covered]] = {}
    for part in _covered(connection, user, drawn(shape), query):
        covered.setdefault(part.source.exhibit_id, []).append(part)
    covered = _told_once(connection, user, covered)
    known = {row.id: exhibit_of(row) for row in connection.execute(select(exhibits).where(exhibits.c.id.in_(covered)))}
    clocks = _Clocks(connection, covered.values(), known)
    spoken = _times_of(connection, list(covered), query.labels) if query.labels else {}
    found: list[Sighting] = []
    for exhibit_id, parts in covered.items():
        found += _of_exhibit(exhibit_id, parts, clocks, query, spoken.get(exhibit_id, ()))
    names = _references(connection, known.values())
    chosen = best_first(found)[query.offset : query.offset + query.limit]
    return [Seen(s, known[s.exhibit_id], names.get(known[s.exhibit_id].case_id or "", "")) for s in chosen]


def _of_exhibit(
    exhibit_id: ExhibitId,
    parts: Sequence[_Covered],
    clocks: _Clocks,
    query: Query,
    spoken: Sequence[tuple[float, float]],
) -> list[Sighting]:
    at_us = np.concatenate([part.at_us for part in parts])
    times = [clocks.utc_us(part) for part in parts]
    utc_us, error_s = (np.concatenate([time[n] for time in times]) for n in (0, 1))
    keep = _in_time(utc_us, error_s, query)
    if query.labels:
        second = at_us / _SECOND_US
        keep &= np.logical_or.reduce([(second >= start - 1) & (second <= end) for start, end in spoken], initial=False)
    by, certainty, quality = (
        np.concatenate([getattr(part.found, name) for part in parts])[keep] for name in ("by", "certainty", "quality")
    )
    found = Seconds(np.arange(len(by)), by, certainty, quality)
    return spans(exhibit_id, at_us[keep], found, utc_us[keep], error_s[keep])


def _covered(connection: Connection, user: User, shape: BaseGeometry, query: Query) -> Iterator[_Covered]:
    """Block by block, in parts that fit in memory however large the shape is."""
    reachable = _reachable(user, query)
    for ids in _candidates(connection, shape):
        rows = connection.execute(reachable, {"ids": ids}).all()
        records = read_block(b"".join(row.seconds for row in rows))
        names = list(dict.fromkeys(row.source_id for row in rows))
        numbers = {source_id: number for number, source_id in enumerate(names)}
        lengths = [len(row.seconds) // SECOND.itemsize for row in rows]
        found = covering(records, shape)
        of_row = np.repeat(np.array([numbers[row.source_id] for row in rows], np.int64), lengths)[found.row]
        sources = _sources(connection, {names[number] for number in np.unique(of_row).tolist()})
        order = np.argsort(of_row, kind="stable")
        for own in np.split(order, np.flatnonzero(np.diff(of_row[order])) + 1) if len(order) else []:
            source = sources.get(names[of_row[own[0]]])
            if source is not None:  # it may have been located again meanwhile
                part = found.of(own)
                yield _Covered(source, records["at_us"][part.row], records["clock_us"][part.row], part)


def _candidates(connection: Connection, shape: BaseGeometry) -> Iterator[list[int]]:
    """Numbers of the blocks that may cover the shape, some at a time.

    By themselves: joined with what is within reach, the database would take ranges of cells for a third of them all.
    """
    ranges = cells.ranges(shape)
    wanted: Select[Any] = select(place_blocks.c.id)
    if ranges is not None:
        numbers = {"low": [low for low, _ in ranges], "high": [high for _, high in ranges]}
        low, high = (func.unnest(bindparam(name, value, type_=ARRAY(BigInteger))) for name, value in numbers.items())
        asked = select(low.label("low"), high.label("high")).subquery("asked")
        wanted = select(place_cells.c.block_id).join(asked, place_cells.c.cell.between(asked.c.low, asked.c.high))
    ids = sorted(set(connection.execute(wanted).scalars()))
    for start in range(0, len(ids), _BLOCKS_AT_ONCE):
        yield ids[start : start + _BLOCKS_AT_ONCE]


def _reachable(user: User, query: Query) -> Select[Any]:
    """Of the blocks `:ids` those of exhibits, and of files, that he may watch, and that the question is about."""
    reach = within_reach(user, Act.WATCH)
    theirs = select(exhibits.c.id).where(reach)
    if query.case_id is not None:
        theirs = theirs.where(exhibits.c.case_id == query.case_id)
    if query.kind:
        theirs = theirs.where(exhibits.c.kind == query.kind)
    return (
        select(place_blocks.c.source_id, place_blocks.c.seconds)
        .join(telemetry_sources, telemetry_sources.c.id == place_blocks.c.source_id)
        .where(
            place_blocks.c.id == func.any(bindparam("ids", type_=ARRAY(BigInteger))),
            telemetry_sources.c.exhibit_id.in_(theirs),
            telemetry_sources.c.carrier_id.in_(select(exhibits.c.id).where(reach)),
        )
    )


def _told_once(
    connection: Connection, user: User, covered: dict[ExhibitId, list[_Covered]]
) -> dict[ExhibitId, list[_Covered]]:
    """Without the seconds of sidecars that lie in a video of theirs: they are its seconds, and are told as such."""
    twin = (
        select(telemetry_sources.c.carrier_id, telemetry_sources.c.offset_us, exhibits)
        .join(exhibits, exhibits.c.id == telemetry_sources.c.exhibit_id)
        .where(
            telemetry_sources.c.carrier_id.in_(covered),
            telemetry_sources.c.carrier_id != telemetry_sources.c.exhibit_id,
            within_reach(user, Act.WATCH),
        )
    )
    for row in connection.execute(twin):
        media = exhibit_of(row).media
        length_us = 0 if media is None or media.duration_s is None else round(media.duration_s * _SECOND_US)
        parts = covered.get(row.carrier_id, [])
        covered[row.carrier_id] = [part.outside(-row.offset_us, length_us - row.offset_us) for part in parts]
    return {exhibit_id: parts for exhibit_id, parts in covered.items() if any(len(part.at_us) for part in parts)}


def _sources(connection: Connection, ids: set[str]) -> dict[str, AnyRow]:
    if not ids:
        return {}
    return {row.id: row for row in connection.execute(select(telemetry_sources).where(telemetry_sources.c.id.in_(ids)))}


class _Clocks:
    """UTC of seconds, by each source's clock and its correction, or else by what the exhibit claims."""

    def __init__(
        self, connection: Connection, parts: Iterable[Sequence[_Covered]], exhibits_of: Mapping[ExhibitId, Exhibit]
    ) -> None:
        about = {id for some in parts for part in some for id in (part.source.exhibit_id, part.source.carrier_id)}
        wanted = select(clock_corrections).where(clock_corrections.c.exhibit_id.in_(about))
        rows = connection.execute(wanted.order_by(clock_corrections.c.made_at, clock_corrections.c.id))
        self._corrections = newest([correction_of(row) for row in rows])
        self._exhibits = exhibits_of

    def utc_us(self, part: _Covered) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        source = part.source
        family, zone = Family(source.family), Zone(source.zone)
        correction = self._corrections.get((source.carrier_id, source.family))
        utc, error = corrected_us(part.clock_us, zone, correction, satellites_set(family, zone))
        claimed, claimed_error = self._claimed(self._exhibits[source.exhibit_id], part.at_us)
        return np.where(utc == NO_TIME, claimed, utc), np.where(utc == NO_TIME, claimed_error, error)

    def _claimed(
        self, exhibit: Exhibit, at_us: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        start = exhibit.captured_at or (exhibit.media.claimed_capture_time if exhibit.media else None)
        if start is None:
            return np.full(len(at_us), NO_TIME), np.full(len(at_us), np.nan)
        correction: Correction | None = self._corrections.get((exhibit.id, FILE_CLOCK))
        return corrected_us(at_us + round(start.timestamp() * 1_000_000), Zone.UTC, correction)


def _in_time(utc_us: npt.NDArray[np.int64], error_s: npt.NDArray[np.float64], query: Query) -> npt.NDArray[np.bool_]:
    """Which seconds may lie in the period that is asked for."""
    keep = np.ones(len(utc_us), bool)
    dated = utc_us != NO_TIME
    slack = np.nan_to_num(error_s) * _SECOND_US
    if query.after is not None:
        keep &= ~dated | (utc_us + slack >= _us(query.after))
    if query.before is not None:
        keep &= ~dated | (utc_us - slack <= _us(query.before))
    return keep


def _us(moment: datetime) -> int:
    return round(moment.astimezone(UTC).timestamp() * _SECOND_US)


def _times_of(
    connection: Connection, exhibit_ids: Sequence[ExhibitId], labels: Sequence[str]
) -> dict[ExhibitId, list[tuple[float, float]]]:
    """When tracks of these labels were there. Units: seconds of media time."""
    wanted = select(tracks.c.exhibit_id, tracks.c.start_s, tracks.c.end_s).where(
        tracks.c.exhibit_id.in_(exhibit_ids), tracks.c.label.in_(labels)
    )
    found: dict[ExhibitId, list[tuple[float, float]]] = {}
    for row in connection.execute(wanted):
        found.setdefault(row.exhibit_id, []).append((row.start_s, row.end_s))
    return found


def _references(connection: Connection, some: Iterable[Exhibit]) -> dict[str, str]:
    ids = {exhibit.case_id for exhibit in some if exhibit.case_id}
    named = select(cases.c.id, cases.c.reference).where(cases.c.id.in_(ids))
    return {row.id: row.reference for row in connection.execute(named)}

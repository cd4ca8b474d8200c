"""Who filmed this spot, and when: cells give candidates, the exact test decides, the best come first.

What a shape holds as a whole, or doesn't touch, is told by its stretches alone (`storage.stretches`); only the minutes at a
shape's edge are read second by second, those first that may show it best, until a page is full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ARRAY, BigInteger, Connection, Select, bindparam, func, literal, select

from evidence.case import Act, User
from evidence.exhibit import Exhibit, ExhibitId
from evidence.places import By, Shape, Sighting
from evidence.telemetry import CERTAINTIES, NO_TIME, Certainty
from storage import cells
from storage.blocks import BLOCK_US, SECOND, read_block
from storage.database import in_binary
from storage.index.moments import SECOND_US, Clocks, Windows, in_period
from storage.index.search import within_reach
from storage.index.values import Query
from storage.place_tables import place_blocks, place_cells, telemetry_sources
from storage.rows import AnyRow, exhibit_of
from storage.sightings import covering, drawn
from storage.spans import DIGITS, Spans, best_first, joined, put_together, seconds_as_spans
from storage.stretches import FOOTPRINT, STRETCH, at_most, held, nearby
from storage.tables import cases, exhibits, tracks

_BLOCKS_AT_ONCE = 300
_MOST_WEIGHED = 4_000
"""Of more seconds than that every second or third … is weighed, and speaks for its neighbours."""
_MINUTES, _ZERO = 1 << 32, 1 << 31
_UNEVEN_US = 60_000_000
_JITTER_S = 2.0
_SECONDS = """
SELECT blocks.source_id, string_agg(blocks.seconds, ''::bytea ORDER BY blocks.minute)
FROM unnest(%s::text[], %s::int[]) AS asked(source_id, minute)
JOIN place_blocks AS blocks ON blocks.source_id = asked.source_id AND blocks.minute = asked.minute
GROUP BY blocks.source_id ORDER BY blocks.source_id
"""
Numbers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Seen:
    """A sighting with its exhibit."""

    sighting: Sighting
    exhibit: Exhibit
    case_reference: str
    """Empty for the unfiled tray."""


@dataclass(frozen=True, slots=True)
class _Near:
    """Stretches that may cover the shape. Shape: (k,) each; sources and exhibits by their number in the lists."""

    sources: list[AnyRow]
    exhibit_ids: list[ExhibitId]
    stretch: npt.NDArray[np.void]
    source: Numbers
    exhibit_number: Numbers
    """By source."""
    held: Bools
    """All of it lies in the shape."""

    @property
    def exhibit(self) -> Numbers:
        return np.asarray(self.exhibit_number[self.source])

    def of(self, some: Bools, held: Bools) -> _Near:
        return replace(self, stretch=self.stretch[some], source=self.source[some], held=held[some])


def sightings(connection: Connection, user: User, shape: Shape, query: Query) -> Sequence[Seen]:
    """The spans of what he may watch in which a position or footprint covers the shape, the best first.

    With labels: those in which a track of such a label was there too. With a time: those that may lie in it by the
    corrected clocks; what has no time at all stays, as nobody knows that it doesn't belong.
    """
    area = drawn(shape)
    near = _near(connection, user, area, query)
    windows = Windows()
    if query.labels:
        _only_with_labels(connection, near.exhibit_ids, query.labels, windows)
    _told_once(connection, user, near.exhibit_ids, windows)
    clocks = Clocks(connection, near.sources) if query.after or query.before else None
    near = _in_time(_alone(_in_windows(near, windows)), clocks, query)
    found = _best(connection, near, area, windows, clocks, query)
    return _told(connection, near, found)


# --- candidates ------------------------------------------------------------------------------------------------------


def _near(connection: Connection, user: User, shape: BaseGeometry, query: Query) -> _Near:
    sources = list(connection.execute(_reachable(user, query, _candidates(connection, shape))))
    exhibit_ids = list(dict.fromkeys(ExhibitId(row.exhibit_id) for row in sources))
    number_of = {exhibit_id: number for number, exhibit_id in enumerate(exhibit_ids)}
    stretch = np.frombuffer(b"".join(row.stretches for row in sources), STRETCH)
    lengths = [len(row.stretches) // STRETCH.itemsize for row in sources]
    source = np.repeat(np.arange(len(sources)), lengths)
    exhibit_number = np.array([number_of[row.exhibit_id] for row in sources], np.int64)
    touched, inside = nearby(stretch, shape)
    return _Near(sources, exhibit_ids, stretch, source, exhibit_number, inside).of(touched, inside)


def _candidates(connection: Connection, shape: BaseGeometry) -> list[int] | None:
    """Numbers of the blocks that may cover the shape; None: any.

    By themselves: joined with what is within reach, the database would take ranges of cells for a third of them all.
    """
    ranges = cells.ranges(shape)
    if ranges is None:
        return None
    numbers = {"low": [low for low, _ in ranges], "high": [high for _, high in ranges]}
    low, high = (func.unnest(bindparam(name, value, type_=ARRAY(BigInteger))) for name, value in numbers.items())
    asked = select(low.label("low"), high.label("high")).subquery("asked")
    found = select(place_cells.c.block_id).join(asked, place_cells.c.cell.between(asked.c.low, asked.c.high))
    return list(connection.execute(found.distinct()).scalars())


def _reachable(user: User, query: Query, ids: list[int] | None) -> Select[Any]:
    """Of these blocks those of exhibits, and of files, that he may watch, and that the question is about; by source."""
    reach = within_reach(user, Act.WATCH)
    theirs = select(exhibits.c.id).where(reach)
    if query.case_id is not None:
        theirs = theirs.where(exhibits.c.case_id == query.case_id)
    if query.kind:
        theirs = theirs.where(exhibits.c.kind == query.kind)
    columns = ("id", "exhibit_id", "carrier_id", "family", "zone")
    wanted = (
        select(
            *(telemetry_sources.c[name] for name in columns),
            func.string_agg(place_blocks.c.stretches, literal(b"")).label("stretches"),
        )
        .join(telemetry_sources, telemetry_sources.c.id == place_blocks.c.source_id)
        .where(
            telemetry_sources.c.exhibit_id.in_(theirs),
            telemetry_sources.c.carrier_id.in_(select(exhibits.c.id).where(reach)),
        )
        .group_by(telemetry_sources.c.id)
        .order_by(telemetry_sources.c.id)
    )
    return wanted if ids is None else wanted.where(place_blocks.c.id == func.any(bindparam("ids", ids, ARRAY(BigInteger))))


# --- what of them is asked for ---------------------------------------------------------------------------------------


def _only_with_labels(
    connection: Connection, exhibit_ids: Sequence[ExhibitId], labels: Sequence[str], windows: Windows
) -> None:
    """A second counts from the one before a track of such a label to its end."""
    wanted = select(tracks.c.exhibit_id, tracks.c.start_s, tracks.c.end_s).where(
        tracks.c.exhibit_id.in_(exhibit_ids), tracks.c.label.in_(labels)
    )
    found: dict[ExhibitId, list[tuple[float, float]]] = {exhibit_id: [] for exhibit_id in exhibit_ids}
    for row in connection.execute(wanted):
        found[row.exhibit_id].append((row.start_s - 1, row.end_s))
    for exhibit_id, periods in found.items():
        windows.only(exhibit_id, periods)


def _told_once(connection: Connection, user: User, exhibit_ids: Sequence[ExhibitId], windows: Windows) -> None:
    """Leaves out the seconds of sidecars that lie in a video of theirs: they are its seconds, and are told as such."""
    twin = (
        select(telemetry_sources.c.carrier_id, telemetry_sources.c.offset_us, exhibits)
        .join(exhibits, exhibits.c.id == telemetry_sources.c.exhibit_id)
        .where(
            telemetry_sources.c.carrier_id.in_(exhibit_ids),
            telemetry_sources.c.carrier_id != telemetry_sources.c.exhibit_id,
            within_reach(user, Act.WATCH),
        )
    )
    for row in connection.execute(twin):
        media = exhibit_of(row).media
        length_us = 0 if media is None or media.duration_s is None else round(media.duration_s * SECOND_US)
        windows.without(row.carrier_id, -row.offset_us, length_us - row.offset_us)


def _in_windows(near: _Near, windows: Windows) -> _Near:
    partly, wholly = windows.touched(near.exhibit_ids, near.exhibit, near.stretch["from_us"], near.stretch["to_us"])
    return near.of(partly, near.held & wholly)


def _alone(near: _Near) -> _Near:
    """Where several sources tell of the same minute, the best of each second counts: so all of it is read."""
    minute = near.stretch["from_us"] // BLOCK_US
    told = np.unique(np.stack([near.exhibit, minute, near.source]), axis=1)
    if told.shape[1] < 2:
        return near
    _, of, several = np.unique(told[:2], axis=1, return_inverse=True, return_counts=True)
    shared = told[:, several[of.reshape(-1)] > 1]
    both = set(zip(shared[0].tolist(), shared[1].tolist(), strict=True))
    if not both:
        return near
    alone = np.array([pair not in both for pair in zip(near.exhibit.tolist(), minute.tolist(), strict=True)], bool)
    return near.of(np.ones(len(alone), bool), near.held & alone)


def _in_time(near: _Near, clocks: Clocks | None, query: Query) -> _Near:
    """A clock goes on evenly in a stretch, to two seconds, but in an hour in which summer time begins or ends."""
    if clocks is None:
        return near
    stretch = near.stretch
    (start, error), (end, end_error) = (
        clocks.utc_us(near.source, stretch[f"{which}_us"], stretch[f"clock_{which}_us"]) for which in ("from", "to")
    )
    even = np.abs((end - start) - (stretch["to_us"] - stretch["from_us"])) < _UNEVEN_US
    out = ~in_period(end, end_error + _JITTER_S, query.after, None)
    out |= ~in_period(start, error + _JITTER_S, None, query.before)
    wholly = in_period(start, error - _JITTER_S, query.after, query.before)
    wholly &= in_period(end, end_error - _JITTER_S, query.after, query.before)
    return near.of(~(out & even), near.held & wholly & even)


# --- the answer ------------------------------------------------------------------------------------------------------


def _best(
    connection: Connection, near: _Near, shape: BaseGeometry, windows: Windows, clocks: Clocks | None, query: Query
) -> Spans:
    """The page that is asked for: first what is held as a whole, then exhibits in turn, those first that may be the best."""
    minute = near.stretch["from_us"] // BLOCK_US
    block = near.source * _MINUTES + minute + _ZERO
    read = np.isin(block, block[~near.held])
    whole = _as_spans(near, ~read, shape)
    most = np.zeros(len(near.exhibit_ids))
    best = np.where(read, at_most(near.stretch, shape), held(near.stretch, shape))
    np.maximum.at(most, near.exhibit, np.where(near.stretch["by"] == FOOTPRINT, best, 0.0))
    to_read, first = np.unique(block[read], return_index=True)
    exhibit = near.exhibit[read][first]
    every = max(1, len(to_read) * BLOCK_US // SECOND_US // _MOST_WEIGHED)
    waits = np.zeros(len(most), bool)
    waits[exhibit] = True
    found = joined(whole.of(~waits[whole.exhibit]))
    turn = np.lexsort((exhibit, -most[exhibit]))
    for start, end in _some_exhibits(exhibit[turn]):
        if _full(found, most[exhibit[turn[start]]], query.offset + query.limit):
            break
        now = turn[start:end]
        mine = np.isin(whole.exhibit, exhibit[now])
        seconds = _read(connection, near, to_read[now], shape, windows, clocks, query, every)
        found = put_together([found, joined(put_together([whole.of(mine), seconds]))])
    return best_first(found, near.exhibit_ids).of(slice(query.offset, query.offset + query.limit))


def _as_spans(near: _Near, some: Bools, shape: BaseGeometry) -> Spans:
    stretch, source = near.stretch[some], near.source[some]
    start, end, best = stretch["from_us"], stretch["to_us"], stretch["best_us"]
    clocks = stretch["clock_from_us"], stretch["clock_to_us"]
    kind = stretch["by"].astype(np.int8), stretch["certainty"]
    return Spans(near.exhibit[some], source, source, start, end, best, *clocks, *kind, held(stretch, shape))


def _some_exhibits(exhibit: Numbers) -> Iterator[tuple[int, int]]:
    """Where to cut a list of blocks, sorted by exhibit: never within one."""
    ends = np.concatenate([np.flatnonzero(np.diff(exhibit)) + 1, [len(exhibit)]]).tolist() if len(exhibit) else []
    start = 0
    for end in ends:
        if end - start >= _BLOCKS_AT_ONCE or end == len(exhibit):
            yield start, end
            start = end


def _full(found: Spans, most: float, wanted: int) -> bool:
    """Whether there is nothing better to come for the page than what there is."""
    if len(found) < wanted:
        return False
    seen = np.where(found.by == FOOTPRINT, found.quality, -1.0)
    return bool(np.partition(seen, -wanted)[-wanted] > most + 10.0**-DIGITS)


def _read(
    connection: Connection,
    near: _Near,
    blocks: Numbers,
    shape: BaseGeometry,
    windows: Windows,
    clocks: Clocks | None,
    query: Query,
    every: int,
) -> Spans:
    """Every second of these minutes that covers the shape when it is asked for."""
    numbers, minutes = blocks // _MINUTES, blocks % _MINUTES - _ZERO
    asked = [[near.sources[number].id for number in numbers.tolist()], minutes.tolist()]
    # It may have been located again meanwhile: then its minutes are gone.
    rows = in_binary(connection, _SECONDS, asked)
    number_of = {near.sources[number].id: number for number in np.unique(numbers).tolist()}
    records = read_block(b"".join(seconds for _, seconds in rows))
    lengths = [len(seconds) // SECOND.itemsize for _, seconds in rows]
    found = covering(records, shape, every)
    source = np.repeat(np.array([number_of[id] for id, _ in rows], np.int64), lengths)[found.row]
    at_us, clock_us = records["at_us"][found.row], records["clock_us"][found.row]
    exhibit = near.exhibit_number[source]
    keep, _ = windows.touched(near.exhibit_ids, exhibit, at_us, at_us)
    if clocks is not None:
        keep &= in_period(*clocks.utc_us(source, at_us, clock_us), query.after, query.before)
    seconds = seconds_as_spans(exhibit, source, at_us, clock_us, found)
    return seconds.of(keep)


def _told(connection: Connection, near: _Near, spans: Spans) -> list[Seen]:
    """The spans as values, with their times by the corrected clocks."""
    numbers = np.unique(np.concatenate([spans.source_from, spans.source_to])).tolist()
    clocks = Clocks(connection, [near.sources[number] for number in numbers])
    source, end_source = (np.searchsorted(numbers, column) for column in (spans.source_from, spans.source_to))
    start, error = clocks.utc_us(source, spans.from_us, spans.clock_from_us)
    end, end_error = clocks.utc_us(end_source, spans.to_us, spans.clock_to_us)
    ids = [near.exhibit_ids[number] for number in spans.exhibit.tolist()]
    named = select(exhibits, cases.c.reference.label("case_reference")).join(
        cases, cases.c.id == exhibits.c.case_id, isouter=True
    )
    known = {row.id: row for row in connection.execute(named.where(exhibits.c.id.in_(set(ids))))}
    of_id = {id: exhibit_of(row) for id, row in known.items()}
    found = []
    for row, id in enumerate(ids):
        dated = start[row] != NO_TIME and end[row] != NO_TIME
        sighting = Sighting(
            exhibit_id=id,
            from_s=int(spans.from_us[row]) / 1e6,
            to_s=int(spans.to_us[row]) / 1e6,
            best_s=int(spans.best_us[row]) / 1e6,
            by=By.FOOTPRINT if spans.by[row] == FOOTPRINT else By.POSITION,
            certainty=CERTAINTIES[int(spans.certainty[row])] or Certainty.ESTIMATED,
            quality=float(spans.quality[row]),
            utc_from=_moment(start[row]) if dated else None,
            utc_to=_moment(end[row]) if dated else None,
            utc_error_s=round(float(max(error[row], end_error[row])), 3) if dated else None,
            claimed_from=clocks.said(int(source[row]), int(spans.from_us[row]), int(spans.clock_from_us[row])),
            claimed_to=clocks.said(int(end_source[row]), int(spans.to_us[row]), int(spans.clock_to_us[row])),
        )
        found.append(Seen(sighting, of_id[id], known[id].case_reference or ""))
    return found


def _moment(utc_us: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(utc_us))

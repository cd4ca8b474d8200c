"""When something was: UTC by a source's clock and its correction, or by what its exhibit claims; periods of media time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from evidence.clock import ClockClaim, Correction, corrected, corrected_us, micros, satellites_set
from evidence.exhibit import ExhibitId
from evidence.places import FILE_CLOCK
from evidence.telemetry import NO_TIME, Family, Zone
from storage.index.corrections import corrections, newest
from storage.index.filmed import CLAIMED
from storage.place_tables import clock_corrections
from storage.rows import AnyRow
from storage.tables import exhibits

SECOND_US = 1_000_000
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Clocks:
    """The clocks of these sources (rows of `telemetry_sources`), which are asked for by their number among them."""

    def __init__(self, connection: Connection, sources: Sequence[AnyRow]) -> None:
        about = {id for source in sources for id in (source.exhibit_id, source.carrier_id)}
        known = newest(corrections(connection, clock_corrections.c.exhibit_id.in_(about)))
        claimed = select(exhibits.c.id, CLAIMED.label("claimed")).where(exhibits.c.id.in_(about))
        claims: dict[str, datetime | None] = {row.id: row.claimed for row in connection.execute(claimed)}
        kinds: dict[tuple[Zone, bool, Correction | None], int] = {}
        kind_of = []
        for source in sources:
            family, zone = Family(source.family), Zone(source.zone)
            kind = (zone, satellites_set(family, zone), known.get((source.carrier_id, source.family)))
            kind_of.append(kinds.setdefault(kind, len(kinds)))
        self._kinds, self._kind_of = list(kinds), np.array(kind_of, np.int64)
        ids = [source.exhibit_id for source in sources]
        told = [_claim_us(claims.get(id), known.get((id, FILE_CLOCK))) for id in ids]
        starts = [claims.get(id) for id in ids]
        self._said_us = np.array([NO_TIME if start is None else micros(start) for start in starts], np.int64)
        self._claim_us = np.array([start for start, _ in told], np.int64)
        self._claim_error_s = np.array([error for _, error in told], np.float64)

    def utc_us(self, source: Integers, at_us: Integers, clock_us: Integers) -> tuple[Integers, Floats]:
        """Of moments of media time, at which the device's clock said `clock_us`; `NO_TIME` where nobody tells.

        Shape: (k,) each. Units: the error in seconds.
        """
        utc, error = np.full(len(source), NO_TIME), np.full(len(source), np.nan)
        kind_of = self._kind_of[source]
        for kind, (zone, satellites, correction) in enumerate(self._kinds):
            mine = kind_of == kind
            utc[mine], error[mine] = corrected_us(clock_us[mine], zone, correction, satellites)
        claim = self._claim_us[source]
        claimed = (utc == NO_TIME) & (claim != NO_TIME)
        utc[claimed], error[claimed] = claim[claimed] + at_us[claimed], self._claim_error_s[source[claimed]]
        return utc, error

    def said(self, source: int, at_us: int, clock_us: int) -> str:
        """What the clock itself says at that moment, with its zone; empty where nobody tells."""
        if clock_us != NO_TIME:
            return str(ClockClaim(clock_us, self._kinds[int(self._kind_of[source])][0]))
        start = int(self._said_us[source])
        return "" if start == NO_TIME else str(ClockClaim(start + at_us, Zone.UTC))


def _claim_us(claimed: datetime | None, correction: Correction | None) -> tuple[int, float]:
    """UTC of a file's media time 0, and its error."""
    if claimed is None:
        return NO_TIME, np.nan
    start = corrected(ClockClaim(micros(claimed), Zone.UTC), correction)
    return micros(start.utc), start.error_s


def in_period(utc_us: Integers, error_s: Floats, after: datetime | None, before: datetime | None) -> npt.NDArray[np.bool_]:
    """Which moments may lie in the period; those that nobody can date stay."""
    keep = np.ones(len(utc_us), bool)
    dated = utc_us != NO_TIME
    slack = np.nan_to_num(error_s) * SECOND_US
    if after is not None:
        keep &= ~dated | (utc_us + slack >= micros(after))
    if before is not None:
        keep &= ~dated | (utc_us - slack <= micros(before))
    return keep


class Windows:
    """Of some exhibits, the periods of media time that are asked for; of all others any time is."""

    def __init__(self) -> None:
        self._of: dict[ExhibitId, Integers] = {}

    def only(self, exhibit_id: ExhibitId, periods_s: Iterable[tuple[float, float]]) -> None:
        """No time but these, from … to, both inside."""
        merged: list[list[int]] = []
        for start, end in sorted((round(start * SECOND_US), round(end * SECOND_US)) for start, end in periods_s):
            if merged and start <= merged[-1][1] + 1:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        self._of[exhibit_id] = np.array(merged, np.int64).reshape(-1, 2)

    def without(self, exhibit_id: ExhibitId, start_us: int, end_us: int) -> None:
        """Not from … to, both inside."""
        bounds = np.iinfo(np.int64)
        old = self._of.get(exhibit_id, np.array([[bounds.min, bounds.max]], np.int64))
        before = np.stack([old[:, 0], np.minimum(old[:, 1], start_us - 1)], -1)
        after = np.stack([np.maximum(old[:, 0], end_us + 1), old[:, 1]], -1)
        both = np.concatenate([before, after])
        both = both[both[:, 0] <= both[:, 1]]
        self._of[exhibit_id] = both[np.argsort(both[:, 0])]

    def touched(
        self, exhibit_ids: Sequence[ExhibitId], exhibit: Integers, from_us: Integers, to_us: Integers
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Of stretches of time, which lie in the windows at least in part, and which with all of it. Shape: (k,) each."""
        partly, wholly = np.ones(len(exhibit), bool), np.ones(len(exhibit), bool)
        for number, exhibit_id in enumerate(exhibit_ids):
            windows = self._of.get(exhibit_id)
            if windows is None:
                continue
            mine = np.flatnonzero(exhibit == number)
            at = np.searchsorted(windows[:, 1], from_us[mine])
            there = at < len(windows)
            if not len(windows):
                partly[mine] = wholly[mine] = False
                continue
            start, end = windows[np.minimum(at, len(windows) - 1)].T
            partly[mine] = there & (start <= to_us[mine])
            wholly[mine] = there & (start <= from_us[mine]) & (end >= to_us[mine])
        return partly, wholly

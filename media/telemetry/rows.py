"""Fixes while they are read, one after the other, kept as columns; and elapsed time for a source that has only a clock."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from evidence.telemetry import NO_TIME, Certainty, Family, Flag, Quantity, Telemetry, Zone
from media.telemetry.checks import checked

Key = TypeVar("Key", bound=Quantity | int)

MAX_ROWS = 1_000_000
"""Nine hours at 30 a second. A file of nothing but the shortest of rows would need more memory than a recording does."""

_DAY_US = 86_400 * 1_000_000
_FIRST_US, _LAST_US = -_DAY_US * 365 * 10, _DAY_US * 365 * 200


TOO_MANY = f"only the first {MAX_ROWS:,} fixes were read"


class Columns(Generic[Key]):
    """Numbers row by row, eight bytes each: a day at frame rate fits. What a row doesn't give is NaN."""

    def __init__(self) -> None:
        self._columns: dict[Key, array[float]] = {}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Key]:
        """The keys of which a row gave a number."""
        return iter(self._columns)

    def add(self, values: Mapping[Key, float]) -> None:
        for key in values.keys() - self._columns.keys():
            self._columns[key] = array("d", [np.nan]) * self._rows
        for key, column in self._columns.items():
            column.append(values.get(key, np.nan))
        self._rows += 1

    def column(self, key: Key) -> npt.NDArray[np.float64]:
        """Shape: (rows,); all NaN for what no row gave."""
        found = self._columns.get(key)
        return np.full(self._rows, np.nan) if found is None else np.array(found, np.float64)


class Rows:
    """Fixes as a parser comes upon them."""

    def __init__(self) -> None:
        self.values: Columns[Quantity] = Columns()
        self._elapsed_us = array("q")
        self._clock_us = array("q")
        self._flags = bytearray()
        self._cut = False

    def __len__(self) -> int:
        return len(self.values)

    def add(
        self, values: Mapping[Quantity, float], *, clock_us: int = NO_TIME, elapsed_us: int | None = None, fix: bool = True
    ) -> None:
        """`fix`: False when the receiver itself says that it has none. What comes after `MAX_ROWS` is dropped and said."""
        if len(self.values) >= MAX_ROWS:
            self._cut = True
            return
        self.values.add(values)
        self._clock_us.append(clock_us)
        self._elapsed_us.append(NO_TIME if elapsed_us is None else elapsed_us)
        self._flags.append(0 if fix else Flag.NO_FIX)

    def telemetry(
        self,
        family: Family,
        dialect: str,
        *,
        device: str = "",
        zone: Zone = Zone.UTC,
        certainty: Mapping[Quantity, Certainty] | None = None,
        warnings: Sequence[str] = (),
    ) -> Telemetry:
        """In the order of elapsed time, and checked. A column that says nothing anywhere is left out."""
        clock = np.array(self._clock_us, np.int64)
        elapsed = np.array(self._elapsed_us, np.int64)
        if (elapsed == NO_TIME).any():
            elapsed = elapsed_of(clock)
        order = np.argsort(elapsed, kind="stable")
        columns = {q: self.values.column(q)[order] for q in Quantity if q in set(self.values)}
        columns = {q: values for q, values in columns.items() if np.isfinite(values).any()}
        return checked(
            Telemetry(
                family=family,
                dialect=dialect,
                device=device,
                zone=zone,
                elapsed_us=elapsed[order],
                clock_us=clock[order],
                flags=np.frombuffer(bytes(self._flags), np.uint8)[order],
                columns=columns,
                certainty={q: c for q, c in (certainty or {}).items() if q in columns},
                warnings=(*warnings, *([TOO_MANY] if self._cut else [])),
            )
        )


def believable_us(clock_us: int) -> int:
    """`NO_TIME` for what is no date between 1960 and 2170, as an unset or damaged field says."""
    return clock_us if _FIRST_US < clock_us < _LAST_US else NO_TIME


def elapsed_of(clock_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Elapsed time by the device's clock alone, from its first row.

    Time never runs back here: where the clock did, or leapt by more than a day (a receiver that learns the date), the next
    row counts as one usual step later; the checks flag it. A row without a time lies on the one before.

    Shape: (n,).
    """
    rows = np.flatnonzero(clock_us != NO_TIME)
    elapsed = np.zeros(len(clock_us), np.int64)
    if not len(rows):
        return elapsed
    steps = np.diff(clock_us[rows])
    usable = (steps >= 0) & (steps <= _DAY_US)
    usual = int(np.median(steps[usable & (steps > 0)])) if (usable & (steps > 0)).any() else 0
    known = np.concatenate([[0], np.cumsum(np.where(usable, steps, usual))])
    before = np.searchsorted(rows, np.arange(len(clock_us)), side="right") - 1
    elapsed[:] = np.where(before >= 0, known[np.maximum(before, 0)], 0)
    return elapsed

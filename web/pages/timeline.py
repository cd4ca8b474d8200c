"""Tracks as the player's page shows them: in a list, and as bars on one lane per label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from storage.index import TrackRow
from web.pages.cards import output_url

_BARS_AT_MOST = 400
"""On one lane: more could not be told apart on a screen."""
_ROWS_AT_MOST = 6


@dataclass(frozen=True, slots=True)
class TrackLine:
    """A track and where the player finds it. Units: seconds on the player's clock."""

    row: TrackRow
    start: Fraction
    end: Fraction
    at: str
    """Where to jump: its first frame, as decimal text for a link."""
    thumbnail: str


@dataclass(frozen=True, slots=True)
class Bar:
    start: float
    end: float
    row: int


@dataclass(frozen=True, slots=True)
class Lane:
    label: str
    count: int
    bars: tuple[Bar, ...]
    rows: int


def decimal(seconds: Fraction) -> str:
    """Seconds for a media fragment or a script, rounded up to the millisecond so that they never point before a frame."""
    milliseconds = -((-seconds.numerator * 1000) // seconds.denominator)
    return f"{milliseconds / 1000:.3f}"


def track_lines(rows: Sequence[TrackRow], origin: Fraction, *, watch: bool) -> list[TrackLine]:
    """By first appearance. `origin` is the moment of the stream at which the player's clock shows zero."""
    lines = []
    for row in sorted(rows, key=lambda row: (row.start_s, row.track_id)):
        base = Fraction(row.time_base)
        start, end = max(Fraction(0), row.first_pts * base - origin), max(Fraction(0), row.last_pts * base - origin)
        picture = output_url(row.exhibit_id, row.thumbnail_output) if watch and row.thumbnail_output else ""
        lines.append(TrackLine(row, start, end, decimal(start), picture))
    return lines


def lanes(lines: Sequence[TrackLine]) -> list[Lane]:
    """The label seen most often first."""
    by_label: dict[str, list[TrackLine]] = {}
    for line in lines:
        by_label.setdefault(line.row.label, []).append(line)
    ordered = sorted(by_label.items(), key=lambda item: (-len(item[1]), item[0]))
    return [_lane(label, some) for label, some in ordered]


def _lane(label: str, lines: Sequence[TrackLine]) -> Lane:
    """Each bar in the first row that is free at its start; where all are taken, over the one that ends first."""
    busy_until: list[float] = []
    bars = []
    for line in lines[:_BARS_AT_MOST]:
        start, end = float(line.start), float(line.end)
        free = next((row for row, until in enumerate(busy_until) if until < start), None)
        if free is None and len(busy_until) < _ROWS_AT_MOST:
            free = len(busy_until)
            busy_until.append(0.0)
        row = busy_until.index(min(busy_until)) if free is None else free
        busy_until[row] = max(busy_until[row], end)
        bars.append(Bar(start, end, row))
    return Lane(label, len(lines), tuple(bars), len(busy_until))

"""Tracks as the player's page shows them: in a list, and as bars on one lane per label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from storage.index import TrackRow
from web.pages.cards import output_url

_BARS_AT_MOST = 400
"""On one lane: more could not be told apart on a screen."""


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


@dataclass(frozen=True, slots=True)
class Lane:
    label: str
    count: int
    bars: tuple[Bar, ...]


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
    return [
        Lane(label, len(some), tuple(Bar(float(line.start), float(line.end)) for line in some[:_BARS_AT_MOST]))
        for label, some in ordered
    ]

"""Doubts as an exhibit's page lists them: each a span to look at, with a link that puts the player there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evidence.doubt import PICTURE, share_first
from storage.index import DoubtRow
from web.pages.rendering import clock, sentence
from web.pages.timeline import decimal

_SHOWN = 100
"""The most urgent; doubts.json has all."""
_TRACKS_NAMED = 6
_NONE = "Nothing in the tracks speaks against them. That does not mean that nothing was missed: watch every draft."


@dataclass(frozen=True, slots=True)
class DoubtLine:
    name: str
    facts: str
    at: str
    """Seconds on the player's clock."""


def doubts_seen(rows: Sequence[DoubtRow], origin: Fraction, *, analysed: bool) -> dict[str, Any]:
    """`origin`: the moment of the stream at which the player's clock shows zero."""
    return {
        "doubts": [_line(row, origin) for row in rows[:_SHOWN]],
        "doubts_count": len(rows),
        "doubts_share": f"{100 * rows[0].share:.1f} %" if rows else "",
        "doubts_first": sum(row.reason.may_be_open for row in rows),
        "doubts_first_share": f"{100 * share_first(rows, rows[0].share):.1f} %" if rows else "",
        "no_doubts": _NONE if analysed else "This file was not analysed.",
    }


def _line(row: DoubtRow, origin: Fraction) -> DoubtLine:
    base = Fraction(row.time_base)
    start, end = (max(Fraction(0), pts * base - origin) for pts in (row.first_pts, row.last_pts))
    of = "The picture" if row.label == PICTURE else sentence(row.label, stop=False)
    tracks = ", ".join(str(number) for number in row.track_ids[:_TRACKS_NAMED])
    named = f" · track {tracks}" if len(row.track_ids) == 1 else f" · tracks {tracks}" if tracks else ""
    span = clock(start) if start == end else f"{clock(start)} to {clock(end)}"
    return DoubtLine(f"{of}: {row.reason.words}", f"{span}{named}", decimal(start))

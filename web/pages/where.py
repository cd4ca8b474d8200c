"""Where an exhibit was, in words and as a drawing: what its page shows beside the map, and instead of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Protocol

from evidence.telemetry import Certainty
from web.pages import place_words
from web.pages.rendering import clock, plural, sentence
from web.pages.timeline import decimal
from web.pages.words import Tag

_ROWS_AT_MOST = 60
"""Of the table: a person reads no more. The API and the exports have every fix."""
_LOCATED_AT_MOST = 100
_GAP_S = 10.0
_WIDE = 600
_MARGIN = 20


class Fix(Protocol):
    """A fix as the API gives it."""

    @property
    def at_s(self) -> float: ...
    @property
    def utc(self) -> datetime | None: ...
    @property
    def utc_error_s(self) -> float | None: ...
    @property
    def claimed(self) -> str | None: ...
    @property
    def lat(self) -> float | None: ...
    @property
    def lon(self) -> float | None: ...
    @property
    def height_takeoff_m(self) -> float | None: ...
    @property
    def height_sea_m(self) -> float | None: ...
    @property
    def accuracy_m(self) -> float | None: ...
    @property
    def yaw(self) -> float | None: ...
    @property
    def pitch(self) -> float | None: ...
    @property
    def certainty(self) -> str | None: ...
    @property
    def flags(self) -> Sequence[str]: ...


class Spot(Protocol):
    """A detection on the ground as the API gives it."""

    @property
    def track(self) -> int: ...
    @property
    def label(self) -> str: ...
    @property
    def at_s(self) -> float: ...
    @property
    def lat(self) -> float: ...
    @property
    def lon(self) -> float: ...
    @property
    def ellipse(self) -> Sequence[float]: ...
    @property
    def certainty(self) -> str: ...
    @property
    def speed_mps(self) -> float | None: ...
    @property
    def speed_error_mps(self) -> float | None: ...
    @property
    def heading(self) -> float | None: ...
    @property
    def heading_error(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `at`: seconds on the player's clock, for a link."""

    at: str
    moment: str
    utc: str
    claimed: str
    place: str
    height: str
    looks: str
    tag: Tag | None
    note: str


@dataclass(frozen=True, slots=True)
class SpotLine:
    at: str
    name: str
    words: str
    tag: Tag


@dataclass(frozen=True, slots=True)
class Plan:
    """The way as lines of an SVG picture, north up."""

    width: int
    height: int
    lines: tuple[str, ...]
    start: tuple[float, float]
    end: tuple[float, float]
    across: str


def rows(fixes: Sequence[Fix], offset: Fraction = Fraction(0)) -> list[Row]:
    """Evenly chosen, the first and the last among them. `offset`: the player's clock at zero of the exhibit's time line."""
    every = max(1, math.ceil((len(fixes) - 1) / (_ROWS_AT_MOST - 1))) if len(fixes) > 1 else 1
    some = list(fixes[::every])
    if fixes and some[-1] is not fixes[-1]:
        some.append(fixes[-1])
    return [_row(fix, offset) for fix in some]


def spots(located: Sequence[Spot], offset: Fraction = Fraction(0)) -> list[SpotLine]:
    """Each track where it was located best."""
    best: dict[int, Spot] = {}
    for one in located:
        if one.track not in best or one.ellipse[0] < best[one.track].ellipse[0]:
            best[one.track] = one
    lines = []
    for one in sorted(best.values(), key=lambda spot: (spot.at_s, spot.track))[:_LOCATED_AT_MOST]:
        at = _player_s(one.at_s, offset)
        name = f"{sentence(one.label, stop=False)} {one.track} at {clock(at)}"
        words = f"{place_words.degrees(one.lat, one.lon)}, {place_words.ellipse(*one.ellipse)}"
        moves = place_words.moving(one.speed_mps, one.speed_error_mps, one.heading, one.heading_error)
        words = ", ".join(filter(None, (words, moves)))
        lines.append(SpotLine(decimal(at), name, words, place_words.CERTAINTY[Certainty(one.certainty)]))
    return lines


def summary(fixes: Sequence[Fix]) -> str:
    """A sentence above the table."""
    placed = sum(_placed(fix) for fix in fixes)
    if not placed:
        return "No moment of it has a place."
    shown = len(rows(fixes))
    of = f" {shown} of them are shown." if shown < len(fixes) else ""
    return f"{plural(len(fixes), 'moment')}, {placed:,} with a place.{of}"


def plan(fixes: Sequence[Fix]) -> Plan | None:
    """None where fewer than two moments have a place."""
    placed = [fix for fix in fixes if _placed(fix)]
    if len(placed) < 2:
        return None
    latitudes, longitudes = [fix.lat or 0.0 for fix in placed], [fix.lon or 0.0 for fix in placed]
    east_m = 111_320 * math.cos(math.radians(sum(latitudes) / len(latitudes)))
    north_m = 111_320.0
    across = max((max(longitudes) - min(longitudes)) * east_m, (max(latitudes) - min(latitudes)) * north_m, 1.0)
    scale = (_WIDE - 2 * _MARGIN) / across
    high = (max(latitudes) - min(latitudes)) * north_m * scale

    def at(fix: Fix) -> tuple[float, float]:
        x = ((fix.lon or 0.0) - (min(longitudes) + max(longitudes)) / 2) * east_m * scale + _WIDE / 2
        return round(x, 1), round((max(latitudes) - (fix.lat or 0.0)) * north_m * scale + _MARGIN, 1)

    lines = [" ".join(f"{x},{y}" for x, y in map(at, part)) for part in _parts(fixes)]
    return Plan(_WIDE, round(high + 2 * _MARGIN), tuple(lines), at(placed[0]), at(placed[-1]), place_words.metres(across))


def _parts(fixes: Sequence[Fix]) -> list[list[Fix]]:
    """Stretches without a gap."""
    found: list[list[Fix]] = [[]]
    for fix in fixes:
        if not _placed(fix) or (found[-1] and fix.at_s - found[-1][-1].at_s > _GAP_S):
            found.append([])
        if _placed(fix):
            found[-1].append(fix)
    return [part for part in found if len(part) > 1]


def _row(fix: Fix, offset: Fraction) -> Row:
    at = _player_s(fix.at_s, offset)
    placed = _placed(fix)
    return Row(
        at=decimal(at),
        moment=clock(at),
        utc=place_words.corrected(fix.utc, fix.utc_error_s),
        claimed=fix.claimed or "",
        place=place_words.place(fix.lat, fix.lon, fix.accuracy_m) if placed else "No fix",
        height=place_words.height(fix.height_takeoff_m, fix.height_sea_m) if placed else "",
        looks=place_words.looks(fix.yaw, fix.pitch),
        tag=place_words.CERTAINTY[Certainty(fix.certainty)] if placed and fix.certainty else None,
        note=sentence("; ".join(place_words.FLAGS[flag] for flag in fix.flags if flag != "no fix"), stop=False),
    )


def _placed(fix: Fix) -> bool:
    return fix.lat is not None and fix.lon is not None and "no fix" not in fix.flags


def _player_s(at_s: float, offset: Fraction) -> Fraction:
    return max(Fraction(0), Fraction(round(at_s * 1_000_000), 1_000_000) + offset)

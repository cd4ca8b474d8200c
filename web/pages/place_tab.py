"""The tab "Place and time" of an exhibit: sources, what belongs to it, its clocks; and the forms that change them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence.clock import Correction, Evidence, corrected, micros, satellites_set
from evidence.exhibit import Exhibit, FileType
from evidence.places import FILE_CLOCK
from evidence.steps import SIDECARS
from evidence.telemetry import Zone
from storage.index.corrections import CorrectionRow
from storage.index.places import Fix, Pair, Source
from web.pages import place_words
from web.pages.cards import exhibit_path
from web.pages.clock_form import Clock
from web.pages.rendering import moment

_SAID_AT_MOST = 1000


@dataclass(frozen=True, slots=True)
class SourceLine:
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PairLine:
    """The other of a pair."""

    other: str
    reference: str
    filename: str
    path: str
    words: str


@dataclass(frozen=True, slots=True)
class ClockLine:
    name: str
    utc: str
    rests_on: str
    claim: str
    corrections: tuple[str, ...]
    """Oldest first: the last one counts."""


def source_lines(exhibit: Exhibit, sources: Sequence[Source], carriers: Mapping[str, Exhibit]) -> list[SourceLine]:
    lines = []
    for source in sources:
        carrier = carriers.get(source.carrier_id)
        facts = [
            ("In", "This file" if source.carrier_id == exhibit.id or carrier is None else _named(carrier)),
            ("Format", ", ".join(bit for bit in (source.family.value, source.dialect) if bit)),
            ("Device", source.device),
            ("Fixes", f"{source.placed:,} of {source.fixes:,} have a place"),
            ("Laid on the video", _laid(source)),
        ]
        lines.append(SourceLine(tuple((name, value) for name, value in facts if value), source.warnings))
    return lines


def _laid(source: Source) -> str:
    if source.frame_synchronous:
        return "Each fix was written with its frame"
    bits = []
    if source.offset_us:
        bits.append(f"{source.offset_us / 1e6:+.3f} s were added to its time".replace("-", "−"))
    if source.residual_us is not None:
        bits.append(f"the two time lines differ by {abs(source.residual_us) / 1e6:.2f} s at the end")
    return "; ".join(bits)


def pair_lines(exhibit: Exhibit, pairs: Iterable[Pair]) -> list[PairLine]:
    lines = []
    for pair in pairs:
        other = pair.video if pair.sidecar.id == exhibit.id else pair.sidecar
        how = f"{pair.how.value}, {moment(pair.made_at)}"
        added = "" if pair.offset_us is None else f"; {pair.offset_us / 1e6:+.3f} s are added to its time"
        lines.append(PairLine(other.id, other.reference, other.filename, exhibit_path(other.id), how + added))
    return lines


def pair_choices(exhibit: Exhibit, others: Iterable[Exhibit], pairs: Iterable[Pair]) -> dict[str, str]:
    """What it could be paired with, by id: of the same case, not paired yet."""
    taken = {pair.sidecar.id for pair in pairs} | {pair.video.id for pair in pairs} | {exhibit.id}
    is_sidecar = exhibit.file_type in SIDECARS
    if not is_sidecar and exhibit.file_type is not FileType.VIDEO:
        return {}
    fitting = {FileType.VIDEO} if is_sidecar else SIDECARS
    return {o.id: _named(o) for o in others if o.file_type in fitting and o.id not in taken}


def clocks(
    exhibit: Exhibit, sources: Sequence[Source], fixes: Mapping[str, Sequence[Fix]], carriers: Mapping[str, Exhibit]
) -> dict[str, Clock]:
    """Every clock of it that says a time, by the key that the form gives back. `fixes`: by source."""
    found: list[Clock] = []
    for source in sources:
        said = [(fix.at_us, fix.clock_us) for fix in fixes.get(source.id, ()) if fix.clock_us is not None]
        if not said:
            continue
        carrier = carriers.get(source.carrier_id, exhibit)
        where = "" if carrier.id == exhibit.id else f", {_named(carrier)}"
        name = f"{source.family.value}{where}"
        every = max(1, len(said) // _SAID_AT_MOST)
        satellites = satellites_set(source.family, source.zone)
        found.append(
            Clock(carrier.id, source.family.value, name, source.device, source.zone, satellites, tuple(said[::every]))
        )
    if claimed := exhibit.captured_at or (exhibit.media.claimed_capture_time if exhibit.media else None):
        start = (0, micros(claimed))
        by = "the uploader" if exhibit.captured_at else "the file"
        found.append(Clock(exhibit.id, FILE_CLOCK, f"Time of filming, as {by} says", "", Zone.UTC, False, (start,)))
    by_key: dict[str, Clock] = {}
    for clock in found:
        by_key.setdefault(clock.key, clock)
    return by_key


def clock_lines(found: Mapping[str, Clock], rows: Sequence[CorrectionRow]) -> list[ClockLine]:
    lines = []
    for clock in found.values():
        own = [row for row in rows if (row.exhibit_id, row.claim) == (clock.exhibit_id, clock.claim)]
        claim = clock.at(clock.said[0][0])
        utc, error_s, rests_on = corrected(claim, own[-1].correction if own else None)
        lines.append(
            ClockLine(
                clock.name,
                place_words.corrected(utc, error_s),
                rests_on,
                str(claim),
                tuple(_correction(row.correction, row.made_at) for row in own),
            )
        )
    return lines


def _correction(made: Correction, at: datetime) -> str:
    seconds = f"{made.offset_s:+,.3f} s".replace("-", "−")
    how = "" if made.evidence is Evidence.STATED else f", {made.evidence.value}"
    return f"{seconds} ± {place_words.within(made.error_s)}{how}: {made.words} ({made.who}, {moment(at)})"


def _named(exhibit: Exhibit) -> str:
    return f"{exhibit.reference} {exhibit.filename}"

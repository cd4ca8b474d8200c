"""What an exhibit's page shows of places and clocks: the map's data, its words, sources, pairs, corrections, and forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from evidence.case import Act
from evidence.exhibit import Exhibit
from storage.index.corrections import CorrectionRow
from storage.ledger.people import SignedIn
from web import places
from web.api.place_answers import FixAnswer, PlacesAnswer
from web.context import Context
from web.exhibit_view import ExhibitView
from web.pages import clock_form, place_tab
from web.pages.timeline import decimal
from web.pages.ways import clock_zero, fixes_address
from web.pages.where import Plan, Row, SpotLine, plan, rows, spots, summary
from web.places import PlacesSeen, SourceSeen

_FIXES_AT_MOST = 4000
"""On the map: a browser draws and searches so many at every frame."""
_WARNINGS_AT_MOST = 3
"""Beside the map; the tab has all."""


@dataclass(frozen=True, slots=True)
class PlacesShown:
    """`offset`: what the player's clock shows at zero of the exhibit's time line, in seconds."""

    address: str
    offset: str
    plan: Plan | None
    rows: Sequence[Row]
    located: Sequence[SpotLine]
    summary: str
    warnings: Sequence[str]


def seen_places(context: Context, who: SignedIn, view: ExhibitView) -> dict[str, Any]:
    exhibit = view.exhibit
    found = places.places(context, who, exhibit.id)
    pairs = places.pairs(context, who, exhibit.id)
    sources = [one.source for one in found.sources]
    carriers: dict[str, Exhibit] = {id: context.index.exhibit(id) for id in {source.carrier_id for source in sources}}
    clocks = place_tab.clocks(exhibit, sources, {one.source.id: one.fixes for one in found.sources}, carriers)
    corrections = [
        row for id in {clock.exhibit_id for clock in clocks.values()} for row in places.corrections(context, who, id)
    ]
    shown = _shown(view, found)
    return {
        "whereabouts": shown,
        "map_tiles": context.settings.map_tiles,
        "map_attribution": context.settings.map_attribution,
        "sources_of_places": place_tab.source_lines(exhibit, sources, carriers),
        "pairs": place_tab.pair_lines(exhibit, pairs),
        "pair_choices": place_tab.pair_choices(exhibit, _others(context, view), pairs),
        "clocks": clocks,
        "clock_lines": place_tab.clock_lines(clocks, corrections),
        "clock_choices": {key: clock.name for key, clock in clocks.items()},
        "clock_form": clock_form,
        "where_version": _version(found, corrections),
    }


def main_source(found: PlacesSeen) -> SourceSeen | None:
    """The one that the page follows: it says most often where it was."""
    return max(found.sources, key=lambda one: one.source.placed, default=None)


def _shown(view: ExhibitView, found: PlacesSeen) -> PlacesShown | None:
    """None where no fix has a place."""
    source = main_source(found)
    if source is None or not source.source.placed:
        return None
    answer = PlacesAnswer.seen(PlacesSeen(found.exhibit, [source], found.located))
    zoned = [_zoned(fix, source) for fix in answer.fixes]
    offset = -clock_zero(view.exhibit, view.outputs)
    every_s = math.ceil(len(zoned) / _FIXES_AT_MOST)
    return PlacesShown(
        address=fixes_address(view.exhibit, every_s if every_s > 1 else None),
        offset=decimal(offset),
        plan=plan(zoned),
        rows=rows(zoned, offset),
        located=spots(answer.located, offset),
        summary=summary(zoned),
        warnings=source.source.warnings[:_WARNINGS_AT_MOST],
    )


def _zoned(fix: FixAnswer, source: SourceSeen) -> FixAnswer:
    """What a device said, with the zone that it said it in."""
    claimed = f"{fix.claimed.replace('T', ' ')} {source.source.zone.value}" if fix.claimed else None
    return fix.model_copy(update={"claimed": claimed})


def _others(context: Context, view: ExhibitView) -> Sequence[Exhibit]:
    """Of its case, where he may pair them."""
    if Act.PROCESS not in view.acts or view.exhibit.case_id is None:
        return ()
    return context.index.exhibits_of(view.exhibit.case_id)


def _version(found: PlacesSeen, corrections: Sequence[CorrectionRow]) -> str:
    names = [one.source.id for one in found.sources] + [row.id for row in corrections] + [str(len(found.located))]
    return sha256("\n".join(names).encode()).hexdigest()[:16]

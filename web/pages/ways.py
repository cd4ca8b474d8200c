"""The ways of exhibits as the maps of several ask for them: address of the fixes, and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from evidence.exhibit import Exhibit
from evidence.steps import Step
from storage.index import Output
from storage.index.places import Source
from storage.ledger.people import SignedIn
from web.context import Context
from web.pages.cards import API, exhibit_path
from web.pages.copies import origin_of
from web.pages.rendering import plural
from web.pages.timeline import decimal

_EVERY_S = 2
"""On the map of a whole case a way needs no more."""


@dataclass(frozen=True, slots=True)
class Way:
    """`offset`: what the player's clock shows at zero of the exhibit's time line, in seconds."""

    reference: str
    path: str
    address: str
    offset: str
    words: str


def clock_zero(exhibit: Exhibit, outputs: Sequence[Output]) -> Fraction:
    """The moment of the exhibit's time line (zero: its first frame) at which the player shows zero. Units: seconds."""
    video = exhibit.media.main_video if exhibit.media else None
    return origin_of(outputs) - video.start_pts * video.time_base if video else Fraction(0)


def fixes_address(exhibit: Exhibit, every_s: int | None = None) -> str:
    return f"{API}/exhibits/{exhibit.id}/fixes" + (f"?every_s={every_s}" if every_s else "")


def ways_of(context: Context, who: SignedIn, exhibits: Iterable[Exhibit]) -> list[Way]:
    """Of those that have places which this person may see. A sidecar that lies in a video of them is told as that."""
    found: dict[str, tuple[Exhibit, Sequence[Source]]] = {}
    for exhibit in exhibits:
        sources = context.index.sources(exhibit.id, seen_by=who.user)
        if any(source.placed for source in sources):
            found[exhibit.id] = exhibit, sources
    carried = {s.carrier_id for id, (_, sources) in found.items() for s in sources if s.carrier_id != id}
    return [_way(context, exhibit, sources) for id, (exhibit, sources) in found.items() if id not in carried]


def _way(context: Context, exhibit: Exhibit, sources: Sequence[Source]) -> Way:
    best = max(sources, key=lambda source: source.placed)
    zero = clock_zero(exhibit, context.index.outputs(exhibit.id, step=Step.PROXY))
    return Way(
        exhibit.reference,
        exhibit_path(exhibit.id),
        fixes_address(exhibit, _EVERY_S),
        decimal(-zero),
        f"{best.family.value}, {plural(best.placed, 'fix', 'fixes')} with a place",
    )

"""Exhibits as cards: what a case, a tray and a list of one's own uploads show of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import quote, urlencode

from evidence.case import Act
from evidence.exhibit import Exhibit, ExhibitState
from evidence.steps import StepState
from web.exhibit_view import ExhibitView, StepLine
from web.pages import words

API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Card:
    exhibit: Exhibit
    state: ExhibitState
    path: str
    poster: str
    """Address of its picture; empty when there is none, or none for this person."""
    duration: Fraction | None
    share: float | None
    """How much of the work is done, 0 to 1; None when nobody knows yet."""
    work_words: str
    case_reference: str
    """Shown where exhibits of several cases stand together."""


def exhibit_path(exhibit_id: str) -> str:
    return f"/exhibits/{exhibit_id}"


def output_url(exhibit_id: str, name: str, run: str = "", *, download: bool = False) -> str:
    """Where the API hands out that output, and logs the viewing; a `download` is another act than a viewing."""
    asked = ({"run": run} if run else {}) | ({"download": "true"} if download else {})
    return f"{API}/exhibits/{exhibit_id}/outputs/{quote(name, safe='')}" + (f"?{urlencode(asked)}" if asked else "")


def share_of(line: StepLine) -> float | None:
    """0 to 1; None for a running step that has not said how much there is to do."""
    if line.state is StepState.DONE:
        return 1.0
    if line.run is None or line.state is StepState.READY:
        return 0.0
    if line.run.progress_total <= 0:
        return None
    return min(1.0, line.run.progress_done / line.run.progress_total)


def overall(lines: Sequence[StepLine]) -> float | None:
    """Steps weigh the same: a rough bar is better than a wrong promise."""
    if not lines:
        return None
    return sum(share_of(line) or 0.0 for line in lines) / len(lines)


def work_words(lines: Sequence[StepLine]) -> str:
    """What is going on, in a few words."""
    running = [words.STEP[line.step] for line in lines if line.state is StepState.RUNNING]
    if running:
        first, *more = dict.fromkeys(running)
        return first + (f" and {len(more)} more" if more else "")
    return "In the queue"


def card(view: ExhibitView, *, with_case: bool = False) -> Card:
    exhibit = view.exhibit
    shows = view.has_poster and Act.WATCH in view.acts
    return Card(
        exhibit=exhibit,
        state=view.state,
        path=exhibit_path(exhibit.id),
        poster=output_url(exhibit.id, "poster.jpg") if shows else "",
        duration=exhibit.media.duration_s if exhibit.media else None,
        share=overall(view.steps),
        work_words=work_words(view.steps),
        case_reference=(view.case.reference if view.case else f"Unfiled, for “{exhibit.claimed_case}”") if with_case else "",
    )


def working(cards: Sequence[Card]) -> bool:
    return any(c.state is ExhibitState.WORKING for c in cards)

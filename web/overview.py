"""What lists show beside the things themselves: how many exhibits, whose uploads, which references."""

from __future__ import annotations

from collections.abc import Mapping

from evidence.case import Act, Case, Relation, User, allows
from evidence.exhibit import Exhibit
from storage.ledger.people import SignedIn
from web import actions
from web.context import Context
from web.exhibit_view import ExhibitView, views

_SOME = frozenset({Relation.OWN, Relation.MEMBER})


def may_for_some(user: User, act: Act) -> bool:
    """Whether there can be a thing that this person may do `act` with."""
    return allows(user, act, _SOME)


def tray(context: Context, who: SignedIn) -> list[tuple[Exhibit, ExhibitView | None, User]]:
    """What lies in the tray, its uploader, and its record for those who may see it."""
    exhibits = actions.tray(context, who)
    seen = {view.exhibit.id: view for view in views(context, who, exhibits)}
    return [(exhibit, seen.get(exhibit.id), context.index.user(exhibit.uploaded_by)) for exhibit in exhibits]


def exhibit_references(context: Context, case: Case) -> Mapping[str, str]:
    """Exhibit id → its reference, to name in a custody log what an event was about. The caller may read that log."""
    return {exhibit.id: exhibit.reference for exhibit in context.index.exhibits_of(case.id)}


def case_references(context: Context, who: SignedIn) -> list[str]:
    """The references of his own open cases, to choose from in a form."""
    if not may_for_some(who.user, Act.SEE_CASE) or not may_for_some(who.user, Act.SEE_EXHIBIT):
        return []
    return [case.reference for case in context.index.cases_for(who.user) if case.state.value == "open"]

"""Searching tracks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as Parameter

from evidence.case import Act
from evidence.errors import BadInput
from evidence.exhibit import SourceKind
from storage.index import Query
from web import actions
from web.api.exhibit_answers import HitAnswer, SearchAnswer
from web.context import asks
from web.signin import Ctx, Who

router = APIRouter(tags=["search"])
_SHORT = Parameter(max_length=100)


@router.get("/search", **asks(Act.SEE_EXHIBIT))
def search(
    context: Ctx,
    who: Who,
    label: Annotated[list[str], Parameter(max_length=50, description="One or more labels: person, car …")] = [],  # noqa: B006
    case: Annotated[str, Parameter(max_length=200, description="Reference or id of a case.")] = "",
    from_: Annotated[str, Parameter(alias="from", max_length=40, description="With zone: 2026-11-24T22:00:00Z.")] = "",
    to: Annotated[str, _SHORT] = "",
    kind: SourceKind | None = None,
    min_score: Annotated[float, Parameter(ge=0, le=1, allow_inf_nan=False)] = 0.0,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 200,
    offset: Annotated[int, Parameter(ge=0, le=10_000_000)] = 0,
) -> SearchAnswer:
    """Tracks in what you may watch. `from` and `to` are claimed capture time plus the time in the track.

    Exhibits without a claimed time can't be inside or outside of a period: they are listed apart.
    """
    query = Query(
        labels=tuple(part.strip().lower() for text in label for part in text.split(",") if part.strip()),
        after=_time("from", from_),
        before=_time("to", to),
        kind=kind.value if kind else "",
        min_score=min_score,
        limit=limit,
        offset=offset,
    )
    dated, undated = actions.search(context, who, query, case)
    return SearchAnswer(dated=[HitAnswer.of(h) for h in dated], undated=[HitAnswer.of(h) for h in undated])


def _time(name: str, text: str) -> datetime | None:
    """Raises: BadInput: a time without a zone could be one hour off, and nobody would know."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + arrives as a space
    except ValueError as exc:
        raise BadInput(f"{name}={text!r} is no time", hint="Write 2026-11-24T22:00:00Z or …+01:00.") from exc
    if moment.tzinfo is None:
        raise BadInput(f"{name}={text!r} has no time zone", hint="Add Z for UTC, or +01:00 for British Summer Time.")
    return moment

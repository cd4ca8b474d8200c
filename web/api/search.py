"""Searching tracks, and who filmed a place."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as Parameter

from evidence.case import Act
from evidence.errors import BadInput
from evidence.exhibit import SourceKind
from evidence.places import asked
from storage.index import Query
from web import actions, places
from web.api.exhibit_answers import HitAnswer
from web.api.place_answers import SearchAnswer, SightingAnswer
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
    bbox: Annotated[str, Parameter(max_length=200, description="west,south,east,north in degrees.")] = "",
    polygon: Annotated[str, Parameter(max_length=20_000, description="lon,lat;lon,lat;… in degrees.")] = "",
    near: Annotated[str, Parameter(max_length=200, description="lat,lon,metres.")] = "",
    min_score: Annotated[float, Parameter(ge=0, le=1, allow_inf_nan=False)] = 0.0,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 200,
    offset: Annotated[int, Parameter(ge=0, le=10_000_000)] = 0,
) -> SearchAnswer:
    """Tracks in what you may watch; with `from` and `to` those that may lie there by the clocks as they are corrected now.

    Exhibits that tell no time can't be inside or outside of a period: they are listed apart. With a place (`bbox`,
    `polygon` or `near`) the answer is `sightings`: from when to when it was in the picture, or the device there.
    """
    shape = asked(bbox, polygon, near)
    query = Query(
        labels=tuple(part.strip().lower() for text in label for part in text.split(",") if part.strip()),
        after=_time("from", from_),
        before=_time("to", to),
        kind=kind.value if kind else "",
        min_score=min_score,
        limit=limit,
        offset=offset,
    )
    if shape is not None:
        seen = places.sightings(context, who, shape, query, case)
        return SearchAnswer(dated=[], undated=[], sightings=[SightingAnswer.of(one) for one in seen])
    dated, undated = actions.search(context, who, query, case)
    return SearchAnswer(dated=[HitAnswer.of(h) for h in dated], undated=[HitAnswer.of(h) for h in undated], sightings=[])


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

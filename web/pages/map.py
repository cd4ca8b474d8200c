"""What filmed this spot, when: a place that somebody drew or typed, and every span of every exhibit that covers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as Parameter
from starlette.responses import Response

from evidence.case import Act
from evidence.errors import BadInput, NotFound
from evidence.exhibit import Exhibit
from evidence.places import By, Shape
from evidence.places import asked as place_asked_for
from evidence.steps import Step
from storage.index import Query, Seen
from storage.ledger.people import SignedIn
from web import actions, places
from web.context import Context, asks
from web.overview import case_references
from web.pages import place_words
from web.pages.cards import exhibit_path
from web.pages.rendering import clock, from_uk_time, page, sentence
from web.pages.search import labels_to_choose
from web.pages.timeline import decimal
from web.pages.ways import clock_zero, ways_of
from web.pages.words import Tag
from web.permission import require_for_some
from web.signin import Ctx, Who

router = APIRouter()
_AT_ONCE = 100
_WAYS_AT_MOST = 20
_NEAR_M = "25"
_Field = Annotated[str, Parameter(max_length=200)]
_Drawn = Annotated[str, Parameter(max_length=20_000)]


@dataclass(frozen=True, slots=True)
class SightingLine:
    """A span as the list shows it: `path` opens the player at its first moment, `best_path` at its best."""

    reference: str
    case_reference: str
    path: str
    start: str
    end: str
    best_path: str
    best: str
    by: str
    quality: str
    when: str
    claimed: str
    tag: Tag


@router.get("/map", **asks(Act.WATCH))
def what_filmed(
    request: Request,
    context: Ctx,
    who: Who,
    bbox: _Drawn = "",
    polygon: _Drawn = "",
    lat: _Field = "",
    lon: _Field = "",
    metres: _Field = "",
    label: _Field = "",
    case: _Field = "",
    after: Annotated[str, Parameter(alias="from", max_length=40)] = "",
    before: Annotated[str, Parameter(alias="to", max_length=40)] = "",
) -> Response:
    given = {"bbox": bbox, "polygon": polygon, "lat": lat, "lon": lon, "metres": metres, "label": label, "case": case}
    form = {name: text.strip() for name, text in {**given, "from": after, "to": before}.items()}
    require_for_some(context, who, Act.WATCH)
    errors: dict[str, str] = {}
    hint = ""
    shape = _shape(form, errors)
    query = _query(form, errors)
    found: Sequence[Seen] = ()
    shown: list[Exhibit] = []
    try:
        if shape is not None and not errors:
            found = places.sightings(context, who, shape, query, form["case"])
        shown = _shown(context, who, found, form["case"])
    except NotFound as error:
        errors["case"], hint = sentence(str(error)), error.hint
    return page(
        request,
        "map.html",
        who,
        status=400 if errors else 200,
        form={**form, "after": form["from"], "before": form["to"]},
        asked=shape is not None,
        sightings=_lines(context, found),
        ways=ways_of(context, who, shown),
        full=len(found) >= _AT_ONCE,
        labels=labels_to_choose(context),
        references=case_references(context, who),
        map_tiles=context.settings.map_tiles,
        map_attribution=context.settings.map_attribution,
        errors=errors,
        hint=hint,
    )


def _shape(form: Mapping[str, str], errors: dict[str, str]) -> Shape | None:
    """The place that was asked for; what can't be understood is put into `errors` by field."""
    drawn = bool(form["bbox"] or form["polygon"])
    typed = bool(form["lat"] or form["lon"])
    near = ""
    if typed and not drawn:
        for name, words in (("lat", "Enter the latitude, such as 51.7520"), ("lon", "Enter the longitude, such as -1.2577")):
            if not form[name]:
                errors[name] = words
        near = ",".join((form["lat"], form["lon"], form["metres"] or _NEAR_M)).replace("−", "-")
    if errors:
        return None
    try:
        return place_asked_for(form["bbox"], form["polygon"], near)
    except BadInput as error:
        errors["lat" if near else "found"] = f"{sentence(str(error))} {error.hint}"
        return None


def _query(form: Mapping[str, str], errors: dict[str, str]) -> Query:
    times: dict[str, datetime | None] = {"from": None, "to": None}
    for name in times:
        if form[name]:
            try:
                times[name] = from_uk_time(form[name])
            except (ValueError, OverflowError):
                errors[name] = "Enter a date and a time, such as 2026-11-24T22:00"
    labels = tuple(part.strip().lower() for part in form["label"].split(",") if part.strip())
    return Query(labels=labels, after=times["from"], before=times["to"], limit=_AT_ONCE)


def _shown(context: Context, who: SignedIn, found: Sequence[Seen], case: str) -> list[Exhibit]:
    """Whose ways help to find one's bearings: what filmed the place, and else the exhibits of the case."""
    if found or not case:
        return list({one.exhibit.id: one.exhibit for one in found}.values())[:_WAYS_AT_MOST]
    query = actions.case_asked_for(context, who, Query(), case)
    views = actions.case_exhibits(context, who, query.case_id) if query.case_id else []
    return [view.exhibit for view in views]


def _lines(context: Context, found: Sequence[Seen]) -> list[SightingLine]:
    zeros = {one.exhibit.id: one.exhibit for one in found}
    offsets = {id: clock_zero(exhibit, context.index.outputs(id, step=Step.PROXY)) for id, exhibit in zeros.items()}
    return [_line(one, offsets[one.exhibit.id]) for one in found]


def _line(found: Seen, zero: Fraction) -> SightingLine:
    sighting, exhibit = found.sighting, found.exhibit
    start, end, best = (max(Fraction(0), Fraction(str(s)) - zero) for s in (sighting.from_s, sighting.to_s, sighting.best_s))
    path = exhibit_path(exhibit.id)
    return SightingLine(
        reference=exhibit.reference,
        case_reference=found.case_reference,
        path=f"{path}?at={decimal(start)}",
        start=clock(start),
        end=clock(end),
        best_path=f"{path}?at={decimal(best)}" if sighting.by is By.FOOTPRINT and best != start else "",
        best=clock(best),
        by=place_words.BY[sighting.by],
        quality=f"{sighting.quality:.2f}" if sighting.by is By.FOOTPRINT else "",
        when=place_words.period(sighting.utc_from, sighting.utc_to, sighting.utc_error_s),
        claimed=place_words.claimed_period(sighting.claimed_from, sighting.claimed_to),
        tag=place_words.CERTAINTY[sighting.certainty],
    )

"""Find moments: tracks by label, case, time, kind and score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi import Query as Parameter
from starlette.responses import Response

from evidence.case import Act
from evidence.errors import NotFound
from evidence.exhibit import SourceKind
from storage.index import Hit, Query
from web import actions
from web.context import Context, asks
from web.overview import case_references
from web.pages import place_words
from web.pages.cards import exhibit_path, output_url
from web.pages.rendering import from_uk_time, page, sentence
from web.permission import require_for_some
from web.signin import Ctx, Who

router = APIRouter()
_AT_ONCE = 60
_OTHER_LABELS = ("face", "licence plate")
_Field = Annotated[str, Parameter(max_length=200)]


@dataclass(frozen=True, slots=True)
class Found:
    """A result as its tile shows it."""

    label: str
    reference: str
    case_reference: str
    kind: SourceKind
    path: str
    thumbnail: str
    number: int
    start_s: float
    end_s: float
    score: float
    when: str
    claimed: str


@router.get("/search", **asks(Act.WATCH))
def search(
    request: Request,
    context: Ctx,
    who: Who,
    label: _Field = "",
    case: _Field = "",
    kind: _Field = "",
    after: Annotated[str, Parameter(alias="from", max_length=40)] = "",
    before: Annotated[str, Parameter(alias="to", max_length=40)] = "",
    min_score: _Field = "",
    offset: Annotated[int, Parameter(ge=0, le=1_000_000)] = 0,
) -> Response:
    given = {"label": label, "case": case, "kind": kind, "from": after, "to": before, "min_score": min_score}
    form = {name: value.strip() for name, value in given.items()}
    require_for_some(context, who, Act.WATCH)
    asked = bool(request.query_params)
    errors: dict[str, str] = {}
    hint = ""
    dated: list[Found] = []
    undated: list[Found] = []
    query = _query(form, errors, offset)
    if asked and not errors:
        try:
            hits = actions.search(context, who, query, form["case"])
        except NotFound as error:
            errors, hint = {"case": sentence(str(error))}, error.hint
        else:
            dated, undated = [_found(h) for h in hits[0]], [_found(h) for h in hits[1]]
    full = max(len(dated), len(undated)) >= _AT_ONCE
    return page(
        request,
        "search.html",
        who,
        status=400 if errors else 200,
        form={**form, "after": form["from"], "before": form["to"]},
        asked=asked,
        dated=dated,
        undated=undated,
        full=full,
        earlier=_page_link(form, offset - _AT_ONCE) if offset else "",
        later=_page_link(form, offset + _AT_ONCE) if full else "",
        labels=labels_to_choose(context),
        references=case_references(context, who),
        errors=errors,
        hint=hint,
    )


def _query(form: Mapping[str, str], errors: dict[str, str], offset: int) -> Query:
    """What was asked for; what can't be understood is put into `errors` by field."""
    times: dict[str, datetime | None] = {"from": None, "to": None}
    for name in times:
        if form[name]:
            try:
                times[name] = from_uk_time(form[name])
            except ValueError:
                errors[name] = "Enter a date and a time, such as 2026-11-24T22:00"
    score = 0.0
    if form["min_score"]:
        try:
            score = float(form["min_score"])
        except ValueError:
            score = -1.0
        if not 0 <= score <= 1:
            errors["min_score"] = "Enter a score from 0 to 1"
    return Query(
        labels=tuple(part.strip().lower() for part in form["label"].split(",") if part.strip()),
        after=times["from"],
        before=times["to"],
        kind=form["kind"] if form["kind"] in set(SourceKind) else "",
        min_score=score,
        limit=_AT_ONCE,
        offset=offset,
    )


def _found(hit: Hit) -> Found:
    track, exhibit = hit.track, hit.exhibit
    return Found(
        label=track.label,
        reference=exhibit.reference,
        case_reference=hit.case_reference,
        kind=exhibit.kind,
        path=f"{exhibit_path(exhibit.id)}?{urlencode({'track': track.track_id, 'label': track.label})}",
        thumbnail=output_url(exhibit.id, track.thumbnail_output) if track.thumbnail_output else "",
        number=track.track_id,
        start_s=track.start_s,
        end_s=track.end_s,
        score=track.best_score,
        when=place_words.period(hit.from_time, hit.to_time, hit.error_s),
        claimed=place_words.said(hit.clock, hit.claimed_from),
    )


def labels_to_choose(context: Context) -> list[str]:
    return sorted({*context.settings.detect_labels, *_OTHER_LABELS})


def _page_link(form: Mapping[str, str], offset: int) -> str:
    wanted = {name: value for name, value in form.items() if value}
    return f"/search?{urlencode(wanted | {'offset': str(max(0, offset))})}"

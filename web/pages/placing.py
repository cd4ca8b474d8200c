"""Forms on an exhibit's page about places and time: pair, part, correct a clock."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from evidence.case import Act
from evidence.errors import BadInput, Conflict
from web import actions, places
from web.context import asks
from web.pages.cards import exhibit_path
from web.pages.clock_form import ClockForm
from web.pages.exhibit import exhibit_page
from web.pages.exhibit_places import seen_places
from web.pages.rendering import back_to, sentence
from web.pages.ways import clock_zero
from web.signin import Ctx, Who

router = APIRouter()


@router.post("/exhibits/{exhibit_id}/pairs", **asks(Act.PROCESS))
def pair(
    request: Request,
    context: Ctx,
    who: Who,
    exhibit_id: str,
    other: Annotated[str, Form()] = "",
    offset: Annotated[str, Form()] = "",
) -> Response:
    form, errors, hint = {"other": other, "offset": offset}, {}, ""
    offset_us: int | None = None
    if not other:
        errors["other"] = "Choose what it belongs to"
    if offset.strip():
        try:
            offset_us = round(float(offset.strip().replace("−", "-")) * 1_000_000)
        except (ValueError, OverflowError):
            errors["offset"] = "Enter seconds, such as 1.5 or -1.5, or leave this empty"
    if not errors:
        try:
            places.pair(context, who, exhibit_id, other, offset_us=offset_us)
        except (BadInput, Conflict) as error:
            errors, hint = {"other": sentence(str(error))}, error.hint
    if errors:
        return exhibit_page(request, context, who, exhibit_id, form=form, errors=errors, hint=hint)
    return back_to(exhibit_path(exhibit_id), "paired", "place")


@router.post("/exhibits/{exhibit_id}/pairs/{other_id}/part", **asks(Act.PROCESS))
def part(request: Request, context: Ctx, who: Who, exhibit_id: str, other_id: str) -> Response:
    try:
        places.unpair(context, who, exhibit_id, other_id)
    except (BadInput, Conflict) as error:
        errors = {"place": sentence(str(error))}
        return exhibit_page(request, context, who, exhibit_id, errors=errors, hint=error.hint)
    return back_to(exhibit_path(exhibit_id), "parted", "place")


@router.post("/exhibits/{exhibit_id}/clock", **asks(Act.PROCESS))
def correct_clock(
    request: Request, context: Ctx, who: Who, exhibit_id: str, asked: Annotated[ClockForm, Form()]
) -> Response:
    view = actions.view_exhibit(context, who, exhibit_id)
    known = seen_places(context, who, view)["clocks"]
    made, errors = asked.read(known, who.user.name, clock_zero(view.exhibit, view.outputs))
    hint = ""
    if made is not None:
        clock, correction = made
        try:
            places.correct_clock(context, who, clock.exhibit_id, clock.claim, correction)
        except (BadInput, Conflict) as error:
            errors, hint = {"because": sentence(str(error))}, error.hint
    if errors:
        form: dict[str, Any] = asked.model_dump()
        return exhibit_page(request, context, who, exhibit_id, form=form, errors=errors, hint=hint)
    return back_to(exhibit_path(exhibit_id), "clock-corrected", "place")

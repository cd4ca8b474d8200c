"""Do the clocks of a case agree: recordings that went the same way, and events that two of them show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as Parameter
from starlette.responses import Response

from evidence.case import Act
from evidence.errors import BadInput, NotFound
from evidence.exhibit import Exhibit
from evidence.mediatime import read_clock
from evidence.places import FILE_CLOCK
from evidence.steps import Step
from web import actions, clocks
from web.clocks import Apart
from web.context import Context, asks
from web.pages import place_words
from web.pages.cards import exhibit_path
from web.pages.rendering import page, plural, sentence
from web.pages.ways import clock_zero
from web.pages.words import Tag
from web.signin import Ctx, Who

router = APIRouter()
_EVENTS_AT_MOST = 50
_AGREE = Tag("Within their errors", "green")
_CONTRADICT = Tag("They contradict each other", "red")


@dataclass(frozen=True, slots=True)
class ApartLine:
    """Two clocks as the page compares them."""

    first: str
    first_path: str
    second: str
    second_path: str
    words: str
    tag: Tag


@router.get("/cases/{case_id}/clocks", **asks(Act.SEE_CASE))
def compare(
    request: Request,
    context: Ctx,
    who: Who,
    case_id: str,
    first: Annotated[str, Parameter(max_length=64)] = "",
    second: Annotated[str, Parameter(max_length=64)] = "",
    events: Annotated[str, Parameter(max_length=4000)] = "",
) -> Response:
    view = actions.view_case(context, who, case_id)
    exhibits = [one.exhibit for one in actions.case_exhibits(context, who, case_id)]
    errors: dict[str, str] = {}
    hint = ""
    by_event: list[ApartLine] = []
    if request.query_params:
        moments = _moments(context, exhibits, first, second, events, errors)
        if not errors:
            try:
                by_event = [_line(apart, "event") for apart in clocks.against(context, who, first, second, moments)]
            except (BadInput, NotFound) as error:
                errors, hint = {"second": sentence(str(error))}, error.hint
    found, too_many = clocks.by_ways(context, who, case_id)
    return page(
        request,
        "case_clocks.html",
        who,
        status=400 if errors else 200,
        case=view.case,
        case_path=f"/cases/{view.case.id}",
        lines=[_line(apart, "second") for apart in found],
        too_many=too_many,
        by_event=by_event,
        choices={one.id: f"{one.reference} {one.filename}" for one in exhibits if one.media is not None},
        form={"first": first, "second": second, "events": events},
        errors=errors,
        hint=hint,
    )


def _moments(
    context: Context, exhibits: Sequence[Exhibit], first: str, second: str, text: str, errors: dict[str, str]
) -> list[tuple[int, int]]:
    """Events by microseconds of both time lines, from lines of `0:12.5 1:40.2` as the two players show them."""
    known: dict[str, Exhibit] = {one.id: one for one in exhibits}
    for name, value in (("first", first), ("second", second)):
        if value not in known:
            errors[name] = f"Choose the {name} recording"
    if first and first == second:
        errors["second"] = "Choose another recording than the first"
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not 1 <= len(lines) <= _EVENTS_AT_MOST or any(len(line) != 2 for line in lines):
        errors["events"] = f"Enter 1 to {_EVENTS_AT_MOST} events, one a line, such as 0:12.5 1:40.2"
    if errors:
        return []
    zeros = [clock_zero(known[id], context.index.outputs(known[id].id, step=Step.PROXY)) for id in (first, second)]
    try:
        return [(_us(here, zeros[0]), _us(there, zeros[1])) for here, there in lines]
    except ValueError:
        errors["events"] = "Enter each event as two times of the players, such as 0:12.5 1:40.2"
        return []


def _us(text: str, zero: Fraction) -> int:
    return round((read_clock(text) + zero) * 1_000_000)


def _line(apart: Apart, of: str) -> ApartLine:
    found = apart.found
    ahead = "ahead of" if found.offset_s >= 0 else "behind"
    rests_on = plural(found.rests_on, of) + (" of a common way" if of == "second" else "")
    within = place_words.within(found.error_s)
    words = f"The second is {abs(found.offset_s):,.1f} s {ahead} the first, ± {within}; from {rests_on}"
    return ApartLine(
        _clock(apart.first, apart.first_clock),
        exhibit_path(apart.first.id),
        _clock(apart.second, apart.second_clock),
        exhibit_path(apart.second.id),
        words,
        _CONTRADICT if found.contradicts else _AGREE,
    )


def _clock(exhibit: Exhibit, clock: str) -> str:
    return f"{exhibit.reference}, {'time of filming' if clock == FILE_CLOCK else clock}"

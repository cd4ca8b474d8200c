"""One exhibit: the player and what was seen, copies and clips, redaction, processing, history."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from evidence.case import Act
from evidence.errors import BadInput, Conflict
from evidence.mediatime import MediaTime, Span, from_seconds, read_clock
from storage.ledger.people import SignedIn
from web import actions
from web.context import Context, asks
from web.pages.cards import exhibit_path
from web.pages.copies import player_origin
from web.pages.events import event_lines
from web.pages.exhibit_places import seen_places
from web.pages.exhibit_seen import facts, seen
from web.pages.redaction_form import RedactionForm
from web.pages.rendering import back_to, fragment, page, parts, sentence
from web.pages.timeline import decimal
from web.signin import Ctx, Who

router = APIRouter()
_LIVE = {
    "tags": "exhibit_tags",
    "notices": "exhibit_notices",
    "player": "player",
    "tracks": "tracks",
    "where": "where",
    "copies": "copies",
    "doubts": "doubts",
    "redactions": "redactions",
    "steps": "steps",
    "clip_sources": "clip_sources",
}
"""Part of the page → its template."""
_HISTORY_LINES = 20
"""The newest; the others stand folded below them."""


@router.get("/exhibits/{exhibit_id}", **asks(Act.SEE_EXHIBIT))
def show_exhibit(
    request: Request,
    context: Ctx,
    who: Who,
    exhibit_id: str,
    track: str = "",
    show: str = "",
    label: str = "",
    at: str = "",
) -> Response:
    return exhibit_page(request, context, who, exhibit_id, track=track, show=show, label=label, at=at)


@router.get("/exhibits/{exhibit_id}/parts", **asks(Act.SEE_EXHIBIT))
def exhibit_parts(context: Ctx, who: Who, exhibit_id: str) -> Response:
    """What changes on an exhibit's page while work goes on."""
    view = actions.view_exhibit(context, who, exhibit_id)
    things = seen(context, who, view) | seen_places(context, who, view)
    shared: dict[str, Any] = {"csrf": who.csrf, "jump": None, "starts_at": "", "label": "", "form": {}, "errors": {}}
    html = {name: fragment(f"parts/{file}.html", **things, **shared) for name, file in _LIVE.items()}
    versions = {
        "player": things["player_version"],
        "tracks": things["tracks_version"],
        "where": things["where_version"],
        "clip_sources": str(len(things["clip_sources"])),
    }
    return parts(not things["working"], versions, **html)


def exhibit_page(
    request: Request,
    context: Context,
    who: SignedIn,
    exhibit_id: str,
    *,
    track: str = "",
    show: str = "",
    label: str = "",
    at: str = "",
    form: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    hint: str = "",
) -> Response:
    """The whole page; also after a form on it was wrong."""
    view = actions.view_exhibit(context, who, exhibit_id)
    things = seen(context, who, view, show) | seen_places(context, who, view)
    jump = next((line for line in things["tracks"] if str(line.row.track_id) == track), None)
    lines = event_lines(actions.exhibit_log(context, who, exhibit_id)) if Act.SEE_AUDIT in view.acts else []
    return page(
        request,
        "exhibit.html",
        who,
        status=400 if errors else 200,
        jump=jump,
        starts_at=jump.at if jump else _moment(at),
        label=label,
        history=lines[:_HISTORY_LINES],
        earlier=lines[_HISTORY_LINES:],
        facts=facts(view),
        form=form or {},
        errors=errors or {},
        hint=hint,
        **things,
    )


def _moment(text: str) -> str:
    """Where the player starts, as an address gave it; anything else is no moment."""
    try:
        return decimal(read_clock(text))
    except ValueError:
        return ""


@router.post("/exhibits/{exhibit_id}/clips", **asks(Act.PROCESS))
def ask_clip(
    request: Request,
    context: Ctx,
    who: Who,
    exhibit_id: str,
    start: Annotated[str, Form(alias="from")] = "",
    end: Annotated[str, Form(alias="to")] = "",
    source: Annotated[str, Form()] = "original",
) -> Response:
    view = actions.view_exhibit(context, who, exhibit_id)
    origin = player_origin(view)
    form, errors, hint = {"from": start, "to": end, "source": source}, {}, ""
    moments: dict[str, MediaTime] = {}
    for name, text in (("from", start), ("to", end)):
        try:
            moments[name] = from_seconds(read_clock(text) + origin)
        except ValueError:
            errors[name] = f"Enter the time of the {'first' if name == 'from' else 'last'} frame, such as 1:02.5"
    if not errors and moments["to"] < moments["from"]:
        errors["to"] = "The clip must end after it starts"
    if not errors:
        try:
            actions.ask_clip(context, who, exhibit_id, Span(moments["from"], moments["to"]), source)
        except (BadInput, Conflict) as error:
            errors, hint = {"from": sentence(str(error))}, error.hint
    if errors:
        return exhibit_page(request, context, who, exhibit_id, form=form, errors=errors, hint=hint)
    return back_to(exhibit_path(exhibit_id), "clip-asked", "copies")


@router.post("/exhibits/{exhibit_id}/redactions", **asks(Act.PROCESS))
def ask_redaction(
    request: Request, context: Ctx, who: Who, exhibit_id: str, asked: Annotated[RedactionForm, Form()]
) -> Response:
    view = actions.view_exhibit(context, who, exhibit_id)
    redaction, errors, hint = asked.read(who.user.name, player_origin(view))
    if redaction is not None:
        try:
            actions.ask_redaction(context, who, exhibit_id, redaction)
        except (BadInput, Conflict) as error:
            errors, hint = {asked.field_of(error): sentence(str(error))}, error.hint
    if errors:
        return exhibit_page(request, context, who, exhibit_id, form=asked.model_dump(), errors=errors, hint=hint)
    return back_to(exhibit_path(exhibit_id), "redaction-asked", "redaction")


@router.post("/exhibits/{exhibit_id}/redactions/{run}/findings/{finding}/{verdict}", **asks(Act.PROCESS))
def judge_finding(
    request: Request,
    context: Ctx,
    who: Who,
    exhibit_id: str,
    run: str,
    finding: int,
    verdict: Literal["accept", "reopen"],
    reason: Annotated[str, Form()] = "",
) -> Response:
    accepts = verdict == "accept"
    errors, hint = {}, ""
    if not reason.strip():
        errors["redaction"] = (
            f"Say why the place is {'harmless, to accept it' if accepts else 'not harmless, to open it again'}"
        )
    else:
        act = actions.accept_finding if accepts else actions.reopen_finding
        try:
            act(context, who, exhibit_id, run, finding, reason)
        except (BadInput, Conflict) as error:
            errors, hint = {"redaction": sentence(str(error))}, error.hint
    if errors:
        return exhibit_page(request, context, who, exhibit_id, errors=errors, hint=hint)
    return back_to(exhibit_path(exhibit_id), "finding-accepted" if accepts else "finding-reopened", "redaction")


@router.post("/exhibits/{exhibit_id}/runs/{run}/retry", **asks(Act.PROCESS))
def retry(request: Request, context: Ctx, who: Who, exhibit_id: str, run: str) -> Response:
    try:
        actions.retry(context, who, exhibit_id, run)
    except Conflict as error:
        return exhibit_page(request, context, who, exhibit_id, errors={"steps": sentence(str(error))}, hint=error.hint)
    return back_to(exhibit_path(exhibit_id), "step-retried", "steps")


@router.post("/exhibits/{exhibit_id}/runs/{run}/cancel", **asks(Act.PROCESS))
def cancel(request: Request, context: Ctx, who: Who, exhibit_id: str, run: str) -> Response:
    try:
        actions.cancel(context, who, exhibit_id, run)
    except Conflict as error:
        return exhibit_page(request, context, who, exhibit_id, errors={"steps": sentence(str(error))}, hint=error.hint)
    return back_to(exhibit_path(exhibit_id), "step-cancelled", "steps")

"""The list of cases, one case, its members, its exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from evidence.case import Act, Case, CaseState, allows
from evidence.errors import BadInput, Conflict, NotFound
from evidence.steps import Step, StepRun, StepState
from storage.index import Output
from storage.ledger.people import SignedIn
from web import actions
from web.context import Context, asks
from web.exhibit_view import StepLine
from web.overview import may_for_some
from web.pages.cards import API, Card, card, share_of, working
from web.pages.rendering import back_to, fragment, page, parts, sentence
from web.pages.ways import ways_of
from web.signin import Ctx, Who

router = APIRouter()


@dataclass(frozen=True, slots=True)
class CaseLine:
    case: Case
    path: str
    exhibits: int


@dataclass(frozen=True, slots=True)
class ExportLine:
    run: StepRun
    output: Output | None
    path: str
    share: float | None


def case_path(case: Case) -> str:
    return f"/cases/{case.id}"


@router.get("/cases", **asks(Act.SEE_CASE))
def list_cases(request: Request, context: Ctx, who: Who, q: str = "") -> Response:
    return _list(request, context, who, q.strip()[:200])


@router.post("/cases", **asks(Act.CREATE_CASE))
def create_case(
    request: Request, context: Ctx, who: Who, reference: Annotated[str, Form()] = "", title: Annotated[str, Form()] = ""
) -> Response:
    form = {"reference": reference, "title": title}
    if not reference.strip():
        return _list(request, context, who, form=form, errors={"reference": "Enter a case reference"})
    try:
        case = actions.create_case(context, who, reference.strip(), title.strip())
    except (BadInput, Conflict) as error:
        return _list(request, context, who, form=form, errors={"reference": sentence(str(error))}, hint=error.hint)
    return back_to(case_path(case), "case-created")


def _list(
    request: Request,
    context: Context,
    who: SignedIn,
    text: str = "",
    *,
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    hint: str = "",
) -> Response:
    cases = actions.list_cases(context, who, text)
    counts = context.index.exhibit_counts(who.user)
    return page(
        request,
        "cases.html",
        who,
        status=400 if errors else 200,
        cases=[CaseLine(case, case_path(case), counts.get(case.id, 0)) for case in cases],
        counted=may_for_some(who.user, Act.SEE_EXHIBIT),
        text=text,
        may_create=allows(who.user, Act.CREATE_CASE),
        form=form or {"reference": "", "title": ""},
        errors=errors or {},
        hint=hint,
    )


@router.get("/cases/{case_id}", **asks(Act.SEE_CASE))
def show_case(request: Request, context: Ctx, who: Who, case_id: str) -> Response:
    return _show(request, context, who, case_id)


@router.get("/cases/{case_id}/parts", **asks(Act.SEE_CASE))
def case_parts(context: Ctx, who: Who, case_id: str) -> Response:
    """What changes on a case's page while work goes on."""
    seen = _seen(context, who, case_id)
    seen |= _map_seen(context, who, seen["cards"])
    html = {"exhibits": fragment("parts/cards.html", **seen), "where": fragment("parts/case_map.html", **seen)}
    if seen["may_export"]:
        html["exports"] = fragment("parts/exports.html", **seen)
    return parts(not (seen["working"] or seen["exporting"]), {"where": seen["ways_version"]}, **html)


def _map_seen(context: Context, who: SignedIn, cards: Sequence[Card]) -> dict[str, Any]:
    """The ways of its exhibits; the version changes with them, and not while other steps go on."""
    ways = ways_of(context, who, [one.exhibit for one in cards])
    return {
        "ways": ways,
        "ways_version": sha256(repr(ways).encode()).hexdigest()[:16],
        "map_tiles": context.settings.map_tiles,
        "map_attribution": context.settings.map_attribution,
    }


def _seen(context: Context, who: SignedIn, case_id: str) -> dict[str, Any]:
    view = actions.view_case(context, who, case_id)
    sees = may_for_some(who.user, Act.SEE_EXHIBIT)
    cards = [card(v) for v in actions.case_exhibits(context, who, case_id)] if sees else []
    exports = _exports(context, who, case_id) if Act.EXPORT in view.acts else []
    return {
        "case": view.case,
        "case_path": case_path(view.case),
        "closed": view.case.state is CaseState.CLOSED,
        "members": view.members,
        "cards": cards,
        "working": working(cards),
        "exports": exports,
        "exporting": any(e.run.state in {StepState.READY, StepState.RUNNING} for e in exports),
        "may_see_exhibits": sees,
        "may_upload": Act.UPLOAD in view.acts,
        "may_export": Act.EXPORT in view.acts,
        "may_manage": Act.MANAGE_CASE in view.acts,
        "may_see_log": Act.SEE_AUDIT in view.acts,
    }


def _exports(context: Context, who: SignedIn, case_id: str) -> list[ExportLine]:
    lines = []
    for run, files in actions.exports(context, who, case_id):
        output = max(files, key=lambda file: file.size_bytes, default=None)
        path = f"{API}/cases/{case_id}/exports/{run.id}/{quote(output.name, safe='')}" if output else ""
        lines.append(ExportLine(run, output, path, share_of(StepLine(Step.EXPORT, run.state, run))))
    return lines


def _show(
    request: Request,
    context: Context,
    who: SignedIn,
    case_id: str,
    *,
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    hint: str = "",
) -> Response:
    things = _seen(context, who, case_id)
    return page(
        request,
        "case.html",
        who,
        status=400 if errors else 200,
        form=form or {"member": ""},
        errors=errors or {},
        hint=hint,
        **things,
        **_map_seen(context, who, things["cards"]),
    )


@router.post("/cases/{case_id}/members", **asks(Act.MANAGE_CASE))
def add_member(request: Request, context: Ctx, who: Who, case_id: str, member: Annotated[str, Form()] = "") -> Response:
    if not member.strip():
        return _show(request, context, who, case_id, errors={"member": "Enter a user name"})
    actions.view_case(context, who, case_id)  # A case that is not there must not look like a user that is not.
    try:
        actions.add_member(context, who, case_id, member.strip())
    except (NotFound, BadInput, Conflict) as error:
        errors = {"member": sentence(str(error))}
        return _show(request, context, who, case_id, form={"member": member}, errors=errors, hint=error.hint)
    return back_to(f"/cases/{case_id}", "member-added", "members")


@router.post("/cases/{case_id}/members/{user_id}/remove", **asks(Act.MANAGE_CASE))
def remove_member(request: Request, context: Ctx, who: Who, case_id: str, user_id: str) -> Response:
    try:
        actions.remove_member(context, who, case_id, user_id)
    except Conflict as error:
        return _show(request, context, who, case_id, errors={"members": sentence(str(error))}, hint=error.hint)
    return back_to("/cases" if user_id == who.user.id else f"/cases/{case_id}", "member-removed", "members")


@router.post("/cases/{case_id}/change", **asks(Act.MANAGE_CASE))
def change_case(
    context: Ctx, who: Who, case_id: str, urgent: Annotated[str, Form()] = "", closed: Annotated[str, Form()] = ""
) -> Response:
    yes = {"yes": True, "no": False}
    actions.change_case(context, who, case_id, urgent=yes.get(urgent), closed=yes.get(closed))
    return back_to(f"/cases/{case_id}", "case-changed")


@router.post("/cases/{case_id}/exports", **asks(Act.EXPORT))
def ask_export(context: Ctx, who: Who, case_id: str) -> Response:
    actions.ask_export(context, who, case_id)
    return back_to(f"/cases/{case_id}", "export-asked", "exports")

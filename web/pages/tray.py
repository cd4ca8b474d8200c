"""What belongs to no case yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from evidence.case import Act, Relation, allows
from evidence.errors import BadInput, Conflict, NotFound
from evidence.exhibit import Exhibit, ExhibitState
from storage.ledger.people import SignedIn
from web import actions
from web.context import Context, asks
from web.overview import case_references, tray
from web.pages.cards import exhibit_path
from web.pages.rendering import back_to, page, sentence
from web.signin import Ctx, Who

router = APIRouter()


@dataclass(frozen=True, slots=True)
class TrayLine:
    exhibit: Exhibit
    path: str
    """Empty for who may file it without seeing into it."""
    state: ExhibitState | None
    uploader: str


@router.get("/unfiled", **asks(Act.SEE_TRAY))
def show_tray(request: Request, context: Ctx, who: Who) -> Response:
    return _show(request, context, who)


@router.post("/unfiled/{exhibit_id}/file", **asks(Act.FILE_FROM_TRAY))
def file_exhibit(request: Request, context: Ctx, who: Who, exhibit_id: str, case: Annotated[str, Form()] = "") -> Response:
    field = f"case-{exhibit_id}"
    if not case.strip():
        return _show(request, context, who, errors={field: "Enter the reference of an open case"})
    try:
        actions.file_from_tray(context, who, exhibit_id, case)
    except (NotFound, BadInput, Conflict) as error:
        return _show(request, context, who, form={field: case}, errors={field: sentence(str(error))}, hint=error.hint)
    return back_to("/unfiled", "filed")


def _show(
    request: Request,
    context: Context,
    who: SignedIn,
    *,
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    hint: str = "",
) -> Response:
    lines = [
        TrayLine(exhibit, exhibit_path(exhibit.id) if view else "", view.state if view else None, uploader.display_name)
        for exhibit, view, uploader in tray(context, who)
    ]
    return page(
        request,
        "unfiled.html",
        who,
        status=400 if errors else 200,
        lines=lines,
        everybody=allows(who.user, Act.SEE_TRAY, frozenset({Relation.NONE})),
        references=case_references(context, who),
        form=form or {},
        errors=errors or {},
        hint=hint,
    )

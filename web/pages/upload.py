"""Sending files: the page that `upload.js` makes resumable, the plain form that stands in for it, one's own uploads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from evidence.case import Act
from evidence.errors import BadInput, ExhibitError
from ingest.form import FormUpload, receive_form
from ingest.parts import Body
from storage.ledger.people import SignedIn
from web import actions
from web.context import Context, asks
from web.overview import case_references
from web.pages import words
from web.pages.cards import card, working
from web.pages.fate import Fate, fate
from web.pages.rendering import UK, back_to, fragment, page, parts, sentence
from web.permission import require
from web.signin import CSRF_FIELD, Ctx, Who, check_csrf, signed_in_unproven

router = APIRouter()
_FIELDS = ("case", "kind", "device", "officer", "captured_at", "sidecar_for")
_Short = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One file of a plain form."""

    filename: str
    fate: Fate
    id: str = ""


@router.get("/upload", **asks(Act.UPLOAD))
def show_form(request: Request, context: Ctx, who: Who, case: _Short = "") -> Response:
    require(context, who, Act.UPLOAD)
    return _form(request, context, who, {"case": case})


def _form(
    request: Request,
    context: Context,
    who: SignedIn,
    given: Mapping[str, str],
    errors: dict[str, str] | None = None,
    hint: str = "",
) -> Response:
    return page(
        request,
        "upload.html",
        who,
        status=400 if errors else 200,
        form={name: given.get(name, "") for name in _FIELDS},
        kinds={kind.value: name for kind, name in words.KIND.items()},
        max_bytes=context.settings.max_upload_bytes,
        references=case_references(context, who),
        errors=errors or {},
        hint=hint,
    )


@router.post("/upload", **asks(Act.UPLOAD))
async def receive(request: Request, context: Ctx) -> Response:
    """The plain form, streamed: its fields come before its files, and the CSRF token is one of them."""
    who = await signed_in_unproven(request)
    given: dict[str, str] = {}

    async def before_files(fields: Mapping[str, str]) -> None:
        given.update(fields)
        await check_csrf(request, who, fields.get(CSRF_FIELD, ""))

    length = request.headers.get("content-length", "")
    body = Body(request.stream(), int(length) if length.isdecimal() else None, broken=(ClientDisconnect,))
    try:
        arrived = await receive_form(
            context.staging,
            who.user,
            request.headers.get("content-type", ""),
            body,
            before_files=before_files,
            zone=UK,
        )
    except BadInput as error:
        errors = {"files": sentence(str(error))}
        return await run_in_threadpool(_form, request, context, who, given, errors, error.hint)
    if not arrived:
        missing = {"kind": "Choose the kind of recording"} if not given.get("kind") else {}
        errors = missing | {"files": "Choose at least one file"}
        return await run_in_threadpool(_form, request, context, who, given, errors)
    wrong = _field_at_fault(given, arrived)
    if wrong:
        return await run_in_threadpool(
            _form, request, context, who, given, wrong, str(arrived[0].error and arrived[0].error.hint)
        )
    return await run_in_threadpool(_arrived, request, context, who, arrived)


def _field_at_fault(given: Mapping[str, str], arrived: list[FormUpload]) -> dict[str, str]:
    """When no file came in because a field is wrong, the field and its sentence."""
    if any(one.upload for one in arrived):
        return {}
    error = arrived[0].error
    if error is None:
        return {}
    message = sentence(str(error))
    if not given.get("kind"):
        return {"kind": "Choose the kind of recording"}
    if "case" in message.lower():
        return {"case": message}
    if "time" in message.lower():
        return {"captured_at": message}
    return {}


def _arrived(request: Request, context: Context, who: SignedIn, arrived: list[FormUpload]) -> Response:
    """On a page of their own; a refused file has no record to come back to, so it is told in this answer."""
    ids = ",".join(one.upload.id for one in arrived if one.upload)
    if all(one.upload for one in arrived):
        return back_to(f"/uploaded/{ids}")
    found = []
    for one in arrived:
        if one.upload:
            found.append(Arrival(one.filename, fate(context, who, one.upload), one.upload.id))
        elif one.error:
            found.append(Arrival(one.filename, _refusal(one.error)))
    shown = _shown(found, f"/uploaded/{ids}" if ids else "/upload") | {"working": False}
    return page(request, "uploaded.html", who, **shown)


def _refusal(error: ExhibitError) -> Fate:
    return Fate("refused", sentence(str(error)), f"{error.hint} Nothing of it was kept.".strip())


def _shown(found: list[Arrival], path: str) -> dict[str, Any]:
    return {"uploads": found, "working": any(not one.fate.final for one in found), "path_here": path}


@router.get("/uploaded/{ids}", **asks(Act.SEE_EXHIBIT))
def show_arrivals(request: Request, context: Ctx, who: Who, ids: str) -> Response:
    return page(request, "uploaded.html", who, **_shown(_look(context, who, ids), f"/uploaded/{ids}"))


@router.get("/uploaded/{ids}/parts", **asks(Act.SEE_EXHIBIT))
def arrival_parts(context: Ctx, who: Who, ids: str) -> Response:
    shown = _shown(_look(context, who, ids), "")
    return parts(not shown["working"], {}, uploads=fragment("parts/uploaded.html", **shown))


def _look(context: Context, who: SignedIn, ids: str) -> list[Arrival]:
    uploads = [actions.view_upload(context, who, one) for one in ids.split(",")[:64]]
    return [Arrival(one.metadata.get("filename", ""), fate(context, who, one), one.id) for one in uploads]


@router.get("/fate/{upload_id}", **asks(Act.SEE_EXHIBIT))
def one_fate(context: Ctx, who: Who, upload_id: str) -> Response:
    """What became of one upload, for `upload.js`: the same words as on the page without scripts."""
    found = fate(context, who, actions.view_upload(context, who, upload_id))
    return JSONResponse(
        {"state": found.state, "final": found.final, "title": found.title, "text": found.text, "exhibit": found.exhibit}
    )


@router.get("/my-uploads", **asks(Act.SEE_EXHIBIT))
def my_uploads(request: Request, context: Ctx, who: Who) -> Response:
    cards = [card(view, with_case=True) for view in actions.my_exhibits(context, who)]
    return page(request, "mine.html", who, cards=cards, working=working(cards))


@router.get("/my-uploads/parts", **asks(Act.SEE_EXHIBIT))
def my_upload_parts(context: Ctx, who: Who) -> Response:
    cards = [card(view, with_case=True) for view in actions.my_exhibits(context, who)]
    return parts(not working(cards), {}, exhibits=fragment("parts/cards.html", cards=cards))

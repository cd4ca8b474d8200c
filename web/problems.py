"""Every error in one form: problem+json for programs, a page for people.

Source: RFC 9457 (Problem Details for HTTP APIs); `hint` is ours: what to do about it.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from markupsafe import escape
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evidence import errors
from evidence.errors import ExhibitError
from web.signin import PASSWORD_PATH, SIGN_IN_PATH

log = logging.getLogger("exhibit.web")

MEDIA_TYPE = "application/problem+json"
TYPES_AT = "/api/v1/problems"
_RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of problem: its status and its title, which never change from one occurrence to the next."""

    status: int
    title: str


KINDS: dict[type[ExhibitError], Kind] = {
    errors.NotSignedIn: Kind(401, "Not signed in"),
    errors.PasswordMustChange: Kind(403, "The password must be changed first"),
    errors.NotAllowed: Kind(403, "Not allowed"),
    errors.Gone: Kind(410, "Gone"),
    errors.NotFound: Kind(404, "Not found"),
    errors.TooManyTries: Kind(429, "Too many tries"),
    errors.Busy: Kind(423, "Busy"),
    errors.CaseClosed: Kind(409, "The case is closed"),
    errors.Conflict: Kind(409, "Conflict"),
    errors.UnsupportedMedia: Kind(415, "Not a kind of file that is evidence here"),
    errors.CorruptMedia: Kind(422, "The file can't be read"),
    errors.TooLarge: Kind(413, "Too large"),
    errors.NoDetector: Kind(422, "No detector for that"),
    errors.BadInput: Kind(400, "The input is wrong"),
    errors.DigestMismatch: Kind(422, "The digest does not match"),
    errors.ChainBroken: Kind(500, "The custody log is broken"),
    errors.WrongWeights: Kind(500, "The model file is not the one in the catalogue"),
    errors.IntegrityError: Kind(500, "Not what was recorded"),
    errors.Cancelled: Kind(409, "Cancelled"),
    errors.Fenced: Kind(409, "Taken over by another worker"),
    errors.StepFailed: Kind(500, "The step failed"),
    errors.StoreDown: Kind(503, "The object store is down"),
    errors.DatabaseDown: Kind(503, "The database is down"),
    errors.WrongSchema: Kind(503, "The database is not at this program's version"),
    errors.NoSpace: Kind(507, "No space left"),
    errors.Unavailable: Kind(503, "A part is down"),
    ExhibitError: Kind(500, "Something went wrong"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One occurrence. `headers` go with the response, `more` are extra members of the JSON."""

    status: int
    title: str
    detail: str
    hint: str
    type: str = "about:blank"
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def json(self) -> bytes:
        members = {"type": self.type, "title": self.title, "status": self.status, "detail": self.detail, "hint": self.hint}
        return json.dumps(members | self.more, ensure_ascii=False).encode()


def slug(error: type[ExhibitError]) -> str:
    """`CaseClosed` → `case-closed`: the end of the problem's type."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in error.__name__).lstrip("-")


def problem_of(error: ExhibitError) -> Problem:
    """What happened and what to do, under the nearest class that has a line in `KINDS`."""
    named = next(c for c in type(error).__mro__ if c in KINDS)
    kind = KINDS[named]
    headers = {}
    if kind.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="exhibit"'
    if error.transient or kind.status in {429, 503, 507}:
        headers["Retry-After"] = str(_RETRY_AFTER_S if kind.status != 429 else 15 * 60)
    return Problem(kind.status, kind.title, str(error), error.hint, f"{TYPES_AT}/{slug(named)}", headers)


ErrorPage = Callable[[Request, Problem], Response]
"""Makes the page for people; the plain one stands in when it fails."""


def install(app: FastAPI, error_page: ErrorPage | None = None) -> None:
    """Answer every error of `app` in one of the two forms."""
    app.state.error_page = error_page
    app.add_exception_handler(ExhibitError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(CatchAll)


class CatchAll:
    """The last net, inside every other middleware, so that the headers they set are there on a 500 too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if started:
                raise  # Half an answer is out: only a broken connection tells the client.
            request = Request(scope, receive)
            await _unexpected(request, error)(scope, receive, send)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, ExhibitError)
    problem = problem_of(error)
    if problem.status >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error)
    if wants_page(request):
        if isinstance(error, errors.NotSignedIn):
            back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            to = f"{SIGN_IN_PATH}?next={quote(back, safe='')}" if request.method == "GET" else SIGN_IN_PATH
            return RedirectResponse(to, status_code=303)
        if isinstance(error, errors.PasswordMustChange):
            return RedirectResponse(PASSWORD_PATH, status_code=303)
    return answer(request, problem)


async def _invalid(request: Request, error: Exception) -> Response:
    """What FastAPI found wrong, without repeating the input: it may hold a password."""
    assert isinstance(error, RequestValidationError)
    found = [{"where": ".".join(str(p) for p in e["loc"]), "what": e["msg"]} for e in error.errors()]
    first = found[0] if found else {"where": "request", "what": "is not valid"}
    return answer(
        request,
        Problem(
            422,
            "The request is not valid",
            f"{first['where']}: {first['what']}",
            "Compare it with docs/api.md or /api/v1/openapi.json.",
            more={"errors": found},
        ),
    )


_HINTS = {404: "Check the address.", 405: "Use another method: the Allow header names them.", 413: "Send less at once."}


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    hint = _HINTS.get(error.status_code, "Correct the request and send it again.")
    return answer(request, Problem(error.status_code, title, str(error.detail), hint, headers=dict(error.headers or {})))


def _unexpected(request: Request, error: Exception) -> Response:
    """A fault of ours: the person gets a number, the log gets the rest."""
    number = secrets.token_hex(6)
    log.error("unexpected error %s at %s %s", number, request.method, request.url.path, exc_info=error)
    return answer(
        request,
        Problem(
            500,
            "An unexpected error",
            f"Something went wrong here that should not have (number {number}).",
            "Try again; if it stays, give the number to the administrator, who finds it in the log.",
            more={"number": number},
        ),
    )


def wants_page(request: Request) -> bool:
    """Whether a browser asked for a page: the API, uploads and outputs always answer in JSON."""
    return not request.url.path.startswith(("/api/", "/uploads")) and "text/html" in request.headers.get("accept", "")


def answer(request: Request, problem: Problem) -> Response:
    if not wants_page(request):
        return Response(problem.json(), problem.status, problem.headers | {"Cache-Control": "no-store"}, MEDIA_TYPE)
    error_page: ErrorPage | None = request.app.state.error_page
    if error_page is None:
        return _plain(problem)
    try:
        page = error_page(request, problem)
    except Exception:
        log.exception("the problem page itself failed")
        page = _plain(problem)
    page.headers.update(problem.headers)
    return page


def _plain(problem: Problem) -> HTMLResponse:
    """The page without the templates: an error must never hide behind another."""
    text = (
        '<!doctype html><html lang="en-GB"><meta charset="utf-8">'
        f"<title>{escape(problem.title)} - exhibit</title><main><h1>{escape(problem.title)}</h1>"
        f"<p>{escape(problem.detail)}</p><p>{escape(problem.hint)}</p><p><a href='/'>Cases</a></p></main></html>"
    )
    return HTMLResponse(text, status_code=problem.status)

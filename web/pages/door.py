"""Sign in, sign out, choose a new password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from evidence.errors import BadInput, NotAllowed, TooManyTries
from storage.ledger.people import SignedIn
from web import accounts
from web.context import ANYONE, ONESELF, asks
from web.pages import words
from web.pages.rendering import back_to, page, sentence
from web.signin import (
    CHECKS_PASSWORD,
    PASSWORD_PATH,
    SIGN_IN_PATH,
    Ctx,
    Who,
    address_of,
    clear_session_cookie,
    from_our_page,
    session_token,
    set_session_cookie,
    signed_in_at_all,
)

router = APIRouter()
Anybody = Annotated[SignedIn, Depends(signed_in_at_all)]


def local_path(path: str) -> str:
    """Where to go after signing in: a place on this site, or the start page."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if fine and not path.startswith((SIGN_IN_PATH, PASSWORD_PATH)) else "/"


@router.get("/", **asks(ONESELF))
def start(who: Who) -> Response:
    return RedirectResponse(words.home(who.user), status_code=303)


@router.get(SIGN_IN_PATH, **asks(ANYONE))
def ask_name(request: Request, next: str = "/") -> Response:
    return page(request, "sign_in.html", None, errors={}, hint="", name="", next=local_path(next))


@router.post(SIGN_IN_PATH, dependencies=[Depends(from_our_page), CHECKS_PASSWORD], **asks(ANYONE))
def sign_in(
    request: Request,
    context: Ctx,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    errors = {}
    if not name.strip():
        errors["name"] = "Enter your user name"
    if not password:
        errors["password"] = "Enter your password"  # noqa: S105 - a sentence
    status, hint = 400, ""
    if not errors:
        try:
            token, who = accounts.sign_in(context, name, password, address_of(request))
        except TooManyTries as error:
            errors, status, hint = {"name": sentence(str(error))}, 429, error.hint
        except NotAllowed as error:
            errors, status, hint = {"name": sentence(str(error))}, 403, error.hint
        else:
            response = back_to(PASSWORD_PATH if who.user.must_change_password else local_path(next))
            set_session_cookie(context, response, token)
            return response
    return page(
        request, "sign_in.html", None, status=status, errors=errors, hint=hint, name=name[:200], next=local_path(next)
    )


@router.post("/sign-out", **asks(ONESELF))
def sign_out(request: Request, context: Ctx, _who: Anybody) -> Response:
    token = session_token(request)
    if token:
        context.ledger.people.sign_out(token)
    response = back_to(SIGN_IN_PATH)
    clear_session_cookie(context, response)
    return response


@router.get(PASSWORD_PATH, **asks(ONESELF))
def ask_password(request: Request, who: Anybody) -> Response:
    return page(request, "password.html", who, errors={}, hint="")


@router.post(PASSWORD_PATH, dependencies=[CHECKS_PASSWORD], **asks(ONESELF))
def change_password(
    request: Request,
    context: Ctx,
    who: Anybody,
    current: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    errors, hint = {}, ""
    if not current:
        errors["current"] = "Enter the password you signed in with"
    if not password:
        errors["password"] = "Enter a new password"  # noqa: S105 - a sentence
    elif password != again:
        errors["again"] = "The two new passwords are not the same"
    if not errors:
        try:
            token, who = accounts.change_password(context, who, current, password, address_of(request))
        except BadInput as error:
            errors, hint = {"password": sentence(str(error))}, error.hint
        except (NotAllowed, TooManyTries) as error:
            errors, hint = {"current": sentence(str(error))}, error.hint
        else:
            response = back_to(words.home(who.user), "password-changed")
            set_session_cookie(context, response, token)
            return response
    return page(request, "password.html", who, status=400, errors=errors, hint=hint)

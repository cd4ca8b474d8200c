"""Signing in and out, and what concerns only the person who calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from storage.ledger.people import SignedIn
from web import accounts
from web.api.answers import Me, Person
from web.api.asked import PasswordAsked, SignInAsked
from web.context import ANYONE, ONESELF, asks
from web.signin import (
    CHECKS_PASSWORD,
    Ctx,
    address_of,
    clear_session_cookie,
    from_our_page,
    session_token,
    set_session_cookie,
    signed_in_at_all,
)

router = APIRouter(tags=["signing in"])
WhoAtAll = Annotated[SignedIn, Depends(signed_in_at_all)]


def me_of(who: SignedIn) -> Me:
    return Me(user=Person.of(who.user), must_change_password=who.user.must_change_password, csrf=who.csrf)


@router.post("/sessions", status_code=201, dependencies=[Depends(from_our_page), CHECKS_PASSWORD], **asks(ANYONE))
def sign_in(context: Ctx, request: Request, asked: SignInAsked, response: Response) -> Me:
    """Sign in: sets the session cookie and gives the CSRF token."""
    token, who = accounts.sign_in(context, asked.name, asked.password, address_of(request))
    set_session_cookie(context, response, token)
    return me_of(who)


@router.delete("/sessions", status_code=204, **asks(ONESELF))
def sign_out(context: Ctx, request: Request, response: Response, who: WhoAtAll) -> None:
    """Sign out: ends this session. A token stays: `exhibit user password` or `disable` ends it."""
    if who.csrf:
        context.ledger.people.sign_out(session_token(request))
    clear_session_cookie(context, response)


@router.get("/me", **asks(ONESELF))
def me(who: WhoAtAll) -> Me:
    """Who you are here."""
    return me_of(who)


@router.put("/me/password", dependencies=[CHECKS_PASSWORD], **asks(ONESELF))
def change_password(context: Ctx, request: Request, asked: PasswordAsked, response: Response, who: WhoAtAll) -> Me:
    """Change your password; every other session of yours ends, and a new one begins."""
    token, again = accounts.change_password(context, who, asked.current, asked.new, address_of(request))
    set_session_cookie(context, response, token)
    return me_of(again)

"""Who is asking: a session cookie or a bearer token, and proof that a cookie's request came from our own page.

Routes take one of the dependencies:

    signed_in          somebody, with the password changed and, for a cookie, the CSRF token right
    signed_in_at_all   the same before the first password was changed (its page, `/me`, signing out)
    signed_in_by_header the same for a body that is no form: the CSRF token is in the header, and nothing is read
    signed_in_unproven for a form that is streamed: the route calls `check_csrf` itself, before it does anything
    from_our_page      nobody yet (signing in): the request must come from this site
    CHECKS_PASSWORD    for a route that checks a password: it waits for its turn

The CSRF token travels in the `X-CSRF-Token` header or the form field `csrf_token`.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from evidence.errors import NotAllowed, NotSignedIn, PasswordMustChange
from storage.ledger.people import SignedIn
from web.context import Context, context_of

SIGN_IN_PATH = "/sign-in"
PASSWORD_PATH = "/password"  # noqa: S105 - a path
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def cookie_name(context: Context) -> str:
    """`__Host-` pins the cookie to this host and path; browsers take it only over TLS."""
    return "__Host-exhibit" if context.over_tls else "exhibit"


def set_session_cookie(context: Context, response: Response, token: str) -> None:
    response.set_cookie(
        cookie_name(context),
        token,
        max_age=context.settings.session_hours * 3600,
        path="/",
        secure=context.over_tls,
        httponly=True,
        samesite="lax",
    )


def clear_session_cookie(context: Context, response: Response) -> None:
    response.delete_cookie(cookie_name(context), path="/", secure=context.over_tls, httponly=True, samesite="lax")


def address_of(request: Request) -> str:
    """Where a request comes from, for counting: of IPv6 the network of 64 bits, of which one machine has as many
    addresses as it likes. Empty for this machine itself: behind an undeclared proxy here everybody would be that.
    """
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return ""
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def session_token(request: Request) -> str:
    """The secret in the session cookie; empty without one."""
    return request.cookies.get(cookie_name(context_of(request)), "")


async def from_our_page(request: Request) -> None:
    """Refuse an unsafe request that another site made a browser send. Programs send neither header.

    Raises: NotAllowed.
    """
    if request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    context = context_of(request)
    # "Origin: null" (a sandboxed frame) has no host: nothing without one is ours.
    ours = {request.headers.get("host", ""), urlsplit(context.settings.public_url).netloc} - {""}
    if site not in {"same-origin", "none"} or (origin is not None and urlsplit(origin).netloc not in ours):
        raise NotAllowed("this request came from another site", hint="Open the page here and try again.")


async def check_csrf(request: Request, who: SignedIn, given: str | None = None) -> None:
    """Nothing to do for a token (`csrf` is empty) or a safe method. Raises: NotAllowed.

    `given` is what a route that reads its body itself found in the field; without it the form is read here.
    """
    if not who.csrf or request.method in _SAFE:
        return
    await from_our_page(request)
    body_is_read = given is not None
    given = given or request.headers.get(CSRF_HEADER)
    if given is None and not body_is_read and request.headers.get("content-type", "").startswith(_FORMS):
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if given is None or not hmac.compare_digest(given.encode(), who.csrf.encode()):
        raise NotAllowed(
            "the form's security token is missing or out of date",
            hint="Load the page again and send it once more; programs send it as X-CSRF-Token, or use a bearer token.",
        )


async def who_asks(request: Request) -> SignedIn:
    """Whoever the token or the cookie names, with nothing else checked. Raises: NotSignedIn."""
    people = context_of(request).ledger.people
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer" and (who := await run_in_threadpool(people.by_token, token.strip())):
            return who
        raise NotSignedIn("the token is not valid here", hint="Ask an administrator for a new one: exhibit token create.")
    token = session_token(request)
    if token and (who := await run_in_threadpool(people.by_session, token)):
        return who
    raise NotSignedIn("nobody is signed in")


async def signed_in_at_all(request: Request) -> SignedIn:
    """Somebody, even before the first password was changed. Raises: NotSignedIn, NotAllowed."""
    who = await who_asks(request)
    await check_csrf(request, who)
    return who


async def signed_in(request: Request) -> SignedIn:
    """Somebody who may work here. Raises: NotSignedIn, PasswordMustChange, NotAllowed (CSRF)."""
    return _password_changed(await signed_in_at_all(request))


async def signed_in_by_header(request: Request) -> SignedIn:
    """Somebody who may work here, for a body of any length: a form in it would fill the disk before anybody asked for it."""
    who = await who_asks(request)
    await check_csrf(request, who, "")
    return _password_changed(who)


async def signed_in_unproven(request: Request) -> SignedIn:
    """Somebody who may work here, for a route that streams its body and calls `check_csrf` with the field it finds."""
    return _password_changed(await who_asks(request))


def _password_changed(who: SignedIn) -> SignedIn:
    if who.user.must_change_password:
        raise PasswordMustChange("the password given to you has to be changed first")
    return who


async def _turn() -> AsyncIterator[None]:
    yield


CHECKS_PASSWORD = Depends(_turn, scope="function", max_concurrency=4)
"""A check takes a core and 64 MiB on purpose: a few at once, and the others wait without a thread that pages need."""
Who = Annotated[SignedIn, Depends(signed_in)]
Ctx = Annotated[Context, Depends(context_of)]

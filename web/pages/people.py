"""Users, for administrators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from evidence.case import Act, Role, User
from evidence.errors import BadInput, Conflict, NotFound
from storage.ledger.people import SignedIn
from web import accounts
from web.context import Context, asks
from web.pages.rendering import back_to, page, sentence
from web.signin import Ctx, Who

router = APIRouter()


@dataclass(frozen=True, slots=True)
class FirstPassword:
    """Shown on one answer and never again."""

    display_name: str
    name: str
    password: str


@router.get("/users", **asks(Act.MANAGE_USERS))
def list_users(request: Request, context: Ctx, who: Who) -> Response:
    return _list(request, context, who)


@router.post("/users", **asks(Act.MANAGE_USERS))
def add_user(
    request: Request,
    context: Ctx,
    who: Who,
    name: Annotated[str, Form()] = "",
    display_name: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "",
) -> Response:
    form = {"name": name, "display_name": display_name, "role": role}
    errors = {}
    if not display_name.strip():
        errors["display_name"] = "Enter the full name"
    if not name.strip():
        errors["name"] = "Enter a user name"
    if role not in set(Role):
        errors["role"] = "Choose a role"
    if errors:
        return _list(request, context, who, form=form, errors=errors)
    try:
        user, password = accounts.add_user(context, who, name.strip(), display_name.strip(), Role(role))
    except (BadInput, Conflict) as error:
        return _list(request, context, who, form=form, errors={"name": sentence(str(error))}, hint=error.hint)
    return _list(request, context, who, first=FirstPassword(user.display_name, user.name, password))


def _list(
    request: Request,
    context: Context,
    who: SignedIn,
    *,
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    hint: str = "",
    first: FirstPassword | None = None,
) -> Response:
    return page(
        request,
        "users.html",
        who,
        status=400 if errors else 200,
        users=sorted(accounts.users(context, who), key=lambda user: (user.disabled, user.display_name.casefold())),
        first=first,
        form=form or {"name": "", "display_name": "", "role": ""},
        errors=errors or {},
        hint=hint,
    )


@router.get("/users/{name}", **asks(Act.MANAGE_USERS))
def show_user(request: Request, context: Ctx, who: Who, name: str) -> Response:
    return _one(request, who, _named(context, who, name))


@router.post("/users/{name}/password", **asks(Act.MANAGE_USERS))
def reset_password(request: Request, context: Ctx, who: Who, name: str) -> Response:
    user = _named(context, who, name)
    password = accounts.reset_password(context, who, user.name)
    return _one(request, who, user, first=FirstPassword(user.display_name, user.name, password))


@router.post("/users/{name}/disable", **asks(Act.MANAGE_USERS))
def disable_user(request: Request, context: Ctx, who: Who, name: str) -> Response:
    user = _named(context, who, name)
    try:
        accounts.disable_user(context, who, user.name)
    except BadInput as error:
        return _one(request, who, user, errors={"disable": sentence(str(error))}, hint=error.hint)
    return back_to("/users", "user-disabled")


def _one(
    request: Request,
    who: SignedIn,
    user: User,
    *,
    first: FirstPassword | None = None,
    errors: dict[str, str] | None = None,
    hint: str = "",
) -> Response:
    return page(
        request,
        "user.html",
        who,
        status=400 if errors else 200,
        user=user,
        user_path=f"/users/{quote(user.name, safe='')}",
        oneself=user.id == who.user.id,
        first=first,
        errors=errors or {},
        hint=hint,
    )


def _named(context: Context, who: SignedIn, name: str) -> User:
    """Raises: NotFound."""
    for user in accounts.users(context, who):
        if user.name == name:
            return user
    raise NotFound("there is no user of that name", hint="Look at the list of users.")

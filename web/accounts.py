"""What people do with accounts: sign in, change a password, and (an administrator) manage the others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evidence.case import Act, Role, User
from evidence.errors import BadInput, Busy, NotAllowed, TooManyTries
from storage.ledger.people import Sender, SignedIn, first_password
from web.context import Context
from web.permission import require


def sign_in(context: Context, name: str, password: str, address: str) -> tuple[str, SignedIn]:
    """The secret for the session cookie, and who it is; from `address`, empty where it isn't counted.

    Raises: NotAllowed, TooManyTries.
    """
    settings = context.settings
    sender = Sender(address, settings.sign_in_tries_per_address) if address else None
    try:
        return context.ledger.people.sign_in(
            name.strip(), password, hours=settings.session_hours, tries=settings.sign_in_tries, sender=sender
        )
    except Busy as exc:
        raise TooManyTries(str(exc)) from exc


def change_password(context: Context, who: SignedIn, current: str, new: str, address: str) -> tuple[str, SignedIn]:
    """Checks the current password, then sets the new one; every other session of his ends, and a new one begins.

    Raises: NotAllowed (the current one is wrong), TooManyTries, BadInput (too short, or the same again).
    """
    if current == new:
        raise BadInput("the new password is the old one", hint="Choose another one, of at least 12 characters.")
    try:
        token, again = sign_in(context, who.user.name, current, address)
    except NotAllowed as exc:
        raise NotAllowed("the current password is wrong", hint="Type the password you signed in with.") from exc
    context.ledger.people.set_password(who.user.name, who.user.name, new, must_change=False, keep_session=again.session)
    return token, replace(again, user=replace(again.user, must_change_password=False))


def users(context: Context, who: SignedIn) -> Sequence[User]:
    require(context, who, Act.MANAGE_USERS)
    return context.index.users()


def add_user(context: Context, who: SignedIn, name: str, display_name: str, role: Role) -> tuple[User, str]:
    """The new user and the first password, which is shown once and has to be changed. Raises: Conflict, BadInput."""
    require(context, who, Act.MANAGE_USERS)
    password = first_password()
    return context.ledger.people.add_user(who.user.name, name, display_name, role, password), password


def disable_user(context: Context, who: SignedIn, name: str) -> None:
    """Ends his sessions and tokens. Raises: BadInput for oneself: somebody has to be left to manage users."""
    require(context, who, Act.MANAGE_USERS)
    if name == who.user.name:
        raise BadInput("you can't disable yourself", hint="Ask another administrator.")
    context.ledger.people.disable(who.user.name, name)


def reset_password(context: Context, who: SignedIn, name: str) -> str:
    """A new first password for somebody, shown once."""
    require(context, who, Act.MANAGE_USERS)
    password = first_password()
    context.ledger.people.set_password(who.user.name, name, password, must_change=True)
    return password

"""Users, passwords, sessions, tokens."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from evidence.audit import Verb
from evidence.case import Role, User, UserId
from evidence.errors import BadInput, Busy, Conflict, NotAllowed, NotFound
from storage.database import lock_number, translated
from storage.ledger.writer import Act, Writer, clean, new_id
from storage.rows import AnyRow, user_of
from storage.tables import sessions, sign_in_failures, tokens, users

_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106, low memory
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_SHORTEST_PASSWORD, _LONGEST_PASSWORD = 12, 1024
_WINDOW = timedelta(minutes=15)
_SIGN_IN = "system:sign-in"


@dataclass(frozen=True, slots=True)
class Sender:
    """Where a sign-in comes from. After `tries` failures in 15 minutes nobody can sign in from there."""

    address: str
    tries: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who speaks, and through which session or token (its SHA-256; `csrf` is empty for tokens)."""

    user: User
    session: str
    csrf: str


def first_password() -> str:
    """Twenty characters that nobody chose, to be changed at the first sign-in."""
    return secrets.token_urlsafe(15)


class PeopleLedger(Writer):
    def add_user(
        self, actor: str, name: str, display_name: str, role: Role, password: str, *, must_change: bool = True
    ) -> User:
        """Raises: Conflict when the name is taken, BadInput for a password under 12 characters or an odd name."""
        name, shown = _checked_name(name), clean(display_name).strip() or name
        hashed = _hasher.hash(_checked_password(password))
        user = User(UserId(new_id()), name, shown[:200], role, must_change_password=must_change)
        with self._transaction() as (connection, now):
            self._insert_user(connection, user, hashed, now)
            self._log(connection, Act(actor, Verb.USER_ADDED, details={"user": name, "role": role.value}), now)
        return user

    def _insert_user(self, connection: Connection, user: User, hashed: str, now: datetime) -> None:
        row = {
            "id": user.id,
            "name": user.name,
            "display_name": user.display_name,
            "role": user.role.value,
            "password_hash": hashed,
            "must_change_password": user.must_change_password,
            "created_at": now,
        }
        try:
            connection.execute(insert(users).values(row))
        except IntegrityError as exc:
            raise Conflict(f"there is a user {user.name} already", hint="Choose another name.") from exc

    def first_admin(self) -> tuple[User, str] | None:
        """Make the first administrator with a random password and give both; None when any user exists."""
        password = first_password()
        hashed = _hasher.hash(password)
        user = User(UserId(new_id()), "admin", "Administrator", Role.ADMIN, must_change_password=True)
        with self._transaction() as (connection, now):
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": lock_number("first admin", "")})
            if connection.execute(select(users.c.id).limit(1)).first() is not None:
                return None
            self._insert_user(connection, user, hashed, now)
            details = {"user": user.name, "role": user.role.value, "first": True}
            self._log(connection, Act("system:start", Verb.USER_ADDED, details=details), now)
        return user, password

    def disable(self, actor: str, name: str) -> None:
        """Ends the user's sessions and tokens too. Raises: NotFound, Conflict for the last administrator."""
        with self._transaction() as (connection, now):
            # All administrators, in one order, so that two of them can't disable each other at the same moment.
            admins = connection.execute(
                select(users.c.name)
                .where(users.c.role == Role.ADMIN.value, ~users.c.disabled)
                .order_by(users.c.id)
                .with_for_update()
            ).scalars()
            others = [admin for admin in admins if admin != name.lower()]
            user = _user_row(connection, name)
            if user.role == Role.ADMIN.value and not others:
                raise Conflict(f"{user.name} is the last administrator", hint="Add another administrator first.")
            connection.execute(update(users).where(users.c.id == user.id).values(disabled=True))
            connection.execute(delete(sessions).where(sessions.c.user_id == user.id))
            _revoke_tokens(connection, user.id, now)
            self._log(connection, Act(actor, Verb.USER_CHANGED, details={"user": user.name, "disabled": True}), now)

    def enable(self, actor: str, name: str) -> None:
        """Sessions and tokens that ended stay ended. Raises: NotFound, Conflict when the user isn't disabled."""
        with self._transaction() as (connection, now):
            user = _user_row(connection, name)
            if not user.disabled:
                raise Conflict(f"{user.name} is not disabled", hint="Nothing has to be done.")
            connection.execute(update(users).where(users.c.id == user.id).values(disabled=False))
            self._log(connection, Act(actor, Verb.USER_CHANGED, details={"user": user.name, "disabled": False}), now)

    def set_password(self, actor: str, name: str, password: str, *, must_change: bool, keep_session: str = "") -> None:
        """A new password. Set by somebody else it ends all of the user's sessions and tokens: one of them may be in
        wrong hands. `keep_session` ends all sessions but that one.

        Raises: BadInput for a password under 12 characters, NotFound.
        """
        hashed = _hasher.hash(_checked_password(password))
        with self._transaction() as (connection, now):
            user = _user_row(connection, name)
            connection.execute(
                update(users).where(users.c.id == user.id).values(password_hash=hashed, must_change_password=must_change)
            )
            if keep_session or actor != user.name:
                ended = (sessions.c.user_id == user.id) & (sessions.c.token_sha256 != keep_session)
                connection.execute(delete(sessions).where(ended))
            if actor != user.name:
                _revoke_tokens(connection, user.id, now)
            details = {"user": user.name, "password": True, "must_change": must_change}
            self._log(connection, Act(actor, Verb.USER_CHANGED, details=details), now)

    def sign_in(
        self, name: str, password: str, *, hours: int, tries: int, sender: Sender | None = None
    ) -> tuple[str, SignedIn]:
        """The new session's secret token (for the cookie) and who it is. Logged, failures too.

        A name or a sender that failed too often is not looked at again until the 15 minutes are over.

        Raises: NotAllowed for a wrong name or password (one sentence for both), Busy after `tries` failures in 15 minutes.
        """
        name = clean(name).strip().lower()[:64]
        counted = self._count_try(name, tries, sender)
        with translated(), self._engine.connect() as connection:
            row = connection.execute(select(users).where(users.c.name == name)).first()
        # Outside any transaction: it takes long on purpose.
        right = _right_password(None if row is None else row.password_hash, password)
        if row is None or row.disabled or not right:
            with self._transaction() as (connection, now):
                who = {"user": row.name} if row is not None else {"user": None}  # a mistyped name may be a password
                self._log(connection, Act(_SIGN_IN, Verb.SIGN_IN_FAILED, details=who), now)
            raise NotAllowed(
                "wrong name or password", hint="Check both and try again, or ask an administrator for a new password."
            )
        return self._start_session(row, password, timedelta(hours=hours), counted)

    def _count_try(self, name: str, tries: int, sender: Sender | None) -> list[int]:
        """Count this try as failed before looking at it, so that many at once can't outrun the limit; the rows of it."""
        limits = {name: (tries, "for this name")}
        if sender is not None:
            # In capitals: no name that somebody types can be counted as an address.
            limits = {f"FROM {sender.address}": (sender.tries, "from this address"), **limits}
        rows: list[int] = []
        with self._transaction() as (connection, now):
            for what in limits:
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": lock_number("sign-in", what)})
            connection.execute(delete(sign_in_failures).where(sign_in_failures.c.at < now - _WINDOW))
            failed = select(func.count()).select_from(sign_in_failures)
            for what, (most, words) in limits.items():
                if connection.execute(failed.where(sign_in_failures.c.name == what)).scalar_one() >= most:
                    raise Busy(
                        f"too many wrong passwords {words}",
                        hint="Wait 15 minutes, or ask an administrator for a new password.",
                    )
            for what in limits:
                counted = insert(sign_in_failures).values(name=what, at=now).returning(sign_in_failures.c.id)
                rows.append(connection.execute(counted).scalar_one())
        return rows

    def _start_session(self, row: AnyRow, password: str, length: timedelta, counted: list[int]) -> tuple[str, SignedIn]:
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        renewed = _hasher.hash(password) if _hasher.check_needs_rehash(row.password_hash) else None
        with self._transaction() as (connection, now):
            # All of the name's failures are forgiven; of the address only this try, which was none.
            forgiven = (sign_in_failures.c.name == row.name) | sign_in_failures.c.id.in_(counted)
            connection.execute(delete(sign_in_failures).where(forgiven))
            if renewed is not None:
                connection.execute(update(users).where(users.c.id == row.id).values(password_hash=renewed))
            connection.execute(delete(sessions).where(sessions.c.user_id == row.id, sessions.c.expires_at < now))
            session = {
                "token_sha256": _sha256(token),
                "user_id": row.id,
                "csrf": csrf,
                "created_at": now,
                "expires_at": now + length,
            }
            connection.execute(insert(sessions).values(session))
            self._log(connection, Act(row.name, Verb.SIGNED_IN), now)
        return token, SignedIn(user_of(row), _sha256(token), csrf)

    def by_session(self, token: str) -> SignedIn | None:
        """Who holds this session; None when there is none (any more)."""
        found = (
            select(users, sessions.c.csrf)
            .join(sessions, sessions.c.user_id == users.c.id)
            .where(sessions.c.token_sha256 == _sha256(token), sessions.c.expires_at > self._clock.now(), ~users.c.disabled)
        )
        with translated(), self._engine.connect() as connection:
            row = connection.execute(found).first()
        return None if row is None else SignedIn(user_of(row), _sha256(token), row.csrf)

    def sign_out(self, token: str) -> None:
        with self._transaction() as (connection, now):
            statement = delete(sessions).where(sessions.c.token_sha256 == _sha256(token)).returning(sessions.c.user_id)
            user_id = connection.execute(statement).scalar()
            if user_id is not None:
                name = connection.execute(select(users.c.name).where(users.c.id == user_id)).scalar_one()
                self._log(connection, Act(name, Verb.SIGNED_OUT), now)

    def create_token(self, actor: str, name: str, label: str, *, days: int = 90) -> str:
        """A new API token of user `name`; shown once, stored as its SHA-256. Raises: NotFound, BadInput."""
        if not 1 <= days <= 3650:
            raise BadInput("a token lasts from 1 to 3650 days", hint="Choose a number of days in that range.")
        token = f"exh_{secrets.token_urlsafe(32)}"
        with self._transaction() as (connection, now):
            user = _user_row(connection, name)
            if user.disabled:
                raise Conflict(f"user {user.name} is disabled", hint="Make the token for somebody who may sign in.")
            row = {
                "token_sha256": _sha256(token),
                "id": new_id(),
                "user_id": user.id,
                "name": clean(label)[:200],
                "created_at": now,
                "expires_at": now + timedelta(days=days),
            }
            connection.execute(insert(tokens).values(row))
            details = {"user": user.name, "label": row["name"], "days": days}
            self._log(connection, Act(actor, Verb.TOKEN_CREATED, details=details), now)
        return token

    def revoke_token(self, actor: str, token_id: str) -> None:
        """That token works no longer. Raises: NotFound, Conflict when it is revoked already."""
        with self._transaction() as (connection, now):
            this = tokens.c.id == token_id
            found = select(tokens, users.c.name.label("user")).join(users, users.c.id == tokens.c.user_id).where(this)
            row = connection.execute(found.with_for_update(of=tokens)).first()
            if row is None:
                raise NotFound(f"there is no token {token_id}", hint="exhibit token list shows all of them.")
            if row.revoked_at is not None:
                raise Conflict(f"token {token_id} is revoked already", hint="Nothing has to be done.")
            connection.execute(update(tokens).where(this).values(revoked_at=now))
            details = {"user": row.user, "label": row.name, "token": token_id}
            self._log(connection, Act(actor, Verb.TOKEN_REVOKED, details=details), now)

    def by_token(self, token: str) -> SignedIn | None:
        """Whose token it is; None when it is none, or no longer."""
        found = (
            select(users)
            .join(tokens, tokens.c.user_id == users.c.id)
            .where(
                tokens.c.token_sha256 == _sha256(token),
                tokens.c.expires_at > self._clock.now(),
                tokens.c.revoked_at.is_(None),
                ~users.c.disabled,
            )
        )
        with translated(), self._engine.connect() as connection:
            row = connection.execute(found).first()
        return None if row is None else SignedIn(user_of(row), _sha256(token), "")


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _right_password(hashed: str | None, password: str) -> bool:
    """Takes equally long for a name that isn't there."""
    try:
        return _hasher.verify(hashed or _nobodys_hash(), password[:_LONGEST_PASSWORD]) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


def _nobodys_hash() -> str:
    global _nobody  # noqa: PLW0603 - made on first use: it takes as long as a sign-in
    if _nobody is None:
        _nobody = _hasher.hash(secrets.token_urlsafe(16))
    return _nobody


_nobody: str | None = None


def _checked_name(name: str) -> str:
    lowered = name.strip().lower()
    if not _NAME.fullmatch(lowered):
        raise BadInput(
            "a user name has 1 to 64 letters, digits and . _ @ - and starts with a letter or digit",
            hint="Choose a simple name, as in pc.smith.",
        )
    return lowered


def _checked_password(password: str) -> str:
    if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise BadInput(
            f"a password has at least {_SHORTEST_PASSWORD} characters", hint="Three random words are easy to keep in mind."
        )
    return password


def _revoke_tokens(connection: Connection, user_id: str, now: datetime) -> None:
    connection.execute(
        update(tokens).where(tokens.c.user_id == user_id, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def _user_row(connection: Connection, name: str) -> AnyRow:
    row = connection.execute(select(users).where(users.c.name == name.strip().lower())).first()
    if row is None:
        raise NotFound(f"there is no user {name}", hint="exhibit user list shows all of them.")
    return row

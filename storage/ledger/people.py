"""Users, passwords, sessions, tokens."""

from __future__ import annotations

from dataclasses import dataclass

from evidence.case import Role, User
from storage.ledger.writer import Writer


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who speaks, and through which session or token (its SHA-256; `csrf` is empty for tokens)."""

    user: User
    session: str
    csrf: str


class PeopleLedger(Writer):
    def add_user(
        self, actor: str, name: str, display_name: str, role: Role, password: str, *, must_change: bool = True
    ) -> User:
        """Raises: Conflict when the name is taken, BadInput for a password under 12 characters or an odd name."""
        raise NotImplementedError

    def first_admin(self) -> tuple[User, str] | None:
        """Make the first administrator with a random password and give both; None when any user exists."""
        raise NotImplementedError

    def disable(self, actor: str, name: str) -> None:
        """Ends the user's sessions and tokens too."""
        raise NotImplementedError

    def set_password(self, actor: str, name: str, password: str, *, must_change: bool) -> None: ...

    def sign_in(self, name: str, password: str, *, hours: int, tries: int) -> tuple[str, SignedIn]:
        """The new session's secret token (for the cookie) and who it is. Logged, failures too.

        Raises: NotAllowed for a wrong name or password (one sentence for both), Busy after `tries` failures in 15 minutes.
        """
        raise NotImplementedError

    def by_session(self, token: str) -> SignedIn | None: ...

    def sign_out(self, token: str) -> None: ...

    def create_token(self, actor: str, name: str, label: str, *, days: int = 90) -> str:
        """A new API token of user `name`; shown once, stored as its SHA-256."""
        raise NotImplementedError

    def by_token(self, token: str) -> SignedIn | None: ...

"""What every request works with: the opened stores and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from config.settings import Settings
from evidence.case import Act
from evidence.ports import Bell, ObjectStore
from ingest.uploads import Staging
from storage.index import Index
from storage.ledger import Ledger

ANYONE = "anyone"
"""What a route asks for that needs nobody to be signed in."""
ONESELF = "oneself"
"""What a route asks for that concerns only the person who calls it."""


@dataclass(frozen=True, slots=True)
class Context:
    """Built once by `web.app.create_app`; every action takes it first."""

    settings: Settings
    ledger: Ledger
    index: Index
    store: ObjectStore
    bell: Bell
    staging: Staging

    @property
    def over_tls(self) -> bool:
        """Whether people reach this server by https, from itself or from the proxy in front of it."""
        return bool(self.settings.tls_certificate or self.settings.trusted_proxy)


def context_of(request: Request) -> Context:
    """FastAPI dependency: the one context of this server."""
    context: Context = request.app.state.context
    return context


def asks(act: Act | str) -> dict[str, Any]:
    """Keyword arguments of a route: which one act it asks for; `web.actions` checks it, a test compares.

    `@router.get("/cases/{case_id}", **asks(Act.SEE_CASE))`
    """
    return {"openapi_extra": {"x-act": act.value if isinstance(act, Act) else act}}

"""What every request works with: the opened stores, the settings, the templates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from config.settings import Settings
from evidence.case import Act
from evidence.ports import Bell, ObjectStore
from storage.index import Index
from storage.ledger import Ledger
from storage.ledger.people import SignedIn

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")

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
    templates: jinja2.Environment

    @property
    def over_tls(self) -> bool:
        """Whether people reach this server by https, from itself or from the proxy in front of it."""
        return bool(self.settings.tls_certificate or self.settings.trusted_proxy)


def environment() -> jinja2.Environment:
    """The page templates: everything is escaped, and a name that isn't there is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def context_of(request: Request) -> Context:
    """FastAPI dependency: the one context of this server."""
    context: Context = request.app.state.context
    return context


def render(request: Request, template: str, who: SignedIn | None, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page: `who` (None before sign-in), `csrf` and `path` are there in every template."""
    page = context_of(request).templates.get_template(template)
    text = page.render(who=who, csrf=who.csrf if who else "", path=request.url.path, **values)
    return HTMLResponse(text, status_code=status)


def asks(act: Act | str) -> dict[str, Any]:
    """Keyword arguments of a route: which one act it asks for; `web.actions` checks it, a test compares.

    `@router.get("/cases/{case_id}", **asks(Act.SEE_CASE))`
    """
    return {"openapi_extra": {"x-act": act.value if isinstance(act, Act) else act}}

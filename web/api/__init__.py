"""JSON under /api/v1."""

from __future__ import annotations

from fastapi import APIRouter

from evidence.errors import NotFound
from web.api import cases, clocks, exhibits, places, search, sessions
from web.api.answers import API, Answer
from web.context import ANYONE, asks
from web.problems import KINDS, slug

problems = APIRouter(prefix="/problems", tags=["problems"])


class ProblemKind(Answer):
    type: str
    title: str
    status: int
    hint: str


@problems.get("/{name}", **asks(ANYONE))
def problem_kind(name: str) -> ProblemKind:
    """What a problem's `type` means."""
    for error, kind in KINDS.items():
        if slug(error) == name:
            return ProblemKind(type=f"{API}/problems/{name}", title=kind.title, status=kind.status, hint=error.hint)
    raise NotFound("there is no problem of that name", hint="Compare it with docs/api.md.")


def api_router() -> APIRouter:
    """Every JSON route."""
    router = APIRouter(prefix=API)
    for module in (sessions, cases, exhibits, places, clocks, search):
        router.include_router(module.router)
    router.include_router(problems)
    return router

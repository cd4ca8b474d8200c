"""Server-rendered pages: one module per place, each a router; forms work without JavaScript.

rendering   templates, filters, the page frame      words     states, steps and verbs as people say them
door        sign in, sign out, new password         cases     the list, a case, its members and exports
tray        what belongs to no case yet             upload    sending files (resumable, or a plain form); fate
exhibit     player, tracks, copies, history         cards, copies, timeline, exhibit_seen: what its parts show
search      find moments                            log       custody logs, for auditors and members
people      users, for administrators
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from web.pages import cases, door, exhibit, log, people, search, tray, upload
from web.pages.rendering import STATIC


def pages_router() -> APIRouter:
    """Every page, to be included without a prefix."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    for place in (door, cases, tray, upload, exhibit, search, log, people):
        router.include_router(place.router)
    return router


def static_files() -> StaticFiles:
    """To be mounted at /static: our stylesheet and modules, and what `web/build_static.py` fetched."""
    return StaticFiles(directory=STATIC)

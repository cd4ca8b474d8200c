"""Server-rendered pages: one module per place, each a router; forms work without JavaScript.

rendering   templates, filters, the page frame      words     states, steps and verbs as people say them
door        sign in, sign out, new password         cases     the list, a case, its members and exports
tray        what belongs to no case yet             upload    sending files (resumable, or a plain form); fate
exhibit     player, tracks, copies, history         cards, copies, timeline, exhibit_seen: what its parts show
search      find moments                            log       custody logs, for auditors and members
map         what filmed this spot, when             people    users, for administrators
clocks_apart  do a case's clocks agree
placing     pairs and clocks: forms of an exhibit   where, place_tab, place_words, ways, exhibit_places: what they show
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from web.pages import cases, clocks_apart, door, exhibit, log, map, people, placing, search, tray, upload
from web.pages.rendering import STATIC


def pages_router() -> APIRouter:
    """Every page, to be included without a prefix."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    for place in (door, cases, clocks_apart, tray, upload, exhibit, placing, search, map, log, people):
        router.include_router(place.router)
    return router


def static_files() -> StaticFiles:
    """To be mounted at /static: our stylesheet and modules, and what `web/build_static.py` fetched."""
    return StaticFiles(directory=STATIC)

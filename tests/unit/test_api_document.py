"""docs/api.md lists every route, under the act that the code declares."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.routing import iter_route_contexts

from web import health
from web.api import api_router
from web.problems import KINDS, slug

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text("utf-8")
ROW = re.compile(r"^\| `([A-Z]+) (/\S+)` \| ([^|]+) \|", re.MULTILINE)


def test_the_page_lists_the_routes_that_there_are_and_their_acts() -> None:
    documented = {(method, path): act.strip() for method, path, act in ROW.findall(PAGE)}
    there = {}
    for router in (health.router, api_router()):
        for route in iter_route_contexts(router.routes):
            for method in route.methods:
                there[(method, route.path)] = route.openapi_extra["x-act"]
    assert documented == there


def test_every_problem_that_the_page_shows_is_one() -> None:
    for name in re.findall(r"/api/v1/problems/([a-z-]+)", PAGE):
        assert name in {slug(error) for error in KINDS}

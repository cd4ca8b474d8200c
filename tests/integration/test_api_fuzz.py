"""Whatever comes in, the answer is one of ours: no route, page or upload answers 5xx to any input."""

from __future__ import annotations

import json
import random
import re
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from evidence.case import Role
from tests.served import API, Served, own_settings, served
from tests.services import Services

REQUESTS = 400
NASTY = [
    *("", "a", "\x00", "\ud800", "é" * 50, "🚁" * 20, "a" * 5000, "\u202e", "\r\nX: y", "%", "_", "%00"),
    *("'; DROP TABLE audit; --", "../../etc/passwd", "%2e%2e%2f", "<script>alert(1)</script>", "null", "[]", "{}"),
    *("-1", "0", "1e309", "NaN", "9" * 30, "1/0", "2026-13-45", "2026-11-24T10:00:00Z"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "person", "drone"),
    *("52,0,5", "0,0,1,1", "-180,-85,180,85", "170,0,-170,1", "1,1;2,2;1,2;2,1", "0,0;0,0;0,0", "85,180,100000"),
]
NUMBERS = [0, -1, 2**31, 2**53, 2**63, 2**70, 1.5, 1e308, None, True]
FIELDS = [
    *("name", "reference", "title", "urgent", "closed", "case", "what", "style", "audio", "from", "to", "source"),
    *("current", "new", "kind", "member", "password", "other", "offset_s", "claim", "error_s", "words", "at_s", "evidence"),
]
QUERIES = ["q", "after", "limit", "label", "case", "from", "to", "kind", "min_score", "offset", "run", "download", "next"]
QUERIES += ["bbox", "polygon", "near", "every_s"]
ENDS_THE_SESSION = {"/sign-out", "/password", f"{API}/sessions", f"{API}/me/password"}


@pytest.fixture(scope="module")
def here(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with own_settings(services, tmp_path_factory.mktemp("fuzz")) as settings, served(settings) as server:
        yield server


class Noise:
    """Requests made of what others have tripped over; the same ones each time."""

    def __init__(self, ids: dict[str, list[str]]) -> None:
        self._random = random.Random(20261124)
        self._ids = ids

    def text(self) -> str:
        return self._random.choice(NASTY)

    def quoted(self) -> str:
        return quote(self.text().encode("utf-8", "surrogatepass"), safe="")

    def value(self, depth: int = 0) -> Any:
        chance = self._random.random()
        if chance < 0.5 or depth > 2:
            return self.text()
        if chance < 0.7:
            return self._random.choice(NUMBERS)
        if chance < 0.85:
            return [self.value(depth + 1) for _ in range(self._random.randint(0, 3))]
        keys = self._random.sample(["pts", "time_base", "what", "x"], self._random.randint(0, 3))
        return {key: self.value(depth + 1) for key in keys}

    def path(self, template: str) -> str:
        def part(match: re.Match[str]) -> str:
            known = self._ids.get(match.group(1))
            return self._random.choice(known) if known and self._random.random() < 0.6 else self.quoted() or "x"

        return re.sub(r"\{(\w+)(?::\w+)?\}", part, template)

    def query(self) -> str:
        if self._random.random() < 0.4:
            return ""
        names = self._random.sample(QUERIES, self._random.randint(1, 4))
        return "?" + "&".join(f"{name}={self.quoted()}" for name in names)

    def request(self, method: str, template: str) -> dict[str, Any]:
        headers = {"Tus-Resumable": "1.0.0", "Accept": self._random.choice(["text/html", "application/json"])}
        if self._random.random() < 0.3:
            headers["Range"] = self._random.choice(["bytes=0-", "bytes=-5", "bytes=9-2", "x", f"bytes={'9' * 30}-"])
        request: dict[str, Any] = {"method": method, "url": self.path(template) + self.query(), "headers": headers}
        if method in {"GET", "HEAD"}:
            return request
        chance = self._random.random()
        fields = self._random.sample(FIELDS, self._random.randint(0, 4))
        if chance < 0.6:
            headers["Content-Type"] = "application/json"
            body = json.dumps({field: self.value() for field in fields})
            return request | {"content": body.encode("utf-8", "surrogatepass")}
        if chance < 0.8:
            return request | {"data": {field: self.text().encode("utf-8", "replace").decode() for field in fields}}
        headers["Content-Type"] = self._random.choice(["application/json", "multipart/form-data; boundary=x", "text/plain"])
        return request | {"content": self._random.randbytes(self._random.randint(0, 200))}

    def choice(self, some: list[Any]) -> Any:
        return self._random.choice(some)


def test_no_input_makes_a_server_error(here: Served) -> None:
    supervisor, admin = here.person(Role.SUPERVISOR), here.person(Role.ADMIN)
    case = here.make.case(supervisor.user)
    exhibit = here.analysed(supervisor, case, secrets.token_bytes(1000))
    noise = Noise(
        {
            "case_id": [case.id],
            "exhibit_id": [exhibit.id],
            "step": ["probe", "annotate", "redact", "clip"],
            "name": ["original", "proxy", "tracks.json", "redacted"],
            "user": [supervisor.user.name],
        }
    )
    routes = [
        (method, route.path)
        for route in iter_route_contexts(here.app.routes)
        if isinstance(route.original_route, APIRoute)
        for method in sorted(route.methods)
        if route.path not in ENDS_THE_SESSION or method == "GET"
    ]
    clients: list[httpx.Client] = [here.client(supervisor), here.client(admin), here.sign_in(supervisor)]
    wrong, statuses = [], set()
    for _ in range(REQUESTS):
        request = noise.request(*noise.choice(routes))
        answer = noise.choice(clients).request(**request)
        statuses.add(answer.status_code)
        if answer.status_code >= 500:
            wrong.append(f"{request}: {answer.status_code} {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)
    assert {200, 400, 404, 422} <= statuses

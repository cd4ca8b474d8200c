"""The web server on a real socket in this process, and exhibits whose steps have been through the real ledger."""

from __future__ import annotations

import hashlib
import itertools
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from config.settings import Settings, load
from evidence.case import Case, Role, User
from evidence.doubt import PICTURE, Doubt, Reason
from evidence.exhibit import Exhibit
from evidence.steps import Step, StepRun
from storage import embedded, keys, servers
from storage.folder import FolderStore
from storage.ledger.findings import NewDoubts
from storage.ledger.steps import NewOutput
from storage.open import Storage, opened
from tests.factories import LEASE, PASSWORD, Factory, track
from tests.services import Services
from web.app import create_app, server_config
from web.context import Context

API = "/api/v1"
_names = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Person:
    user: User
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(slots=True)
class Served:
    """A running server and what lies behind it."""

    app: FastAPI
    base_url: str
    storage: Storage
    make: Factory
    _clients: list[httpx.Client] = field(default_factory=list)

    @property
    def context(self) -> Context:
        context: Context = self.app.state.context
        return context

    def client(self, person: Person | None = None, **options: Any) -> httpx.Client:
        """With a person's token, or nobody's."""
        headers = (person.headers if person else {}) | options.pop("headers", {})
        client = httpx.Client(base_url=self.base_url, headers=headers, timeout=20, **options)
        self._clients.append(client)
        return client

    def person(self, role: Role = Role.INVESTIGATOR) -> Person:
        user = self.make.user(role)
        return Person(user, self.storage.ledger.people.create_token("system:tests", user.name, "test"))

    def sign_in(self, person: Person, password: str = PASSWORD) -> httpx.Client:
        """A browser's session: the cookie, and the CSRF token in every request."""
        client = self.client()
        answer = client.post(f"{API}/sessions", json={"name": person.user.name, "password": password})
        assert answer.status_code == 201, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    def exhibit(self, person: Person, case: Case | None, data: bytes = b"", **metadata: str) -> Exhibit:
        return self.make.exhibit(person.user, case, data or secrets.token_bytes(3000), **metadata)

    def analysed(self, person: Person, case: Case | None, data: bytes = b"", **metadata: str) -> Exhibit:
        """Every step done, with outputs whose bytes lie in the store."""
        exhibit = self.exhibit(person, case, data, **metadata)
        self.work_off()
        return self.storage.index.exhibit(exhibit.id)

    def work_off(self) -> list[StepRun]:
        """Claim and finish whatever is ready, as workers do, with small results instead of media."""
        done = []
        while run := self.storage.ledger.steps.claim("worker-1", frozenset(Step), LEASE):
            self.finish(run)
            done.append(run)
        return done

    def finish(self, run: StepRun) -> None:
        result: dict[str, Any] = {"outputs": self._outputs(run)}
        if run.step is Step.INDEX:
            tracks = [track(1), track(2, "car", first=20, score=0.5)]
            result |= {"tracks": tracks, "thumbnails": {1: "track-1.jpg"}, "doubts": DOUBTS}
        self.make.finish(run, **result)

    def _outputs(self, run: StepRun) -> list[NewOutput]:
        outputs = []
        for name, content_type in _MADE.get(run.step, ()):
            data = f"{run.step.value} {run.id} {name} ".encode() * 50
            if run.exhibit_id:
                key = keys.derived(run.exhibit_id, run.step, secrets.token_hex(8), run.attempt, name)
            else:
                key = keys.case_export(run.case_id or "", run.id, run.attempt, name)
            self.storage.store.put_bytes(key, data)
            details = {Step.TRACK: LOOKED_FOR, Step.REDACT: LOOKED_AGAIN}.get(run.step, {})
            outputs.append(NewOutput(name, key, hashlib.sha256(data).hexdigest(), len(data), content_type, details))
        return outputs

    def events(self, after: int = 0) -> list[str]:
        """The verbs in the custody log after an event."""
        return [event.verb.value for event in self.storage.index.audit_events(after=after)]

    def last_event(self) -> int:
        return self.storage.index.audit_head()[0]


DOUBTS = NewDoubts(
    [Doubt(Reason.BROKEN, "face", 40, 49, (1, 2), 0.9), Doubt(Reason.BLUR, PICTURE, 60, 60, (), 0.3)],
    [(40, 49), (60, 60)],
    Fraction(1, 25),
    0.11,
)
"""What the INDEX steps of these tests say."""

LOOKED_FOR = {"report": {"looked_for": ["car", "face", "person"]}}
"""What the TRACK steps of these tests say; number plates are not in it."""

LOOKED_AGAIN = {
    "report": {
        "second_look": {
            "models": [{"name": "other-eyes", "mirrored": False}],
            "open": 2,
            "findings": [
                {
                    "id": number,
                    "label": "face",
                    "score": 0.5,
                    "seen": 3,
                    "at": {"pts": pts, "time_base": "1/90000"},
                    "picture": picture,
                }
                for number, pts, picture in ((1, 135_000, "finding-1.jpg"), (2, 5_580_000, None))
            ],
        }
    }
}
"""What the REDACT steps of these tests say: two places to look at, at 1.5 s and at 62 s, one with a picture."""

_MADE: dict[Step, tuple[tuple[str, str], ...]] = {
    Step.DETECT: (("raw.parquet", "application/vnd.apache.parquet"),),
    Step.PROXY: (("proxy.mp4", "video/mp4"), ("poster.jpg", "image/jpeg")),
    Step.TRACK: (("tracks.json", "application/json"), ("detections.parquet", "application/vnd.apache.parquet")),
    Step.INDEX: (("track-1.jpg", "image/jpeg"),),
    Step.ANNOTATE: (("annotated.mp4", "video/mp4"),),
    Step.REDACT: (
        ("DRAFT-redacted.mp4", "video/mp4"),
        ("DRAFT-report.json", "application/json"),
        ("DRAFT-finding-1.jpg", "image/jpeg"),
    ),
    Step.CLIP: (("clip.mp4", "video/mp4"),),
    Step.EXPORT: (("case.zip", "application/zip"),),
}


@contextmanager
def own_settings(services: Services, folder: Path, **more: Any) -> Iterator[Settings]:
    """As the `settings` fixture, for as long as a module's tests share one server."""
    database = f"served_{next(_names)}"
    services.postgres.create(database)
    given = {
        "data_dir": folder / "data",
        "database_url": services.postgres.address(servers.OWNER, database),
        "app_database_url": services.postgres.address(embedded.APP_ROLE, database),
        "redis_url": services.redis_url,
        "port": 0,
    }
    try:
        settings = load(given | more, {})
        FolderStore(settings.data_dir / "store").prepare()
        yield settings
    finally:
        services.postgres.drop(database)


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    """The answer is a problem in the one form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "hint"} <= body.keys()
    assert body["status"] == status
    assert body["detail"]
    assert body["hint"]
    return body


@contextmanager
def served(settings: Settings, *, receiver: bool = False, app: FastAPI | None = None) -> Iterator[Served]:
    """A server on a free port of this machine; `receiver` has finished uploads checked, as in earnest."""
    app = app or create_app(settings)
    config = server_config(app, settings)
    config.port, config.lifespan = 0, "on" if receiver else "off"
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with opened(settings) as storage:
        here = Served(app, f"http://127.0.0.1:{port}", storage, Factory(storage))
        try:
            yield here
        finally:
            for client in here._clients:
                client.close()
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server did not stop"

"""What machines ask: is it alive, is it ready, how is it doing."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evidence.case import Act, allows
from evidence.errors import DatabaseDown, ExhibitError, NotAllowed, Unavailable
from ingest.receive import Receiver
from web.api.answers import API
from web.context import ANYONE, Context, asks, context_of
from web.signin import signed_in

router = APIRouter(tags=["health"])
Check = Callable[[], object]
_LONGEST_ROUND_S = 120
NEEDED = frozenset({"database", "schema", "store"})
"""Without one of these nothing can be answered. Without the bell everything works, only a little later."""


class Health(BaseModel):
    status: str


class Readiness(BaseModel):
    ready: bool
    parts: dict[str, str] = Field(description='"ok", or what is wrong; the sentence only for callers on this machine.')


@router.get("/healthz", **asks(ANYONE))
async def alive() -> Health:
    """The process answers: on the event loop itself, so that no queue for threads makes it look dead."""
    return Health(status="ok")


@router.get("/readyz", **asks(ANYONE), responses={503: {"model": Readiness}})
def ready(request: Request, response: Response) -> Readiness:
    """Each part, asked now: database, schema, store, bell, and the receiver of finished uploads."""
    checks: dict[str, Check] = request.app.state.checks
    parts: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check()
            parts[name] = "ok"
        except ExhibitError as exc:
            parts[name] = f"{exc} {exc.hint}".strip() if is_local(request) else "down"
    is_ready = all(parts[name] == "ok" for name in NEEDED & parts.keys())
    response.status_code = 200 if is_ready else 503
    return Readiness(ready=is_ready, parts=parts)


@router.get("/metrics", **asks(Act.MANAGE_USERS))
async def metrics(request: Request) -> Response:
    """For Prometheus: from this machine, or with an administrator's token."""
    if not is_local(request):
        who = await signed_in(request)
        if not allows(who.user, Act.MANAGE_USERS):
            raise NotAllowed("metrics are for administrators and for this machine")
    registry: CollectorRegistry = request.app.state.metrics.registry
    return Response(await run_in_threadpool(generate_latest, registry), media_type=CONTENT_TYPE_LATEST)


def is_local(request: Request) -> bool:
    """Whether the caller is on this machine. Behind a proxy on this machine everybody would be: nobody is."""
    if context_of(request).settings.trusted_proxy or request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class Metrics:
    """This server's own numbers; its own registry, so that two servers in one process do not mix."""

    def __init__(self, context: Context) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "exhibit_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "exhibit_http_request_seconds", "Time to the first byte of the answer.", ("route",), registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(_Work(context))


class _Work(Collector):
    """Step runs by state, read from the database when somebody asks."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("exhibit_step_runs", "Step runs by step and state.", labels=["step", "state"])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("exhibit_database_up", "1 when the database answers.")
        runs = GaugeMetricFamily("exhibit_step_runs", "Step runs by step and state.", labels=["step", "state"])
        try:
            counts = self._context.index.step_counts()
        except DatabaseDown:
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
            for (step, state), count in counts.items():
                runs.add_metric([step, state], count)
        yield up
        yield runs


class Measured:
    """Counts requests by route, never by address: ids would make endless series."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = _route(scope)
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._metrics.requests.labels(method, route, str(message["status"])).inc()
                self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, noting)


def _route(scope: Scope) -> str:
    """The address with names for its parameters. A route knows its path below the place where it was included."""
    path = getattr(scope.get("route"), "path", "other")
    return f"{API}{path}" if path != "other" and scope["path"].startswith(f"{API}/") else path


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def checks_of(context: Context, check_database: Check, check_bell: Check, receiver: Receiver) -> dict[str, Check]:
    """`check_database` raises DatabaseDown or WrongSchema: the first is about the database, the second about the schema."""

    def database() -> None:
        try:
            check_database()
        except DatabaseDown:
            raise
        except Unavailable:
            return  # It answers; `schema` says what is wrong.

    def uploads() -> None:
        silent_s = time.monotonic() - receiver.last_round
        if silent_s > _LONGEST_ROUND_S:
            raise Unavailable(f"finished uploads have not been looked at for {silent_s:.0f} s")

    return {
        "database": database,
        "schema": check_database,
        "store": context.store.check,
        "bell": check_bell,
        "receiver": uploads,
    }

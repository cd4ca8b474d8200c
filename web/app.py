"""The web server, built once: stores, bell, the receiver of uploads, API, pages, and what every answer carries."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from config.settings import Settings
from evidence.case import Act
from evidence.errors import BadInput, Conflict
from ingest.receive import Receiver
from ingest.tus import tus_router
from ingest.uploads import Staging
from storage.database import check_schema
from storage.open import Storage, SystemClock, open_storage
from web import health
from web.api import api_router
from web.api.answers import API
from web.context import Context, asks
from web.headers import RequestLimits, SecurityHeaders
from web.pages import pages_router, static_files
from web.pages.rendering import error_page
from web.problems import MEDIA_TYPE, answer, install, problem_of
from web.proxy import BehindProxy, networks_of
from web.signin import cookie_name, signed_in_by_header
from workers.queue import RqBell

log = logging.getLogger("exhibit.web")
_STOP_WITHIN_S = 10


def create_app(settings: Settings) -> FastAPI:
    """The application over the stores that the settings name. Raises: DatabaseDown, WrongSchema, StoreDown."""
    storage = open_storage(settings)
    bell = RqBell(settings.redis_url)
    receiver = Receiver(storage.ledger, storage.index, storage.store, bell, settings, clock=SystemClock())
    staging = Staging(storage.ledger, storage.index, storage.store, settings, receiver.wake)
    context = Context(settings, storage.ledger, storage.index, storage.store, bell, staging)
    app = FastAPI(
        title="exhibit",
        version=version("exhibit"),
        description="Drone and body-worn video as evidence. Guide: docs/api.md.",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        lifespan=_lifespan(receiver, staging, storage),
    )
    app.state.context = context
    app.state.cookie = cookie_name(context)
    app.state.checks = health.checks_of(context, lambda: check_schema(storage.engine), bell.listening, receiver)
    app.state.metrics = health.Metrics(context)
    # The last added is the outermost.
    install(app, error_page)
    app.add_middleware(RequestLimits)
    app.add_middleware(health.Measured, metrics=app.state.metrics)
    app.add_middleware(SecurityHeaders, over_tls=context.over_tls, map_tiles=settings.map_tiles)
    app.include_router(health.router)
    app.include_router(api_router())
    app.include_router(_uploads(staging))
    app.include_router(pages_router())
    app.mount("/static", static_files(), name="static")
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _uploads(staging: Staging) -> APIRouter:
    """tus with our form of errors; its one act is checked by the staging."""
    router = tus_router(staging, signed_in_by_header, lambda request, error: answer(request, problem_of(error)))
    for route in router.routes:
        if isinstance(route, APIRoute):
            route.openapi_extra = asks(Act.UPLOAD)["openapi_extra"]
    return router


def _lifespan(receiver: Receiver, staging: Staging, storage: Storage) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        checking = threading.Thread(target=receiver.run, args=(stop,), name="receiver", daemon=True)
        checking.start()
        try:
            yield
        finally:
            stop.set()
            await run_in_threadpool(staging.close)
            await run_in_threadpool(checking.join, _STOP_WITHIN_S)
            storage.close()

    return lifespan


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The description of the JSON routes, with both ways to sign in and the one form of errors."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        parts = schema.setdefault("components", {})
        parts["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": app.state.cookie},
        }
        schema["security"] = [{"token": []}, {"session": []}]
        parts.setdefault("schemas", {})["Problem"] = _PROBLEM
        problem = {"description": "A problem", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = problem
        app.openapi_schema = schema
    return app.openapi_schema


_PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457, with what to do about it.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "hint"],
    "properties": {
        "type": {"type": "string", "description": "A kind of problem; the address explains it."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened."},
        "hint": {"type": "string", "description": "What to do."},
        "errors": {"type": "array", "items": {"type": "object"}, "description": "Of a request that is not valid."},
        "number": {"type": "string", "description": "Of an unexpected error: find it in the log."},
    },
}


def run_server(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises: BadInput for an address that may not or can't be bound, DatabaseDown, WrongSchema, StoreDown.
    """
    check_binding(settings)
    listener = _bind(settings)
    with listener:
        config = server_config(create_app(settings), settings)
        try:
            config.load()
        except OSError as exc:  # ssl.SSLError is one
            raise BadInput(
                f"the TLS certificate can't be used: {exc}", hint="Both files are PEM and belong together."
            ) from exc
        host, port = listener.getsockname()[:2]
        log.info("listening at %s, port %d", host, port)
        uvicorn.Server(config).run(sockets=[listener])


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn runs it, behind the declared proxy if there is one."""
    return uvicorn.Config(
        BehindProxy(app, settings.trusted_proxy) if settings.trusted_proxy else app,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        proxy_headers=False,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_WITHIN_S,
    )


def check_binding(settings: Settings) -> None:
    """Passwords and footage may cross a network only under TLS.

    Raises: BadInput when the address is reachable from other machines without a certificate or a declared proxy, or
        when one of these is not what it should be.
    """
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise BadInput("only one of tls_certificate and tls_key is set", hint="Set both, or neither.")
    for path in (settings.tls_certificate, settings.tls_key):
        if path is not None and not path.is_file():
            raise BadInput(f"there is no file {path}", hint="Correct tls_certificate and tls_key.")
    networks_of(settings.trusted_proxy)
    if settings.tls_certificate or settings.trusted_proxy or _is_loopback(settings.host):
        return
    raise BadInput(
        f"refusing to serve on {settings.host} without TLS: other machines could read passwords and footage",
        hint="Set tls_certificate and tls_key, or trusted_proxy to the address of the proxy that ends TLS; "
        "or keep host at 127.0.0.1.",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bind(settings: Settings) -> socket.socket:
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        if listener is not None:
            listener.close()
        taken = exc.errno == errno.EADDRINUSE
        raise (Conflict if taken else BadInput)(
            f"can't listen at {settings.host}, port {settings.port}: {exc.strerror}",
            hint="Is exhibit running already? Choose another port with --port.",
        ) from exc
    return listener

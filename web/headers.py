"""What every answer carries, and how much a request may carry in."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evidence.errors import BadInput, TooLarge
from web.problems import answer, problem_of

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "media-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_TILES_COME_BY = ("img-src", "connect-src")
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_HSTS = "max-age=31536000; includeSubDomains"
_STATIC_AGE_S = 3600
MAX_BODY_BYTES = 1024 * 1024
"""Of a request that isn't an upload."""
_UPLOADS = re.compile(r"/upload|/uploads(/.*)?")


def content_security_policy(map_tiles: str = "") -> str:
    """What a page may load, and from where: from here alone, but for the tiles of maps where they come from another host.

    `map_tiles`: the setting of that name, whose form leaves nothing in its host that could end a directive.
    """
    parts = urlsplit(map_tiles)
    other = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return "; ".join(f"{name} {where}{other if name in _TILES_COME_BY else ''}" for name, where in _POLICY.items())


class SecurityHeaders:
    """Sets what an answer hasn't set itself. Everything but the static files is personal data: never stored."""

    def __init__(self, app: ASGIApp, *, over_tls: bool, map_tiles: str = "") -> None:
        self._app = app
        self._headers = ALWAYS | {"Content-Security-Policy": content_security_policy(map_tiles)}
        if over_tls:
            self._headers["Strict-Transport-Security"] = _HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        static = scope["path"].startswith("/static/")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                kept = static and message["status"] in {200, 206, 304}
                headers.setdefault("Cache-Control", f"public, max-age={_STATIC_AGE_S}" if kept else "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


class RequestLimits:
    """Refuses what no route could use: bodies that are too long, addresses with a NUL (no database text holds one)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            await _refuse(BadInput("the address holds a character that is none"), scope, receive, send)
            return
        if _UPLOADS.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > MAX_BODY_BYTES:
            await _refuse(_too_large(), scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_BODY_BYTES:
                # The one kind of exception that the framework lets through while it reads a body.
                raise HTTPException(413, "the request is too long")
            return message

        await self._app(scope, counted, send)


def _too_large() -> TooLarge:
    return TooLarge("the request is too long", hint="Files go to /uploads/; anything else is short.")


async def _refuse(error: BadInput, scope: Scope, receive: Receive, send: Send) -> None:
    await answer(Request(scope, receive), problem_of(error))(scope, receive, send)

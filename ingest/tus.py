"""The tus 1.0.0 protocol: read the headers, call the staging, answer.

Core, creation, creation-with-upload, checksum, expiration, termination, under `/uploads/`.

Source: https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Callable, Coroutine
from email.utils import format_datetime
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from evidence.errors import BadInput, DigestMismatch, ExhibitError
from evidence.exhibit import UploadId
from ingest import metadata
from ingest.parts import CHECKSUMS, Body, Checksum
from ingest.uploads import Staging
from storage.ledger.people import SignedIn
from storage.ledger.uploads import Upload, UploadState

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,expiration,termination"
PREFIX = "/uploads"
BYTES = "application/offset+octet-stream"
CHECKSUM_MISMATCH = 460
_ONE = "/{upload_id}"
_DRAIN_BYTES, _DRAIN_S = 32 * 1024 * 1024, 10.0

Answer = Callable[[Request, ExhibitError], Response]
"""How this server says an error: problem+json, from `web.problems`."""
SignedInDependency = Callable[..., Coroutine[Any, Any, SignedIn]]


def tus_router(staging: Staging, signed_in: SignedInDependency, answer: Answer) -> APIRouter:
    """The routes under `/uploads/`. `signed_in` is the dependency that says who asks, and checks CSRF for a cookie."""

    class Route(APIRoute):
        """Every answer speaks tus, whoever made it; what the protocol refuses is refused before anything is looked at."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def speak(request: Request) -> Response:
                try:
                    response = _before(request, staging) or await handler(request)
                except ExhibitError as error:
                    response = answer(request, error)
                if response.status_code >= 400:
                    await _drain(request)
                response.headers["Tus-Resumable"] = VERSION
                response.headers.setdefault("Cache-Control", "no-store")
                return response

            return speak

    router = APIRouter(prefix=PREFIX, route_class=Route, include_in_schema=False)
    anything = ["GET", "POST", "HEAD", "PATCH", "DELETE", "OPTIONS"]

    @router.api_route("", methods=anything)
    @router.api_route("/", methods=anything)
    async def uploads(request: Request, who: SignedIn = Depends(signed_in)) -> Response:  # noqa: B008
        if _method(request) != "POST":
            return _refusal(
                405, "Method not allowed", "Here an upload is created.", "Send POST.", {"Allow": "POST, OPTIONS"}
            )
        return await _create(request, staging, who)

    @router.api_route(_ONE, methods=anything)
    async def one_upload(request: Request, upload_id: str, who: SignedIn = Depends(signed_in)) -> Response:  # noqa: B008
        upload = UploadId(upload_id)
        method = _method(request)
        if method == "HEAD":
            return _state(await staging.settled(who.user, upload))
        if method == "PATCH":
            return await _append(request, staging, who, upload)
        if method == "DELETE":
            await staging.remove(who.user, upload)
            return Response(status_code=204)
        allowed = "HEAD, PATCH, DELETE, OPTIONS"
        return _refusal(
            405,
            "Method not allowed",
            f"{method} is nothing that can be done to an upload.",
            f"Send one of {allowed}; its record is at /api/v1/uploads/{{id}}.",
            {"Allow": allowed},
        )

    return router


def _method(request: Request) -> str:
    """Some networks let only POST through: there a header says what is meant. Never of a GET: it needs no CSRF token."""
    meant = request.headers.get("x-http-method-override", "") if request.method == "POST" else ""
    return (meant or request.method).strip().upper()


def _before(request: Request, staging: Staging) -> Response | None:
    """What needs nobody signed in: the server's abilities, and the refusal of another protocol version."""
    if _method(request) == "OPTIONS":
        return Response(
            status_code=204,
            headers={
                "Tus-Version": VERSION,
                "Tus-Extension": EXTENSIONS,
                "Tus-Max-Size": str(staging.max_bytes),
                "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
            },
        )
    if request.headers.get("tus-resumable") != VERSION:
        return _refusal(
            412,
            "Another protocol version",
            f"Uploads speak tus {VERSION}; the request has to say so.",
            f"Send the header Tus-Resumable: {VERSION}.",
            {"Tus-Version": VERSION},
        )
    return None


async def _create(request: Request, staging: Staging, who: SignedIn) -> Response:
    headers = request.headers
    if "upload-defer-length" in headers or "upload-concat" in headers:
        raise BadInput(
            "This server takes in uploads whose length is known, one by one.",
            hint="Send Upload-Length; Tus-Extension (OPTIONS) names what is spoken here.",
        )
    with_bytes = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if with_bytes and (wrong := _wrong_type(request)):
        return wrong
    checksum = _checksum(request) if with_bytes else None
    size_bytes = _number(request, "upload-length")
    said = headers.get("upload-metadata", "")
    upload = await staging.begin(who.user, size_bytes, metadata.read_header(said), header=said)
    location = {"Location": f"{request.scope.get('root_path', '')}{PREFIX}/{upload.id}"}
    if not with_bytes:
        return Response(status_code=201, headers=location | _expires(upload))
    try:
        upload = await staging.receive(who.user, upload.id, 0, _body(request), checksum)
    except DigestMismatch as error:
        return _mismatch(error, location)
    return Response(status_code=201, headers=location | {"Upload-Offset": str(upload.offset_bytes)} | _expires(upload))


async def _append(request: Request, staging: Staging, who: SignedIn, upload_id: UploadId) -> Response:
    if wrong := _wrong_type(request):
        return wrong
    checksum, offset = _checksum(request), _number(request, "upload-offset")
    try:
        upload = await staging.receive(who.user, upload_id, offset, _body(request), checksum)
    except DigestMismatch as error:
        return _mismatch(error, {})
    return Response(status_code=204, headers={"Upload-Offset": str(upload.offset_bytes)} | _expires(upload))


def _state(upload: Upload) -> Response:
    headers = {
        "Upload-Offset": str(upload.offset_bytes),
        "Upload-Length": str(upload.size_bytes),
        "Cache-Control": "no-store",
    }
    if said := upload.metadata.get(metadata.HEADER):
        headers["Upload-Metadata"] = said
    return Response(status_code=200, headers=headers | _expires(upload))


def _expires(upload: Upload) -> dict[str, str]:
    if upload.state is not UploadState.RECEIVING:
        return {}
    return {"Upload-Expires": format_datetime(upload.expires_at, usegmt=True)}


def _wrong_type(request: Request) -> Response | None:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() == BYTES:
        return None
    return _refusal(
        415,
        "Wrong content type",
        "The bytes of an upload come under a content type of their own.",
        f"Send Content-Type: {BYTES}.",
    )


def _number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        shown = name.title()
        raise BadInput(
            f"{shown} is {'missing' if not text else 'not a whole number'}.", hint=f"Send {shown} with a number of bytes."
        )
    return int(text)


def _checksum(request: Request) -> Checksum | None:
    text = request.headers.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, encoded = text.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise BadInput(
            f"{algorithm[:40]!r} is not a checksum that is known here.", hint=f"Use one of: {', '.join(CHECKSUMS)}."
        )
    try:
        return Checksum(algorithm, base64.b64decode(encoded.strip(), validate=True))
    except (binascii.Error, ValueError) as exc:
        raise BadInput("Upload-Checksum is not Base64.", hint="Send: Upload-Checksum: sha256 BASE64DIGEST") from exc


def _body(request: Request) -> Body:
    length = request.headers.get("content-length", "")
    return Body(aiter(request.stream()), int(length) if length.isdecimal() else None, broken=(ClientDisconnect,))


async def _drain(request: Request) -> None:
    """Read past what a refused request goes on sending (up to a bound): a client that writes can't hear the answer."""
    if request.method in {"HEAD", "DELETE", "GET"} or "expect" in request.headers:
        return  # Nothing comes, or the client waits for leave to send.
    read = 0
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for chunk in request.stream():
                read += len(chunk)
                if read > _DRAIN_BYTES:
                    return
    except (ClientDisconnect, TimeoutError, RuntimeError):
        # Gone, too slow, or read to its end already: nothing is left to be polite about.
        return


def _mismatch(error: DigestMismatch, headers: dict[str, str]) -> Response:
    return _refusal(CHECKSUM_MISMATCH, "Checksum mismatch", str(error), error.hint, headers)


def _refusal(status: int, title: str, detail: str, hint: str, headers: dict[str, str] | None = None) -> Response:
    """What only this protocol refuses, in the form that every other error here has."""
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail, "hint": hint}
    return Response(
        json.dumps(problem), status, {**(headers or {}), "Cache-Control": "no-store"}, "application/problem+json"
    )

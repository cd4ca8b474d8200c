"""HTTP ranges: one span of an object in bounded memory, as players and download managers ask for it.

Source: RFC 9110, sections 13 (conditions) and 14 (ranges).
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse

from evidence.audit import Verb
from storage.ledger.people import SignedIn
from web.context import Context
from web.footage import Footage, hand_out

_ONE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Part:
    """What is to be sent: `start` up to and excluding `end`."""

    status: int
    start: int
    end: int


def part_asked_for(headers: Headers, size_bytes: int, etag: str, modified: datetime) -> Part:
    """200 whole, 206 one range, 304 and 412 by condition, 416 past the end.

    A `Range` that isn't one well-formed range of bytes is not an error: the whole is sent.
    """
    if_match = headers.get("if-match")
    if if_match is not None and not _names(if_match, etag, weak=False):
        return Part(412, 0, 0)
    if_none_match = headers.get("if-none-match")
    if if_none_match is not None and _names(if_none_match, etag, weak=True):
        return Part(304, 0, 0)
    whole = Part(200, 0, size_bytes)
    match = _ONE_RANGE.fullmatch(headers.get("range", "").replace(" ", ""))
    if match is None or match.group() == "bytes=-" or not _still_the_same(headers.get("if-range"), etag, modified):
        return whole
    first, last = match.groups()
    if not first:
        start, end = max(0, size_bytes - int(last)), size_bytes
        return Part(206, start, end) if int(last) and size_bytes else Part(416, 0, 0)
    start, end = int(first), min(int(last) + 1, size_bytes) if last else size_bytes
    if last and int(last) < start:
        return whole
    return Part(206, start, end) if start < size_bytes else Part(416, 0, 0)


def _names(field: str, etag: str, *, weak: bool) -> bool:
    tags = [tag.strip() for tag in field.split(",")]
    if weak:
        tags = [tag.removeprefix("W/") for tag in tags]
    return "*" in tags or etag in tags


def _still_the_same(if_range: str | None, etag: str, modified: datetime) -> bool:
    if if_range is None or if_range == etag:
        return True
    try:
        return parsedate_to_datetime(if_range) == modified.astimezone(UTC).replace(microsecond=0)
    except (ValueError, TypeError):
        return False


def content_disposition(filename: str, *, inline: bool) -> str:
    """With an ASCII name for old clients and the real one for the others. Source: RFC 6266, RFC 8187."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in filename)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


async def send(
    context: Context, who: SignedIn, footage: Footage, method: str, headers: Headers, *, download: bool
) -> Response:
    """The answer to GET or HEAD. Only bytes that leave count as a viewing: a HEAD, a 304 or a 416 shows nothing."""
    etag = f'"{footage.sha256}"'
    part = part_asked_for(headers, footage.size_bytes, etag, footage.created_at)
    answer = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Last-Modified": format_datetime(footage.created_at.astimezone(UTC).replace(microsecond=0), usegmt=True),
        "Content-Disposition": content_disposition(footage.filename, inline=footage.inline and not download),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
        "Repr-Digest": f"sha-256=:{_base64(footage.sha256)}:",
    }
    if part.status == 416:
        return Response(None, 416, answer | {"Content-Range": f"bytes */{footage.size_bytes}"})
    if part.status in {304, 412}:
        return Response(None, part.status, answer)
    answer["Content-Length"] = str(part.end - part.start)
    answer["Content-Type"] = footage.content_type
    if part.status == 206:
        answer["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{footage.size_bytes}"
    if method == "HEAD":
        return Response(None, part.status, answer)
    verb = Verb.VIEWED if footage.inline and not download else Verb.FETCHED
    chunks = await run_in_threadpool(hand_out, context, who, footage, part.start, part.end - part.start, verb)
    return StreamingResponse(_in_threads(chunks), part.status, answer)


async def _in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """One chunk at a time, and the source closed also when the client goes away in the middle."""
    try:
        while True:
            chunk = await run_in_threadpool(next, chunks, None)
            if chunk is None:
                return
            yield chunk
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def _base64(hex_digest: str) -> str:
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()

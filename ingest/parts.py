"""Bytes into parts: one buffer, one digest per part, nothing recorded before it is durable."""

from __future__ import annotations

import asyncio
import hashlib
import io
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from evidence.errors import DigestMismatch, IntegrityError, TooLarge, Unavailable, UnsupportedMedia
from evidence.ports import ObjectStore
from ingest.sniff import HEAD_BYTES, sniff
from storage import keys
from storage.ledger.uploads import Upload, UploadPart

P = ParamSpec("P")
T = TypeVar("T")

SMALLEST_PART_BYTES = 5 * 1024 * 1024
"""What S3 wants of every part but the last. Source: Amazon S3 multipart upload limits."""
_MOST_PARTS = 9_000
"""S3 joins at most 10,000 parts; a few are kept in hand."""
CHECKSUMS = ("sha1", "sha256")
IDLE_S = 60.0
"""A sender that says nothing for this long is gone, even when its connection pretends otherwise."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the sender says the bytes of this one request hash to; `algorithm` is one of `CHECKSUMS`."""

    algorithm: str
    digest: bytes


class InThread(Protocol):
    """Runs a blocking call of the store or the database beside the event loop."""

    async def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


class Body:
    """The bytes of one request as they come; `cut` says afterwards that they ended before they should have."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        length: int | None = None,
        *,
        broken: tuple[type[Exception], ...] = (),
        idle_s: float = IDLE_S,
    ) -> None:
        self.length = length
        """As announced; None where the sender didn't."""
        self.received = 0
        self.cut = False
        self._chunks = chunks
        self._gone: tuple[type[Exception], ...] = (TimeoutError, *broken)
        self._idle_s = idle_s
        self._patience: asyncio.Timeout | None = None
        """Of the wait that is running."""
        self._stopped = False

    def stop(self) -> None:
        """Wait for no more bytes: whoever sends them has begun anew. Only from the event loop that reads them."""
        self._stopped = True
        if self._patience is not None:
            with suppress(RuntimeError):  # It is over by itself at this moment.
                self._patience.reschedule(asyncio.get_running_loop().time())

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            if self._stopped:
                self.cut = True
                return
            try:
                async with asyncio.timeout(self._idle_s) as self._patience:
                    chunk = await anext(self._chunks)
            except StopAsyncIteration:
                break
            except self._gone:
                self.cut = True
                return
            finally:
                self._patience = None
            self.received += len(chunk)
            if chunk:
                yield chunk
        self.cut = self.length is not None and self.received < self.length


class PartWriter:
    """The bytes of one request, staged part by part after those that are here already.

    Without a checksum each part counts as soon as it is durable. With one, none does before all bytes of the request
    proved right: they are staged, and recorded only then.
    """

    def __init__(
        self,
        upload: Upload,
        store: ObjectStore,
        *,
        part_size_bytes: int,
        run: InThread,
        record: Callable[[Upload, UploadPart], Upload],
        checksum: Checksum | None = None,
    ) -> None:
        self.upload = upload
        self._store = store
        self._part_size_bytes = part_size_bytes
        self._smallest_bytes = max(SMALLEST_PART_BYTES, -(-upload.size_bytes // _MOST_PARTS))
        self._run = run
        self._record = record
        self._checksum = checksum
        self._hash = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
        self._token = secrets.token_hex(4)
        self._buffer = io.BytesIO()
        self._carried = 0
        """How many bytes of the buffer an earlier request brought."""
        self._sniffed = False
        self._refusal: UnsupportedMedia | None = None
        self._pending: list[UploadPart] = []
        last = max(upload.parts, key=lambda part: part.number, default=None)
        self._tail = last if last is not None and not last.full else None
        self._number = 1 if last is None else last.number + (1 if last.full else 0)
        self._begins_at = upload.offset_bytes - (self._tail.size_bytes if self._tail else 0)

    async def open(self) -> None:
        """Take up the tail that an earlier request left. Raises: IntegrityError when it is not what was recorded."""
        if self._tail is None:
            return
        data = await self._run(self._read, self._tail)
        self._buffer.write(data)
        self._carried = len(data)

    def _read(self, tail: UploadPart) -> bytes:
        data = b"".join(self._store.read(tail.key))
        if hashlib.sha256(data).hexdigest() != tail.sha256:
            raise IntegrityError(
                "The bytes staged for this upload are not those that were received.",
                hint="Delete this upload and send the file again; tell the administrator about the store.",
            )
        return data

    @property
    def _end(self) -> int:
        return self._begins_at + self._buffer.tell()

    async def take(self, chunk: bytes) -> None:
        """Add bytes; a full part goes to the store before this returns. Raises: TooLarge, UnsupportedMedia."""
        if self._end + len(chunk) > self.upload.size_bytes:
            raise TooLarge(
                f"More bytes came than the {self.upload.size_bytes} that were announced.",
                hint="Start a new upload with the right Upload-Length.",
            )
        view = memoryview(chunk)
        while view:
            room = max(self._part_size_bytes - self._buffer.tell(), 0)
            self._buffer.write(view[:room])
            view = view[room:]
            self._look()
            if self._buffer.tell() >= self._part_size_bytes:
                await self._flush(full=True)

    def _look(self, *, all_here: bool = False) -> None:
        """Sniff as soon as there is enough to see. A verdict on bytes that a checksum may yet disown has to wait."""
        if self._sniffed or self._number != 1 or (self._buffer.tell() < HEAD_BYTES and not all_here):
            return
        self._sniffed = True
        try:
            head = bytes(self._buffer.getbuffer()[:HEAD_BYTES])
            size_bytes = self._end if all_here else self.upload.size_bytes
            sniff(head, size_bytes, self.upload.metadata["filename"])
        except UnsupportedMedia as refusal:
            if self._checksum is None:
                raise
            self._refusal = refusal

    async def finish(self, *, cut: bool = False, ends: bool = False) -> Upload:
        """Stage what is left and give the upload as it stands now; `ends`: there is no more, whatever was announced.

        Raises: DigestMismatch when the checksum is wrong (nothing of this request counts then), UnsupportedMedia.
        """
        if cut and self._checksum is not None:
            await self.discard()
            return self.upload
        complete = ends or self._end == self.upload.size_bytes
        self._look(all_here=complete)
        if self._buffer.tell() > self._carried:
            await self._flush(full=complete or self._buffer.tell() >= self._smallest_bytes)
        if self._checksum is not None and self._hash is not None:
            if self._hash.digest() != self._checksum.digest:
                await self.discard()
                raise DigestMismatch(
                    "The checksum of this request is wrong: these bytes were thrown away.",
                    hint="Send the same bytes again from the offset that HEAD gives.",
                )
            if self._refusal is not None:
                raise self._refusal
            for part in self._pending:
                await self._count(part)
            self._pending.clear()
        return self.upload

    async def discard(self) -> None:
        """Remove what this request staged without its being recorded."""
        pending, self._pending = self._pending, []
        with suppress(Unavailable):  # What stays behind goes with the rest of the staging folder.
            for part in pending:
                await self._run(self._store.delete, part.key)

    async def _flush(self, *, full: bool) -> None:
        data = self._buffer.getvalue()
        self._buffer = io.BytesIO()
        part = await self._run(self._stage, data, full)
        self._carried = 0
        if self._checksum is None:
            await self._count(part)
        else:
            self._pending.append(part)
        self._begins_at += part.size_bytes
        self._number += 1

    def _stage(self, data: bytes, full: bool) -> UploadPart:
        if full:
            key = keys.part(self.upload.id, self._number, self._token)
        else:
            key = keys.tail(self.upload.id, self._begins_at + len(data), self._token)
        if self._hash is not None:
            self._hash.update(memoryview(data)[self._carried :])
        digest = hashlib.sha256(data).hexdigest()
        self._store.put_bytes(key, data)
        return UploadPart(number=self._number, key=key, size_bytes=len(data), sha256=digest, full=full)

    async def _count(self, part: UploadPart) -> None:
        """Durable, so it may count; the tail that it replaces is of no use any more."""
        self.upload = await self._run(self._record, self.upload, part)
        replaced, self._tail = self._tail, None
        if replaced is not None:
            with suppress(Unavailable):
                await self._run(self._store.delete, replaced.key)

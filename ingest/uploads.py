"""Staging the bytes of an upload: the state is in the ledger and the store, so any web server can go on with it.

One way in for every door: tus (`ingest.tus`), the plain form (`ingest.form`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta, tzinfo
from functools import partial
from typing import ParamSpec, TypeVar

from config.settings import Settings
from evidence.audit import Verb
from evidence.case import Act, User, allows
from evidence.errors import (
    BadInput,
    Busy,
    Conflict,
    ExhibitError,
    Gone,
    NotAllowed,
    NotFound,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
)
from evidence.exhibit import UploadId
from evidence.ports import ObjectStore
from ingest import metadata
from ingest.parts import Body, Checksum, PartWriter
from ingest.sniff import sniff
from storage import keys
from storage.index import Index
from storage.ledger import Ledger
from storage.ledger.uploads import Upload, UploadPart, UploadState

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 16
"""Blocking calls of running uploads at once; its own pool, so that a slow store holds up no page."""
_TAKE_OVER_S, _TRY_EVERY_S = 10.0, 0.05
"""How long a request that begins anew waits for the one before it to store what it has, and how often it looks."""
_HERE = frozenset({UploadState.CHECKING, UploadState.DONE})


class Staging:
    """Takes bytes in for uploads. `finished` is called (from any thread) when one is complete."""

    def __init__(
        self,
        ledger: Ledger,
        index: Index,
        store: ObjectStore,
        settings: Settings,
        finished: Callable[[], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._index = index
        self._store = store
        self._finished = finished
        self._expiry = timedelta(hours=settings.upload_expiry_hours)
        self._part_size_bytes = settings.part_size_bytes
        self.max_bytes = settings.max_upload_bytes
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="staging")
        self._bodies: dict[UploadId, Body] = {}
        """What this process is taking in at the moment."""

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def begin(
        self,
        actor: User,
        size_bytes: int,
        fields: Mapping[str, str],
        *,
        header: str = "",
        zone: tzinfo | None = None,
    ) -> Upload:
        """A new upload of his; everything that can be wrong with what he says is refused here, with nothing stored.

        Raises: NotAllowed, BadInput, UnsupportedMedia (zero bytes), TooLarge, CaseClosed.
        """
        if not allows(actor, Act.UPLOAD):
            await self.run(self._ledger.viewings.record, actor.name, Verb.DENIED, details={"act": Act.UPLOAD.value})
            raise NotAllowed(f"The role {actor.role.value} does not upload footage.")
        known = metadata.checked(fields, zone=zone)
        if size_bytes == 0:
            sniff(b"", 0, known["filename"])
        if size_bytes < 0:
            raise BadInput("The size of an upload can't be negative.")
        if size_bytes > self.max_bytes:
            raise TooLarge(f"The file has {size_bytes} bytes; the most that is taken in here is {self.max_bytes}.")
        if header:
            known[metadata.HEADER] = header
        return await self.run(self._ledger.uploads.begin, actor, size_bytes, known, expiry=self._expiry)

    async def look(self, actor: User, upload_id: UploadId) -> Upload:
        """His upload as it stands. Raises: NotFound (somebody else's too), Gone with the reason."""
        upload = await self.run(self._index.upload, upload_id)
        return _his(actor, upload)

    async def settled(self, actor: User, upload_id: UploadId) -> Upload:
        """His upload at an offset that stands: who asks for it is about to send, and an earlier request ends before that.

        A paused or broken request may still have bytes to store; the offset that is read over its head would be refused
        a moment later. After ten seconds, or where another server writes for longer, the offset is as it is now.

        Raises: NotFound (somebody else's too), Gone with the reason.
        """
        await self.look(actor, upload_id)
        try:
            async with self._taking_over(upload_id) as upload:
                return _his(actor, upload)
        except Busy:
            return await self.look(actor, upload_id)

    async def receive(
        self, actor: User, upload_id: UploadId, offset_bytes: int, body: Body, checksum: Checksum | None = None
    ) -> Upload:
        """Take the bytes of one request in, from `offset_bytes` on; what came counts even when the connection breaks.

        Raises: NotFound, Gone, Busy (another request writes), Conflict (another offset), TooLarge, DigestMismatch
            (the checksum), UnsupportedMedia (nothing is kept then), StoreDown, NoSpace, DatabaseDown.
        """
        await self.look(actor, upload_id)
        async with self._writing(upload_id) as upload:
            _his(actor, upload)
            if offset_bytes != upload.offset_bytes:
                raise Conflict(
                    f"The upload stands at byte {upload.offset_bytes}, not at {offset_bytes}.",
                    hint="Ask for the offset with HEAD and go on from there.",
                )
            left = upload.size_bytes - upload.offset_bytes
            if body.length is not None and body.length > left:
                raise TooLarge(
                    f"{body.length} bytes were announced where only {left} are missing.",
                    hint="Start a new upload with the right Upload-Length.",
                )
            if upload.state in _HERE:
                return upload
            return await self._write(upload, body, checksum)

    async def _write(self, upload: Upload, body: Body, checksum: Checksum | None) -> Upload:
        writer = self.writer(upload, checksum)
        self._bodies[upload.id] = body
        try:
            await writer.open()
            async for chunk in body:
                await writer.take(chunk)
            upload = await writer.finish(cut=body.cut)
        except UnsupportedMedia as refusal:
            await self.refuse(upload, refusal)
            raise
        finally:
            del self._bodies[upload.id]
            await writer.discard()
        if upload.state is UploadState.CHECKING and self._finished is not None:
            self._finished()
        return upload

    def writer(self, upload: Upload, checksum: Checksum | None = None) -> PartWriter:
        """What stages the bytes of one request; the caller holds the upload (`hold`)."""
        return PartWriter(
            upload,
            self._store,
            part_size_bytes=self._part_size_bytes,
            run=self.run,
            record=self._record,
            checksum=checksum,
        )

    def _record(self, upload: Upload, part: UploadPart) -> Upload:
        return self._ledger.uploads.advance(upload, part, expiry=self._expiry)

    async def settle(self, upload: Upload) -> Upload:
        """All of a form's file is here, however much it was."""
        if upload.state is UploadState.RECEIVING:
            upload = await self.run(self._ledger.uploads.settle, upload)
        if self._finished is not None:
            self._finished()
        return upload

    async def refuse(self, upload: Upload, refusal: ExhibitError) -> None:
        """Keep nothing of it but the reason."""
        await self.run(self._ledger.uploads.refuse, upload, str(refusal), refusal.hint)
        await self.clear(upload.id)

    async def remove(self, actor: User, upload_id: UploadId) -> None:
        """He gives an unfinished upload up. Raises: NotFound, Gone, Busy, Conflict (it is complete: evidence by now)."""
        await self.look(actor, upload_id)
        async with self._taking_over(upload_id) as upload:
            if _his(actor, upload).state in _HERE:
                raise Conflict(
                    "This upload is complete; what it brought is evidence and can't be deleted.",
                    hint="Ask a supervisor of the case if it was sent by mistake.",
                )
            await self.run(self._ledger.uploads.delete, actor, upload_id)
        await self.clear(upload_id)

    async def clear(self, upload_id: UploadId) -> None:
        with suppress(Unavailable):  # The receiver tidies up what stays behind.
            await self.run(clear_staging, self._store, upload_id)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that blocks, beside the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *args, **kwargs))

    @asynccontextmanager
    async def hold(self, upload: Upload) -> AsyncIterator[Upload]:
        """Be the only one who writes to it. Raises: Busy."""
        async with self._writing(upload.id) as fresh:
            yield fresh

    @asynccontextmanager
    async def _taking_over(self, upload_id: UploadId) -> AsyncIterator[Upload]:
        """Hold it; a request that this process still reads ends first, with what it brought. Raises: Busy."""
        until = asyncio.get_running_loop().time() + _TAKE_OVER_S
        async with AsyncExitStack() as held:
            while True:
                if body := self._bodies.get(upload_id):
                    body.stop()
                try:
                    upload = await held.enter_async_context(self._writing(upload_id))
                    break
                except Busy:
                    if asyncio.get_running_loop().time() >= until:
                        raise
                await asyncio.sleep(_TRY_EVERY_S)
            yield upload

    @asynccontextmanager
    async def _writing(self, upload_id: UploadId) -> AsyncIterator[Upload]:
        held = self._ledger.uploads.writing(upload_id)
        upload = await self.run(held.__enter__)
        try:
            yield upload
        finally:
            # Released even when the server is stopping and cancels this task.
            await asyncio.shield(self.run(held.__exit__, None, None, None))


def clear_staging(store: ObjectStore, upload_id: UploadId) -> None:
    """Remove all that was staged for an upload."""
    for key in list(store.list_keys(keys.staging_prefix(upload_id))):
        store.delete(key)


def _his(actor: User, upload: Upload) -> Upload:
    if upload.user_id != actor.id:
        raise NotFound("There is no such upload.", hint="Check the address; only whoever began an upload sees it.")
    if upload.state not in _HERE and upload.state is not UploadState.RECEIVING:
        reason = upload.error or f"The upload was {upload.state.value}."
        raise Gone(reason, hint=upload.hint or None)
    return upload

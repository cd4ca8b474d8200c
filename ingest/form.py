"""A plain HTML form as an upload: fields first, then the files, streamed into the same staging as every other upload.

For browsers without JavaScript. It can't be resumed: a file whose end didn't come is refused and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import tzinfo

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from evidence.case import User
from evidence.errors import BadInput, CaseClosed, ExhibitError, NotAllowed, UnsupportedMedia
from ingest.parts import Body, PartWriter
from ingest.sniff import sniff
from ingest.uploads import Staging
from storage.ledger.uploads import Upload

_FIELD_BYTES = 8 * 1024
_MOST_PARTS = 64


@dataclass(frozen=True, slots=True)
class FormUpload:
    """What became of one file of the form: `upload` when all of it is here, else `error`."""

    filename: str
    upload: Upload | None
    error: ExhibitError | None


@dataclass(slots=True)
class _Event:
    """Something the parser met: a part begins (its headers), goes on (data), ends."""

    kind: str
    headers: dict[str, bytes] = field(default_factory=dict)
    data: bytes = b""


class _Parts:
    """The parser's callbacks as a list of events, so that what they lead to may be awaited."""

    def __init__(self, boundary: bytes) -> None:
        self._events: list[_Event] = []
        self._headers: dict[str, bytes] = {}
        self._name, self._value = bytearray(), bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header,
                "on_headers_finished": lambda: self._events.append(_Event("begin", headers=dict(self._headers))),
                "on_part_data": lambda data, start, end: self._events.append(_Event("data", data=data[start:end])),
                "on_part_end": lambda: self._events.append(_Event("end")),
            },
        )

    def _header(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def feed(self, chunk: bytes) -> list[_Event]:
        try:
            self._parser.write(chunk)
        except FormParserError as exc:
            raise BadInput("The form can't be read.", hint="Send it again, or use exhibit upload.") from exc
        events = self._events[:]
        self._events.clear()
        return events


async def receive_form(
    staging: Staging,
    actor: User,
    content_type: str,
    body: Body,
    *,
    before_files: Callable[[Mapping[str, str]], Awaitable[None]],
    zone: tzinfo | None = None,
) -> list[FormUpload]:
    """Take every file of a `multipart/form-data` body in; `before_files` sees the fields first and may refuse (CSRF).

    The fields stand before the files in the form. A file that is refused doesn't hold up the others.

    Raises: BadInput for a body that is no such form; what `before_files` raises; StoreDown, NoSpace, DatabaseDown.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise BadInput("This is not a form with files.", hint="Send multipart/form-data.")
    form = _Form(staging, actor, body, before_files, zone)
    parts = _Parts(options[b"boundary"])
    try:
        async for chunk in body:
            for event in parts.feed(chunk):
                await form.take(event)
    finally:
        await form.over()
    return form.results


@dataclass(slots=True)
class _File:
    """The file that is coming in; `refused` once its bytes are only read past."""

    filename: str
    writer: PartWriter | None = None
    refused: bool = False
    held: AsyncExitStack = field(default_factory=AsyncExitStack)


class _Form:
    def __init__(
        self,
        staging: Staging,
        actor: User,
        body: Body,
        before_files: Callable[[Mapping[str, str]], Awaitable[None]],
        zone: tzinfo | None,
    ) -> None:
        self._staging, self._actor, self._body, self._before_files, self._zone = staging, actor, body, before_files, zone
        self.results: list[FormUpload] = []
        self._fields: dict[str, str] = {}
        self._field = ""
        self._text = bytearray()
        self._file: _File | None = None
        self._asked = False
        self._count = 0

    async def take(self, event: _Event) -> None:
        if event.kind == "begin":
            await self._begin(event.headers.get("content-disposition", b""))
        elif self._file is not None:
            await (self._write(self._file, event.data) if event.kind == "data" else self._end(self._file))
        elif event.kind == "data":
            self._text += event.data
            if len(self._text) > _FIELD_BYTES:
                raise BadInput(f"The field {self._field[:40]} is too long.", hint="Shorten it.")
        else:
            self._fields[self._field] = self._text.decode("utf-8", errors="backslashreplace")
            self._text.clear()

    async def _begin(self, disposition: bytes) -> None:
        self._count += 1
        if self._count > _MOST_PARTS:
            raise BadInput(f"The form has more than {_MOST_PARTS} parts.", hint="Send fewer files at once.")
        _, options = parse_options_header(disposition)
        self._field = options.get(b"name", b"").decode("utf-8", errors="backslashreplace")
        if b"filename" not in options:
            return
        if not self._asked:
            self._asked = True
            await self._before_files(self._fields)
        self._file = _File(options[b"filename"].decode("utf-8", errors="backslashreplace"))

    async def _write(self, file: _File, data: bytes) -> None:
        """The first bytes begin the upload: a file field that was left empty has no bytes and no name."""
        try:
            if file.writer is None and not file.refused:
                file.writer = await self._start(file)
            if file.writer is not None:
                await file.writer.take(data)
        except (BadInput, CaseClosed, NotAllowed) as refusal:
            await self._refuse(file, refusal)

    async def _start(self, file: _File) -> PartWriter:
        """The size is known only at the end; till then it is what is left of the body."""
        at_most = self._body.length or self._staging.max_bytes
        upload = await self._staging.begin(
            self._actor, min(at_most, self._staging.max_bytes), self._fields | {"filename": file.filename}, zone=self._zone
        )
        return self._staging.writer(await file.held.enter_async_context(self._staging.hold(upload)))

    async def _end(self, file: _File) -> None:
        try:
            if file.writer is not None:
                upload = await self._staging.settle(await file.writer.finish(ends=True))
                self.results.append(FormUpload(file.filename, upload, None))
                await file.held.aclose()
            elif file.filename and not file.refused:
                sniff(b"", 0, file.filename)
        except UnsupportedMedia as refusal:
            await self._refuse(file, refusal)
        self._file = None

    async def _refuse(self, file: _File, refusal: ExhibitError) -> None:
        self.results.append(FormUpload(file.filename, None, refusal))
        writer, file.writer, file.refused = file.writer, None, True
        async with file.held:
            if writer is not None:
                await self._staging.refuse(writer.upload, refusal)

    async def over(self) -> None:
        """The body has ended; a file that has no end yet can't be gone on with."""
        if self._file is not None and self._file.writer is not None:
            broken = BadInput(
                "The connection broke before the whole file was here.",
                hint="Send it again; with JavaScript, or with exhibit upload, it goes on where it stopped.",
            )
            await self._refuse(self._file, broken)

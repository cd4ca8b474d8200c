"""Handing out bytes: which object a name means, what the copy is called, and the audit event before the first byte."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from evidence.audit import Verb
from evidence.case import Act, Case
from evidence.errors import NotFound
from evidence.exhibit import Exhibit
from evidence.findings import NOT_LOOKED, still_open
from evidence.steps import Step
from storage.index import Output
from storage.ledger.people import SignedIn
from web.context import Context
from web.permission import find_case, find_exhibit

ORIGINAL = "original"
ALIASES: dict[str, Step] = {
    "proxy": Step.PROXY,
    "annotated": Step.ANNOTATE,
    "redacted": Step.REDACT,
    "clip": Step.CLIP,
}
"""Names of copies: the newest video that the step made (`redacted`: the newest draft)."""
_UNFIT = re.compile(r"[^\w.\- ()+,=@]+")


@dataclass(frozen=True, slots=True)
class Footage:
    """One object that may be handed out, and under which name."""

    key: str
    version_id: str
    sha256: str
    size_bytes: int
    content_type: str
    filename: str
    created_at: datetime
    inline: bool
    """Whether a browser may show it in a page; originals are only ever saved."""
    case_id: str | None
    exhibit_id: str | None
    details: dict[str, Any]


def find_output(context: Context, who: SignedIn, exhibit_id: str, name: str, *, run: str = "") -> Footage:
    """The newest output of that name, or the one that step run `run` made. Raises: NotFound, NotAllowed."""
    exhibit = find_exhibit(context, who, Act.WATCH, exhibit_id)
    case = context.index.case(exhibit.case_id) if exhibit.case_id else None
    if name == ORIGINAL:
        return _original(exhibit, case)
    found = [o for o in context.index.outputs(exhibit.id) if _is_called(o, name) and (not run or o.step_run_id == run)]
    if not found:
        raise NotFound(
            f"this exhibit has no {name} yet", hint="Look at its steps: the one that makes it may still be waiting."
        )
    return replace(_made(found[0], _prefix(case, exhibit)), case_id=exhibit.case_id)


def find_export(context: Context, who: SignedIn, case_id: str, run: str, name: str) -> Footage:
    """A file of one export of a case. Raises: NotFound, NotAllowed."""
    case = find_case(context, who, Act.EXPORT, case_id)
    found = [o for o in context.index.outputs(case_id=case.id, name=name) if o.step_run_id == run]
    if not found:
        raise NotFound("this export has no such file", hint="List the exports of the case to see what is there.")
    return _made(found[0])


def hand_out(context: Context, who: SignedIn, footage: Footage, start: int, length: int, verb: Verb) -> Iterator[bytes]:
    """The bytes, after the viewing is in the custody log.

    The store is asked first, so that the log holds no viewing of bytes which could not be read; nothing leaves
    before the event is committed. Raises: StoreDown, NotFound, DatabaseDown: nothing was sent.
    """
    chunks = context.store.read(footage.key, start, length, footage.version_id) if length else iter(())
    first = next(chunks, b"")
    context.ledger.viewings.open(
        who.user,
        who.session,
        footage.key,
        verb=verb,
        case_id=footage.case_id,
        exhibit_id=footage.exhibit_id,
        details=footage.details,
    )
    return _rest(first, chunks)


def _rest(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        if first:
            yield first
        yield from chunks
    finally:
        # A reader that goes away early must give the store its connection back.
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def _is_called(output: Output, name: str) -> bool:
    step = ALIASES.get(name)
    if step is None:
        return output.name == name
    return output.step is step and output.content_type.startswith("video/")


def _original(exhibit: Exhibit, case: Case | None) -> Footage:
    return Footage(
        key=exhibit.key,
        version_id=exhibit.version_id,
        sha256=exhibit.sha256.hex,
        size_bytes=exhibit.size_bytes,
        content_type="application/octet-stream",
        filename=f"{_prefix(case, exhibit)}_{_plain(exhibit.filename)}",
        created_at=exhibit.uploaded_at,
        inline=False,
        case_id=exhibit.case_id,
        exhibit_id=exhibit.id,
        details={"output": ORIGINAL, "sha256": exhibit.sha256.hex},
    )


def _made(output: Output, prefix: str = "") -> Footage:
    return Footage(
        key=output.key,
        version_id="",
        sha256=output.sha256,
        size_bytes=output.size_bytes,
        content_type=output.content_type,
        filename=f"{prefix}_{download_name(output)}" if prefix else download_name(output),
        created_at=output.created_at,
        inline=output.content_type.startswith(("video/", "image/", "audio/")),
        case_id=output.case_id,
        exhibit_id=output.exhibit_id,
        details={"output": output.name, "sha256": output.sha256, "step_run": output.step_run_id},
    )


def is_draft(output: Output) -> bool:
    """Whether it is, or was cut from, a redacted copy that nobody has approved."""
    return output.step is Step.REDACT or bool(output.details.get("draft"))


def open_findings(output: Output, accepted: Collection[int] = ()) -> int | None:
    """How many places a second look found in a redacted copy that nobody has accepted; None where nothing looked."""
    looked = output.details.get("report", {}).get("second_look", NOT_LOOKED)
    return still_open(looked, accepted) if looked["models"] else None


def download_name(output: Output) -> str:
    """The output's own name; a draft says so in it, whoever named it."""
    return f"DRAFT-{output.name}" if is_draft(output) and "DRAFT" not in output.name else output.name


def _prefix(case: Case | None, exhibit: Exhibit) -> str:
    return "_".join(_plain(part) for part in (case.reference if case else "unfiled", exhibit.reference))


def _plain(text: str) -> str:
    """A piece of a file name that every system takes: no path, no control characters, not hidden, not endless."""
    return _UNFIT.sub("-", text).strip(" .-")[-120:] or "exhibit"

"""Events of the custody log in words; what the words leave out stays one click away, letter by letter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence.audit import AuditEvent, Verb
from evidence.steps import Step
from web.pages import words
from web.pages.rendering import compact_value, sentence, size

_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class EventLine:
    number: int
    at: datetime
    who: str
    what: str
    about: str
    """The exhibit's reference, where a log tells of several."""
    facts: tuple[tuple[str, str], ...]
    hash: str


def event_lines(events: Iterable[AuditEvent], references: Mapping[str, str] | None = None) -> list[EventLine]:
    """Newest first. `references`: exhibit id → reference, to say which exhibit an event is about."""
    return [_line(event, references or {}) for event in sorted(events, key=lambda event: -event.number)]


def _line(event: AuditEvent, references: Mapping[str, str]) -> EventLine:
    tell = _TELL.get(event.verb)
    told = tell(event.details) if tell else ""
    verb = words.VERB[event.verb]
    return EventLine(
        number=event.number,
        at=event.at,
        who=_who(event.actor),
        what=f"{verb}: {told}" if told else verb,
        about=references.get(event.exhibit_id or "", ""),
        facts=tuple(
            (name.replace("_", " "), compact_value(value))
            for name, value in sorted(event.details.items())
            if value not in _EMPTY and name != "upload_metadata"
        ),
        hash=event.hash,
    )


def _who(actor: str) -> str:
    """`system:worker box-17` is the machine; anything else is a user's name."""
    kind, _, part = actor.partition(":")
    return f"exhibit ({part})" if kind == "system" else actor


def _step(details: Mapping[str, Any]) -> str:
    step = str(details.get("step", ""))
    name = words.STEP[Step(step)].lower() if step in set(Step) else step
    part = f", part {int(details['segment']) + 1}" if details.get("segment") else ""
    return f"{name}{part}"


def _step_ended(details: Mapping[str, Any]) -> str:
    said = details.get("note") or details.get("error") or details.get("condition") or ""
    return _step(details) + (f". {sentence(str(said))}" if said else "")


def _shown(details: Mapping[str, Any]) -> str:
    if output := details.get("output"):
        return str(output)
    return f"the record ({details.get('record', 'page')})"


def _upload(details: Mapping[str, Any]) -> str:
    metadata = details.get("metadata")
    name = metadata.get("filename", "") if isinstance(metadata, Mapping) else ""
    total = details.get("size_bytes")
    return ", ".join(bit for bit in (str(name), size(int(total)) if total else "", str(details.get("error") or "")) if bit)


def _received(details: Mapping[str, Any]) -> str:
    locked = "locked" if details.get("locked_until") else "stored, not locked"
    return f"{details.get('filename', '')}, {size(int(details.get('size_bytes', 0)))}, {locked}"


def _changed(details: Mapping[str, Any]) -> str:
    told = []
    if "urgent" in details:
        told.append("urgent" if details["urgent"] else "no longer urgent")
    if "state" in details:
        told.append(str(details["state"]))
    if "closed" in details:
        told.append("closed" if details["closed"] else "open again")
    return ", ".join(told)


def _searched(details: Mapping[str, Any]) -> str:
    asked = [f"{name} {compact_value(value)}" for name, value in details.items() if value not in (*_EMPTY, 0, "0.0", "0")]
    return ", ".join(asked)


_TELL: dict[Verb, Callable[[Mapping[str, Any]], str]] = {
    Verb.CASE_CREATED: lambda d: " ".join(str(d.get(name) or "") for name in ("reference", "title")).strip(),
    Verb.CASE_CHANGED: _changed,
    Verb.MEMBER_ADDED: lambda d: str(d.get("user", "")),
    Verb.MEMBER_REMOVED: lambda d: str(d.get("user", "")),
    Verb.DENIED: lambda d: str(d.get("act", "")),
    Verb.UPLOAD_STARTED: _upload,
    Verb.UPLOAD_REFUSED: _upload,
    Verb.DUPLICATE_DROPPED: _upload,
    Verb.EXHIBIT_RECEIVED: _received,
    Verb.EXHIBIT_FILED: lambda d: f"as {d.get('reference', '')} of {d.get('case', '')}",
    Verb.STEP_ASKED: _step,
    Verb.STEP_DONE: _step_ended,
    Verb.STEP_FAILED: _step_ended,
    Verb.STEP_CANCELLED: _step,
    Verb.STEP_QUARANTINED: _step_ended,
    Verb.VIEWED: _shown,
    Verb.FETCHED: _shown,
    Verb.SEARCHED: _searched,
}

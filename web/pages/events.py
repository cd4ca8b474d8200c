"""Events of the custody log in words; what the words leave out stays one click away, letter by letter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from evidence.audit import AuditEvent, Verb
from evidence.steps import Step
from web.pages import words
from web.pages.rendering import compact_value, sentence, size

_PICTURE = re.compile(r"track-\d+\.jpg")
_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event, or several pictures of tracks that one person's page showed at once."""

    numbers: str
    at: datetime
    who: str
    what: str
    about: str
    """The exhibit's reference, where a log tells of several."""
    facts: tuple[tuple[str, str], ...]


def event_lines(events: Iterable[AuditEvent], references: Mapping[str, str] | None = None) -> list[EventLine]:
    """Newest first. `references`: exhibit id → reference, to say which exhibit an event is about."""
    newest_first = sorted(events, key=lambda event: -event.number)
    found = []
    for (pictures, *_), group in groupby(newest_first, key=_kin):
        some = list(group)
        if pictures and len(some) > 1:
            found.append(_pictures(some, references or {}))
        else:
            found += [_line(event, references or {}) for event in some]
    return found


def _kin(event: AuditEvent) -> tuple[bool, str, str | None]:
    """Alike for events that can stand on one line."""
    is_picture = event.verb is Verb.VIEWED and _PICTURE.fullmatch(str(event.details.get("output", ""))) is not None
    return is_picture, event.actor, event.exhibit_id


def _pictures(events: Sequence[AuditEvent], references: Mapping[str, str]) -> EventLine:
    newest, oldest = events[0], events[-1]
    return EventLine(
        numbers=f"{oldest.number} to {newest.number}",
        at=newest.at,
        who=_who(newest.actor),
        what=f"{words.VERB[Verb.VIEWED]}: {len(events)} pictures of tracks",
        about=references.get(newest.exhibit_id or "", ""),
        facts=tuple((f"{event.number} {event.details['output']}", f"hash {event.hash}") for event in events),
    )


def _line(event: AuditEvent, references: Mapping[str, str]) -> EventLine:
    tell = _TELL.get(event.verb)
    told = tell(event.details) if tell else ""
    verb = words.VERB[event.verb]
    details = tuple(
        (name.replace("_", " "), compact_value(value))
        for name, value in sorted(event.details.items())
        if value not in _EMPTY and name != "upload_metadata"
    )
    return EventLine(
        numbers=str(event.number),
        at=event.at,
        who=_who(event.actor),
        what=f"{verb}: {told}" if told else verb,
        about=references.get(event.exhibit_id or "", ""),
        facts=(*details, ("hash", event.hash)),
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

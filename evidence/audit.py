"""The hash-linked history of every act."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from evidence.errors import ChainBroken

GENESIS = "0" * 64
"""What the first event of an installation links to."""


class Verb(StrEnum):
    """What was done. Logged under DPA 2018 s.62: collection, alteration, consultation, disclosure, erasure."""

    CASE_CREATED = "case created"
    CASE_CHANGED = "case changed"
    MEMBER_ADDED = "member added"
    MEMBER_REMOVED = "member removed"
    USER_ADDED = "user added"
    USER_CHANGED = "user changed"
    TOKEN_CREATED = "token created"
    TOKEN_REVOKED = "token revoked"
    SIGNED_IN = "signed in"
    SIGN_IN_FAILED = "sign-in failed"
    SIGNED_OUT = "signed out"
    DENIED = "access denied"
    UPLOAD_STARTED = "upload started"
    UPLOAD_REFUSED = "upload refused"
    UPLOAD_DELETED = "upload deleted"
    UPLOAD_EXPIRED = "upload expired"
    EXHIBIT_RECEIVED = "exhibit received"
    DUPLICATE_DROPPED = "duplicate dropped"
    EXHIBIT_FILED = "exhibit filed"
    PAIRED = "sidecar paired"
    UNPAIRED = "sidecar parted"
    CLOCK_CORRECTED = "clock corrected"
    FINDING_ACCEPTED = "finding accepted"
    FINDING_REOPENED = "finding opened again"
    LOCK_EXTENDED = "lock extended"
    STEP_ASKED = "step asked for"
    STEP_DONE = "step done"
    STEP_FAILED = "step failed"
    STEP_CANCELLED = "step cancelled"
    STEP_QUARANTINED = "step quarantined"
    VIEWED = "viewed"
    FETCHED = "fetched"
    SEARCHED = "searched"
    AUDIT_READ = "custody log read"
    EXPORTED = "exported"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One act. `hash` is the SHA-256 over the canonical JSON (RFC 8785) of all the other fields."""

    number: int
    """1, 2, 3 … without a gap, per installation."""
    at: datetime
    actor: str
    """User name, or `system:<part>`."""
    verb: Verb
    case_id: str | None
    exhibit_id: str | None
    details: Mapping[str, Any]
    """JSON values only; integers and strings, no floats (they have more than one spelling)."""
    previous: str
    hash: str


def body(event: AuditEvent) -> dict[str, Any]:
    """The fields that the hash covers, as JSON values; see docs/custody.md for the format.

    `at` is written in UTC with microseconds and a Z.
    """
    return {
        "number": event.number,
        "at": event.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor": event.actor,
        "verb": event.verb.value,
        "case_id": event.case_id,
        "exhibit_id": event.exhibit_id,
        "details": dict(event.details),
        "previous": event.previous,
    }


def chain_hash(event: AuditEvent, canonical: Callable[[Any], bytes]) -> str:
    """`canonical` serialises JSON values by RFC 8785 (the storage room brings the library)."""
    return hashlib.sha256(canonical(body(event))).hexdigest()


def verify_chain(events: Iterable[AuditEvent], canonical: Callable[[Any], bytes]) -> int:
    """How many events there are, when each follows from the one before.

    Raises: ChainBroken, naming the first event that does not.
    """
    previous, number = GENESIS, 0
    for event in events:
        if event.number != number + 1:
            raise ChainBroken(f"event {number + 1} of the custody log is missing (found {event.number} in its place)")
        if event.previous != previous:
            raise ChainBroken(f"event {event.number} of the custody log does not follow from event {number}")
        if chain_hash(event, canonical) != event.hash:
            raise ChainBroken(f"event {event.number} of the custody log was changed after it was written")
        previous, number = event.hash, event.number
    return number

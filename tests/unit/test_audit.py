"""The custody chain: any change, loss, swap or insertion is found, and the first bad event is named."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from evidence.audit import GENESIS, AuditEvent, Verb, chain_hash, verify_chain
from evidence.errors import ChainBroken

_START = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)


def _chain(count: int) -> list[AuditEvent]:
    events, previous = [], GENESIS
    for number in range(1, count + 1):
        event = AuditEvent(
            number, _START + timedelta(seconds=number), "officer1", Verb.VIEWED, "case", None,
            {"output": f"clip-{number}.mp4", "name": "Zoë"}, previous, "",
        )  # fmt: skip
        event = dataclasses.replace(event, hash=chain_hash(event, rfc8785.dumps))
        events.append(event)
        previous = event.hash
    return events


def test_a_whole_chain_verifies() -> None:
    assert verify_chain(_chain(20), rfc8785.dumps) == 20
    assert verify_chain([], rfc8785.dumps) == 0


@given(st.integers(0, 19), st.sampled_from(["at", "actor", "verb", "case_id", "exhibit_id", "details", "previous", "hash"]))
def test_one_changed_field_is_found_and_named(position: int, field: str) -> None:
    changed = {
        "at": _START, "actor": "officer2", "verb": Verb.FETCHED, "case_id": None, "exhibit_id": "x",
        "details": {"output": "other"}, "previous": "f" * 64, "hash": "e" * 64,
    }  # fmt: skip
    events = _chain(20)
    events[position] = dataclasses.replace(events[position], **{field: changed[field]})
    with pytest.raises(ChainBroken, match=f"event {position + 1} "):
        verify_chain(events, rfc8785.dumps)


@given(st.integers(0, 18))
def test_a_lost_or_swapped_event_is_found(position: int) -> None:
    events = _chain(20)
    with pytest.raises(ChainBroken, match=f"event {position + 1} .*missing"):
        verify_chain(events[:position] + events[position + 1 :], rfc8785.dumps)
    swapped = [*events]
    swapped[position], swapped[position + 1] = swapped[position + 1], swapped[position]
    with pytest.raises(ChainBroken):
        verify_chain(swapped, rfc8785.dumps)

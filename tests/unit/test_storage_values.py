"""Keys, text and JSON at the store's and the ledger's border, on generated values."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from casefile import verify
from evidence.errors import BadInput
from evidence.exhibit import ExhibitId, UploadId
from evidence.steps import Step
from storage import keys
from storage.database import lock_number
from storage.ledger.writer import clean, plain, storable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.fractions()
    | st.sampled_from(Step)
    | st.datetimes(timezones=st.just(timezone(timedelta(hours=2)))),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters()) | st.integers(), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(JSON)
def test_the_verifiers_own_canonical_json_is_the_writers(value: object) -> None:
    assert verify.canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(ANYTHING)
def test_whatever_is_logged_has_one_spelling(value: object) -> None:
    logged = plain({"value": value})
    written = rfc8785.dumps(logged)
    assert verify.canonical(logged) == written
    assert json.loads(written) == logged, "and comes back from JSON as it was"
    assert b"\\u0000" not in written, "PostgreSQL takes no NUL"


def test_forms_in_the_log() -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    assert plain({"n": 2**53, "f": 0.5, "r": Fraction(1, 3), "s": Step.PROBE, "m": moment, 7: {"b", "a"}}) == {
        "n": "9007199254740992",
        "f": "0.5",
        "r": "1/3",
        "s": "probe",
        "m": "2026-03-01T11:00:00+00:00",
        "7": ["a", "b"],
    }
    with pytest.raises(TypeError):
        plain({"x": object()})


@given(st.text(st.characters()))
def test_cleaned_text_can_be_stored_and_is_otherwise_untouched(text: str) -> None:
    cleaned = clean(text)
    assert "\x00" not in cleaned
    cleaned.encode("utf-8")
    if "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text):
        assert cleaned == text
    assert storable({text: [text]}) == {cleaned: [cleaned]}


@given(st.text(st.characters(), max_size=80) | st.lists(st.sampled_from(["..", ".", "", "a", "\\", "\x00"])).map("/".join))
def test_a_key_stays_inside_the_store_or_is_refused(key: str) -> None:
    try:
        keys.checked(key)
    except BadInput:
        return
    root = Path("/store")
    path = Path(*[part for part in (root / key).parts if part != "."])
    assert path.is_relative_to(root)
    assert ".." not in path.parts
    assert path != root
    assert (root / key).as_posix() == f"/store/{key}", "and a file system reads it as it was meant"


ids = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(ids, st.integers(1, 10_000), st.integers(0, 2**40))
def test_keys_that_we_make_are_keys(name: str, number: int, offset: int) -> None:
    upload = UploadId(name)
    made = [
        keys.original(ExhibitId(name)),
        keys.part(upload, number, "w"),
        keys.tail(upload, offset, "w"),
        keys.derived(ExhibitId(name), Step.REDACT, "0" * 16, number, "DRAFT-redacted.mp4"),
        keys.case_export(name, name, number, "pack.zip"),
    ]
    for key in made:
        assert keys.checked(key) == key
    assert keys.upload_of(made[1]) == keys.upload_of(made[2]) == upload
    assert len(set(made)) == len(made)


@given(st.integers(1, 99_999), st.integers(1, 99_999))
def test_parts_sort_as_they_count(one: int, other: int) -> None:
    first, second = keys.part(UploadId("u"), one, "w"), keys.part(UploadId("u"), other, "w")
    assert (first < second) == (one < other)


@given(st.text(), st.text())
def test_lock_numbers_fit_and_differ(one: str, other: str) -> None:
    assert -(2**63) <= lock_number("upload", one) < 2**63
    assert (lock_number("upload", one) == lock_number("upload", other)) == (one == other)
    assert lock_number("upload", one) != lock_number("sign-in", one)


def test_moments_keep_their_microseconds() -> None:
    assert plain({"at": datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)}) == {"at": "2026-01-01T00:00:00.000001+00:00"}

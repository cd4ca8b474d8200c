"""What a sender says about a file, read from a header and checked."""

from __future__ import annotations

import base64
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import BadInput
from ingest.metadata import checked, read_header

GOOD = {"filename": "clip.mp4", "case": "01AB/12345/26", "kind": "drone"}


def header(**fields: str | bytes) -> str:
    def encoded(value: str | bytes) -> str:
        return base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()

    return ",".join(f"{key} {encoded(value)}" for key, value in fields.items())


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.text(max_size=60), max_size=8))
def test_a_header_gives_back_what_was_put_in(fields: dict[str, str]) -> None:
    assert read_header(header(**fields)) == fields


def test_a_key_may_stand_without_a_value_and_spaces_are_forgiven() -> None:
    assert read_header("kind ZHJvbmU=, is_urgent ,note") == {"kind": "drone", "is_urgent": "", "note": ""}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("filename !!!", "not Base64"),
        ("filename YQ", "not Base64"),
        ("filename YQ==,filename Yg==", "twice"),
        (",", "empty"),
        ("näme YQ==", "plain ASCII"),
        ("filename " + "QUFB" * 4000, "longer"),
    ],
)
def test_a_header_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_header(text)


def test_a_name_that_is_no_utf8_stays_readable() -> None:
    fields = read_header(header(filename=b"caf\xe9.mp4", kind=b"drone"))
    assert checked(fields)["filename"] == "caf\\xe9.mp4"


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "<script>alert(1)</script>.mp4",
        "a\r\nSet-Cookie: x=1.mp4",
        "'; DROP TABLE uploads;--",
        "\u202egpj.4pm",
    ],
)
def test_a_hostile_name_is_data(name: str) -> None:
    assert checked(GOOD | {"filename": name})["filename"] == name


@given(st.text(min_size=1, max_size=300))
def test_any_name_can_be_stored(name: str) -> None:
    if name.replace("\0", "x").strip():
        stored = checked(GOOD | {"filename": name})["filename"]
        assert "\0" not in stored
        stored.encode("utf-8")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kind": ""}, "kind of source is missing"),
        ({"kind": "satellite"}, "not a kind of source"),
        ({"filename": " "}, "no name"),
        ({"filename": "x" * 2000}, "longer than"),
        ({"sha256": "abc"}, "not a SHA-256"),
        ({"captured_at": "yesterday"}, "not a time"),
        ({"captured_at": "0001-01-01T00:00:00+14:00"}, "not a time"),
        ({"captured_at": "2026-11-03T14:05:00"}, "no time zone"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(changed: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said) as error:
        checked(GOOD | changed)
    assert len(error.value.hint) > 10


@pytest.mark.parametrize("folder", ["DCIM/100MEDIA", "CARD\\DCIM", " two  words ", "Käse/#1", "a..b", "x :y"])
def test_a_folder_is_kept_as_it_came(folder: str) -> None:
    assert checked(GOOD | {"folder": folder})["folder"] == folder


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("/media/card/DCIM", "not relative"),
        ("\\\\server\\share", "not relative"),
        ("E:\\DCIM", "not relative"),
        ("../card", "not relative"),
        ("a\\..\\b", "not relative"),
        ("a\nb", "control characters"),
        ("a\u0085b", "control characters"),
        ("x" * 1025, "longer than"),
    ],
)
def test_a_folder_of_the_senders_machine_or_that_is_none_is_refused(folder: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as error:
        checked(GOOD | {"folder": folder})
    assert len(error.value.hint) > 10


def test_no_folder_is_no_error() -> None:
    assert "folder" not in checked(GOOD | {"folder": ""})


def test_no_case_is_no_error() -> None:
    assert checked({"filename": "a.mp4", "kind": "Phone"}) == {"filename": "a.mp4", "case": "", "kind": "phone"}


def test_a_time_is_kept_in_utc_and_never_guessed() -> None:
    summer = timezone(timedelta(hours=1))
    assert checked(GOOD | {"captured_at": "2026-07-01T12:00:00+01:00"})["captured_at"] == "2026-07-01T11:00:00+00:00"
    assert checked(GOOD | {"captured_at": "2026-07-01T12:00"}, zone=summer)["captured_at"] == "2026-07-01T11:00:00+00:00"


def test_unknown_keys_are_left_out_and_a_digest_is_lower_case() -> None:
    given_ = GOOD | {"filetype": "video/mp4", "sha256": "AB" * 32, "officer": " PC 1234 "}
    assert checked(given_) == GOOD | {"sha256": "ab" * 32, "officer": "PC 1234"}

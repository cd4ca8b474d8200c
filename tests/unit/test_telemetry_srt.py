"""Cues of SubRip as it is found: any encoding, any line ends, times and numbers missing, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import TooLarge
from media.telemetry import srt

TWO = "1\n00:00:00,000 --> 00:00:00,033\nfirst\nline\n\n2\n00:00:00,033 --> 00:00:00,066\nsecond\n"


def read(text: str) -> list[tuple[int | None, str]]:
    return [(cue.start_us, cue.text.strip()) for cue in srt.cues(srt.decoded(text.encode()))]


PLAIN = [(0, "first\nline"), (33_000, "second")]


@pytest.mark.parametrize(
    "data",
    [
        TWO.encode(),
        TWO.encode("utf-8-sig"),
        TWO.encode("utf-16"),
        TWO.encode("utf-16-le"),
        TWO.encode("utf-16-be"),
        TWO.replace("\n", "\r\n").encode(),
        TWO.replace("\n", "\r").encode(),
        TWO.replace("\n", "\r\r\n").encode(),
        b"\n\n" + TWO.encode(),
        TWO.encode() + b"\0" * 100,
        TWO.replace(",", ".").encode(),
        TWO.replace("\n\n", "\n").encode(),
        TWO.replace("1\n", "", 1).encode(),
        TWO.replace(" --> ", "-->").encode(),
        TWO.replace(" --> ", "-- > ").encode(),
        TWO.replace("00:00:00", "00:00").encode(),
        TWO.replace("033", "033000").encode(),
    ],
)
def test_one_reading_of_many_writings(data: bytes) -> None:
    assert [(cue.start_us, cue.text.strip()) for cue in srt.cues(srt.decoded(data))] == PLAIN


def test_a_blank_line_and_a_number_inside_a_cue_are_part_of_it() -> None:
    """As the payloads of a Matrice 300 write it."""
    text = "1\n00:00:00,000 --> 00:00:00,033\n[dzoom: 1.00]\n\n0\n[delta:0]\n\n"
    text += "2\n00:00:00,033 --> 00:00:00,066\n[dzoom: 1.00]\n"
    assert read(text) == [(0, "[dzoom: 1.00]\n\n0\n[delta:0]"), (33_000, "[dzoom: 1.00]")]


def test_a_cue_that_lost_its_times_begins_at_its_number() -> None:
    text = "7\n00:00:01,000 --> 00:00:02,000\na\n\n8\nb\n\n9\n00:00:03,000 --> 00:00:04,000\nc\n"
    assert read(text) == [(1_000_000, "a"), (None, "b"), (3_000_000, "c")]


def test_cues_without_any_times() -> None:
    assert read("1\na\nb\n\n2\nc\n") == [(None, "a\nb"), (None, "c")]
    assert read("a\nb\n\nc\n") == [(None, "a\nb"), (None, "c")]


def test_a_file_that_ends_in_a_line_says_so() -> None:
    cues = list(srt.cues("1\n00:00:00,000 --> 00:00:01,000\n[latitude: 51.5"))
    assert [cue.cut for cue in cues] == [True]
    assert not any(cue.cut for cue in srt.cues(TWO))


def test_one_byte_characters_are_read_where_it_is_no_utf8() -> None:
    text = "1\n00:00:00,000 --> 00:00:01,000\nG.PRY (-24.4°, 0.0°, 110.4°)\n"
    assert srt.decoded(text.encode("latin-1")) == text


def test_what_is_absurdly_large_is_refused_or_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(srt, "MAX_BYTES", 100)
    with pytest.raises(TooLarge):
        srt.decoded(b"x" * 101)
    monkeypatch.setattr(srt, "MAX_CUES", 1)
    assert len(list(srt.cues(TWO))) == 1
    long = "1\n00:00:00,000 --> 00:00:01,000\n" + "x" * 200_000 + "\n"
    assert len(next(srt.cues(long)).text) <= srt.MAX_CUE_CHARACTERS + 1
    assert read(TWO.replace("00:00:00,033 -", "9999:00:00,033 -")) == [(0, "first\nline")]


@given(st.binary(max_size=600))
def test_any_bytes_are_some_cues(data: bytes) -> None:
    for cue in srt.cues(srt.decoded(data)):
        assert cue.start_us is None or cue.start_us >= 0


@given(st.integers(0, len(TWO)))
def test_a_file_cut_anywhere_keeps_what_came_before(at: int) -> None:
    found = [cue.text.strip() for cue in srt.cues(srt.decoded(TWO[:at].encode()))]
    assert len(found) <= 2
    assert at < TWO.index("first") or "first\nline".startswith(found[0])
    assert at < TWO.index("\n\n") or found[0] == "first\nline"

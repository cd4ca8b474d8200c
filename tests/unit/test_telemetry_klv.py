"""KLV packing: lengths, tags, checksums, and finding the way back after damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.telemetry import klv
from tests import klv_making as making

PLACE: dict[int, making.Value] = {13: 52.4862, 14: -1.8904}


def read(data: bytes) -> tuple[list[dict[int, bytes]], klv.Found]:
    found = klv.Found()
    return [dict(content.values) for _, content in klv.packets(data, found)], found


@given(st.integers(0, 2**40))
def test_lengths_are_read_short_and_long(length: int) -> None:
    for coded in (making.length_of(length), making.length_of(length, long_form=True)):
        assert klv.ber_length(coded, 0) == (length, len(coded))
        assert klv.ber_length(b"\x55" + coded + b"x", 1) == (length, 1 + len(coded))
        assert klv.ber_length(coded[:-1], 0) is None


@given(st.integers(0, 2**28 - 1))
def test_tags_are_read_seven_bits_a_byte(tag: int) -> None:
    assert klv.ber_oid(making.oid(tag), 0) == (tag, len(making.oid(tag)))
    assert klv.ber_oid(making.oid(tag)[:-1], 0) is None


def test_a_tag_or_length_without_end_is_none() -> None:
    assert klv.ber_oid(b"\xff" * 20, 0) is None
    assert klv.ber_length(b"\x80", 0) is None, "the indefinite form has no place in a local set"
    assert klv.ber_length(b"\xff" * 200, 0) is None


@pytest.mark.parametrize("long_form", [False, True])
def test_sets_are_found_among_other_bytes(long_form: bool) -> None:
    one = making.local_set(PLACE, 1, long_form=long_form)
    two = making.local_set({**PLACE, 10: "ß" * 100, 1000: b"far tag"}, 2, long_form=long_form)
    sets, found = read(b"\x06\x0e before" + one + b"\0\0\0\0\0" + two + two[:9])
    assert [s[2][-1] for s in sets] == [1, 2]
    assert sets[1][1000] == b"far tag"
    assert found == klv.Found(whole=2)


def test_a_wrong_checksum_leaves_out_its_set_alone() -> None:
    one, two = making.local_set(PLACE, 1), making.local_set(PLACE, 2)
    spoilt = bytearray(one)
    spoilt[30] ^= 1
    sets, found = read(bytes(spoilt) + two)
    assert [s[2][-1] for s in sets] == [2]
    assert found == klv.Found(whole=1, wrong_checksum=1)


def test_a_damaged_length_doesnt_swallow_the_set_behind_it() -> None:
    one, two = making.local_set(PLACE, 1), making.local_set(PLACE, 2)
    spoilt = bytearray(one)
    spoilt[16] += 40
    sets, found = read(bytes(spoilt) + two)
    assert [s[2][-1] for s in sets] == [2]
    assert found.wrong_checksum + found.cut == 1
    sets, found = read(one[:16] + b"\x88" + b"\xff" * 8 + one[17:] + two)
    assert [s[2][-1] for s in sets] == [2]
    assert found == klv.Found(whole=1, cut=1)


def test_a_set_cut_by_the_end_is_counted() -> None:
    one = making.local_set(PLACE, 1)
    sets, found = read(one + one[:-5])
    assert len(sets) == 1
    assert found == klv.Found(whole=1, cut=1)


def test_a_set_without_a_checksum_is_read_and_counted() -> None:
    body = making.items(PLACE)
    sets, found = read(making.KEY + making.length_of(len(body)) + body)
    assert list(sets[0]) == [13, 14]
    assert found == klv.Found(whole=1, no_checksum=1)


def test_a_file_of_keys_that_all_claim_the_rest_is_given_up() -> None:
    """Each of a hundred thousand would have 60,000 bytes summed up: six gigabytes from two megabytes."""
    hostile = (making.KEY + b"\x83\x00\xea\x60") * 100_000 + b"\x01\x02\x00\x00" + bytes(70_000)
    sets, found = read(hostile)
    assert sets == []
    assert found.gave_up


@given(
    st.lists(st.binary(max_size=40) | st.sampled_from([making.KEY, making.local_set(PLACE, 7), b"\x01\x02"]), max_size=12)
)
def test_any_bytes_give_sets_within_bounds(parts: list[bytes]) -> None:
    data = b"".join(parts)
    found = klv.Found()
    for at, content in klv.packets(data, found):
        assert data.startswith(making.KEY, at)
        assert sum(len(value) for _, value in content.values) <= len(data)

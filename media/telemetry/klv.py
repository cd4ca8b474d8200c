"""Key, length, value: how MISB metadata is packed, read so that damaged or hostile bytes can't lead astray.

Source: SMPTE ST 336 (KLV, BER lengths, BER-OID tags), MISB ST 0107 (local sets), MISB ST 0601 tag 1 (checksum).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

UAS_LOCAL_SET = bytes.fromhex("060e2b34020b01010e01030101000000")
"""The universal key of a MISB ST 0601 local set."""

MAX_PACKET_BYTES = 65_536
"""Longer than any real set (a few hundred bytes, some thousand with targets), short enough that a file of keys alone
costs little to look through."""
_MAX_WASTE = 4
"""How many times over the bytes may be summed up in vain, before the rest is given up."""
_MAX_LENGTH_BYTES, _MAX_OID_BYTES = 8, 4


@dataclass
class Found:
    """What `packets` came upon."""

    whole: int = 0
    wrong_checksum: int = 0
    no_checksum: int = 0
    cut: int = 0
    """Keys after which the length is damaged, or the bytes end."""
    gave_up: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A local set, item by item."""

    values: tuple[tuple[int, bytes], ...]
    cut: bool = field(default=False)
    """Whether it ends within an item."""


def ber_length(data: bytes, at: int) -> tuple[int, int] | None:
    """The length that stands at `at`, short or long form, and where it ends. None where there is no such length."""
    if at >= len(data):
        return None
    first = data[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if not 0 < count <= _MAX_LENGTH_BYTES or at + 1 + count > len(data):
        return None
    return int.from_bytes(data[at + 1 : at + 1 + count], "big"), at + 1 + count


def ber_oid(data: bytes, at: int) -> tuple[int, int] | None:
    """The tag at `at`, seven bits a byte, and where it ends. None where there is no such tag."""
    tag = 0
    for end in range(at, min(at + _MAX_OID_BYTES, len(data))):
        tag = tag << 7 | data[end] & 0x7F
        if data[end] < 0x80:
            return tag, end + 1
    return None


def items(value: bytes) -> Items:
    """The items of a local set up to where it makes no sense any more."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(value):
        tag = ber_oid(value, at)
        length = None if tag is None else ber_length(value, tag[1])
        if tag is None or length is None or length[1] + length[0] > len(value):
            return Items(tuple(found), cut=True)
        at = length[1] + length[0]
        found.append((tag[0], value[length[1] : at]))
    return Items(tuple(found))


def packets(data: bytes, found: Found, key: bytes = UAS_LOCAL_SET) -> Iterator[tuple[int, Items]]:
    """Where each set under `key` begins in `data`, and its items. What else lies around them is passed over.

    A set whose checksum (tag 1, the last item) is wrong is counted, not given: its length may be what is wrong, so reading
    goes on behind its key.
    """
    wasted = 0
    at = data.find(key)
    while at >= 0:
        end = _end(data, at + len(key))
        if end is None:
            found.cut += 1
        else:
            start, stop = end
            holds = _checksum_holds(data[at:stop])
            content = items(data[start:stop])
            if holds is None and (content.cut or not content.values):
                found.cut += 1
            elif holds is False:
                found.wrong_checksum += 1
            else:
                found.no_checksum += holds is None
                found.whole += 1
                yield at, content
                at = data.find(key, stop)
                continue
        wasted += 0 if end is None else end[1] - at
        if wasted > _MAX_WASTE * len(data):
            found.gave_up = True
            return
        at = data.find(key, at + len(key))


def _end(data: bytes, at: int) -> tuple[int, int] | None:
    length = ber_length(data, at)
    if length is None or length[0] > MAX_PACKET_BYTES or length[1] + length[0] > len(data):
        return None
    return length[1], length[1] + length[0]


def checksum(covered: bytes) -> int:
    """The running sum of 16-bit words, from the key to the checksum's own tag and length. Source: MISB ST 0601, tag 1."""
    numbers = np.frombuffer(covered, np.uint8).astype(np.int64)
    return (int(numbers[::2].sum()) * 256 + int(numbers[1::2].sum())) & 0xFFFF


def _checksum_holds(packet: bytes) -> bool | None:
    """None for a set that doesn't end with a checksum."""
    if packet[-4:-2] != b"\x01\x02":
        return None
    return checksum(packet[:-2]) == int.from_bytes(packet[-2:], "big")

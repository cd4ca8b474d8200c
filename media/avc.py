"""H.264 as it lies in an MP4: the record that opens a track (avcC), and the units of a packet.

Source: ITU-T H.264 (08/2021), 7.3 and annex E for what a unit says; ISO/IEC 14496-15, 5.3.3.1 for avcC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

SLICE, SLICE_OF_IDR, SPS, PPS = 1, 5, 7, 8
DROPPED = frozenset({6, 9, 10, 11, 12})
"""Messages (SEI), delimiters, ends, filler: no picture needs them, and they can carry anything."""
_LAYERED = "it has more than one layer or view"
_PROFILES = {66: "baseline", 77: "main", 100: "high"}
_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_SHAPES = {
    1: (1, 1), 2: (12, 11), 3: (10, 11), 4: (16, 11), 5: (40, 33), 6: (24, 11), 7: (20, 11), 8: (32, 11),
    9: (80, 33), 10: (18, 11), 11: (15, 11), 12: (64, 33), 13: (160, 99), 14: (4, 3), 15: (3, 2), 16: (2, 1),
}  # fmt: skip
"""Sample aspect ratios by number (table E-1)."""


class NotReadable(ValueError):
    """This H.264 is not of the kind that is understood here; the message ends "because …"."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence parameter set says, as far as it must agree between two of them, or is refused."""

    id: int
    profile_idc: int
    size_wh: tuple[int, int]
    """Without what is cropped."""
    interlaced: bool
    shape: Fraction
    """Of a pixel."""
    colours: tuple[bool, int, int, int]
    """Full range, primaries, transfer, matrix."""
    reorder: int | None
    """Pictures that can come before another and be shown after it; None when it isn't said."""

    @property
    def profile(self) -> str:
        """As x264 calls it. Raises: NotReadable."""
        try:
            return _PROFILES[self.profile_idc]
        except KeyError:
            raise NotReadable(f"its profile ({self.profile_idc}) is none that is copied here") from None


@dataclass(frozen=True, slots=True)
class Record:
    """An avcC: parameter sets for a whole track."""

    profile: int
    compatibility: int
    level: int
    length_bytes: int
    sequences: tuple[bytes, ...]
    pictures: tuple[bytes, ...]

    @property
    def ids(self) -> set[int]:
        """Of all its sets. Raises: NotReadable."""
        try:
            return {sequence(one).id for one in self.sequences} | {_Bits(one[1:]).ue() for one in self.pictures}
        except IndexError as exc:
            raise NotReadable("its parameter sets are cut off") from exc

    def joined(self, other: Record) -> bytes:
        """One avcC with the sets of both, whose ids differ. Units have lengths of four bytes."""
        sequences, pictures = (*self.sequences, *other.sequences), (*self.pictures, *other.pictures)
        compatibility = self.compatibility & other.compatibility
        head = bytes((1, self.profile, compatibility, max(self.level, other.level), 0xFF, 0xE0 | len(sequences)))
        body = _with_lengths(sequences) + bytes((len(pictures),)) + _with_lengths(pictures)
        # 4:2:0, 8 and 8 bits, no extensions.
        return head + body + (b"\xfd\xf8\xf8\x00" if self.profile == 100 else b"")


def record(data: bytes | None) -> Record:
    """Raises: NotReadable when `data` is no avcC."""
    if not data or len(data) < 7 or data[0] != 1:
        raise NotReadable("its parameter sets don't stand apart from the pictures, as in an MP4 (avc1)")
    at = 6
    found: list[list[bytes]] = []
    counts = [data[5] & 0x1F, None]
    try:
        for count in counts:
            if count is None:
                count, at = data[at], at + 1
            units = []
            for _ in range(count):
                size = int.from_bytes(data[at : at + 2], "big")
                units.append(data[at + 2 : at + 2 + size])
                if size == 0 or len(units[-1]) != size:
                    raise IndexError
                at += 2 + size
            found.append(units)
    except IndexError as exc:
        raise NotReadable("its parameter sets are cut off") from exc
    return Record(data[1], data[2], data[3], (data[4] & 3) + 1, tuple(found[0]), tuple(found[1]))


def units(data: bytes | memoryview, length_bytes: int) -> Iterator[bytes]:
    """The units of a packet. Raises: NotReadable when their lengths don't add up."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + length_bytes], "big")
        at += length_bytes
        if size == 0 or at + size > len(data):
            raise NotReadable("a packet is not what its lengths say")
        yield bytes(data[at : at + size])
        at += size


def slices(data: bytes | memoryview, known: Record) -> list[bytes]:
    """The coded slices of a packet that holds one picture; everything else is dropped.

    Raises: NotReadable for parameter sets that are not those of `known`, for layers, for more or less than a picture.
    """
    kept = []
    for unit in units(data, known.length_bytes):
        kind = unit[0] & 0x1F
        if kind in {SLICE, SLICE_OF_IDR}:
            kept.append(unit)
        elif kind in {SPS, PPS}:
            if unit not in known.sequences and unit not in known.pictures:
                raise NotReadable("its parameter sets change on the way")
        elif kind not in DROPPED:
            raise NotReadable(_LAYERED if kind in {14, 15, 20, 21} else f"it has units of kind {kind}")
    # first_mb_in_slice is 0 exactly when its first bit is 1.
    first = [len(unit) > 1 and bool(unit[1] & 0x80) for unit in kept]
    if first[:1] != [True] or any(first[1:]) or len({unit[0] & 0x1F for unit in kept}) != 1:
        raise NotReadable("a packet doesn't hold exactly one picture")
    return kept


def is_idr(kept: list[bytes]) -> bool:
    return kept[0][0] & 0x1F == SLICE_OF_IDR


def packed(kept: list[bytes]) -> bytes:
    """Units with lengths of four bytes."""
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in kept)


def _with_lengths(sets: tuple[bytes, ...]) -> bytes:
    return b"".join(len(one).to_bytes(2, "big") + one for one in sets)


def sequence(unit: bytes) -> Sequence:
    """Raises: NotReadable for a set that is cut off, or for anything but 8-bit 4:2:0."""
    try:
        return _sequence(unit)
    except IndexError as exc:
        raise NotReadable("its parameter sets are cut off") from exc


def _sequence(unit: bytes) -> Sequence:
    profile = unit[1]
    bits = _Bits(unit[4:])
    number = bits.ue()
    if profile in _WITH_CHROMA:
        chroma = bits.ue()
        deep = bits.ue() or bits.ue()
        if chroma != 1 or deep:
            raise NotReadable("its pictures are not 8-bit 4:2:0")
        bits.skip(1)
        if bits.take(1):
            _skip_scaling(bits)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.skip(1)
        bits.skip_ue(2)
        bits.skip_ue(bits.ue())
    bits.ue()
    bits.skip(1)
    w, h = bits.ue() + 1, bits.ue() + 1
    interlaced = not bits.take(1)
    if interlaced:
        bits.skip(1)
    bits.skip(1)
    lines = 2 if interlaced else 1
    size = [w * 16, h * 16 * lines]
    if bits.take(1):
        left, right, top, bottom = (bits.ue() for _ in range(4))
        size = [size[0] - 2 * (left + right), size[1] - 2 * lines * (top + bottom)]
    shape, colours, reorder = _usability(bits) if bits.take(1) else (Fraction(1), (False, 2, 2, 2), None)
    return Sequence(number, profile, (size[0], size[1]), interlaced, shape, colours, reorder)


def _skip_scaling(bits: _Bits) -> None:
    for number in range(8):
        if bits.take(1):
            last = following = 8
            for _ in range(16 if number < 6 else 64):
                if following:
                    step = bits.ue()
                    following = (last + (-(step // 2) if step % 2 == 0 else (step + 1) // 2)) % 256
                last = following or last


def _usability(bits: _Bits) -> tuple[Fraction, tuple[bool, int, int, int], int | None]:
    """Pixel shape, colours and reordering from annex E's VUI."""
    shape = Fraction(1)
    if bits.take(1):
        number = bits.take(8)
        w, h = (bits.take(16), bits.take(16)) if number == 255 else _SHAPES.get(number, (1, 1))
        shape = Fraction(w, h) if w and h else shape
    if bits.take(1):
        bits.skip(1)
    colours = (False, 2, 2, 2)
    if bits.take(1):
        bits.skip(3)
        full = bool(bits.take(1))
        colours = (full, *((bits.take(8), bits.take(8), bits.take(8)) if bits.take(1) else (2, 2, 2)))
    if bits.take(1):
        bits.skip_ue(2)
    if bits.take(1):
        bits.skip(65)
    rates = 0
    for _ in range(2):
        if bits.take(1):
            _skip_rates(bits)
            rates += 1
    bits.skip(2 if rates else 1)
    if not bits.take(1):
        return shape, colours, None
    bits.skip(1)
    bits.skip_ue(4)
    return shape, colours, bits.ue()


def _skip_rates(bits: _Bits) -> None:
    count = bits.ue() + 1
    bits.skip(8)
    for _ in range(count):
        bits.skip_ue(2)
        bits.skip(1)
    bits.skip(20)


class _Bits:
    """A unit's payload, read bit by bit. Raises: IndexError at its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data.replace(b"\0\0\3", b"\0\0")
        self._at = 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def skip(self, count: int) -> None:
        self._at += count

    def ue(self) -> int:
        """An Exp-Golomb number."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise IndexError
        return (1 << zeros) - 1 + self.take(zeros)

    def skip_ue(self, count: int) -> None:
        for _ in range(count):
            self.ue()

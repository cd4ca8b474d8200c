"""What a file lacks, told from the sizes that its own outermost structure names: nothing is decoded for it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_INDEX_OR_PICTURES = {"ftyp", "moov", "mdat", "wide", "moof"}
_BY_A_CUT = "it was cut off, or only part of it was copied"
_UNFINISHED = "it was cut off before it was finished, or only part of it was copied"


def missing_part(path: Path) -> str:
    """What an MP4, QuickTime, AVI or Matroska file lacks, in a plain sentence; empty when nothing is missing or it is
    another kind."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            return _of_avi(file, size_bytes) if head[8:12] == b"AVI " else ""
        if head[:4] == b"\x1a\x45\xdf\xa3":
            return _of_matroska(file, size_bytes)
        return _of_mp4(file, size_bytes)


def _of_mp4(file: BinaryIO, size_bytes: int) -> str:
    """Source: ISO/IEC 14496-12, 4.2 (a box is a 32-bit size and a four-letter type; size 1: a 64-bit size follows;
    size 0: to the end of the file)."""
    held: dict[str, int] = {}
    position, broken = 0, False
    while position + 8 <= size_bytes:
        file.seek(position)
        header = file.read(16)
        size, kind, header_bytes = int.from_bytes(header[:4], "big"), header[4:8].decode("latin-1"), 8
        if size == 1:
            size, header_bytes = int.from_bytes(header[8:16], "big"), 16
        elif size == 0:
            size = size_bytes - position
        broken = not kind.isprintable() or size < header_bytes
        if broken:
            break
        held[kind] = held.get(kind, 0) + size - header_bytes
        position += size
    if not held.keys() & _INDEX_OR_PICTURES:
        return ""
    lost = position - size_bytes
    if "moov" not in held and "moof" not in held:
        if broken:
            return f"its structure is damaged at byte {position:,}; the index (moov), which should follow, can't be found"
        cut = f" and at least {lost:,} bytes of its end" if lost > 0 else ""
        return f"the index (moov) of the recording is missing{cut}: {_UNFINISHED}"
    if not held.get("mdat") and "moof" not in held:
        return "only the index (moov) is there; the part with the pictures and the sound (mdat) is missing"
    return _cut_by(lost)


def _of_avi(file: BinaryIO, size_bytes: int) -> str:
    """Source: the RIFF form (a four-letter name, a 32-bit little-endian size) and OpenDML's further RIFF chunks."""
    position = 0
    while position + 12 <= size_bytes:
        file.seek(position)
        header = file.read(12)
        size = int.from_bytes(header[4:8], "little")
        if header[:4] != b"RIFF" or header[8:12] not in (b"AVI ", b"AVIX"):
            break
        if size == 0:
            return f"its header was never completed: {_UNFINISHED}"
        position += 8 + size + size % 2
    return _cut_by(position - size_bytes)


def _of_matroska(file: BinaryIO, size_bytes: int) -> str:
    """Source: RFC 8794, 4 and 5 (an element is an ID and a size, both of variable length; all ones: unknown);
    RFC 9559 (the Segment, 18 53 80 67, follows the EBML header)."""
    file.seek(4)
    size = _ebml_size(file)
    if size is None:
        return ""
    file.seek(size, 1)
    if file.read(4) != b"\x18\x53\x80\x67":
        return ""
    size = _ebml_size(file)
    return "" if size is None else _cut_by(file.tell() + size - size_bytes)


def _ebml_size(file: BinaryIO) -> int | None:
    """The size that starts here; None where it is unknown or nonsense."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    value = int.from_bytes(bytes([first[0] & (1 << 8 - length) - 1]) + rest, "big")
    return None if len(rest) < length - 1 or value == (1 << 7 * length) - 1 else value


def _cut_by(lost: int) -> str:
    return f"the last {lost:,} bytes of the recording are missing: {_BY_A_CUT}" if lost > 0 else ""

"""Whether a copy still says where it was filmed: streams of telemetry, a place in its header, or the words of one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from evidence.errors import BadInput, IntegrityError
from media import container as containers
from media.telemetry.read import read

_KEYS = re.compile(r"location|gps|latitude|longitude|xyz|geo", re.IGNORECASE)
_MARKS = {
    b"\xa9xyz": "a place in its header (©xyz)",
    b"loci": "a place in its header (loci)",
    b"gpmd": "a track of GoPro telemetry",
    b"djmd": "a track of DJI telemetry",
    b"dbgi": "a track of DJI telemetry",
    b"com.apple.quicktime.location": "a place in its header (QuickTime)",
    b"GPSLatitude": "a place in its EXIF data",
    b"\x06\x0e\x2b\x34\x02\x0b\x01\x01": "MISB metadata",
}
_MOST_HEADER_BYTES = 64 * 1024 * 1024
_PICTURES_AND_SOUND = b"mdat"


def traces(path: Path) -> list[str]:
    """In plain words, every trace of a place in an MP4 file that this program wrote; each kind once."""
    found = list(_in_container(path))
    with suppress(BadInput):  # what reads telemetry finds none
        found += [f"{source.family.value}: {len(source)} fixes" for source in read(path) if source.placed.any()]
    found += [words for mark, words in _MARKS.items() if any(mark in header for header in _headers(path))]
    return list(dict.fromkeys(found))


def require_none(path: Path) -> dict[str, list[str]]:
    """What is said of a copy that tells no place: nothing found. Raises: IntegrityError when it does tell one."""
    found = traces(path)
    if found:
        raise IntegrityError(
            f"the copy would still say where it was filmed: {'; '.join(found)}",
            hint="This is a fault of the program: please report it. Nothing was written.",
        )
    return {"found": []}


def _in_container(path: Path) -> Iterator[str]:
    with containers.open_media(path) as container:
        for stream in container.streams:
            if stream.type not in {"video", "audio"}:
                yield f"a stream besides picture and sound ({stream.type})"
            yield from (f"metadata of a stream ({key})" for key in stream.metadata if _KEYS.search(key))
        yield from (f"metadata of the file ({key})" for key in container.metadata if _KEYS.search(key))


def _headers(path: Path) -> Iterator[bytes]:
    """The boxes of the file besides the one with picture and sound: in that, any four bytes may stand by chance."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length, kind, start = int.from_bytes(head[:4], "big"), head[4:8], 8
            if length == 1:
                length, start = int.from_bytes(head[8:16], "big"), 16
            length = length or size - at
            if length < start:
                return
            if kind != _PICTURES_AND_SOUND:
                file.seek(at)
                yield file.read(min(length, _MOST_HEADER_BYTES))
            at += length

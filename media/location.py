"""Whether a copy still says where it was filmed: streams of telemetry, a place in its header, or the words of one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.errors import BadInput, IntegrityError, UnsupportedMedia
from evidence.telemetry import Family, Quantity, Telemetry
from media import container as containers

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
_ONE_PLACE = ("metadata of the file (location)", "metadata of the file (location-eng)", f"{Family.QUICKTIME.value}: 1 fixes")
_OF_ONE_PLACE = frozenset({*_ONE_PLACE, _MARKS[b"\xa9xyz"], _MARKS[b"loci"]})
_ROUNDED_DEG = 1e-4
"""An MP4's header has a place in steps of 1/65536 of a degree, or with four decimals."""
_PICTURES_AND_SOUND = b"mdat"


def traces(path: Path) -> list[str]:
    """In plain words, every trace of a place in an MP4 file that this program wrote; each kind once."""
    found = list(_in_container(path))
    with suppress(BadInput):  # what reads telemetry finds none
        found += [f"{source.family.value}: {len(source)} fixes" for source in _sources(path) if source.placed.any()]
    found += [words for mark, words in _MARKS.items() if any(mark in header for header in _headers(path))]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Kept:
    """The one place that a copy keeps, and what said it."""

    iso_6709: str
    of: str


def kept(path: Path) -> Kept | None:
    """What a recording says of where it was filmed, as one place: its header's, else where its telemetry begins. None where
    it says nothing; its height is left out, as what it is above isn't known."""
    with suppress(BadInput):
        sources = sorted(_sources(path), key=lambda source: source.family is not Family.QUICKTIME)
        for source in sources:
            rows = source.placed.nonzero()[0]
            if len(rows):
                latitude, longitude = (float(source.column(q)[rows[0]]) for q in (Quantity.LATITUDE, Quantity.LONGITUDE))
                return Kept(f"{latitude:+09.5f}{longitude:+010.5f}/", f"{source.family.value}: {source.dialect}")
    return None


def require(path: Path, asked: Kept | None) -> dict[str, Any]:
    """What a copy says of where it was filmed: nothing, or the one place that was asked for.

    Raises: IntegrityError when it says anything else.
    """
    if asked is None:
        return {**require_none(path), "kept": None, "of": ""}
    found = traces(path)
    if set(found) - _OF_ONE_PLACE or not _is_there(path, asked):
        raise IntegrityError(
            f"the copy would not say where it was filmed as was asked ({asked.iso_6709}): {'; '.join(found) or 'nothing'}",
            hint="This is a fault of the program: please report it. Nothing was written.",
        )
    return {"found": found, "kept": asked.iso_6709, "of": asked.of}


def _is_there(path: Path, asked: Kept) -> bool:
    from media.telemetry import quicktime

    place = quicktime.iso_6709(asked.iso_6709)
    try:
        said = quicktime.read(path)
    except UnsupportedMedia:
        return False
    there = said.column(Quantity.LATITUDE)[0], said.column(Quantity.LONGITUDE)[0]
    return place is not None and max(abs(there[0] - place[0]), abs(there[1] - place[1])) <= _ROUNDED_DEG


def require_none(path: Path) -> dict[str, list[str]]:
    """What is said of a copy that tells no place: nothing found. Raises: IntegrityError when it does tell one."""
    found = traces(path)
    if found:
        raise IntegrityError(
            f"the copy would still say where it was filmed: {'; '.join(found)}",
            hint="This is a fault of the program: please report it. Nothing was written.",
        )
    return {"found": []}


def _sources(path: Path) -> list[Telemetry]:
    """Raises: BadInput."""
    # Only when asked: the readers take a moment and 20 MB to load, and a copy is looked at when its frames are let go.
    from media.telemetry.read import read

    return read(path)


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

"""Every source of fixes that a file carries, whatever family it is of: the one way in for steps and commands.

A sidecar is itself one source; a recording may carry several: subtitles, a metadata track, a place in its header.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from evidence.errors import BadInput, TooLarge, UnsupportedMedia
from evidence.telemetry import Family, Telemetry
from media import container as containers
from media.telemetry import csv_log, data_stream, dji, embedded, gpmf, gpx, json_log, klv, kml, misb, nmea, quicktime, srt

_HEAD_BYTES = 64 * 1024
_MAX_STREAM_BYTES = 256 * 1024 * 1024
_ULOG = b"ULog\x01\x12\x35"
_BEFORE_ROOT = r"(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*"
_MARKUP = re.compile(rf"\A\s*{_BEFORE_ROOT}<([A-Za-z][\w:.-]*)", re.DOTALL | re.IGNORECASE)
_NMEA = re.compile(r"(?m)^\s*[$!][A-Z]{2}[A-Z0-9]{3},")
_TIMED = re.compile(r"\d{1,2}:\d{2}(?:[,.:]\d{1,9})?[ \t]*-{1,3}[ \t]?>")
_JSON = re.compile(r"""\s*(?:\{\s*["}]|\[\s*[\[{\]])""")
_NUMBERED = re.compile(r"\A\s*\d{1,9}[ \t]*\n")
_NAMED = re.compile(r"latitude|longt?itude|GPS|rel_alt", re.IGNORECASE)
_SUBTITLES = frozenset({".srt", ".vtt"})
_DJI_TRACK = re.compile(r"\s*(?:CAM (?:meta|dbg)|DJI)", re.IGNORECASE)
_SENT_INSTEAD = "Send the drone's or receiver's own SRT, GPX, NMEA, CSV or KLV file, or the recording that carries them."


def read(path: Path) -> list[Telemetry]:
    """All sources in a recording or sidecar, in the order in which they are most exact.

    Raises: UnsupportedMedia, in words, when there is none; CorruptMedia, TooLarge, NotFound.
    """
    head = data_stream.beginning(path, _HEAD_BYTES)
    if not head.strip(b"\0"):
        raise UnsupportedMedia(f"{path.name} is empty: nothing was written into it.", hint=_SENT_INSTEAD)
    if head.startswith(_ULOG):
        raise UnsupportedMedia(
            "This is a flight controller's own log (ULog), which is not read here.",
            hint="Export its positions as GPX, KML or CSV from the program that reads such logs, and send both.",
        )
    if head.startswith((b"DEVC\0", b"DEVC\1")):
        return [gpmf.read(path)]
    if data_stream.is_bare(path, klv.UAS_LOCAL_SET):
        return [misb.read(path)]
    if _is_text(head):
        return [_of_text(path, srt.decoded(head))]
    return _of_recording(path)


def _is_text(head: bytes) -> bool:
    """Hardly anything in it that no text holds: a damaged text is one still."""
    text = srt.decoded(head)
    strange = sum(text.count(chr(code)) for code in (*range(1, 9), *range(14, 27), *range(28, 32), 0xFFFD))
    return len(text) * 3 > len(head.strip(b"\0")) and strange * 20 < len(text)


def _of_text(path: Path, head: str) -> Telemetry:
    start, suffix = head[:4096], path.suffix.lower()
    root = _MARKUP.match(start)
    name = root[1].lower().rpartition(":")[2] if root else ""
    if name == "gpx":
        return _by(path, gpx.read_bytes, gpx.MAX_BYTES)
    if name == "kml":
        return _by(path, kml.read_bytes, kml.MAX_BYTES)
    if re.match(r"\s*\[Script Info\]", start, re.IGNORECASE):
        return dji.read_cues(embedded.cues_of_substation(_whole(path)))
    if _TIMED.search(start) or suffix in _SUBTITLES:
        return dji.read(_bytes(path))
    if root is not None and name not in {"font", "b", "i"}:
        raise UnsupportedMedia(f"This is an XML or HTML document ({root[1]}), and holds no fixes.", hint=_SENT_INSTEAD)
    if _NMEA.search(start):
        return _by(path, nmea.read_bytes, nmea.MAX_BYTES)
    if _JSON.match(start):
        return _by(path, json_log.read_bytes, json_log.MAX_BYTES)
    if _NUMBERED.match(start):
        return dji.read(_bytes(path))
    try:
        return _by(path, csv_log.read_bytes, csv_log.MAX_BYTES)
    except BadInput:
        if suffix in {".csv", ".tsv"} or not _NAMED.search(head):
            raise
        return dji.read(_bytes(path))


def _by(path: Path, reader: Callable[[bytes, str], Telemetry], most_bytes: int) -> Telemetry:
    """One byte more than a reader takes is read, so that it can refuse."""
    return reader(data_stream.beginning(path, most_bytes + 1), path.name)


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > srt.MAX_BYTES:
        raise TooLarge(
            f"{path.name} is larger than the {srt.MAX_BYTES // 1024**2} MiB that are read as subtitles or telemetry.",
            hint="Cut it into parts, or export it anew from the device.",
        )
    return path.read_bytes()


def _whole(path: Path) -> str:
    return srt.decoded(_bytes(path))


def _of_recording(path: Path) -> list[Telemetry]:
    found: list[Telemetry] = []
    refused: list[str] = []
    readers: list[Callable[[], Telemetry]] = [*_of_streams(path), partial(quicktime.read, path)]
    for reader in readers:
        try:
            found.append(reader())
        except BadInput as exc:
            refused.append(str(exc).rstrip("."))
    if not found:
        refused += _makers_own(path)
        raise UnsupportedMedia(
            f"{path.name} carries no telemetry that is read here: {'; '.join(refused)}.",
            hint="Send the SRT, GPX or CSV file that lay beside it on the card, if there is one.",
        )
    if len(refused) > 1:
        found[0] = replace(found[0], warnings=(*found[0].warnings, *refused[:-1]))
    return found


def _of_streams(path: Path) -> Iterator[Callable[[], Telemetry]]:
    families = set()
    for stream in _others(path):
        if klv.UAS_LOCAL_SET in stream.data and Family.MISB not in families:
            families.add(Family.MISB)
            yield partial(misb.of_stream, stream, path.name)
        elif stream.data.startswith(b"DEVC") and Family.GPMF not in families:
            families.add(Family.GPMF)
            yield partial(gpmf.of_stream, stream, path.name)
        elif embedded.looks_like_text(stream):
            yield partial(dji.read_cues, list(embedded.cues_of_stream(stream)))


def _makers_own(path: Path) -> Iterator[str]:
    """Data tracks of DJI's own (`djmd`, `dbgi`), as their handlers are called."""
    with containers.open_media(path) as container:
        if any(_DJI_TRACK.match(stream.metadata.get("handler_name", "")) for stream in container.streams):
            yield "its data track is of DJI's own kind (djmd), not read here (switch video subtitles on)"


def _others(path: Path) -> list[data_stream.DataStream]:
    """Streams besides picture and sound, if the recording has any: only then is it read from end to end."""
    with containers.open_media(path) as container:
        if all(stream.type in {"video", "audio"} for stream in container.streams):
            return []
    return data_stream.read(path, _MAX_STREAM_BYTES)

"""Subtitles inside a recording, and those of SubStation files, as cues: drones write their telemetry into them too."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evidence.telemetry import NO_TIME
from media.telemetry.data_stream import DataStream
from media.telemetry.srt import Cue

_DIALOGUE = re.compile(r"(?m)^Dialogue:\s*[^,\n]*,\s*(\d{1,2}):(\d{2}):(\d{2})[.:](\d{1,3})\s*,(?:[^,\n]*,){7}([^\n]*)$")
_MATROSKA_FIELDS = re.compile(r"\A\d{1,9},\d{0,9},(?:[^,\n]{0,80},){6}")


def cues_of_stream(stream: DataStream) -> Iterator[Cue]:
    """A subtitle track's cues, from the first frame of the video on."""
    ends = [*stream.starts[1:], len(stream.data)]
    for start, end, pts_us in zip(stream.starts, ends, stream.pts_us, strict=True):
        text = _text(bytes(stream.data[start:end]))
        if text.strip():
            yield Cue(None if pts_us == NO_TIME else pts_us - stream.zero_us, text + "\n")


def looks_like_text(stream: DataStream) -> bool:
    """Whether the first packet that says something is text."""
    ends = [*stream.starts[1:], len(stream.data)]
    for start, end in zip(stream.starts, ends, strict=True):
        text = _text(bytes(stream.data[start:end]))
        if text.strip():
            return "\ufffd" not in text and all(letter.isprintable() or letter in "\n\t" for letter in text)
    return False


def cues_of_substation(text: str) -> Iterator[Cue]:
    """The dialogue lines of an ASS or SSA file."""
    for line in _DIALOGUE.finditer(text):
        hours, minutes, seconds = int(line[1]), int(line[2]), int(line[3])
        fraction_us = int(line[4].ljust(6, "0"))
        yield Cue(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction_us, line[5] + "\n")


def _text(packet: bytes) -> str:
    """A 3GPP text sample begins with its length, and styles follow; Matroska's are bare, SubStation's have fields before.

    Source: 3GPP TS 26.245, 5.17: a 16-bit length in bytes, the text in UTF-8, then boxes.
    """
    length = int.from_bytes(packet[:2], "big")
    if len(packet) >= 2 and length <= len(packet) - 2:
        packet = packet[2 : 2 + length]
    return _MATROSKA_FIELDS.sub("", packet.decode("utf-8", "replace").replace("\r", "\n"))

"""SubRip as recorders and tools really write it: cues with their start, whatever is missing or broken around them.

A byte order mark or none, UTF-8, UTF-16 or one byte a character, any line ends, blank lines inside a cue or none between
cues, no times at all, a file cut anywhere. Nothing here knows what the text of a cue means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from evidence.errors import TooLarge

MAX_BYTES = 128 * 1024**2
"""Source: a DJI file says about 450 bytes a frame; 60 frames a second for an hour are 97 MB."""
MAX_CUES = 1_000_000
MAX_CUE_CHARACTERS = 64 * 1024
_MAX_HOURS = 100

_TIMES = re.compile(
    r"(?:^|(?<=\s))(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[,.:](\d{1,9}))?[ \t]*-{1,3}[ \t]?>"
    r"[ \t]*(?:(?:\d{1,4}:)?\d{1,2}:\d{1,2}(?:[,.:]\d{1,9})?)?"
)
_NUMBER = re.compile(r"\s*(\d{1,9})\s*")
_LINE_ENDS = re.compile(r"\r+\n?")
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue: its text with the line ends in it. `start_us` is None where no time stands; `cut` says that the file ends in
    the middle of its last line, so that the last number may be half a number.
    """

    start_us: int | None
    text: str
    cut: bool = False


def decoded(data: bytes) -> str:
    """The text, with plain line ends and without NULs. Every file is some text: what is no character becomes a mark.

    Raises: TooLarge.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(
            f"The text is larger than the {MAX_BYTES // 1024**2} MiB that are read as subtitles or telemetry.",
            hint="Cut it into parts, or export it anew from the device.",
        )
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            break
    else:
        text = _without_mark(data)
    return _LINE_ENDS.sub("\n", text.replace("\0", ""))


def _without_mark(data: bytes) -> str:
    head = data[:4096].rstrip(b"\0")
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        # Every second byte is zero where UTF-16 holds plain letters.
        if len(zeros) > 2 and zeros.count(0) * 10 > len(zeros) * 8:
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Cut in the middle of a character, or a damaged place in a file that is UTF-8 otherwise.
        high = sum(byte >= 0x80 for byte in data[: error.start])
        if high or error.start >= len(data) - 3:
            return data.decode("utf-8", "replace")
        return data.decode("cp1252", "replace")


def cues(text: str) -> Iterator[Cue]:
    """The cues of decoded text, in the file's order; at most `MAX_CUES`."""
    found = _timed(text) if _TIMES.search(text) else _untimed(text)
    for count, cue in enumerate(found):
        if count == MAX_CUES:
            return
        yield cue


class _Building:
    """The lines of the cue that is being read. Its length is bounded; what is over is left out."""

    def __init__(self, start_us: int | None = None) -> None:
        self.start_us = start_us
        self.lines: list[str] = []
        self._left = MAX_CUE_CHARACTERS

    def add(self, line: str) -> None:
        if self._left > 0:
            self.lines.append(line[: self._left])
        self._left -= len(line) + 1

    def done(self, *, cut: bool = False) -> Cue:
        return Cue(self.start_us, "\n".join(self.lines).strip("\n") + ("" if cut else "\n"), cut)


def _timed(text: str) -> Iterator[Cue]:
    """Cues begin at their times: a number or a blank line inside a cue is part of it. A cue whose own times are lost begins
    at the number that comes next in turn.
    """
    building: _Building | None = None
    number, pending, parted, blank_before = -1, "", False, True
    for line in _lines(text):
        times = _TIMES.search(line)
        if times is not None:
            if building is not None:
                yield building.done()
            building = _Building(_start(times))
            before = _NUMBER.fullmatch(line[: times.start()]) or _NUMBER.fullmatch(pending)
            number = int(before[1]) if before else number + 1
            building.add(line[times.end() :])
            pending = ""
            continue
        if pending and building is not None:
            if parted and int(pending) == number + 1 and line.strip():
                yield building.done()
                building, number = _Building(), number + 1
            else:
                building.add(pending)
        pending, parted = (line, blank_before) if _NUMBER.fullmatch(line) else ("", False)
        if not pending and building is not None:
            building.add(line)
        blank_before = not line.strip()
    if building is not None:
        if pending and not (parted and int(pending) == number + 1):
            building.add(pending)
        yield building.done(cut=not text.endswith("\n"))


def _untimed(text: str) -> Iterator[Cue]:
    """Without any times, a cue begins at a line that is just a number, or after a blank line where there are no numbers."""
    numbered = re.search(r"(?m)^[ \t]*\d{1,9}[ \t]*$", text) is not None
    building = _Building()
    for line in _lines(text):
        begins = _NUMBER.fullmatch(line) is not None if numbered else not line.strip()
        if begins:
            if any(part.strip() for part in building.lines):
                yield building.done()
            building = _Building()
        else:
            building.add(line)
    if any(part.strip() for part in building.lines):
        yield building.done(cut=not text.endswith("\n"))


def _lines(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[at:end]
        at = end + 1


def _start(times: re.Match[str]) -> int | None:
    hours, minutes, seconds = int(times[1] or 0), int(times[2]), int(times[3])
    if hours >= _MAX_HOURS:
        return None
    fraction = int((times[4] or "0").ljust(6, "0")[:6])
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction

"""A moment in a video, exact: presentation time stamp × time base, never a float."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import total_ordering

_LONGEST_S = 10**7


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class MediaTime:
    """`pts` ticks of `time_base` seconds each, counted from the stream's own zero.

    Two times are equal when they mean the same moment, whatever their time bases.
    """

    pts: int
    time_base: Fraction

    def __post_init__(self) -> None:
        if self.time_base <= 0:
            raise ValueError("time_base must be positive")

    @property
    def seconds(self) -> Fraction:
        """Units: seconds, exact."""
        return self.pts * self.time_base

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MediaTime) and self.seconds == other.seconds

    def __lt__(self, other: MediaTime) -> bool:
        return self.seconds < other.seconds

    def __hash__(self) -> int:
        return hash(self.seconds)

    def in_base(self, time_base: Fraction) -> MediaTime:
        """The nearest moment that `time_base` can express (ties to the even tick, as FFmpeg's av_rescale_q near)."""
        return MediaTime(round(self.seconds / time_base), time_base)

    def label(self) -> str:
        """`H:MM:SS.mmm`, rounded down to the millisecond so that a label never points past its frame."""
        sign = "-" if self.seconds < 0 else ""
        milliseconds = int(abs(self.seconds) * 1000)
        minutes, milliseconds = divmod(milliseconds, 60_000)
        hours, minutes = divmod(minutes, 60)
        return f"{sign}{hours}:{minutes:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"


def from_seconds(seconds: Fraction | int | str, time_base: Fraction = Fraction(1, 1_000_000)) -> MediaTime:
    """A moment typed by a person (`"12.5"`), on a microsecond grid by default.

    Raises: ValueError for text that is no decimal number.
    """
    return MediaTime(round(Fraction(seconds) / time_base), time_base)


def read_clock(text: str) -> Fraction:
    """Seconds of a time as it is shown: `62.5`, `1:02.5`, `0:01:02.5`. Raises: ValueError."""
    whole = Fraction(0)
    pieces = text.strip().split(":")
    if not 1 <= len(pieces) <= 3:
        raise ValueError(f"{text!r} is no time")
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        digits = piece.replace(".", "", 1) if last else piece
        if not (digits.isascii() and digits.isdigit()) or len(piece) > 20:
            raise ValueError(f"{text!r} is no time")
        if number and Fraction(piece) >= 60:
            raise ValueError(f"{text!r} has more than 59 minutes or seconds")
        whole = whole * 60 + Fraction(piece)
    if whole > _LONGEST_S:
        raise ValueError(f"{text!r} is longer than any video")
    return whole


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to and including `end`: both are moments of real frames."""

    start: MediaTime
    end: MediaTime

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError("a span can't end before it starts")

    @property
    def seconds(self) -> Fraction:
        return self.end.seconds - self.start.seconds

    def contains(self, moment: MediaTime) -> bool:
        return self.start <= moment <= self.end

    def overlaps(self, other: Span) -> bool:
        return self.start <= other.end and other.start <= self.end

"""Where a person should look again: spans in which what was followed may be wrong, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    BROKEN = "broken"
    """A track ends inside the picture, and soon another one begins nearby: what is in between is covered by nothing."""
    DROPPED = "dropped"
    """Something was seen surely, and no track was made of it."""
    EDGE = "edge"
    """Something fast enters or leaves over the picture's edge."""
    WEAK = "weak"
    """A track goes on for a while with faint sightings alone, or with none."""
    CROSSING = "crossing"
    """Two tracks of one kind lie on one another: either may go on as the other."""
    SMALL = "small"
    """Hardly large enough to be seen."""
    CUT = "cut"
    """Another scene begins while something is followed."""
    BLUR = "blur"
    """The whole picture is much less sharp than shortly before and after: nobody can judge what was in view."""

    @property
    def words(self) -> str:
        """For a page or a report: what may be wrong there."""
        return _WORDS[self]


_WORDS = {
    Reason.BROKEN: "a track breaks off, and another one begins nearby",
    Reason.DROPPED: "something was seen, and no track was made of it",
    Reason.EDGE: "something fast crosses the picture's edge",
    Reason.WEAK: "a track goes on with faint sightings, or with none",
    Reason.CROSSING: "two tracks cross: either may go on as the other",
    Reason.SMALL: "hardly large enough to be seen",
    Reason.CUT: "another scene begins while something is followed",
    Reason.BLUR: "the picture is too blurred to judge",
}


PICTURE = "picture"


@dataclass(frozen=True, slots=True)
class Doubt:
    """One span of frames, both ends included, on which a person should look."""

    reason: Reason
    label: str
    """Of what is doubtful; `PICTURE` where it is the whole picture."""
    first_frame: int
    last_frame: int
    tracks: tuple[int, ...]
    urgency: float
    """Between doubts only: how much a mistake there would show."""


def ranked(doubts: Iterable[Doubt]) -> list[Doubt]:
    """The most urgent first; among equals the earlier."""
    return sorted(doubts, key=lambda d: (-d.urgency, d.first_frame, d.reason.value, d.tracks))


def frames_in(doubts: Iterable[Doubt]) -> int:
    """How many frames lie in at least one of them."""
    total, after = 0, 0
    for first, last in sorted((d.first_frame, d.last_frame) for d in doubts):
        first = max(first, after)
        if last >= first:
            total += last - first + 1
            after = last + 1
    return total

"""Where a person should look again: spans in which what was followed may be wrong, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol


class Reason(StrEnum):
    BROKEN = "broken"
    """A track ends inside the picture, and soon another one begins nearby: what is in between is covered by nothing."""
    DROPPED = "dropped"
    """Something was seen surely, and no track was made of it."""
    EDGE = "edge"
    """Something fast enters or leaves over the picture's edge."""
    BLIND = "blind"
    """A track goes on for a while in which nothing was seen of it: its place is a guess."""
    WEAK = "weak"
    """A track goes on for a while with faint sightings alone."""
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

    @property
    def may_be_open(self) -> bool:
        """Whether what is hidden may stand open there: to be looked at first. The others say that something which is
        hidden was hard to see, or may be taken for something else."""
        return self in _MAY_BE_OPEN


_WORDS = {
    Reason.BROKEN: "a track breaks off, and another one begins nearby",
    Reason.DROPPED: "something was seen, and no track was made of it",
    Reason.EDGE: "something fast crosses the picture's edge",
    Reason.BLIND: "a track goes on, and nothing is seen of it",
    Reason.WEAK: "a track goes on with faint sightings",
    Reason.CROSSING: "two tracks cross: either may go on as the other",
    Reason.SMALL: "hardly large enough to be seen",
    Reason.CUT: "another scene begins while something is followed",
    Reason.BLUR: "the picture is too blurred to judge",
}

_MAY_BE_OPEN = frozenset({Reason.BROKEN, Reason.DROPPED, Reason.EDGE, Reason.BLIND, Reason.CUT, Reason.BLUR})


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
    """What may be open first, then the most urgent; among equals the earlier."""
    return sorted(doubts, key=lambda d: (not d.reason.may_be_open, -d.urgency, d.first_frame, d.reason.value, d.tracks))


class Span(Protocol):
    """A doubt, or a row about one. Both frames are included."""

    @property
    def reason(self) -> Reason: ...

    @property
    def first_frame(self) -> int: ...

    @property
    def last_frame(self) -> int: ...


def merged(doubts: Iterable[Doubt], apart: int) -> list[Doubt]:
    """Those of one reason about the same tracks, at most `apart` frames from one another, as one; what is about no track
    stays as it is."""
    found: list[Doubt] = []
    last: dict[tuple[Reason, str, tuple[int, ...]], int] = {}
    for doubt in sorted(doubts, key=lambda d: d.first_frame):
        kind = (doubt.reason, doubt.label, doubt.tracks)
        before = found[last[kind]] if doubt.tracks and kind in last else None
        if before is not None and doubt.first_frame - before.last_frame <= apart:
            end, urgency = max(before.last_frame, doubt.last_frame), max(before.urgency, doubt.urgency)
            found[last[kind]] = replace(before, last_frame=end, urgency=urgency)
        else:
            last[kind] = len(found)
            found.append(doubt)
    return found


def frames_in(doubts: Iterable[Span]) -> int:
    """How many frames lie in at least one of them."""
    total, after = 0, 0
    for first, last in sorted((d.first_frame, d.last_frame) for d in doubts):
        first = max(first, after)
        if last >= first:
            total += last - first + 1
            after = last + 1
    return total


def share_first(doubts: Sequence[Span], share: float) -> float:
    """Of the video, in doubts where something may be open; `share`: what all of them make up."""
    frames = frames_in(doubts)
    return share * frames_in(doubt for doubt in doubts if doubt.reason.may_be_open) / frames if frames else 0.0

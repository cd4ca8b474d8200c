"""Which groups of pictures can be copied: a pure rule, that no frame with something to hide is ever in one of them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby


@dataclass(slots=True)
class Packets:
    """What a track's packets say, in decoding order."""

    pts: array[int] = field(default_factory=lambda: array("q"))
    opens: bytearray = field(default_factory=bytearray)
    """1 where nothing from before is needed any more (IDR)."""
    cut: bytearray = field(default_factory=bytearray)
    """1 where an edit list doesn't show the picture."""

    def add(self, pts: int, *, opens: bool, cut: bool) -> None:
        self.pts.append(pts)
        self.opens.append(opens)
        self.cut.append(cut)

    def __len__(self) -> int:
        return len(self.pts)


@dataclass(frozen=True, slots=True)
class Group:
    """A closed group: packets [first_packet, end_packet), shown as frames [first, end)."""

    first_packet: int
    end_packet: int
    first: int
    end: int
    copied: bool
    depth: int
    """How many pictures one has to wait for another, at most."""


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring groups with one fate: frames [first, end) of packets [first_packet, end_packet)."""

    first_packet: int
    end_packet: int
    first: int
    end: int
    copied: bool
    groups: int


def closed(packets: Packets, frame_pts: Sequence[int], masked: Sequence[bool]) -> list[Group]:
    """The groups of a video whose frames are shown at `frame_pts` (ascending); `masked`: which have something to hide.

    One is copied only if it starts anew, each of its packets is one of its frames, and no frame of it is masked. What
    is shown before such a start, or needed beyond it, makes it a part of the group before.
    """
    if len(masked) != len(frame_pts):
        raise ValueError("it must be known of every frame whether something is to be hidden in it")
    starts = _starts(packets)
    edges = [0, *(bisect_left(frame_pts, packets.pts[k]) for k in starts[1:]), len(frame_pts)]
    groups = []
    for number, (at, until) in enumerate(zip(starts, [*starts[1:], len(packets)], strict=True)):
        first, end = edges[number], edges[number + 1]
        order = sorted(packets.pts[at:until])
        rank = {pts: place for place, pts in enumerate(order)}
        copied = (
            bool(packets.opens[at])
            and not any(packets.cut[at:until])
            and order == list(frame_pts[first:end])
            and not any(masked[first:end])
        )
        depth = max(place - rank[pts] for place, pts in enumerate(packets.pts[at:until]))
        groups.append(Group(at, until, first, end, copied, depth))
    return groups


def _starts(packets: Packets) -> list[int]:
    """Packets at which everything before was shown before, and everything after is shown after."""
    pts, earliest = packets.pts, array("q", packets.pts)
    for k in range(len(pts) - 2, -1, -1):
        earliest[k] = min(earliest[k], earliest[k + 1])
    starts, latest = [0] if len(packets) else [], None
    for k, at in enumerate(pts):
        if latest is not None and packets.opens[k] and latest < at == earliest[k]:
            starts.append(k)
        latest = at if latest is None else max(latest, at)
    return starts


def runs(groups: Sequence[Group]) -> list[Run]:
    """Neighbours of one fate together; groups without a frame go with those that are encoded."""
    made = []
    for copied, some in groupby(groups, key=lambda group: group.copied):
        part = list(some)
        made.append(Run(part[0].first_packet, part[-1].end_packet, part[0].first, part[-1].end, copied, len(part)))
    return made

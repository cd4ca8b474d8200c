"""Which groups of pictures can be copied: a pure rule, that no frame with something to hide is ever in one of them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

LEAST_BEGINNING = 12
"""Frames of a group's beginning that are worth being copied: the new key frame after them costs as much as a few."""


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
    """A closed group, or a part of one: packets [first_packet, end_packet), shown as frames [first, end)."""

    first_packet: int
    end_packet: int
    first: int
    end: int
    copied: bool
    depth: int
    """How many pictures one has to wait for another, at most."""
    begins: bool = False
    """It is the beginning of the group whose rest comes next."""


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring groups with one fate: frames [first, end) of packets [first_packet, end_packet)."""

    first_packet: int
    end_packet: int
    first: int
    end: int
    copied: bool
    groups: int
    beginnings: int
    """Of groups that are encoded from their first mask on; they are not in `groups`."""


def closed(packets: Packets, frame_pts: Sequence[int], masked: Sequence[bool]) -> list[Group]:
    """The groups of a video whose frames are shown at `frame_pts` (ascending); `masked`: which have something to hide.

    One is copied only if it starts anew, each of its packets is one of its frames, and no frame of it is masked. What
    is shown before such a start, or needed beyond it, makes it a part of the group before. Of a long group with a mask
    the beginning is copied, as far as it is shown and decoded before the first mask.
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
        places = [rank[pts] for pts in packets.pts[at:until]]
        depth = max(place - shown for place, shown in enumerate(places))
        known = packets.opens[at] and not any(packets.cut[at:until]) and order == list(frame_pts[first:end])
        mask = next((n for n in range(first, end) if masked[n]), end) if known else first
        length = _beginning(places, mask - first)
        if length < min(LEAST_BEGINNING, end - first):
            length = 0
        if 0 < length < end - first:
            groups.append(Group(at, at + length, first, first + length, True, depth, begins=True))
        rest = length % (end - first) if end > first else 0
        groups.append(Group(at + rest, until, first + rest, end, length > 0 and rest == 0, depth))
    return groups


def _beginning(places: Sequence[int], most: int) -> int:
    """The most packets, at most `most`, that are exactly as many frames from the group's first on.

    `places`: of each packet in the order in which they are shown.
    """
    length, latest = 0, -1
    for count, place in enumerate(places[:most], 1):
        latest = max(latest, place)
        if latest == count - 1:
            length = count
    return length


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
        beginnings = sum(group.begins for group in part)
        edges = (part[0].first_packet, part[-1].end_packet, part[0].first, part[-1].end)
        made.append(Run(*edges, copied, len(part) - beginnings, beginnings))
    return made

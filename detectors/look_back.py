"""Looking back: where a small face is first found, the frames before are looked at closely, back to where it came in.

A face that turns towards the camera, or comes in over the picture's edge, is seen surely some frames after it could be
made out. What the second before held is still at hand: so its way is walked back, frame by frame, on parts of the picture
around where it must have been, enlarged as `detectors.close` enlarges known faces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from detectors.detector import Boxes, Scores, View
from detectors.parts import COLUMNS, ROWS, Look, corner_of, look_at_parts, sheet_wh
from detectors.plan import Now, Record

_SECONDS = Fraction(19, 20)
"""How far back; tracks can be changed for a second (`detectors.follower.LOOK_AHEAD`)."""
_MOST_BYTES = 192 << 20
"""Of the pictures that are held for it, at three bytes a pixel: of 4K that is a quarter of a second."""
_STRETCH = 4
"""Frames of one way that go on one sheet: further away, nobody knows where it was."""
_ROUNDS = 2
"""Sheets a frame; what is left then goes on with the next frame."""
_BLIND = 4
"""Frames in a row without a sight of it after which a way is given up."""
_NEAR, _LIKE = 0.75, 1.8
"""Sides of itself by which it may lie off where it is thought to be, for each frame since it was seen, up to three; and
the factor by which its size may differ."""
_SPEED_FRAMES = 8

Place = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was seen on a frame after the frame had passed. Shape: (n, 4), (n,)."""

    ago: int
    """Frames that have passed since."""
    box: Boxes
    score: Scores


@dataclass(slots=True)
class _Past:
    """A frame that passed. `shift`: how far its content lies from that of the frame before."""

    number: int
    second: Fraction
    view: View
    shift: Place
    cut: bool
    box: Boxes


@dataclass(slots=True, eq=False)
class _Way:
    """One face on its way back. `known`: (frame, box) of each sight of it, the earliest last."""

    known: list[tuple[int, Place]]
    next: int
    """The frame that is to be looked at."""
    over: bool = field(default=False)


class LookBack:
    """Holds the frames of the last second; a face that is new on one of them is followed back through those before."""

    def __init__(self, look: Look, size_wh: tuple[int, int], low: float, side: int, looks: Record) -> None:
        """`side`: of the square of the picture that is enlarged to a cell, in pixels; `low`: the least score."""
        self._look, self._size_wh, self._low, self._side, self._looks = look, size_wh, low, side, looks
        self._most = max(1, _MOST_BYTES // (3 * size_wh[0] * size_wh[1]))
        self._past: deque[_Past] = deque()
        self._ways: list[_Way] = []

    def passed(self, view: View, now: Now, box: Boxes) -> None:
        """The next frame, with everything that was seen on it, faint things too."""
        shift = np.array(now.motion.shift(self._size_wh) or (0.0, 0.0))
        self._past.append(_Past(now.number, now.second, view, shift, now.motion.cut, box))
        most = min(self._most, 1 + (self._most if now.held is None else now.held))
        while len(self._past) > most or now.second - self._past[0].second > _SECONDS:
            self._past.popleft()

    def new(self, box: Iterable[Boxes]) -> None:
        """Faces of the last frame that nobody knew."""
        here = self._past[-1].number
        self._ways += [_Way([(here, one.astype(np.float64))], here - 1) for one in box]

    def back(self) -> list[Earlier]:
        """What is seen on the frames before, as far as this frame's turn of it goes."""
        found: dict[int, list[tuple[Boxes, float]]] = {}
        for _ in range(_ROUNDS):
            self._walk()
            if not self._ways:
                break
            self._one_sheet(found)
        here = self._past[-1].number
        return [
            Earlier(
                here - number, np.array([box for box, _ in some], np.float32), np.array([s for _, s in some], np.float32)
            )
            for number, some in sorted(found.items())
        ]

    def _at(self, number: int) -> _Past:
        return self._past[number - self._past[0].number]

    def _walk(self) -> None:
        """Each way over frames on which something was seen there anyway; those that are at an end are left."""
        for way in self._ways:
            while not self._ended(way):
                thought = self._thought(way, way.next)
                there = _nearest(thought, self._at(way.next).box.astype(np.float64), way.known[-1][0] - way.next)
                if there is None:
                    break
                way.known.append((way.next, self._at(way.next).box[there].astype(np.float64)))
                way.next -= 1
        self._ways = [way for way in self._ways if not self._ended(way)]

    def _ended(self, way: _Way) -> bool:
        first = self._past[0].number
        return way.over or way.next < first or way.known[-1][0] - way.next > _BLIND or self._at(way.next + 1).cut

    def _thought(self, way: _Way, number: int) -> Place:
        """Where it must have been on a frame before it was first seen: the way it came, and where the camera looked."""
        last, box = way.known[-1]
        place = box - np.tile(self._moved(number, last), 2)
        then, other = next((k for k in reversed(way.known[:-1]) if k[0] - last >= 3), way.known[0])
        if last < then <= last + _SPEED_FRAMES:
            step = (_middle(other) - _middle(box) - self._moved(last, then)) / (then - last)
            place -= np.tile(step * (last - number), 2)
        return place

    def _moved(self, earlier: int, later: int) -> Place:
        """How far the camera moved the picture in between."""
        moved: Place = sum((self._at(n).shift for n in range(earlier + 1, later + 1)), np.zeros(2))
        return moved

    def _one_sheet(self, found: dict[int, list[tuple[Boxes, float]]]) -> None:
        most = COLUMNS * ROWS
        each = max(1, min(_STRETCH, most // len(self._ways)))
        cells: list[tuple[_Way, int]] = []
        for way in self._ways[:most]:
            last = max(way.next - each, way.known[-1][0] - 1 - _BLIND - 1, self._past[0].number - 1)
            for number in range(way.next, last, -1):
                cells.append((way, number))
                if self._at(number).cut:
                    break
        parts = [
            (self._at(number).view, corner_of(self._thought(way, number), self._side, self._size_wh))
            for way, number in cells
        ]
        self._looks.add("back", sheet_wh(len(parts)), self._past[-1].number)
        for (way, number), (box, score) in zip(cells, look_at_parts(self._look, parts, self._side), strict=True):
            box = np.clip(box, 0, np.array(self._size_wh * 2, np.float32))
            box, score = box[score >= self._low], score[score >= self._low]
            there = _nearest(self._thought(way, number), box.astype(np.float64), way.known[-1][0] - number)
            way.next = number - 1
            if there is None:
                continue
            way.known.append((number, box[there].astype(np.float64)))
            past = self._at(number)
            if not len(past.box) or _nearest(box[there].astype(np.float64), past.box.astype(np.float64), 1) is None:
                found.setdefault(number, []).append((box[there], float(score[there])))
                past.box = np.concatenate([past.box, box[there][None]])


def _middle(box: Place) -> Place:
    middle: Place = (box[:2] + box[2:]) / 2
    return middle


def _nearest(thought: Place, box: Place, frames: int) -> int | None:
    """Which of the boxes is the thing that is thought to be there; None: none of them."""
    if not len(box):
        return None
    sides = (box[:, 2:] - box[:, :2]).max(axis=1)
    side = float((thought[2:] - thought[:2]).max())
    away = np.abs((box[:, :2] + box[:, 2:]) / 2 - _middle(thought)).max(axis=1)
    fits = (away <= _NEAR * min(3, frames) * np.maximum(side, sides)) & (
        np.maximum(sides, side) <= _LIKE * np.minimum(sides, side)
    )
    return int(np.where(fits, away, np.inf).argmin()) if fits.any() else None

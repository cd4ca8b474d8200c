"""Looking back: where a small face is first found, the frames before are looked at closely, back to where it came in.

A face that turns towards the camera, or comes in over the picture's edge, is seen surely some frames after it could be
made out. What the second before held is still at hand: so its way is walked back, frame by frame, on parts of the picture
around where it must have been, enlarged as `detectors.close` enlarges known faces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from detectors.detector import Boxes, Scores, View
from detectors.parts import LookAtEach, look_at_parts, part_around, shown_wh
from detectors.plan import Now, Record

_SECONDS = Fraction(19, 20)
"""How far back; tracks can be changed for a second (`detectors.follower.LOOK_AHEAD`)."""
_MOST_BYTES = 192 << 20
"""Of the pictures that are held for it, at three bytes a pixel: of 4K that is a quarter of a second."""
_FRAME = Fraction(1, 30)
_MOST_PARTS = 24
"""Looks in a frame's turn; what is left then goes on with the next frame."""
_BLIND = 4
"""Frames before the last sight of it that are looked at before a way is given up."""
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
    """One face on its way back. `known`: (frame, box) of each sight of it, the earliest last; `blind`: frames that were
    looked at since without one."""

    known: list[tuple[int, Place]]
    blind: int = 0

    def on(self, number: int, box: Boxes) -> None:
        self.known.append((number, box.astype(np.float64)))
        self.blind = 0


class LookBack:
    """Holds the frames of the last second; a face that is new on one of them is followed back through those before."""

    def __init__(
        self, look: LookAtEach, size_wh: tuple[int, int], low: float, scale: float, looks: Record, apart: int = 1
    ) -> None:
        """`low`: the least score; `scale`: of the tiles (`detectors.parts`); `apart`: frames from one that is looked at to
        the next, at 30 frames a second."""
        self._look, self._size_wh, self._low, self._scale, self._looks = look, size_wh, low, scale, looks
        self._most = max(1, _MOST_BYTES // (3 * size_wh[0] * size_wh[1]))
        self._past: deque[_Past] = deque()
        self._ways: list[_Way] = []
        self._apart = apart

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
        self._ways += [_Way([(here, one.astype(np.float64))]) for one in box]

    def back(self) -> list[Earlier]:
        """What is seen on the frames before, as far as this frame's turn of it goes."""
        found: dict[int, list[tuple[Boxes, float]]] = {}
        parts = 0
        while parts < _MOST_PARTS:
            self._walk()
            turn = self._ways[: _MOST_PARTS - parts]
            if not turn:
                break
            parts += len(turn)
            for way in turn:
                self._look_on(way, found)
        here = self._past[-1].number
        if parts:
            self._looks.add("back", shown_wh(parts), here)
        return [
            Earlier(
                here - number, np.array([box for box, _ in some], np.float32), np.array([s for _, s in some], np.float32)
            )
            for number, some in sorted(found.items())
        ]

    def _at(self, number: int) -> _Past:
        return self._past[number - self._past[0].number]

    def _tries(self, way: _Way) -> list[int]:
        """Frames that may be looked at before the last one that is known, in turn until there is a sight of it."""
        known = way.known[-1][0]
        last, most = self._past[-1].second, self._apart * _FRAME
        step = max(1, min(self._apart, sum(0 < last - past.second <= most for past in self._past)))
        first = known
        while first > max(self._past[0].number, known - _BLIND) and not self._at(first).cut:
            first -= 1
        nearest_first = sorted(range(first, known), key=lambda number: (abs(known - step - number), -number))
        return nearest_first[way.blind :]

    def _walk(self) -> None:
        """Each way over frames on which something was seen there anyway; those that are at an end are left."""
        for way in self._ways:
            while tries := self._tries(way):
                for number in range(way.known[-1][0] - 1, tries[0] - 1, -1):
                    there = self._there(way, number, self._at(number).box)
                    if there is not None:
                        way.on(number, self._at(number).box[there])
                        break
                else:
                    break
        self._ways = [way for way in self._ways if self._tries(way)]

    def _there(self, way: _Way, number: int, box: Boxes) -> int | None:
        return _nearest(self._thought(way, number), box.astype(np.float64), way.known[-1][0] - number)

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

    def _look_on(self, way: _Way, found: dict[int, list[tuple[Boxes, float]]]) -> None:
        number = self._tries(way)[0]
        past = self._at(number)
        part = part_around(self._thought(way, number), self._scale, self._size_wh)
        ((box, score),) = look_at_parts(self._look, [(past.view, part)])
        box = np.clip(box, 0, np.array(self._size_wh * 2, np.float32))
        box, score = box[score >= self._low], score[score >= self._low]
        there = self._there(way, number, box)
        if there is None:
            way.blind += 1
            return
        way.on(number, box[there])
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

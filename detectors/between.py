"""Whole looks some frames apart, where both ends tell what lies between them; nearer together where they don't.

A detector that may answer late looks at every twelfth frame. Where each thing seen there lies near the place that it had
at the look before, as a still camera would see it, and a glance at the frame in the middle finds it there as well, the
frames between are left out: its way is known. Else the middle is looked at wholly, and each half judged by itself; where
one is new, is gone or went far, all frames of that half are looked at. A frame of which nobody can say how the camera
moved to it is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from detectors.boxes import middles_apart
from detectors.detector import NOTHING, Boxes, Found, View
from detectors.plan import Now, Stride

APART = Stride(12, Fraction(2, 5))
"""How far apart whole looks may be at most. What was seen in the middle is half as far away, and a mask lives five frames
before and after its track (`evidence.redaction.Margin`)."""
_NEAR, _LIKE = 0.5, 1.5
"""Sides of itself by which a thing may lie off from one look to the next, and the factor by which its size may differ: a
thing that speeds up evenly is then off the straight line by an eighth of its side at most, and a mask has more around it."""
_NEARER, _OFF = 0.25, 0.15
"""The same for looks that lie so far apart that a glance between them is needed, and sides by which the glance may lie off
the straight line."""
_MOST_GLANCES = 8
"""Things in one glance; it takes a whole look's time for thirty, and many are soon to be looked at wholly anyway."""

Look = Callable[[View, Now], Found]
Glance = Callable[[View, Now, Boxes], Found]
Closely = Callable[[View, Now, Found, bool], Found]


@dataclass(slots=True, eq=False)
class _Frame:
    """A frame that waits. `camera`: how far the picture's content moved since the last frame that nobody could place;
    `counts`: which rows of `found` are things whose way must be known; `regular`: whether it is one for close looks."""

    view: View | None
    now: Now
    camera: npt.NDArray[np.float64]
    found: Found = NOTHING
    counts: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    regular: bool = False


class Between:
    """Decides which frames `look` is called on, and says of every frame what was seen on it, some frames late.

    Of the frames that wait, the last is looked at first. `glance` is asked for what it sees of some boxes in a frame.
    Then `closely` gets all frames in order, each with what was seen on it and whether it is one for close looks, and gives
    what is to be told of it.
    """

    def __init__(
        self,
        look: Look,
        glance: Glance,
        closely: Closely,
        size_wh: tuple[int, int],
        sure: float,
        least: float,
        stride: Stride = APART,
    ) -> None:
        """`sure`: score from which a thing counts; `least`: pixels of its longer side from which it does."""
        self._look, self._glance, self._closely, self._size_wh = look, glance, closely, size_wh
        self._sure, self._least, self._stride = sure, least, stride
        self._half = Stride(max(1, stride.frames // 2), stride.seconds / 2)
        self._last: _Frame | None = None
        self._waiting: list[_Frame] = []
        self._calm = False
        self._step = Fraction(0)

    def take(self, view: View, now: Now) -> list[Found]:
        """The next frame; what was seen on the frames that are settled by it, in order, from the first not yet told."""
        shift = now.motion.shift(self._size_wh)
        if self._last is None or now.must_look or shift is None:
            told = self.rest()
            self._last, self._calm = None, False
            return [*told, *self._tell([_Frame(view, now, np.zeros(2))])]
        before = self._waiting[-1] if self._waiting else self._last
        self._step = now.second - before.now.second
        self._waiting.append(_Frame(view, now, before.camera + shift))
        return self.rest() if self._full(self._stride if self._calm else self._half) else []

    def rest(self) -> list[Found]:
        """The same of all that wait, without waiting for more."""
        return self._tell(self._waiting) if self._waiting else []

    def _tell(self, waiting: list[_Frame]) -> list[Found]:
        before = self._last
        self._look_at(waiting[-1], before)
        if before is not None:
            self._settle([before, *waiting])
        told = [self._closely(frame.view, frame.now, frame.found, frame.regular) for frame in waiting if frame.view]
        self._last, self._waiting = replace(waiting[-1], view=None), []
        return told

    def _full(self, stride: Stride) -> bool:
        assert self._last is not None
        too_late = self._waiting[-1].now.second + self._step - self._last.now.second > stride.seconds
        return too_late or len(self._waiting) >= stride.frames

    def _look_at(self, frame: _Frame, before: _Frame | None) -> None:
        """`before`: the look before it. What counted there and is still seen, if faintly, counts on."""
        assert frame.view is not None
        frame.found, frame.regular = self._look(frame.view, frame.now), True
        frame.counts = self._large(frame.found.box_xyxy) & (frame.found.score >= self._sure)
        if before is not None:
            self._count_on(frame, before)

    def _large(self, box: Boxes) -> npt.NDArray[np.bool_]:
        large: npt.NDArray[np.bool_] = (box[:, 2:] - box[:, :2]).max(axis=1, initial=0) > self._least
        return large

    def _settle(self, frames: Sequence[_Frame]) -> None:
        """Look where the ends, which were looked at, don't tell what lies between them."""
        if len(frames) - 1 <= self._half.frames:
            self._fill(frames)
            return
        middle = len(frames) // 2
        if (
            self._calm
            and self._settled(frames[0], frames[-1], _NEARER)
            and self._there(frames[0], frames[middle], frames[-1])
        ):
            return
        self._look_at(frames[middle], frames[0])
        self._count_on(frames[-1], frames[middle])
        self._fill(frames[: middle + 1])
        self._fill(frames[middle:])

    def _count_on(self, frame: _Frame, before: _Frame) -> None:
        known = before.found.box_xyxy[before.counts] + _moved(before, frame)
        frame.counts |= self._large(frame.found.box_xyxy) & _near(known, frame.found.box_xyxy).any(axis=0)

    def _fill(self, frames: Sequence[_Frame]) -> None:
        """Look at all between the first and the last, which were looked at, unless both tell what lies there; and what
        lies before the first did so too, as whatever was fast a moment ago is not yet followed surely."""
        settled = self._settled(frames[0], frames[-1])
        if not (settled and self._calm):
            for before, frame in pairwise(frames[:-1]):
                self._look_at(frame, before)
        self._calm = settled

    def _settled(self, one: _Frame, other: _Frame, most: float = _NEAR) -> bool:
        """Whether each thing that counts at one end has one at the other that it may be."""
        near = _near(one.found.box_xyxy + _moved(one, other), other.found.box_xyxy, most)
        return bool(near[one.counts].any(axis=1).all() and near[:, other.counts].any(axis=0).all())

    def _there(self, one: _Frame, middle: _Frame, other: _Frame) -> bool:
        """Whether a glance surely finds in the middle what counts at both ends, where it must have been."""
        middle.regular = True
        before, after = one.found.box_xyxy[one.counts] + _moved(one, middle), other.found.box_xyxy - _moved(middle, other)
        if len(before) > _MOST_GLANCES or middle.view is None:
            return False
        if not len(before):
            return True
        share = (middle.now.number - one.now.number) / (other.now.number - one.now.number)
        partner = after[middles_apart(before, after).argmin(axis=1)]
        box = (before + (partner - before) * np.float32(share)).astype(np.float32)
        seen = self._glance(middle.view, middle.now, box)
        if not _near(box, seen.box_xyxy[seen.score >= self._sure], _OFF).any(axis=1).all():
            return False
        middle.found = seen
        return True


def _moved(one: _Frame, other: _Frame) -> npt.NDArray[np.float32]:
    """What the camera did to boxes from one frame to the other."""
    return np.tile(other.camera - one.camera, 2).astype(np.float32)


def _near(some: Boxes, others: Boxes, most: float = _NEAR) -> npt.NDArray[np.bool_]:
    """Which may be the same thing: `most` sides apart. Shape: (n, 4), (m, 4) to (n, m)."""
    sides, other_sides = ((box[:, 2:] - box[:, :2]).max(axis=1, initial=0) for box in (some, others))
    smaller = np.minimum(sides[:, None], other_sides[None])
    larger = np.maximum(sides[:, None], other_sides[None])
    near: npt.NDArray[np.bool_] = (middles_apart(some, others) <= most * smaller) & (larger <= _LIKE * smaller)
    return near

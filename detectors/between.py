"""Whole looks some frames apart, where both ends tell what lies between them; nearer together where they don't.

A detector that may answer late looks at every sixth frame. Where each thing seen there lies near the place that it had
at the look before, as a still camera would see it, the frames between are left out: its way is known. Where one is new,
is gone or went far, all of them are looked at. A frame of which nobody can say how the camera moved to it is looked at by
itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from detectors.detector import NOTHING, Boxes, Found, View
from detectors.plan import Now, Stride

APART = Stride(6, Fraction(1, 5))
"""How far apart looks may be at most. A mask lives five frames before and after its track (`evidence.redaction.Margin`)."""
_NEAR, _LIKE = 0.5, 1.5
"""Sides of itself by which a thing may lie off from one look to the next, and the factor by which its size may differ: a
thing that speeds up evenly is then off the straight line by an eighth of its side at most, and a mask has more around it."""

Look = Callable[[View, Now], Found]
Closely = Callable[[View, Now, Found, bool], Found]


@dataclass(slots=True, eq=False)
class _Frame:
    """A frame that waits. `camera`: how far the picture's content moved since the last frame that nobody could place."""

    view: View | None
    now: Now
    camera: npt.NDArray[np.float64]
    found: Found = NOTHING
    looked: bool = False


class Between:
    """Decides which frames `look` is called on, and says of every frame what was seen on it, some frames late.

    Of the frames that wait, the last is looked at first. Then `closely` gets all of them in order, each with what was
    seen on it and whether it was looked at, and gives what is to be told of it.
    """

    def __init__(
        self,
        look: Look,
        closely: Closely,
        size_wh: tuple[int, int],
        sure: float,
        least: float,
        stride: Stride = APART,
    ) -> None:
        """`sure`: score from which a thing counts; `least`: pixels of its longer side from which it does."""
        self._look, self._closely, self._size_wh, self._stride = look, closely, size_wh, stride
        self._sure, self._least = sure, least
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
        return self.rest() if self._full() else []

    def rest(self) -> list[Found]:
        """The same of all that wait, without waiting for more."""
        return self._tell(self._waiting) if self._waiting else []

    def _tell(self, waiting: list[_Frame]) -> list[Found]:
        last = waiting[-1]
        self._look_at(last)
        if self._last is not None:
            self._fill([self._last, *waiting])
        told = [self._closely(frame.view, frame.now, frame.found, frame.looked) for frame in waiting if frame.view]
        self._last, self._waiting = replace(last, view=None), []
        return told

    def _full(self) -> bool:
        assert self._last is not None
        too_late = self._waiting[-1].now.second + self._step - self._last.now.second > self._stride.seconds
        return too_late or len(self._waiting) >= self._stride.frames

    def _look_at(self, frame: _Frame) -> None:
        assert frame.view is not None
        frame.found, frame.looked = self._look(frame.view, frame.now), True

    def _fill(self, frames: list[_Frame]) -> None:
        """Look at all between the first and the last, which were looked at, unless both tell what lies there; and what
        lies before the first did so too, as whatever was fast a moment ago is not yet followed surely."""
        settled = self._settled(frames[0], frames[-1])
        if not (settled and self._calm):
            for frame in frames[1:-1]:
                self._look_at(frame)
        self._calm = settled

    def _settled(self, one: _Frame, other: _Frame) -> bool:
        moved = np.tile(other.camera - one.camera, 2).astype(np.float32)
        before, after = one.found.box_xyxy + moved, other.found.box_xyxy
        return self._all_near(before[one.found.score >= self._sure], after) and self._all_near(
            after[other.found.score >= self._sure], before
        )

    def _all_near(self, some: Boxes, others: Boxes) -> bool:
        """Whether each that counts has one among the others that may be the same."""
        sides = (some[:, 2:] - some[:, :2]).max(axis=1, initial=0)
        some, sides = some[sides > self._least], sides[sides > self._least, None]
        if not len(some) or not len(others):
            return not len(some)
        other_sides = (others[:, 2:] - others[:, :2]).max(axis=1)[None]
        away = np.abs((some[:, None, :2] + some[:, None, 2:] - others[None, :, :2] - others[None, :, 2:]) / 2).max(axis=2)
        smaller, larger = np.minimum(sides, other_sides), np.maximum(sides, other_sides)
        return bool(((away <= _NEAR * smaller) & (larger <= _LIKE * smaller)).any(axis=1).all())

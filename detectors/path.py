"""One thing while it is followed: where it was seen, and where it must have been in between, before and after."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detectors.rules import Rule
from evidence.track import Origin

Place = npt.NDArray[np.float64]
"""A box (x0, y0, x1, y1) where a still camera would see it. Units: pixels of the upright picture."""

_FAST = 0.25
"""Box sizes per frame; what is slower stays under the margin that a mask has in time."""
_AHEAD_FRAMES = 8
"""How far a place is thought ahead along its speed; after that it stays."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A detection. `cut_off`: which of its edges (x0, y0, x1, y1) lie on the picture's edge."""

    frame: int
    index: int
    """Its row among what was seen on that frame."""
    place: Place
    score: float
    label: str
    model: str
    sure: bool
    cut_off: tuple[bool, bool, bool, bool] = (False, False, False, False)


@dataclass(slots=True, eq=False)
class Path:
    """The sightings of one thing, at most one a frame, in frame order; old ones are forgotten."""

    rule: Rule
    sightings: list[Sighting]
    seen: int = 0
    best: float = 0.0
    number: int = 0
    """Of the track that it became; 0: not yet one."""
    open: bool = True
    """Whether what is seen now may still belong to it."""
    not_before: int = 0
    """The first frame of its scene."""
    not_after: int | None = None
    """The last frame of its scene, once that is known."""
    labels: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    models: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def first(self) -> Sighting:
        return self.sightings[0]

    @property
    def last(self) -> Sighting:
        return self.sightings[-1]

    @property
    def confirmed(self) -> bool:
        return self.number > 0 or self.seen >= self.rule.least_seen or self.best >= self.rule.sure

    def add(self, sighting: Sighting) -> None:
        """At its end, or before its beginning."""
        if self.sightings and sighting.frame < self.first.frame:
            self.sightings.insert(0, sighting)
        else:
            self.sightings.append(sighting)
        self._count(sighting, 1)

    def drop_first(self) -> Sighting:
        dropped = self.sightings.pop(0)
        self._count(dropped, -1)
        self.best = max((s.score for s in self.sightings), default=0.0)
        return dropped

    def forget_before(self, frame: int) -> None:
        """Keeps what speeds and gaps need."""
        while len(self.sightings) > 1 and self.sightings[1].frame < min(frame, self.last.frame - self.rule.speed_frames):
            self.sightings.pop(0)

    def _count(self, sighting: Sighting, sign: int) -> None:
        self.seen += sign
        self.best = max(self.best, sighting.score)
        self.labels[sighting.label] += sign * sighting.score
        self.models[sighting.model] += sign * sighting.score

    @property
    def label(self) -> str:
        """Seen most surely in sum."""
        return max(sorted(self.labels), key=lambda name: self.labels[name])

    @property
    def model(self) -> str:
        return max(sorted(self.models), key=lambda name: self.models[name])

    def speed(self, at_end: bool = True) -> npt.NDArray[np.float64]:
        """Of its centre at its end or at its beginning, per frame forward; what the picture's edge cuts off is left out.

        Shape: (2,).
        """
        anchor = self.last if at_end else self.first
        near = [s for s in self.sightings if abs(s.frame - anchor.frame) < self.rule.speed_frames]
        if len(near) < 2:
            return np.zeros(2)
        a, b = near[0], near[-1]
        moved = (b.place - a.place) / (b.frame - a.frame)
        result = np.zeros(2)
        for axis in (0, 1):
            low, high = (a.cut_off[axis + end] or b.cut_off[axis + end] for end in (0, 2))
            if low == high:
                result[axis] = (moved[axis] + moved[axis + 2]) / 2
            else:
                result[axis] = moved[axis + 2] if low else moved[axis]
        return result

    def thought_at(self, frame: int) -> Place:
        """Where it may be on a frame after its last sighting or before its first."""
        end = frame > self.last.frame
        anchor = self.last if end else self.first
        away = max(-_AHEAD_FRAMES, min(_AHEAD_FRAMES, frame - anchor.frame))
        return anchor.place + np.tile(self.speed(end) * away, 2)

    def at(self, frame: int) -> tuple[Place, float, Origin] | None:
        """Its box, the score that the box rests on, and how it came to be; None where it isn't."""
        if frame < self.not_before or (self.not_after is not None and frame > self.not_after):
            return None
        frames = [s.frame for s in self.sightings]
        i = bisect_left(frames, frame)
        if i < len(frames) and frames[i] == frame:
            return self.sightings[i].place, self.sightings[i].score, Origin.DETECTED
        if 0 < i < len(frames):
            a, b = self.sightings[i - 1], self.sightings[i]
            share = (frame - a.frame) / (b.frame - a.frame)
            return a.place + (b.place - a.place) * share, min(a.score, b.score), Origin.INTERPOLATED
        anchor = self.first if i == 0 else self.last
        if abs(frame - anchor.frame) > self._carried(i > 0):
            return None
        return self.thought_at(frame), anchor.score, Origin.TRACKED

    def _carried(self, at_end: bool) -> int:
        """Frames for which it is carried on after its last sighting, or back before its first."""
        anchor = self.last if at_end else self.first
        size = float(np.sqrt(max(1e-6, (anchor.place[2:] - anchor.place[:2]).prod())))
        return self.rule.carry_frames if float(np.hypot(*self.speed(at_end))) >= _FAST * size else 0

"""One thing while it is followed: where it was seen, and where it must have been in between, before and after."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detectors.boxes import overlaps
from detectors.rules import Rule
from evidence.track import Origin

Place = npt.NDArray[np.float64]
"""A box (x0, y0, x1, y1) where a still camera would see it. Units: pixels of the upright picture."""

# Source of the figures: docs/adr/0004-trackers.md
_LARGE, _STRONG_ENOUGH, _OFTEN_ENOUGH = 0.04, 0.33, 5
"""What is larger than this share of the picture's longer side must be seen once this strongly, or this often surely."""
_FAST = 0.25
"""Box sizes per frame; what is slower stays under the margin that a mask has in time."""
_LEAST_SEEN_OF_A_DASH, _STRONG, _DASH_FRAMES = 3, 0.4, 2
"""A dash is believed of what was seen so often and so strongly; its speed is that of its last two frames."""
_SWEEP = (0.5, 3.5)
"""What was leaving speeds up, and what comes in slows down: so much slower or faster than its last speed it may be."""
_ASIDE = 0.3
"""A dash goes along one side of the picture when the other side's part of it is smaller than this share."""
_GONE = 0.98
"""Share of its box that is beyond the picture's edge when it is gone."""
_STEADY, _STEADY_SHARE = 0.9, 0.75
"""A box is at least so much of the size that this share of the boxes around it don't surpass."""
_SOON, _OFF_THE_WAY = 4, 0.5
"""Frames between two sure sights, and overlap of a faint one with the way between them, from which it may be of half the
thing, or of another."""
_SOONER_LATER = 0.5
"""Frames by which a thing in a gap may be ahead of the straight line, or behind."""
_JUMP = 0.5
"""Box sizes from one sighting to the next from which nobody knows when in a gap a thing went."""
_CUT_OFF = 0.08
"""Box sizes between a box and the picture's edge, up to which the edge cuts the thing off."""
_AHEAD_FRAMES = 8
"""How far a place is thought ahead along its speed; after that it stays."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A detection."""

    frame: int
    given: tuple[int, int]
    """The frame with which it was given, a later one when it was seen by looking back; and its row there."""
    place: Place
    score: float
    label: str
    model: str
    strength: float
    """Its score on the way from its model's threshold (0: just sure) to 1; below 0 it is faint."""
    room: tuple[float, float, float, float]
    """From each of its edges (x0, y0, x1, y1) to the picture's edge on that side, in pixels."""
    size: float = field(init=False)
    """The square root of its area, in pixels."""

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.place.tolist()
        object.__setattr__(self, "size", math.sqrt(max(1e-6, (x1 - x0) * (y1 - y0))))

    @property
    def sure(self) -> bool:
        return self.strength >= 0

    @property
    def share(self) -> float:
        """Its size as a share of the picture's longer side."""
        sides = self.place[2:] - self.place[:2]
        return self.size / max(self.room[axis] + float(sides[axis]) + self.room[axis + 2] for axis in (0, 1))

    def cut_off(self, edge: int) -> bool:
        """Whether the picture's edge cuts it off there: then that edge of the box doesn't move with the thing."""
        return self.room[edge] <= _CUT_OFF * self.size


@dataclass(slots=True, eq=False)
class Path:
    """The sightings of one thing, at most one a frame, in frame order; old ones are forgotten."""

    rule: Rule
    sightings: list[Sighting]
    seen: int = 0
    sure: int = 0
    best: float = 0.0
    strength: float = -1.0
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
    _speeds: dict[tuple[bool, int], npt.NDArray[np.float64]] = field(default_factory=dict)
    """Those that were computed since its sightings changed: it is held against many of a frame."""

    @property
    def first(self) -> Sighting:
        return self.sightings[0]

    @property
    def last(self) -> Sighting:
        return self.sightings[-1]

    @property
    def confirmed(self) -> bool:
        """Whether enough was seen of it for a track."""
        if self.number:
            return True
        if self.rule.doubt_large and self.strength < _STRONG_ENOUGH and self.sure < _OFTEN_ENOUGH:
            return max(s.share for s in self.sightings) < _LARGE
        return self.seen >= self.rule.least_seen or self.best >= self.rule.sure

    def add(self, sighting: Sighting) -> None:
        """At its end, or before its beginning."""
        if self.sightings and sighting.frame < self.first.frame:
            self.sightings.insert(0, sighting)
        else:
            self.sightings.append(sighting)
        self._speeds.clear()
        self._count(sighting, 1)

    def drop_first(self) -> Sighting:
        dropped = self.sightings.pop(0)
        self._speeds.clear()
        self._count(dropped, -1)
        self.best = max((s.score for s in self.sightings), default=0.0)
        self.strength = max((s.strength for s in self.sightings), default=-1.0)
        return dropped

    def forget_before(self, frame: int) -> None:
        """Keeps what speeds, sizes and gaps need."""
        oldest = min(frame - self.rule.steady_frames, self.last.frame - self.rule.speed_frames)
        while len(self.sightings) > 1 and self.sightings[1].frame < oldest:
            self.sightings.pop(0)
            self._speeds.clear()

    def _count(self, sighting: Sighting, sign: int) -> None:
        self.seen += sign
        self.sure += sign * sighting.sure
        self.best = max(self.best, sighting.score)
        self.strength = max(self.strength, sighting.strength)
        self.labels[sighting.label] += sign * sighting.score
        self.models[sighting.model] += sign * sighting.score

    @property
    def label(self) -> str:
        """Seen most surely in sum."""
        return max(sorted(self.labels), key=lambda name: self.labels[name])

    @property
    def model(self) -> str:
        return max(sorted(self.models), key=lambda name: self.models[name])

    def speed(self, at_end: bool = True, frames: int = 0) -> npt.NDArray[np.float64]:
        """Of its centre at its end or at its beginning, per frame forward; what the picture's edge cuts off is left out.

        Shape: (2,). Units: `frames`: over how many it is taken; 0: as the rule says.
        """
        found = self._speeds.get((at_end, frames))
        if found is None:
            found = self._speeds[at_end, frames] = self._speed(at_end, frames)
        return found

    def _speed(self, at_end: bool, frames: int) -> npt.NDArray[np.float64]:
        anchor = self.last if at_end else self.first
        wanted = frames or self.rule.speed_frames
        near = [s for s in self.sightings if abs(s.frame - anchor.frame) < wanted]
        if not frames and near and near[-1].frame - near[0].frame < wanted / 2:
            # Not every frame is looked at: a step between two of them alone may be that of the boxes, not of the thing.
            further = [s for s in self.sightings if wanted <= abs(s.frame - anchor.frame) < 2 * wanted]
            near = [*further[-1:], *near] if at_end else [*near, *further[:1]]
        if len(near) < 2:
            return np.zeros(2)
        a, b = near[0], near[-1]
        moved = (b.place - a.place) / (b.frame - a.frame)
        result = np.zeros(2)
        for axis in (0, 1):
            low, high = (a.cut_off(axis + end) or b.cut_off(axis + end) for end in (0, 2))
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
        step = self.speed(end) * away
        place: Place = anchor.place + np.concatenate([step, step])
        return place

    def dash(self, at_end: bool) -> npt.NDArray[np.float64] | None:
        """Its speed away from the picture's middle when it may be out of the picture in a moment, or was just before.

        Shape: (2,), per frame away from its last (its first) sighting. None for what moves slowly, or not to an edge.
        """
        if not self.rule.sweep_frames or self.seen < _LEAST_SEEN_OF_A_DASH or self.strength < _STRONG:
            return None
        anchor = self.last if at_end else self.first
        away = self.speed(at_end, _DASH_FRAMES) * (1 if at_end else -1)
        if float(np.hypot(*away)) < _FAST * anchor.size:
            return None
        furthest = away * _SWEEP[1] * self.rule.sweep_frames
        out = any(furthest[axis] > anchor.room[axis + 2] or -furthest[axis] > anchor.room[axis] for axis in (0, 1))
        return away if out else None

    def at(self, frame: int) -> tuple[Place, float, Origin] | None:
        """Its box, the score that the box rests on, and how it came to be; None where it isn't."""
        if frame < self.not_before or (self.not_after is not None and frame > self.not_after):
            return None
        frames = [s.frame for s in self.sightings]
        i = bisect_left(frames, frame)
        if i < len(frames) and frames[i] == frame:
            return self._steady(self._seen_at(i), frame), self.sightings[i].score, Origin.DETECTED
        if 0 < i < len(frames):
            a, b = self.sightings[i - 1], self.sightings[i]
            return self._steady(self._between(a, b, frame), frame), min(a.score, b.score), Origin.INTERPOLATED
        anchor = self.first if i == 0 else self.last
        place = self._carried(frame, i > 0)
        return None if place is None else (place, anchor.score, Origin.TRACKED)

    def _seen_at(self, i: int) -> Place:
        """Where it was seen; where only faintly, between two sure sights soon before and after, their way as well if it is
        off that, and both where it went far: a faint sight may be of half the thing, or of another."""
        here = self.sightings[i]
        if here.sure or not self.rule.sweep_frames:
            return here.place
        a = next((s for s in reversed(self.sightings[:i]) if s.sure), None)
        b = next((s for s in self.sightings[i + 1 :] if s.sure), None)
        if a is None or b is None or b.frame - a.frame > _SOON:
            return here.place
        if _far(a, b):
            return _union(here.place, _union(a.place, b.place))
        way = a.place + (b.place - a.place) * (here.frame - a.frame) / (b.frame - a.frame)
        off = overlaps(here.place[None], way[None])[0, 0] < _OFF_THE_WAY
        return _union(here.place, way) if off else here.place

    @staticmethod
    def _gone(anchor: Sighting, away: npt.NDArray[np.float64]) -> Place:
        """What is left of it at the picture's edge, where it went: what outlives the track there shall be small."""
        sides = anchor.place[2:] - anchor.place[:2]
        rooms = np.array([anchor.room[axis + 2] if away[axis] > 0 else anchor.room[axis] for axis in (0, 1)])
        steps = [
            (room + _GONE * side) / abs(step) if step else np.inf
            for room, side, step in zip(rooms.tolist(), sides.tolist(), away.tolist(), strict=True)
        ]
        place: Place = anchor.place + np.tile(away * min(steps), 2)
        return place

    def _steady(self, place: Place, frame: int) -> Place:
        """Not much smaller than shortly before and after: half a face behind something is still a whole one."""
        near = [s.place[2:] - s.place[:2] for s in self.sightings if abs(s.frame - frame) <= self.rule.steady_frames]
        if not self.rule.steady_frames or not near:
            return place
        least = _STEADY * _quantile(np.array(near), _STEADY_SHARE)
        more = np.maximum(0, least - (place[2:] - place[:2])) / 2
        larger: Place = np.concatenate([place[:2] - more, place[2:] + more])
        return larger

    def _between(self, a: Sighting, b: Sighting, frame: int) -> Place:
        """On the straight line; where a miss costs most, all that it covers half a frame sooner and later, and both ends of
        a short gap over which it went far: it may have jumped at once, where frames of the recording are missing."""
        if b.frame - a.frame < self.rule.sweep_frames and _far(a, b):
            return _union(a.place, b.place)
        share = (frame - a.frame) / (b.frame - a.frame)
        place, step = a.place + (b.place - a.place) * share, (b.place - a.place) / (b.frame - a.frame)
        if not self.rule.sweep_frames:
            return place
        return _union(place - step * _SOONER_LATER, place + step * _SOONER_LATER)

    def _carried(self, frame: int, at_end: bool) -> Place | None:
        """After its last sighting, or before its first: a calm thing for a moment, a fast one until it is out."""
        anchor = self.last if at_end else self.first
        away = abs(frame - anchor.frame)
        dash = self.dash(at_end)
        if dash is not None:
            if away > self.rule.sweep_frames + 1:
                return None
            if away == self.rule.sweep_frames + 1:
                return self._gone(anchor, dash)
            slow, fast = (anchor.place + np.tile(dash * share * away, 2) for share in _SWEEP)
            return _union(slow, fast)
        if away > self.rule.carry_frames or self.seen < 2:
            return None
        return self.thought_at(frame)


def _far(one: Sighting, other: Sighting) -> bool:
    away = np.abs(one.place[:2] + one.place[2:] - other.place[:2] - other.place[2:]).max() / 2
    return bool(away > _JUMP * min(one.size, other.size))


def _quantile(values: npt.NDArray[np.float64], share: float) -> npt.NDArray[np.float64]:
    """Of each column, between its two nearest values. NumPy's own takes 30 times as long for a few rows."""
    ordered = np.sort(values, axis=0)
    at = (len(ordered) - 1) * share
    low = int(at)
    found: npt.NDArray[np.float64] = ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (at - low)
    return found


def _union(one: Place, other: Place) -> Place:
    return np.concatenate([np.minimum(one[:2], other[:2]), np.maximum(one[2:], other[2:])])

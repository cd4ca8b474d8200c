"""Tracks while the video is read: what was seen on each frame becomes boxes without holes, about a second later.

A high score starts a track, a low one continues it, forward and backward. Positions are kept where a still camera would
see them, so that a shaken picture moves nothing. A frame is final when `LOOK_AHEAD` seconds more were seen: until then
what is seen later fills gaps in it and lets tracks reach back into it. Memory doesn't grow with the video.
Source: docs/adr/0004-trackers.md
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from detectors.boxes import overlaps, suppress
from detectors.pairing import NEXT_FRAMES, away_back_from, away_from, by_overlap, one_each, places
from detectors.path import Path, Sighting
from detectors.rules import Rule, as_written, rule_for
from evidence.track import Origin, TrackBox

LOOK_AHEAD = 1.0
"""Seconds between a frame and the last one that can change what is said about it."""

_STOOD_THERE = 0.5
"""Overlap with a sighting of the frame before from which both are of one thing that stands still."""
_SAME_THING = 0.8
"""Boxes of one frame and kind that overlap so much are two answers for one thing."""
_SEEN_ALREADY = 0.3
"""Overlap with what a path has on that frame, from which a look back saw nothing new."""
_GROW_OVERLAP = 0.2
"""Of a faint sighting with the place where a thing was thought to be before its first."""
_GROW_REACH = 5
"""Frames without a sighting that a track reaches back over, at 30 a second."""

Given = tuple[int, str, TrackBox]
"""The number of a track, its label as it seems so far, and its box."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What all models saw on one frame; row i of every column belongs together.

    Shape: `box_xyxy`: (n, 4); `score`: (n,). Units: boxes in pixels of the upright picture.
    """

    box_xyxy: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]
    label: Sequence[str]
    model: Sequence[str]
    ago: Sequence[int] = ()
    """How many frames before this one each lay there; empty: all on this one."""


@dataclass(frozen=True, slots=True)
class Over:
    """A track that has had its last box: the label and the model that saw it most surely in sum."""

    number: int
    label: str
    model: str


@dataclass(slots=True)
class _Kind:
    """What is known of all things of one kind."""

    rule: Rule
    paths: list[Path] = field(default_factory=list)
    faint: dict[int, list[Sighting]] = field(default_factory=dict)
    """What no track has yet, by frame."""


class Follower:
    """Fed frame by frame (`add`), it gives each frame's boxes once they are final (`final`).

    `thresholds` gives, by model, the score from which a detection starts a track. The same input gives the same tracks.

    Units: `frames_per_second` is taken to the nearest whole number; `size_wh`: pixels of the upright picture.
    """

    def __init__(
        self,
        thresholds: Mapping[str, float],
        frames_per_second: float,
        size_wh: tuple[int, int],
        time_base: Fraction,
        adapted: Callable[[Rule], Rule] = as_written,
    ) -> None:
        """`adapted`: what becomes of each rule where not all frames were looked at (`detectors.filled`)."""
        self.time_base = time_base
        self._thresholds, self._size_wh, self._adapted = thresholds, size_wh, adapted
        self._rate = max(1, round(frames_per_second))
        self.look_ahead = frames_ahead(frames_per_second)
        self._kinds: dict[frozenset[str], _Kind] = {}
        self._frame = -1
        self._scene_from = 0
        self._numbers = 0
        self._pts: dict[int, int] = {}
        self._camera: dict[int, npt.NDArray[np.float64]] = {-1: np.zeros(2)}
        self._doubles: dict[int, list[tuple[int, int]]] = {}
        self._final: deque[tuple[int, list[Given], list[tuple[int, int]]]] = deque()
        self._over: deque[Over] = deque()
        self.left_over: list[tuple[int, int]] = []
        """Of what belongs to no track on the frames that `final` gave last: the frame with which it was given, its row."""

    def add(self, pts: int, seen: Seen, motion: tuple[float, float] | None = None, cut: bool = False) -> None:
        """The next frame. `motion`: how far the picture's content moved since the one before, None when not known.

        Units: `motion`: pixels of the upright picture.
        """
        self._frame += 1
        frame = self._frame
        self._pts[frame] = pts
        self._camera[frame] = self._camera[frame - 1] + np.array(motion or (0.0, 0.0))
        if cut:
            self._end_scene(frame)
        now: dict[frozenset[str], list[int]] = {}
        before: dict[frozenset[str], list[int]] = {}
        for row, label in enumerate(seen.label):
            (before if seen.ago and seen.ago[row] else now).setdefault(rule_for(label).labels, []).append(row)
        for labels in (*now, *before):
            if labels not in self._kinds:
                self._kinds[labels] = _Kind(self._adapted(rule_for(min(labels)).at_rate(self._rate)))
        for labels, kind in self._kinds.items():
            looked_back = [self._sighting(seen, row) for row in before.get(labels, ())]
            self._look(kind, self._sightings(seen, now.get(labels, [])), self._new(kind, looked_back))
        if frame >= self.look_ahead:
            self._give(frame - self.look_ahead)

    def final(self) -> Iterator[tuple[int, list[Given]]]:
        """The frames that have become final since the last call, in order, each with its boxes by track."""
        self.left_over.clear()
        while self._final:
            frame, given, left_over = self._final.popleft()
            self.left_over += left_over
            yield frame, given

    def end(self) -> None:
        """There are no more frames: all become final, and all tracks are over."""
        for frame in range(max(0, self._frame - self.look_ahead + 1), self._frame + 1):
            self._give(frame)
        for kind in self._kinds.values():
            self._over += [Over(path.number, path.label, path.model) for path in kind.paths if path.number]
            kind.paths.clear()

    def over(self) -> Iterator[Over]:
        """The tracks that have had their last box since the last call."""
        while self._over:
            yield self._over.popleft()

    def _end_scene(self, frame: int) -> None:
        self._scene_from = frame
        for kind in self._kinds.values():
            for path in kind.paths:
                if path.not_after is None:
                    path.open, path.not_after = False, frame - 1

    def _sightings(self, seen: Seen, rows: Sequence[int]) -> list[Sighting]:
        """Of one kind, without second answers for one thing."""
        if not rows:
            return []
        index = np.array(rows)
        boxes, scores = seen.box_xyxy[index], seen.score[index]
        kept = np.sort(suppress(boxes, scores, np.zeros(len(index), np.int64), _SAME_THING, len(index)))
        self._double((self._frame, row) for row in np.delete(index, kept).tolist())
        return [self._sighting(seen, row) for row in index[kept].tolist()]

    def _double(self, given: Iterable[tuple[int, int]]) -> None:
        """What is no sighting of its own."""
        self._doubles.setdefault(self._frame, []).extend(given)

    def _sighting(self, seen: Seen, row: int) -> Sighting:
        # The camera of frames that are final is forgotten: such a sighting counts for nothing, see `_new`.
        frame = self._frame - (seen.ago[row] if seen.ago else 0)
        x0, y0, x1, y1 = box = seen.box_xyxy[row].astype(np.float64)
        w, h = self._size_wh
        moved = self._camera.get(frame, np.zeros(2))
        return Sighting(
            frame,
            (self._frame, row),
            box - np.concatenate([moved, moved]),
            float(seen.score[row]),
            seen.label[row],
            seen.model[row],
            _strength(float(seen.score[row]), float(np.float32(self._thresholds[seen.model[row]]))),
            (float(x0), float(y0), float(w - x1), float(h - y1)),
        )

    def _new(self, kind: _Kind, looked_back: list[Sighting]) -> bool:
        """Put in with what nobody has yet; whether there is any that no path has on its frame."""
        new = False
        for sighting in looked_back:
            paths = [path.sightings for path in kind.paths if path.first.frame <= sighting.frame <= path.last.frame]
            there = [s for sightings in paths for s in sightings if s.frame == sighting.frame]
            if sighting.frame not in self._pts or (
                there and overlaps(places([sighting]), places(there)).max() >= _SEEN_ALREADY
            ):
                self._double([sighting.given])
            else:
                kind.faint.setdefault(sighting.frame, []).append(sighting)
                new = True
        return new

    def _look(self, kind: _Kind, found: list[Sighting], looked_back: bool) -> None:
        """Sure sightings first, then faint ones, then sure ones that lie apart; what is sure and new starts a path.

        `looked_back`: whether what was seen on the frames before is more than it was.
        """
        for path in kind.paths:
            if path.open and self._frame - path.last.frame > self._bridge(path):
                path.open = False
        sure, faint = ([s for s in found if s.sure is wanted] for wanted in (True, False))
        open_paths = [path for path in kind.paths if path.open]
        for group, least in ((sure, kind.rule.least_overlap), (faint, kind.rule.faint_overlap)):
            for path, sighting in by_overlap(open_paths, group, self._frame, least):
                path.add(sighting)
                open_paths.remove(path)
                group.remove(sighting)
        for path, sighting in self._apart(open_paths, sure):
            path.add(sighting)
            open_paths.remove(path)
            sure.remove(sighting)
        if kind.rule.sweep_frames:
            following = [path for path in open_paths if path.last.frame == self._frame - 1]
            for path, sighting in self._apart(following, self._not_there_before(kind, faint)):
                path.add(sighting)
                open_paths.remove(path)
                faint.remove(sighting)
        kind.faint[self._frame] = faint
        for sighting in sure:
            new = Path(kind.rule, [], not_before=self._scene_from)
            new.add(sighting)
            kind.paths.append(new)
        for path in kind.paths:
            young = path.last.frame == self._frame and path.seen <= NEXT_FRAMES
            if path.open and not path.number and (young or looked_back):
                self._grow_back(kind, path)
        self._join(kind)

    def _bridge(self, path: Path) -> int:
        """The longest gap that may be filled: nobody knows where a fast small thing went."""
        return NEXT_FRAMES if path.dash(at_end=True) is not None else min(self.look_ahead, path.rule.bridge_frames)

    def _not_there_before(self, kind: _Kind, faint: list[Sighting]) -> list[Sighting]:
        """Without what nobody took on the frame before either: a poster that stands there is no face that jumped to it."""
        before = kind.faint.get(self._frame - 1, [])
        if not before or not faint:
            return faint
        overlap = overlaps(places(faint), places(before)).max(axis=1)
        return [sighting for sighting, most in zip(faint, overlap.tolist(), strict=True) if most < _STOOD_THERE]

    @staticmethod
    def _apart(paths: Sequence[Path], sightings: Sequence[Sighting]) -> list[tuple[Path, Sighting]]:
        fits = []
        for i, path in enumerate(paths):
            for j, sighting in enumerate(sightings):
                gap = sighting.frame - path.last.frame
                if gap > 0 and (away := away_from(path, sighting, gap)) is not None:
                    fits.append((gap, away, i, j))
        return [(paths[i], sightings[j]) for i, j in one_each(fits)]

    def _grow_back(self, kind: _Kind, path: Path) -> None:
        """Over faint sightings that nobody has, before its first."""
        reach = max(1, round(_GROW_REACH * self._rate / 30))
        frame, missed = path.first.frame, 0
        while missed < reach and frame > max(path.not_before, self._frame - self.look_ahead):
            frame -= 1
            missed += 1
            free = kind.faint.get(frame, [])
            if free:
                overlap = overlaps(np.array([path.thought_at(frame), path.first.place]), places(free)).max(axis=0)
                best = int(overlap.argmax())
                if overlap[best] >= _GROW_OVERLAP:
                    path.add(free.pop(best))
                    missed = 0
                elif kind.rule.sweep_frames and frame >= path.first.frame - NEXT_FRAMES:
                    # Further than a frame before, only what was followed back to there from a later one.
                    may = [(k, s) for k, s in enumerate(free) if s.given[0] > frame or frame == path.first.frame - 1]
                    aways = [(a, k) for k, s in may if (a := away_back_from(path, s)) is not None]
                    if aways:
                        path.add(free.pop(min(aways)[1]))
                        missed = 0

    def _join(self, kind: _Kind) -> None:
        """A young path may reach back to where another one was lost."""
        young = [p for p in kind.paths if p.open and not p.number and p.last.frame == self._frame]
        lost = [p for p in kind.paths if p.open and p.last.frame < self._frame]
        fits = []
        for i, path in enumerate(lost):
            for j, other in enumerate(young):
                gap = other.first.frame - path.last.frame
                if 0 < gap <= self._bridge(path) and (away := away_from(path, other.first, gap)) is not None:
                    fits.append((gap, away, i, j))
        for i, j in one_each(fits):
            for sighting in young[j].sightings:
                lost[i].add(sighting)
            kind.paths.remove(young[j])

    def _give(self, frame: int) -> None:
        """What is known now about a frame is final."""
        left_over = self._doubles.pop(frame, [])
        boxes: list[tuple[Path, TrackBox]] = []
        for kind in self._kinds.values():
            for path in list(kind.paths):
                if path.confirmed and (box := self._box(path, frame)):
                    boxes.append((path, box))
                    path.forget_before(frame)
                elif path.number:
                    self._over.append(Over(path.number, path.label, path.model))
                    kind.paths.remove(path)
                elif path.first.frame == frame:
                    left_over.append(path.drop_first().given)
                    if not path.sightings:
                        kind.paths.remove(path)
            left_over += [s.given for s in kind.faint.pop(frame, [])]
        for path, _ in sorted(boxes, key=lambda there: (there[0].label, there[1].box_xyxy)):
            if not path.number:
                self._numbers += 1
                path.number = self._numbers
        given = sorted(((path.number, path.label, box) for path, box in boxes), key=lambda one: one[0])
        self._final.append((frame, given, sorted(left_over)))
        self._pts.pop(frame)
        self._camera.pop(frame - 1)

    def _box(self, path: Path, frame: int) -> TrackBox | None:
        there = path.at(frame)
        if there is None:
            return None
        place, score, origin = there
        across, down = self._camera[frame].tolist()
        x0, y0, x1, y1 = place.tolist()
        x0, y0, x1, y1 = x0 + across, y0 + down, x1 + across, y1 + down
        w, h = self._size_wh
        outside = x1 <= 0 or y1 <= 0 or x0 >= w or y0 >= h
        if outside and (frame > path.last.frame or not path.number) and origin is Origin.TRACKED:
            return None
        least = min(1.0, w, h)
        x0, y0 = min(max(x0, 0.0), w - 1), min(max(y0, 0.0), h - 1)
        x1, y1 = min(max(x1, x0 + least), w), min(max(y1, y0 + least), h)
        x0, y0, x1, y1 = (round(float(edge), 2) for edge in (x0, y0, x1, y1))
        return TrackBox(frame, self._pts[frame], (x0, y0, x1, y1), score, origin)


def frames_ahead(frames_per_second: float) -> int:
    """`LOOK_AHEAD` in frames, at the rate that a follower takes."""
    return max(1, round(LOOK_AHEAD * max(1, round(frames_per_second))))


def _strength(score: float, threshold: float) -> float:
    return (score - threshold) / max(1e-6, 1 - threshold)

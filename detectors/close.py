"""Close looks at small faces: parts of the picture at its own size, and faces known from there at twice that.

A whole look at a full-HD picture's own width costs four times one at 960. So the picture is walked through in tiles
of that size, one at a time, and what was found is looked at again, enlarged: a face of twenty pixels scores twice as high
at twice its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from detectors.boxes import middles_apart, suppress
from detectors.detector import Boxes, Picture, Scores, View
from detectors.look_back import Earlier, LookBack
from detectors.parts import LookAtEach, least_side, look_at_parts, part_around, shown_wh
from detectors.plan import Now, Record

_WIDEST, _LEAST = 1920, 1280
"""Longer side of the picture as the tiles show it: its own, within these."""
_OVERLAP = 48
"""Least overlap of neighbouring tiles: a small face lies whole in one of them."""
_TILE_EVERY, _FACES_EVERY = 5, 2
"""Frames from tiles to the next ones, at least, and from one look at known faces."""
_TILES = 2
"""Tiles on one frame: with one, a full-HD picture is gone over every 36 frames, and who walks through it is missed."""
_FITS = 0.96
"""By so much smaller the tiles show the picture, so that two of 960 pixels span a full-HD one."""
_MOST, _FAINT = 16, 12
"""Known faces that are looked at on one frame, and how many of them may be such as were never seen surely."""
_REST = 2
"""Frames from one close look at a face to the next, at least, while the camera is calm."""
_BACK_APART = 3
"""Frames from one look back to the next, at 30 a second: a track is joined over five."""
GLIMPSE = 0.5
"""Share of the least score from which something in a tile is worth a closer look."""
_SMALL = 48
"""Longest side, in pixels of the tiles, of a face that is worth a close look: the whole look finds larger ones."""
_SAME = 0.3
_STEP = 1.5
"""Sides of a face that it may have moved since it was last seen."""
_STAYS, _LONGEST_REST = 0.25, 16
"""Sides of itself by which a face that stays may move, and frames: a poster needs no look every other frame."""
_MISSES_SURE, _MISSES_FAINT = 4, 1
"""Close looks in a row that may see nothing before a face is given up."""

Box = tuple[int, int, int, int]


@dataclass(slots=True, eq=False)
class _Known:
    """A small face somewhere in the picture."""

    box: Boxes
    """Shape: (4,)."""
    score: float
    sure: bool
    looked: int
    """Number of the frame of the last close look; before the first: of the frame in which it was found, less a lot."""
    seen: int
    """Number of the frame on which it was last seen, at whatever look."""
    misses: int = 0
    rest: int = _REST
    """Frames from one close look to the next: more and more while the face stays where it is."""


class CloseLooks:
    """Remembers the small faces of a video, and says at each frame what a close look adds. Frames come in order."""

    def __init__(
        self,
        look: LookAtEach,
        size_wh: tuple[int, int],
        low: float,
        threshold: float,
        looks: Record,
        sheet_wh: tuple[int, int],
    ) -> None:
        """`look` gives scores from GLIMPSE × `low` on.

        `low`: the least score that is given on; `threshold`: the one that starts a track; `looks`: where what was
        looked at is written down; `sheet_wh`: the size of the picture that a tile is shown in.
        """
        self._looks = looks
        self._look, self._size_wh, self._low, self._threshold = look, size_wh, low, threshold
        longest = max(size_wh)
        self.scale = min(_WIDEST, max(_LEAST, longest)) / longest
        self.sheet_wh = sheet_wh
        self._tile_scale = self.scale * _FITS
        self._tiles = tiles(size_wh, self.sheet_wh, self._tile_scale)
        self.tiles_at_once = min(_TILES, len(self._tiles))
        self.largest = _SMALL / self.scale
        """Longest side, in pixels of the picture, of a face that close looks are for."""
        self._tiled = self._faced = -1000
        self._known: list[_Known] = []
        self._new: list[Boxes] = []
        """Of this frame: what is seen surely for the first time."""
        self._back = LookBack(look, size_wh, low, self.scale, looks, _BACK_APART)
        self._number = 0
        self._next_tile = 0

    def at(
        self, view: View, now: Now, box: Boxes, score: Scores, regular: bool = True
    ) -> tuple[Boxes, Scores, list[Earlier]]:
        """What is seen closely in this frame, after the whole look, which found `box` and `score`; and what is seen now
        on the frames before, where something is new. `regular`: a frame for close looks, and not one between."""
        self._number = now.number
        if view.upright_size_wh != self._size_wh or min(self._size_wh) < least_side(self.scale):
            return box[:0], score[:0], []
        self._new.clear()
        close, sure = self._now(view, now, box, score) if regular else (box[:0], score[:0])
        self._back.passed(view, now, np.concatenate([box, close]))
        self._back.new(self._new)
        return close, sure, self._back.back()

    def _now(self, view: View, now: Now, box: Boxes, score: Scores) -> tuple[Boxes, Scores]:
        sure = score >= self._threshold
        self._meet(box[sure & self._small(box)], score[sure & self._small(box)])
        found = [(box[:0], score[:0])]
        if now.since - self._tiled >= _TILE_EVERY:
            self._tiled = now.since
            found += self._next_tiles(view)
        due = [k for k in self._known if k.seen != now.number and (now.number - k.looked >= k.rest or not now.calm)]
        if due and now.since - self._faced >= _FACES_EVERY:
            self._faced = now.since
            found.append(self._faces(view, due))
        box, score = (np.concatenate(columns) for columns in zip(*found, strict=True))
        return box[score >= self._low], score[score >= self._low]

    def _next_tiles(self, view: View) -> list[tuple[Boxes, Scores]]:
        some = [self._tiles[(self._next_tile + n) % len(self._tiles)] for n in range(self.tiles_at_once)]
        self._next_tile += len(some)
        for _ in some:
            self._looks.add("tile", self.sheet_wh, self._number)
        looks = self._look([partial(self._sheet, view, tile) for tile in some])
        return [self._placed(tile, *seen) for tile, seen in zip(some, looks, strict=True)]

    def _sheet(self, view: View, tile: Box) -> Picture:
        x0, y0, x1, y1 = tile
        w, h = (
            min(most, round(side * self._tile_scale)) for most, side in zip(self.sheet_wh, (x1 - x0, y1 - y0), strict=True)
        )
        sheet = np.zeros((self.sheet_wh[1], self.sheet_wh[0], 3), np.uint8)
        sheet[:h, :w] = view.part_rgb(tile, (w, h))
        return sheet

    def _placed(self, tile: Box, box: Boxes, score: Scores) -> tuple[Boxes, Scores]:
        """What was seen in a tile's sheet, in pixels of the picture, as far as it is small; taken in."""
        x0, y0, x1, y1 = tile
        box = np.clip(box / self._tile_scale, 0, [x1 - x0, y1 - y0] * 2).astype(np.float32) + np.array(
            [x0, y0] * 2, np.float32
        )
        small = self._small(box)
        box, score = box[small], score[small]
        self._meet(box, score)
        return box, score

    def _faces(self, view: View, due: Sequence[_Known]) -> tuple[Boxes, Scores]:
        surely = sum(known.sure for known in due)
        most = min(_MOST, surely + _FAINT)
        chosen = sorted(due, key=lambda known: (not known.sure, known.looked, -known.score))[:most]
        before = [known.box for known in chosen]
        parts = [(view, part_around(known.box, self.scale, self._size_wh)) for known in chosen]
        self._looks.add("faces", shown_wh(len(parts)), self._number)
        seen = look_at_parts(self._look, parts)
        box, score = np.concatenate([found for found, _ in seen]), np.concatenate([found for _, found in seen])
        box = np.clip(box, 0, np.array(self._size_wh * 2)).astype(np.float32)
        for known in chosen:
            known.looked, known.misses = self._number, known.misses + 1
        # Neighbours in the picture lie in each other's cells: one face can have been seen in several.
        small = np.flatnonzero(self._small(box))
        kept = small[suppress(box[small], score[small], np.zeros(len(small), np.int64), _SAME, len(small))]
        box, score = box[kept], score[kept]
        self._meet(box, score)
        for known, box_before in zip(chosen, before, strict=True):
            stays = float(_apart(known.box[None], box_before[None])[0, 0]) <= _STAYS
            known.rest = min(_LONGEST_REST, 2 * known.rest) if stays and known.misses == 0 else _REST
        self._known = [k for k in self._known if k.misses < (_MISSES_SURE if k.sure else _MISSES_FAINT)]
        return box, score

    def _meet(self, box: Boxes, score: Scores) -> list[_Known]:
        """Take in what was found; the faces known before that were not among it."""
        before = list(self._known)
        met: set[int] = set()
        apart = _apart(box, np.array([known.box for known in before], np.float32).reshape(-1, 4))
        for number, (found, sure) in enumerate(zip(box, score.tolist(), strict=True)):
            nearest = int(apart[number].argmin()) if before else -1
            if before and apart[number, nearest] <= _STEP:
                known = before[nearest]
                known.box, known.score, known.misses, known.seen = found, sure, 0, self._number
                if sure >= self._threshold and not known.sure:
                    known.sure = True
                    self._new.append(found)
                met.add(nearest)
            else:
                self._known.append(_Known(found, sure, sure >= self._threshold, self._number - 1000, self._number))
                if sure >= self._threshold:
                    self._new.append(found)
        return [known for number, known in enumerate(before) if number not in met]

    def _small(self, box: Boxes) -> np.ndarray:
        small: np.ndarray = (box[:, 2:] - box[:, :2]).max(axis=1, initial=0) * self.scale <= _SMALL
        return small


def tiles(size_wh: tuple[int, int], sheet_wh: tuple[int, int], scale: float) -> list[Box]:
    """Boxes of the picture that fill a sheet each, and together cover it with an overlap."""
    along = []
    for whole, sheet in zip(size_wh, sheet_wh, strict=True):
        side = min(whole, int(sheet / scale))
        overlap = min(_OVERLAP, sheet // 2) / scale
        count = 1 if side == whole else math.ceil((whole - overlap) / (side - overlap))
        along.append([(round(i * (whole - side) / max(1, count - 1)), side) for i in range(count)])
    return [(x, y, x + w, y + h) for y, h in along[1] for x, w in along[0]]


def _apart(one: Boxes, other: Boxes) -> np.ndarray:
    """How far the middles lie apart, by the larger one's longer side. Shape: (n, 4), (m, 4) to (n, m)."""
    sides = [np.maximum(1, (box[:, 2:] - box[:, :2]).max(axis=1, initial=1)) for box in (one, other)]
    away: np.ndarray = middles_apart(one, other) / np.maximum(sides[0][:, None], sides[1][None, :])
    return away

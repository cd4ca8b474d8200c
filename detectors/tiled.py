"""Looking in tiles at what is small in the picture, people and vehicles from above; and whether footage needs that.

The object model sees a picture scaled to its input. Where what is there is small, it looks at the whole as ever, and ten
times a second at overlapping tiles as well, larger (`detectors.tiles`). The plan comes from the camera's height and field of
view where they are known; else a few frames of the whole video are looked at both ways before anything else. These frames,
and so the answer, are the same whichever segment is worked on. Footage that gains nothing is looked at as if there were no
tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from detectors.boxes import overlaps
from detectors.detector import NOTHING, Found, Picture, View, whole_look
from detectors.plan import Due, Now, Record
from detectors.rules import rule_for
from detectors.tiles import Sights, cut_sides, layout, merged
from detectors.yolo import STRIDE_WHEN_CALM, Yolo
from evidence.errors import BadInput

AUTO, OFF = "auto", "off"
SIDE = 640
"""Longest side of a tile in the network, what the weights were trained with."""
LEAST_SIDE = 160
"""Smaller tiles are mostly overlap."""
_APART = Fraction(1, 10)
"""Seconds from one look at the tiles to the next, at least: tracks bridge twice as much."""
_LARGER = 1.2
"""A picture less than so many times as large as the whole look shows it gains nothing from tiles."""
_SMALL = 72
"""Where things measure more than so many pixels of the whole look (the median of their longer sides), it sees them well."""
_NEW_LEAST, _NEW_SHARE = 2, 0.2
"""Tiles pay from so many things, and such a share of all, that only they see on the frames both looked at."""
_NEARLY = 0.8
"""A smaller scale that finds this share of the new things is preferred: it takes a fraction of the time."""
_SEEN_BEFORE = 0.3
_LARGE = 0.4
"""Share of SIDE: what is larger in a tile, the whole look sees as well as ever, or it is a bush."""
_DOUBT = 0.9
"""What a score in a tile counts for: enlarged, more things look like cars. On AU-AIR's pictures precision is kept so."""
_HIGHEST_M = 50_000
_PERSON_M, _PERSON_PIXELS = 1.0, 32
"""Metres that a person measures from above, between half a metre straight down and 1.7 from the side, and the pixels of
the network that it takes to see that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted, and what is known of the camera. Units: `side`: pixels of the picture."""

    mode: str = AUTO
    side: int = 0
    """Of the tiles, where a person chose it."""
    height_m: float | None = None
    """Of the camera over the ground."""
    view_deg: float | None = None
    """Its field of view along the picture's longer side."""

    @classmethod
    def read(cls, value: Mapping[str, Any] | None) -> Asked:
        """From DETECT's parameter `tiles`. Raises: BadInput for another mode, or tiles that are too small."""
        value = value or {}
        mode = str(value.get("mode", AUTO))
        height, view = value.get("height_m"), value.get("view_deg")
        if mode in (AUTO, OFF):
            if height is None or view is None or not (0 < float(height) < _HIGHEST_M and 0 < float(view) < 180):
                return cls(mode)
            return cls(mode, 0, float(height), float(view))
        if not mode.isdecimal() or int(mode) < LEAST_SIDE:
            raise BadInput(
                f"{mode!r} is no way to look in tiles",
                hint=f"Give auto, off, or the side of a tile in pixels, {LEAST_SIDE} or more.",
            )
        return cls(mode, int(mode))


@dataclass(frozen=True, slots=True)
class TilePlan:
    """How tiles are looked at. `scale`: pixels of the network for one of the picture; `side`: of a tile in the network."""

    scale: float
    side: int

    def tile_wh(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """Of every tile of a picture, in pixels of the network."""
        x0, y0, x1, y1 = layout(size_wh, self.scale, self.side)[0]
        return max(1, round((x1 - x0) * self.scale)), max(1, round((y1 - y0) * self.scale))

    def to_json(self, size_wh: tuple[int, int]) -> dict[str, Any]:
        boxes = layout(size_wh, self.scale, self.side)
        return {"scale": round(self.scale, 4), "side": self.side, "count": len(boxes)}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The plan, or None to look at the whole alone; why, in words; and what was measured for it."""

    plan: TilePlan | None
    why: str
    measured: Mapping[str, Any] | None = None

    def to_json(self, size_wh: tuple[int, int]) -> dict[str, Any]:
        return {"tiles": self.plan and self.plan.to_json(size_wh), "why": self.why, "measured": self.measured}


PartAt = Callable[[tuple[int, int]], Yolo]
"""The same model for tiles of this size, in pixels of the network."""


def choose(
    asked: Asked, whole: Yolo, part_at: PartAt, size_wh: tuple[int, int], sure: float, samples: Callable[[], Sequence[View]]
) -> Chosen:
    """`samples` gives a few frames of the whole video, when they are needed; `sure` is the score that starts a track."""
    fits = max(whole.picture_wh) / max(size_wh)
    if asked.mode == OFF:
        return Chosen(None, "not wanted")
    if asked.side:
        return Chosen(TilePlan(min(1.0, SIDE / asked.side), min(SIDE, asked.side)), "asked for")
    if fits * _LARGER >= 1:
        return Chosen(None, "the whole look shows the picture in nearly its own size")
    if asked.height_m is not None and asked.view_deg is not None:
        return _by_height(asked.height_m, asked.view_deg, size_wh, fits)
    return _by_size(whole, part_at, size_wh, sure, samples())


def _by_height(height_m: float, view_deg: float, size_wh: tuple[int, int], fits: float) -> Chosen:
    """A person straight below is to be seen; one further away is smaller."""
    metres = 2 * height_m * math.tan(math.radians(view_deg) / 2)
    person = _PERSON_M * max(size_wh) / max(metres, 1e-3)
    measured = {"height_m": height_m, "view_deg": view_deg, "person_pixels": round(min(person, max(size_wh)), 1)}
    scale = min(1.0, _PERSON_PIXELS / person)
    if scale <= fits * _LARGER:
        return Chosen(None, "by height and field of view, the whole look shows a person large enough", measured)
    return Chosen(TilePlan(scale, SIDE), "by height and field of view, a person is small", measured)


def _by_size(whole: Yolo, part_at: PartAt, size_wh: tuple[int, int], sure: float, samples: Sequence[View]) -> Chosen:
    samples = [view for view in samples if view.upright_size_wh == size_wh]
    fits = max(whole.picture_wh) / max(size_wh)
    seen = [whole_look(whole, view) for view in samples]
    sides = [side for found in seen for side in _sides(found, sure) * fits]
    median = float(np.median(sides)) if sides else None
    measured: dict[str, Any] = {"frames": len(samples), "seen": len(sides), "median_side": median and round(median, 1)}
    if median is not None and median > _SMALL:
        return Chosen(None, "what is seen is large enough for the whole look", measured)
    plans = [TilePlan(scale, SIDE) for scale in _scales(fits)]
    gains = []
    for plan in plans:
        part = part_at(plan.tile_wh(size_wh))
        gains.append(sum(_new(plan, part, size_wh, view, found, sure) for view, found in zip(samples, seen, strict=True)))
    measured["new_by_scale"] = {f"{plan.scale:.3f}": gain for plan, gain in zip(plans, gains, strict=True)}
    best = max(gains)
    if best < max(_NEW_LEAST, _NEW_SHARE * len(sides)):
        return Chosen(None, "tiles show next to nothing that the whole look misses", measured)
    plan = next(plan for plan, gain in zip(plans, gains, strict=True) if gain >= _NEARLY * best)
    return Chosen(plan, "tiles show what the whole look misses", measured)


def _scales(fits: float) -> list[float]:
    """Twice as large as the whole look, four times, … up to the picture's own size."""
    scales = []
    scale = 2 * fits
    while scale < 0.75:
        scales.append(scale)
        scale *= 2
    return [*scales, 1.0]


def _sides(found: Found, sure: float) -> np.ndarray:
    box = found.box_xyxy[found.score >= sure]
    sides: np.ndarray = (box[:, 2:] - box[:, :2]).max(axis=1, initial=0)
    return sides


def _new(plan: TilePlan, part: Yolo, size_wh: tuple[int, int], view: View, seen: Found, sure: float) -> int:
    """How many things tiles show surely that the whole look didn't see at all."""
    closely = merged(Sights.of(_looks(plan, part, size_wh, view)), _kind)
    box = closely.box_xyxy[closely.score >= sure]
    return int((overlaps(box, seen.box_xyxy).max(axis=1, initial=0) < _SEEN_BEFORE).sum())


def _kind(label: str) -> frozenset[str]:
    return rule_for(label).labels


def _looks(plan: TilePlan, part: Yolo, size_wh: tuple[int, int], view: View) -> list[tuple[Found, np.ndarray]]:
    looks = []
    for tile in layout(size_wh, plan.scale, plan.side):
        x0, y0, x1, y1 = tile
        found = part.detect(view.part_rgb(tile, part.picture_wh))
        w, h = part.picture_wh
        scale = np.array([(x1 - x0) / w, (y1 - y0) / h] * 2, np.float32)
        sides = (found.box_xyxy[:, 2:] - found.box_xyxy[:, :2]).max(axis=1, initial=0)
        small = np.flatnonzero(sides <= _LARGE * SIDE)
        box = found.box_xyxy[small] * scale + np.array([x0, y0] * 2, np.float32)
        score = (found.score[small] * np.float32(_DOUBT)).astype(np.float32)
        moved = Found(box, score, tuple(found.label[i] for i in small))
        looks.append((moved, cut_sides(box, tile, size_wh, plan.scale)))
    return looks


class Tiled:
    """The object model looking at the whole and, ten times a second, at tiles; a detector as any other."""

    def __init__(self, whole: Yolo, part_at: PartAt, plan: TilePlan, size_wh: tuple[int, int]) -> None:
        self._whole, self._part = whole, part_at(plan.tile_wh(size_wh))
        self._plan, self._size_wh = plan, size_wh
        self.name, self.labels, self.runtime = whole.name, whole.labels, whole.runtime
        self.looks = Record()
        self.begin()

    @property
    def picture_wh(self) -> tuple[int, int]:
        return self._whole.picture_wh

    def detect(self, picture: Picture) -> Found:
        """A still: at both the whole and the tiles; the whole alone where it is of another size."""
        return self._closely(Still(picture), self._whole.detect(picture))

    def begin(self) -> None:
        self._due = Due(STRIDE_WHEN_CALM)
        self._last: Fraction | None = None

    def look(self, view: View, now: Now) -> Found:
        if not self._due.at(now):
            return NOTHING
        self.looks.add("whole", self._whole.picture_wh, now.number)
        found = whole_look(self._whole, view)
        self._due.saw(now, found.box_xyxy)
        if self._last is not None and now.second - self._last < _APART and not now.must_look:
            return found
        self._last = now.second
        self.looks.add("tiles", self._part.picture_wh, now.number)
        return self._closely(view, found)

    def _closely(self, view: View, whole: Found) -> Found:
        if view.upright_size_wh != self._size_wh:
            return whole
        looks = _looks(self._plan, self._part, self._size_wh, view)
        return merged(Sights.of([(whole, np.zeros((len(whole), 4), np.bool_)), *looks]), _kind)


@dataclass(frozen=True, slots=True)
class Still:
    """A still picture as a view. Shape: `picture`: (h, w, 3), RGB, upright."""

    picture: Picture

    @property
    def upright_size_wh(self) -> tuple[int, int]:
        return (self.picture.shape[1], self.picture.shape[0])

    def small_rgb(self, size_wh: tuple[int, int]) -> Picture:
        return self.part_rgb((0, 0, *self.upright_size_wh), size_wh)

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_wh: tuple[int, int]) -> Picture:
        x0, y0, x1, y1 = box_xyxy
        part = np.ascontiguousarray(self.picture[y0:y1, x0:x1])
        if (x1 - x0, y1 - y0) == size_wh:
            return part
        shrinking = y1 - y0 > size_wh[1]
        scaled: Picture = cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
        return scaled

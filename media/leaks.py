"""Whether what should be hidden is hidden: a copy's decoded pixels beside its source's, at every true box.

A box is compared by the middle of its area, brought to a small square of luma. It *leaks* when the copy shows the same
pattern (correlation), the same details (correlation of a band of spatial frequencies, which sees through transparency,
negatives and light blur), or when a part of the detail was left as it was. It leaks *fully* when the whole is in view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from evidence.figures import told
from evidence.ports import Progress
from evidence.truth import Truth, TruthBox
from media import container
from media.frames import Frame, read_frames

_MIDDLE = 0.8
"""Share of a box's sides that is compared: its rim is background."""
_SIDE = 32
_BAND = (3.2, 10.0)
"""Cycles per compared side in which features of a face and characters of a plate lie: 4 to 12.5 per box."""
_SAME_PATTERN, _SAME_DETAIL, _ALL_DETAIL, _LEFT_OPEN = 0.97, 0.45, 0.70, 0.20
_LEAST_SIDE = 4
"""Pixels; nothing can be made out in less."""
_CHANGED = 24
"""Steps of 255 in a colour, after a mean over 5 × 5, that are more than recompression does."""
_AROUND = 1.5
"""A mask may be so many times as large as the box before it counts as hiding too much."""

_Grey = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much of a box is still to be seen in the copy; each from 0 to 1."""

    pattern: float
    detail: float
    left_open: float

    @property
    def leaks(self) -> bool:
        return self.pattern >= _SAME_PATTERN or self.detail >= _SAME_DETAIL or self.left_open >= _LEFT_OPEN

    @property
    def leaks_fully(self) -> bool:
        return self.pattern >= _SAME_PATTERN or self.detail >= _ALL_DETAIL


@dataclass(slots=True)
class _Account:
    leaked: dict[int, dict[int, bool]] = field(default_factory=dict)
    fully: dict[int, dict[int, bool]] = field(default_factory=dict)
    where: list[dict[str, Any]] = field(default_factory=list)
    too_small: int = 0
    changed: list[float] = field(default_factory=list)

    def add(self, frame: int, box: TruthBox, likeness: Likeness | None) -> None:
        if likeness is None:
            self.too_small += 1
            return
        self.leaked.setdefault(box.identity, {})[frame] = likeness.leaks
        self.fully.setdefault(box.identity, {})[frame] = likeness.leaks_fully
        if likeness.leaks:
            self.where.append({"frame": frame + 1, "identity": box.identity, "fully": likeness.leaks_fully})


def judge(source: Path, stream_index: int, copy: Path, truth: Truth, progress: Progress) -> dict[str, Any]:
    """Every true box of `source` looked for in `copy`: `problems`, and without any `leaked`, `leaked_fully` (as
    `evidence.figures.told`), `too_small`, `over_redaction` (mean share of a picture) and `where` (frames from 1).

    `problems` says why the two can't be compared frame for frame: then no figure would mean anything, and there is none.

    Raises: CorruptMedia, UnsupportedMedia, TooLarge.
    """
    account = _Account()
    problems: list[str] = []
    frames = [0, 0]
    late_s, last = 0.0, max(truth, default=0) + 1
    with read_frames(source, stream_index) as ours, read_frames(copy, _first_video(copy)) as theirs:
        limit_s = float(ours.step * ours.time_base) / 2
        starts: tuple[float, float] | None = None
        for at, (before, after) in enumerate(zip_longest(ours, theirs)):
            frames[0] += before is not None
            frames[1] += after is not None
            if before is None or after is None or problems:
                continue
            if before.upright_size_wh != after.upright_size_wh:
                problems.append(f"the picture was {_size(before)} and is {_size(after)}")
                continue
            seconds = (float(before.moment.seconds), float(after.moment.seconds))
            starts = starts or seconds
            late_s = max(late_s, abs((seconds[0] - starts[0]) - (seconds[1] - starts[1])))
            _look(at, before, after, [box for box in truth.get(at, ()) if box.judged], account)
            progress(at + 1, max(last, at + 1))
    if frames[0] != frames[1]:
        problems.append(f"{frames[0]} frames became {frames[1]}")
    if late_s > limit_s:
        problems.append(f"frames are shown up to {late_s:.3f} s off their time")
    if problems:
        return {"problems": problems}
    return {
        "problems": [],
        "frames": frames[0],
        "leaked": told(account.leaked),
        "leaked_fully": told(account.fully),
        "too_small": account.too_small,
        "over_redaction": float(np.mean(account.changed)) if account.changed else None,
        "where": account.where,
    }


def _look(at: int, before: Frame, after: Frame, boxes: Sequence[TruthBox], account: _Account) -> None:
    pictures = before.rgb(), after.rgb()
    account.changed.append(changed_around(*pictures, boxes))
    if boxes:
        greys = tuple(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures)
        for box in boxes:
            rows, columns = _cut(box, _MIDDLE, greys[0].shape)
            account.add(at, box, likeness(*(grey[rows, columns] for grey in greys)))


def likeness(source: npt.NDArray[np.uint8], copy: npt.NDArray[np.uint8]) -> Likeness | None:
    """Two cuts of luma, of one shape; None for less than can show anything."""
    if min(source.shape) < _LEAST_SIDE:
        return None
    mode = cv2.INTER_AREA if min(source.shape) >= _SIDE else cv2.INTER_LINEAR
    ours, theirs = (cv2.resize(cut.astype(np.float32), (_SIDE, _SIDE), interpolation=mode) for cut in (source, copy))
    return Likeness(_alike(ours, theirs), _alike(_details(ours), _details(theirs)), _left_open(ours, theirs))


def changed_around(source: npt.NDArray[np.uint8], copy: npt.NDArray[np.uint8], boxes: Sequence[TruthBox]) -> float:
    """The share of a picture that is visibly another, outside all boxes and some room around each."""
    step = cv2.blur(cv2.absdiff(source, copy), (5, 5)).max(axis=2)
    for box in boxes:
        step[_cut(box, _AROUND, step.shape)] = 0
    return float((step > _CHANGED).mean())


def _cut(box: TruthBox, by: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (round(side) for side in box.scaled(by))
    return (slice(max(0, y0), max(0, min(y1, shape[0]))), slice(max(0, x0), max(0, min(x1, shape[1]))))


def _alike(first: _Grey, second: _Grey) -> float:
    """The absolute correlation; 0 where one of them is flat."""
    a, b = (values.ravel() - values.mean() for values in (first, second))
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return abs(float(a @ b)) / length if length > 1e-6 else 0.0


def _details(square: _Grey) -> _Grey:
    details: _Grey = cv2.idct(cv2.dct(square) * _band())
    return details


@cache
def _band() -> _Grey:
    waves = np.hypot(*np.ogrid[:_SIDE, :_SIDE]) / 2
    return ((waves >= _BAND[0]) & (waves <= _BAND[1])).astype(np.float32)


def _left_open(source: _Grey, copy: _Grey) -> float:
    """The share of the fine structure that lies where the copy differs by less than that structure."""
    energy = _near((source - cv2.GaussianBlur(source, (0, 0), 2.0)) ** 2) + 1e-6
    untouched = _near((copy - source) ** 2) < energy / 2
    return float((energy * untouched).sum() / energy.sum())


def _near(values: _Grey) -> _Grey:
    mean: _Grey = cv2.GaussianBlur(values, (0, 0), 1.5)
    return mean


def _size(frame: Frame) -> str:
    return " × ".join(map(str, frame.upright_size_wh))


def _first_video(path: Path) -> int:
    with container.open_media(path) as opened:
        stream = opened.streams.best("video")
        return 0 if stream is None else stream.index

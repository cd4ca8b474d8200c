"""Where looking pays: on which frames a detector looks at the whole picture, decided as the video goes, and recorded.

What is hidden of itself, faces and plates, is looked for in every frame. Objects are passed over where the camera stands
still, nothing is new, lost or fast, and the time since the last look is shorter than what a mask lives around its track.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.boxes import overlaps
from detectors.motion import Motion

CALM = 0.0025
"""Share of the picture's width or height that a calm camera moves by from one frame to the next, at most: 1 % in the four
frames of a stride. With 1 % a frame, a drone's clip lost a tenth of its boxes."""
_SURE = 0.05
"""Least response of a phase correlation that says something; what says nothing is no calm."""
_FAST = 0.25
"""Sides of itself by which a thing may move from one frame to the next; the mask's margin holds that for a look or two."""
_SAME_IOU = 0.1


@dataclass(frozen=True, slots=True)
class Now:
    """What is known of a frame before anything looks at it."""

    number: int
    """Frames of this reading, from 0."""
    since: int
    """Frames since the detectors last began anew (`Detector.begin`), from 0."""
    second: Fraction
    motion: Motion
    must_look: bool = False
    """Every detector looks at every frame: a person wants it so."""
    held: int | None = None
    """How many frames before it may still be read; None: all that are kept. Others may be painted on by now."""

    @property
    def calm(self) -> bool:
        return (
            not self.must_look
            and not self.motion.cut
            and self.motion.response >= _SURE
            and max(map(abs, self.motion.shift_wh)) < CALM
        )


@dataclass(frozen=True, slots=True)
class Stride:
    """How far apart whole looks may be on a calm picture, at most; both hold."""

    frames: int
    """A mask lives five frames before and after its track (`evidence.redaction.Margin`): a stride is shorter."""
    seconds: Fraction


EVERY_FRAME = Stride(1, Fraction(0))


class Due:
    """Says whether a whole look is due, from the moments and the answers of those before."""

    def __init__(self, stride: Stride) -> None:
        self._stride = stride
        self._last: Now | None = None
        self._second = Fraction(0)
        self._box = np.zeros((0, 4), np.float32)
        self._steady = False

    def at(self, now: Now) -> bool:
        last, step = self._last, now.second - self._second
        self._second = now.second
        if last is None or not now.calm or not self._steady:
            return True
        too_late = now.second + step - last.second > self._stride.seconds
        return too_late or now.number - last.number >= self._stride.frames

    def saw(self, now: Now, box_xyxy: npt.NDArray[np.float32]) -> None:
        """The boxes of a whole look that matter: those that nothing else watches."""
        frames = now.number - self._last.number if self._last else 0
        self._steady = frames > 0 and _steady(self._box, box_xyxy, _FAST * frames)
        self._last, self._box = now, box_xyxy


def _steady(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32], most: float) -> bool:
    """Whether every box has one in the other look that it overlaps, not further away than `most` of its sides."""
    if len(before) != len(after):
        return False
    if not len(before):
        return True
    iou = overlaps(before, after)
    nearest = iou.argmax(axis=1)
    if len(set(nearest.tolist())) < len(before) or (iou.max(axis=1) < _SAME_IOU).any():
        return False
    middles = [(box[:, :2] + box[:, 2:]) / 2 for box in (before, after[nearest])]
    sides = np.sqrt(np.maximum(1e-6, (before[:, 2:] - before[:, :2]).prod(axis=1)))
    return bool((np.abs(middles[0] - middles[1]).max(axis=1) <= most * sides).all())


@dataclass(slots=True)
class Record:
    """The plan as it was carried out: each kind of look, the size of its input, and its frames."""

    _runs: dict[tuple[str, tuple[int, int]], list[list[int]]] = field(default_factory=dict)

    def add(self, look: str, input_wh: tuple[int, int], frame: int) -> None:
        runs = self._runs.setdefault((look, input_wh), [])
        if runs:
            first, count, step = runs[-1]
            if count == 1 or frame == first + count * step:
                runs[-1] = [first, count + 1, frame - first if count == 1 else step]
                return
        runs.append([frame, 1, 1])

    def to_json(self) -> list[dict[str, Any]]:
        """`frames`: runs of [first, count, step], frames of this reading from 0."""
        return _looks_to_json(self._runs)


def joined(plans: Sequence[Mapping[str, Any]], frames: Sequence[int]) -> dict[str, Any]:
    """The plan of a whole video from those of its segments (`workers.tasks.detect`), in order; `frames`: of each."""
    models: dict[str, dict[tuple[str, tuple[int, int]], list[list[int]]]] = {}
    before = 0
    for plan, count in zip(plans, frames, strict=True):
        for model, looks in plan["looks"].items():
            for look in looks:
                w, h = look["input_wh"]
                runs = models.setdefault(model, {}).setdefault((look["look"], (w, h)), [])
                runs += [[first + before, times, step] for first, times, step in look["frames"]]
        before += count
    tiles = {model: how for plan in plans for model, how in plan["tiles"].items()}
    return {**plans[0], "looks": {model: _looks_to_json(runs) for model, runs in models.items()}, "tiles": tiles}


def _looks_to_json(looks: Mapping[tuple[str, tuple[int, int]], list[list[int]]]) -> list[dict[str, Any]]:
    return [
        {"look": look, "input_wh": list(input_wh), "count": sum(run[1] for run in runs), "frames": runs}
        for (look, input_wh), runs in looks.items()
    ]

"""What a person says is in a video: boxes in a MOT text file, one line for each thing on each frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from evidence.errors import BadInput

_NUMBERS = 6
_FORM = (
    "A line is frame,id,x,y,w,h[,score]: frames from 1, x and y the box's top left corner in pixels of the upright picture."
)


@dataclass(frozen=True, slots=True)
class TruthBox:
    """One thing on one frame. Units: pixels of the upright picture."""

    identity: int
    box_xyxy: tuple[float, float, float, float]
    judged: bool
    """False: whether it is hidden or found shall count neither way (score 0 in the file)."""

    @property
    def size_wh(self) -> tuple[float, float]:
        x0, y0, x1, y1 = self.box_xyxy
        return (x1 - x0, y1 - y0)

    def scaled(self, by: float) -> tuple[float, float, float, float]:
        """The box with its sides so many times as long, around the same middle."""
        x0, y0, x1, y1 = self.box_xyxy
        dx, dy = (x1 - x0) * (by - 1) / 2, (y1 - y0) * (by - 1) / 2
        return (x0 - dx, y0 - dy, x1 + dx, y1 + dy)


Truth = Mapping[int, tuple[TruthBox, ...]]
"""The boxes of each frame that has any; frames from 0."""


def read_mot(text: str, name: str) -> Truth:
    """Raises: BadInput naming the line of `name` that can't be read, or two boxes of one identity on one frame."""
    frames: dict[int, dict[int, TruthBox]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = [float(word) for word in line.split(",")]
            if len(values) < _NUMBERS or not all(map(math.isfinite, values[:_NUMBERS])):
                raise ValueError(line)
            frame, identity = int(values[0]), int(values[1])
            x, y, w, h = values[2:_NUMBERS]
            if frame < 1 or w <= 0 or h <= 0:
                raise ValueError(line)
        except ValueError as exc:
            raise BadInput(f"{name}, line {number}: {line.strip()[:80]!r} is no box", hint=_FORM) from exc
        judged = len(values) == _NUMBERS or values[_NUMBERS] != 0
        boxes = frames.setdefault(frame - 1, {})
        if identity in boxes:
            raise BadInput(f"{name}, line {number}: {identity} has two boxes on frame {frame}", hint=_FORM)
        boxes[identity] = TruthBox(identity, (x, y, x + w, y + h), judged)
    return {frame: tuple(boxes.values()) for frame, boxes in sorted(frames.items())}

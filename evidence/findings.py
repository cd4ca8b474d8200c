"""What a second look at a redacted copy sees that no mask hides, and whether such a copy may leave the house."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from evidence.errors import Conflict
from evidence.redaction import BoxXYXY
from evidence.track import Origin, Track, TrackBox, apart, size_of

HIDDEN_FROM = 0.5
"""Share of a hit that must lie under masks for it to be hidden: what is seen then is the mask, or what sticks out."""
_SAMPLES = 16
_NEIGHBOURS = 2
"""Two hits on three looks in a row are a finding."""
_LOST, _NEAR, _ALIKE = 3, 1.0, 1.8
"""Looks after which a thing is another one; how far it may go in one look, in its own sizes; how much larger or smaller
it may appear. Rather two places for one thing than one for two: a person looks at a place once."""


NOT_LOOKED: Mapping[str, Any] = {"models": [], "not_looked_for": [], "open": 0, "findings": [], "needed": True}
"""What stands in a report in place of a second look that was not taken; not `needed` where it has nothing to look for."""


def not_looked(missing: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The same where no model could look; `missing`: for what there is none."""
    return {**NOT_LOOKED, "not_looked_for": list(missing), "needed": bool(missing)}


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that one model saw in one frame of a copy, outside the masks. Units: as `TrackBox`."""

    frame: int
    box_xyxy: BoxXYXY
    score: float
    label: str
    model: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is open in a copy: hits on several looks, in frame order."""

    hits: tuple[Hit, ...]

    @property
    def best(self) -> Hit:
        """The surest sight of it."""
        return max(self.hits, key=lambda hit: (hit.score, -hit.frame))

    def track(self, number: int, frame_pts: Sequence[int], time_base: Fraction, reach: int) -> Track:
        """A track that hides it: boxes between two hits on the straight line, and `reach` frames more at both ends."""
        frames = [hit.frame for hit in self.hits]
        first, last = max(0, frames[0] - reach), min(len(frame_pts) - 1, frames[-1] + reach)
        span = np.arange(first, last + 1)
        edges = [np.interp(span, frames, [hit.box_xyxy[i] for hit in self.hits]).round(2).tolist() for i in range(4)]
        score = {hit.frame: hit.score for hit in self.hits}
        boxes = []
        for frame, x0, y0, x1, y1 in zip(span.tolist(), *edges, strict=True):
            between = Origin.INTERPOLATED if frames[0] <= frame <= frames[-1] else Origin.TRACKED
            origin = Origin.DETECTED if frame in score else between
            box = (x0, y0, x1, y1)
            boxes.append(TrackBox(frame, frame_pts[frame], box, score.get(frame, self.best.score), origin))
        return Track(number, self.best.label, self.best.model, time_base, tuple(boxes))


def hidden_share(box: BoxXYXY, masks: Iterable[BoxXYXY]) -> float:
    """The share of a box that lies under any of the masks."""
    x0, y0, x1, y1 = box
    step = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    x, y = x0 + step * (x1 - x0), y0 + step * (y1 - y0)
    under = np.zeros((_SAMPLES, _SAMPLES), bool)
    for left, top, right, bottom in masks:
        under |= ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))[None]
    return float(under.mean())


def findings(hits: Iterable[Hit], looked_at: Sequence[int], every: int, sure: Mapping[str, float]) -> list[Finding]:
    """Hits that follow one another are one thing; it is a finding when two of three looks in a row saw it, or one surely.

    `looked_at`: the numbers of the frames that were looked at, ascending, at most `every` apart; `sure`: by model, the
    score from which one sight is enough. In the order in which they were first seen.
    """
    chains: list[list[Hit]] = []
    for hit in sorted(hits, key=lambda h: (h.frame, -h.score)):
        near = []
        for number, chain in enumerate(chains):
            looks = (hit.frame - chain[-1].frame) / every
            if chain[-1].label == hit.label and 0 < looks <= _LOST:
                away = _away(chain[-1].box_xyxy, hit.box_xyxy)
                if away <= _NEAR * max(1.0, looks / 2):
                    near.append((away, number))
        if near:
            chains[min(near)[1]].append(hit)
        else:
            chains.append([hit])
    return [Finding(tuple(chain)) for chain in chains if _is_believed(chain, looked_at, sure)]


def _is_believed(chain: Sequence[Hit], looked_at: Sequence[int], sure: Mapping[str, float]) -> bool:
    looks = [bisect_left(looked_at, hit.frame) for hit in chain]
    return any(hit.score >= sure[hit.model] for hit in chain) or any(
        after - before <= _NEIGHBOURS for before, after in pairwise(looks)
    )


def _away(one: BoxXYXY, other: BoxXYXY) -> float:
    """As `apart`; infinite for boxes of very different size."""
    sizes = [size_of(box) for box in (one, other)]
    return float("inf") if max(sizes) > _ALIKE * min(sizes) else apart(one, other)


def still_open(second_look: Mapping[str, Any], accepted: Collection[int] = ()) -> int:
    """How many findings in a report's `second_look` nobody has accepted."""
    found = {finding["id"] for finding in second_look.get("findings", ())}
    return int(second_look["open"]) - len(found & set(accepted))


def require_releasable(second_look: Mapping[str, Any] | None, accepted: Collection[int] = ()) -> None:
    """The rule for every release: `second_look` is that part of the copy's report; `accepted`: the numbers of the findings
    that a person looked at and took for harmless.

    Raises: Conflict when nothing looked a second time though there is what to look for, or when what was found then is
        still open.
    """
    if not second_look or (second_look["needed"] and not second_look["models"]):
        raise Conflict("nothing has looked at this copy a second time", hint="Make the copy again, with its second look.")
    if left := still_open(second_look, accepted):
        raise Conflict(
            f"{left} place(s) of this copy may still show what should be hidden",
            hint="Look at each of them: accept what is harmless, and hide what must be hidden in a new copy.",
        )

"""How often something happened, told with its uncertainty: shares, runs, single holes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

Z_95 = 1.959964


def wilson(hits: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """The 95 % interval of a share, as if all were independent. Source: E. B. Wilson (1927)."""
    if total == 0:
        return (0.0, 1.0)
    rate = hits / total
    centre = rate + z * z / (2 * total)
    spread = z * math.sqrt(rate * (1 - rate) / total + (z / (2 * total)) ** 2)
    scale = 1 + z * z / total
    return (max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def share(hits: int, total: int) -> dict[str, Any]:
    """`count`, `of`, `rate` (None of nothing) and `rate_95`."""
    return {"count": hits, "of": total, "rate": hits / total if total else None, "rate_95": list(wilson(hits, total))}


def longest_run(frames: Mapping[int, bool]) -> int:
    """The most frames one after another on which it happened; a frame that isn't there ends a run."""
    longest = run = 0
    before = None
    for frame in sorted(frames):
        run = (run if before == frame - 1 else 0) + 1 if frames[frame] else 0
        longest, before = max(longest, run), frame
    return longest


def single_holes(frames: Mapping[int, bool]) -> int:
    """Frames on which it happened, and on neither of their neighbours, which are both there."""
    return sum(hit and frames.get(at - 1) is False and frames.get(at + 1) is False for at, hit in frames.items())


def told(of_identity: Mapping[int, Mapping[int, bool]]) -> dict[str, Any]:
    """`share` over all boxes, `identities` that it happened to, the `longest_run` of one, and all `single_frame_holes`."""
    every: Iterable[Mapping[int, bool]] = of_identity.values()
    hits = sum(sum(frames.values()) for frames in every)
    return {
        **share(hits, sum(map(len, every))),
        "identities": sum(any(frames.values()) for frames in every),
        "longest_run": max(map(longest_run, every), default=0),
        "single_frame_holes": sum(map(single_holes, every)),
    }

"""Cutting a long video into runs of whole groups of pictures, so that several workers can look at once."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction

from evidence.exhibit import Segment

SEEKABLE_FORMATS = frozenset({"mov", "mp4", "matroska", "webm", "mpegts"})
"""Containers in which FFmpeg finds a key frame by its time reliably."""


def whole(frame_count: int, start_pts: int) -> tuple[Segment, ...]:
    return (Segment(0, start_pts, None, frame_count),)


def cut(pts: list[int], key_pts: list[int], time_base: Fraction, segment_s: int) -> tuple[Segment, ...]:
    """Segments of about `segment_s` seconds that each start at a key frame.

    `pts` are the times of all frames, ascending and each once; `key_pts` those of key frames. A last segment shorter
    than half the aim joins the one before it.
    """
    aim = round(segment_s / time_base)
    starts = [pts[0]]
    for key in sorted(key_pts):
        if key - starts[-1] >= aim:
            starts.append(key)
    if len(starts) > 1 and (pts[-1] - starts[-1]) * 2 < aim:
        starts.pop()
    edges = [bisect_left(pts, start) for start in starts] + [len(pts)]
    ends: list[int | None] = [*starts[1:], None]
    return tuple(
        Segment(number, start, end, edges[number + 1] - edges[number])
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    )

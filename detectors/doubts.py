"""Doubts about finished tracks: where what is hidden by them may be left open. Nothing here looks at a picture; how sharp
each was is told."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from detectors.sharpness import blurred
from evidence.doubt import PICTURE, Doubt, Reason, merged, ranked
from evidence.track import Detections, Origin, Track, TrackBox, apart

WATCHED = ("face", "licence plate")
"""Kinds that are hidden because a miss costs most; of people only what breaks or crosses is told."""
_ALSO = ("person",)
_URGENCY = {
    Reason.BROKEN: 1.0,
    Reason.DROPPED: 0.9,
    Reason.EDGE: 0.8,
    Reason.BLIND: 0.6,
    Reason.CUT: 0.5,
    Reason.WEAK: 0.45,
    Reason.CROSSING: 0.4,
    Reason.BLUR: 0.35,
    Reason.SMALL: 0.3,
}
_LARGE = 0.1
"""Share of the picture's longer side from which a thing counts fully: a face across the room shows more than a dot."""
_SMALL = 0.0104
"""The same, under which a face is near what the models can see: 10 pixels of the 960 that they look at."""
_BROKEN_S, _NEAR = 5.0, 3.0
"""So soon and so near (in its own sizes) another track is taken for the rest of one that broke."""
_WEAK_S = 1 / 3
_BLIND_S, _STAYED = 1.0, 0.5
"""So long nothing may be seen of what is found again within so many of its sides: it stayed, and its mask with it."""
_TOGETHER_S = 0.5
"""Spans of one kind about the same tracks, no further apart, are one: a person looks at them at once."""
_OVERLAP = 0.3
_COVERED = 0.8
"""Share of a face that a mask must have for it to count as hidden; margins come on top."""
_AT_EDGE = 0.004


@dataclass(frozen=True, slots=True)
class Video:
    """What the tracks are of. `cuts`: frames with which another scene begins; `sharpness`: of each frame, where it was
    measured (`detectors.sharpness`)."""

    frame_count: int
    frames_per_second: float
    size_wh: tuple[int, int]
    cuts: Sequence[int] = ()
    sharpness: Sequence[float] = ()


def doubts_about(
    tracks: Sequence[Track], left_over: Detections, video: Video, thresholds: Mapping[str, float]
) -> list[Doubt]:
    """All of them, what may be open first, then the most urgent. `thresholds`: by model, the score from which a sighting
    is sure."""
    found: list[Doubt] = []
    for label in (*WATCHED, *_ALSO):
        those = [track for track in tracks if track.label == label]
        found += _broken(those, video)
        found += _crossing(those, video)
    for track in tracks:
        if track.label in WATCHED:
            found += _within(track, video, thresholds.get(track.model, 0.0))
    found = merged(found, round(_TOGETHER_S * video.frames_per_second))
    found += _dropped(left_over, tracks, video, thresholds)
    found += _blurred(video)
    return ranked(found)


def _doubt(reason: Reason, label: str, frames: tuple[int, int], tracks: Sequence[int], share: float) -> Doubt:
    urgency = _URGENCY[reason] * (0.5 + 0.5 * min(1.0, share / _LARGE))
    return Doubt(reason, label, *frames, tuple(tracks), round(urgency, 4))


def _within(track: Track, video: Video, threshold: float) -> Iterator[Doubt]:
    """About one track by itself."""

    def spans(reason: Reason, of: Sequence[bool], least: int) -> Iterator[Doubt]:
        at = 0
        for value, run in groupby(of):
            length = len(list(run))
            if value and length >= least:
                boxes = track.boxes[at : at + length]
                frames = (boxes[0].frame, boxes[-1].frame)
                yield _doubt(reason, track.label, frames, [track.id], max(_share(b, video) for b in boxes))
            at += length

    a_while = max(2, round(_WEAK_S * video.frames_per_second))
    yield from spans(Reason.BLIND, _unsure(track, round(_BLIND_S * video.frames_per_second)), a_while)
    weak = [box.origin is not Origin.DETECTED or box.score < threshold for box in track.boxes]
    yield from spans(Reason.WEAK, weak, a_while)
    edge = [box.origin is Origin.TRACKED and _at_edge(box, video) for box in track.boxes]
    yield from spans(Reason.EDGE, edge, 1)
    small = [_share(box, video) < _SMALL for box in track.boxes]
    yield from spans(Reason.SMALL, small, 1)
    for cut in video.cuts:
        if cut in (track.boxes[0].frame, track.boxes[-1].frame + 1):
            frames = (max(0, cut - 1), min(cut, video.frame_count - 1))
            box = track.boxes[0] if cut == track.boxes[0].frame else track.boxes[-1]
            yield _doubt(Reason.CUT, track.label, frames, [track.id], _share(box, video))


def _unsure(track: Track, longest: int) -> list[bool]:
    """By box: whether it was seen neither there nor, shortly before and after, in one place."""
    unsure: list[bool] = []
    for not_seen, run in groupby(track.boxes, lambda box: box.origin is not Origin.DETECTED):
        length = len(list(run))
        before, after = len(unsure) - 1, len(unsure) + length
        stayed = (
            before >= 0
            and after < len(track.boxes)
            and length < longest
            and apart(track.boxes[before].box_xyxy, track.boxes[after].box_xyxy) <= _STAYED
        )
        unsure += [not_seen and not stayed] * length
    return unsure


def _broken(tracks: Sequence[Track], video: Video) -> Iterator[Doubt]:
    """Each end with the one beginning that fits it best, the soonest first; none where another track took over."""
    ordered = sorted(tracks, key=lambda track: track.boxes[0].frame)
    starts = [track.boxes[0].frame for track in ordered]
    pairs: list[tuple[int, float, Track, Track]] = []
    for one in tracks:
        end = one.boxes[-1]
        if _at_edge(end, video) or end.frame + 1 in video.cuts or _taken_over(one, tracks):
            continue
        latest = end.frame + round(_BROKEN_S * video.frames_per_second)
        for other in ordered[bisect_left(starts, end.frame + 2) : bisect_right(starts, latest)]:
            start = other.boxes[0]
            cut = any(end.frame < frame <= start.frame for frame in video.cuts)
            away = apart(end.box_xyxy, start.box_xyxy)
            if not cut and away <= _NEAR:
                pairs.append((start.frame - end.frame, away, one, other))
    ended, begun = set[int](), set[int]()
    for _, _, one, other in sorted(pairs, key=lambda pair: pair[:2]):
        if one.id not in ended and other.id not in begun:
            ended.add(one.id)
            begun.add(other.id)
            frames = (one.boxes[-1].frame + 1, other.boxes[0].frame - 1)
            yield _doubt(Reason.BROKEN, one.label, frames, (one.id, other.id), _share(one.boxes[-1], video))


def _taken_over(one: Track, tracks: Sequence[Track]) -> bool:
    """Whether another track goes on where this one ends."""
    end = one.boxes[-1]
    return any(
        other.boxes[0].frame <= end.frame < other.boxes[-1].frame
        and _overlap(end, other.boxes[end.frame - other.boxes[0].frame]) >= _OVERLAP
        for other in tracks
        if other is not one
    )


def _crossing(tracks: Sequence[Track], video: Video) -> Iterator[Doubt]:
    ordered = sorted(tracks, key=lambda track: track.boxes[0].frame)
    for number, one in enumerate(ordered):
        for other in ordered[number + 1 :]:
            first, last = other.boxes[0].frame, min(one.boxes[-1].frame, other.boxes[-1].frame)
            if first > one.boxes[-1].frame:
                break
            pairs = [(one.boxes[f - one.boxes[0].frame], other.boxes[f - first], f) for f in range(first, last + 1)]
            there = [f for a, b, f in pairs if _overlap(a, b) >= _OVERLAP]
            for frames in _runs(there):
                box = one.boxes[frames[0] - one.boxes[0].frame]
                yield _doubt(Reason.CROSSING, one.label, frames, (one.id, other.id), _share(box, video))


def _dropped(
    left_over: Detections, tracks: Sequence[Track], video: Video, thresholds: Mapping[str, float]
) -> Iterator[Doubt]:
    """What lies in a box that a track of its kind has there is hidden with it."""
    longest = max(video.size_wh)
    for label in WATCHED:
        rows = [
            row
            for row in range(len(left_over))
            if left_over.label[row] == label
            and left_over.score[row] >= thresholds.get(left_over.model[row], 0.0)
            and not _is_hidden(left_over, row, tracks)
        ]
        sides = left_over.box_xyxy[:, 2:] - left_over.box_xyxy[:, :2]
        share = {int(left_over.frame[row]): float(np.sqrt(sides[row].prod())) / longest for row in rows}
        for frames in _runs(sorted(share)):
            most = max(share.get(frame, 0.0) for frame in range(frames[0], frames[1] + 1))
            yield _doubt(Reason.DROPPED, label, frames, (), most)


def _is_hidden(left_over: Detections, row: int, tracks: Sequence[Track]) -> bool:
    """Whether most of it lies in a track's box."""
    frame, sides = int(left_over.frame[row]), [float(side) for side in left_over.box_xyxy[row]]
    there = (
        track.boxes[frame - track.boxes[0].frame].box_xyxy
        for track in tracks
        if track.label == left_over.label[row] and track.boxes[0].frame <= frame <= track.boxes[-1].frame
    )
    area = max(1e-9, (sides[2] - sides[0]) * (sides[3] - sides[1]))
    return any(_both(sides, box) >= _COVERED * area for box in there)


def _both(a: Sequence[float], b: Sequence[float]) -> float:
    """Pixels that two boxes share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _blurred(video: Video) -> Iterator[Doubt]:
    for frames in blurred(video.sharpness, video.cuts, video.frames_per_second):
        yield _doubt(Reason.BLUR, PICTURE, frames, (), 1.0)


def _runs(frames: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each run of frames that follow one another."""
    starts = [b for a, b in pairwise([-2, *frames]) if b > a + 1]
    ends = [a for a, b in pairwise([*frames, 1 << 62]) if b > a + 1]
    return list(zip(starts, ends, strict=True))


def _share(box: TrackBox, video: Video) -> float:
    x0, y0, x1, y1 = box.box_xyxy
    return float(np.sqrt(max(0.0, (x1 - x0) * (y1 - y0)))) / max(video.size_wh)


def _at_edge(box: TrackBox, video: Video) -> bool:
    x0, y0, x1, y1 = box.box_xyxy
    (w, h), near = video.size_wh, _AT_EDGE * max(video.size_wh)
    return x0 <= near or y0 <= near or x1 >= w - near or y1 >= h - near


def _overlap(one: TrackBox, other: TrackBox) -> float:
    """IoU."""
    a, b = one.box_xyxy, other.box_xyxy
    both = _both(a, b)
    whole = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - both
    return both / whole if whole > 0 else 0.0

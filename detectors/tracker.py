"""Detections over time become tracks: one thing, a box for every frame from first to last.

Association from frame to frame is ByteTrack's (a high score starts a track, a low one continues it); what redaction
leans on is ours: tracks grow back to where the thing was first seen faintly, pieces of one thing are joined, gaps are
filled, and a face or plate seen once is a track too.
Source: docs/adr/0004-trackers.md
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import supervision
from trackers import ByteTrackTracker

from detectors.detector import suppress
from evidence.ports import Progress
from evidence.track import Detections, Origin, Track, TrackBox

Rows = list[int]


@dataclass(frozen=True, slots=True)
class Rule:
    """How things of one kind are followed. Units: frames; overlaps as IoU."""

    labels: frozenset[str]
    """Labels that a model may take for one another while it looks at one thing."""
    least_seen: int
    """Tracks seen on fewer frames are dropped, unless one sighting was surer than `sure`."""
    sure: float
    join_within: int
    """Longest gap between two pieces of one thing."""
    join_distance: float
    """How far a piece may begin from where the one before ended, in box sizes."""
    carry: int = 0
    """Frames that a fast thing is carried on in its direction before its first and after its last sighting."""


_ONE_SECOND = 30
"""Frames; what is written for 30 a second is scaled to the video's rate."""
RULES = (
    # A miss costs more than a false box: nothing is dropped, and pieces are joined generously.
    Rule(frozenset({"face"}), 1, 0.0, _ONE_SECOND, 1.0, 3),
    Rule(frozenset({"licence plate"}), 1, 0.0, _ONE_SECOND, 1.5, 3),
    Rule(frozenset({"car", "bus", "truck"}), 4, 0.7, _ONE_SECOND // 2, 0.4),
    Rule(frozenset({"bicycle", "motorcycle"}), 4, 0.7, _ONE_SECOND // 2, 0.4),
    Rule(frozenset({"backpack", "handbag", "suitcase"}), 4, 0.7, _ONE_SECOND // 2, 0.4),
)
_OTHERWISE = Rule(frozenset(), 4, 0.7, _ONE_SECOND // 2, 0.4)
_LEAST_OVERLAP = 0.1
_FAST = 0.25
"""Box sizes per frame; what is slower stays under the margin that a mask has in time."""
_NEXT_FRAMES = 3
_SAME_THING = 0.8
"""Boxes of one frame and kind that overlap so much are two answers for one thing."""


@dataclass(slots=True)
class _Piece:
    """Rows of the detections that belong together, one per frame, in frame order."""

    rows: Rows = field(default_factory=list)


def follow(
    seen: Detections,
    frame_pts: npt.NDArray[np.int64],
    thresholds: Mapping[str, float],
    size_wh: tuple[int, int],
    progress: Progress = lambda done, total: None,  # noqa: ARG005 - the port's signature
) -> tuple[list[Track], Detections]:
    """The tracks, numbered from 1 by their first frame, and the detections that belong to none.

    `thresholds` gives, by model, the score from which a detection starts a track. The same input gives the same
    tracks, however the video was cut into segments.

    Shape: `frame_pts`: the pts of every frame of the video, in order.
    Units: `size_wh`: pixels of the upright picture.
    """
    pace = _frames_per_second(frame_pts, float(seen.time_base)) / _ONE_SECOND
    sure = seen.score >= np.array([thresholds[model] for model in seen.model], np.float32)
    tracks: list[Track] = []
    used: set[int] = set()
    groups = _groups(seen)
    for number, (rule, rows) in enumerate(groups):

        def told(frame: int, before: int = number * len(frame_pts)) -> None:
            progress((before + frame) // len(groups), len(frame_pts))

        pieces = _associate(seen, rows, sure, len(frame_pts), max(1, round(_ONE_SECOND * pace)), told)
        free = set(rows) - {row for piece in pieces for row in piece.rows}
        _grow(pieces, seen, free, max(1, round(5 * pace)))
        pieces += [_Piece([row]) for row in sorted(free) if sure[row]]
        pieces = _join(pieces, seen, max(1, round(rule.join_within * pace)), rule.join_distance)
        for piece in pieces:
            if len(piece.rows) >= rule.least_seen or seen.score[piece.rows].max() >= rule.sure:
                boxes = _boxes(piece, seen, frame_pts)
                carry = round(rule.carry * pace) if len(piece.rows) > 1 else 0
                ahead = _carried(boxes[::-1], -1, carry, frame_pts, size_wh)[::-1]
                boxes = ahead + boxes + _carried(boxes, 1, carry, frame_pts, size_wh)
                tracks.append(_track(piece, seen, boxes))
                used.update(piece.rows)
    tracks.sort(key=lambda t: (t.boxes[0].frame, t.label, t.boxes[0].box_xyxy, len(t.boxes)))
    numbered = [Track(i, t.label, t.model, t.time_base, t.boxes) for i, t in enumerate(tracks, 1)]
    return numbered, _left_over(seen, used)


def _frames_per_second(frame_pts: npt.NDArray[np.int64], tick_s: float) -> float:
    steps = np.diff(frame_pts)
    return 1 / (float(np.median(steps)) * tick_s) if len(steps) else float(_ONE_SECOND)


def _groups(seen: Detections) -> list[tuple[Rule, Rows]]:
    """The rows of each kind of thing, without second answers for one thing."""
    kinds: dict[Rule, Rows] = defaultdict(list)
    rule_of: dict[str, Rule] = {label: rule for rule in RULES for label in rule.labels}
    for row, label in enumerate(seen.label):
        if label not in rule_of:
            rule_of[label] = Rule(frozenset({label}), *(getattr(_OTHERWISE, f) for f in list(Rule.__slots__)[1:]))
        kinds[rule_of[label]].append(row)
    return [(kind, _once(seen, kinds[kind])) for kind in sorted(kinds, key=lambda kind: min(kind.labels))]


def _once(seen: Detections, rows: Rows) -> Rows:
    """The rows in frame order, without second answers for one thing."""
    index = np.array(rows)
    index = index[np.argsort(seen.frame[index], kind="stable")]
    kept: Rows = []
    for here in np.split(index, np.flatnonzero(np.diff(seen.frame[index])) + 1):
        one_kind = np.zeros(len(here), np.int64)
        kept += here[np.sort(suppress(seen.box_xyxy[here], seen.score[here], one_kind, _SAME_THING, len(here)))].tolist()
    return kept


def _associate(
    seen: Detections,
    rows: Rows,
    sure: npt.NDArray[np.bool_],
    frame_count: int,
    lost_after: int,
    progress: Callable[[int], None],
) -> list[_Piece]:
    """Pieces of at least two sightings, by ByteTrack.

    The library knows one threshold for all; each model has its own, so scores are told as 0.9 (sure) or 0.4.
    """
    tracker = ByteTrackTracker(
        lost_track_buffer=lost_after,
        frame_rate=30.0,  # so that the buffer is taken as frames
        track_activation_threshold=0.5,
        high_conf_det_threshold=0.5,
        minimum_consecutive_frames=1,
        minimum_iou_threshold=_LEAST_OVERLAP,
    )
    by_frame: dict[int, Rows] = defaultdict(list)
    for row in rows:
        by_frame[int(seen.frame[row])].append(row)
    pieces: dict[int, _Piece] = defaultdict(_Piece)
    for frame in range(frame_count):
        if frame not in by_frame and not tracker.tracks:
            continue
        progress(frame)
        here = np.array(by_frame.get(frame, []), np.int64)
        told = supervision.Detections(
            xyxy=seen.box_xyxy[here],
            confidence=np.where(sure[here], 0.9, 0.4).astype(np.float32),
            data={"row": here},
        )
        answer = tracker.update(told)
        if not len(answer):
            continue
        for row, number in zip(answer.data["row"].tolist(), answer.tracker_id.tolist(), strict=True):
            if number >= 0:
                pieces[number].rows.append(row)
    return [pieces[number] for number in sorted(pieces)]


def _grow(pieces: Sequence[_Piece], seen: Detections, free: set[int], reach: int) -> None:
    """Carry each piece on, before its first and after its last sighting, over detections that nobody has."""
    by_frame: dict[int, Rows] = defaultdict(list)
    for row in sorted(free):
        by_frame[int(seen.frame[row])].append(row)
    for direction in (-1, 1):
        for piece in pieces:
            end = piece.rows[0 if direction < 0 else -1]
            frame, missed = int(seen.frame[end]), 0
            while missed < reach:
                frame += direction
                here = [row for row in by_frame.get(frame, []) if row in free]
                overlaps = _overlap(seen.box_xyxy[end], seen.box_xyxy[here]) if here else np.zeros(0)
                if len(overlaps) and overlaps.max() >= 2 * _LEAST_OVERLAP:
                    end = here[int(overlaps.argmax())]
                    free.remove(end)
                    piece.rows.insert(0 if direction < 0 else len(piece.rows), end)
                    missed = 0
                else:
                    missed += 1


def _overlap(box: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    sides = np.maximum(0, np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]))
    both = sides[:, 0] * sides[:, 1]
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    result: npt.NDArray[np.float32] = both / np.maximum(1e-6, areas + (box[2] - box[0]) * (box[3] - box[1]) - both)
    return result


def _join(pieces: list[_Piece], seen: Detections, within: int, distance: float) -> list[_Piece]:
    """Pieces whose end and beginning fit together become one; the nearest fit first."""
    first = [int(seen.frame[piece.rows[0]]) for piece in pieces]
    last = [int(seen.frame[piece.rows[-1]]) for piece in pieces]
    fits = []
    order = sorted(range(len(pieces)), key=lambda i: first[i])
    starts = np.array([first[i] for i in order])
    for a in range(len(pieces)):
        low, high = np.searchsorted(starts, [last[a] + 1, last[a] + within + 1])
        for b in order[low:high]:
            apart = _apart(seen.box_xyxy[pieces[a].rows[-1]], seen.box_xyxy[pieces[b].rows[0]])
            # From one frame to the next a fast thing, or a shaken camera, leaves its own box behind.
            if apart <= distance * (2 if first[b] - last[a] <= _NEXT_FRAMES else 1):
                fits.append((first[b] - last[a], apart, a, b))
    after: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, a, b in sorted(fits):
        if a not in after and b not in taken:
            after[a] = b
            taken.add(b)
    joined = []
    for i in range(len(pieces)):
        if i in taken:
            continue
        rows, at = list(pieces[i].rows), i
        while at in after:
            at = after[at]
            rows += pieces[at].rows
        joined.append(_Piece(rows))
    return joined


def _apart(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Distance of the centres in mean box sizes; infinite for boxes of very different size."""
    size_one, size_other = (float(np.sqrt(max(1e-6, (b[2] - b[0]) * (b[3] - b[1])))) for b in (one, other))
    if max(size_one, size_other) > 1.6 * min(size_one, size_other):
        return float("inf")
    away = np.hypot(*((one[:2] + one[2:]) - (other[:2] + other[2:])) / 2)
    return float(away) / ((size_one + size_other) / 2)


def _boxes(piece: _Piece, seen: Detections, frame_pts: npt.NDArray[np.int64]) -> list[TrackBox]:
    """A box for every frame from the first to the last sighting: what lies between two is on the straight line."""
    boxes: list[TrackBox] = []
    for row in piece.rows:
        frame, score = int(seen.frame[row]), float(seen.score[row])
        box = seen.box_xyxy[row].astype(np.float64)
        if boxes:
            before = boxes[-1]
            start, gap = np.array(before.box_xyxy), frame - before.frame
            for step in range(1, gap):
                between = start + (box - start) * (step / gap)
                at = before.frame + step
                faint = min(score, before.score)
                boxes.append(TrackBox(at, int(frame_pts[at]), _corners(between), faint, Origin.INTERPOLATED))
        boxes.append(TrackBox(frame, int(frame_pts[frame]), _corners(box), score, Origin.DETECTED))
    return boxes


def _carried(
    boxes: Sequence[TrackBox], direction: int, most: int, frame_pts: npt.NDArray[np.int64], size_wh: tuple[int, int]
) -> list[TrackBox]:
    """Boxes beyond the last one of a fast thing, as far as it is still in the picture.

    `boxes` run in `direction`: a thing that came in fast was there before anything saw it.
    """
    if len(boxes) < 2:
        return []
    last, previous = (np.array(box.box_xyxy) for box in (boxes[-1], boxes[-2]))
    step = np.tile(((last - previous)[:2] + (last - previous)[2:]) / 2, 2)
    size = float(np.sqrt(max(1e-6, (last[2] - last[0]) * (last[3] - last[1]))))
    if float(np.hypot(step[0], step[1])) < _FAST * size:
        return []
    carried = []
    for number in range(1, most + 1):
        frame = boxes[-1].frame + direction * number
        box = np.clip(last + step * number, 0, np.array(size_wh * 2))
        if not (0 <= frame < len(frame_pts) and box[2] > box[0] and box[3] > box[1]):
            break
        carried.append(TrackBox(frame, int(frame_pts[frame]), _corners(box), boxes[-1].score, Origin.TRACKED))
    return carried


def _track(piece: _Piece, seen: Detections, boxes: Sequence[TrackBox]) -> Track:
    """A track with the label that was seen most surely in sum; its number comes later."""
    votes: dict[str, float] = defaultdict(float)
    models: dict[str, float] = defaultdict(float)
    for row in piece.rows:
        votes[seen.label[row]] += float(seen.score[row])
        models[seen.model[row]] += float(seen.score[row])
    label, model = (max(sorted(tally), key=lambda name: tally[name]) for tally in (votes, models))
    return Track(0, label, model, seen.time_base, tuple(boxes))


def _corners(box: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (round(float(c), 2) for c in box)
    return (x0, y0, x1, y1)


def _left_over(seen: Detections, used: set[int]) -> Detections:
    rows = [row for row in range(len(seen)) if row not in used]
    return Detections(
        frame=seen.frame[rows],
        pts=seen.pts[rows],
        box_xyxy=seen.box_xyxy[rows],
        score=seen.score[rows],
        label=tuple(seen.label[row] for row in rows),
        model=tuple(seen.model[row] for row in rows),
        time_base=seen.time_base,
    )

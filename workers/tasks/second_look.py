"""SECOND_LOOK: other eyes than those that made it look at a redacted copy; what they see outside the masks is a finding.

Inputs `copy` (as REDACT made it), `tracks.json`. Params: `redaction` (what the copy hides), `detectors` (entries of
`workers.models.second_look_params`: as for DETECT, and `mirrored`; `low_threshold` is the score from which a sight counts,
`threshold` the one from which a single sight is enough), `not_looked_for`, `max_pixels`, `max_duration_s`.

Every frame of the copy is decoded, and about five a second are looked at; where something is seen that the look before
did not see, the frames beside it too. Of a hit that reaches under a mask, the score is multiplied by the share that
doesn't; it is hidden when half of it does, and accepted when it lies on a track that the redaction leaves open by name.
A finding is a thing seen on two of three looks in a row, or once surely.

In `out`: `finding-<id>.jpg`, a picture of each of the surest 200 findings from the copy; and when there are findings,
`tracks.json` with a track for each of them added: rendered with these, the copy hides them. Result::

    {"needed": true, "models": [{"name", "task", "sha256", "licence", "input_wh", "mirrored", "threshold", "low_threshold",
                 "runtime", "precision", "ran"}, …], "not_looked_for": [{"what", "reason"}, …],
     "frames_decoded", "frames_looked_at", "every", "hits", "hits_hidden", "hits_accepted", "open": 1,
     "findings": [{"id": 1, "label", "model", "score", "seen": 3, "frame": 41, "at": {"pts", "time_base"},
                   "box_xyxy", "first": {"frame", "at"}, "last": {"frame", "at"}, "picture": "finding-1.jpg"}, …]}

Frames and moments are those of the original; `picture` is null where none was made.
Raises IntegrityError when the copy hasn't the frames that were analysed: it fails closed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from detectors.detector import Detector
from detectors.load import described, load
from evidence.errors import IntegrityError
from evidence.findings import HIDDEN_FROM, Finding, Hit, findings, hidden_share
from evidence.mediatime import MediaTime
from evidence.ports import Progress
from evidence.redaction import BoxXYXY, Masks, Redaction
from evidence.track import Playback, Track
from evidence.wire import moment_to_json, redaction_asked, track_to_json
from media.ahead import ahead
from media.frames import Frame, read_frames
from media.stills import cropped, save_jpeg, shrunk
from workers.tasks import analysis as analyses
from workers.tasks.thumbnails import frames_at

LOOKS_PER_S = 5
_PICTURE_STREAM = 0
"""REDACT writes the picture first, then the sound."""
_PICTURES = 200
_SEEK_OVER_S = 2
"""Copies have a key frame that often."""
_PICTURE_PX, _AROUND = 320, 1.0


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: BadInput for a redaction that is none; IntegrityError, WrongWeights, CorruptMedia, UnsupportedMedia."""
    copy, analysis = inputs["copy"], analyses.read(inputs[analyses.NAME])
    redaction = redaction_asked(params["redaction"])
    look = _Look(analysis, redaction, params["detectors"])
    with read_frames(copy, _PICTURE_STREAM, cuts=(), **analyses.limits(params)) as reader:
        every = max(1, round(reader.rate / LOOKS_PER_S))
        with ahead(reader) as frames:
            decoded = _look_through(frames, look, every, analysis.frame_count, progress)
    if decoded != analysis.frame_count:
        raise IntegrityError(f"{decoded} frames of the copy can be decoded, but {analysis.frame_count} were analysed")
    sure = {spec["name"]: spec["threshold"] for spec in params["detectors"]}
    found = findings(look.hits, sorted(look.copy_pts), every, sure)
    pictures = _pictures(copy, found, look.copy_pts, analyses.pixel_limit(params), out)
    if found:
        _add_tracks(inputs[analyses.NAME], analysis, found, every, out)
    return {
        "needed": True,
        "models": look.models,
        "not_looked_for": list(params["not_looked_for"]),
        "frames_decoded": decoded,
        "frames_looked_at": len(look.copy_pts),
        "every": every,
        "hits": len(look.hits) + look.hidden + look.accepted,
        "hits_hidden": look.hidden,
        "hits_accepted": look.accepted,
        "open": len(found),
        "findings": [_to_json(number, finding, analysis, number in pictures) for number, finding in enumerate(found, 1)],
    }


@dataclass(frozen=True, slots=True)
class _Here:
    """A frame with what is hidden on it, and what is left open by choice."""

    frame: Frame
    masks: Sequence[BoxXYXY]
    left_open: Sequence[BoxXYXY]


class _Look:
    """Looks at frames, and sorts what is seen. The masks are asked for frame by frame, in order: `next`."""

    def __init__(self, analysis: analyses.Analysis, redaction: Redaction, specs: Sequence[Mapping[str, Any]]) -> None:
        self._analysis, self._specs = analysis, specs
        self._masks = Masks(analysis.tracks, redaction, analysis.size_wh, analysis.scenes)
        left_open = [t for t in analysis.tracks if t.id in redaction.keep_tracks]
        margin = redaction.margin
        self._open = Playback(left_open, margin.before_frames, margin.after_frames, analysis.scenes)
        self._detectors: list[Detector] = []
        self.models: list[dict[str, Any]] = []
        self.hits: list[Hit] = []
        self.hidden = self.accepted = 0
        self.copy_pts: dict[int, int] = {}
        """Of each frame that was looked at, its time in the copy."""

    def masks_of(self, frame: Frame) -> tuple[list[BoxXYXY], list[BoxXYXY]]:
        """What is hidden on a frame, and what is left open by choice. Raises: IntegrityError."""
        index, of = frame.index, self._analysis
        if index >= of.frame_count:
            raise IntegrityError(f"the copy has more frames than the {of.frame_count} that were analysed")
        if frame.upright_size_wh != of.size_wh:
            raise IntegrityError(f"the copy's picture is not the one that was analysed: {frame.upright_size_wh}")
        moment = MediaTime(of.frame_pts[index], of.time_base)
        return self._masks.at(index, moment), [_box_at(track, index) for track in self._open.at(index)]

    def at(self, here: _Here) -> list[Hit]:
        """Look at the frame, unless that was done; what is seen on it that nothing hides."""
        frame = here.frame
        if frame.index in self.copy_pts:
            return []
        if not self._detectors:
            self._load(frame.upright_size_wh)
        self.copy_pts[frame.index] = frame.pts
        seen = []
        for spec, detector in zip(self._specs, self._detectors, strict=True):
            for hit in _hits(frame, spec, detector):
                share = hidden_share(hit.box_xyxy, here.masks)
                score = hit.score * (1 - share)
                if share >= HIDDEN_FROM or score < spec["low_threshold"]:
                    self.hidden += 1
                elif hidden_share(hit.box_xyxy, here.left_open) >= HIDDEN_FROM:
                    self.accepted += 1
                else:
                    seen.append(replace(hit, score=score))
        self.hits += seen
        return seen

    def _load(self, size_wh: tuple[int, int]) -> None:
        for spec in self._specs:
            detector = load(spec, size_wh, frozenset())
            self._detectors.append(detector)
            self.models.append({**described(spec, detector), "mirrored": spec["mirrored"]})


def _look_through(frames: Iterable[Frame], look: _Look, every: int, expected: int, progress: Progress) -> int:
    """How many frames were decoded. The frame before is kept: it is looked at when something new is seen on this one,
    and when a mask is back that was away for fewer frames than lie between two looks.
    """
    before: _Here | None = None
    known: list[Hit] = []
    ends = _Ends(every)
    again = False
    decoded = 0
    for frame in frames:
        here = _Here(frame, *look.masks_of(frame))
        if before is not None and ends.closed(frame.index, before.masks, here.masks):
            look.at(before)
        if again or frame.index % every == 0:
            seen = look.at(here)
            new = not again and any(_is_new(hit, known) for hit in seen)
            if new and before is not None:
                look.at(before)
            known = [*known, *seen] if again else seen
            again = new
        before = here
        decoded += 1
        progress(decoded, max(expected, decoded))
    return decoded


class _Ends:
    """Masks that ended a moment ago."""

    def __init__(self, within: int) -> None:
        self._within = within
        self._ended: list[tuple[int, BoxXYXY]] = []

    def closed(self, frame: int, before: Sequence[BoxXYXY], now: Sequence[BoxXYXY]) -> bool:
        """Whether a mask starts on this frame where one ended a moment ago: between them there was a hole."""
        started = [mask for mask in now if not _touched(mask, before)]
        self._ended = [end for end in self._ended if frame - end[0] < self._within]
        hole = any(_touched(mask, [end for _, end in self._ended]) for mask in started)
        self._ended += [(frame, mask) for mask in before if not _touched(mask, now)]
        return hole


def _is_new(hit: Hit, known: Iterable[Hit]) -> bool:
    return not _touched(hit.box_xyxy, (other.box_xyxy for other in known if other.label == hit.label))


def _touched(box: BoxXYXY, others: Iterable[BoxXYXY]) -> bool:
    x0, y0, x1, y1 = box
    return any(x0 < other[2] and other[0] < x1 and y0 < other[3] and other[1] < y1 for other in others)


def _hits(frame: Frame, spec: Mapping[str, Any], detector: Detector) -> Iterator[Hit]:
    width, height = detector.picture_wh
    picture = frame.small_rgb((width, height))
    if spec["mirrored"]:
        picture = np.ascontiguousarray(picture[:, ::-1])
    found = detector.detect(picture)
    box = found.box_xyxy.astype(np.float64)
    if spec["mirrored"]:
        box[:, [0, 2]] = width - box[:, [2, 0]]
    box *= np.array([frame.upright_size_wh[0] / width, frame.upright_size_wh[1] / height] * 2)
    for (x0, y0, x1, y1), score, label in zip(box.round(2).tolist(), found.score.tolist(), found.label, strict=True):
        yield Hit(frame.index, (x0, y0, x1, y1), score, label, detector.name)


def _box_at(track: Track, frame: int) -> BoxXYXY:
    first, last = track.boxes[0].frame, track.boxes[-1].frame
    return track.boxes[min(max(frame, first), last) - first].box_xyxy


def _pictures(
    copy: Path, found: Sequence[Finding], copy_pts: Mapping[int, int], limit: Mapping[str, int], out: Path
) -> set[int]:
    """The numbers of the findings that have a picture now."""
    surest = sorted(enumerate(found, 1), key=lambda numbered: (-numbered[1].best.score, numbered[0]))[:_PICTURES]
    wanted: dict[int, list[tuple[int, Finding]]] = defaultdict(list)
    for number, finding in surest:
        wanted[copy_pts[finding.best.frame]].append((number, finding))
    if wanted:
        for frame in frames_at(copy, _PICTURE_STREAM, sorted(wanted), **limit, seek_over_s=_SEEK_OVER_S):
            for number, finding in wanted[frame.pts]:
                crop = cropped(frame.rgb(), finding.best.box_xyxy, _AROUND)
                save_jpeg(shrunk(crop, (_PICTURE_PX, _PICTURE_PX)), out / f"finding-{number}.jpg")
    return {number for number, _ in surest}


def _add_tracks(tracks: Path, analysis: analyses.Analysis, found: Sequence[Finding], every: int, out: Path) -> None:
    value = json.loads(tracks.read_bytes())
    number = max((track.id for track in analysis.tracks), default=0)
    for finding in found:
        number += 1
        added = finding.track(number, analysis.frame_pts, analysis.time_base, every)
        value["tracks"].append(track_to_json(added))
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    (out / analyses.NAME).write_text(text, "utf-8")


def _to_json(number: int, finding: Finding, analysis: analyses.Analysis, pictured: bool) -> dict[str, Any]:
    def at(frame: int) -> dict[str, Any]:
        return moment_to_json(MediaTime(analysis.frame_pts[frame], analysis.time_base))

    best = finding.best
    return {
        "id": number,
        "label": best.label,
        "model": best.model,
        "score": round(best.score, 3),
        "seen": len(finding.hits),
        "frame": best.frame,
        "at": at(best.frame),
        "box_xyxy": list(best.box_xyxy),
        **{
            name: {"frame": hit.frame, "at": at(hit.frame)}
            for name, hit in (("first", finding.hits[0]), ("last", finding.hits[-1]))
        },
        "picture": f"finding-{number}.jpg" if pictured else None,
    }

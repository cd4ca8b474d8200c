"""SINGLE_PASS: a redacted copy straight from the original, which is decoded once.

Decoding, looking, following, painting and encoding go on side by side, each a few frames behind the one before; a frame
is painted about a second after it was looked at, when nothing that is still to come can change its masks. The masks are
those that DETECT, TRACK and REDACT would make.

Input `original`. Params: those of DETECT but `segment`, those of REDACT, and `frame_count` (as far as it is known).
With `smart` it first looks at some key frames: where there is nothing to hide on many, the other way pays, with REDACT
copying groups of pictures; then nothing is made, and the result is {"instead": "steps"}.

In `out`: `redacted.mp4`, `tracks.json` and `doubts.json`, as REDACT and TRACK make them, and `report.json`: REDACT's, and in
it::

    "speed": {"stages_s": {"load", "decode", "scale", "look: MODEL", "follow", "paint", "encode": seconds at work},
              "passed_s", "processor_s", "frames_per_s"}

Result: the report. It fails closed, as REDACT does.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from detectors.detector import Found
from detectors.doubts import Video
from detectors.follower import Follower, Seen, frames_ahead
from detectors.tracker import frames_per_second
from evidence.errors import IntegrityError
from evidence.mediatime import MediaTime, Span
from evidence.ports import Progress
from evidence.redaction import AudioPolicy, BoxXYXY, Keep, Masks, Redaction
from evidence.wire import redaction_asked, tracks_file
from media import location
from media.ahead import ahead
from media.frames import Frame, FrameReader, Picture, read_frames
from media.missing import missing_part
from media.render import render
from media.smart_plan import Copied
from media.sound import SoundTracks
from media.spots import spots
from media.stopwatch import Stopwatch
from media.streams import left_out
from media.timeline import shift_for, times_by_packet
from workers.tasks import analysis as analyses
from workers.tasks import covering
from workers.tasks.detect import LOOKED_AT, Look
from workers.tasks.doubting import LeftOver, write_doubts
from workers.tasks.growing import Growing

_COPIED = Copied(encoded_as_a_whole="it was looked at and written in one pass")
_SAMPLES, _LEAST_SAMPLES = 16, 3
_EMPTY = 0.25
"""Share of key frames from which copying saves more than the second decoding costs, with room for what was overlooked."""


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: as REDACT, and WrongWeights."""
    original, redaction = inputs["original"], redaction_asked(params["redaction"])
    watch = Stopwatch()
    stream = analyses.stream_index(params, original)
    kept = location.kept(original) if Keep.LOCATION in redaction.keep else None
    sound = SoundTracks(original, mute=redaction.audio is AudioPolicy.MUTE)
    look = Look(params, partial(spots, original, stream, **analyses.pixel_limit(params)))
    look.clock = lambda model, seconds: watch.add(f"look: {model}", seconds)
    with read_frames(original, stream, cuts=(), **analyses.limits(params)) as reader, sound, ExitStack() as threads:
        times, keys = times_by_packet(original, stream, reader.max_pixels)
        if params.get("smart", True) and _much_is_empty(reader, keys, look, threads):
            return {"instead": "steps"}
        passing = _Pass(reader, times, look, redaction, watch)
        look.held = frames_ahead(passing.rate)
        with ahead(passing.looked_at(threads), LOOKED_AT) as looked:
            written = render(
                reader,
                out / "redacted.mp4",
                passing,
                frames=passing.settled(looked),
                sound=sound,
                encoding=covering.encoding(params),
                title=covering.title(params),
                location=kept.iso_6709 if kept else "",
                shift=shift_for(original, stream),
                progress=lambda done: progress(done, max(done, int(params.get("frame_count", 0)))),
                watch=watch,
            )
    analysis = passing.write_analysis(params, out / analyses.NAME)
    passing.write_doubts(out)
    report = {
        **covering.report(params, redaction, analysis, passing.brush, written, _COPIED),
        "left_out": left_out(original, stream),
        "missing": missing_part(original),
        "location": location.require(out / "redacted.mp4", kept),
        "plan": look.plan(),
        "speed": watch.report(written.frames),
    }
    (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")
    return report


def _much_is_empty(reader: FrameReader, keys: Sequence[int], look: Look, threads: ExitStack) -> bool:
    """Whether nothing at all is seen on many of a few key frames, spread over the video."""
    some = keys[:: max(1, len(keys) // _SAMPLES)]
    if len(some) < _LEAST_SAMPLES:
        return False
    empty = 0
    for key in some:
        with read_frames(reader.path, reader.stream_index, key, key + 1, max_pixels=reader.max_pixels) as one:
            for frame in one:
                _open(look, frame, threads)
                sure = [model["threshold"] for model in look.models]
                found = [detector.detect(frame.small_rgb(detector.picture_wh)) for detector in look.detectors]
                empty += not any((seen.score >= least).any() for seen, least in zip(found, sure, strict=True))
    return empty > _EMPTY * len(some)


def _open(look: Look, first: Frame, threads: ExitStack) -> None:
    if look.size_wh == (0, 0):
        look.open_for(first.upright_size_wh, threads)


Looked = tuple[Frame, list[Future[Found]]]


class _Pass:
    """One video on its way through: which frames were looked at, which are held until their masks are known, and those
    masks."""

    def __init__(
        self, reader: FrameReader, times: Sequence[int], look: Look, redaction: Redaction, watch: Stopwatch
    ) -> None:
        """`times`: of the frames, as far as its packets tell."""
        known = times if len(times) > 1 else (0, reader.step)
        self.rate = frames_per_second(np.array(known, np.int64), reader.time_base)
        self._reader, self._look, self._redaction, self._watch = reader, look, redaction, watch
        self._held: deque[Frame] = deque()
        self._masks: dict[int, list[BoxXYXY]] = {}
        self._growing: Growing | None = None
        self._left_over: LeftOver | None = None
        self._frame_pts: list[int] = []
        self._scenes: list[int] = []
        self.brush = covering.Brush(redaction.style)

    def looked_at(self, threads: ExitStack) -> Iterator[Looked]:
        """Every frame, with what the models will have seen on it."""
        for frame in self._watch.making("decode", self._reader):
            with self._watch.at("load"):
                _open(self._look, frame, threads)
            with self._watch.at("scale"):
                answers = self._look.at(frame)
            yield frame, answers
        self._look.end()

    def settled(self, looked: Iterator[Looked]) -> Iterator[Frame]:
        """Every frame, once its masks are known."""
        for frame, answers in looked:
            seen = self._seen(answers)
            frame.forget_small()
            with self._watch.at("follow"):
                self._follow(frame, seen)
            yield from self._known()
        if self._growing is not None:
            self._growing.end()
            assert self._left_over is not None
            self._left_over.take(self._growing.follower.left_over)
            self._growing.check(self._redaction)
            self._redaction.check_regions(self._look.size_wh, self._span())
            yield from self._known()

    def _seen(self, answers: list[Future[Found]]) -> Seen:
        """Raises: whatever a model raised."""
        found = [
            (detector.name, ago, one)
            for detector, answer in zip(self._look.detectors, answers, strict=True)
            for ago, one in ((0, answer.result()), *answer.result().earlier)
        ]
        return Seen(
            np.concatenate([np.zeros((0, 4), np.float32), *(one.box_xyxy for _, _, one in found)]),
            np.concatenate([np.zeros(0, np.float32), *(one.score for _, _, one in found)]),
            [label for _, _, one in found for label in one.label],
            [name for name, _, one in found for _ in one.label],
            [ago for _, ago, one in found for _ in one.label],
        )

    def _follow(self, frame: Frame, seen: Seen) -> None:
        if frame.upright_size_wh != self._look.size_wh:
            raise IntegrityError(f"at {frame.moment.label()} the picture changes its size; nobody looked at it in that size")
        growing = self._growing = self._growing or self._start(frame)
        motion = self._look.motions[frame.index]
        growing.follower.add(frame.pts, seen, motion.shift(self._look.size_wh), motion.cut)
        growing.take()
        left_over = self._left_over = self._left_over or LeftOver(self._thresholds, growing.follower.look_ahead)
        left_over.fed(frame.index, seen)
        left_over.take(growing.follower.left_over)
        if motion.cut:
            self._scenes.append(frame.index)
        self._frame_pts.append(frame.pts)
        self._held.append(frame)

    def _start(self, first: Frame) -> Growing:
        return Growing(Follower(self._thresholds, self.rate, self._look.size_wh, first.time_base), self._redaction.margin)

    @property
    def _thresholds(self) -> dict[str, float]:
        return {model["name"]: model["threshold"] for model in self._look.models}

    def _known(self) -> Iterator[Frame]:
        assert self._growing is not None
        while self._held and self._growing.ready(self._held[0].index):
            frame = self._held.popleft()
            masks = Masks(self._growing.near(frame.index), self._redaction, self._look.size_wh, self._scenes)
            self._masks[frame.index] = masks.at(frame.index, frame.moment)
            yield frame

    def _span(self) -> Span:
        first, last = (MediaTime(pts, self._reader.time_base) for pts in (self._frame_pts[0], self._frame_pts[-1]))
        return Span(first, last)

    def __call__(self, frame: Frame, picture: Picture) -> None:
        """Paint a frame's masks. Raises: IntegrityError; KeyError for a frame whose masks nobody knows."""
        self.brush.paint(self._masks.pop(frame.index), frame, picture)

    def write_analysis(self, params: Mapping[str, Any], path: Path) -> analyses.Analysis:
        """tracks.json, as TRACK writes it."""
        tracks = self._growing.whole() if self._growing is not None else []
        about, of = self._look.about(params), str(params.get("original_sha256", ""))
        size_wh, base = self._look.size_wh, self._reader.time_base
        whole = tracks_file(self._frame_pts, base, size_wh, tracks, about, scenes=self._scenes, original_sha256=of)
        path.write_text(whole, "utf-8")
        return analyses.read(path)

    def write_doubts(self, out: Path) -> None:
        """doubts.json, as TRACK writes it."""
        if self._growing is None or self._left_over is None:
            return
        video = Video(len(self._frame_pts), self._true_rate(), self._look.size_wh, self._scenes, self._look.sharpness)
        left_over = self._left_over.detections(self._frame_pts, self._reader.time_base)
        frame_pts = np.array(self._frame_pts, np.int64)
        write_doubts(out, self._growing.whole(), left_over, video, self._thresholds, frame_pts)

    def _true_rate(self) -> float:
        """As TRACK tells it, from the frames that decoded."""
        return frames_per_second(np.array(self._frame_pts, np.int64), self._reader.time_base)

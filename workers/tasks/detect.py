"""DETECT: the models look at the frames of one segment, at each of them or where it pays (`detectors.plan`).

Input `original`. Params: `stream_index` (of the video stream), `segment` ({"number", "start_pts", "end_pts",
"frame_count"}; 0, null, null, 0 for the whole), `max_pixels`, `max_duration_s`, and those of
`workers.models.detect_params`: `detectors`, `keep`, `not_looked_for`; optional `looks_per_second` (so many frames of a
second are looked at, and no others: for what hides nothing; none: the models choose among all), `every_frame` (true: every
model looks at every frame, also where that gains nothing), `begin_at` (pts at which the models begin anew, as they do in a
segment), `processors` (how many may be kept busy; none: one for each model) and `tiles` (how small things are looked for,
`detectors.tiled`: {"mode": "auto", "off" or the side of a tile in pixels of the picture, "height_m", "view_deg": the
camera's height over the ground and its field of view along the longer side, in whole metres and degrees, where telemetry
tells them}; none: auto).

In `out`: `raw.parquet` (see `detectors.table`): frame (within the segment, from 0), pts, time_base, box_xyxy, score,
label, model, ago (see `evidence.track.Detections`); in its metadata the pts of every frame that decoded, and how the
camera moved to it. With `looks_per_second`, the frames that were looked at are counted as if there were no others, and
`all_pts` has the pts of all.
Result: {"frames", "detections", "looked_for", "not_looked_for", "models", "plan": {"every_frame", "looks_per_second",
"looks": {model: [{"look", "input_wh", "count", "frames": runs of [first, count, step]}]}, "tiles": {model: {"tiles":
{"scale", "side", "count"} or null, "why", "measured"}}}, "damage": {"count", "entries"}}.
Without a single detector the frames are still read: that they decode is part of the record.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from config.models import ModelTask
from detectors import sharpness
from detectors.aimed import Aimed, aimed
from detectors.between import APART
from detectors.detector import Detector, Found, Patient, View
from detectors.load import described, load, with_tiles
from detectors.motion import Motion, Watch, recorded, size_for
from detectors.plan import Now
from detectors.tiled import Asked
from evidence.ports import Progress
from evidence.track import Detections
from media.frames import Frame, FrameReader, read_frames
from media.seldom import SeldomReader
from media.spots import spots

T = TypeVar("T")

LOOKED_AT = APART.frames + 4
"""Frames that may wait for their models: more than a patient one may owe, and enough to keep decoding and inference both
busy."""
_MOST_LANES = 4
"""Each has networks of its own, 60 MB for full HD; no more looks than so are often due at once."""


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    from detectors.table import SegmentSeen, write_raw  # Here: SINGLE_PASS has no use for Arrow's 30 MB.

    segment = params["segment"]
    look, seen, reader = _looked(inputs["original"], params, progress)
    damage = {"count": reader.damage.count, "entries": reader.damage.entries}
    about = {
        "start_pts": segment["start_pts"],
        "size_wh": list(look.size_wh),
        **look.about(params),
        "plan": look.plan(),
        "damage": damage,
    }
    found = seen.detections(reader.time_base)
    kept = {**about, "motion": look.motion()}
    frame_pts = seen.frame_pts
    if isinstance(reader, SeldomReader):
        frame_pts = kept["all_pts"] = reader.frame_pts
    write_raw(SegmentSeen(segment["number"], np.array(seen.frame_pts, np.int64), found, kept), out / "raw.parquet")
    return {"frames": len(frame_pts), "detections": len(found), **about}


def _looked(original: Path, params: Mapping[str, Any], progress: Progress) -> tuple[Look, _Seen, FrameReader]:
    """What was seen in the segment, on all frames or a few a second, and the reader, closed, with what it found out."""
    segment, stream, per_second = params["segment"], params["stream_index"], params.get("looks_per_second")
    limits = {name: params[name] for name in ("max_pixels", "max_duration_s") if name in params}

    def one(kind: Callable[..., FrameReader]) -> tuple[Look, _Seen, FrameReader]:
        with kind(original, stream, segment["start_pts"], segment["end_pts"], **limits) as reader:
            look = Look(params, partial(spots, original, stream, reader.max_pixels))
            return look, _look_at_all(reader, look, segment["frame_count"], progress), reader

    if not per_second:
        return one(read_frames)
    seldom = partial(SeldomReader, per_second=Fraction(str(per_second)))
    look, seen, reader = one(seldom)
    if isinstance(reader, SeldomReader) and reader.doubtful:
        return one(partial(seldom, decode_all=True))
    return look, seen, reader


@dataclass(slots=True)
class _Seen:
    """Columns that grow frame by frame."""

    frame_pts: list[int] = field(default_factory=list)
    frame: list[int] = field(default_factory=list)
    box: list[np.ndarray[Any, np.dtype[np.float32]]] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    model: list[str] = field(default_factory=list)
    ago: list[int] = field(default_factory=list)

    def add(self, frame: int, model: str, found: Found, ago: int = 0) -> None:
        self.frame += [frame - ago] * len(found)
        self.ago += [ago] * len(found)
        self.box.append(found.box_xyxy)
        self.score += found.score.tolist()
        self.label += found.label
        self.model += [model] * len(found)
        for frames, earlier in found.earlier:
            self.add(frame, model, earlier, frames)

    def detections(self, time_base: Fraction) -> Detections:
        frame = np.array(self.frame, np.int64)
        return Detections(
            frame=frame,
            pts=np.array(self.frame_pts, np.int64)[frame] if len(frame) else frame,
            box_xyxy=np.concatenate([np.zeros((0, 4), np.float32), *self.box]),
            score=np.array(self.score, np.float32),
            label=tuple(self.label),
            model=tuple(self.model),
            time_base=time_base,
            ago=np.array(self.ago, np.int64),
        )


class Look:
    """The models, opened for the first picture's shape; each computes in a thread of its own."""

    def __init__(self, params: Mapping[str, Any], samples: Callable[[], Sequence[View]]) -> None:
        """`params`: those of DETECT, and `begin_at`: the pts of later frames at which the detectors begin anew, in order.
        `samples` gives a few frames of the whole video, the same for each of its segments.

        Raises: BadInput for a way of looking in tiles that there is not.
        """
        self._specs: tuple[Mapping[str, Any], ...] = tuple(params["detectors"])
        self._keep, self._every_frame = frozenset(params["keep"]), bool(params.get("every_frame", False))
        self._begin_at = deque[int](params.get("begin_at", ()))
        self._per_second = params.get("looks_per_second")
        spare = 0 if self._per_second else int(params.get("processors", 1)) - len(self._specs)
        self._lanes = min(_MOST_LANES, 1 + max(0, spare))  # Aimed looks are few, and on one sheet.
        self._begun = 0
        self._samples, self._tiles = samples, Asked.read(params.get("tiles"))
        self.held: int | None = None
        """Frames before one that may be read while it is looked at; None: all."""
        self._camera = Watch()
        self.motions: list[Motion] = []
        """Of each frame that was looked at, in order."""
        self.sharpness: list[float] = []
        self.size_wh = (0, 0)
        self.detectors: tuple[Detector, ...] = ()
        self.models: list[dict[str, Any]] = []
        self._chosen: dict[str, Any] = {}
        self._running: tuple[_Running, ...] = ()
        self.clock: Callable[[str, float], None] = lambda _model, _seconds: None
        """Told the seconds that a model was at work, in that model's thread."""

    def open_for(self, size_wh: tuple[int, int], stack: ExitStack) -> None:
        self.size_wh = size_wh
        for spec in self._specs:
            self.detectors = (*self.detectors, self._opened(spec, size_wh))
        self._running = tuple(
            _Running(detector, stack.enter_context(ThreadPoolExecutor(1)), self.clock) for detector in self.detectors
        )
        self.models = [described(spec, detector) for spec, detector in zip(self._specs, self.detectors, strict=True)]

    def _opened(self, spec: Mapping[str, Any], size_wh: tuple[int, int]) -> Detector:
        others = {label for detector in self.detectors for label in detector.labels}
        opened = load(spec, size_wh, self._keep, self._lanes)
        detector, chosen = with_tiles(spec, opened, size_wh, self._keep, self._tiles, self._samples)
        if chosen is not None:
            self._chosen[detector.name] = chosen.to_json(size_wh)
        if self._per_second:
            return aimed(detector, size_wh, spec, others)
        return detector

    def about(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What really ran, and for which labels."""
        return {
            "models": self.models,
            "looked_for": sorted({label for d in self.detectors for label in d.labels}),
            "not_looked_for": [*params["not_looked_for"], *_unknown_labels(params, self.detectors)],
        }

    def plan(self) -> dict[str, Any]:
        """Which models looked how, at which frames, and why in tiles or not."""
        looks = {d.name: d.looks.to_json() for d in self.detectors}
        return {
            "every_frame": self._every_frame,
            "looks_per_second": self._per_second,
            "looks": looks,
            "tiles": self._chosen,
        }

    def motion(self) -> dict[str, Any]:
        """Of all frames, for `detectors.motion.joined`, and how sharp each was."""
        return {**recorded(self.motions, self._camera), "sharpness": self.sharpness}

    def at(self, frame: Frame) -> list[Future[Found]]:
        """What each model will have seen; boxes in pixels of the upright picture. Frames come in order.

        A model doesn't look at each of them: `detectors.plan`.
        """
        motion = self._camera.at(frame.small_grey(size_for(frame.upright_size_wh)))
        number = len(self.motions)
        self.motions.append(motion)
        self.sharpness.append(sharpness.measured(frame.small_grey(sharpness.size_for(frame.upright_size_wh))))
        if self._begin_at and frame.pts >= self._begin_at[0]:
            self._begin_at.popleft()
            self._begun = number
            for model in self._running:
                model.begin()
        now = Now(number, number - self._begun, frame.pts * frame.time_base, motion, self._every_frame, self.held)
        for detector in self.detectors:
            if not isinstance(detector, Patient | Aimed):
                frame.small_rgb(detector.picture_wh)  # Made here: what several threads share of it is made once.
        answers: list[Future[Found]] = []
        objects: Future[Found] | None = None
        for spec, model in zip(self._specs, self._running, strict=True):
            answers.append(model.look(frame, now, objects))
            if spec["task"] == ModelTask.OBJECTS.value:
                objects = answers[-1]
        return answers

    def end(self) -> None:
        """There are no more frames."""
        for model in self._running:
            model.rest()


class _Running:
    """A model at work in a thread of its own. `clock` is told its seconds at work."""

    def __init__(self, detector: Detector, thread: ThreadPoolExecutor, clock: Callable[[str, float], None]) -> None:
        self._detector, self._thread, self._clock = detector, thread, clock
        self._waiting: deque[Future[Found]] = deque()

    def look(self, frame: Frame, now: Now, objects: Future[Found] | None) -> Future[Found]:
        """`objects`: what the model of people and vehicles will have seen, where there is one."""
        if isinstance(self._detector, Aimed) and objects is not None:
            return self._submit(partial(self._aim, frame, now, objects))
        if not isinstance(self._detector, Patient):
            return self._submit(partial(self._detector.look, frame, now))
        answer: Future[Found] = Future()
        self._waiting.append(answer)
        self._submit(partial(self._detector.take, frame, now)).add_done_callback(self._told)
        return answer

    def _aim(self, frame: Frame, now: Now, objects: Future[Found]) -> Found:
        assert isinstance(self._detector, Aimed)
        return self._detector.aim(frame, now, objects.result())

    def rest(self) -> None:
        if isinstance(self._detector, Patient):
            self._submit(self._detector.rest).add_done_callback(self._told)

    def begin(self) -> None:
        self.rest()
        self._thread.submit(self._detector.begin)

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        def timed() -> T:
            before = time.perf_counter()
            try:
                return work()
            finally:
                self._clock(self._detector.name, time.perf_counter() - before)

        return self._thread.submit(timed)

    def _told(self, answers: Future[list[Found]]) -> None:
        """Each answer to the frame that has waited longest."""
        if answers.cancelled():
            return
        error = answers.exception()
        if error is not None:
            while self._waiting:
                self._waiting.popleft().set_exception(error)
            return
        for found in answers.result():
            self._waiting.popleft().set_result(found)


def _look_at_all(reader: FrameReader, look: Look, expected: int, progress: Progress) -> _Seen:
    seen = _Seen()
    waiting: deque[tuple[int, Frame, list[Future[Found]]]] = deque()

    def take_first() -> None:
        number, frame, answers = waiting.popleft()
        for detector, answer in zip(look.detectors, answers, strict=True):
            seen.add(number, detector.name, answer.result())
        frame.forget_small()
        progress(frame.index + 1, max(expected, frame.index + 1))

    with ExitStack() as stack:
        for number, frame in enumerate(reader):
            if number == 0:
                look.open_for(frame.upright_size_wh, stack)
            seen.frame_pts.append(frame.pts)
            waiting.append((number, frame, look.at(frame)))
            if len(waiting) > LOOKED_AT:
                take_first()
        look.end()
        while waiting:
            take_first()
    return seen


def _unknown_labels(params: Mapping[str, Any], detectors: tuple[Detector, ...]) -> list[dict[str, str]]:
    """Labels that were asked for and that the object model doesn't know: said, not passed over."""
    for spec, detector in zip(params["detectors"], detectors, strict=False):
        if spec["task"] == ModelTask.OBJECTS.value:
            return [
                {"what": label, "reason": f"not analysed: the model {detector.name} has no such class"}
                for label in sorted(set(params["keep"]) - set(detector.labels))
            ]
    return []

"""The steps' own tasks on one file, without servers: the same children, one after the other, in a scratch folder."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from config.models import ModelTask
from config.settings import Settings
from detectors.plan import joined
from evidence.errors import Cancelled, CorruptMedia, NoDetector
from evidence.exhibit import MediaInfo, Segment
from evidence.findings import not_looked
from evidence.ports import Progress
from evidence.redaction import LABELS_OF, Hide, Redaction
from evidence.wire import media_from_json, redaction_to_json
from media.stopwatch import Stopwatch
from workers import child, models

Stage = Callable[[str], AbstractContextManager[Progress]]
"""Opens the display of one stage's progress, by its name."""

TRACKS = "tracks.json"
_DOUBTS = "doubts.json"
MADE = (TRACKS, "tracks.mot.txt", "detections.parquet", _DOUBTS)
"""What an analysis writes."""

_CORES_PER_SEGMENT = 3
_MANY = 3
"""From so many segments at a time a long video is done sooner step by step, though with more work."""
_HELD_BYTES = 400 * 1024**2
"""The frames of a second and a bit, which one pass holds until they can be painted, may take so much."""
_AFTERWARDS = frozenset({"face", "person"})
"""Where both are looked for, faces are carried on along people: that is known only when the tracks are whole."""
_NOT_ASKED = "not looked for: not asked for"
TASK_OF = {
    Hide.FACES: ModelTask.FACES,
    Hide.HEADS: ModelTask.OBJECTS,
    Hide.PLATES: ModelTask.PLATES,
    Hide.PEOPLE: ModelTask.OBJECTS,
}
"""The model without which that can't be hidden; heads are those of faces too."""
_TASK_OF_LABEL = {"face": ModelTask.FACES, "licence plate": ModelTask.PLATES}


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found in one file; the files in `MADE` lie in `folder`."""

    folder: Path
    media: MediaInfo
    report: Mapping[str, Any]
    """TRACK's."""
    seen: Sequence[Mapping[str, Any]]
    """DETECT's of each segment."""

    @property
    def tracks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / TRACKS).read_bytes())["tracks"]
        return found


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and how one file is worked on. `scratch` is an empty folder that the caller removes."""

    settings: Settings
    scratch: Path
    stage: Stage
    every_frame: bool = False
    """Whether models look at every frame, also where that gains nothing."""
    tiles: str = "auto"
    """How small things are looked for: auto, off, or the side of a tile in pixels of the picture."""
    looks_per_second: float = 0
    """How many frames of a second an analysis looks at; 0: the models choose among all, as where something is hidden."""

    def analyse(self, file: Path, labels: Sequence[str] = (), sha256: str = "") -> Analysis:
        """Look for `labels`, or for all that is configured; `sha256` of the file stands in the result.

        Raises: NoDetector when nothing here can look for one of `labels`; UnsupportedMedia, CorruptMedia, TooLarge,
            WrongWeights, StepFailed.
        """
        seldom = {"looks_per_second": self.looks_per_second} if self.looks_per_second and not self.every_frame else {}
        if not labels:
            return self._analyse(file, {**self._params(frozenset(ModelTask)), **seldom}, sha256)
        tasks = frozenset(_TASK_OF_LABEL.get(label, ModelTask.OBJECTS) for label in labels)
        params = {**self._params(tasks), **seldom, "keep": [label for label in labels if label not in _TASK_OF_LABEL]}
        _refuse_what_is_missing(params, labels)
        return self._analyse(file, self._with_the_rest(params, {task: task.value for task in ModelTask}), sha256)

    def can_look_for(self, task: ModelTask) -> bool:
        """Raises: WrongWeights."""
        try:
            models.available(self.settings, task)
        except NoDetector:
            return False
        return True

    def redact(
        self, file: Path, redaction: Redaction, found: Path | None = None, *, smart: bool = True
    ) -> tuple[Path, dict[str, Any]]:
        """The redacted copy and the report about it; `found` is the tracks.json of an earlier analysis of the file, without
        which the report has the doubts too.
        `smart`: groups of pictures with nothing to hide are copied.

        Raises: NoDetector when nothing here can look for what is to be hidden, before anything is decoded; the rest as
            `analyse`.
        """
        watch = Stopwatch()
        if found is not None:
            return self._redact(file, redaction, found, watch, smart=smart)
        tasks = frozenset(_TASK_OF_LABEL.get(label, ModelTask.OBJECTS) for label in redaction.labels)
        params = {**self._params(tasks), "keep": sorted(redaction.labels & LABELS_OF[Hide.PEOPLE])}
        _refuse_what_is_missing(params, sorted(redaction.labels))
        params = self._with_the_rest(params, {TASK_OF[what]: what.value for what in Hide})
        with watch.at("probe"):
            media = self._probe(file)
        if media.main_video is not None:
            redaction.check_regions(media.main_video.upright_size_wh)  # before minutes are spent
        if self._fits_one_pass(media, redaction):
            whole = self._in_one_pass(file, redaction, params, media, smart=smart)
            if whole is not None:
                return whole
        analysis = self._analyse(file, params, media=media, watch=watch)
        made, report = self._redact(file, redaction, analysis.folder / TRACKS, watch, smart=smart)
        doubts = _doubts_in(analysis.folder)
        plan = joined([seen["plan"] for seen in analysis.seen], [seen["frames"] for seen in analysis.seen])
        told = {"not_looked_for": analysis.report["not_looked_for"], "plan": plan, "doubts": doubts}
        return made, {**report, **told}

    def _fits_one_pass(self, media: MediaInfo, redaction: Redaction) -> bool:
        """Whether tracks can be hidden while they are followed, and the frames that wait for that don't fill the memory."""
        video = media.main_video
        if video is None or redaction.keep_tracks or redaction.only_tracks or redaction.labels >= _AFTERWARDS:
            return False
        at_a_time = min(len(media.segments), _segments_at_a_time())
        w, h = video.size_wh
        samples = 2 if re.search(r"p1[0-6]", video.pixel_format) else 1
        frame_bytes = w * h * samples * (3 if "444" in video.pixel_format else 2)
        return at_a_time < _MANY and frame_bytes * (1 + (video.average_rate or 30)) <= _HELD_BYTES

    def _in_one_pass(
        self, file: Path, redaction: Redaction, params: Mapping[str, Any], media: MediaInfo, *, smart: bool
    ) -> tuple[Path, dict[str, Any]] | None:
        """As `redact`; None where the steps do it with less work (`workers.tasks.single_pass`)."""
        video = media.main_video
        assert video is not None
        asked = {"redaction": redaction_to_json(redaction), "draft": True, "smart": smart}
        # As if each segment were looked at by itself: so the steps do it, on as many machines as there are.
        starts = [segment.start_pts for segment in media.segments[1:]]
        about = {"stream_index": video.index, "frame_count": video.frame_count, "begin_at": starts, **self._caps()}
        about["processors"] = _processors()
        out = self._folder("single_pass")
        with self.stage("redact") as progress:
            report = self._child("single_pass", {"original": file}, {**params, **asked, **about}, out, progress)
        if "instead" in report:
            return None
        beside = self._folder("track")
        for name in (TRACKS, _DOUBTS):
            (out / name).rename(beside / name)
        return out / "redacted.mp4", {**report, "doubts": _doubts_in(beside)}

    def _redact(
        self, file: Path, redaction: Redaction, tracks: Path, watch: Stopwatch, *, smart: bool
    ) -> tuple[Path, dict[str, Any]]:
        out = self._folder("redact")
        params = {"redaction": redaction_to_json(redaction), "draft": True, "smart": smart, **self._caps()}
        with self.stage("redact") as progress, watch.at("redact"):
            report = self._child("redact", {"original": file, TRACKS: tracks}, params, out, progress)
        return out / "redacted.mp4", {**report, "speed": watch.report(report["frames_out"])}

    def look_again(self, copy: Path, redaction: Redaction, found: Path | None = None) -> tuple[Path, dict[str, Any]]:
        """What other eyes see open in a copy that `redact` made with the same arguments: the folder with pictures of it,
        and with tracks.json where it is added to the tracks; and the report (`workers.tasks.second_look`).
        """
        tracks = found or self.scratch / "track" / TRACKS
        looked_first = {model["name"] for model in json.loads(tracks.read_bytes())["models"]}
        with self.stage("models") as progress:
            params = models.second_look_params(self.settings, progress, redaction, looked_first)
        out = self._folder("second_look")
        if not params["detectors"]:
            return out, not_looked(params["not_looked_for"])
        with self.stage("second look") as progress:
            return out, self._child("second_look", {"copy": copy, TRACKS: tracks}, {**params, **self._caps()}, out, progress)

    def annotate(self, file: Path, analysis: Analysis, reference: str) -> Path:
        claimed = analysis.media.claimed_capture_time
        params = {"reference": reference, "claimed_capture_time": claimed and claimed.isoformat(), **self._caps()}
        out = self._folder("annotate")
        with self.stage("annotate") as progress:
            self._child("annotate", {"original": file, TRACKS: analysis.folder / TRACKS}, params, out, progress)
        return out / "annotated.mp4"

    def _params(self, tasks: frozenset[ModelTask]) -> dict[str, Any]:
        with self.stage("models") as progress:
            found = models.detect_params(self.settings, progress, tasks)
        return {**found, "every_frame": self.every_frame, "tiles": {"mode": self.tiles}}

    def _with_the_rest(self, params: Mapping[str, Any], names: Mapping[ModelTask, str]) -> dict[str, Any]:
        """The parameters with a line for each thing that is not looked for at all, and why not."""
        asked = {spec["task"] for spec in params["detectors"]}
        rest = [
            {"what": name, "reason": _NOT_ASKED if self.can_look_for(task) else models.NO_WEIGHTS}
            for task, name in names.items()
            if task.value not in asked
        ]
        return {**params, "not_looked_for": rest}

    def _analyse(
        self,
        file: Path,
        params: Mapping[str, Any],
        sha256: str = "",
        media: MediaInfo | None = None,
        watch: Stopwatch | None = None,
    ) -> Analysis:
        # DETECT decodes all of it: PROBE needn't as well.
        media, watch = media or self._probe(file), watch or Stopwatch()
        video = media.main_video
        if video is None:
            raise CorruptMedia(f"no frame of {file.name} can be read" + (f": {media.note}" if media.note else ""))
        segments = media.segments or (Segment(0, video.start_pts, None, video.frame_count),)
        with self.stage("detect") as progress, watch.at("detect"):
            raw, seen = self._detect(file, {**params, "stream_index": video.index, **self._caps()}, segments, progress)
        out = self._folder("track")
        with self.stage("track") as progress, watch.at("track"):
            report = self._child("track", raw, {"original_sha256": sha256}, out, progress)
        damage = [one["damage"] for one in seen]
        first = next((entry for found in damage for entry in found["entries"]), "")
        media = media.decoded(report["frames"], report["last_pts"], sum(found["count"] for found in damage), first)
        return Analysis(out, media, report, seen)

    def _probe(self, file: Path) -> MediaInfo:
        """Of the pictures one is decoded: whoever asks decodes all of them."""
        params = {"segment_s": self.settings.segment_s, "quick": True, **self._caps()}
        with self.stage("probe") as progress:
            return media_from_json(self._child("probe", {"original": file}, params, self._folder("probe"), progress))

    def _detect(
        self, file: Path, params: Mapping[str, Any], segments: Sequence[Segment], progress: Progress
    ) -> tuple[dict[str, Path], list[dict[str, Any]]]:
        """What was seen, and what DETECT says of it, by segment. Several at a time where there are cores for it; when one
        fails, the others are ended."""
        stop, lock = threading.Event(), threading.Lock()
        done_in = dict.fromkeys((s.number for s in segments), 0)
        expected = sum(s.frame_count for s in segments)
        at_a_time = min(len(segments), _segments_at_a_time())

        def one(segment: Segment) -> tuple[str, Path, dict[str, Any]]:
            def count(done: int, total: int) -> None:  # noqa: ARG001 - the port's signature
                if stop.is_set():
                    raise Cancelled("stopped")
                with lock:
                    done_in[segment.number] = done
                    so_far = sum(done_in.values())
                    progress(so_far, max(expected, so_far))

            name = f"raw-{segment.number}.parquet"
            out = self._folder(f"detect-{segment.number}")
            piece = {
                "number": segment.number,
                "start_pts": segment.start_pts,
                "end_pts": segment.end_pts,
                "frame_count": segment.frame_count,
            }
            shared = {"segment": piece, "processors": _processors() // at_a_time}
            return name, out / "raw.parquet", self._child("detect", {"original": file}, {**params, **shared}, out, count)

        with ThreadPoolExecutor(at_a_time) as pool:
            running = [pool.submit(one, segment) for segment in segments]
            try:
                done = [future.result() for future in running]
                return {name: raw for name, raw, _ in done}, [report for _, _, report in done]
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)

    def _child(
        self, task: str, inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress
    ) -> dict[str, Any]:
        return child.run(child.Job(task, inputs, out, params), child.Limits.of(self.settings), progress)

    def _caps(self) -> dict[str, int]:
        return {"max_pixels": self.settings.max_pixels, "max_duration_s": self.settings.max_duration_s}

    def _folder(self, name: str) -> Path:
        """A new folder; work that is done again has another each time."""
        folder = next(f for f in (self.scratch / f"{name}{n or ''}" for n in count()) if not f.exists())
        folder.mkdir()
        return folder


def _doubts_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / _DOUBTS).read_bytes())
    return found


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _segments_at_a_time() -> int:
    return max(1, _processors() // _CORES_PER_SEGMENT)


def _refuse_what_is_missing(params: Mapping[str, Any], labels: Sequence[str]) -> None:
    there = {spec["task"]: spec for spec in params["detectors"]}
    missing = []
    for label in labels:
        spec = there.get(_TASK_OF_LABEL.get(label, ModelTask.OBJECTS).value)
        known = spec and (label in _TASK_OF_LABEL or not spec["classes"] or label in spec["classes"])
        if not known:
            missing.append(label)
    if missing:
        raise NoDetector(f"nothing here can look for: {', '.join(missing)}")

"""REDACT: a copy of the video in which what was found, and what a person drew, is covered on every frame.

Inputs `original`, `tracks.json`. Params: `redaction` (`evidence.wire.redaction_to_json`); optional `draft` (true: the
file's title says so), `reference` (of the exhibit), `stream_index`, `max_pixels`, `max_duration_s`, `crf`, `preset`,
`smart` (true: groups of pictures with nothing to hide are copied, see `media.smart`).

In `out`: `redacted.mp4` and `report.json`::

    {"draft", "reference", "redaction", "frames_in", "frames_out", "frames_masked", "masks",
     "tracks_hidden": {label: tracks}, "looked_for", "not_looked_for", "models", "audio": [lines], "video": [lines],
     "copied": {"groups_copied", "groups_encoded", "groups_begun", "frames_copied", "frames_encoded",
                "encoded_as_a_whole": why or ""},
     "left_out": [lines], "missing": what the file lacks, "location": {"found": [], "kept": one place, or null,
     "of": where it comes from}, "damage": [lines], "damage_count",
     "encoding", "size_wh", "shift_s"}

Result: the same. It fails closed: a frame that was not analysed, that differs from the one that was, or whose masks can't
be painted, and a copy that doesn't say of its place what was asked, end the task with an error and leave no video.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.errors import IntegrityError
from evidence.mediatime import MediaTime
from evidence.ports import Progress
from evidence.redaction import AudioPolicy, Keep, Masks, Redaction
from evidence.wire import redaction_asked
from media import location
from media.frames import Frame, FrameReader, Picture
from media.missing import missing_part
from media.render import Written, render
from media.smart import StrictReader, render_smart
from media.smart_plan import Copied, NotSmart, Plan, plan_for
from media.sound import SoundTracks
from media.streams import left_out
from media.timeline import shift_for
from workers.tasks import analysis as analyses
from workers.tasks import covering
from workers.tasks.covering import Brush


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: BadInput for a redaction that is none, or that names what isn't in this video; IntegrityError,
    CorruptMedia, UnsupportedMedia, TooLarge, NoSpace.
    """
    original, analysis = inputs["original"], analyses.read(inputs[analyses.NAME])
    analysis.require_all_frames()
    redaction = redaction_asked(params["redaction"])
    redaction.check_tracks({track.id for track in analysis.tracks})
    redaction.check_regions(analysis.size_wh, analysis.span)
    job = _Job(original, params, analysis, redaction, out / "redacted.mp4", progress)
    written, brush, copied = job.smart_or_whole()
    report = {
        **covering.report(params, redaction, analysis, brush, written, copied),
        "left_out": left_out(original, job.stream_index),
        "missing": missing_part(original),
        "location": location.require(out / "redacted.mp4", job.kept),
    }
    (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")
    return report


class _Job:
    """One copy to make: what was asked for, and of what."""

    def __init__(
        self,
        original: Path,
        params: Mapping[str, Any],
        analysis: analyses.Analysis,
        redaction: Redaction,
        out: Path,
        progress: Progress,
    ) -> None:
        self._original, self._params, self._out = original, params, out
        self._analysis, self._redaction, self._progress = analysis, redaction, progress
        self.stream_index = analyses.stream_index(params, original)
        self.kept = location.kept(original) if Keep.LOCATION in redaction.keep else None

    def smart_or_whole(self) -> tuple[Written, Brush, Copied]:
        """Groups of pictures with nothing to hide are copied; where that can't be, the whole is encoded."""
        why = "that was asked for"
        if self._params.get("smart", True):
            try:
                masked = _Covering(self._analysis, self._redaction).masked()
                pixels = analyses.pixel_limit(self._params)
                analysis = self._analysis
                plan = plan_for(self._original, self.stream_index, analysis.frame_pts, analysis.time_base, masked, **pixels)
                return (*self._render(plan), plan.told())
            except NotSmart as exc:
                why = str(exc)
        return (*self._render(None), Copied(encoded_as_a_whole=why))

    def _render(self, plan: Plan | None) -> tuple[Written, Brush]:
        treat = _Covering(self._analysis, self._redaction)
        frames = self._analysis.frame_count
        sound = SoundTracks(self._original, mute=self._redaction.audio is AudioPolicy.MUTE)
        how: dict[str, Any] = {
            "sound": sound,
            "encoding": covering.encoding(self._params),
            "title": covering.title(self._params),
            "location": self.kept.iso_6709 if self.kept else "",
            "shift": shift_for(self._original, self.stream_index),
            "progress": lambda done: self._progress(done, frames),
        }
        source = (self._original, {**self._params, "stream_index": self.stream_index}, self._analysis)
        with analyses.frames_of(*source, FrameReader if plan is None else StrictReader) as reader, sound:
            if plan is None:
                return render(reader, self._out, treat, expected_frames=frames, **how), treat.brush
            return render_smart(reader, self._out, treat, treat.clear, plan, **how), treat.brush


class _Covering:
    """Paints a frame's masks, or raises."""

    def __init__(self, analysis: analyses.Analysis, redaction: Redaction) -> None:
        self._analysis, self._redaction = analysis, redaction
        self._masks = Masks(analysis.tracks, redaction, analysis.size_wh, analysis.scenes)
        self.brush = Brush(redaction.style)

    def __call__(self, frame: Frame, picture: Picture) -> None:
        self._analysis.check(frame)
        self.brush.paint(self._masks.at(frame.index, frame.moment), frame, picture)

    def masked(self) -> list[bool]:
        """Of every frame, whether there is something to hide in it."""
        times = (MediaTime(pts, self._analysis.time_base) for pts in self._analysis.frame_pts)
        return [bool(self._masks.at(number, moment)) for number, moment in enumerate(times)]

    def clear(self, frame: Frame) -> None:
        """Raises: IntegrityError for a frame with something to hide: it must never be copied."""
        self._analysis.check(frame)
        if self._masks.at(frame.index, frame.moment):
            raise IntegrityError(f"the frame at {frame.moment.label()} has a mask, and was about to be copied")

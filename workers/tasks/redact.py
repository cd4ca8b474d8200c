"""REDACT: a copy of the video in which what was found, and what a person drew, is covered on every frame.

Inputs `original`, `tracks.json`. Params: `redaction` (`evidence.wire.redaction_to_json`); optional `draft` (true: the
file's title says so), `reference` (of the exhibit), `stream_index`, `max_pixels`, `max_duration_s`, `crf`, `preset`.

In `out`: `redacted.mp4` and `report.json`::

    {"draft", "reference", "redaction", "frames_in", "frames_out", "frames_masked", "masks",
     "tracks_hidden": {label: tracks}, "looked_for", "not_looked_for", "models", "audio": [lines], "video": [lines],
     "left_out": [lines], "damage": [lines], "damage_count", "encoding", "size_wh", "shift_s"}

Result: the same. It fails closed: a frame that was not analysed, that differs from the one that was, or whose masks
can't be painted ends the task with an error and leaves no video.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.errors import BadInput, IntegrityError
from evidence.ports import Progress
from evidence.redaction import AudioPolicy, Masks, Redaction
from evidence.wire import redaction_from_json, redaction_to_json
from media.encode import Encoding
from media.frames import Frame, Picture
from media.paint import cover
from media.render import Written, render
from media.sound import SoundTracks
from media.streams import left_out
from media.timeline import shift_for
from workers.tasks import analysis as analyses


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: BadInput for a redaction that is none, or that names what isn't in this video; IntegrityError,
    CorruptMedia, UnsupportedMedia, TooLarge, NoSpace.
    """
    original, analysis = inputs["original"], analyses.read(inputs[analyses.NAME])
    try:
        redaction = redaction_from_json(params["redaction"])
    except (KeyError, ValueError, TypeError) as exc:
        raise BadInput(f"the redaction that was asked for can't be understood: {exc}") from exc
    redaction.check_tracks({track.id for track in analysis.tracks})
    redaction.check_regions(analysis.size_wh, analysis.span)
    covering = _Covering(analysis, redaction)
    draft = bool(params.get("draft", False))
    sound = SoundTracks(original, mute=redaction.audio is AudioPolicy.MUTE)
    with analyses.frames_of(original, params, analysis) as reader, sound:
        written = render(
            reader,
            out / "redacted.mp4",
            covering,
            sound=sound,
            encoding=encoding(params),
            title=_title(params, draft),
            shift=shift_for(original, reader.stream_index),
            expected_frames=analysis.frame_count,
            progress=lambda done: progress(done, analysis.frame_count),
        )
    report = {
        "draft": draft,
        "reference": str(params.get("reference", "")),
        "redaction": redaction_to_json(redaction),
        **covering.report(written),
        "left_out": left_out(original, reader.stream_index),
    }
    (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")
    return report


class _Covering:
    """Paints a frame's masks, or raises."""

    def __init__(self, analysis: analyses.Analysis, redaction: Redaction) -> None:
        self._analysis, self._redaction = analysis, redaction
        self._masks = Masks(analysis.tracks, redaction)
        self.masks = self.frames_masked = 0

    def __call__(self, frame: Frame, picture: Picture) -> None:
        self._analysis.check(frame)
        boxes = self._masks.at(frame.index, frame.moment)
        try:
            painted = cover(picture, boxes, frame.orientation, self._redaction.style)
        except ValueError as exc:
            raise IntegrityError(f"a mask at {frame.moment.label()} can't be painted: {exc}") from exc
        self.masks += painted
        self.frames_masked += painted > 0

    def report(self, written: Written) -> dict[str, Any]:
        hidden = Counter(track.label for track in self._analysis.tracks if self._redaction.hides(track))
        return {
            "frames_in": self._analysis.frame_count,
            "frames_out": written.frames,
            "frames_masked": self.frames_masked,
            "masks": self.masks,
            "tracks_hidden": dict(sorted(hidden.items())),
            "looked_for": list(self._analysis.looked_for),
            "not_looked_for": [dict(line) for line in self._analysis.not_looked_for],
            "models": [dict(model) for model in self._analysis.models],
            **{name: value for name, value in written.to_json().items() if name != "frames"},
        }


def encoding(params: Mapping[str, Any]) -> Encoding:
    default = Encoding()
    return Encoding(crf=int(params.get("crf", default.crf)), preset=str(params.get("preset", default.preset)))


def _title(params: Mapping[str, Any], draft: bool) -> str:
    reference = str(params.get("reference", ""))
    return " ".join(filter(None, ["DRAFT, not approved for release" if draft else "", reference]))

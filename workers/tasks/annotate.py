"""ANNOTATE: the video with every track's box, label, number and score, its time and its exhibit reference burnt in.

Inputs `original`, `tracks.json`. Params, all optional: `reference` (of the exhibit), `claimed_capture_time` (ISO 8601,
the device's claim: the burnt-in clock counts from it and says *claimed*), `stream_index`, `max_pixels`,
`max_duration_s`, `crf`, `preset`.

In `out`: `annotated.mp4`. Result: {"frames", "tracks", "audio", "video", "damage", "damage_count", "encoding", "size_wh",
"shift_s", "note"}. A box drawn thin was not seen by a detector on that frame: a tracker carried it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from evidence.errors import BadInput
from evidence.ports import Progress
from evidence.track import Origin, Playback, Track
from media.draw import Mark, Pen
from media.frames import Frame, Picture
from media.render import render
from media.sound import SoundTracks
from media.timeline import shift_for
from workers.tasks import analysis as analyses
from workers.tasks.covering import encoding


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: BadInput, IntegrityError, CorruptMedia, UnsupportedMedia, TooLarge, NoSpace."""
    original, analysis = inputs["original"], analyses.read(inputs[analyses.NAME])
    with analyses.frames_of(original, params, analysis) as reader, SoundTracks(original) as sound:
        written = render(
            reader,
            out / "annotated.mp4",
            _Drawing(analysis, str(params.get("reference", "")), _claimed(params)),
            sound=sound,
            encoding=encoding(params),
            shift=shift_for(original, reader.stream_index),
            expected_frames=analysis.frame_count,
            progress=lambda done: progress(done, analysis.frame_count),
        )
    report = written.to_json()
    return {**report, "tracks": len(analysis.tracks), "note": "; ".join(line for line in report["video"] if line)}


def _claimed(params: Mapping[str, Any]) -> datetime | None:
    text = params.get("claimed_capture_time")
    try:
        return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as exc:
        raise BadInput(f"not a time: {text}") from exc


class _Drawing:
    def __init__(self, analysis: analyses.Analysis, reference: str, claimed: datetime | None) -> None:
        self._analysis, self._reference, self._claimed = analysis, reference, claimed
        self._playback = Playback(analysis.tracks)
        self._pen: Pen | None = None
        self._start: Fraction | None = None

    def __call__(self, frame: Frame, picture: Picture) -> None:
        self._analysis.check(frame)
        if self._pen is None or self._start is None:
            self._pen = Pen(frame.stored_size_wh, frame.orientation)
            self._start = frame.moment.seconds
        self._pen.marks(picture, [_mark(track, frame.index) for track in self._playback.at(frame.index)])
        self._pen.lines(picture, self._lines(frame, self._start))

    def _lines(self, frame: Frame, start: Fraction) -> list[str]:
        lines = [f"{self._reference}  {frame.moment.label()}".strip()]
        if self._claimed is not None:
            at = self._claimed + timedelta(milliseconds=int((frame.moment.seconds - start) * 1000))
            lines.insert(0, f"{at:%Y-%m-%d %H:%M:%S}Z claimed")
        return lines


def _mark(track: Track, frame: int) -> Mark:
    box = track.boxes[frame - track.boxes[0].frame]
    sure = box.origin is Origin.DETECTED
    caption = f"{track.label} {track.id}" + (f"  {box.score:.2f}" if sure else "")
    return Mark(box.box_xyxy, caption, track.id, sure)

"""ANNOTATE: the video with every track's box, label, number and score, its time and its exhibit reference burnt in.

Inputs `original`, `tracks.json`. Params, all optional: `reference` (of the exhibit), `claimed_capture_time` (ISO 8601,
the device's claim: the burnt-in clock counts from it and says *claimed*), `corrected` (what a clock that was corrected, or
comes from satellites, says at the first frame: {"utc_us", "error_s", "claim_us", "zone"}; it is burnt in with its error, its
own claim below it), `stream_index`, `max_pixels`, `max_duration_s`, `crf`, `preset`.

In `out`: `annotated.mp4`. Result: {"frames", "tracks", "audio", "video", "damage", "damage_count", "encoding", "size_wh",
"shift_s", "note"}. A box drawn thin was not seen by a detector on that frame: a tracker carried it on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from evidence.clock import from_micros
from evidence.errors import BadInput
from evidence.ports import Progress
from evidence.telemetry import Zone
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
            _Drawing(analysis, str(params.get("reference", "")), clocks(params)),
            sound=sound,
            encoding=encoding(params),
            shift=shift_for(original, reader.stream_index),
            expected_frames=analysis.frame_count,
            progress=lambda done: progress(done, analysis.frame_count),
        )
    report = written.to_json()
    return {**report, "tracks": len(analysis.tracks), "note": "; ".join(line for line in report["video"] if line)}


_Clock = tuple[datetime, str]
"""What a clock says at the first frame, and what is written behind the time."""


def clocks(params: Mapping[str, Any]) -> list[_Clock]:
    """The clocks that run in the picture, from the top."""
    known = params.get("corrected")
    if known is not None:
        zone = "Z" if known["zone"] == Zone.UTC.value else " local"
        corrected = from_micros(known["utc_us"])
        claim = from_micros(known["claim_us"])
        return [(corrected, f"Z ±{_error(known['error_s'])} corrected"), (claim, f"{zone} claimed")]
    text = params.get("claimed_capture_time")
    try:
        return [] if text is None else [(datetime.fromisoformat(text).astimezone(UTC), "Z claimed")]
    except ValueError as exc:
        raise BadInput(f"not a time: {text}") from exc


def _error(error_s: float) -> str:
    """Never told smaller than it is."""
    return f"{math.ceil(error_s * 10) / 10:.1f} s" if error_s < 10 else f"{math.ceil(error_s)} s"


class _Drawing:
    def __init__(self, analysis: analyses.Analysis, reference: str, clocks: Sequence[_Clock]) -> None:
        self._analysis, self._reference, self._clocks = analysis, reference, clocks
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
        passed = timedelta(milliseconds=int((frame.moment.seconds - start) * 1000))
        times = [f"{at + passed:%Y-%m-%d %H:%M:%S}{words}" for at, words in self._clocks]
        return [*times, f"{self._reference}  {frame.moment.label()}".strip()]


def _mark(track: Track, frame: int) -> Mark:
    box = track.boxes[frame - track.boxes[0].frame]
    sure = box.origin is Origin.DETECTED
    caption = f"{track.label} {track.id}" + (f"  {box.score:.2f}" if sure else "")
    return Mark(box.box_xyxy, caption, track.id, sure)

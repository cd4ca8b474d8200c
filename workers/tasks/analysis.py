"""tracks.json as ANNOTATE, REDACT, THUMBNAILS and SHEET read it (`workers.tasks.track` says what is in it)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from evidence.errors import IntegrityError
from evidence.mediatime import MediaTime, Span
from evidence.track import Track
from evidence.wire import track_from_json
from media.frames import Frame, FrameReader
from media.probe import main_stream

NAME = "tracks.json"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found, and exactly which frames were looked at."""

    frame_pts: tuple[int, ...]
    cuts: tuple[int, ...]
    scenes: tuple[int, ...]
    """Frames with which another scene begins."""
    time_base: Fraction
    size_wh: tuple[int, int]
    tracks: tuple[Track, ...]
    looked_for: tuple[str, ...]
    not_looked_for: tuple[Mapping[str, Any], ...]
    models: tuple[Mapping[str, Any], ...] = ()
    looks_per_second: float | None = None
    """How many frames of a second were looked at; None: the models chose among all."""

    def require_all_frames(self) -> None:
        """Raises: IntegrityError where frames were passed over unseen: nothing may be hidden by such tracks."""
        if self.looks_per_second:
            raise IntegrityError(
                f"only {self.looks_per_second:g} frames a second were looked at: what shows between them would be left open",
                hint="Look at all frames first.",
            )

    @property
    def frame_count(self) -> int:
        return len(self.frame_pts)

    @property
    def span(self) -> Span:
        """From the first frame to the last."""
        return Span(MediaTime(self.frame_pts[0], self.time_base), MediaTime(self.frame_pts[-1], self.time_base))

    def check(self, frame: Frame) -> None:
        """That this frame is the one that was looked at under its number.

        Raises: IntegrityError. Boxes must never be put on another frame than their own.
        """
        if frame.index >= self.frame_count:
            raise IntegrityError(
                f"frame {frame.index} was never analysed: the analysis ends at frame {self.frame_count - 1}", hint=_AGAIN
            )
        if self.frame_pts[frame.index] * self.time_base != frame.pts * frame.time_base:
            raise IntegrityError(f"frame {frame.index} is not the frame that was analysed under this number", hint=_AGAIN)
        if frame.upright_size_wh != self.size_wh:
            raise IntegrityError(
                f"at {frame.moment.label()} the picture is {frame.upright_size_wh[0]} × {frame.upright_size_wh[1]}, "
                f"but it was analysed at {self.size_wh[0]} × {self.size_wh[1]}",
                hint=_AGAIN,
            )


_AGAIN = "Retry the DETECT and TRACK steps of this exhibit, then this one."


def read(path: Path) -> Analysis:
    """Raises: IntegrityError for a file that is no tracks.json or contradicts itself."""
    try:
        value = json.loads(path.read_bytes())
        analysis = Analysis(
            frame_pts=tuple(value["frame_pts"]),
            cuts=tuple(value.get("cuts", ())),
            scenes=tuple(value.get("scenes", ())),
            time_base=Fraction(value["time_base"]),
            size_wh=(value["size_wh"][0], value["size_wh"][1]),
            tracks=tuple(track_from_json(track) for track in value["tracks"]),
            looked_for=tuple(value.get("looked_for", ())),
            not_looked_for=tuple(value.get("not_looked_for", ())),
            models=tuple(value.get("models", ())),
            looks_per_second=value.get("looks_per_second"),
        )
        if value["frame_count"] != analysis.frame_count:
            raise ValueError("frame_count and frame_pts differ")
        last = max((track.boxes[-1].frame for track in analysis.tracks), default=-1)
        if last >= analysis.frame_count:
            raise ValueError(f"a track goes on to frame {last}, beyond the last frame")
    except (ValueError, KeyError, TypeError, IndexError) as exc:
        raise IntegrityError(f"tracks.json can't be used: {exc}", hint=_AGAIN) from exc
    return analysis


def stream_index(params: Mapping[str, Any], original: Path) -> int:
    """The stream to work on: given in `stream_index`, else the main one, found by probing."""
    given = params.get("stream_index")
    return main_stream(original, **pixel_limit(params)) if given is None else int(given)


def frames_of(
    path: Path, params: Mapping[str, Any], analysis: Analysis, kind: type[FrameReader] = FrameReader
) -> FrameReader:
    """The video from its first frame to its last, read in the pieces in which it was analysed."""
    return kind(path, stream_index(params, path), cuts=analysis.cuts, **limits(params))


def limits(params: Mapping[str, Any]) -> dict[str, int]:
    """`max_pixels` and `max_duration_s`, where they are given."""
    return {name: int(params[name]) for name in ("max_pixels", "max_duration_s") if name in params}


def pixel_limit(params: Mapping[str, Any]) -> dict[str, int]:
    return {"max_pixels": int(params["max_pixels"])} if "max_pixels" in params else {}

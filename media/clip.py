"""A span of a video, exact to the frame, made anew so that nothing from outside it is in the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

from evidence.errors import BadInput
from evidence.mediatime import MediaTime, Span
from media import container as containers
from media.encode import USUAL, Encoding
from media.frames import Frame, Picture, read_frames
from media.render import Written, render
from media.sound import SoundTracks


@dataclass(slots=True)
class Clipped:
    """`first` and `last` are the moments of its frames in the source."""

    written: Written
    first: MediaTime
    last: MediaTime


def cut(
    path: Path,
    stream_index: int,
    span: Span,
    out: Path,
    *,
    encoding: Encoding = USUAL,
    title: str = "",
    progress: Callable[[int], None] | None = None,
    max_pixels: int = containers.MAX_PIXELS,
    max_duration_s: int = containers.MAX_DURATION_S,
) -> Clipped:
    """From the first frame at or after the span's start to the last at or before its end; sound of the same time.

    Raises: BadInput when there is no frame in the span.
    """
    moments: list[MediaTime | None] = [None, None]

    def note(frame: Frame, picture: Picture) -> None:
        del picture
        moments[0], moments[1] = moments[0] or frame.moment, frame.moment

    start_s, end_s = span.start.seconds, span.end.seconds
    with read_frames(path, stream_index, max_pixels=max_pixels) as whole:
        time_base, step = whole.time_base, whole.step
    first_pts, end_pts = ceil(start_s / time_base), floor(end_s / time_base) + 1
    with read_frames(path, stream_index, first_pts, end_pts, max_pixels=max_pixels) as look:
        if next(iter(look), None) is None:
            raise BadInput(
                f"there is no frame from {span.start.label()} to {span.end.label()}",
                hint="Choose a span inside the video.",
            )
    reader = read_frames(path, stream_index, first_pts, end_pts, max_pixels=max_pixels, max_duration_s=max_duration_s)
    with reader, SoundTracks(path, start=start_s, end=end_s + step * time_base) as sound:
        written = render(reader, out, note, sound=sound, encoding=encoding, title=title, shift=None, progress=progress)
    first, last = moments
    assert first is not None
    assert last is not None
    return Clipped(written, first, last)

"""A few frames from all over a video, for a decision about the whole of it: found without reading what lies between."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import av
import av.container
import av.error

from evidence.errors import CorruptMedia
from media import container as containers
from media.frames import Frame, FrameReader

_MANY, _FEW = 6, 3
_FROM_THE_START = 45
"""Frames that are read from the beginning where there are hardly any key frames to jump to: a second or two."""
_TRIES = 30
"""Frames after a jump among which a key frame must be: others may show what was never filmed."""


class _Jumper(FrameReader):
    def jump(self, pts: int) -> bool:
        """Let the next iteration begin near a moment, at a key frame as a rule; False where the file can't be sought."""
        try:
            self._container.seek(pts, stream=self.stream, backward=True)
        except av.error.FFmpegError:
            return False
        return True


def spots(path: Path, stream_index: int, max_pixels: int = containers.MAX_PIXELS, many: int = _MANY) -> list[Frame]:
    """At most so many key frames spread evenly over the video, in order; the same for the same file, whichever part is
    worked on.

    Where it has next to none, a few of its first frames. Empty when nothing decodes: then there is nothing to decide.
    """
    try:
        with _Jumper(path, stream_index, max_pixels=max_pixels) as reader:
            found = _at_key_frames(reader, many)
        if len(found) < _FEW:
            with FrameReader(path, stream_index, max_pixels=max_pixels) as reader:
                for frame in islice(reader, 0, _FROM_THE_START, _FROM_THE_START // _FEW):
                    found[frame.pts] = frame
    except (CorruptMedia, av.error.FFmpegError):
        return []
    return [found[pts] for pts in sorted(found)]


def _at_key_frames(reader: _Jumper, many: int) -> dict[int, Frame]:
    start, length = _span(reader)
    found: dict[int, Frame] = {}
    for number in range(many):
        if length is None or not reader.jump(start + number * length // many):
            break
        key = next((frame for frame in islice(reader, _TRIES) if frame.picture.key_frame), None)
        if key is not None:
            found[key.pts] = key
    return found


def _span(reader: FrameReader) -> tuple[int, int | None]:
    """Where the stream begins and how long it is, as the file claims. Units: ticks of its time base."""
    stream = reader.stream
    length = stream.duration
    container = stream.container
    if length is None and isinstance(container, av.container.InputContainer) and container.duration is not None:
        length = int(container.duration / av.time_base / reader.time_base)
    return stream.start_time or 0, length

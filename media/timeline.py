"""When frames are shown, by their packets, and where a copy's clock starts."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av.audio
import av.error
import av.video
from av.stream import Discard

from media import container as containers

_KEPT_BELOW_S = 1


def shift_for(path: Path, stream_index: int) -> Fraction:
    """Seconds to take off every time of the source so that a player does not wait before the first picture.

    Nothing, when picture or sound starts within the first second: then the copy has the original's times.
    Units: a whole number of the video stream's ticks.
    """
    with containers.open_media(path) as container:
        video = containers.video_stream(container, stream_index)
        starts = [
            s.start_time * s.time_base
            for s in container.streams
            if (s.index == stream_index or isinstance(s, av.audio.AudioStream))
            and s.start_time is not None
            and s.time_base is not None
        ]
        earliest = min(starts, default=Fraction(0))
        if 0 <= earliest < _KEPT_BELOW_S:
            return Fraction(0)
        tick = Fraction(video.time_base or 1)
        return (earliest // tick) * tick


def times_by_packet(path: Path, stream_index: int, max_pixels: int = containers.MAX_PIXELS) -> tuple[list[int], list[int]]:
    """The times of a stream's packets that will be shown, in order, and those of its key frames; nothing is decoded.

    Units: ticks of the stream.
    """
    with containers.open_media(path, max_pixels) as container:
        stream = containers.video_stream(container, stream_index)
        for other in container.streams:
            if other.index != stream_index:
                other.discard = Discard.all
        times, keys = [], []
        # Where the file breaks off is for whoever decodes it to say.
        with suppress(av.error.FFmpegError):
            for packet in containers.packets(container, stream):
                if packet.size and not packet.is_discard and packet.pts is not None:
                    times.append(packet.pts)
                    if packet.is_keyframe:
                        keys.append(packet.pts)
    return sorted(times), sorted(keys)

"""Where a copy's clock starts."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av.audio
import av.video

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

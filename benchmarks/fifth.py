"""A clip as a body-worn camera records, with people in every fifth group of pictures and an empty road in the others.

Half-second groups, closed, without B-frames; made anew from two clips of the test data, both brought to one size.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.video.frame

RATE, GROUP, EVERY = 30, 15, 5
CYCLE_S = Fraction(GROUP * EVERY, RATE)
"""A piece of so many seconds, or of a multiple, has people in exactly a fifth of its groups."""
NAME = "a-fifth.mp4"
_CYCLES = 4
_X264 = {"crf": "20", "preset": "veryfast", "g": str(GROUP), "keyint_min": str(GROUP), "sc_threshold": "0", "bf": "0"}


def make(people: Path, road: Path, out: Path) -> Path:
    """`out`, of the size of `people`."""
    with av.open(str(out), "w") as made:
        seen, empty = _again_and_again(people), _again_and_again(road)
        first = next(seen)
        seen = chain([first], seen)
        stream = made.add_stream("libx264", rate=RATE, options=_X264)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for number in range(_CYCLES * EVERY * GROUP):
            source = seen if (number // GROUP) % EVERY == EVERY - 1 else empty
            picture = next(source).reformat(first.width, first.height, "yuv420p")
            picture.pts, picture.time_base, picture.pict_type = number, Fraction(1, RATE), 0
            made.mux(stream.encode(picture))
        made.mux(stream.encode(None))
    return out


def _again_and_again(path: Path) -> Iterator[av.video.frame.VideoFrame]:
    while True:
        with av.open(str(path)) as container:
            yield from container.decode(video=0)

"""The floor of every redaction: decode, encode (x264 veryfast crf 18), the sound's packets copied; nothing is looked at.

python -m benchmarks.plain IN OUT
"""

from __future__ import annotations

import sys
from fractions import Fraction

import av

_X264 = {"crf": "18", "preset": "veryfast"}
_KEY_FRAME_S = 2


def main(source: str, out: str) -> int:
    """Returns: the frames written."""
    frames = 0
    with av.open(source) as container, av.open(out, "w", format="mp4") as made:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        rate = Fraction(video.average_rate or 25).limit_denominator(65535)
        stream = made.add_stream("libx264", rate=rate, options={**_X264, "g": str(max(1, round(rate * _KEY_FRAME_S)))})
        stream.width, stream.height = video.codec_context.width, video.codec_context.height
        stream.pix_fmt = video.codec_context.pix_fmt or "yuv420p"
        stream.codec_context.time_base = Fraction(video.time_base or Fraction(1, 1000))
        sounds = {track.index: made.add_stream_from_template(track) for track in container.streams.audio[:1]}
        for packet in container.demux([video, *container.streams.audio[:1]]):
            if packet.stream.index in sounds:
                if packet.size:
                    packet.stream = sounds[packet.stream.index]
                    made.mux(packet)
                continue
            for frame in video.decode(packet):
                # Else x264 repeats the source's own choice of frame types.
                frame.pict_type = 0
                made.mux(stream.encode(frame))
                frames += 1
        made.mux(stream.encode(None))
    return frames


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2]), "frames")

"""A clip of any length from a short one: its packets again and again where that can be, else encoded anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container

_COPIED = frozenset({"h264", "hevc"})
_X264 = {"crf": "18", "preset": "veryfast"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A file made for the benchmark. `frames` were counted by decoding it; `seconds` is what they last."""

    path: Path
    frames: int
    seconds: Fraction
    size_wh: tuple[int, int]


def loop(source: Path, out: Path, seconds: Fraction) -> Piece:
    """An MP4 of about `seconds` from `source`, started again as often as it takes; its first sound track comes along."""
    with av.open(str(source)) as container:
        codec = container.streams.video[0].codec_context.name
    if codec in _COPIED:
        _copied(source, out, seconds)
    else:
        whole = out.with_name(f"{out.stem}-h264.mp4")
        _encoded(source, whole)
        _copied(whole, out, seconds)
        whole.unlink()
    return _counted(out)


def _copied(source: Path, out: Path, seconds: Fraction) -> None:
    with av.open(str(source)) as first:
        video = first.streams.video[0]
        rate = Fraction(video.average_rate or 25)
        lap_s = _length_s(source, rate)
        with av.open(str(out), "w", format="mp4") as made:
            tracks: dict[int, Any] = {video.index: made.add_stream_from_template(video)}
            if first.streams.audio:
                tracks[first.streams.audio[0].index] = made.add_stream_from_template(first.streams.audio[0])
            _lay(source, made, tracks, lap_s, max(1, round(seconds * rate)))


def _lay(
    source: Path, made: av.container.OutputContainer, tracks: dict[int, Any], lap_s: Fraction, frames_wanted: int
) -> None:
    """Laps of packets, each track's decoding times going up, until as many frames are there as are wanted."""
    last: dict[int, int] = {}
    frames = 0
    for packet, lap in _laps(source, set(tracks)):
        stream, base = packet.stream, Fraction(packet.time_base)
        shift = round(lap * lap_s / base)
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        if packet.dts <= last.get(stream.index, packet.dts - 1):
            continue
        last[stream.index] = packet.dts
        frames += stream.type == "video"
        packet.stream = tracks[stream.index]
        made.mux(packet)
        if frames == frames_wanted:
            return


def _laps(source: Path, wanted: set[int]) -> Iterator[tuple[Any, int]]:
    lap = 0
    while True:
        with av.open(str(source)) as container:
            for packet in container.demux([container.streams[index] for index in sorted(wanted)]):
                if packet.size and packet.pts is not None and packet.dts is not None:
                    yield packet, lap
        lap += 1


def _length_s(source: Path, rate: Fraction) -> Fraction:
    """From the first frame's time to the end of the last one."""
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        pts = [packet.pts for packet in container.demux(stream) if packet.pts is not None and packet.size]
        return (max(pts) - min(pts)) * Fraction(stream.time_base or 1) + 1 / rate


def _encoded(source: Path, out: Path) -> None:
    with av.open(str(source)) as container, av.open(str(out), "w", format="mp4") as made:
        video = container.streams.video[0]
        stream = made.add_stream("libx264", rate=Fraction(video.average_rate or 25).limit_denominator(65535), options=_X264)
        stream.width, stream.height, stream.pix_fmt = video.codec_context.width, video.codec_context.height, "yuv420p"
        stream.codec_context.time_base = Fraction(video.time_base or Fraction(1, 1000))
        for frame in container.decode(video):
            frame.pict_type = 0
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))


def _counted(path: Path) -> Piece:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        frames = sum(1 for _ in container.decode(stream))
        rate = Fraction(stream.average_rate or 25)
        return Piece(path, frames, frames / rate, (stream.codec_context.width, stream.codec_context.height))

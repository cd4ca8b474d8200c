"""The sound of a recording on its way into an MP4: packets copied where MP4 and Chromium can carry them, else AAC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av.audio
import av.audio.frame
import av.audio.resampler
import av.container
import av.error
import av.packet
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext
from av.stream import Discard

from media import container as containers

COPIED = frozenset({"aac", "mp3", "opus", "flac"})
_AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_AHEAD = Fraction(1, 2)
"""Seconds of sound written ahead of the picture."""
_GAP = Fraction(1, 20)
"""Holes and overlaps in the sound up to this many seconds are the recorder's rounding and are let pass."""


class _Copy:
    """Packets of one track, moved in time and otherwise untouched."""

    def __init__(self, number: int, source: av.audio.AudioStream) -> None:
        self.source = source
        self._number = number
        self._out: av.audio.AudioStream | None = None
        self._shift = 0
        self._last_dts: int | None = None
        self.packets = 0

    def add_to(self, out: av.container.OutputContainer, shift: Fraction) -> None:
        self._out = out.add_stream_from_template(self.source)
        self._out.metadata.clear()
        self._shift = round(shift / Fraction(self.source.time_base or 1))

    def feed(self, packet: Any) -> Iterator[Any]:
        if packet.size == 0 or packet.pts is None:
            return
        packet.pts -= self._shift
        packet.dts = packet.pts
        if self._last_dts is not None and packet.dts <= self._last_dts:
            return
        self._last_dts = packet.dts
        packet.stream = self._out
        self.packets += 1
        yield packet

    def rest(self) -> Iterator[Any]:
        return iter(())

    def report(self) -> str:
        return f"sound track {self._number} ({self.source.codec_context.codec.canonical_name}): copied unchanged"


class _Encode:
    """One track decoded and made AAC; holes are filled with silence so that sound and picture stay together."""

    def __init__(self, number: int, source: av.audio.AudioStream) -> None:
        self.source = source
        self._number = number
        context = source.codec_context
        self._rate_hz = context.sample_rate if context.sample_rate in _AAC_RATES_HZ else 48000
        layouts = {1: "mono", 2: "stereo", 6: "5.1"}
        self._layout = layouts.get(context.channels, "stereo")
        self._resampler = av.audio.resampler.AudioResampler("fltp", self._layout, self._rate_hz)
        self._out: av.audio.AudioStream | None = None
        self._shift = Fraction(0)
        self._next: int | None = None
        self.damage = 0
        self.filled = 0

    def add_to(self, out: av.container.OutputContainer, shift: Fraction) -> None:
        self._out = out.add_stream(
            "aac", rate=self._rate_hz, options={"b": str(96_000 if self._layout == "mono" else 160_000)}
        )
        self._out.codec_context.layout = self._layout
        self._out.codec_context.time_base = Fraction(1, self._rate_hz)
        self._shift = shift

    def feed(self, packet: Any) -> Iterator[Any]:
        assert self._out is not None
        try:
            decoded = self.source.codec_context.decode(packet if packet.size else None)
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, ValueError):
            self.damage += 1
            return
        for frame in decoded:
            for piece in self._resampler.resample(frame):
                yield from self._encode(piece)

    def _encode(self, piece: av.audio.frame.AudioFrame) -> Iterator[Any]:
        assert self._out is not None
        start = self._next
        if piece.pts is not None and piece.time_base:
            start = round((piece.pts * piece.time_base - self._shift) * self._rate_hz)
        start = 0 if start is None else start
        samples = piece.to_ndarray()
        if self._next is not None:
            gap = start - self._next
            if abs(gap) <= _GAP * self._rate_hz:
                start = self._next
            elif gap > 0:
                self.filled += 1
                yield from self._silence(gap)
            else:
                samples = samples[:, -gap:]
                start = self._next
        if samples.shape[1]:
            yield from self._send(samples, start)

    def _silence(self, count: int) -> Iterator[Any]:
        assert self._next is not None
        channels = {"mono": 1, "stereo": 2, "5.1": 6}[self._layout]
        while count > 0:
            length = min(count, self._rate_hz)
            yield from self._send(np.zeros((channels, length), np.float32), self._next)
            count -= length

    def _send(self, samples: np.ndarray[Any, Any], start: int) -> Iterator[Any]:
        assert self._out is not None
        frame = av.audio.frame.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", self._layout)
        frame.sample_rate, frame.pts, frame.time_base = self._rate_hz, start, Fraction(1, self._rate_hz)
        self._next = start + samples.shape[1]
        yield from self._out.encode(frame)

    def rest(self) -> Iterator[Any]:
        assert self._out is not None
        if self._next is not None:
            for piece in self._resampler.resample(None):
                yield from self._encode(piece)
            yield from self._out.encode(None)

    def report(self) -> str:
        name = self.source.codec_context.codec.canonical_name
        text = f"sound track {self._number} ({name}): made AAC, because browsers can't play {name} in an MP4"
        if self.filled:
            text += f"; {self.filled} hole(s) filled with silence"
        if self.damage:
            text += f"; {self.damage} place(s) could not be decoded"
        return text


@dataclass(slots=True)
class SoundTracks:
    """All sound tracks of a file, read alongside its picture in bounded memory.

    Units: `start` and `end` in seconds of the source: only packets that lie in [start, end) are taken (a clip).
    """

    path: Path
    mute: bool = False
    """Carry none of them, and say so."""
    start: Fraction | None = None
    end: Fraction | None = None
    _tracks: dict[int, _Copy | _Encode] = field(init=False, default_factory=dict)
    _lost: list[str] = field(init=False, default_factory=list)
    _held: Any = field(init=False, default=None)
    _shift: Fraction = field(init=False, default=Fraction(0))
    _ended: bool = field(init=False, default=False)
    _container: av.container.InputContainer = field(init=False)
    _packets: Iterator[Any] = field(init=False)

    def __post_init__(self) -> None:
        self._container = containers.open_media(self.path)
        for stream in self._container.streams:
            if not isinstance(stream, av.audio.AudioStream):
                stream.discard = Discard.all
                continue
            number = len(self._tracks) + len(self._lost) + 1
            context: CodecContext | None = stream.codec_context
            if self.mute:
                self._lost.append(f"sound track {number}: removed")
            elif isinstance(context, AudioCodecContext) and not context.sample_rate:
                self._lost.append(f"sound track {number}: left out, there is nothing in it")
            elif not isinstance(context, AudioCodecContext):
                self._lost.append(f"sound track {number}: left out, its coding can't be read")
            elif context.codec.canonical_name in COPIED:
                self._tracks[stream.index] = _Copy(number, stream)
            else:
                self._tracks[stream.index] = _Encode(number, stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._container.close()

    def add_to(self, out: av.container.OutputContainer, shift: Fraction) -> None:
        """Add one output track per sound track; every time will be `shift` seconds earlier."""
        self._shift = shift
        for track in self._tracks.values():
            track.add_to(out, shift)
        if self.start is not None and self._tracks:
            self._container.seek(max(0, int((self.start - 1) * 1_000_000)))
        self._packets = self._read()

    def until(self, seconds: Fraction) -> Iterator[Any]:
        """Packets to write up to shortly after `seconds` of the output."""
        limit = seconds + self._shift + _AHEAD
        while not self._ended:
            packet = self._held if self._held is not None else next(self._packets, None)
            if packet is None:
                self._ended = True
                return
            if packet.pts is not None and packet.pts * packet.time_base > limit:
                self._held = packet
                return
            self._held = None
            yield from self._tracks[packet.stream.index].feed(packet)

    def rest(self) -> Iterator[Any]:
        """Everything that is left, and what encoders still hold."""
        if self._held is not None:
            held, self._held = self._held, None
            yield from self._tracks[held.stream.index].feed(held)
        while not self._ended:
            packet = next(self._packets, None)
            if packet is None:
                self._ended = True
            else:
                yield from self._tracks[packet.stream.index].feed(packet)
        for track in self._tracks.values():
            yield from track.rest()

    def report(self) -> list[str]:
        """One plain line per track of the source."""
        return [track.report() for track in self._tracks.values()] + self._lost

    def _read(self) -> Iterator[Any]:
        if not self._tracks:
            return
        packets = containers.packets(self._container, *(track.source for track in self._tracks.values()))
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as exc:
                self._lost.append(f"the sound can't be read any further: {exc.strerror}")
                return
            if self._wanted(packet):
                yield packet

    def _wanted(self, packet: Any) -> bool:
        if packet.pts is None:
            return True
        start, duration = packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base
        if packet.is_discard and start + 3 * duration < 0:
            # What an edit list has cut away is not part of the recording as it was shown.
            return False
        if self.start is not None and start < self.start:
            return False
        return self.end is None or start < self.end

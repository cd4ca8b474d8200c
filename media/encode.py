"""Writing an MP4 that browsers play: the source's times, rotation, shape and colours; nothing else of its metadata."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import av
import av.container
import av.error
import av.packet
import av.stream
import av.video
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from evidence.errors import CorruptMedia, NoSpace
from media.frames import Frame, Picture
from media.planes import Converter, OutputForm, output_form

_MAX_TIMESCALE = 2**31 - 1
_BITEXACT = int(cast(Any, av.container.Flags.bitexact).value)
_FRAME_DURATION = int(Flags.frame_duration)


@dataclass(frozen=True, slots=True)
class Encoding:
    """x264's settings. Units: `key_frame_s` is the longest way to seek, in seconds."""

    crf: int = 18
    preset: str = "veryfast"
    key_frame_s: int = 2


USUAL = Encoding()


class VideoWriter:
    """One MP4 under `path`, there only when it is whole: written beside it, and moved when `close` succeeds.

    Used in a `with`; leaving it without `close` removes what was written.
    Raises: NoSpace; CorruptMedia when the encoder can't go on.
    """

    def __init__(
        self, path: Path, first: Frame, rate: Fraction | None, encoding: Encoding, title: str = "", location: str = ""
    ) -> None:
        self._path, self._part = path, path.with_name(path.name + ".part")
        self._whole = False
        self.form: OutputForm = output_form(first.picture)
        self._converter = Converter(self.form)
        self._tick = Fraction(1, first.time_base.denominator)
        if self._tick.denominator > _MAX_TIMESCALE:
            raise CorruptMedia("the recording counts time in steps too small to be written")
        options = {"movflags": "+faststart", "video_track_timescale": str(self._tick.denominator)}
        options["movie_timescale"] = str(self._tick.denominator)
        self._out = av.open(str(self._part), "w", format="mp4", container_options=options)
        # No version of a library, no time of making: what is in the file is the picture and the sound.
        self._out.flags |= _BITEXACT
        told = {"title": title, "location": location}
        self._out.metadata.update({key: value for key, value in told.items() if value})
        self.stream = self._add_stream(first, rate, encoding)

    def _add_stream(self, first: Frame, rate: Fraction | None, encoding: Encoding) -> av.video.VideoStream:
        rate = usual_rate(rate)
        stream = self._out.add_stream("libx264", rate=rate, options=x264_options(rate, encoding))
        set_up(stream.codec_context, self.form, first.picture, self._tick)
        matrix = first.orientation.matrix
        if matrix is not None:
            stream.set_display_matrix(matrix)
        return stream

    def set_shape(self, sample_aspect_ratio: Fraction | None) -> None:
        """Pixels that are not square stay so."""
        if sample_aspect_ratio and sample_aspect_ratio != 1:
            self.stream.codec_context.sample_aspect_ratio = sample_aspect_ratio

    @property
    def container(self) -> av.container.OutputContainer:
        return self._out

    def convert(self, picture: Picture) -> Picture:
        """The picture in the output's form, to be painted on and then written."""
        return self._converter.convert(picture)

    def write(self, picture: Picture, pts: int, time_base: Fraction) -> None:
        picture = self._converter.finish(picture)
        picture.time_base = self._tick
        picture.pts = pts * time_base.numerator
        picture.duration = picture.duration * time_base.numerator
        # Else x264 repeats the source's own choice of frame types.
        picture.pict_type = 0
        with _translated():
            self._encode(picture)

    def _encode(self, picture: Picture | None) -> None:
        """Encode and write; None: what the encoder still holds."""
        self.mux(self.stream.encode(picture))

    def mux(self, packets: Iterable[av.packet.Packet[Any]]) -> None:
        with _translated():
            for packet in packets:
                self._out.mux(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if not self._whole:
            self._discard()

    def close(self) -> None:
        """Finish the file and give it its name."""
        with _translated():
            self._encode(None)
            self._out.close()
        self._part.replace(self._path)
        self._whole = True

    def _discard(self) -> None:
        with suppress(av.error.FFmpegError, ValueError):
            self._out.close()
        self._part.unlink(missing_ok=True)


def usual_rate(rate: Fraction | None) -> Fraction:
    """Frames per second that x264 and MP4 take."""
    return min(max(rate or Fraction(25), Fraction(1, 10)), Fraction(1000)).limit_denominator(65535)


def x264_options(rate: Fraction, encoding: Encoding) -> dict[str, str]:
    keyint = max(1, round(rate * encoding.key_frame_s))
    return {"crf": str(encoding.crf), "preset": encoding.preset, "a53cc": "0", "g": str(keyint)}


def set_up(context: VideoCodecContext, form: OutputForm, source: Picture, tick: Fraction) -> None:
    """An encoder for pictures of this form, whose times count in ticks, with the colours of a source's picture."""
    context.width, context.height = form.size_wh
    context.pix_fmt = form.pixel_format
    context.time_base = tick
    # So that the last frame is shown for as long as it was.
    context.flags |= _FRAME_DURATION
    context.color_range = 2 if form.full_range else int(source.color_range)
    context.colorspace = form.colour_space
    context.color_primaries, context.color_trc = int(source.color_primaries), int(source.color_trc)


class _translated:  # noqa: N801 - reads as a phrase: with _translated()
    """FFmpeg's errors while writing, as ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(value, av.error.FFmpegError):
            if value.errno == errno.ENOSPC:
                raise NoSpace("there is no space left for the video that is being written") from value
            raise CorruptMedia(f"the video can't be written: {value.strerror}", hint="Read the log of this step.") from value

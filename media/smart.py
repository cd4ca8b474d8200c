"""Smart rendering: groups of pictures with nothing to hide are copied, bit for bit; only the others are encoded.

One track, whose avcC lists the source's parameter sets and x264's under another id; nothing of them in the packets.
Every group starts with an IDR, so that no picture refers across a join. Where source and encoder don't agree,
`NotSmart` says why, there is no file, and the whole has to be encoded (`media.render`). `media.smart_plan` has the plan.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.packet
import av.stream
import av.video
from av.codec.context import CodecContext, Flags
from av.video.codeccontext import VideoCodecContext

from evidence.errors import IntegrityError
from media import avc
from media.ahead import ahead
from media.encode import Encoding, VideoWriter, set_up, usual_rate, x264_options
from media.frames import Frame, FrameReader, Picture
from media.groups import Run
from media.planes import OutputForm
from media.render import Treat, Written
from media.smart_plan import DAMAGED, NotSmart, Plan, opened, packets_of
from media.sound import SoundTracks

_MAX_ID = 31
_DEPTHS = {0: "bframes=0", 1: "bframes=3:b-pyramid=none"}
_DEEPER = "bframes=3:b-pyramid=normal"
"""x264's B-frames by how far the source reorders: never further, so that no decoder has to wait longer."""


class StrictReader(FrameReader):
    """A reader that takes no frame with a fault in it, however well the decoder could patch it up."""

    def _prepare(self) -> av.video.VideoStream:
        stream = super()._prepare()
        # Told only because the reader decodes H.264 in one thread.
        stream.codec_context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}
        return stream


def render_smart(
    reader: FrameReader,
    out: Path,
    treat: Treat,
    clear: Callable[[Frame], None],
    plan: Plan,
    *,
    sound: SoundTracks | None,
    encoding: Encoding,
    title: str = "",
    location: str = "",
    shift: Fraction = Fraction(0),
    progress: Callable[[int], None] | None = None,
) -> Written:
    """As `media.render.render`, but the planned groups are copied. `clear` raises for a frame with something to hide.

    Every frame is decoded, those of copied groups too: only what decodes without a fault, at the planned time, is
    copied. So `reader` must be a `StrictReader`.

    Raises: NotSmart when source and encoder don't agree after all; the rest as `render`.
    """
    if not isinstance(reader, StrictReader):
        raise TypeError("only a StrictReader tells every fault")
    with ahead(reader) as frames:
        first = next(frames, None)
        if first is None:
            raise NotSmart("its first frame can't be decoded")
        ticks = round(shift / first.time_base)
        written = Written(shift=ticks * first.time_base, encoding=encoding)
        shape = Fraction(reader.stream.sample_aspect_ratio or 1)
        told = (title, location)
        with SmartWriter(out, first, reader.rate, encoding, *told, plan=plan, shape=shape, ticks=ticks) as writer:
            if sound is not None:
                sound.add_to(writer.container, written.shift)
            _write_all(reader, chain([first], frames), writer, treat, clear, sound, written, progress)
            if written.frames != len(plan.frame_pts) or reader.damage:
                raise NotSmart(DAMAGED)
            if sound is not None:
                writer.mux(sound.rest())
                written.audio = sound.report()
            writer.close()
    written.size_wh = writer.form.size_wh
    return written


def _write_all(
    reader: FrameReader,
    frames: Iterable[Frame],
    writer: SmartWriter,
    treat: Treat,
    clear: Callable[[Frame], None],
    sound: SoundTracks | None,
    written: Written,
    progress: Callable[[int], None] | None,
) -> None:
    plan, ticks = writer.plan, writer.ticks
    todo = iter([run for run in plan.runs if run.first < run.end])
    run = next(todo)
    with opened(reader.path, reader.stream_index, reader.max_pixels) as (container, stream):
        packets = enumerate(packets_of(container, stream))
        for frame in frames:
            _check_faultless(reader, frame, plan)
            if frame.index == run.end:
                run = next(todo)
            if run.copied:
                clear(frame)
                writer.copy(*_next_packet(packets, run))
            else:
                picture = writer.convert(frame.picture)
                treat(frame, picture)
                writer.write(picture, frame.pts - ticks, frame.time_base)
                if frame.index + 1 == run.end:
                    writer.end_run()
            if sound is not None:
                writer.mux(sound.until((frame.pts - ticks) * frame.time_base))
            written.frames += 1
            if progress is not None:
                progress(written.frames)


def _check_faultless(reader: FrameReader, frame: Frame, plan: Plan) -> None:
    """Raises: NotSmart. What FFmpeg patches up would be a fault for whoever plays the copy."""
    if reader.damage or frame.picture.is_corrupt:
        raise NotSmart(DAMAGED)
    if reader.retimed:
        raise NotSmart("some frames have no time of their own")
    if frame.index >= len(plan.frame_pts) or plan.frame_pts[frame.index] != frame.pts:
        raise NotSmart("its frames can't be told apart by their times")


def _next_packet(packets: Iterator[tuple[int, Any]], run: Run) -> tuple[int, Any]:
    """The next packet of `run`, and its number; what comes before the run is skipped."""
    for number, packet in packets:
        if number >= run.first_packet:
            return number, packet
    raise IntegrityError("the recording got shorter while it was read")


class SmartWriter(VideoWriter):
    """One track of copied and of encoded groups. Packets come in decoding order, runs one after the other."""

    def __init__(
        self,
        path: Path,
        first: Frame,
        rate: Fraction | None,
        encoding: Encoding,
        title: str = "",
        location: str = "",
        *,
        plan: Plan,
        shape: Fraction,
        ticks: int,
    ) -> None:
        self.plan, self.ticks, self._shape = plan, ticks, shape
        self._numerator = first.time_base.numerator
        self._count = 0
        self._encoder: VideoCodecContext | None = None
        try:
            super().__init__(path, first, rate, encoding, title, location)
        except NotSmart:
            self._discard()
            raise

    def _add_stream(self, first: Frame, rate: Fraction | None, encoding: Encoding) -> av.video.VideoStream:
        self._options = {
            **x264_options(usual_rate(rate), encoding),
            "profile": avc.sequence(self.plan.record.sequences[0]).profile,
            "x264-params": f"annexb=0:stitchable=1:sps-id={self._free_id()}:{_DEPTHS.get(self.plan.depth, _DEEPER)}",
        }
        self._rate, self._like = usual_rate(rate), first.picture
        # A file that is thrown away, for a stream that says what x264 says and nothing of the source.
        scratch = av.open(io.BytesIO(), "w", format="mp4")
        template = scratch.add_stream("libx264", rate=self._rate, options=self._options)
        self._set_up(template.codec_context)
        scratch.start_encoding()
        self._record = avc.record(template.codec_context.extradata)
        said = self._agree(self.form)
        self._depth = max(self.plan.depth, said.reorder or 0)
        stream = self._out.add_stream_from_template(template)
        scratch.close()
        stream.codec_context.extradata = self.plan.record.joined(self._record)
        stream.codec_context.time_base = self._tick
        if first.orientation.matrix is not None:
            stream.set_display_matrix(first.orientation.matrix)
        return stream

    def _set_up(self, context: VideoCodecContext) -> None:
        set_up(context, self.form, self._like, self._tick)
        context.flags |= int(Flags.global_header)
        if self._shape != 1:
            context.sample_aspect_ratio = self._shape

    def _free_id(self) -> int:
        free = set(range(1, _MAX_ID + 1)) - self.plan.record.ids
        if not free:
            raise NotSmart("all numbers for parameter sets are taken")
        return min(free)

    def _agree(self, form: OutputForm) -> avc.Sequence:
        """What x264 says. Raises: NotSmart when its pictures would not be like the copied ones."""
        ours, theirs = avc.sequence(self._record.sequences[0]), avc.sequence(self.plan.record.sequences[0])
        if form.changes:
            raise NotSmart(form.changes[0])
        for name, one, other in (
            ("profile", ours.profile, theirs.profile),
            ("picture size", ours.size_wh, theirs.size_wh),
            ("pixel shape", ours.shape, theirs.shape),
            ("colours", ours.colours, theirs.colours),
        ):
            if one != other:
                raise NotSmart(f"the encoder can't match its {name}")
        if self._record.ids & self.plan.record.ids:
            raise NotSmart("the encoder's parameter sets can't be told apart from its own")
        return ours

    def copy(self, number: int, packet: Any) -> None:
        """Write packet `number` of the source: its slices, and nothing else of it."""
        if packet.pts != self.plan.pts[number]:
            raise IntegrityError("the recording changed while it was read")
        try:
            kept = avc.slices(memoryview(packet), self.plan.record)
        except avc.NotReadable as exc:
            raise IntegrityError("the recording changed while it was read") from exc
        pts = (packet.pts - self.ticks) * self._numerator
        self._mux(avc.packed(kept), pts, (packet.duration or 0) * self._numerator, opens=avc.is_idr(kept))

    def end_run(self) -> None:
        """Write what the encoder still holds; the next frame gets a new one, which starts with an IDR."""
        if self._encoder is not None:
            self._encode(None)
            self._encoder = None

    def _encode(self, picture: Picture | None) -> None:
        if self._encoder is None:
            if picture is None:
                return
            self._encoder = self._new_encoder()
        for packet in self._encoder.encode(picture):
            kept = avc.slices(memoryview(packet), self._record)
            self._mux(avc.packed(kept), packet.pts or 0, packet.duration or 0, opens=packet.is_keyframe)

    def _new_encoder(self) -> VideoCodecContext:
        context = CodecContext.create("libx264", "w")
        assert isinstance(context, VideoCodecContext)
        context.framerate, context.options = self._rate, dict(self._options)
        self._set_up(context)
        context.open()
        if avc.record(context.extradata) != self._record:
            raise NotSmart("the encoder's parameter sets are not the same every time")
        return context

    def _mux(self, data: bytes, pts: int, duration: int, *, opens: bool) -> None:
        """Decoding times are the frames' times, `_depth` frames late: the earliest that suit all groups alike."""
        packet: av.packet.Packet[Any] = av.packet.Packet(data)
        packet.stream, packet.time_base, packet.pts, packet.duration = self.stream, self._tick, pts, duration
        packet.dts, packet.is_keyframe = self._decoding_time(), opens
        if packet.dts > pts:
            raise NotSmart("a picture would be shown before its time to be decoded")
        self._count += 1
        self.mux([packet])

    def _decoding_time(self) -> int:
        times, place = self.plan.frame_pts, self._count - self._depth
        step = times[1] - times[0] if len(times) > 1 else 1
        at = times[place] if place >= 0 else times[0] + place * step
        return (at - self.ticks) * self._numerator

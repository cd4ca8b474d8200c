"""What a file really is: container, streams, frames, segments and condition, found by reading it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import count, pairwise
from pathlib import Path
from statistics import median

import av.audio
import av.container
import av.error
import av.stream
import av.video
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext

from evidence.errors import BadInput, CorruptMedia, TooLarge
from evidence.exhibit import AudioInfo, Condition, MediaInfo, Segment, VideoInfo, damage_note, lost_note
from evidence.mediatime import from_seconds
from media import container as containers
from media import segments
from media.frames import FrameReader, read_frames
from media.missing import missing_part

DECODED_WHOLE_PIXELS = 1_500_000_000
"""A video of at most this many pixels in all its frames (about 25 s of 1080p) is decoded whole to judge it."""

_CLAIM_BEYOND_S = Fraction(1, 10)
"""A file's own word on its length may be rounded, or speak of its sound."""

_EARLIEST_CLAIM = datetime(1990, 1, 1, tzinfo=UTC)
"""Clocks that were never set say 1904 or 1970."""


@dataclass(slots=True)
class _Packets:
    """What demuxing told about one stream."""

    pts: list[int] = field(default_factory=list)
    key_pts: list[int] = field(default_factory=list)
    untimed: int = 0
    last_duration: int = 0

    @property
    def count(self) -> int:
        return len(self.pts) + self.untimed

    @property
    def regular(self) -> bool:
        """Every frame has a time of its own."""
        return self.untimed == 0 and len(set(self.pts)) == len(self.pts)


@dataclass(slots=True)
class _Look:
    """What decoding told about one stream."""

    frames: int = 0
    whole: bool = False
    rotation_degrees: int = 0
    size_wh: tuple[int, int] = (0, 0)
    pixel_format: str = ""
    colour_range: str = ""
    damage: int = 0
    first_damage: str = ""
    last_pts: int | None = None


def probe(
    path: Path,
    *,
    segment_s: int = 60,
    max_pixels: int = containers.MAX_PIXELS,
    max_duration_s: int = containers.MAX_DURATION_S,
    quick: bool = False,
    progress: Callable[[int], None] | None = None,
) -> MediaInfo:
    """Read the whole file's packets, decode its first and last frames (all of them when it is short), and judge it.

    A damaged file is described, not refused. `progress` is told how many packets were read and frames decoded. `quick`
    decodes one frame of each stream only: for callers that decode all of it themselves, and tell what they find
    (`MediaInfo.decoded`).

    Raises: UnsupportedMedia for what is no recording; TooLarge for pictures or spans beyond the limits.
    """
    try:
        container = containers.open_media(path, max_pixels)
    except CorruptMedia:
        return _unreadable(missing_part(path) or "its structure is damaged: it can't be opened")
    done = count(1)

    def went_on() -> None:
        if progress is not None:
            progress(next(done))

    with container:
        kinds = container.format.name
        packets, end_note = _demux(container, went_on)
        media = _described(container, kinds)
        heard = any(packets[a.index].count and a.codec for a in media.audio)
        cut = end_note or missing_part(path)
        notes = [cut, *_unknown_codings(container)]
        claimed = {s.index: _claimed_duration(container, s) for s in container.streams}
        looks: dict[int, _Look] = {}
        for stream in containers.video_streams(container):
            seen = packets[stream.index]
            _check_span(seen, Fraction(stream.time_base or 1), max_duration_s)
            look = _look(path, stream, seen, kinds, max_pixels, went_on, quick=quick)
            media = replace(media, video=(*media.video, _video_info(stream, seen, look)))
            if not media.video[-1].attached_picture:
                looks[stream.index] = look
    main = media.main_video
    if main is not None:
        seen, look = packets[main.index], looks[main.index]
        notes += _damage_notes(main, seen, look)
        media = replace(media, duration_s=_duration(main, seen))
        notes.insert(1, _ends_early(media.duration_s, claimed[main.index]) if cut else "")
        media = replace(media, segments=_segments(kinds, main, seen, look, segment_s))
    elif media.video:
        notes += [look.first_damage or "not one frame of it can be decoded" for look in looks.values()]
    elif not media.audio:
        notes.append("it has neither picture nor sound")
    note = "; ".join(dict.fromkeys(n for n in notes if n))
    return replace(media, condition=_condition(media, note, heard), note=_sentence(note))


def _described(container: av.container.InputContainer, kinds: str) -> MediaInfo:
    """All that the container tells, but for its pictures."""
    kept = av.video.VideoStream | av.audio.AudioStream
    return MediaInfo(
        container=kinds,
        duration_s=None,
        video=(),
        audio=tuple(_audio_info(s) for s in container.streams if isinstance(s, av.audio.AudioStream)),
        other_streams=tuple(_other(s) for s in container.streams if not isinstance(s, kept)),
        segments=(),
        condition=Condition.READABLE,
        note="",
        claimed_capture_time=_claimed_time(container.metadata),
    )


def _unknown_codings(container: av.container.InputContainer) -> list[str]:
    names = {"audio": "sound", "video": "video"}
    return [
        f"{names[s.type]} stream {s.index} is in a coding that nothing here can read"
        for s in container.streams
        if s.type in names and not _codec_name(s)
    ]


def main_stream(path: Path, max_pixels: int = containers.MAX_PIXELS) -> int:
    """The index of the stream that is looked at, for callers that have no probe at hand.

    Raises: CorruptMedia when there is no moving picture that can be read.
    """
    media = probe(path, max_pixels=max_pixels, quick=True)
    if media.main_video is None:
        raise CorruptMedia(f"{path.name} has no picture that can be read" + (f": {media.note}" if media.note else ""))
    return media.main_video.index


def _unreadable(note: str) -> MediaInfo:
    return MediaInfo("", None, (), (), (), (), Condition.UNREADABLE, _sentence(note), None)


def _sentence(note: str) -> str:
    return note[:1].upper() + note[1:] + "." if note else ""


def _demux(container: av.container.InputContainer, went_on: Callable[[], None]) -> tuple[dict[int, _Packets], str]:
    """Times of every packet that will be shown, per stream, and why reading ended early (or nothing)."""
    streams = list(container.streams)
    found = {s.index: _Packets() for s in streams}
    note = ""
    try:
        for packet in containers.packets(container, *streams):
            went_on()
            if packet.size == 0 or packet.is_discard or packet.stream_index not in found:
                continue
            into = found[packet.stream_index]
            if packet.pts is None:
                into.untimed += 1
            else:
                into.pts.append(packet.pts)
                into.last_duration = packet.duration or into.last_duration
                if packet.is_keyframe:
                    into.key_pts.append(packet.pts)
    except av.error.FFmpegError as exc:
        note = f"the file can't be read to its end: {exc.strerror}"
    for packets in found.values():
        packets.pts.sort()
    return found, note


def _check_span(seen: _Packets, time_base: Fraction, max_duration_s: int) -> None:
    if seen.pts and (seen.pts[-1] - seen.pts[0]) * time_base > max_duration_s:
        raise TooLarge(f"the recording claims to be longer than the {max_duration_s} seconds allowed here")


def _look(
    path: Path,
    stream: av.video.VideoStream,
    seen: _Packets,
    kinds: str,
    max_pixels: int,
    went_on: Callable[[], None],
    *,
    quick: bool,
) -> _Look:
    """Decode all of a short stream, else its first and last seconds; only one frame of any when it has to be quick."""
    look = _Look()
    if seen.count == 0:
        look.first_damage = f"not one frame of its video stream {stream.index} is there"
        return look
    width, height = stream.codec_context.width, stream.codec_context.height
    short = seen.count * max(1, width * height) <= DECODED_WHOLE_PIXELS
    look.whole = not quick and (kinds in containers.STILL_FORMATS or not seen.regular or short)
    try:
        if quick:
            _decode(read_frames(path, stream.index, max_pixels=max_pixels), look, 1, went_on)
            if look.frames:
                look.damage, look.first_damage = 0, ""  # For the caller to tell, of all frames.
        elif look.whole:
            _decode(read_frames(path, stream.index, max_pixels=max_pixels), look, None, went_on)
        else:
            _decode(read_frames(path, stream.index, max_pixels=max_pixels), look, 30, went_on)
            before_end = seen.pts[max(0, len(seen.pts) - 30)]
            _decode(read_frames(path, stream.index, before_end, max_pixels=max_pixels), look, None, went_on)
    except TooLarge:
        raise
    except BadInput as exc:
        look.first_damage, look.damage = str(exc), look.damage + 1
    return look


def _decode(reader: FrameReader, look: _Look, limit: int | None, went_on: Callable[[], None]) -> None:
    decoded = 0
    with reader:
        for frame in reader:
            went_on()
            if look.frames == 0 and decoded == 0:
                look.size_wh, look.pixel_format = frame.stored_size_wh, frame.picture.format.name
                look.rotation_degrees = reader.orientation.degrees
                full = frame.picture.color_range == 2 or look.pixel_format.startswith("yuvj")
                look.colour_range = "full" if full else "limited" if frame.picture.color_range == 1 else ""
            decoded += 1
            look.last_pts = frame.pts
            if limit is not None and decoded >= limit:
                break
    look.frames += decoded
    look.damage += reader.damage.count
    look.first_damage = look.first_damage or next(iter(reader.damage.entries), "")


def _video_info(stream: av.video.VideoStream, seen: _Packets, look: _Look) -> VideoInfo:
    context = stream.codec_context
    time_base = Fraction(stream.time_base or 1)
    return VideoInfo(
        index=stream.index,
        codec=_codec_name(stream),
        pixel_format=look.pixel_format or context.pix_fmt or "",
        size_wh=look.size_wh if look.frames else (context.width, context.height),
        rotation_degrees=look.rotation_degrees,
        time_base=time_base,
        start_pts=seen.pts[0] if seen.pts else 0,
        average_rate=_average_rate(stream, seen, time_base),
        frame_count=look.frames if look.whole or not look.frames else seen.count,
        variable_rate=_variable(seen.pts),
        colour_range=look.colour_range,
        attached_picture=bool(stream.disposition & av.stream.Disposition.attached_pic),
    )


def _codec_name(stream: av.stream.Stream) -> str:
    """The coding, not the library that happens to decode it (libdav1d → av1)."""
    context: CodecContext | None = stream.codec_context
    return "" if context is None else context.codec.canonical_name


def _average_rate(stream: av.video.VideoStream, seen: _Packets, time_base: Fraction) -> Fraction | None:
    if stream.average_rate:
        return Fraction(stream.average_rate)
    span = (seen.pts[-1] - seen.pts[0]) * time_base if len(seen.pts) > 1 else Fraction(0)
    return Fraction(len(seen.pts) - 1) / span if span else None


def _variable(pts: list[int]) -> bool:
    """Whether frames are unevenly spaced, beyond the rounding of the time base."""
    gaps = Counter(b - a for a, b in pairwise(pts))
    if not gaps:
        return False
    usual = median(gaps.elements())
    return any(abs(gap - usual) > max(1, usual / 20) for gap in gaps)


def _duration(main: VideoInfo, seen: _Packets) -> Fraction | None:
    """From the first frame's moment to the end of the last one."""
    if not seen.pts:
        return main.frame_count / main.average_rate if main.average_rate else None
    last = seen.last_duration or (seen.pts[-1] - seen.pts[-2] if len(seen.pts) > 1 else 0)
    return (seen.pts[-1] - seen.pts[0] + last) * main.time_base


def _claimed_duration(container: av.container.InputContainer, stream: av.stream.Stream) -> Fraction | None:
    """What the file's index or header says of its length; None where FFmpeg only guesses it from what is there."""
    kinds = set(container.format.name.split(","))
    if kinds & {"avi"} and isinstance(stream, av.video.VideoStream) and stream.average_rate:
        return stream.frames / Fraction(stream.average_rate)
    if kinds & {"mov", "mp4"} and stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(container.duration, 1_000_000) if kinds & {"matroska"} and container.duration else None


def _ends_early(duration_s: Fraction | None, claimed_s: Fraction | None) -> str:
    if duration_s is None or claimed_s is None or claimed_s - duration_s < _CLAIM_BEYOND_S:
        return ""
    there, claimed = from_seconds(duration_s).label(), from_seconds(claimed_s).label()
    return f"the picture ends after {there} of the {claimed} that the file claims to have"


def _segments(kinds: str, main: VideoInfo, seen: _Packets, look: _Look, segment_s: int) -> tuple[Segment, ...]:
    seekable = bool(segments.SEEKABLE_FORMATS & set(kinds.split(",")))
    if kinds in containers.STILL_FORMATS or not seekable or not seen.regular or not seen.key_pts:
        return segments.whole(main.frame_count, main.start_pts)
    cut = segments.cut(seen.pts, seen.key_pts, main.time_base, segment_s)
    if len(cut) == 1 or (look.whole and look.frames != seen.count):
        return segments.whole(main.frame_count, main.start_pts)
    return cut


def _damage_notes(main: VideoInfo, seen: _Packets, look: _Look) -> list[str]:
    notes = []
    lost = seen.count - look.frames
    if look.damage:
        where = "" if look.whole else " among its first and last frames"
        notes.append(damage_note(look.damage, look.first_damage, where))
    elif look.whole and lost > 0 and seen.regular and look.last_pts is not None and look.last_pts < seen.pts[-1]:
        notes.append(lost_note(lost, look.last_pts * main.time_base))
    return notes


def _condition(media: MediaInfo, note: str, heard: bool) -> Condition:
    if media.main_video is not None:
        return Condition.PARTLY_READABLE if note else Condition.READABLE
    if media.video or not heard:
        return Condition.PARTLY_READABLE if heard else Condition.UNREADABLE
    return Condition.PARTLY_READABLE if note else Condition.READABLE


def _audio_info(stream: av.audio.AudioStream) -> AudioInfo:
    # PyAV's stubs don't say it, but a stream of unknown coding has no context.
    context: CodecContext | None = stream.codec_context
    if not isinstance(context, AudioCodecContext):
        return AudioInfo(stream.index, "", 0, 0)
    return AudioInfo(stream.index, _codec_name(stream), context.sample_rate or 0, context.channels or 0)


def _other(stream: av.stream.Stream) -> str:
    name = (_codec_name(stream) or stream.name or stream.metadata.get("handler_name", "")).strip()
    return f"{stream.type}: {name}" if name else stream.type


def _claimed_time(metadata: dict[str, str]) -> datetime | None:
    """The container's creation time. Without a zone it is taken as UTC, as the formats define it."""
    for key in ("com.apple.quicktime.creationdate", "creation_time", "date"):
        try:
            found = datetime.fromisoformat(metadata.get(key, "").strip())
        except ValueError:
            continue
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        if found >= _EARLIEST_CLAIM:
            return found.astimezone(UTC)
    return None

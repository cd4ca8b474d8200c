"""Reading frames: every one that really decodes, in order, with its exact time, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import av.error
import av.packet
import av.sidedata.sidedata
import av.video
import av.video.frame
import av.video.reformatter
import cv2
import numpy as np
import numpy.typing as npt
from av.stream import Discard

from evidence.errors import CorruptMedia, TooLarge
from evidence.mediatime import MediaTime
from media import container as containers
from media.orientation import UPRIGHT, Orientation, from_side_data
from media.planes import FULL, is_full_range
from media.small import SCALING, SmallPictures

Picture: TypeAlias = av.video.frame.VideoFrame
_Packet: TypeAlias = "av.packet.Packet[av.video.VideoStream]"

_KEPT_DAMAGE = 20
_STEPS_BACK_S = (0, 2, 15, 120)


@dataclass(slots=True)
class Damage:
    """What could not be decoded: how often, and the first places."""

    count: int = 0
    entries: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        self.count += 1
        if len(self.entries) < _KEPT_DAMAGE:
            self.entries.append(what)

    def __bool__(self) -> bool:
        return self.count > 0


@dataclass(slots=True)
class Frame:
    """One decoded frame. `picture` holds the planes as stored; everything else speaks of the upright picture."""

    index: int
    """Decoded frames of the whole video, from 0 (from `first_index` when only a part is read)."""
    pts: int
    time_base: Fraction
    picture: Picture
    orientation: Orientation
    _scaler: av.video.reformatter.VideoReformatter
    _small: dict[tuple[int, int], npt.NDArray[np.uint8]] = field(default_factory=dict, repr=False)
    _planes: SmallPictures | None = field(default=None, repr=False)

    @property
    def moment(self) -> MediaTime:
        return MediaTime(self.pts, self.time_base)

    @property
    def stored_size_wh(self) -> tuple[int, int]:
        return (self.picture.width, self.picture.height)

    @property
    def upright_size_wh(self) -> tuple[int, int]:
        return self.orientation.upright_wh(self.stored_size_wh)

    def small_rgb(self, size_wh: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The upright picture scaled straight from its planes; made once per size, so do not write into it.

        Shape: (height, width, 3), RGB.
        """
        found = self._small.get(size_wh)
        if found is None:
            found = self.orientation.to_upright(self._stored_rgb(self.orientation.stored_wh(size_wh)))
            self._small[size_wh] = found
        return found

    def _stored_rgb(self, size_wh: tuple[int, int]) -> npt.NDArray[np.uint8]:
        self._planes = self._planes or SmallPictures(self.picture)
        if self._planes.can_make(size_wh):
            return self._planes.rgb(size_wh)
        range_in = FULL if is_full_range(self.picture) else self.picture.color_range
        # One thread: swscale would start a pool per context, which costs more than a small picture takes.
        with SCALING:
            ranges = {"src_color_range": range_in, "dst_color_range": FULL}
            rgb = self._scaler.reformat(self.picture, *size_wh, "rgb24", **ranges, threads=1)
        return np.asarray(rgb.to_ndarray(), dtype=np.uint8)

    def small_grey(self, size_wh: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The upright picture scaled, without its colours. Shape: (height, width)."""
        self._planes = self._planes or SmallPictures(self.picture)
        stored_wh = self.orientation.stored_wh(size_wh)
        if self._planes.can_make(stored_wh):
            return self.orientation.to_upright(self._planes.grey(stored_wh))
        grey: npt.NDArray[np.uint8] = cv2.cvtColor(self.small_rgb(size_wh), cv2.COLOR_RGB2GRAY)
        return grey

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_wh: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """What lies in a box of the upright picture, at `size_wh`: a close look without an RGB of the whole.

        Shape: (height, width, 3), RGB. Units: pixels; the box lies inside the picture.
        """
        x0, y0, x1, y1 = (round(side) for side in self.orientation.box_to_stored(box_xyxy, self.stored_size_wh))
        planes = self._planes or SmallPictures(self.picture)  # Not kept: a thread may forget it while others look.
        part = planes.part((x0, y0, x1, y1), self.orientation.stored_wh(size_wh))
        if part is not None:
            return self.orientation.to_upright(part)
        x0, y0, x1, y1 = box_xyxy
        scaled: npt.NDArray[np.uint8] = cv2.resize(self.rgb()[y0:y1, x0:x1], size_wh, interpolation=cv2.INTER_AREA)
        return scaled

    def forget_small(self) -> None:
        """Let go of the small pictures of a frame that waits to be painted."""
        self._small.clear()
        self._planes = None

    def rgb(self) -> npt.NDArray[np.uint8]:
        """The whole upright picture: for single stills, never for every frame."""
        return self.small_rgb(self.upright_size_wh)


class FrameReader:
    """An iterator over the frames of one video stream with start_pts <= pts < end_pts.

    Reading an intact video in segments gives exactly the frames that reading it whole gives. Of a damaged one, a
    fresh start at a key frame may decode others: `cuts` (the segments' starts) reads the whole in the same pieces.
    A frame that can't be decoded is left out and noted in `damage`; nothing is made up in its place. Times always
    increase: a frame without a time, or with one that was there already, gets the next one and counts in `retimed`.

    Raises: TooLarge for a picture or a span beyond the limits; CorruptMedia, UnsupportedMedia when it can't be opened.
    """

    def __init__(
        self,
        path: Path,
        stream_index: int,
        start_pts: int | None = None,
        end_pts: int | None = None,
        *,
        first_index: int = 0,
        cuts: Sequence[int] = (),
        max_pixels: int = containers.MAX_PIXELS,
        max_duration_s: int = containers.MAX_DURATION_S,
    ) -> None:
        self.path, self.stream_index = path, stream_index
        self.start_pts, self.end_pts, self.first_index = start_pts, end_pts, first_index
        self._cuts = cuts
        self.max_pixels, self.max_duration_s = max_pixels, max_duration_s
        self.damage = Damage()
        self.retimed = 0
        self.orientation = UPRIGHT
        self._oriented = False
        self._container = containers.open_media(path, max_pixels)
        self.stream = self._prepare()
        self.time_base = Fraction(self.stream.time_base or Fraction(1, 1000))
        self._scaler = av.video.reformatter.VideoReformatter()

    def _prepare(self) -> av.video.VideoStream:
        stream = containers.video_stream(self._container, self.stream_index)
        containers.check_size(stream.codec_context.width, stream.codec_context.height, self.max_pixels)
        for other in self._container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        # Not frame threads: they hold frames back, and an error at the end of a file would take those with it.
        stream.thread_type = "SLICE"
        if stream.codec_context.codec.canonical_name != "av1":
            # Threads of one picture leave where data is damaged what each came to, or what lay in memory: the frame that
            # was looked at and the one that is painted would differ. AV1's decoder, dav1d, gives no damaged picture out.
            stream.codec_context.thread_count = 1
        return stream

    @property
    def _decoding_times(self) -> bool:
        return self._container.format.name == "avi" and bool(self.stream.codec_context.has_b_frames)

    @property
    def rate(self) -> Fraction:
        """Frames per second on average, as the container tells; for encoders, never for times."""
        return Fraction(self.stream.average_rate or self.stream.guessed_rate or 25)

    @property
    def step(self) -> int:
        """Ticks from one frame to the next at the average rate, at least 1."""
        return max(1, round(1 / (self.rate * self.time_base)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        index = self.first_index
        first: int | None = None
        for pts, picture in self._timed():
            first = pts if first is None else first
            if (pts - first) * self.time_base > self.max_duration_s:
                raise TooLarge(f"the recording is longer than the {self.max_duration_s} seconds allowed here")
            yield Frame(index, pts, self.time_base, picture, self.orientation, self._scaler)
            index += 1

    def _timed(self) -> Iterator[tuple[int, Picture]]:
        if not self._cuts:
            yield from self._stretch(self.start_pts, self.end_pts)
            return
        for number, (start, end) in enumerate(pairwise([*self._cuts, None])):
            if number:
                self._reopen()
            yield from self._stretch(start, end)

    def _stretch(self, start_pts: int | None, end_pts: int | None) -> Iterator[tuple[int, Picture]]:
        clock = _Clock(self.step, Fraction(1) / self.time_base)
        before = self.retimed
        for picture in self._pictures(start_pts):
            pts = clock.next(picture.pts if picture.pts is not None else picture.dts)
            self.retimed = before + clock.retimed
            if end_pts is not None and pts >= end_pts:
                return
            if start_pts is None or pts >= start_pts:
                yield pts, picture

    def _pictures(self, start_pts: int | None) -> Iterator[Picture]:
        """Decoded pictures in presentation order; `orientation` is known from the first one on."""
        times = _DecodingTimes() if self._decoding_times else None
        for packet in self._packets(start_pts):
            if times is not None and packet is not None:
                times.decoded(packet.pts)
            try:
                pictures = self.stream.decode(packet)
            except av.error.EOFError:
                continue
            except (av.error.FFmpegError, ValueError) as exc:
                self._note(packet, exc)
                if times is not None and packet is not None:
                    times.lost(packet.pts)
                continue
            for picture in pictures:
                if times is not None:
                    times.shown(picture)
                containers.check_size(picture.width, picture.height, self.max_pixels)
                if not self._oriented:
                    self._oriented = True
                    matrix = picture.side_data.get("DISPLAYMATRIX")
                    if isinstance(matrix, av.sidedata.sidedata.SideData):
                        self.orientation = from_side_data(bytes(matrix))
                yield picture

    def _note(self, packet: _Packet | None, exc: Exception) -> None:
        at = None if packet is None else packet.pts if packet.pts is not None else packet.dts
        where = "at an unknown time" if at is None else f"at {MediaTime(at, self.time_base).label()}"
        reason = getattr(exc, "strerror", None) or str(exc)
        self.damage.add(f"a frame {where} can't be decoded: {reason}")

    def _packets(self, start_pts: int | None) -> Iterator[_Packet | None]:
        if start_pts is None or self._decoding_times:
            # Where times must be told from the order, the order must be known from the start.
            yield from self._demux()
            return
        for back_s in _STEPS_BACK_S:
            found = self._from_key_frame(start_pts, start_pts - round(back_s / self.time_base))
            if found is not None:
                yield from found
                return
        self._reopen()
        yield from self._demux()

    def _from_key_frame(self, start_pts: int, target: int) -> Iterator[_Packet | None] | None:
        """Packets from a key frame that is shown at or before `start_pts`; None when the seek landed after it."""
        try:
            self._container.seek(target, stream=self.stream, backward=True)
        except av.error.FFmpegError:
            return None
        packets = self._demux()
        for packet in packets:
            if packet is not None and packet.is_keyframe:
                early = packet.pts is not None and packet.pts <= start_pts
                return chain([packet], packets) if early else None
        return None

    def _reopen(self) -> None:
        self._container.close()
        self._container = containers.open_media(self.path, self.max_pixels)
        self.stream = self._prepare()

    def _demux(self) -> Iterator[_Packet | None]:
        """The stream's packets; None at the end when the file broke off."""
        packets = containers.packets(self._container, self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as exc:
                # What was read so far is whole; the decoder still holds the last frames.
                self.damage.add(f"the file can't be read any further: {exc.strerror}")
                yield None
                return
            yield packet


def read_frames(
    path: Path,
    stream_index: int,
    start_pts: int | None = None,
    end_pts: int | None = None,
    *,
    first_index: int = 0,
    cuts: Sequence[int] = (),
    max_pixels: int = containers.MAX_PIXELS,
    max_duration_s: int = containers.MAX_DURATION_S,
) -> FrameReader:
    """Open a video stream for reading; use it in a `with`, iterate over it once."""
    return FrameReader(
        path,
        stream_index,
        start_pts,
        end_pts,
        first_index=first_index,
        cuts=cuts,
        max_pixels=max_pixels,
        max_duration_s=max_duration_s,
    )


def first_frame(path: Path, stream_index: int, max_pixels: int = containers.MAX_PIXELS) -> Frame:
    """Raises: CorruptMedia when not one frame decodes."""
    with read_frames(path, stream_index, max_pixels=max_pixels) as reader:
        for frame in reader:
            return frame
    raise CorruptMedia(f"not one frame of {path.name} can be decoded")


class _DecodingTimes:
    """AVI knows no times of presentation: a picture carries the time at which it was decoded. Pictures come out in the
    order of presentation, so each gets the earliest such time that none before it has."""

    def __init__(self) -> None:
        self._free: deque[int] = deque()

    def decoded(self, at: int | None) -> None:
        if at is not None:
            self._free.append(at)

    def lost(self, at: int | None) -> None:
        if self._free and self._free[-1] == at:
            self._free.pop()

    def shown(self, picture: Picture) -> None:
        if picture.pts is None:
            return
        # What was decoded before a key frame is shown before it: what has not come by now comes no more.
        while picture.key_frame and self._free and self._free[0] < picture.pts:
            self._free.popleft()
        if self._free:
            picture.pts = self._free.popleft()


class _Clock:
    """Gives every frame a time later than the one before; local, so that segments and the whole agree."""

    def __init__(self, step: int, ticks_per_second: Fraction) -> None:
        self._step, self._ticks_per_second = step, ticks_per_second
        self._previous: int | None = None
        self._shift = 0
        self.retimed = 0

    def next(self, pts: int | None) -> int:
        previous = self._previous
        if pts is None:
            self.retimed += 1
            now = 0 if previous is None else previous + self._step
        else:
            now = pts + self._shift
            if previous is not None and now <= previous:
                self.retimed += 1
                if previous - now > self._ticks_per_second:
                    # The recorder's clock started again: carry on from where it was.
                    self._shift += previous + self._step - now
                    now = previous + self._step
                else:
                    now = previous + 1
        self._previous = now
        return now

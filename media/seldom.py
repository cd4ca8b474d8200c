"""Reading a few frames a second: only those are given, and no more is decoded than they need.

All other frames keep their numbers and times, which their packets tell. Where packets don't tell for sure which frames
there are, everything is decoded, and the same frames are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av.video

from media.frames import Damage, Frame, FrameReader

T = TypeVar("T")

_SLACK = Fraction(105, 100)
"""At 29.97 frames a second, six frames are a little more than a fifth of a second."""
_TIMED = frozenset({"mov", "mp4", "matroska"})
"""Containers whose packets are one frame each, with the time at which it is shown."""
_SKIPPED = frozenset({"h264", "hevc"})
"""Codings whose decoders here leave out what no other frame is made from."""
_ALONE = frozenset({"mjpeg", "prores", "dnxhd"})
"""Codings in which no frame is made from another."""


def looked_at(frames: Iterable[tuple[Fraction, T]], per_second: Fraction) -> Iterator[T]:
    """The first and the last frame, and of those between as few as leave no two further apart than `per_second` says.

    `frames`: the moment of each in seconds, ascending, and what stands for it.
    """
    apart = _SLACK / per_second
    last: Fraction | None = None
    held: tuple[Fraction, T] | None = None
    for second, frame in frames:
        if last is None:
            last = second
            yield frame
            continue
        if held is not None and second - last > apart:
            last = held[0]
            yield held[1]
        held = (second, frame)
    if held is not None:
        yield held[1]


class SeldomReader(FrameReader):
    """An iterator over those frames of a `FrameReader` that are to be looked at, numbered among all.

    `frame_pts` has the times of all frames once the first one was given; in a file of which everything is decoded, when
    the last one was.
    """

    def __init__(
        self,
        path: Path,
        stream_index: int,
        start_pts: int | None = None,
        end_pts: int | None = None,
        *,
        per_second: Fraction,
        decode_all: bool = False,
        **limits: Any,
    ) -> None:
        """`decode_all`: also where packets tell enough. `limits`: as those of `FrameReader`."""
        super().__init__(path, stream_index, start_pts, end_pts, **limits)
        self._per_second, self._decode_all = per_second, decode_all
        self._wanted: dict[int, int] | None = None
        self._alone = False
        self.frame_pts: list[int] = []
        self.doubtful = False
        """Whether what was decoded isn't what the packets told: then read again with `decode_all`."""

    def __iter__(self) -> Iterator[Frame]:
        told = None if self._decode_all else self._told()
        if not self._decode_all:
            self._reopen()
            self.damage = Damage()
        if told is None:
            yield from looked_at(self._all(), self._per_second)
            return
        self.frame_pts = told
        moments = ((pts * self.time_base, number) for number, pts in enumerate(told))
        self._wanted = {told[number]: number for number in looked_at(moments, self._per_second)}
        missing = set(self._wanted)
        for frame in super().__iter__():
            if frame.pts in missing:
                missing.remove(frame.pts)
                frame.index = self.first_index + self._wanted[frame.pts]
                yield frame
            if not missing:
                break
        self.doubtful = bool(missing or self.damage or self.retimed)

    def _all(self) -> Iterator[tuple[Fraction, Frame]]:
        for frame in super().__iter__():
            self.frame_pts.append(frame.pts)
            yield frame.pts * self.time_base, frame

    def _prepare(self) -> av.video.VideoStream:
        stream = super()._prepare()
        if stream.codec_context.codec.canonical_name in _SKIPPED:
            # A quarter of the time of decoding, for edges of blocks that no model minds.
            stream.codec_context.options = {"skip_loop_filter": "all"}
        return stream

    def _told(self) -> list[int] | None:
        """The times of all frames as their packets tell them; None where that is not sure."""
        coding = self.stream.codec_context.codec.canonical_name
        if not _TIMED & set(self._container.format.name.split(",")) or coding not in _SKIPPED | _ALONE:
            return None
        times: list[int] = []
        for packet in super()._packets(self.start_pts):
            if packet is None:
                return None
            if not packet.size:
                continue
            if packet.pts is None or packet.is_corrupt:
                return None
            if self.end_pts is not None and packet.dts is not None and packet.dts >= self.end_pts:
                break
            inside = (self.start_pts is None or packet.pts >= self.start_pts) and (
                self.end_pts is None or packet.pts < self.end_pts
            )
            if inside and not packet.is_discard:
                times.append(packet.pts)
        self._alone = coding in _ALONE
        return sorted(times) if times and len(set(times)) == len(times) else None

    def _packets(self, start_pts: int | None) -> Iterator[Any]:
        for packet in super()._packets(start_pts):
            if self._wanted is not None and packet is not None and packet.size:
                unseen = packet.pts not in self._wanted
                if unseen and self._alone:
                    continue
                # The decoder obeys at once: it has no threads that run ahead (`FrameReader`).
                self.stream.codec_context.skip_frame = "NONREF" if unseen else "DEFAULT"
            yield packet

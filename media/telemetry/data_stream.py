"""The metadata streams of a recording, with the media time at which each byte of them came."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av.error
import av.packet
import av.stream
import numpy as np
import numpy.typing as npt

from evidence.errors import NotFound, UnsupportedMedia
from evidence.telemetry import NO_TIME
from media import container as containers

_HEAD = 64 * 1024
_SAME_US = 1_000
"""Times that are the same in a container that counts in milliseconds."""


@dataclass
class DataStream:
    """One stream's payload, packet behind packet.

    Units: times in microseconds; those of packets and frames in the container's own time, `zero_us` is the first frame's.
    """

    data: bytearray = field(default_factory=bytearray)
    timed: bool = True
    """Whether each packet says when it belongs."""
    cut: str = ""
    """In words, why not all of it was read."""
    starts: array[int] = field(default_factory=lambda: array("q"))
    pts_us: array[int] = field(default_factory=lambda: array("q"))
    durations_us: array[int] = field(default_factory=lambda: array("q"))
    """Each packet's time and its duration; `NO_TIME` where the container has none."""
    arrived_us: array[int] = field(default_factory=lambda: array("q"))
    """The latest frame's time when the packet came by."""
    zero_us: int = 0
    frames_us: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def hold_times(self) -> bool:
        """Whether most packets have a time; then the others get that of the one before."""
        times = np.array(self.pts_us, np.int64)
        known = times != NO_TIME
        if known.sum() * 2 <= len(times):
            return False
        last = np.maximum.accumulate(np.where(known, np.arange(len(times)), -1))
        self.pts_us = array("q", np.where(last >= 0, times[np.maximum(last, 0)], times[np.argmax(known)]).tolist())
        return True

    def elapsed_us(self, at: npt.NDArray[np.int64], clock_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The media time of what begins at these bytes; without times of its own, by its clock, laid on the frames that
        it came with. Shape: (n,)."""
        which = np.searchsorted(np.array(self.starts, np.int64), at, side="right") - 1
        if self.timed:
            return np.array(self.pts_us, np.int64)[which] - self.zero_us
        arrived = np.array(self.arrived_us, np.int64)[which] - self.zero_us
        known = clock_us != NO_TIME
        if not known.any():
            return arrived
        ahead = int(np.median(arrived[known] - clock_us[known]))
        return np.where(known, clock_us + ahead, arrived)

    def share_on_frames(self, elapsed_us: npt.NDArray[np.int64]) -> float:
        """How many of these lie on the very time of a frame."""
        if not len(self.frames_us):
            return 0.0
        frames = self.frames_us - self.zero_us
        right = np.clip(np.searchsorted(frames, elapsed_us), 0, len(frames) - 1)
        away = np.minimum(np.abs(frames[right] - elapsed_us), np.abs(frames[np.maximum(right - 1, 0)] - elapsed_us))
        return float((away <= _SAME_US).mean())


def beginning(path: Path, size_bytes: int) -> bytes:
    """The first bytes of a file, or all of a shorter one. Raises: NotFound."""
    try:
        with path.open("rb") as file:
            return file.read(size_bytes)
    except OSError as exc:
        raise NotFound(f"{path.name} can't be read: {exc.strerror}") from exc


def is_bare(path: Path, key: bytes) -> bool:
    """Whether a file starts with, or soon comes to, `key`, and is no transport stream.

    Raises: NotFound.
    """
    head = beginning(path, _HEAD)
    return head.startswith(key) or (key in head and not _is_container(head))


_CONTAINERS = (b"\x1aE\xdf\xa3", b"RIFF", b"\x06\x0e\x2b\x34\x02\x05\x01\x01")
"""Matroska, AVI, MXF."""
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_PACKET_SIZES = (188, 192, 204)
"""Of transport streams: plain, with a time stamp before, with parity behind."""


def _is_container(head: bytes) -> bool:
    """A transport stream needn't begin with a whole packet."""
    packets = any(head[at : at + 4 * size + 1 : size] == b"\x47" * 5 for size in _PACKET_SIZES for at in range(size))
    return packets or head[4:8] in _BOXES or head.startswith(_CONTAINERS)


def read(path: Path, max_bytes: int) -> list[DataStream]:
    """Every stream that is neither picture nor sound, read from end to end.

    Raises: NotFound, UnsupportedMedia, CorruptMedia.
    """
    streams: dict[int, DataStream] = {}
    frames = array("q")
    cut = ""
    with containers.open_media(path) as container:
        videos = containers.video_streams(container)
        video = videos[0].index if videos else None
        try:
            for packet in containers.packets(container):
                if packet.stream.index == video:
                    if packet.pts is not None:
                        frames.append(_micros(packet, packet.pts))
                elif packet.stream.type not in ("video", "audio") and packet.size:
                    _take(streams.setdefault(packet.stream.index, DataStream()), packet, frames, max_bytes)
        except av.error.FFmpegError:
            cut = "the recording is damaged: metadata behind the damage was not read"
    if not streams:
        raise UnsupportedMedia(f"{path.name} has no metadata stream")
    for stream in streams.values():
        stream.cut = stream.cut or cut
        stream.frames_us = np.unique(np.array(frames, np.int64))
        stream.timed = stream.hold_times()
        times = stream.frames_us if len(stream.frames_us) else np.array(stream.pts_us if stream.timed else [0], np.int64)
        stream.zero_us = int(times[0])
    return list(streams.values())


def _take(stream: DataStream, packet: av.packet.Packet[av.stream.Stream], frames: array[int], max_bytes: int) -> None:
    if len(stream.data) + packet.size > max_bytes:
        stream.cut = f"only the first {max_bytes:,} bytes of metadata were read"
        return
    stream.starts.append(len(stream.data))
    stream.pts_us.append(NO_TIME if packet.pts is None else _micros(packet, packet.pts))
    stream.durations_us.append(0 if packet.duration is None else _micros(packet, packet.duration))
    stream.arrived_us.append(frames[-1] if frames else 0)
    stream.data += bytes(packet)


def _micros(packet: av.packet.Packet[av.stream.Stream], ticks: int) -> int:
    return round(Fraction(ticks) * (packet.time_base or Fraction(1, 1)) * 1_000_000)

"""What is copied of a recording and what is encoded, and why nothing is: read from its packets, before any is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av.container
import av.error
import av.video
from av.stream import Discard

from media import avc
from media import container as containers
from media.groups import Packets, Run, closed, runs

DAMAGED = "the recording is damaged"


class NotSmart(Exception):
    """The whole has to be encoded; the message says why, as the end of "encoded anew as a whole: …"."""


@dataclass(frozen=True, slots=True)
class Copied:
    """How much was copied, for the report."""

    groups_copied: int = 0
    groups_encoded: int = 0
    """From their first mask on, at least."""
    groups_begun: int = 0
    """Those of the encoded ones whose beginning was copied."""
    frames_copied: int = 0
    frames_encoded: int = 0
    encoded_as_a_whole: str = ""
    """Why nothing was copied."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def in_words(self) -> str:
        if self.encoded_as_a_whole:
            return f"encoded anew as a whole: {self.encoded_as_a_whole}"
        groups, frames = self.groups_copied + self.groups_encoded, self.frames_copied + self.frames_encoded
        begun = f", and what comes before the first mask in {self.groups_begun} more" if self.groups_begun else ""
        return (
            f"{self.frames_copied} of {frames} frames copied unchanged: {self.groups_copied} of {groups} groups of "
            f"pictures, those with nothing to hide{begun}"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What is copied and what is encoded, and what both have to agree on."""

    runs: tuple[Run, ...]
    record: avc.Record
    depth: int
    """How far the source reorders."""
    pts: Sequence[int]
    """Of the packets."""
    frame_pts: Sequence[int]

    def told(self) -> Copied:
        groups, frames = [0, 0], [0, 0]
        for run in self.runs:
            groups[run.copied] += run.groups
            frames[run.copied] += run.end - run.first
        return Copied(groups[True], groups[False], sum(run.beginnings for run in self.runs), frames[True], frames[False])


def plan_for(
    path: Path,
    stream_index: int,
    frame_pts: Sequence[int],
    time_base: Fraction,
    masked: Sequence[bool],
    max_pixels: int = containers.MAX_PIXELS,
) -> Plan:
    """Reads the packets, decodes nothing. `frame_pts`: of all frames that decode; `masked`: which have something to hide.

    Raises: NotSmart when the source is of another kind, is damaged, or when there is no group to copy.
    """
    with opened(path, stream_index, max_pixels) as (container, stream):
        if stream.codec_context.name != "h264":
            raise NotSmart("the recording is not H.264")
        if stream.time_base != time_base:
            raise NotSmart("its clock is not the one that was analysed")
        try:
            record = avc.record(stream.codec_context.extradata)
            _check(record)
            packets = Packets()
            for packet in packets_of(container, stream):
                if packet.pts is None:
                    raise NotSmart("a packet has no time of its own")
                if packet.has_sidedata("new_extradata"):
                    raise NotSmart("its parameter sets change on the way")
                kept = avc.slices(memoryview(packet), record)
                packets.add(packet.pts, opens=avc.is_idr(kept), cut=packet.is_discard)
        except avc.NotReadable as exc:
            raise NotSmart(str(exc)) from exc
        except av.error.FFmpegError as exc:
            raise NotSmart(DAMAGED) from exc
    groups = closed(packets, frame_pts, masked) if len(packets) else []
    if not any(group.copied for group in groups):
        raise NotSmart("there is no closed group of pictures without something to hide")
    return Plan(tuple(runs(groups)), record, max(group.depth for group in groups), packets.pts, frame_pts)


def _check(record: avc.Record) -> None:
    """Raises: NotSmart, NotReadable."""
    if len(record.sequences) != 1:
        raise NotSmart("it has more than one sequence parameter set")
    said = avc.sequence(record.sequences[0])
    if said.interlaced:
        raise NotSmart("it is coded for interlaced pictures")
    if said.profile_idc != record.profile:
        raise NotSmart("its container and its parameter sets name different profiles")
    # Both raise for what is not copied.
    said.profile, record.ids  # noqa: B018


class opened:  # noqa: N801 - reads as a phrase: with opened(...)
    """A container of its own, to read one stream's packets from the start."""

    def __init__(self, path: Path, stream_index: int, max_pixels: int) -> None:
        self._container = containers.open_media(path, max_pixels)
        self._stream = containers.video_stream(self._container, stream_index)
        for other in self._container.streams:
            if other.index != stream_index:
                other.discard = Discard.all

    def __enter__(self) -> tuple[av.container.InputContainer, av.video.VideoStream]:
        return self._container, self._stream

    def __exit__(self, *_: object) -> None:
        self._container.close()


def packets_of(container: av.container.InputContainer, stream: av.video.VideoStream) -> Iterator[Any]:
    return (packet for packet in containers.packets(container, stream) if packet.size)

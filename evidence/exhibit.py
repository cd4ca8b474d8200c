"""One original file, what it claims to be, and what is known of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import NewType

from evidence.case import CaseId, UserId

ExhibitId = NewType("ExhibitId", str)
UploadId = NewType("UploadId", str)

_SHA256_HEX = re.compile(r"[0-9a-f]{64}")
_TIMED = frozenset({"mov", "mp4", "matroska", "webm", "mpegts"})
"""Containers whose packets each have the time at which a frame is shown."""
_A_FRAME_AND_A_HALF = Fraction(3, 2)


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest that says which algorithm made it; prints as `sha256:…`."""

    hex: str
    algorithm: str = "sha256"

    def __post_init__(self) -> None:
        if self.algorithm != "sha256" or not _SHA256_HEX.fullmatch(self.hex):
            raise ValueError(f"not a SHA-256 in lower-case hex: {self.hex[:80]!r}")

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


class SourceKind(StrEnum):
    DRONE = "drone"
    BODYWORN = "bodyworn"
    CCTV = "cctv"
    PHONE = "phone"
    OTHER = "other"


class FileType(StrEnum):
    """What the bytes are, by content. `TELEMETRY` and `SUBTITLES` are sidecars: kept, not analysed."""

    VIDEO = "video"
    AUDIO = "audio"
    STILL = "still"
    TELEMETRY = "telemetry"
    SUBTITLES = "subtitles"


class Condition(StrEnum):
    """How much of the file can be read. A damaged video is evidence too."""

    UNKNOWN = "not looked at yet"
    READABLE = "readable"
    PARTLY_READABLE = "partly readable"
    UNREADABLE = "unreadable"


class ExhibitState(StrEnum):
    """What a person sees at a glance; derived, never stored (see `state_of`)."""

    WORKING = "working"
    READY = "ready"
    NEEDS_ATTENTION = "needs attention"
    PARTLY_READABLE = "partly readable"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One video stream, as the container tells it; sizes are of the stored picture, before rotation."""

    index: int
    codec: str
    pixel_format: str
    size_wh: tuple[int, int]
    rotation_degrees: int
    time_base: Fraction
    start_pts: int
    average_rate: Fraction | None
    frame_count: int
    """Frames that decode, counted; see `MediaInfo.note` when the container claims another number."""
    variable_rate: bool
    colour_range: str
    attached_picture: bool = False

    @property
    def upright_size_wh(self) -> tuple[int, int]:
        w, h = self.size_wh
        return (h, w) if self.rotation_degrees % 180 else (w, h)


@dataclass(frozen=True, slots=True)
class AudioInfo:
    index: int
    codec: str
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of whole groups of pictures: frames with start_pts <= pts < end_pts (end None: to the end)."""

    number: int
    start_pts: int
    end_pts: int | None
    frame_count: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a probe found by decoding, not by believing the header."""

    container: str
    duration_s: Fraction | None
    video: tuple[VideoInfo, ...]
    audio: tuple[AudioInfo, ...]
    other_streams: tuple[str, ...]
    segments: tuple[Segment, ...]
    condition: Condition
    note: str
    """A plain sentence: what could not be read, or nothing."""
    claimed_capture_time: datetime | None
    """The container's own creation time: a claim of the device's clock."""

    @property
    def main_video(self) -> VideoInfo | None:
        """The stream that is looked at: of those that run through the recording, the one with most pixels.

        A phone's motion photograph has a second stream of one or two large frames: that one does not run through.
        """
        moving = [v for v in self.video if not v.attached_picture and v.frame_count > 0]
        most = max((v.frame_count for v in moving), default=0)
        through = [v for v in moving if v.frame_count * 2 >= most]
        return max(through, key=lambda v: (v.size_wh[0] * v.size_wh[1], -v.index), default=None)

    def decoded(self, frames: int, last_pts: int, damaged: int, first_damage: str) -> MediaInfo:
        """What a quick probe said, and what decoding all of the main video has told since: frames that decoded, the last
        of them, and how many places didn't."""
        video = self.main_video
        assert video is not None
        note = damage_note(damaged, first_damage) if damaged else ""
        lost = video.frame_count - frames
        if not note and lost > 0 and self._goes_on_after(last_pts, video):
            note = lost_note(lost, last_pts * video.time_base)
        said = "; ".join(line for line in (self.note.removesuffix("."), note) if line)
        return replace(
            self,
            video=tuple(replace(v, frame_count=frames) if v is video else v for v in self.video),
            condition=Condition.PARTLY_READABLE if note else self.condition,
            note=said[:1].upper() + said[1:] + "." if note else self.note,
        )

    def _goes_on_after(self, pts: int, video: VideoInfo) -> bool:
        """Whether packets tell of a frame after this one; not where each of them has no time of its own."""
        if self.duration_s is None or not video.average_rate or not _TIMED & set(self.container.split(",")):
            return False
        left_s = self.duration_s - (pts - video.start_pts) * video.time_base
        return left_s * video.average_rate > _A_FRAME_AND_A_HALF


def damage_note(places: int, first: str, where: str = "") -> str:
    return f"{places} place(s){where} can't be decoded; the first: {first}"


def lost_note(frames: int, after_s: Fraction) -> str:
    return f"the last {frames} frame(s), after {float(after_s):.3f} s, can't be decoded"


@dataclass(frozen=True, slots=True)
class Exhibit:
    id: ExhibitId
    case_id: CaseId | None
    """None while it lies in the unfiled tray."""
    claimed_case: str
    """The case reference as the uploader wrote it."""
    reference: str
    """Producer's initials and number (ABC/1), unique in the case and never used again."""
    filename: str
    kind: SourceKind
    file_type: FileType
    sha256: Digest
    size_bytes: int
    uploaded_by: UserId
    uploaded_at: datetime
    captured_at: datetime | None
    device: str
    officer: str
    sidecar_for: str
    folder: str
    """Where it lay on its card, relative to what was sent, as the sender says; empty: unknown."""
    condition: Condition
    note: str
    media: MediaInfo | None
    key: str
    version_id: str
    secured_at: datetime | None
    """Set only after the object was read back, its lock read back and the row committed."""
    locked_until: datetime | None


def state_of(condition: Condition, step_states: list[str]) -> ExhibitState:
    """What to show for an exhibit whose steps stand at `step_states` (values of `steps.StepState`)."""
    if condition is Condition.UNREADABLE:
        return ExhibitState.UNREADABLE
    if any(s in {"ready", "running", "waiting"} for s in step_states):
        return ExhibitState.WORKING
    if any(s in {"failed", "quarantined"} for s in step_states):
        return ExhibitState.NEEDS_ATTENTION
    if condition is Condition.PARTLY_READABLE:
        return ExhibitState.PARTLY_READABLE
    return ExhibitState.READY

"""What to hide, how, why, and who said so."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from evidence.mediatime import MediaTime, Span
from evidence.track import Playback, Track


class Style(StrEnum):
    """How a region is covered. Blur and pixelation can be undone in part: solid is the default.

    Source: NPCC/CPS Joint Principles on redaction (2022): a redaction must be irreversible.
    """

    SOLID = "solid"
    PIXELATE = "pixelate"
    BLUR = "blur"


class AudioPolicy(StrEnum):
    KEEP = "keep"
    MUTE = "mute"


class Hide(StrEnum):
    """Kinds of things that can be hidden, as a person asks for them."""

    FACES = "faces"
    PLATES = "plates"
    PEOPLE = "people"


LABELS_OF: dict[Hide, frozenset[str]] = {
    Hide.FACES: frozenset({"face"}),
    Hide.PLATES: frozenset({"licence plate"}),
    Hide.PEOPLE: frozenset({"person"}),
}


@dataclass(frozen=True, slots=True)
class Margin:
    """How much a mask is larger than its box, and how much longer it lives than its track.

    Units: `grow` as a share of the box's size added on each side; frames for `before` and `after`.
    """

    grow: float = 0.15
    before_frames: int = 5
    after_frames: int = 5

    def __post_init__(self) -> None:
        if not (0 <= self.grow < math.inf and self.before_frames >= 0 and self.after_frames >= 0):
            raise ValueError("a mask is never smaller than its box, nor shorter than its track")


@dataclass(frozen=True, slots=True)
class Region:
    """A fixed rectangle drawn by a person. Units: pixels of the upright picture."""

    box_xyxy: tuple[float, float, float, float]
    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Redaction:
    """One whole decision about one exhibit."""

    what: frozenset[Hide] = frozenset({Hide.FACES})
    style: Style = Style.SOLID
    audio: AudioPolicy = AudioPolicy.KEEP
    margin: Margin = Margin()
    regions: tuple[Region, ...] = ()
    reason: str = "draft: everything the detectors found"

    def __post_init__(self) -> None:
        if not self.what and not self.regions:
            raise ValueError("a redaction hides something")

    @property
    def labels(self) -> frozenset[str]:
        return frozenset().union(*(LABELS_OF[w] for w in self.what))


BoxXYXY = tuple[float, float, float, float]


class Masks:
    """The boxes to cover, frame by frame: every track's box grown by the margin, carried on before and after.

    Inside a track there is no frame without its mask (`Track` has no holes by construction). Asked for in frame
    order, so that an hour of video needs no list of its masks.
    """

    def __init__(self, tracks: Iterable[Track], redaction: Redaction) -> None:
        self._redaction = redaction
        margin = redaction.margin
        hidden = [track for track in tracks if track.label in redaction.labels]
        self._playback = Playback(hidden, margin.before_frames, margin.after_frames)

    def at(self, frame: int, moment: MediaTime | None = None) -> list[BoxXYXY]:
        """Units: pixels of the upright picture, not yet cut to its edge. Without a `moment`: tracks only."""
        masks = [_mask(track, frame, self._redaction.margin) for track in self._playback.at(frame)]
        if moment is not None:
            masks += [r.box_xyxy for r in self._redaction.regions if r.span.contains(moment)]
        return masks


def _mask(track: Track, frame: int, margin: Margin) -> BoxXYXY:
    first, last = track.boxes[0].frame, track.boxes[-1].frame
    inside = min(max(frame, first), last)
    x0, y0, x1, y1 = track.boxes[inside - first].box_xyxy
    # Outside the track the mask swells with the distance: nobody saw where the thing went.
    swell = margin.grow * (1 + abs(frame - inside) / max(1, margin.after_frames))
    dx, dy = (x1 - x0) * swell, (y1 - y0) * swell
    return (x0 - dx, y0 - dy, x1 + dx, y1 + dy)

"""What to hide, how, why, and who said so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evidence.mediatime import Span
from evidence.track import Track


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

    @property
    def labels(self) -> frozenset[str]:
        return frozenset().union(*(LABELS_OF[w] for w in self.what))


BoxXYXY = tuple[float, float, float, float]


def masks_by_frame(tracks: list[Track], redaction: Redaction, frame_count: int) -> dict[int, list[BoxXYXY]]:
    """The boxes to cover on each frame: every track's box grown by the margin, carried on before and after.

    Inside a track there is no frame without its mask (`Track` has no holes by construction).
    Units: pixels of the upright picture, not yet cut to its edge.
    """
    masks: dict[int, list[BoxXYXY]] = {}
    margin = redaction.margin
    for track in tracks:
        if track.label not in redaction.labels:
            continue
        first, last = track.boxes[0], track.boxes[-1]
        for frame in range(
            max(0, first.frame - margin.before_frames), min(frame_count, last.frame + margin.after_frames + 1)
        ):
            inside = min(max(frame, first.frame), last.frame)
            x0, y0, x1, y1 = track.boxes[inside - first.frame].box_xyxy
            # Outside the track the mask swells with the distance: nobody saw where the thing went.
            swell = margin.grow * (1 + abs(frame - inside) / max(1, margin.after_frames))
            dx, dy = (x1 - x0) * swell, (y1 - y0) * swell
            masks.setdefault(frame, []).append((x0 - dx, y0 - dy, x1 + dx, y1 + dy))
    return masks

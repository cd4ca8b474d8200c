"""What to hide, how, why, and who said so."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from evidence import heads
from evidence.errors import BadInput, NoDetector
from evidence.mediatime import MediaTime, Span, from_seconds, read_clock
from evidence.track import BoxXYXY as BoxXYXY
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


class Keep(StrEnum):
    """What a recipient's copy keeps of what a copy otherwise loses."""

    LOCATION = "location"
    """Where it was filmed: one place in the file's header. The way that was flown or walked is never in a copy."""


class Hide(StrEnum):
    """Kinds of things that can be hidden, as a person asks for them."""

    FACES = "faces"
    HEADS = "heads"
    PLATES = "plates"
    PEOPLE = "people"


LABELS_OF: dict[Hide, frozenset[str]] = {
    Hide.FACES: frozenset({"face"}),
    # People seen from behind have no face: their heads come from their boxes.
    Hide.HEADS: frozenset({"face", "person"}),
    Hide.PLATES: frozenset({"licence plate"}),
    Hide.PEOPLE: frozenset({"person"}),
}


DRAFT_REASON = "draft: everything the detectors found"
"""Until a person gives one."""


@dataclass(frozen=True, slots=True)
class Margin:
    """How much a mask is larger than its box, and how much longer it lives than its track.

    Units: `grow` as a share of the box's size added on each side; frames for `before` and `after`; `least` in pixels, what
        is added on each side at least: codecs code blocks of eight, and what they smear over a mask's edge shall not reach
        what is under it; and a box of fifteen pixels is off by a tenth when it is off by two.
    """

    grow: float = 0.15
    before_frames: int = 5
    after_frames: int = 5
    least: float = 8.0

    def __post_init__(self) -> None:
        if not (
            0 <= self.grow < math.inf and 0 <= self.least < math.inf and self.before_frames >= 0 and self.after_frames >= 0
        ):
            raise ValueError("a mask is never smaller than its box, nor shorter than its track")


@dataclass(frozen=True, slots=True)
class Region:
    """A fixed rectangle drawn by a person. Units: pixels of the upright picture."""

    box_xyxy: tuple[float, float, float, float]
    span: Span
    reason: str

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box_xyxy
        if not (all(map(math.isfinite, self.box_xyxy)) and x0 < x1 and y0 < y1):
            raise ValueError("a region needs x0 < x1 and y0 < y1")


@dataclass(frozen=True, slots=True)
class Redaction:
    """One whole decision about one exhibit."""

    what: frozenset[Hide] = frozenset({Hide.FACES})
    style: Style = Style.SOLID
    audio: AudioPolicy = AudioPolicy.KEEP
    margin: Margin = Margin()
    regions: tuple[Region, ...] = ()
    keep_tracks: frozenset[int] = frozenset()
    """Tracks that stay open though they are of a kind that is hidden."""
    only_tracks: frozenset[int] = frozenset()
    """If there are any, no other track is hidden, and these are whatever their kind."""
    analysis: str = ""
    """SHA-256 of the tracks.json whose numbers `keep_tracks` and `only_tracks` are; empty: not said."""
    reason: str = DRAFT_REASON
    keep: frozenset[Keep] = frozenset()

    def __post_init__(self) -> None:
        if not self.what and not self.regions and not self.only_tracks:
            raise ValueError("a redaction hides something")
        if self.keep_tracks and self.only_tracks:
            raise ValueError("either some tracks are kept, or only some are hidden; not both")

    @property
    def labels(self) -> frozenset[str]:
        return frozenset().union(*(LABELS_OF[w] for w in self.what))

    def hides(self, track: Track) -> bool:
        if self.only_tracks:
            return track.id in self.only_tracks
        return track.label in self.labels and track.id not in self.keep_tracks

    def in_words(self, names: Mapping[Hide, str] | None = None) -> str:
        """`faces and plates, except track 3, and 2 drawn regions`; `names` for the kinds, else their own."""
        if self.only_tracks:
            hidden = [_tracks(self.only_tracks)]
        else:
            kinds = " and ".join((names or {}).get(what, what.value) for what in Hide if what in self.what)
            hidden = [f"{kinds}, except {_tracks(self.keep_tracks)}," if self.keep_tracks else kinds] if kinds else []
        if self.regions:
            hidden.append("a drawn region" if len(self.regions) == 1 else f"{len(self.regions)} drawn regions")
        return " and ".join(hidden).removesuffix(",")

    def only_the_head(self, track: Track) -> bool:
        """Of a track that is hidden: whether the head of it will do."""
        return track.label == heads.PERSON and Hide.HEADS in self.what and Hide.PEOPLE not in self.what

    def check_looked_for(self, labels: Collection[str]) -> None:
        """Raises: NoDetector for a kind of thing that isn't among the `labels` that the video was searched for."""
        missing = sorted(what.value for what in self.what if not LABELS_OF[what] <= set(labels))
        if missing:
            raise NoDetector(
                f"{' and '.join(missing)} can't be hidden: nothing has looked for them in this video",
                hint="Add a model for it (exhibit models add FILE), retry the step detect, then ask again.",
            )

    def check_tracks(self, there: Collection[int]) -> None:
        """Raises: BadInput for a track that isn't among `there`."""
        missing = (self.keep_tracks | self.only_tracks) - set(there)
        if missing:
            raise BadInput(
                f"this analysis has no track {_numbers(missing)}",
                hint=f"It has: {_numbers(there)}." if there else "It has no track at all.",
            )

    def check_regions(self, size_wh: tuple[int, int], video: Span | None = None) -> None:
        """`size_wh` of the upright picture; `video` from its first frame to its last.

        Raises: BadInput for a region that isn't wholly in the picture, or has no frame of the video.
        """
        width, height = size_wh
        for region in self.regions:
            x0, y0, x1, y1 = region.box_xyxy
            if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
                raise BadInput(
                    f"the region {_text(region)} is not wholly in the picture",
                    hint=f"Upright, it is {width} × {height} pixels, counted from its upper left corner.",
                )
            if video is not None and not region.span.overlaps(video):
                raise BadInput(
                    f"no frame of the video is in the time of the region {_text(region)}",
                    hint=f"The video goes from {video.start.label()} to {video.end.label()}.",
                )


_REGION = re.compile(r"([^,@]+),([^,@]+),([^,@]+),([^,@]+)@(-?[0-9:.]+)-(-?[0-9:.]+)")
_SHOWN_TO = Fraction(1, 1000)
"""Seconds: clocks show milliseconds, so a frame lies up to one off the time that is read beside it."""


def read_region(text: str, reason: str, clock_zero: Fraction = Fraction(0)) -> Region:
    """`x0,y0,x1,y1@from-to`: pixels of the upright picture, times such as 0:01:02.5 or 62.5, both ends hidden.

    `clock_zero`: the moment of the stream at which the clock shows zero. Raises: BadInput.
    """
    how = "Write x0,y0,x1,y1@from-to, for example 100,40,220,160@0:00:02.500-0:00:09."
    found = _REGION.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"{text[:80]!r} is no region", hint=how)
    try:
        x0, y0, x1, y1 = (float(edge) for edge in found.groups()[:4])
        start, end = (_signed(time) + clock_zero for time in found.groups()[4:])
        if end < start:
            raise ValueError("its time ends before it starts")
        return Region((x0, y0, x1, y1), Span(from_seconds(start - _SHOWN_TO), from_seconds(end + _SHOWN_TO)), reason)
    except ValueError as exc:
        raise BadInput(f"{text[:80]!r} is no region: {exc}", hint=how) from exc


def _signed(time: str) -> Fraction:
    """The label of a frame before the stream's zero starts with a minus."""
    return -read_clock(time[1:]) if time.startswith("-") else read_clock(time)


def _text(region: Region) -> str:
    edges = ",".join(f"{edge:g}" for edge in region.box_xyxy)
    return f"{edges}@{region.span.start.label()}-{region.span.end.label()}"


def _tracks(numbers: Collection[int]) -> str:
    return f"{'track' if len(numbers) == 1 else 'tracks'} {_numbers(numbers)}"


def _numbers(some: Iterable[int]) -> str:
    """`1-3, 7`: whole numbers, runs shortened."""
    runs: list[list[int]] = []
    for number in sorted(some):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


class Masks:
    """The boxes to cover, frame by frame: every track's box grown by the margin, carried on before and after.

    Inside a track there is no frame without its mask (`Track` has no holes by construction). Asked for in frame
    order, so that an hour of video needs no list of its masks.
    """

    def __init__(
        self,
        tracks: Iterable[Track],
        redaction: Redaction,
        size_wh: tuple[int, int] | None = None,
        scenes: Sequence[int] = (),
    ) -> None:
        """`size_wh` of the upright picture: a head is sought deeper in a person whom its edge cuts off. `scenes`: frames
        with which another scene begins; no mask is carried on over them."""
        self._redaction = redaction
        margin = redaction.margin
        height = math.inf if size_wh is None else size_wh[1]
        hidden = [track for track in tracks if redaction.hides(track)]
        faces_of = heads.owners(hidden, height) if any(map(redaction.only_the_head, hidden)) else {}
        hidden = [
            heads.heads_of(track, height, faces_of.get(track.id, ())) if redaction.only_the_head(track) else track
            for track in hidden
        ]
        self._playback = Playback(hidden, margin.before_frames, margin.after_frames, scenes)

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
    dx, dy = (max(margin.least, side * swell) for side in (x1 - x0, y1 - y0))
    return (x0 - dx, y0 - dy, x1 + dx, y1 + dy)

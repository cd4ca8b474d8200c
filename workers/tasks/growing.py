"""Tracks while they grow: what a mask needs of them now, and all of them in the end."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from detectors.follower import Follower
from evidence.errors import IntegrityError
from evidence.redaction import Margin, Redaction
from evidence.track import Track, TrackBox


class Growing:
    """Takes what a follower makes final. The masks of a frame are known once the frames are settled from which they
    may reach back to it (`ready`)."""

    def __init__(self, follower: Follower, margin: Margin) -> None:
        self.follower, self._margin = follower, margin
        self._boxes: dict[int, list[TrackBox]] = defaultdict(list)
        self._labels: dict[int, list[str]] = {}
        """What each track has been taken for, the present one last."""
        self._near: set[int] = set()
        """Tracks that are on the frame last asked for, or yet to come."""
        self._over: list[Track] = []
        self._settled = 0
        self._ended = False

    def take(self) -> None:
        """What has become final since the last time."""
        for frame, given in self.follower.final():
            for number, label, box in given:
                self._boxes[number].append(box)
                self._near.add(number)
                labels = self._labels.setdefault(number, [label])
                if labels[-1] != label:
                    labels.append(label)
            self._settled = frame + 1
        for over in self.follower.over():
            boxes = tuple(self._boxes[over.number])
            self._over.append(Track(over.number, over.label, over.model, self.follower.time_base, boxes))

    def end(self) -> None:
        self.follower.end()
        self.take()
        self._ended = True

    def ready(self, frame: int) -> bool:
        """Whether nothing that is still to come can change this frame's masks."""
        return self._ended or frame + self._margin.before_frames < self._settled

    def near(self, frame: int) -> list[Track]:
        """The tracks that may have a mask on a frame, with their boxes around it. Frames are asked for in order."""
        there = []
        for number in sorted(self._near):
            boxes = self._boxes[number]
            first, last = boxes[0].frame, boxes[-1].frame
            if last + self._margin.after_frames < frame:
                self._near.discard(number)
            elif first - self._margin.before_frames <= frame:
                start = max(0, min(frame, last) - first - self.follower.look_ahead)
                label = self._labels[number][-1]
                there.append(Track(number, label, "", self.follower.time_base, tuple(boxes[start:])))
        return there

    def whole(self) -> list[Track]:
        """All tracks, after the end, numbered by their first frame."""
        return sorted(self._over, key=lambda track: track.id)

    def check(self, redaction: Redaction) -> None:
        """Raises: IntegrityError when a track that was left open for what it seemed to be turned out to be another thing."""
        for track in self._over:
            seemed = (replace(track, label=label) for label in self._labels[track.id])
            if redaction.hides(track) and not all(redaction.hides(one) for one in seemed):
                raise IntegrityError(
                    f"track {track.id} was shown as {self._labels[track.id][0]} and turned out to be a {track.label}",
                    hint="Analyse the file first, and redact it with the tracks that were found.",
                )

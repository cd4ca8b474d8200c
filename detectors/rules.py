"""How things of each kind are followed: what starts a track, what joins two pieces of one, how far it is carried on."""

from __future__ import annotations

from dataclasses import dataclass, replace

_WRITTEN_FOR = 30
"""Frames a second; counts of frames below are scaled to the video's rate."""

_LEAST_SPEED_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """Units: frames; distances in box sizes; overlaps as IoU."""

    labels: frozenset[str]
    """Labels that a model may take for one another while it looks at one thing."""
    least_seen: int
    """Tracks seen on fewer frames are dropped, unless one sighting was surer than `sure`."""
    sure: float
    bridge_frames: int
    """The longest gap that is filled between two sightings of a thing that stands still."""
    join_distance: float
    """How far from where it was thought a thing may be seen again."""
    speed_frames: int = 24
    """How far back its speed is taken from: people walk steadily, a face that a camera swings past doesn't."""
    carry_frames: int = 0
    """How long a thing is carried on after its last sighting, and back before its first."""

    def at_rate(self, frames_per_second: int) -> Rule:
        def scaled(frames: int) -> int:
            return max(min(1, frames), round(frames * frames_per_second / _WRITTEN_FOR))

        return replace(
            self,
            bridge_frames=scaled(self.bridge_frames),
            carry_frames=scaled(self.carry_frames),
            speed_frames=max(_LEAST_SPEED_FRAMES, scaled(self.speed_frames)),
        )


# A face or plate that is missed costs more than a false box: nothing is dropped, pieces are joined generously.
_RULES = (
    Rule(frozenset({"face"}), 1, 0.0, 30, 1.0, 6, 3),
    Rule(frozenset({"licence plate"}), 1, 0.0, 30, 1.5, 6, 3),
    Rule(frozenset({"car", "bus", "truck"}), 4, 0.7, 15, 0.4),
    Rule(frozenset({"bicycle", "motorcycle"}), 4, 0.7, 15, 0.4),
    Rule(frozenset({"backpack", "handbag", "suitcase"}), 4, 0.7, 15, 0.4),
)
_OTHERWISE = Rule(frozenset(), 4, 0.7, 15, 0.4)


def rule_for(label: str) -> Rule:
    """The rule of the kind that a label belongs to; of a kind of its own where no rule names it."""
    for rule in _RULES:
        if label in rule.labels:
            return rule
    return replace(_OTHERWISE, labels=frozenset({label}))

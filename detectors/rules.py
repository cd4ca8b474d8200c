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
    least_overlap: float = 0.1
    """Of a sure sighting with the place where a thing was thought to be."""
    faint_overlap: float = 0.5
    """The same of a faint one."""
    speed_frames: int = 24
    """How far back its speed is taken from: people walk steadily, a face that a camera swings past doesn't."""
    carry_frames: int = 0
    """How long a thing is carried on after its last sighting, and back before its first."""
    doubt_large: bool = False
    """Whether something large that is never seen surely is taken for a mistake: what is large is seen surely."""
    steady_frames: int = 0
    """So long before and after its box shows how large it is, even where less of it was seen."""
    sweep_frames: int = 0
    """The same for one that moves fast to the picture's edge: its way there is covered."""

    def at_rate(self, frames_per_second: int) -> Rule:
        def scaled(frames: int) -> int:
            return max(min(1, frames), round(frames * frames_per_second / _WRITTEN_FOR))

        return replace(
            self,
            bridge_frames=scaled(self.bridge_frames),
            carry_frames=scaled(self.carry_frames),
            steady_frames=scaled(self.steady_frames),
            sweep_frames=scaled(self.sweep_frames),
            speed_frames=max(_LEAST_SPEED_FRAMES, scaled(self.speed_frames)),
        )


_OTHERWISE = Rule(frozenset(), least_seen=4, sure=0.7, bridge_frames=20, join_distance=0.4)
# A face or plate that is missed costs more than a false box: pieces are joined generously, and little is dropped.
_FACE = Rule(
    frozenset({"face"}),
    least_seen=1,
    sure=0.0,
    bridge_frames=30,
    join_distance=1.0,
    faint_overlap=0.1,
    speed_frames=6,
    carry_frames=3,
    doubt_large=True,
    steady_frames=9,
    sweep_frames=6,
)
_RULES = (
    _FACE,
    replace(_FACE, labels=frozenset({"licence plate"}), join_distance=1.5),
    *(
        replace(_OTHERWISE, labels=frozenset(labels))
        for labels in (("car", "bus", "truck"), ("bicycle", "motorcycle"), ("backpack", "handbag", "suitcase"))
    ),
)


def rule_for(label: str) -> Rule:
    """The rule of the kind that a label belongs to; of a kind of its own where no rule names it."""
    for rule in _RULES:
        if label in rule.labels:
            return rule
    return replace(_OTHERWISE, labels=frozenset({label}))


def as_written(rule: Rule) -> Rule:
    """For whoever adapts no rule."""
    return rule

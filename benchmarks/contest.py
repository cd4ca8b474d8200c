"""Commands run in turns on the same clip, and the arithmetic on what they took.

Each is run on a long and on a short piece. What the longer one took more, by the frames that it has more, is the
steady rate; what is left of the long run is the start-up. That asks nothing of the command but that it ends.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from benchmarks.loop import Piece, loop
from benchmarks.measure import CommandFailed, Cost, run

SHORT = Fraction(1, 4)
"""Length of the short piece, as a share of the long one's."""
_LEAST_S = Fraction(4, 5)


@dataclass(frozen=True, slots=True)
class Runner:
    """A command that is measured. `share`: how much of the asked length it gets; slow ones get less."""

    name: str
    shown: str
    """The command as it stands in the report, without folders."""
    command: Callable[[Path, Path], list[str]]
    """From the clip and an empty folder for what is made to the words of the command."""
    share: Fraction = Fraction(1)
    fine: tuple[int, ...] = (0,)
    """Exit codes that are a result."""


@dataclass(frozen=True, slots=True)
class Spread:
    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Raises: ValueError when there are none."""
        some = sorted(values)
        if not some:
            raise ValueError("no values")
        return cls(some[0], statistics.median(some), some[-1])


@dataclass(frozen=True, slots=True)
class Turn:
    """One command in one repeat: the long run and the short one."""

    long: Cost
    short: Cost
    long_frames: int
    short_frames: int

    @property
    def wall_s_a_frame(self) -> float:
        return (self.long.wall_s - self.short.wall_s) / (self.long_frames - self.short_frames)

    @property
    def cpu_s_a_frame(self) -> float:
        return (self.long.cpu_s - self.short.cpu_s) / (self.long_frames - self.short_frames)

    @property
    def start_s(self) -> float:
        return max(0.0, self.long.wall_s - self.long_frames * self.wall_s_a_frame)

    @property
    def tells(self) -> bool:
        """Whether the difference stands out: else the pieces were too short for this command on this machine."""
        return self.wall_s_a_frame > 0 and self.cpu_s_a_frame > 0

    @property
    def peak_bytes(self) -> int:
        return max(self.long.peak_bytes, self.short.peak_bytes)

    @property
    def others(self) -> float:
        return max(self.long.others, self.short.others)


@dataclass(slots=True)
class Contest:
    """All turns of all commands on one clip."""

    clip: str
    size_wh: tuple[int, int]
    rate: float
    sound: bool
    shown: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """What the long piece of a command lasts."""
    first_s: dict[str, float] = field(default_factory=dict)
    """The very first run of each, on the short piece, with nothing cached."""
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def ratio(self, above: str, below: str, *, cpu: bool = False, without: str = "") -> Spread | None:
        """`above`, less `without` if that is named, by `below` per frame, repeat for repeat.

        None when one of them is missing or doesn't tell.
        """
        rows = list(zip(*(self.turns.get(name, []) for name in (above, below, without) if name), strict=False))
        if not rows or not all(turn.tells for row in rows for turn in row):
            return None
        costs = [[turn.cpu_s_a_frame if cpu else turn.wall_s_a_frame for turn in row] for row in rows]
        return Spread.of((row[0] - sum(row[2:])) / row[1] for row in costs)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        turns = {
            name: [Turn(Cost(**t["long"]), Cost(**t["short"]), t["long_frames"], t["short_frames"]) for t in some]
            for name, some in told["turns"].items()
        }
        return cls(**{**told, "size_wh": tuple(told["size_wh"]), "turns": turns})


def hold(
    clip: Path, runners: Sequence[Runner], length_s: Fraction, repeats: int, folder: Path, say: Callable[[str], None]
) -> Contest:
    """Every command once to fill caches, then all in turns, every second time in reverse order.

    A command that fails is out, and its message stands in `failed`. `folder` is empty; what is in it may be removed.
    """
    pieces = _Pieces(clip, folder, length_s)
    whole = pieces.of(Fraction(1))[0]
    contest = Contest(clip.name, whole.size_wh, float(whole.frames / whole.seconds), _has_sound(whole.path))
    for runner in runners:
        contest.shown[runner.name] = runner.shown
        contest.seconds[runner.name] = float(pieces.of(runner.share)[0].seconds)
        say(f"{clip.name}: {runner.name}, first run")
        try:
            contest.first_s[runner.name] = _run(runner, pieces.of(runner.share)[1], folder).wall_s
        except CommandFailed as exc:
            contest.failed[runner.name] = str(exc)
            say(f"{runner.name} failed: {exc}")
    for repeat in range(repeats):
        for runner in list(runners)[:: -1 if repeat % 2 else 1]:
            if runner.name in contest.failed:
                continue
            long, short = pieces.of(runner.share)
            try:
                turn = Turn(_run(runner, long, folder), _run(runner, short, folder), long.frames, short.frames)
            except CommandFailed as exc:
                contest.failed[runner.name] = str(exc)
                say(f"{runner.name} failed: {exc}")
                continue
            contest.turns.setdefault(runner.name, []).append(turn)
            say(
                f"{clip.name}: {runner.name}, {repeat + 1} of {repeats}: {turn.long.wall_s:.1f} s for {long.frames} frames, "
                f"{1000 * turn.wall_s_a_frame:.1f} ms a frame"
            )
    return contest


class _Pieces:
    """The long and the short piece for each share, made once."""

    def __init__(self, clip: Path, folder: Path, length_s: Fraction) -> None:
        self._clip, self._folder, self._length_s = clip, folder, length_s
        self._made: dict[Fraction, tuple[Piece, Piece]] = {}

    def of(self, share: Fraction) -> tuple[Piece, Piece]:
        if share not in self._made:
            long_s = max(_LEAST_S, self._length_s * share)
            self._made[share] = (self._piece(long_s), self._piece(long_s * SHORT))
        return self._made[share]

    def _piece(self, seconds: Fraction) -> Piece:
        return loop(self._clip, self._folder / f"{float(seconds):.2f}-s.mp4", seconds)


def _run(runner: Runner, piece: Piece, folder: Path) -> Cost:
    out = folder / "made"
    out.mkdir()
    try:
        return run(runner.command(piece.path, out), folder / "said.txt", runner.fine)
    finally:
        for made in sorted(out.rglob("*"), reverse=True):
            made.rmdir() if made.is_dir() else made.unlink()
        out.rmdir()


def _has_sound(path: Path) -> bool:
    import av

    with av.open(str(path)) as container:
        return bool(container.streams.audio)


def save(path: Path, told: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", "utf-8")

"""`make bench`: the controls and the commands in turns, a profile, and docs/performance.md.

python -m benchmarks --length 4 --repeats 3 --growth 2 --out docs/performance.md [--clip FILE …] [--raw FILE]
python -m benchmarks --again FILE --out docs/performance.md      (the page once more, from kept figures)
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks import fifth, machine, runners, spread
from benchmarks.contest import SHORT, Contest, hold, save
from benchmarks.growth import grown
from benchmarks.loop import loop
from benchmarks.measure import run
from benchmarks.report import page
from benchmarks.similar import similar, vmaf_is_there

_CLIPS = ("street_people.mp4", "dashcam_road.mp4")
_ROAD = "traffic.mp4"
_PROFILE_S, _PART_FRAMES = Fraction(3), 60
_ALIKE_S = Fraction(2)
_LEAST_SPREAD_S = 4
"""The short piece, a quarter, still has frames for four segments of some groups."""
_DEMO = "demo.mp4"


def clips(folder: Path) -> list[Path]:
    """The street clip and one with sound, where there is test data; else the demonstration clip, made on the spot."""
    data = os.environ.get("EXHIBIT_TEST_DATA")
    there = [path for path in (Path(data) / "clips" / name for name in _CLIPS) if path.is_file()] if data else []
    if there:
        return there
    from media.demo_clip import make_demo_clip

    make_demo_clip(folder / _DEMO)
    return [folder / _DEMO]


def measure(asked: argparse.Namespace, only: Sequence[str] = ()) -> dict[str, Any]:
    """All that the page is made of. Writes to a temporary folder, which is gone afterwards."""
    models = os.environ.get("EXHIBIT_MODELS_DIR")
    with tempfile.TemporaryDirectory(prefix="exhibit-bench-") as scratch:
        folder = Path(scratch)
        os.environ["EXHIBIT_DATA_DIR"] = str(folder / "data")
        files = asked.clip or clips(folder)
        races = [(clip, runners.on_any_clip(Path(models) if models else None), asked.length) for clip in files]
        few = None if asked.clip or not runners.on_few_faces() else _few_faces(folder)
        if few:
            races.append((few, runners.on_few_faces(), _whole_cycles(asked.length)))
        contests: list[Contest] = []
        for number, (clip, some, length) in enumerate(races):
            room = folder / f"clip-{number}"
            room.mkdir()
            wanted = [runner for runner in some if not only or runner.name in only]
            contests.append(hold(clip, wanted, length, asked.repeats, room, _say))
        _say("where the time goes")
        profile = _profile(files[0], folder, min(asked.length, _PROFILE_S))
        _say("how alike a copy looks")
        alike = _alike(files[0], folder, min(asked.length, _ALIKE_S))
        growth = None
        if asked.growth:
            _say(f"{float(asked.growth):g} s against ten times as much")
            growth = grown(files[0], asked.growth, folder)
        shared = None
        if asked.length >= _LEAST_SPREAD_S:
            _say("four segments on four processes")
            shared = _spread(files[0], folder, asked.length)
    return {
        "command": f"make bench LENGTH={float(asked.length):g} REPEATS={asked.repeats} GROWTH={float(asked.growth):g}",
        "date": datetime.now(UTC).strftime("%-d %B %Y, %H:%M UTC"),
        "length_s": float(asked.length),
        "repeats": asked.repeats,
        "machine": machine.facts(),
        "contests": [contest.to_json() for contest in contests],
        "profile": profile,
        "alike": alike,
        "growth": growth,
        "spread": shared,
    }


def _few_faces(folder: Path) -> Path | None:
    """The clip with people in a fifth of its groups; None without test data."""
    data = os.environ.get("EXHIBIT_TEST_DATA")
    parts = [Path(data) / "clips" / name for name in (_CLIPS[0], _ROAD)] if data else []
    if not parts or not all(path.is_file() for path in parts):
        return None
    return fifth.make(parts[0], parts[1], folder / fifth.NAME)


def _whole_cycles(length: Fraction) -> Fraction:
    """At least four cycles and a multiple of that: then the short piece, a quarter, has its fifth of people too."""
    four = 4 * fifth.CYCLE_S
    return max(1, round(length / four)) * four


def _alike(clip: Path, folder: Path, length_s: Fraction) -> dict[str, Any]:
    """exhibit's copy, and for comparison the plain one, beside the source."""
    piece = loop(clip, folder / "alike.mp4", length_s)
    told: dict[str, Any] = {"clip": clip.name, "vmaf_is_there": vmaf_is_there()}
    for name, words in (("redact", runners.redact_words), ("plain", runners.plain_words)):
        out = folder / f"alike-{name}"
        out.mkdir()
        run(words(piece.path, out), folder / "said.txt", fine=(0, 3))
        told[name] = similar(piece.path, out / "x.mp4")
    return told


def _profile(clip: Path, folder: Path, length_s: Fraction) -> dict[str, Any]:
    piece = loop(clip, folder / "profiled.mp4", length_s)
    command = [sys.executable, "-m", "benchmarks.stages", str(piece.path), str(_PART_FRAMES)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    frames = min(_PART_FRAMES, piece.frames)
    return {"clip": clip.name, "frames": piece.frames, "part_frames": frames, **told}


def _spread(clip: Path, folder: Path, length_s: Fraction) -> dict[str, Any]:
    pieces = [folder / "spread-long.mp4", folder / "spread-short.mp4"]
    for path, seconds in zip(pieces, (length_s, length_s * SHORT), strict=True):
        spread.piece(clip, path, seconds)
    command = [sys.executable, "-m", "benchmarks.spread", *map(str, pieces)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {"clip": clip.name, "runs": json.loads(told.splitlines()[-1])}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast exhibit is, against controls.")
    parser.add_argument("--length", type=Fraction, default=Fraction(4), help="seconds of the longest loop")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--growth", type=Fraction, default=Fraction(2), help="seconds, against ten times as many; 0: not")
    parser.add_argument("--clip", type=Path, action="append", help="a video; may be given again")
    parser.add_argument("--only", default="", help="names of what to measure, comma-separated")
    parser.add_argument("--out", type=Path, required=True, help="the page")
    parser.add_argument("--raw", type=Path, help="where to keep the figures (JSON)")
    parser.add_argument("--again", type=Path, help="figures that were kept: only the page is made anew")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    asked = _asked(words)
    if asked.again:
        told = json.loads(asked.again.read_text("utf-8"))
    else:
        told = measure(asked, [name for name in asked.only.split(",") if name])
    if asked.raw:
        save(asked.raw, told)
    asked.out.write_text(page(told), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

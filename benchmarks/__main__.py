"""`make bench`: the controls and the commands in turns, a profile, and docs/performance.md.

python -m benchmarks --length 4 --repeats 3 --out docs/performance.md [--clip FILE …] [--raw FILE]
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

from benchmarks import machine
from benchmarks.contest import Contest, Runner, hold, save
from benchmarks.loop import loop
from benchmarks.report import page

_CLIPS = ("street_people.mp4", "dashcam_road.mp4")
_FACES, _OBJECTS = "yolo11n-face.pt", "yolo11n.pt"
_PROFILE_S, _PART_FRAMES = Fraction(3), 60
_DEMO = "demo.mp4"


def runners(models: Path | None) -> list[Runner]:
    """What is measured here; controls whose weights aren't there are left out, and the page says so."""
    bins = Path(sys.executable).parent
    exhibit = str(bins / "exhibit")

    def module(name: str, *words: str) -> list[str]:
        return [sys.executable, "-m", f"benchmarks.{name}", *words]

    found = [
        Runner(
            "plain", "python -m benchmarks.plain CLIP OUT", lambda clip, out: module("plain", str(clip), str(out / "x.mp4"))
        ),
        Runner(
            "redact",
            "exhibit redact CLIP -o OUT --what faces",
            lambda clip, out: [exhibit, "redact", str(clip), "-o", str(out / "x.mp4"), "--what", "faces", "--json"],
        ),
    ]
    faces, objects = (models / name if models else None for name in (_FACES, _OBJECTS))
    if faces and faces.is_file():
        found.append(
            Runner(
                "naive",
                f"python -m benchmarks.naive CLIP OUT {_FACES}",
                lambda clip, out: module("naive", str(clip), str(out / "x.mp4"), str(faces)),
                Fraction(1, 2),
            )
        )
    found.append(
        Runner(
            "deface",
            "deface --output OUT CLIP",
            lambda clip, out: module("deface_control", str(clip), str(out / "x.mp4")),
            Fraction(1, 5),
        )
    )
    found.append(
        Runner(
            "analyse",
            "exhibit analyse CLIP --out OUT",
            lambda clip, out: [exhibit, "analyse", str(clip), "--out", str(out), "--json"],
            Fraction(1, 2),
        )
    )
    if objects and objects.is_file():
        found.append(
            Runner(
                "predict",
                f"python -m benchmarks.predict CLIP {_OBJECTS}",
                lambda clip, _: module("predict", str(clip), str(objects)),
                Fraction(1, 2),
            )
        )
    return found


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
        wanted = [r for r in runners(Path(models) if models else None) if not only or r.name in only]
        files = asked.clip or clips(folder)
        contests: list[Contest] = []
        for number, clip in enumerate(files):
            room = folder / f"clip-{number}"
            room.mkdir()
            contests.append(hold(clip, wanted, asked.length, asked.repeats, room, _say))
        _say("where the time goes")
        profile = _profile(files[0], folder, min(asked.length, _PROFILE_S))
    return {
        "command": f"make bench LENGTH={float(asked.length):g} REPEATS={asked.repeats}",
        "date": datetime.now(UTC).strftime("%-d %B %Y, %H:%M UTC"),
        "length_s": float(asked.length),
        "repeats": asked.repeats,
        "machine": machine.facts(),
        "contests": [contest.to_json() for contest in contests],
        "profile": profile,
    }


def _profile(clip: Path, folder: Path, length_s: Fraction) -> dict[str, Any]:
    piece = loop(clip, folder / "profiled.mp4", length_s)
    command = [sys.executable, "-m", "benchmarks.stages", str(piece.path), str(_PART_FRAMES)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    frames = min(_PART_FRAMES, piece.frames)
    return {"clip": clip.name, "frames": piece.frames, "part_frames": frames, **told}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast exhibit is, against controls.")
    parser.add_argument("--length", type=Fraction, default=Fraction(4), help="seconds of the longest loop")
    parser.add_argument("--repeats", type=int, default=3)
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

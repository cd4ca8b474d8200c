"""What the engine leaves open and what it hides too much: measured as shipped, written to docs/quality.md (`make quality`).

The clips and their truth lie under EXHIBIT_TEST_DATA, the scorers in EXHIBIT_EVAL. A scorer runs as a process of its own,
in an interpreter of its own: what checks the engine shares no code with it. Nothing here chooses a setting.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import quality_page
from benchmarks.stills import look_at_stills
from cli.analyse import sha256_of

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/quality.md"
KINDS = ("shake", "small", "dark", "edge", "occlusion", "flips", "cut")
BACKGROUNDS = ("dashcam_road.mp4", "traffic.mp4")
PARTS = ("faces", "plates", "persons")
_LEAVE = "EXHIBIT_MODELS_DIR"
"""The one setting of this machine that is kept: the weights must come from somewhere."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where everything lies."""

    evaluation: Path
    data: Path
    cache: Path
    scratch: Path
    scorer_python: str

    @property
    def truth(self) -> Path:
        return self.data / "groundtruth"

    def environment(self) -> dict[str, str]:
        """Settings as shipped: no file or variable of this machine has a say."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EXHIBIT_") or name == _LEAVE}
        return {**kept, "EXHIBIT_DATA_DIR": str(self.cache / "data")}

    def exhibit(self, *arguments: str | Path) -> None:
        """Raises: CalledProcessError with what it said."""
        command = [sys.executable, "-m", "cli.main", *map(str, arguments)]
        subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=True)

    def score(self, scorer: str, *arguments: str | Path) -> dict[str, Any]:
        """`figures` as the scorer wrote them, or `why` there are none."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            out = Path(folder) / "score.json"
            command = [self.scorer_python, str(self.evaluation / scorer), *map(str, arguments), "--json", str(out)]
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
            ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if out.exists():
                figures: dict[str, Any] = json.loads(out.read_bytes())
                return {"figures": figures}
        return {"why": f"not scored: {last_words(ended.stderr)}"}


def last_words(text: str, lines: int = 1) -> str:
    """What a process said last."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(said[-lines:]) or "the process said nothing"


def stress_clip(desk: Desk, kind: str, seed: int, frames: int, width: int = 0) -> Path:
    """The clip; its truth lies beside it. Made once for each version of generator and sources.

    Raises: CalledProcessError when the generator ends with an error.
    """
    source = desk.truth / "face_david.mp4"
    backgrounds = [desk.data / "clips" / name for name in BACKGROUNDS]
    made_from = [desk.evaluation / "stress.py", desk.evaluation / "boxlib.py", source, *backgrounds]
    version = "".join(sha256_of(path)[:4] for path in made_from)
    folder = desk.cache / "stress" / version / f"{kind}-seed{seed}-{frames}frames" / (f"{width}wide" if width else "full")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as making:
            made = Path(making) / "made"
            command = [desk.scorer_python, str(desk.evaluation / "stress.py")]
            command += [str(source), str(source.with_suffix(".mot.txt")), str(made)]
            command += ["--kind", kind, "--seed", str(seed), "--frames", str(frames), "--width", str(width)]
            command += ["--background", *map(str, backgrounds)]
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
            subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            made.rename(folder)
    return folder / f"{kind}.mp4"


def faces(desk: Desk, clip: Path, kind: str, seed: int | None = None) -> dict[str, Any]:
    """`exhibit redact --what faces` as shipped, and its score."""
    line: dict[str, Any] = {"clip": kind, "seed": seed}
    with tempfile.TemporaryDirectory(dir=desk.scratch) as folder:
        copy, report = Path(folder) / "copy.mp4", Path(folder) / "report.json"
        try:
            desk.exhibit("redact", clip, "-o", copy, "--what", "faces", "--report", report)
        except subprocess.CalledProcessError as exc:
            return {**line, "why": f"not redacted: {last_words(exc.stderr, lines=2)}"}
        models = json.loads(report.read_bytes())["models"]
        truth = clip.with_suffix(".mot.txt")
        return {**line, "models": models, **desk.score("redaction_score.py", clip, copy, truth)}


def all_faces(desk: Desk, seeds: Sequence[int], frames: int, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield faces(desk, desk.truth / "face_david.mp4", "face_david")
    for seed in seeds:
        for kind in kinds:
            try:
                clip = stress_clip(desk, kind, seed, frames)
            except subprocess.CalledProcessError as exc:
                yield {"clip": kind, "seed": seed, "why": f"no clip: {last_words(exc.stderr)}"}
                continue
            yield faces(desk, clip, kind, seed)


def persons(desk: Desk) -> dict[str, Any]:
    """`exhibit analyse --labels person` on the pedestrians' clip, and the score of its tracks."""
    clip = desk.truth / "pets_s2l1_a.mp4"
    with tempfile.TemporaryDirectory(dir=desk.scratch) as folder:
        try:
            desk.exhibit("analyse", clip, "--out", folder, "--labels", "person")
        except subprocess.CalledProcessError as exc:
            return {"why": f"not analysed: {last_words(exc.stderr, lines=2)}"}
        models = json.loads((Path(folder) / "tracks.json").read_bytes())["models"]
        score = desk.score("track_score.py", clip.with_suffix(".mot.txt"), Path(folder) / "tracks.mot.txt")
        return {"models": models, **score}


def plates(desk: Desk) -> dict[str, Any]:
    """The plate model on still pictures: its boxes, and the masks that REDACT would paint, each scored."""
    stills = desk.truth / "plates_eu"
    with tempfile.TemporaryDirectory(dir=desk.scratch) as folder:
        looked = look_at_stills(stills, Path(folder), desk.environment())
        if looked is None:
            return {"why": "not analysed: no weights"}
        scored = {
            name: desk.score("boxes_score.py", stills, Path(folder) / f"{name}.json", "--score", str(looked["threshold"]))
            for name in ("boxes", "masks")
        }
        whys = {name: line["why"] for name, line in scored.items() if "why" in line}
        if whys:
            return {"models": [looked], "why": next(iter(whys.values()))}
        return {"models": [looked], **{name: line["figures"] for name, line in scored.items()}}


def measure(desk: Desk, options: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for; `quality_page.page` says its form."""
    measured: dict[str, Any] = {"about": about(desk, options)}
    if "faces" in options.parts:
        measured["faces"] = []
        for line in all_faces(desk, options.seeds, options.frames, options.kinds):
            print(quality_page.in_short(line), file=sys.stderr, flush=True)
            measured["faces"].append(line)
    if "plates" in options.parts:
        measured["plates"] = plates(desk)
    if "persons" in options.parts:
        measured["persons"] = persons(desk)
    return measured


def about(desk: Desk, options: argparse.Namespace) -> dict[str, Any]:
    scorers = [desk.evaluation / name for name in ("redaction_score.py", "track_score.py", "boxes_score.py", "stress.py")]
    return {
        "commit": _git("describe", "--always", "--abbrev=12", "--exclude=*") or "not known",
        "changed": _git("status", "--porcelain", "--", "evidence", "config", "media", "detectors", "workers", "cli"),
        "seeds": options.seeds,
        "frames": options.frames,
        "kinds": options.kinds,
        "parts": options.parts,
        "scorers": {path.name: sha256_of(path) for path in scorers},
    }


def _git(*arguments: str) -> str:
    if shutil.which("git") is None:
        return ""
    ended = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout.strip() if ended.returncode == 0 else ""


def places() -> tuple[Path, Path]:
    """The scorers' folder and the footage's. Raises: SystemExit naming what is missing."""
    named = {name: Path(os.environ.get(name, "")) for name in ("EXHIBIT_EVAL", "EXHIBIT_TEST_DATA")}
    for name, inside in (("EXHIBIT_EVAL", "redaction_score.py"), ("EXHIBIT_TEST_DATA", "groundtruth")):
        if not os.environ.get(name) or not (named[name] / inside).exists():
            raise SystemExit(f"not measured: set {name} to the folder with {inside}")
    return named["EXHIBIT_EVAL"].absolute(), named["EXHIBIT_TEST_DATA"].absolute()


@contextmanager
def desk_at(cache: Path, scorer_python: str) -> Iterator[Desk]:
    evaluation, data = places()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=cache) as scratch:
        yield Desk(evaluation, data, cache.absolute(), Path(scratch).absolute(), scorer_python)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="of the stress clips (1)")
    parser.add_argument("--frames", type=int, default=100, help="of each stress clip (100)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="of stress clips (all)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (all)")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the report goes (docs/quality.md)")
    cache = Path(os.environ.get("EXHIBIT_CACHE") or Path.home() / ".cache/exhibit") / "quality"
    parser.add_argument("--cache", type=Path, default=cache, help="for stress clips and prepared weights")
    parser.add_argument("--scorer-python", default=sys.executable, help="interpreter with the packages of the scorers")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    with desk_at(options.cache, options.scorer_python) as desk:
        measured: Mapping[str, Any] = measure(desk, options)
    (options.cache / "figures.json").write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    options.page.write_text(quality_page.page(measured), "utf-8")
    print(f"{options.page} is written", file=sys.stderr)


if __name__ == "__main__":
    main()

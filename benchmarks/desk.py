"""Where `make quality` works: the footage, the scorers from outside, the stress clips, a scratch folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.kept import Kept
from cli.analyse import sha256_of

ROOT = Path(__file__).parents[1]
KINDS = ("shake", "small", "dark", "edge", "occlusion", "flips", "cut")
BACKGROUNDS = ("dashcam_road.mp4", "traffic.mp4")
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
    kept: Kept

    @property
    def truth(self) -> Path:
        return self.data / "groundtruth"

    def environment(self) -> dict[str, str]:
        """Settings as shipped: no file or variable of this machine has a say."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EXHIBIT_") or name == _LEAVE}
        return {**kept, "EXHIBIT_DATA_DIR": str(self.cache / "data")}

    def run(self, *command: str | Path) -> None:
        """Raises: CalledProcessError with what it said."""
        words = [str(word) for word in command]
        subprocess.run(words, cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=True)

    def exhibit(self, *arguments: str | Path) -> None:
        """Raises: CalledProcessError with what it said."""
        self.run(sys.executable, "-m", "cli.main", *arguments)

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


def places() -> tuple[Path, Path]:
    """The scorers' folder and the footage's. Raises: SystemExit naming what is missing."""
    named = {name: Path(os.environ.get(name, "")) for name in ("EXHIBIT_EVAL", "EXHIBIT_TEST_DATA")}
    for name, inside in (("EXHIBIT_EVAL", "redaction_score.py"), ("EXHIBIT_TEST_DATA", "groundtruth")):
        if not os.environ.get(name) or not (named[name] / inside).exists():
            raise SystemExit(f"not measured: set {name} to the folder with {inside}")
    return named["EXHIBIT_EVAL"].absolute(), named["EXHIBIT_TEST_DATA"].absolute()


@contextmanager
def desk_at(cache: Path, scorer_python: str, *, fresh: bool = False) -> Iterator[Desk]:
    """`fresh`: lines that were kept are measured again."""
    evaluation, data = places()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=cache) as scratch:
        kept = Kept(cache.absolute() / "lines", fresh=fresh)
        yield Desk(evaluation, data, cache.absolute(), Path(scratch).absolute(), scorer_python, kept)

"""What the engine leaves open and what it hides too much: measured as shipped, written to docs/quality.md (`make quality`).

The clips and their truth lie under EXHIBIT_TEST_DATA, the scorers in EXHIBIT_EVAL. A scorer runs as a process of its own,
in an interpreter of its own: what checks the engine shares no code with it. Nothing here chooses a setting. What was
measured is kept by the content of code, weights, clip and scorer, so that a second run measures only what changed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import aerial, images, kept, quality_faces, quality_page, redactors
from benchmarks.desk import KINDS, ROOT, Desk, desk_at, last_words
from cli.analyse import sha256_of
from config.models import ModelTask

PAGE = ROOT / "docs/quality.md"
PARTS = ("faces", "controls", "plates", "persons", "aerial", "knives", "coco")
_PEOPLE = ("pets_s2l1_a", "drone_person12")
_ENGINE = ("evidence", "config", "media", "detectors", "workers", "cli")
Measured = dict[str, Any]


def measure(desk: Desk, options: argparse.Namespace) -> Measured:
    """Everything that was asked for; `quality_page.page` says its form."""
    measured: Measured = {"about": about(desk, options)}
    for part, by in (("faces", redactors.exhibit), ("controls", redactors.controls)):
        if part in options.parts:
            made = by(desk)
            some = made if isinstance(made, list) else [made]
            seeds = options.seeds if part == "faces" else (options.control_seeds or options.seeds)
            measured[part] = [line for one in some for line in _hidden(desk, one, seeds, options)]
            measured["about"]["redactors"] |= {one.name: one.shown for one in some}
    alone: dict[str, Callable[[], Measured]] = {
        "plates": lambda: plates(desk),
        "aerial": lambda: from_above(desk),
        "knives": lambda: knives(desk),
        "coco": lambda: coco(desk),
    }
    for part, work in alone.items():
        if part in options.parts:
            measured[part] = work()
    if "persons" in options.parts:
        measured["persons"] = [persons(desk, clip) for clip in _PEOPLE]
    return measured


def _hidden(desk: Desk, by: redactors.Redactor, seeds: Sequence[int], options: argparse.Namespace) -> list[Measured]:
    lines = []
    for line in redactors.all_hidden(desk, by, seeds, options.frames, options.kinds):
        print(f"{by.name}: {quality_faces.in_short(line)}", file=sys.stderr, flush=True)
        lines.append(line)
    return lines


def _once(desk: Desk, what: str, truth: Sequence[Path], scorer: str, work: Callable[[Path], Measured]) -> Measured:
    """What `work` measures in an empty folder, or what was kept of it."""
    scorers = [desk.evaluation / scorer, desk.evaluation / "boxlib.py"]
    own = [Path(__file__), Path(images.__file__), Path(aerial.__file__)]
    depends_on = {
        "what": what,
        "engine": kept.engine(desk.environment()),
        "how": kept.content(own),
        "truth": kept.content(truth),
        "scorer": kept.content(scorers),
    }

    def measured() -> Measured:
        print(f"{what} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=desk.scratch) as folder:
            return work(Path(folder))

    return desk.kept.get(depends_on, measured)


def persons(desk: Desk, clip: str) -> Measured:
    """`exhibit analyse --labels person`, and the score of its tracks."""
    file = desk.truth / f"{clip}.mp4"
    truth = file.with_suffix(".mot.txt")

    def work(folder: Path) -> Measured:
        try:
            desk.exhibit("analyse", file, "--out", folder, "--labels", "person")
        except subprocess.CalledProcessError as exc:
            return {"why": f"not analysed: {last_words(exc.stderr, lines=2)}"}
        models = json.loads((folder / "tracks.json").read_bytes())["models"]
        return {"models": models, **desk.score("track_score.py", truth, folder / "tracks.mot.txt")}

    return {"clip": clip, **_once(desk, f"persons in {clip}", [file, truth], "track_score.py", work)}


def plates(desk: Desk) -> Measured:
    """The plate model on still pictures: its boxes, and the masks that REDACT would paint, each scored."""
    stills = desk.truth / "plates_eu"

    def work(folder: Path) -> Measured:
        looked = images.shipped(ModelTask.PLATES, desk.environment())
        if looked is None:
            return {"why": "not analysed: no weights"}
        boxes, masks = folder / "boxes.json", folder / "masks.json"
        hidden = images.write_plates(looked, stills, boxes, masks)
        scored = {f.stem: desk.score("boxes_score.py", stills, f, *_from(looked.spec)) for f in (boxes, masks)}
        return {"models": [looked.model()], "hidden": hidden, **_figures(scored)}

    return _once(desk, "plates on still pictures", [stills], "boxes_score.py", work)


def from_above(desk: Desk) -> Measured:
    """Stills of a drone and a drone's clip, with tiles and without."""
    pictures, film = desk.truth / "auair", desk.truth / "drone_person12.mp4"
    truth = [film, film.with_suffix(".mot.txt")]
    return {
        "auair": _once(desk, "stills from above", [pictures], "boxes_score.py", lambda folder: aerial.stills(desk, folder)),
        "drone": _once(desk, "a clip from above", truth, "track_score.py", lambda folder: aerial.clip(desk, folder)),
    }


def knives(desk: Desk) -> Measured:
    """The object model's class `knife` on still pictures, at the score from which a thing starts a track."""
    stills = desk.truth / "knife_cctv"

    def work(folder: Path) -> Measured:
        looked = images.shipped(ModelTask.OBJECTS, desk.environment())
        if looked is None:
            return {"why": "not analysed: no weights"}
        images.write_boxes(looked, stills, folder / "boxes.json")
        names = ("--names", "knife,person", "--only", "knife")
        scored = {
            name: desk.score("boxes_score.py", stills, folder / "boxes.json", *names, "--score", str(looked.spec[name]))
            for name in ("threshold", "low_threshold")
        }
        return {"models": [looked.model()], **_figures(scored)}

    return _once(desk, "knives on still pictures", [stills], "boxes_score.py", work)


def coco(desk: Desk) -> Measured:
    """The object model as it runs here, and the same weights in float, on COCO's validation pictures."""
    folder_of_stills = desk.truth / "coco_val"

    def work(folder: Path) -> Measured:
        here = images.shipped(ModelTask.OBJECTS, desk.environment(), images.LEAST_SCORE)
        if here is None:
            return {"why": "not analysed: no weights"}
        scored, models = {}, {}
        for name, looked in (
            ("shipped", here),
            ("float", images.in_float(here.spec, desk.environment(), images.LEAST_SCORE)),
        ):
            if looked is None:
                return {"why": "not compared: the model here is none that can be run in float"}
            file = folder / f"{name}.json"
            images.write_boxes(looked, folder_of_stills, file)
            scored[name] = desk.score("boxes_score.py", folder_of_stills, file, *_from(here.spec))
            models[name] = looked.model()
        return {"models": list(models.values()), **_figures(scored)}

    return _once(desk, "objects on COCO's pictures", [folder_of_stills], "boxes_score.py", work)


def _from(spec: images.Spec) -> tuple[str, str]:
    return ("--score", str(spec["threshold"]))


def _figures(scored: Mapping[str, Measured]) -> Measured:
    """`figures` by name, or the first `why` there are none."""
    whys = [line["why"] for line in scored.values() if "why" in line]
    return {"why": whys[0]} if whys else {"figures": {name: line["figures"] for name, line in scored.items()}}


def about(desk: Desk, options: argparse.Namespace) -> Measured:
    scorers = [desk.evaluation / name for name in ("redaction_score.py", "track_score.py", "boxes_score.py", "stress.py")]
    return {
        "commit": _git("describe", "--always", "--abbrev=12", "--exclude=*") or "not known",
        "changed": _git("status", "--porcelain", "--", *_ENGINE),
        "seeds": options.seeds,
        "control_seeds": options.control_seeds,
        "frames": options.frames,
        "kinds": options.kinds,
        "parts": options.parts,
        "redactors": {},
        "tried": tomllib.loads((ROOT / "benchmarks/tried.toml").read_text("utf-8"))["tried"],
        "scorers": {path.name: sha256_of(path) for path in scorers},
    }


def added(last: Measured, now: Measured) -> Measured:
    """The last run's figures with what was measured now in their place or beside them."""
    about = now["about"]
    commits = {part: {"commit": about["commit"], "changed": about["changed"]} for part in about["parts"]}
    whole = {**last["about"], "tried": about["tried"], "scorers": about["scorers"]}
    whole["redactors"] = {**whole["redactors"], **about["redactors"]}
    return {**last, **now, "about": {**whole, "apart": {**whole.get("apart", {}), **commits}}}


def _git(*arguments: str) -> str:
    if shutil.which("git") is None:
        return ""
    ended = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout.strip() if ended.returncode == 0 else ""


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="of the stress clips (1)")
    parser.add_argument("--control-seeds", type=int, nargs="+", help="of those that the controls hide too (the same)")
    parser.add_argument("--frames", type=int, default=100, help="of each stress clip (100)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="of stress clips (all)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (all)")
    parser.add_argument("--add", action="store_true", help="to the last run's figures: the page names what was added")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the report goes (docs/quality.md)")
    cache = Path(os.environ.get("EXHIBIT_CACHE") or Path.home() / ".cache/exhibit") / "quality"
    parser.add_argument("--cache", type=Path, default=cache, help="for stress clips, prepared weights and kept figures")
    parser.add_argument("--fresh", action="store_true", help="measure again what was kept")
    parser.add_argument("--scorer-python", default=sys.executable, help="interpreter with the packages of the scorers")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    with desk_at(options.cache, options.scorer_python, fresh=options.fresh) as desk:
        measured = measure(desk, options)
    last = options.cache / "figures.json"
    if options.add and last.exists():
        measured = added(json.loads(last.read_bytes()), measured)
    last.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    options.page.write_text(quality_page.page(measured), "utf-8")
    print(f"{options.page} is written", file=sys.stderr)


if __name__ == "__main__":
    main()

"""People and vehicles from above: the object model with its tiles beside the same model without them, and what they cost.

`aerial` of a report is `{"auair": {...}, "drone": {...}}`; each has `models` and `lines`, or `why` there are none. A line of
stills: `{"how", "processor_s", "figures": {"0.35": {"overlap 0.5": the scorer's, …}, …}, "people": figures}`. One of the
clip: `{"how", "processor_s", "figures"}`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import images
from benchmarks.desk import Desk, last_words
from benchmarks.words import percent, share, table, verdict
from config.models import ModelTask
from detectors.detector import Found, whole_look
from detectors.load import load, with_tiles
from detectors.tiled import Asked, Still

_ALIASES = ("--alias", "vehicle=car,van,truck,bus,trailer", "human=person")
_SCORES = (0.35, 0.25)
_LOOSE = 1.3
_AS_LOOSE = f"overlap 0.5, boxes × {_LOOSE:g}"
"""What a box would reach that is as loose as the labels are: a measure of them, not of us."""
_LARGER = 1280
_CLIP = "drone_person12"
AIM = 0.4
Eye = Callable[[npt.NDArray[np.uint8]], Found]
Line = Mapping[str, Any]


def stills(desk: Desk, folder: Path) -> dict[str, Any]:
    """AU-AIR's pictures through the whole look, one twice as large, and with the tiles that are chosen for them."""
    looked = images.shipped(ModelTask.OBJECTS, desk.environment())
    if looked is None:
        return {"why": "not analysed: no weights"}
    truth = desk.truth / "auair"
    pictures = dict(images.pictures(truth))
    eyes, plan = _eyes(looked.spec, list(pictures.values()))
    lines: list[dict[str, Any]] = []
    for how, eye in eyes.items():
        for picture in list(pictures.values())[:2]:
            eye(picture)
        began = time.process_time()
        found = {name: eye(picture) for name, picture in pictures.items()}
        processor_s = (time.process_time() - began) / len(pictures)
        out = folder / f"{len(lines)}.json"
        out.write_text(json.dumps([row for name, one in found.items() for row in _rows(name, one)]), "utf-8")
        line = {"how": how, "processor_s": processor_s, **_scored(desk, truth, out)}
        if "why" in line:
            return line
        lines.append(line)
    return {"models": [looked.model()], "plan": plan, "lines": lines}


def _eyes(spec: images.Spec, pictures: list[npt.NDArray[np.uint8]]) -> tuple[dict[str, Eye], dict[str, Any]]:
    """By what is looked with; and what was chosen, with these pictures as the few frames of a video."""
    keep = frozenset(spec["classes"])
    size_wh = (pictures[0].shape[1], pictures[0].shape[0])

    @cache
    def whole(longest: int) -> Any:
        return load({**spec, "input_size": longest}, size_wh, keep)

    first = spec["input_size"]
    tiled, chosen = with_tiles(spec, whole(first), size_wh, keep, Asked(), lambda: [Still(picture) for picture in pictures])
    assert chosen is not None
    return {
        f"the whole at {first} pixels, without tiles": lambda picture: whole_look(whole(first), Still(picture)),
        f"the whole at {_LARGER} pixels, without tiles": lambda picture: whole_look(whole(_LARGER), Still(picture)),
        "as shipped: the whole, and tiles": tiled.detect,
    }, chosen.to_json(size_wh)


def _rows(name: str, found: Found) -> list[dict[str, Any]]:
    columns = zip(found.label, found.score.tolist(), found.box_xyxy.tolist(), strict=True)
    return [{"image": name, "label": label, "score": score, "xyxy": box} for label, score, box in columns]


def _scored(desk: Desk, truth: Path, found: Path) -> dict[str, Any]:
    grown = found.with_suffix(".grown.json")
    grown.write_text(json.dumps([{**row, "xyxy": _grown(row["xyxy"])} for row in json.loads(found.read_bytes())]), "utf-8")
    figures: dict[str, dict[str, Any]] = {}
    for score in _SCORES:
        for name, boxes, overlap in (("overlap 0.5", found, 0.5), ("overlap 0.3", found, 0.3), (_AS_LOOSE, grown, 0.5)):
            at = ("--score", str(score), "--iou", str(overlap))
            answer = desk.score("boxes_score.py", truth, boxes, *_ALIASES, "--only", "vehicle", *at)
            if "why" in answer:
                return answer
            figures.setdefault(f"{score:g}", {})[name] = answer["figures"]
    people = desk.score("boxes_score.py", truth, found, *_ALIASES, "--only", "human", "--score", "0.35", "--iou", "0.3")
    return people if "why" in people else {"figures": figures, "people": people["figures"]}


def _grown(xyxy: Sequence[float]) -> list[float]:
    x0, y0, x1, y1 = xyxy
    w, h = (_LOOSE - 1) / 2 * (x1 - x0), (_LOOSE - 1) / 2 * (y1 - y0)
    return [x0 - w, y0 - h, x1 + w, y1 + h]


def clip(desk: Desk, folder: Path) -> dict[str, Any]:
    """The drone's clip through `exhibit analyse`, without tiles, as it decides by itself, and with tiles of 640 pixels."""
    file = desk.truth / f"{_CLIP}.mp4"
    lines, models = [], []
    for mode in ("off", "auto", "640"):
        out = folder / mode
        account = folder / f"{mode}.json"
        counted = (sys.executable, "-m", "benchmarks.account", account, sys.executable, "-m", "cli.main")
        try:
            desk.run(*counted, "analyse", file, "--out", out, "--labels", "person", "--tiles", mode)
        except subprocess.CalledProcessError as exc:
            return {"why": f"not analysed: {last_words(exc.stderr, lines=2)}"}
        models = json.loads((out / "tracks.json").read_bytes())["models"]
        answer = desk.score("track_score.py", file.with_suffix(".mot.txt"), out / "tracks.mot.txt")
        if "why" in answer:
            return answer
        seconds = json.loads(account.read_bytes())["cpu_s"]
        lines.append({"how": f"`--tiles {mode}`", "processor_s": seconds, **answer})
    return {"models": models, "lines": lines}


def words(part: Mapping[str, Line]) -> str:
    return "\n".join([_HEAD, _of_stills(part["auair"]), _CLIP_HEAD, _of_clip(part["drone"])])


def _of_stills(line: Line) -> str:
    if "lines" not in line:
        return f"{line['why']}\n"
    base = line["lines"][0]["processor_s"]
    rows = [
        (one["how"], score, *map(_found_of, by.values()), f"{one['processor_s'] / base:.1f}")
        for one in line["lines"]
        for score, by in one["figures"].items()
    ]
    head = ("how", "from score", *line["lines"][0]["figures"][f"{_SCORES[0]:g}"], "processor time")
    people = [f"- {one['how']}: {_hits(one['people'])}\n" for one in line["lines"]]
    tiles, why = line["plan"]["tiles"], line["plan"]["why"]
    plan = f"{tiles['count']} tiles at {tiles['scale']:g} of the picture's size" if tiles else "no tiles"
    parts = (
        table(head, rows),
        f"Chosen: {plan}, as {why}.\n",
        f"People from score {_SCORES[0]:g}, overlap 0.3:\n\n{''.join(people)}",
        _aim(line),
    )
    return "\n".join(parts)


def _found_of(of: Line) -> str:
    """`14 (23.0 %; 14.2–34.9); precision 21.9 %`."""
    precision = "none found" if of["precision"] is None else f"precision {percent(of['precision'])} %"
    return f"{_hits(of)}; {precision}"


def _hits(of: Line) -> str:
    return share(round(of["recall"] * of["boxes"]), of["boxes"])


def _aim(line: Line) -> str:
    """Beside the whole look without tiles, at the same score."""
    said = []
    first, last = (one["figures"][f"{_SCORES[0]:g}"] for one in (line["lines"][0], line["lines"][-1]))
    for name, now in last.items():
        reached = now["recall"] >= AIM and (now["precision"] or 0) >= (first[name]["precision"] or 0)
        said.append(f"{name}: {verdict(reached)}")
    aim = f"Aim, from the score that starts a track: recall of {AIM:g} or more at no less precision than without tiles"
    return f"{aim}. {'; '.join(said)}.\n"


def _of_clip(line: Line) -> str:
    if "lines" not in line:
        return f"{line['why']}\n"
    base = line["lines"][0]["processor_s"]
    rows = [
        (
            one["how"],
            _hits(one["figures"]),
            f"{percent(one['figures']['precision'])} %",
            f"{one['figures']['id_switches']}",
            f"{one['figures']['fragmentations']}",
            f"{one['figures']['idf1']:.3f}",
            f"{one['processor_s'] / base:.2f}",
        )
        for one in line["lines"]
    ]
    return table(
        ("how", "recall", "precision", "identity switches", "fragmentations", "IDF1", "processor time, the whole command"),
        rows,
    )


_HEAD = """## From above

The object model on stills of AU-AIR's drone (20 pictures of 1920 × 1080, 61 vehicles, 11 people), without tiles and with
those that are chosen for them; van, truck, bus and trailer count as vehicles. The labels are loose, often twice as wide as
the car in them, and not every car in the picture has one: a tight box on a car overlaps its label by less than half, and
counts as a miss and as a false one at 0.5. So more is told: the overlap of 0.3, and what the same boxes would reach if they
were made as loose as the labels. Processor time is that of the looks, the first line is 1.
"""

_CLIP_HEAD = """The clip `drone_person12` (201 frames) through `exhibit analyse --labels person`: 720p from a moving drone,
with one person of 90 pixels, whom the whole look sees; left to itself it looks at no tile. What is found beside the person
is, where we looked, the person's own shadow, with tiles and without.
"""

"""The report of `benchmarks.quality` in words and tables; pure arithmetic on what the scorers wrote.

`measured` is `{"about": {...}, "faces": [line], "controls": [line], "plates": {...}, "persons": [line], "aerial": {...},
"knives": {...}, "coco": {...}}`; a part that was not asked for is absent. What has no `figures` has `why` there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import aerial
from benchmarks.quality_faces import beside_controls, faces
from benchmarks.words import percent, share, table, verdict

Line = Mapping[str, Any]
MODELLED = ("name", "task", "sha256", "threshold", "low_threshold", "runtime", "precision")
_CHANGED = " with changes that were not committed"
FLOAT_MAY_LOSE = 0.01
"""mAP50-95 that the model as it runs here may lie below the same weights in float."""


def page(measured: Mapping[str, Any]) -> str:
    parts = [_HEAD, _about(measured["about"]), _models(measured)]
    if "faces" in measured:
        parts.append(faces(measured["faces"]))
    if "controls" in measured:
        shown = measured["about"]["redactors"]
        parts.append(beside_controls(measured.get("faces", []), measured["controls"], shown))
    for name, words in (
        ("plates", _plates),
        ("persons", _persons),
        ("aerial", aerial.words),
        ("knives", _knives),
        ("coco", _coco),
    ):
        if name in measured:
            parts.append(words(measured[name]))
    return "\n".join([*parts, _NOT_COVERED])


def _about(about: Line) -> str:
    state = _CHANGED if about["changed"] else ""
    arguments = f"--seeds {' '.join(map(str, about['seeds']))} --frames {about['frames']}"
    if about["control_seeds"]:
        arguments += f" --control-seeds {' '.join(map(str, about['control_seeds']))}"
    arguments += f" --kinds {' '.join(about['kinds'])} --parts {' '.join(about['parts'])}"
    tried = table(
        ("what was tried", "on", "settings", "listed in"),
        [
            (line["what"], line["files"], str(line["settings"]), f"[{line['where']}]({line['where']})")
            for line in about["tried"]
        ],
    )
    scorers = table(("scorer", "SHA-256"), [(f"`{name}`", f"`{sha}`") for name, sha in about["scorers"].items()])
    return f"""## How it was measured

```
make quality QUALITY="{arguments}"
```

Commit `{about["commit"]}`{state}. For this page nothing was tuned, everything is as shipped; but before, settings were tried
on the files that it reports on. Those figures flatter: other footage and other seeds can be worse.
{_apart(about)}
{tried}
{scorers}"""


def _apart(about: Line) -> str:
    """What was measured after the rest, in a run of its own."""
    lines = [
        f"Measured apart from the rest: {part}, at commit `{of['commit']}`{_CHANGED if of['changed'] else ''}, with\n"
        f'`make quality QUALITY="--add --parts {part}"`.\n'
        for part, of in about.get("apart", {}).items()
    ]
    return "".join(f"\n{line}" for line in lines)


def _models(measured: Mapping[str, Any]) -> str:
    lines = [*measured.get("faces", []), *measured.get("persons", [])]
    lines += [measured[name] for name in ("plates", "knives", "coco") if name in measured]
    lines += list(measured.get("aerial", {}).values())
    seen = {tuple(str(model.get(k, "")) for k in MODELLED): None for line in lines for model in line.get("models", [])}
    head = ("model", "looks for", "SHA-256 of the weights", "threshold", "low threshold", "runs in", "precision")
    rows = [(name, task, f"`{sha}`", *rest) for name, task, sha, *rest in sorted(seen)]
    return f"## What looked\n\n{table(head, rows)}"


def _plates(line: Line) -> str:
    if "figures" not in line:
        return f"{_PLATES}\n{line['why']}\n"
    boxes, masks = line["figures"]["boxes"], line["figures"]["masks"]
    total = boxes["boxes"]
    rows = [
        ("plates in the pictures", f"{total} in {boxes['images']}"),
        ("covered to 90 % or more by one mask", share(round(masks["covered"] * total), total)),
        ("the same by the box alone, without the mask's margin", share(round(boxes["covered"] * total), total)),
        ("share of a picture under masks, plates included", f"{percent(line['hidden'])} % (mean over the pictures)"),
        ("recall (box, overlap 0.5)", share(round(boxes["recall"] * total), total)),
        ("precision (box, overlap 0.5)", _precision(boxes)),
        ("target: every plate covered", verdict(round(masks["covered"] * total) == total)),
    ]
    return f"{_PLATES}\n{table(('figure', 'value (95 % interval)'), rows)}"


def _precision(figures: Line) -> str:
    if figures["precision"] is None:
        return "nothing found"
    return share(round(figures["precision"] * figures["predictions"]), figures["predictions"])


def _persons(lines: Sequence[Line]) -> str:
    return "\n".join([_PERSONS, *map(_of_people, lines)])


def _of_people(line: Line) -> str:
    clip = f"### {line['clip']}\n"
    if "figures" not in line:
        return f"{clip}\n{line['why']}\n"
    of = line["figures"]
    recall, precision = of["recall"] or 0.0, of["precision"] or 0.0
    figures = (
        ("recall", share(round(recall * of["boxes"]), of["boxes"]), "≥ 92 %", recall >= 0.92),
        ("precision", _precision(of), "≥ 92 %", precision >= 0.92),
        ("IDF1", f"{of['idf1']:.3f} (one clip: no interval)", "≥ 0.76", of["idf1"] >= 0.76),
        ("identity switches", f"{of['id_switches']} (one clip: no interval)", "≤ 10", of["id_switches"] <= 10),
    )
    mota = ("MOTA", f"{of['mota']:.3f} (one clip: no interval)")
    if line["clip"] not in _WITH_TARGETS:
        return f"{clip}\n{table(('figure', 'value (95 % interval)'), [figures[0][:2]])}"
    rows = [(name, value, target, verdict(reached)) for name, value, target, reached in figures]
    return f"{clip}\n{table(('figure', 'value (95 % interval)', 'target', ''), [*rows, (*mota, '', '')])}"


def _knives(line: Line) -> str:
    if "figures" not in line:
        return f"{_KNIVES}\n{line['why']}\n"
    rows = []
    for name, of in line["figures"].items():
        hits = round(of["recall"] * of["boxes"])
        false = of["predictions"] - hits
        rows.append(
            (
                f"{of['at_score']:g} ({_KNIFE_SCORES[name]})",
                share(hits, of["boxes"]),
                f"{false} in {of['images']} images: {false / of['images']:.2f} per image",
                f"{100 * of['ap50']:.1f} %",
            )
        )
    return f"{_KNIVES}\n{table(('from score', 'knives found (overlap 0.5)', 'false alarms', 'AP50'), rows)}"


def _coco(line: Line) -> str:
    if "figures" not in line:
        return f"{_COCO}\n{line['why']}\n"
    here, full = line["figures"]["shipped"], line["figures"]["float"]
    ran = {model["runtime"] + " " + model["precision"]: None for model in line["models"]}
    rows = [
        (name, how, f"{of['ap50_95']:.4f}", f"{of['ap50']:.4f}", f"{of['recall']:.3f} at {of['at_score']:g}")
        for (name, of), how in zip((("as it runs here", here), ("the same weights in float", full)), ran, strict=False)
    ]
    lost = full["ap50_95"] - here["ap50_95"]
    target = f"Lost against float: {lost:+.4f} mAP50-95; the target is at most {FLOAT_MAY_LOSE:g}: "
    counted = f"{here['images']} pictures, {here['boxes']} boxes."
    head = ("model", "runs in", "mAP50-95", "mAP50", "recall")
    return f"{_COCO}\n{table(head, rows)}\n{counted} {target}{verdict(lost <= FLOAT_MAY_LOSE)}.\n"


_WITH_TARGETS = {"pets_s2l1_a"}
_KNIFE_SCORES = {"threshold": "starts a track", "low_threshold": "continues one"}

_HEAD = """# Quality: what is left open, and what is hidden too much

Written by `make quality`; don't edit it by hand. It reports the engine as it is, and names each target that it misses.
A share stands with its 95 % Wilson interval in brackets, in per cent. Neighbouring frames are alike, so the true
intervals are wider; a mean over clips has the interval of Student's t. A target counts as reached by the figure itself, not
by the far end of its interval.
"""

_PLATES = """## Plates

The plate model as shipped on still pictures of European cars (`plates_eu`), at the threshold from which a plate starts a
track. *Covered* means that 90 % of the plate's area lies inside one mask: the box with the margin that `redact` paints.
The labels bound the plate tightly (a slanted one is cut off), the model's boxes are larger: so recall at an overlap of 0.5
can be lower than coverage. Still pictures have no track, so nothing here says how steadily a plate is covered in a video.
"""

_PERSONS = """## Persons

`exhibit analyse --labels person`, each frame's boxes matched one to one with the truth at an overlap of 0.5. *IDF1* says
how much of each person has one identity throughout. `pets_s2l1_a` is a calm camera high above ten people. `drone_person12`
is a real drone at 10 frames a second over one person, with a target for none of its figures: its recall is told here, the
rest under *From above*.
"""

_KNIVES = """## Knives

The object model's class *knife* on stills of a person holding one, from a surveillance camera (`knife_cctv`). It is a cue
for whoever watches, never a finding: this is its rate, on stills that all show a knife, so the false alarms are those beside
one; footage without knives isn't here.
"""

_COCO = """## Objects, as they run here and in float

The object model on pictures of COCO's validation set, boxes down to a score of 0.001, averaged by pycocotools. Both runs
share the way in and out; only what computes differs. The pictures are few, so compare the two, not with other tables.
"""

_NOT_COVERED = """## What this doesn't say

- All face clips show one man, indoors, mostly from the front. Other people, skin tones, ages, head coverings, profiles,
  crowds, rain and real night are not in it; the stress clips only imitate shaking, darkness and distance.
- No face has true boxes in footage of a drone or a body-worn camera; plates are stills of near cars.
- Not measured here: head masks of people seen from behind, other frame rates, what the second look finds, and what a person
  who watches the draft would find.
- Few clips and one seed by default: `make quality QUALITY="--seeds 1 2 3 4 5"` makes more. What was measured is kept by the
  content of code, weights, clip and scorer, and isn't measured again while they are the same (`--fresh` does).
"""

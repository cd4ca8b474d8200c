"""The faces of `benchmarks.quality` in words and tables: exhibit clip by clip, and beside the controls kind by kind.

A line has `clip`, `seed`, `by`, and `figures` (the scorer's JSON) or `why` there are none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scipy import stats

from benchmarks.redactors import SOURCE
from benchmarks.words import percent, share, table, verdict

Line = Mapping[str, Any]
SEEDS_OF_THE_TARGET = {1, 2, 3, 4, 5}
_ONLY_SCALED = "picture size"
"""How the scorer's words begin for a copy of another size: it is scaled back, and judged all the same."""


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of a mean over clips (Student's t); None for fewer than two."""
    if len(values) < 2:
        return None
    middle = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (len(values) - 1))
    reach = float(stats.t.ppf(0.975, len(values) - 1)) * deviation / math.sqrt(len(values))
    return (max(0.0, middle - reach), middle + reach)


def pooled(lines: Iterable[Line], *, scaled_too: bool = False) -> dict[str, Any]:
    """All boxes of the clips that were scored and match their source; `unpaired` counts those that don't.

    `scaled_too`: a copy of another picture size counts as well.
    """
    scored = [line["figures"] for line in lines if "figures" in line]
    right = [
        figures
        for figures in scored
        if figures["ok"] or (scaled_too and all(problem.startswith(_ONLY_SCALED) for problem in figures["problems"]))
    ]
    return {
        "clips": len(right),
        "unpaired": len(scored) - len(right),
        "boxes": sum(figures["boxes"] for figures in right),
        "leaked": sum(figures["leaked"]["boxes"] for figures in right),
        "fully": sum(figures["leaked_fully"]["boxes"] for figures in right),
        "holes": sum(figures["leaked"]["single_frame_holes"] for figures in right),
        "run": max((figures["leaked"]["longest_run"] for figures in right), default=0),
        "over": [figures["over_redaction"] for figures in right],
    }


def in_short(line: Line) -> str:
    """One line for whoever waits."""
    name = f"{line['clip']}, seed {line['seed']}" if line["seed"] is not None else line["clip"]
    if "figures" not in line:
        return f"{name}: {line['why']}"
    of = line["figures"]
    leaked, fully = of["leaked"]["boxes"], of["leaked_fully"]["boxes"]
    return f"{name}: {leaked}/{fully} of {of['boxes']} leaked; {percent(of['over_redaction'] or 0)} % too much"


def faces(lines: Sequence[Line]) -> str:
    """The targets, then every kind over all seeds, then every clip."""
    stressed = [line for line in lines if line["clip"] != SOURCE]
    every = pooled(stressed)
    targets = table(("target", "measured", ""), [*_easy_targets(lines), *_stress_targets(stressed, every)])
    head = ("clips", "boxes judged", "leaked", "of them fully", "single-frame holes", "longest run", "over-redaction (mean)")
    kinds = dict.fromkeys(line["clip"] for line in lines)
    rows = [_kind_row(kind, [line for line in lines if line["clip"] == kind]) for kind in kinds]
    if every["clips"]:
        rows.append(_pooled_row("**all stress clips**", every, len(stressed)))
    clips = table(
        ("clip", "seed", "boxes judged", "leaked", "of them fully", "single-frame holes", "longest run", "over-redaction"),
        map(_clip_row, lines),
    )
    return f"{_FACES}\n{targets}\n### Kind by kind\n\n{table(head, rows)}\n### Clip by clip\n\n{clips}"


def beside_controls(lines: Sequence[Line], controls: Sequence[Line], shown: Mapping[str, str]) -> str:
    """What others leave open on the same clips; of exhibit's own, only those clips that they were given too."""
    theirs = {(line["clip"], line["seed"]) for line in controls}
    every = [*(line for line in lines if (line["clip"], line["seed"]) in theirs), *controls]
    by = {name: [line for line in every if line["by"] == name] for name in shown}
    kinds = dict.fromkeys(line["clip"] for line in every)
    rows = [(kind, *(_cell([line for line in some if line["clip"] == kind]) for some in by.values())) for kind in kinds]
    rows.append(
        ("**all stress clips**", *(_cell([line for line in some if line["clip"] != SOURCE]) for some in by.values()))
    )
    said = "".join(f"- *{name}*: {text}\n" for name, text in shown.items())
    seeds = ", ".join(str(seed) for seed in sorted({seed for _, seed in theirs if seed is not None}))
    return f"{_CONTROLS}\n{said}\n{table((f'clips, seeds {seeds}', *by), rows)}"


def _cell(lines: Sequence[Line]) -> str:
    """`4/4 of 100; 1 hole; 1.7 %`, with what is not in it."""
    if not lines:
        return "not measured"
    of = pooled(lines, scaled_too=True)
    missing = len(lines) - of["clips"]
    if not of["clips"]:
        whys = [line.get("why") or "; ".join(line["figures"]["problems"]) for line in lines]
        return f"none of {len(lines)}: {whys[0]}"
    mean = math.fsum(of["over"]) / of["clips"]
    without = f" (without {missing} of {len(lines)} clips)" if missing else ""
    return f"{of['leaked']}/{of['fully']} of {of['boxes']}; {of['holes']} holes; {percent(mean)} %{without}"


def _kind_row(kind: str, lines: Sequence[Line]) -> tuple[str, ...]:
    of = pooled(lines)
    if not of["clips"]:
        return (kind, "not measured", "", "", "", "", "")
    return _pooled_row(kind, of, len(lines))


def _pooled_row(name: str, of: Line, asked: int) -> tuple[str, ...]:
    mean = math.fsum(of["over"]) / of["clips"]
    interval = mean_interval(of["over"])
    reach = f" ({percent(interval[0])}–{percent(interval[1])})" if interval else ""
    without = f", without {asked - of['clips']} of {asked}" if of["clips"] < asked else ""
    counts = (share(of["leaked"], of["boxes"]), share(of["fully"], of["boxes"]), str(of["holes"]), str(of["run"]))
    return (name + without, str(of["boxes"]), *counts, f"{percent(mean)} %{reach}")


def _clip_row(line: Line) -> tuple[str, ...]:
    name, seed = line["clip"], "" if line["seed"] is None else str(line["seed"])
    if "figures" not in line:
        return (name, seed, line["why"], "", "", "", "", "")
    of = line["figures"]
    if not of["ok"]:
        name += f" (**not paired frame for frame: {'; '.join(of['problems'])}**)"
    leaked, fully = of["leaked"], of["leaked_fully"]
    return (
        name,
        seed,
        str(of["boxes"]),
        share(leaked["boxes"], of["boxes"]),
        share(fully["boxes"], of["boxes"]),
        str(leaked["single_frame_holes"]),
        str(leaked["longest_run"]),
        "" if of["over_redaction"] is None else f"{percent(of['over_redaction'])} %",
    )


def _easy_targets(lines: Sequence[Line]) -> list[tuple[str, str, str]]:
    own = pooled(line for line in lines if line["clip"] == SOURCE)
    if not own["boxes"]:
        return [(SOURCE, "not measured", "")]
    leaked, over = own["leaked"] / own["boxes"], own["over"][0]
    return [
        (f"{SOURCE}: none fully leaked", str(own["fully"]), verdict(own["fully"] == 0)),
        (f"{SOURCE}: no single-frame hole", str(own["holes"]), verdict(own["holes"] == 0)),
        (f"{SOURCE}: leaked ≤ 1 %", f"{percent(leaked)} %", verdict(leaked <= 0.01)),
        (f"{SOURCE}: over-redaction ≤ 1 %", f"{percent(over)} %", verdict(over <= 0.01)),
    ]


def _stress_targets(lines: Sequence[Line], every: Line) -> list[tuple[str, str, str]]:
    if not every["boxes"]:
        return [("stress clips", "not measured", "")]
    whole = every["clips"] == len(lines)
    missing = "" if whole else f", {len(lines) - every['clips']} clips not counted"
    all_seeds = {line["seed"] for line in lines} >= SEEDS_OF_THE_TARGET
    fully, mean = every["fully"] / every["boxes"], math.fsum(every["over"]) / every["clips"]

    def judged(within: bool) -> str:
        if whole and within and not all_seeds:
            return "within it on these clips; the target asks for seeds 1 to 5"
        return verdict(whole and within)

    return [
        ("stress clips: fully leaked ≤ 1 %", f"{share(every['fully'], every['boxes'])}{missing}", judged(fully <= 0.01)),
        ("stress clips: no single-frame hole", f"{every['holes']}{missing}", judged(every["holes"] == 0)),
        ("stress clips: over-redaction ≤ 2.5 %", f"{percent(mean)} %{missing}", judged(mean <= 0.025)),
    ]


_FACES = """## Faces

`exhibit redact --what faces` on a clip with exact truth. The scorer decodes source and copy and compares the pixels in
each true box: *leaked* when anything of it can still be made out, *fully* when the whole of it is in view. A
*single-frame hole* is a leaked box whose neighbours in time are hidden; the *longest run* counts leaked frames in a row.
*Over-redaction* is the mean share of the picture that was changed outside the boxes, each grown by half. The true boxes
often bound the whole head. A clip that is not paired frame for frame is in no sum: its leaks mean nothing.

`face_david` is an easy clip of one man walking towards the camera indoors. The others are made from it: a running camera
(shake), faces of 14 to 48 pixels in 1080p (small), noise and a headlight (dark), a face leaving over each side (edge),
bars and hands before it (occlusion), a tilting camera and repeated and missing frames (flips), and cuts between all these.
"""

_CONTROLS = """### Beside others on the same clips

Leaked / fully leaked of boxes judged; single-frame holes; mean over-redaction. A copy with other times or another number of
frames can't be judged and is left out, one of another size is scaled back.
"""

"""The record of `exhibit quality` in words and tables, from what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evidence.figures import wilson

Line = Mapping[str, Any]
_MATERIAL_HEAD = ("clip", "frames", "SHA-256", "truth", "boxes", "identities", "SHA-256 of the truth")
_MODELLED = ("name", "task", "sha256", "threshold", "low_threshold", "runtime", "precision")


def record(told: Mapping[str, Any]) -> str:
    """Markdown. `told`: `about`, and `clips` with a line for each clip and kind."""
    clips: Sequence[Line] = told["clips"]
    parts = [
        _HEAD,
        _about(told["about"]),
        _models(clips),
        f"{_MATERIAL}\n{_table(_MATERIAL_HEAD, map(_material, clips))}",
    ]
    for kind in dict.fromkeys(line["kind"] for line in clips):
        parts.append(_kind(kind, [line for line in clips if line["kind"] == kind]))
    return "\n".join([*parts, _LIMITS, _BY_HAND])


def in_short(line: Line) -> str:
    """One line for whoever waits."""
    hiding, finding = line["hiding"], line["finding"]
    found = f"recall {_share(finding['recall'])}" if finding else "found: not asked"
    if hiding["problems"]:
        return f"{line['clip']} ({line['kind']}): not comparable, {'; '.join(hiding['problems'])}; {found}"
    leaked = f"{hiding['leaked']['count']} leaked, {hiding['leaked_fully']['count']} fully, of {hiding['leaked']['of']}"
    return f"{line['clip']} ({line['kind']}): {leaked}; {_percent(hiding['over_redaction'])} % hidden too much; {found}"


def _about(about: Line) -> str:
    rows = [("measured", about["measured"]), ("exhibit", about["exhibit"])]
    return f"## What was measured\n\n{_table(('', ''), [*rows, *about['runs_on'].items()])}"


def _models(clips: Sequence[Line]) -> str:
    every = [model for line in clips for part in ("hiding", "finding") if line[part] for model in line[part]["models"]]
    seen = dict.fromkeys(tuple(str(model.get(name, "")) for name in _MODELLED) for model in every)
    head = ("model", "looks for", "SHA-256 of the weights", "threshold", "low threshold", "runs in", "precision")
    return f"## What looked\n\n{_table(head, [(name, task, f'`{sha}`', *rest) for name, task, sha, *rest in sorted(seen)])}"


def _material(line: Line) -> tuple[str, ...]:
    truth = line["truth"]
    boxes = f"{truth['boxes']}" + (f" (and {truth['not_judged']} not judged)" if truth["not_judged"] else "")
    return (
        line["clip"],
        str(line["frames"]),
        f"`{line['sha256']}`",
        f"{truth['file']}, frames {truth['frames'][0]} to {truth['frames'][1]}",
        boxes,
        str(truth["identities"]),
        f"`{truth['sha256']}`",
    )


def _kind(kind: str, lines: Sequence[Line]) -> str:
    hidden = _table(
        ("clip", "boxes judged", "leaked", "of them fully", "single-frame holes", "longest run", "over-redaction"),
        [*(_hidden(line) for line in lines), *_all_hidden(lines)],
    )
    by, finder = f"### Hidden by `exhibit redact --what {kind}`", "### Found by `exhibit analyse`"
    told = f"## {kind.capitalize()}\n\n{by}\n\n{hidden}"
    seen = [line for line in lines if line["finding"]]
    if not seen:
        return f"{told}\nNothing to compare with what `exhibit analyse` finds: it has no label for {kind}.\n"
    found = _table(("clip", "recall", "precision", "IDF1"), [*(_found(line) for line in seen), *_all_found(seen)])
    return f"{told}\n{finder}\n\n{found}"


def _hidden(line: Line) -> tuple[str, ...]:
    of = line["hiding"]
    if of["problems"]:
        return (f"{line['clip']} (**not comparable frame for frame: {'; '.join(of['problems'])}**)", *[""] * 6)
    leaked, fully = of["leaked"], of["leaked_fully"]
    return (
        line["clip"],
        str(leaked["of"]) + (f" ({of['too_small']} too small)" if of["too_small"] else ""),
        _share(leaked),
        _share(fully),
        str(leaked["single_frame_holes"]),
        str(leaked["longest_run"]),
        f"{_percent(of['over_redaction'])} %",
    )


def _all_hidden(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    some = [line["hiding"] for line in lines if not line["hiding"]["problems"]]
    if len(lines) < 2 or not some:
        return []
    over = math.fsum(of["over_redaction"] for of in some) / len(some)
    return [
        (
            "**all**" + ("" if len(some) == len(lines) else f", without {len(lines) - len(some)}"),
            str(sum(of["leaked"]["of"] for of in some)),
            _pooled(of["leaked"] for of in some),
            _pooled(of["leaked_fully"] for of in some),
            str(sum(of["leaked"]["single_frame_holes"] for of in some)),
            str(max(of["leaked"]["longest_run"] for of in some)),
            f"{_percent(over)} % (mean over the clips)",
        )
    ]


def _found(line: Line) -> tuple[str, ...]:
    of = line["finding"]
    idf1 = "" if of["idf1"] is None else f"{of['idf1']:.3f}"
    return (line["clip"], _share(of["recall"]), _share(of["precision"]), idf1)


def _all_found(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    if len(lines) < 2:
        return []
    return [("**all**", *(_pooled(line["finding"][name] for line in lines) for name in ("recall", "precision")), "")]


def _pooled(shares: Iterable[Line]) -> str:
    some = list(shares)
    count, of = sum(share["count"] for share in some), sum(share["of"] for share in some)
    return _share({"count": count, "of": of, "rate_95": wilson(count, of)})


def _share(share: Line) -> str:
    if not share["of"]:
        return "none"
    low, high = share["rate_95"]
    return f"{share['count']} ({_percent(share['count'] / share['of'])} %; {_percent(low)}–{_percent(high)})"


def _percent(value: float) -> str:
    return f"{100 * value:.2f}" if 0 < value < 0.001 else f"{100 * value:.1f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


_HEAD = """# Validation record: what redaction leaves open, and what is found

Made by `exhibit quality` on labelled clips, with the settings and models of the installation named below. Together with
quality.json it is the measured part of a validation record: what was tested, on which material, with which software and
models, with which result and how sure it is. Whether the result is fit for a purpose is for those who sign below.

A count stands with its share and its 95 % Wilson interval in brackets, in per cent. Neighbouring frames are alike, so the
true intervals are wider.
"""

_MATERIAL = """## The material

Frames count from 1, every decoded frame once. Boxes with the score 0 are not judged: they count neither way.
"""

_LIMITS = """## What the figures mean

- *leaked*: in the decoded copy something of the true box can still be made out beside the source: its pattern, its details,
  or a part that was left as it was. *fully*: the whole of it is in view. The middle 80 % of a box is compared, and nothing
  of one that is under 4 pixels a side.
- *single-frame holes*: leaked boxes whose neighbours in time are hidden. *longest run*: leaked frames of one identity in
  a row.
- *over-redaction*: the mean share of the picture that was changed outside the true boxes, each grown by half. Frames on
  which nothing is labelled count: everything that is hidden there is too much.
- *recall*, *precision*: boxes paired one to one on each frame at an overlap of 0.5 or more. *IDF1*: how much of each person
  or thing has one identity throughout.

They hold for this material. They say nothing of footage that differs from it in light, weather, camera, distance or people,
and nothing of what a person who watches the draft would still find.
"""

_BY_HAND = """## To be filled in by hand

| | |
| --- | --- |
| purpose, and what is acceptable for it | |
| who labelled the clips, by which rule, checked by whom | |
| how the clips were chosen, and whether any setting was tuned on them | |
| what they don't cover | |
| decision: fit for the purpose, with which limits | |
| name, role, date | |
"""

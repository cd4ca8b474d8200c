"""The page's parts on a ten times longer file, on segments side by side, and on how alike a copy looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

GROWN_CPU, GROWN_MEMORY, MOST_MEMORY = 0.05, 0.10, 600e6
"""How much more a frame, and memory, of a ten times longer file may cost; and bytes that it may need."""
FULL_S = 60
SPREAD_CPU, SEGMENTS, SEGMENT_S, RATE = 0.05, 4, 60, 30
"""How much more four segments of a minute, each in a process of its own, may cost than one process for all."""


def growth(told: Mapping[str, Any]) -> Iterator[str]:
    short, one, ten = told["runs"]
    scaled = "" if told["length_s"] >= FULL_S else f" (scaled down: `make bench GROWTH={FULL_S}` takes one and ten minutes)"
    yield from ["", "## A ten times longer file", ""]
    yield f"`exhibit redact --what faces` of {told['clip']} in a loop, each length once{scaled}."
    yield from ["", "| | frames | wall s | processor s | peak MB |", "|---|---|---|---|---|"]
    for run in (short, one, ten):
        figures = (f"{run['frames']}", f"{run['wall_s']:.1f}", f"{run['cpu_s']:.1f}", f"{run['peak_bytes'] / 1e6:.0f}")
        yield f"| {run['seconds']:.1f} s | {' | '.join(figures)} |"
    yield from ["", "| goal | measured | |", "|---|---|---|"]
    before, after = _cpu_ms(short, one), _cpu_ms(one, ten)
    more = after / before - 1 if before > 0 else float("inf")
    peak, memory = ten["peak_bytes"], ten["peak_bytes"] / one["peak_bytes"] - 1
    yield (
        f"| a frame costs at most {GROWN_CPU:.0%} more | {before:.1f} ms up to {one['seconds']:.0f} s, {after:.1f} ms from "
        f"there on: {more:+.1%} | {_verdict(after <= before * (1 + GROWN_CPU))} |"
    )
    within = peak <= one["peak_bytes"] * (1 + GROWN_MEMORY)
    yield f"| memory at most {GROWN_MEMORY:.0%} more | {memory:+.1%} | {_verdict(within)} |"
    yield f"| at most {MOST_MEMORY / 1e6:.0f} MB | {peak / 1e6:.0f} MB | {_verdict(peak <= MOST_MEMORY)} |"


def _cpu_ms(shorter: Mapping[str, Any], longer: Mapping[str, Any]) -> float:
    more: float = 1000 * (longer["cpu_s"] - shorter["cpu_s"]) / (longer["frames"] - shorter["frames"])
    return more


def spread(told: Mapping[str, Any]) -> Iterator[str]:
    long, short = told["runs"]
    yield from ["", "## Four segments on four processes", ""]
    yield (
        f"{told['clip']} in a loop, key frames every half second, {long['frames']} and {short['frames']} frames, each once, "
        "faces only. A frame costs what the long piece takes more, by the frames that it has more; the rest is the start of "
        f"the processes. The last column is what follows for {SEGMENTS} segments of {SEGMENT_S} s, as a server cuts them."
    )
    yield from ["", f"| processor time | ms a frame | start s | s for {SEGMENTS} × {SEGMENT_S} s |", "|---|---|---|---|"]
    whole: dict[str, float] = {}
    for name, stages in _SPREAD_ROWS.items():
        ended, began = (sum(run["cpu_s"][stage] for stage in stages) for run in (long, short))
        frame_s = (ended - began) / (long["frames"] - short["frames"])
        start_s = ended - frame_s * long["frames"]
        whole[name] = start_s + frame_s * SEGMENTS * SEGMENT_S * RATE
        yield f"| {name} | {1000 * frame_s:.1f} | {start_s:.1f} | {whole[name]:.0f} |"
    yield from ["", "| goal | measured | |", "|---|---|---|"]
    for what, four, one in _SPREAD_GOALS:
        more = whole[four] / whole[one] - 1
        yield f"| {what} costs at most {SPREAD_CPU:.0%} more on four | {more:+.1%} | {_verdict(more <= SPREAD_CPU)} |"


_SPREAD_ROWS = {
    "looking, one process": ("look",),
    "looking, four at once": ("look in four",),
    "all of it, one pass in one process": ("one pass",),
    "all of it, four at once, then tracks and copy": ("look in four", "track", "redact"),
}
_SPREAD_GOALS = (
    ("looking", "looking, four at once", "looking, one process"),
    ("all of it", "all of it, four at once, then tracks and copy", "all of it, one pass in one process"),
)


def alike(told: Mapping[str, Any]) -> Iterator[str]:
    vmaf = "is there, but not used here" if told["vmaf_is_there"] else "isn't in the FFmpeg that is installed"
    yield from ["", "## Does the copy look the same?", ""]
    yield (
        f"SSIM of the luma of {told['clip']} and its copy, outside what was changed on purpose and a window's reach around "
        f"it (`benchmarks/similar.py`); 1 is the same. VMAF {vmaf}."
    )
    yield from [
        "",
        "| | frames | SSIM, mean | worst frame | left out | size of the file, source = 1 |",
        "|---|---|---|---|---|---|",
    ]
    for name in ("redact", "plain"):
        of = told[name]
        size = of["copy_bytes"] / of["source_bytes"]
        yield f"| {name} | {of['frames']} | {of['ssim']:.4f} | {of['worst']:.4f} | {of['left_out']:.1%} | {size:.2f} |"


def _verdict(reached: bool) -> str:
    return "reached" if reached else "**not reached**"

"""The validation record in words: sums, what isn't comparable, and a kind that analysis has no label for."""

from __future__ import annotations

from typing import Any

from cli.quality_record import in_short, record
from evidence.figures import share

ABOUT = {"exhibit": "0.1.0", "measured": "2026-11-24 12:00 UTC", "runs_on": {"openvino": "2026.4"}}


def line(clip: str, leaked: int, of: int, *, kind: str = "faces", over: float = 0.01) -> dict[str, Any]:
    return {
        "clip": clip,
        "sha256": "ab" * 32,
        "frames": 100,
        "kind": kind,
        "truth": {
            "file": f"{clip}.mot.txt",
            "sha256": "cd" * 32,
            "boxes": of,
            "not_judged": 2,
            "identities": 1,
            "frames": [1, 9],
        },
        "hiding": {
            "models": [{"name": "centerface", "sha256": "ef" * 32}],
            "problems": [],
            "leaked": {**share(leaked, of), "single_frame_holes": 1, "longest_run": leaked},
            "leaked_fully": share(0, of),
            "too_small": 0,
            "over_redaction": over,
        },
        "finding": {"models": [], "recall": share(9, 10), "precision": share(9, 18), "idf1": 0.5},
    }


def row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {start}"))


def test_clips_are_added_up_box_by_box_and_over_redaction_clip_by_clip() -> None:
    text = record({"about": ABOUT, "clips": [line("a.mp4", 1, 10), line("b.mp4", 3, 190, over=0.03)]})
    assert row(text, "**all**").startswith("| **all** | 200 | 4 (2.0 %; 0.8–5.0) | 0 (0.0 %; 0.0–1.9) | 2 | 3 | 2.0 % (mean")
    assert "| **all** | 18 (90.0 %;" in text
    assert "`" + "ef" * 32 + "`" in row(text, "centerface")
    assert "10 (and 2 not judged)" in row(text, "a.mp4 | 100")


def test_what_is_not_comparable_is_in_no_sum() -> None:
    bad = line("b.mp4", 0, 10)
    bad["hiding"] = {"models": [], "problems": ["100 frames became 99"]}
    text = record({"about": ABOUT, "clips": [line("a.mp4", 1, 10), bad]})
    assert "not comparable frame for frame: 100 frames became 99" in text
    assert row(text, "**all**").startswith("| **all**, without 1 | 10 | 1 (10.0 %;")
    assert "100 frames became 99" in in_short(bad)


def test_heads_are_judged_by_what_is_hidden_alone() -> None:
    heads = {**line("a.mp4", 1, 10, kind="heads"), "finding": None}
    text = record({"about": ABOUT, "clips": [heads]})
    assert "## Heads" in text
    assert "no label for heads" in text
    assert "recall |" not in text
    assert "1 leaked" in in_short(heads)

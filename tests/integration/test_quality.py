"""The quality report: its arithmetic on scores as a scorer writes them, and one short real measurement."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import quality
from benchmarks.quality_page import in_short, mean_interval, page, pooled, wilson
from config.models import catalogue
from config.settings import load

HAS_FOOTAGE = all(os.environ.get(name) for name in ("EXHIBIT_EVAL", "EXHIBIT_TEST_DATA"))
SHA = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
ABOUT = {"commit": "abc", "changed": "", "seeds": [1], "frames": 100, "kinds": ["shake"], "parts": ["faces"], "scorers": {}}


def face_line(clip: str, boxes: int, leaked: int, fully: int, *, holes: int = 0, over: float = 0.01, ok: bool = True) -> Any:
    def counted(count: int) -> dict[str, Any]:
        return {"boxes": count, "single_frame_holes": holes, "longest_run": count}

    figures = {"ok": ok, "problems": [] if ok else ["99 frames became 98"], "boxes": boxes, "over_redaction": over}
    model = {"name": "centerface", "task": "faces", "sha256": SHA, "threshold": 0.25}
    seed = None if clip == "face_david" else 1
    return {
        "clip": clip,
        "seed": seed,
        "models": [model],
        "figures": {**figures, "leaked": counted(leaked), "leaked_fully": counted(fully)},
    }


def row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {start}"))


def test_intervals_are_the_textbooks() -> None:
    # Wilson, 5 of 20: 0.1119 to 0.4687; Student's t for 1, 2, 3: 2 ± 2.484.
    assert wilson(5, 20) == pytest.approx((0.1119, 0.4687), abs=1e-4)
    assert wilson(0, 471) == pytest.approx((0.0, 0.0081), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert mean_interval([0.01, 0.02, 0.03]) == pytest.approx((0.0, 0.04484), abs=1e-4)
    assert mean_interval([0.01]) is None


def test_a_clip_that_is_not_paired_or_not_scored_is_in_no_sum_and_reaches_no_target() -> None:
    lines = [
        face_line("shake", 100, 3, 1, holes=1, over=0.02),
        face_line("dark", 300, 0, 0, over=0.01),
        face_line("flips", 50, 0, 0, ok=False),
        {"clip": "cut", "seed": 1, "why": "not redacted: it fell over"},
    ]
    every = pooled(lines)
    assert (every["clips"], every["unpaired"], every["boxes"]) == (2, 1, 400)
    assert (every["leaked"], every["fully"], every["holes"]) == (3, 1, 1)
    text = page({"about": ABOUT, "faces": lines})
    assert "3 (0.8 %" in row(text, "**all stress clips**")
    assert "99 frames became 98" in row(text, "flips")
    assert "it fell over" in row(text, "cut")
    assert "2 clips not counted" in row(text, "stress clips: fully leaked")
    assert "**not reached**" in row(text, "stress clips: fully leaked")
    assert "not measured" in row(text, "face_david")
    assert in_short(lines[3]) == "cut, seed 1: not redacted: it fell over"


def test_targets_are_reached_exactly_at_their_limits() -> None:
    text = page({"about": ABOUT, "faces": [face_line("face_david", 500, 5, 0, over=0.01), face_line("dark", 100, 1, 1)]})
    assert row(text, "face_david: leaked").endswith("| reached |")
    assert row(text, "face_david: over-redaction").endswith("| reached |")
    assert row(text, "stress clips: fully leaked").endswith("| within it on these clips; the target asks for seeds 1 to 5 |")
    lines = [{**face_line("dark", 100, 1, 1), "seed": seed} for seed in range(1, 6)]
    assert row(page({"about": ABOUT, "faces": lines}), "stress clips: fully leaked").endswith("| reached |")
    assert f"`{SHA}`" in row(text, "centerface")
    worse = page({"about": ABOUT, "faces": [face_line("face_david", 500, 6, 1, over=0.011), face_line("dark", 100, 2, 2)]})
    assert worse.count("**not reached**") == 4


def test_plates_and_persons_say_their_figures_or_why_there_are_none() -> None:
    boxes = {"images": 60, "boxes": 60, "predictions": 50, "recall": 0.8, "precision": 0.96, "covered": 0.5}
    persons = {
        "boxes": 1000,
        "predictions": 900,
        "recall": 0.9,
        "precision": 1.0,
        "idf1": 0.8,
        "id_switches": 11,
        "mota": 0.9,
    }
    text = page(
        {
            "about": ABOUT,
            "plates": {"models": [{"hidden": 0.04}], "boxes": boxes, "masks": {**boxes, "covered": 0.95}},
            "persons": {"figures": persons},
        }
    )
    assert "57 (95.0 %" in row(text, "covered to 90 %")
    assert "30 (50.0 %" in row(text, "the same by the box alone")
    assert "4.0 %" in row(text, "share of a picture under masks")
    assert row(text, "target: every plate").endswith("**not reached** |")
    assert row(text, "recall | 900").endswith("**not reached** |")
    assert row(text, "IDF1").endswith("| reached |")
    assert row(text, "identity switches").endswith("**not reached** |")
    without = page(
        {"about": ABOUT, "plates": {"why": "not analysed: no weights"}, "persons": {"why": "not scored: no module"}}
    )
    assert "not analysed: no weights" in without
    assert "not scored: no module" in without


@pytest.mark.skipif(
    not HAS_FOOTAGE, reason="the scorers or the footage are not there: set EXHIBIT_EVAL and EXHIBIT_TEST_DATA"
)
def test_a_short_clip_is_made_redacted_and_scored_from_outside(tmp_path: Path) -> None:
    with quality.desk_at(tmp_path / "cache", sys.executable) as desk:
        clip = quality.stress_clip(desk, "shake", seed=1, frames=12, width=320)
        made = clip.stat().st_mtime_ns
        assert quality.stress_clip(desk, "shake", seed=1, frames=12, width=320).stat().st_mtime_ns == made
        line = quality.faces(desk, clip, "shake", 1)
    assert line["figures"]["ok"], line
    assert line["figures"]["frames_source"] == 12
    assert line["figures"]["boxes"] == 12
    first = load(environ={}).face_models[0]
    assert [model["sha256"] for model in line["models"]] == [catalogue()[first].sha256]
    assert not list((tmp_path / "cache").glob("run-*"))
    assert "boxes judged" in page({"about": ABOUT, "faces": [line]})

"""The quality report: its arithmetic on scores as a scorer writes them, and one short real measurement."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import redactors
from benchmarks.desk import desk_at, stress_clip
from benchmarks.kept import Kept
from benchmarks.quality import added
from benchmarks.quality_faces import in_short, mean_interval, pooled
from benchmarks.quality_page import page
from config.models import catalogue
from config.settings import load

HAS_FOOTAGE = all(os.environ.get(name) for name in ("EXHIBIT_EVAL", "EXHIBIT_TEST_DATA"))
SHA = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
ABOUT = {
    "commit": "abc",
    "changed": "",
    "seeds": [1],
    "control_seeds": None,
    "frames": 100,
    "kinds": ["shake"],
    "parts": ["faces"],
    "redactors": {"exhibit": "`exhibit redact`", "deface": "deface 1.5.0"},
    "tried": [{"what": "thresholds", "files": "face_david", "settings": 9, "where": "adr/0006-inference-on-a-processor.md"}],
    "scorers": {},
}


def face_line(clip: str, boxes: int, leaked: int, fully: int, *, holes: int = 0, over: float = 0.01, ok: bool = True) -> Any:
    def counted(count: int) -> dict[str, Any]:
        return {"boxes": count, "single_frame_holes": holes, "longest_run": count}

    figures = {"ok": ok, "problems": [] if ok else ["99 frames became 98"], "boxes": boxes, "over_redaction": over}
    model = {"name": "centerface", "task": "faces", "sha256": SHA, "threshold": 0.25}
    seed = None if clip == "face_david" else 1
    return {
        "clip": clip,
        "seed": seed,
        "by": "exhibit",
        "models": [model],
        "figures": {**figures, "leaked": counted(leaked), "leaked_fully": counted(fully)},
    }


def row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {start}"))


def test_a_means_interval_is_the_textbooks() -> None:
    # Student's t for 1, 2, 3: 2 ± 2.484.
    assert mean_interval([0.01, 0.02, 0.03]) == pytest.approx((0.0, 0.04484), abs=1e-4)
    assert mean_interval([0.01]) is None


def test_a_clip_that_is_not_paired_or_not_scored_is_in_no_sum_and_reaches_no_target() -> None:
    lines = [
        face_line("shake", 100, 3, 1, holes=1, over=0.02),
        face_line("dark", 300, 0, 0, over=0.01),
        face_line("flips", 50, 0, 0, ok=False),
        {"clip": "cut", "seed": 1, "by": "exhibit", "why": "not redacted: it fell over"},
    ]
    every = pooled(lines)
    assert (every["clips"], every["unpaired"], every["boxes"]) == (2, 1, 400)
    assert (every["leaked"], every["fully"], every["holes"]) == (3, 1, 1)
    text = page({"about": ABOUT, "faces": lines})
    assert "3 (0.8 %" in row(text, "**all stress clips**")
    by_clip = text.partition("### Clip by clip")[2]
    assert "99 frames became 98" in row(by_clip, "flips")
    assert "it fell over" in row(by_clip, "cut")
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
            "plates": {"hidden": 0.04, "figures": {"boxes": boxes, "masks": {**boxes, "covered": 0.95}}},
            "persons": [{"clip": "pets_s2l1_a", "figures": persons}, {"clip": "drone", "figures": persons}],
        }
    )
    assert "57 (95.0 %" in row(text, "covered to 90 %")
    assert "30 (50.0 %" in row(text, "the same by the box alone")
    assert "4.0 %" in row(text, "share of a picture under masks")
    assert row(text, "target: every plate").endswith("**not reached** |")
    assert row(text, "recall | 900").endswith("**not reached** |")
    assert row(text, "IDF1").endswith("| reached |")
    assert row(text, "identity switches").endswith("**not reached** |")
    drone = text.partition("### drone")[2].partition("##")[0]
    assert "recall | 900 (90.0 %" in drone
    assert "precision" not in drone, "not everybody is labelled there, nor on every frame"
    assert "target" not in drone
    none = {name: {"why": f"{name}: no weights"} for name in ("plates", "knives", "coco")}
    without = page({"about": ABOUT, "persons": [{"clip": "drone", "why": "not scored: no module"}], **none})
    for why in ("plates: no weights", "knives: no weights", "coco: no weights", "not scored: no module"):
        assert why in without


def test_tiles_stand_beside_the_whole_look_with_what_they_cost_and_whether_the_aim_is_reached() -> None:
    def of(recall: float, precision: float | None) -> dict[str, Any]:
        return {"boxes": 60, "predictions": 50, "recall": recall, "precision": precision}

    def line(how: str, seconds: float, *figures: dict[str, Any]) -> dict[str, Any]:
        by = dict(zip(("overlap 0.5", "overlap 0.3"), figures, strict=True))
        return {"how": how, "processor_s": seconds, "figures": {"0.35": by}, "people": {**of(0.5, 0.5), "boxes": 10}}

    auair = {
        "plan": {"tiles": {"count": 6, "scale": 0.6667, "side": 640}, "why": "tiles show more", "measured": {}},
        "lines": [line("whole", 0.02, of(0.2, 0.5), of(0.3, 0.6)), line("tiles", 0.1, of(0.5, 0.4), of(0.45, 0.6))],
    }
    track = {"boxes": 200, "recall": 0.95, "precision": 0.66, "idf1": 0.7, "id_switches": 3, "fragmentations": 6}
    clips = [{"how": "off", "processor_s": 4.0, "figures": track}, {"how": "640", "processor_s": 6.0, "figures": track}]
    text = page({"about": ABOUT, "aerial": {"auair": auair, "drone": {"lines": clips}}})
    assert "30 (50.0 %" in row(text, "tiles | 0.35")
    assert row(text, "tiles | 0.35").endswith("| 5.0 |")
    assert "6 tiles at 0.6667 of the picture's size, as tiles show more" in text
    assert "overlap 0.5: **not reached**; overlap 0.3: reached" in text, "more found, but at less precision"
    assert row(text, "640 |").endswith("| 1.50 |")
    none = page({"about": ABOUT, "aerial": {"auair": {"why": "no weights"}, "drone": {"why": "not scored"}}})
    assert "no weights" in none
    assert "not scored" in none


def test_what_is_measured_apart_is_added_and_said_with_its_commit() -> None:
    last = {"about": ABOUT, "plates": {"why": "no plates"}, "knives": {"why": "no knives"}}
    now = {"about": {**ABOUT, "commit": "def", "changed": "M x", "parts": ["knives"]}, "knives": {"why": "still none"}}
    text = page(added(added(last, now), {**now, "about": {**now["about"], "parts": ["coco"]}, "coco": {"why": "no coco"}}))
    assert "no plates" in text
    assert "no knives" not in text
    assert "still none" in text
    assert "Commit `abc`." in text
    for part in ("knives", "coco"):
        assert f"apart from the rest: {part}, at commit `def` with changes that were not committed" in text
    assert "apart" not in page(last)


def test_controls_stand_beside_exhibit_and_a_copy_of_another_size_counts_there() -> None:
    def by_deface(line: dict[str, Any], problems: list[str]) -> dict[str, Any]:
        return {**line, "by": "deface", "figures": {**line["figures"], "ok": not problems, "problems": problems}}

    lines = [face_line("face_david", 471, 1, 0), face_line("shake", 100, 0, 0), face_line("dark", 100, 2, 1)]
    controls = [
        by_deface(face_line("shake", 100, 4, 3, over=0.02), ["picture size 1920x1080 became 1920x1088"]),
        by_deface(face_line("dark", 90, 9, 9), ["100 frames became 98"]),
    ]
    text = page({"about": ABOUT, "faces": lines, "controls": controls})
    beside = text.partition("### Beside others")[2]
    assert row(beside, "shake") == "| shake | 0/0 of 100; 0 holes; 1.0 % | 4/3 of 100; 0 holes; 2.0 % |"
    assert "100 frames became 98" in row(beside, "dark")
    assert "face_david" not in beside.partition("## ")[0], "what the controls were not given isn't compared"
    assert "4/3 of 100; 0 holes; 2.0 % (without 1 of 2 clips)" in row(beside, "**all stress clips**")
    assert "- *deface*: deface 1.5.0" in beside


def test_knives_and_coco_say_false_alarms_and_what_is_lost_against_float() -> None:
    knife = {"at_score": 0.35, "recall": 0.05, "boxes": 80, "predictions": 43, "images": 78, "ap50": 0.06}
    full = {"ap50_95": 0.48, "ap50": 0.67, "recall": 0.48, "at_score": 0.35, "images": 79, "boxes": 538}
    models = [{"runtime": "openvino", "precision": "int8"}, {"runtime": "torch cpu", "precision": "float32"}]

    def told(here: float) -> str:
        coco = {"models": models, "figures": {"shipped": {**full, "ap50_95": here}, "float": full}}
        return page({"about": ABOUT, "knives": {"figures": {"threshold": knife}}, "coco": coco})

    assert "39 in 78 images: 0.50 per image" in row(told(0.48), "0.35 (starts a track)")
    assert "+0.0090 mAP50-95; the target is at most 0.01: reached" in told(0.471)
    assert "+0.0110 mAP50-95; the target is at most 0.01: **not reached**" in told(0.469)
    assert "openvino int8" in row(told(0.48), "as it runs here")


def test_what_was_measured_is_kept_until_something_that_it_depends_on_changes(tmp_path: Path) -> None:
    asked: list[str] = []

    def measured(answer: dict[str, Any]) -> Any:
        def measure() -> dict[str, Any]:
            asked.append("")
            return answer

        return measure

    kept = Kept(tmp_path / "lines")
    assert kept.get({"code": "1", "clip": "a"}, measured({"figures": 1})) == {"figures": 1}
    assert kept.get({"clip": "a", "code": "1"}, measured({"figures": 2})) == {"figures": 1}
    assert len(asked) == 1
    assert kept.get({"clip": "a", "code": "2"}, measured({"why": "it fell over"})) == {"why": "it fell over"}
    assert kept.get({"clip": "a", "code": "2"}, measured({"figures": 3})) == {"figures": 3}, "a failure isn't kept"
    assert Kept(tmp_path / "lines", fresh=True).get({"clip": "a", "code": "1"}, measured({"figures": 4})) == {"figures": 4}
    assert kept.get({"clip": "a", "code": "1"}, measured({"figures": 5})) == {"figures": 4}


@pytest.mark.skipif(
    not HAS_FOOTAGE, reason="the scorers or the footage are not there: set EXHIBIT_EVAL and EXHIBIT_TEST_DATA"
)
def test_a_short_clip_is_made_redacted_and_scored_from_outside(tmp_path: Path) -> None:
    with desk_at(tmp_path / "cache", sys.executable) as desk:
        clip = stress_clip(desk, "shake", seed=1, frames=12, width=320)
        made = clip.stat().st_mtime_ns
        assert stress_clip(desk, "shake", seed=1, frames=12, width=320).stat().st_mtime_ns == made
        by = redactors.exhibit(desk)
        line = redactors.hidden(desk, by, clip, "shake", 1)
        assert "figures" in line, line
        assert redactors.hidden(desk, replace(by, redact=None), clip, "shake", 1) == line, "not redacted twice"  # type: ignore[arg-type]
        controls = [redactors.hidden(desk, control, clip, "shake", 1) for control in redactors.controls(desk)]
    assert line["figures"]["ok"], line
    assert line["figures"]["frames_source"] == 12
    assert line["figures"]["boxes"] == 12
    first = load(environ={}).face_models[0]
    assert [model["sha256"] for model in line["models"]] == [catalogue()[first].sha256]
    assert controls[0]["by"] == "deface"
    for control in controls:
        assert control["figures"]["frames_redacted"] == 12, control
    assert not list((tmp_path / "cache").glob("run-*"))
    assert "boxes judged" in page({"about": ABOUT, "faces": [line], "controls": controls})

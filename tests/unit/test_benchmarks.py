"""The arithmetic of the benchmark and its page, on costs that were made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks import fifth, longer
from benchmarks.contest import Contest, Spread, Turn
from benchmarks.measure import Cost
from benchmarks.report import page
from benchmarks.similar import outside_masks

MB = 1_000_000


def turn(start_s: float, wall_s: float, cpu_s: float, *, frames: int = 100, others: float = 0.0) -> Turn:
    """A command that starts in `start_s` and then takes as long for every frame."""

    def of(n: int) -> Cost:
        return Cost(start_s + n * wall_s, start_s + n * cpu_s, 100 * MB + n, others)

    return Turn(of(frames), of(frames // 4), frames, frames // 4)


@pytest.fixture
def contest() -> Contest:
    made = Contest("street.mp4", (1920, 1080), 25.0, sound=False)
    made.turns = {
        "plain": [turn(0.1, 0.02, 0.03), turn(0.1, 0.04, 0.03), turn(0.1, 0.02, 0.03)],
        "redact": [turn(2.0, 0.04, 0.06), turn(2.0, 0.12, 0.06), turn(2.0, 0.08, 0.06)],
        "naive": [turn(5.0, 0.4, 0.9)] * 3,
    }
    made.shown = {name: f"{name} CLIP OUT" for name in [*made.turns, "deface"]}
    made.seconds = dict.fromkeys([*made.shown, "second look", "no smart"], 4.0)
    made.first_s = dict.fromkeys(made.seconds, 9.0)
    made.failed = {"deface": "ended with 1"}
    return made


def told(contest: Contest, **changed: Any) -> dict[str, Any]:
    profile = {
        "clip": "street.mp4",
        "frames": 100,
        "part_frames": 60,
        "stages": {"detect": {"wall_s": 3.0, "cpu_s": 6.0}, "redact": {"wall_s": 2.0, "cpu_s": 2.0}},
        "inside_s": {"decode": 1.5, "encode": 2.25},
        "parts_cpu_ms": {"decode": 3.0, "find faces": 45.0, "convert and encode (x264)": 18.5},
    }
    whole = {
        "command": "make bench LENGTH=4 REPEATS=3",
        "date": "24 November 2026, 09:00 UTC",
        "length_s": 4.0,
        "repeats": 3,
        "machine": {"processor": "one that thinks"},
        "contests": [contest.to_json()],
        "profile": profile,
    }
    return {**whole, **changed}


def test_the_steady_rate_and_the_start_are_told_apart() -> None:
    one = turn(2.0, 0.04, 0.06)
    assert (one.wall_s_a_frame, one.cpu_s_a_frame, one.start_s) == pytest.approx((0.04, 0.06, 2.0))
    assert one.tells
    assert one.peak_bytes == 100 * MB + 100


def test_a_spread_is_least_median_and_most() -> None:
    assert Spread.of([3.0, 1.0, 7.0, 5.0]) == Spread(1.0, 4.0, 7.0)
    with pytest.raises(ValueError, match="no values"):
        Spread.of([])


def test_ratios_are_taken_within_a_repeat(contest: Contest) -> None:
    wall, cpu = contest.ratio("redact", "plain"), contest.ratio("redact", "plain", cpu=True)
    assert wall
    assert cpu
    assert (wall.least, wall.median, wall.most) == pytest.approx((2.0, 3.0, 4.0))
    assert (cpu.least, cpu.median, cpu.most) == pytest.approx((2.0, 2.0, 2.0))
    assert contest.ratio("deface", "redact") is None


def test_what_the_noise_swallowed_gives_no_ratio(contest: Contest) -> None:
    slower_when_short = Turn(Cost(1.0, 1.0, 1, 0), Cost(1.2, 1.1, 1, 0), 100, 25)
    assert not slower_when_short.tells
    contest.turns["plain"][1] = slower_when_short
    assert contest.ratio("redact", "plain") is None
    assert "redact ÷ plain | the pieces were too short to tell" in page(told(contest))


def test_the_page_says_what_was_reached_what_not_and_what_failed(contest: Contest) -> None:
    text = page(told(contest))
    assert "| redact ÷ plain | 2.00 / **3.00** / 4.00 | 2.00 / **2.00** / 2.00 | ≤ 1.25 | **not reached** |" in text
    assert "| naive ÷ redact | 3.33 / **5.00** / 10.00 | 15.00 / **15.00** / 15.00 | ≥ 5 | reached |" in text
    assert "| deface ÷ redact | deface failed | | | |" in text
    assert "| redact | 4.0 s | 40.0 / **80.0** / 120.0 | 60.0 / **60.0** / 60.0 | 0.50 |" in text
    assert "| detect | 3.0 | 6.0 | 75% |" in text
    assert "decoding once and encoding once, is 21.5 ms" in text
    assert "tells: decode 1.5 s, encode 2.2 s." in text
    assert "short form" in text
    assert "Other programs were busy" not in text


def test_the_page_warns_of_a_busy_machine_and_not_of_a_long_run(contest: Contest) -> None:
    contest.turns["plain"][0] = turn(0.1, 0.02, 0.03, others=0.4)
    text = page(told(contest, length_s=60.0))
    assert "with up to 40% of all cores" in text
    assert "short form" not in text


def test_figures_that_were_kept_are_the_same_figures(contest: Contest) -> None:
    assert Contest.from_json(contest.to_json()) == contest


def test_a_second_look_is_told_as_what_it_adds_and_heads_beside_it(contest: Contest) -> None:
    contest.turns["second look"] = [turn(2.0, wall, 0.069) for wall in (0.05, 0.13, 0.09)]
    text = page(told(contest))
    assert (
        "| (second look − redact) ÷ plain | 0.25 / **0.50** / 0.50 | 0.30 / **0.30** / 0.30 | ≤ 0.4 | **not reached** |"
        in text
    )
    assert "| heads ÷ plain | heads was not measured | | | |" in text
    assert "| redact, start-up in s | 2.0 / **2.0** / 2.0 | | ≤ 2.5 | reached |" in text


def test_smart_rendering_has_its_goal_on_its_own_clip_only(contest: Contest) -> None:
    contest.turns["no smart"] = contest.turns["redact"]
    assert "≤ 0.6" not in page(told(contest))
    contest.clip = fifth.NAME
    text = page(told(contest))
    assert (
        f"| {fifth.NAME} | redact ÷ plain | 2.00 / **3.00** / 4.00 | 2.00 / **2.00** / 2.00 | ≤ 0.6 | **not reached** |"
        in text
    )
    assert "deface ÷ redact" not in text


def grown(ten_cpu_s: float, ten_bytes: int) -> dict[str, Any]:
    runs = [(0.5, 10, 3.0, 200 * MB), (2.0, 40, 6.0, 400 * MB), (20.0, 400, ten_cpu_s, ten_bytes)]
    names = ("seconds", "frames", "cpu_s", "peak_bytes")
    return {
        "clip": "street.mp4",
        "length_s": 2.0,
        "runs": [{**dict(zip(names, run, strict=True)), "wall_s": 1.0, "others": 0.0} for run in runs],
    }


def test_a_longer_file_is_compared_without_the_start() -> None:
    text = "\n".join(longer.growth(grown(42.0, 440 * MB)))
    assert "100.0 ms up to 2 s, 100.0 ms from there on: +0.0% | reached |" in text
    assert "| memory at most 10% more | +10.0% | reached |" in text
    assert "scaled down" in text
    worse = "\n".join(longer.growth(grown(46.0, 601 * MB)))
    assert worse.count("**not reached**") == 3


def shared(four_s: float) -> dict[str, Any]:
    """A frame takes 30 ms to look at and 50 ms in one pass; a process a second and two to start; tracks nothing."""

    def run(frames: int) -> dict[str, Any]:
        four = 4.0 + frames * four_s
        cpu_s = {"one pass": 2 + frames * 0.05, "look": 1 + frames * 0.03, "look in four": four, "track": 0.0}
        return {"frames": frames, "cpu_s": {**cpu_s, "redact": 1 + frames * 0.02}}

    return {"clip": "street.mp4", "runs": [run(600), run(120)]}


def test_segments_side_by_side_are_held_against_one_process_at_the_length_a_server_cuts() -> None:
    text = "\n".join(longer.spread(shared(0.03)))
    assert "| looking, one process | 30.0 | 1.0 | 217 |" in text
    assert "| looking, four at once | 30.0 | 4.0 | 220 |" in text
    assert "| looking costs at most 5% more on four | +1.4% | reached |" in text
    assert "| all of it costs at most 5% more on four | +0.8% | reached |" in text
    assert "\n".join(longer.spread(shared(0.04))).count("**not reached**") == 2


def test_torch_in_a_run_is_told(contest: Contest) -> None:
    assert "| redact, runs with torch loaded | 0 of 6 | | 0 | reached |" in page(told(contest))
    one = contest.turns["redact"][0]
    contest.turns["redact"][0] = Turn(replace(one.long, torch=True), one.short, one.long_frames, one.short_frames)
    assert "| redact, runs with torch loaded | 1 of 6 | | 0 | **not reached** |" in page(told(contest))


def test_likeness_leaves_masks_out_and_sees_what_encoding_did() -> None:
    rng = np.random.default_rng(1)
    source = np.kron(rng.integers(30, 220, (12, 16)), np.ones((8, 8))).astype(np.uint8)
    masked = source.copy()
    masked[20:60, 30:90] = 0
    value, hidden = outside_masks(source, masked)
    assert value == 1.0
    assert 40 * 60 / source.size < hidden < 0.8
    noisy = np.clip(source + rng.normal(0, 6, source.shape), 0, 255).astype(np.uint8)
    assert outside_masks(source, noisy)[0] < 0.97
    assert outside_masks(source, 255 - source)[1] > 0.9

"""`make bench`'s harness on a clip of two seconds: real commands, a real profile, a page whose numbers add up."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

from benchmarks import fifth, spread
from benchmarks.contest import Contest
from benchmarks.growth import grown
from benchmarks.loop import loop
from benchmarks.measure import CommandFailed, run
from tests.clips import Clip, number_in, write

ROOT = Path(__file__).parents[2]


def test_the_harness_measures_writes_its_page_and_leaves_nothing(tmp_path: Path) -> None:
    clip = write(tmp_path / "two-seconds.mp4", Clip(frames=20, rate=Fraction(10), audio=("aac",)))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    out, raw = tmp_path / "performance.md", tmp_path / "bench.json"
    words = [
        "--clip",
        clip,
        "--length",
        "2",
        "--repeats",
        "1",
        "--only",
        "plain,redact",
        "--growth",
        "0",
        "--out",
        out,
        "--raw",
        raw,
    ]
    subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        check=True,
        capture_output=True,
        timeout=240,
    )
    told = json.loads(raw.read_text("utf-8"))
    (contest,) = [Contest.from_json(one) for one in told["contests"]]
    assert not contest.failed
    assert (contest.clip, contest.size_wh, contest.sound) == ("two-seconds.mp4", (192, 128), True)
    for name in ("plain", "redact"):
        (turn,) = contest.turns[name]
        assert (turn.long_frames, turn.short_frames) == (20, 5)
        assert turn.long.wall_s > 0
        assert turn.long.cpu_s > 0
    redact = contest.turns["redact"][0]
    assert redact.long.cpu_s > contest.turns["plain"][0].long.cpu_s, "the step's children are in the account"
    assert redact.long.peak_bytes > 50_000_000
    children = told["profile"]["stages"]
    assert {"probe", "redact"} <= set(children)
    whole = sum(stage["cpu_s"] for stage in children.values())
    assert {"decode", "encode"} <= set(told["profile"]["inside_s"])
    (faces_ms,) = [cost for part, cost in told["profile"]["parts_cpu_ms"].items() if part.startswith("find faces")]
    assert whole > 10 * faces_ms / 1000, "the whole takes what its parts take"

    page = out.read_text("utf-8")
    for heading in ("Against the goals", "Where the time goes", "What is not measured", "The machine"):
        assert f"## {heading}\n" in page
    assert str(tmp_path) not in page
    assert told["alike"]["redact"]["ssim"] > 0.9
    assert "## Does the copy look the same?" in page
    assert told["growth"] is None
    assert f"| {children['redact']['cpu_s']:.1f} |" in page
    assert list(scratch.iterdir()) == []


def test_a_ten_times_longer_file_is_measured_beside_the_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write(tmp_path / "clip.mp4", Clip(frames=20, rate=Fraction(10)))
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(tmp_path / "data"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    told = grown(clip, Fraction(1), scratch)
    assert [run["frames"] for run in told["runs"]] == [2, 10, 100]
    assert all(run["cpu_s"] > 0 and run["peak_bytes"] > 50_000_000 for run in told["runs"])
    assert [path.name for path in scratch.iterdir()] == ["said.txt"]


def test_a_fifth_of_the_groups_has_people(tmp_path: Path) -> None:
    people = write(tmp_path / "people.mp4", Clip(frames=30))
    road = write(tmp_path / "road.mp4", Clip(frames=40))
    made = fifth.make(people, road, tmp_path / "few.mp4")
    with av.open(str(made)) as container:
        keys = [n for n, packet in enumerate(p for p in container.demux(video=0) if p.size) if packet.is_keyframe]
    with av.open(str(made)) as container:
        numbers = [number_in(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    assert keys == list(range(0, 300, fifth.GROUP)), "every group is closed and of one length"
    seen, empty = itertools.cycle(range(30)), itertools.cycle(range(40))
    assert numbers == [next(seen if n // fifth.GROUP % 5 == 4 else empty) for n in range(300)]


def test_a_loop_has_as_many_frames_as_asked_and_every_one_its_own_time(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", Clip(frames=40, audio=("aac",)))
    piece = loop(source, tmp_path / "piece.mp4", 100 / Clip().rate)
    with av.open(str(piece.path)) as container:
        pts = [frame.pts for frame in container.decode(video=0)]
        assert len(container.streams.audio) == 1
    assert piece.frames == len(pts) == 100
    assert pts == sorted(set(pts))
    assert piece.size_wh == (192, 128)


def test_the_time_of_orphans_counts_too(tmp_path: Path) -> None:
    """A step's guard is ended before it has waited for its task: the task's time must not be nobody's."""
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    guard = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {burn!r}]); time.sleep(60)"
    top = f"import subprocess, sys, time; g = subprocess.Popen([sys.executable, '-c', {guard!r}]); time.sleep(1); g.kill()"
    cost = run([sys.executable, "-c", top], tmp_path / "said.txt")
    assert cost.cpu_s > 0.5
    assert cost.wall_s < 30


def test_a_run_with_torch_loaded_is_noticed(tmp_path: Path) -> None:
    library = tmp_path / "libtorch_cpu.so"
    library.write_bytes(bytes(4096))
    mapped = "m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)"
    loads = f"import mmap, time; f = open({str(library)!r}, 'rb'); {mapped}; time.sleep(1)"
    assert run([sys.executable, "-c", loads], tmp_path / "said.txt").torch
    assert not run([sys.executable, "-c", "import time; time.sleep(1)"], tmp_path / "said.txt").torch


def test_four_segments_on_four_processes_are_measured_beside_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "piece.mp4"
    assert spread.piece(write(tmp_path / "clip.mp4", Clip(frames=20)), path, Fraction(1)) == 60
    command = [sys.executable, "-m", "benchmarks.spread", str(path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=240).stdout
    (told,) = json.loads(said.splitlines()[-1])
    assert told["frames"] == 60
    assert set(told["cpu_s"]) == {"one pass", "look", "look in four", "track", "redact"}
    assert all(seconds > 0 for seconds in told["cpu_s"].values())
    assert told["cpu_s"]["look in four"] > told["cpu_s"]["look"], "three more processes were started"


def test_a_command_that_fails_says_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3:\n.*no such luck"):
        run([sys.executable, "-c", "import sys; print('no such luck'); sys.exit(3)"], tmp_path / "said.txt")

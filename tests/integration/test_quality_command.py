"""`exhibit quality` on a clip whose truth is known, its refusals, and its figures beside those of scorers from outside."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cli.main import run
from config.models import catalogue
from config.settings import load
from detectors.agreement import agreement
from evidence.truth import read_mot
from media.leaks import judge
from tests.panning import pan_clip

FRAMES = 12
FACES = ((365, 190), (592, 100))
"""Their middles in the photograph that the clip moves over; the two heads are about 100 × 120 pixels."""
SCORERS = os.environ.get("EXHIBIT_EVAL", "")
DATA = os.environ.get("EXHIBIT_TEST_DATA", "")
CACHE = Path(os.environ.get("EXHIBIT_CACHE") or Path.home() / ".cache/exhibit")
SCORER_PYTHON = CACHE / "quality/scorers/bin/python"
OUTSIDE = pytest.mark.skipif(
    not (SCORERS and DATA), reason="the scorers or the footage are not there: set EXHIBIT_EVAL and EXHIBIT_TEST_DATA"
)


def exhibit(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        run([str(a) for a in arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clip with its faces labelled, on a machine without any weights but those in the installed packages."""
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EXHIBIT_MODELS_DIR", str(tmp_path / "no-models"))
    folder = tmp_path / "labelled"
    folder.mkdir()
    pan_clip(folder / "zidane.mp4", frames=FRAMES)
    lines = []
    for frame in range(FRAMES):
        left = int((int(640 * 1.2) - 640) * (0.5 + 0.5 * np.sin(frame / 40)))
        lines += [f"{frame + 1},{n},{x - left - 30},{y - 10 - 40},60,80,1" for n, (x, y) in enumerate(FACES, 1)]
    (folder / "zidane.mot.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_labelled_clip_gets_its_record(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder.parent / "record"
    assert exhibit("quality", folder, "--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == ["quality.json", "quality.md"]
    told = json.loads((out / "quality.json").read_bytes())
    (line,) = told["clips"]
    clip, truth = folder / "zidane.mp4", folder / "zidane.mot.txt"
    assert (line["sha256"], line["truth"]["sha256"]) == (sha256(clip), sha256(truth))
    assert (line["frames"], line["truth"]["boxes"], line["truth"]["identities"]) == (FRAMES, 2 * FRAMES, 2)
    assert (line["hiding"]["leaked"]["of"], line["hiding"]["leaked_fully"]["count"]) == (2 * FRAMES, 0)
    assert 0 < line["hiding"]["over_redaction"] < 0.1
    assert line["finding"]["recall"]["of"] == 2 * FRAMES
    model = catalogue()[load(environ={}).face_models[0]]
    assert (
        [m["sha256"] for m in line["hiding"]["models"]] == [m["sha256"] for m in line["finding"]["models"]] == [model.sha256]
    )

    page = (out / "quality.md").read_text("utf-8")
    for needed in (model.sha256, sha256(clip), sha256(truth), told["about"]["exhibit"], "## Faces", "| zidane.mp4 | 24 |"):
        assert needed in page
    assert str(folder) not in page
    assert exhibit("quality", folder, "--out", out) == 3
    assert "quality.md is there already" in capsys.readouterr().err


def without_truth(folder: Path) -> None:
    (folder / "zidane.mot.txt").unlink()


def one_frame_more(folder: Path) -> None:
    with (folder / "zidane.mot.txt").open("a") as file:
        file.write(f"{FRAMES + 1},1,0,0,10,10\n")


def nonsense(folder: Path) -> None:
    (folder / "zidane.mot.txt").write_text("frame;id;x\n")


def without_weights(folder: Path) -> None:
    (folder / "zidane.mot.txt").rename(folder / "zidane.plates.mot.txt")


def without_video(folder: Path) -> None:
    (folder / "other.mot.txt").write_text("1,1,0,0,10,10\n")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_truth, "no truth file beside zidane.mp4"),
        (one_frame_more, f"zidane.mot.txt names frame {FRAMES + 1}, but zidane.mp4 has {FRAMES} frames"),
        (nonsense, "zidane.mot.txt, line 1"),
        (without_weights, "nothing here can look for: plates"),
        (without_video, "other.mot.txt belongs to no video"),
    ],
)
def test_what_can_not_be_measured_is_refused_before_anything_is(
    folder: Path, spoil: Callable[[Path], None], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    out = folder.parent / "record"
    assert exhibit("quality", folder, "--out", out) == 2
    assert said in capsys.readouterr().err.replace("\n", " ")
    assert not out.exists() or not list(out.iterdir())


def crude_copy(source: Path, truth: Path, out: Path, frames: int) -> None:
    """Boxes painted as a poor redactor would: shifted further and further, every seventh not at all."""
    boxes = read_mot(truth.read_text("utf-8"), truth.name)
    with av.open(str(source)) as container, av.open(str(out), "w") as made:
        video = container.streams.video[0]
        stream = made.add_stream("libx264", rate=video.average_rate, options={"crf": "16", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        stream.codec_context.time_base = video.time_base
        for at, frame in enumerate(container.decode(video)):
            if at >= frames:
                break
            picture = frame.to_ndarray(format="rgb24")
            for box in boxes.get(at, ()):
                x0, y0, x1, y1 = (max(0, round(side)) for side in box.box_xyxy)
                shift = at % 40
                if at % 7:
                    picture[y0 : y1 + 30, x0 + shift : x1 + shift] = 30
            painted = av.VideoFrame.from_ndarray(picture, format="rgb24")
            painted.pts, painted.time_base = frame.pts, frame.time_base
            made.mux(stream.encode(painted))
        made.mux(stream.encode(None))


def outside(python: str | Path, scorer: str, *arguments: Path) -> dict[str, Any]:
    out = arguments[-1].with_name("score.json")
    command = [str(python), f"{SCORERS}/{scorer}", *map(str, arguments), "--json", str(out)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    told: dict[str, Any] = json.loads(out.read_bytes())
    return told


@OUTSIDE
def test_leaks_are_those_that_the_scorer_from_outside_sees(tmp_path: Path) -> None:
    source, truth = Path(DATA) / "groundtruth/face_david.mp4", tmp_path / "face_david.mot.txt"
    truth.write_bytes((Path(DATA) / "groundtruth/face_david.mot.txt").read_bytes())
    copy = tmp_path / "copy.mp4"
    crude_copy(source, truth, copy, frames=10**6)
    theirs = outside(sys.executable, "redaction_score.py", source, copy, truth)
    ours = judge(source, 0, copy, read_mot(truth.read_text("utf-8"), truth.name), lambda *_: None)
    assert theirs["ok"]
    assert ours["problems"] == []
    assert theirs["leaked"]["boxes"] > theirs["leaked_fully"]["boxes"] > 0, "both kinds are in it"
    for name in ("leaked", "leaked_fully"):
        assert ours[name]["of"] == theirs["boxes"]
        assert ours[name]["count"] == theirs[name]["boxes"]
        assert ours[name]["identities"] == theirs[name]["tracks"]
        for measure in ("longest_run", "single_frame_holes"):
            assert ours[name][measure] == theirs[name][measure]
    assert [leak["frame"] for leak in ours["where"]] == [leak["frame"] for leak in theirs["leaks"]]
    assert ours["over_redaction"] == pytest.approx(theirs["over_redaction"], abs=1e-4)


@OUTSIDE
@pytest.mark.skipif(not SCORER_PYTHON.exists(), reason="the scorers' packages are not there: run make quality once")
def test_boxes_agree_as_the_scorer_from_outside_says(tmp_path: Path) -> None:
    """Tracks made from the truth: shifted, some boxes left out, identities exchanged halfway, some boxes made up."""
    truth = Path(DATA) / "groundtruth/pets_s2l1_a.mot.txt"
    found = tmp_path / "found.mot.txt"
    lines = []
    for number, line in enumerate(truth.read_text("utf-8").splitlines()):
        frame, identity, x, y, w, h = (float(word) for word in line.split(",")[:6])
        if number % 11 == 0:
            continue
        swapped = identity + 100 if frame > 200 and identity < 10 else identity
        lines.append(f"{frame:.0f},{swapped:.0f},{x + number % 9:.2f},{y + number % 5:.2f},{w:.2f},{h:.2f},0.9")
        if number % 17 == 0:
            lines.append(f"{frame:.0f},{1000 + number},{x + 200:.2f},{y:.2f},{w:.2f},{h:.2f},0.5")
    found.write_text("\n".join(lines) + "\n", "utf-8")
    theirs = outside(SCORER_PYTHON, "track_score.py", truth, found)
    ours = agreement(*(read_mot(path.read_text("utf-8"), path.name) for path in (truth, found)))
    assert 0.5 < theirs["recall"] < 0.95
    assert (ours["recall"]["of"], ours["precision"]["of"]) == (theirs["boxes"], theirs["predictions"])
    for name in ("recall", "precision"):
        assert ours[name]["rate"] == pytest.approx(theirs[name], abs=1e-5)
    assert ours["idf1"] == pytest.approx(theirs["idf1"], abs=1e-5)

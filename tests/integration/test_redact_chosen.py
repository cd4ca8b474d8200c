"""Bystanders: all but chosen tracks, only chosen tracks, drawn regions; by the command, checked on decoded pixels."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cli.main import run
from evidence.track import Track
from evidence.wire import track_from_json
from tests.panning import pan_clip

FRAMES = 40
WEIGHTS = Path(os.environ.get("EXHIBIT_MODELS_DIR", "/nonexistent"))
HAS_WEIGHTS = (WEIGHTS / "yolo11n.pt").is_file()
FACES = ((365, 190), (592, 100))
"""Their middles in the photograph that the clip moves over, in its pixels."""


def exhibit(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        run([str(a) for a in arguments])
    return int(ended.value.code or 0)


def luma(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with two faces and what `exhibit analyse` found in it, on a machine without weights."""
    folder = tmp_path_factory.mktemp("chosen")
    with pytest.MonkeyPatch.context() as patch:
        _offline(patch, folder)
        pan_clip(folder / "clip.mp4", frames=FRAMES)
        assert exhibit("analyse", folder / "clip.mp4", "--out", folder / "found", "--json") == 0
    return folder


def _offline(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("EXHIBIT_DATA_DIR", str(folder / "data"))
    patch.setenv("EXHIBIT_MODELS_DIR", str(folder / "no-models"))


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _offline(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def faces(place: Path) -> tuple[Track, Track]:
    """The left and the right face; both are there all the time."""
    whole = json.loads((place / "found" / "tracks.json").read_bytes())
    two = sorted((track_from_json(t) for t in whole["tracks"]), key=lambda t: len(t.boxes))[-2:]
    assert min(len(track.boxes) for track in two) >= FRAMES - 2
    left, right = sorted(two, key=lambda t: t.boxes[0].box_xyxy[0])
    return left, right


def open_on(place: Path, copy: Path, track: Track) -> list[bool]:
    """For each frame of a track: whether the middle of its box shows what it showed."""
    shown = []
    before, after = luma(place / "clip.mp4"), luma(copy)
    assert len(before) == len(after) == FRAMES
    for box in track.boxes:
        x0, y0, x1, y1 = (int(c) for c in box.box_xyxy)
        dx, dy = (x1 - x0) // 4, (y1 - y0) // 4
        inside = slice(y0 + dy, y1 - dy), slice(x0 + dx, x1 - dx)
        covered = after[box.frame][inside].max() < 40
        alike = np.abs(after[box.frame][inside].astype(int) - before[box.frame][inside]).mean() < 12
        assert covered != alike, f"frame {box.frame} is neither open nor covered"
        shown.append(alike)
    return shown


def redacted(place: Path, copy: Path, *arguments: str) -> dict[str, Any]:
    report = copy.with_suffix(".json")
    assert exhibit("redact", place / "clip.mp4", "-o", copy, "--report", report, "--no-second-look", *arguments) == 0
    said: dict[str, Any] = json.loads(report.read_bytes())
    return said


def test_the_same_file_and_models_give_the_same_numbers(place: Path, tmp_path: Path) -> None:
    assert exhibit("analyse", place / "clip.mp4", "--out", tmp_path / "again") == 0
    assert (tmp_path / "again" / "tracks.json").read_bytes() == (place / "found" / "tracks.json").read_bytes()


def test_analyse_lists_every_track_with_its_number(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], faces: tuple[Track, Track]
) -> None:
    assert exhibit("analyse", place / "clip.mp4", "--out", tmp_path / "again", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert {face.id for face in faces} <= {line["id"] for line in said["tracks"] if line["label"] == "face"}
    assert [line["id"] for line in said["tracks"]] == list(range(1, len(said["tracks"]) + 1))


@pytest.mark.parametrize("chosen", [0, 1])
def test_all_but_a_track_or_only_a_track(place: Path, tmp_path: Path, faces: tuple[Track, Track], chosen: int) -> None:
    one, other = faces[chosen], faces[1 - chosen]
    tracks = ("--tracks", str(place / "found"))
    said = redacted(place, tmp_path / "kept.mp4", *tracks, "--keep-track", str(one.id), "--reason", "the witness agreed")
    assert (said["redaction"]["keep_tracks"], said["redaction"]["reason"]) == ([one.id], "the witness agreed")
    assert len(said["redaction"]["analysis"]) == 64
    assert all(open_on(place, tmp_path / "kept.mp4", one))
    assert not any(open_on(place, tmp_path / "kept.mp4", other))
    said = redacted(place, tmp_path / "only.mp4", *tracks, "--only-track", str(one.id))
    assert said["tracks_hidden"] == {"face": 1}
    assert not any(open_on(place, tmp_path / "only.mp4", one))
    assert all(open_on(place, tmp_path / "only.mp4", other))


def test_an_earlier_analysis_hides_the_same_as_a_new_one(place: Path, tmp_path: Path, faces: tuple[Track, Track]) -> None:
    redacted(place, tmp_path / "copy.mp4", "--tracks", str(place / "found"))
    for face in faces:
        assert not any(open_on(place, tmp_path / "copy.mp4", face))


def test_nothing_but_a_drawn_region_in_its_span(place: Path, tmp_path: Path) -> None:
    region = "100,200,220.5,300@0:00:00.400-0:00:00.800"
    said = redacted(place, tmp_path / "copy.mp4", "--what", "nothing", "--region", region, "--reason", "a letter")
    assert (said["frames_masked"], said["tracks_hidden"]) == (11, {})
    assert said["redaction"]["regions"][0]["reason"] == "a letter"
    for number, (was, now) in enumerate(zip(luma(place / "clip.mp4"), luma(tmp_path / "copy.mp4"), strict=True)):
        covered = 10 <= number <= 20
        assert (now[200:300, 100:221].max() < 40) == covered, f"frame {number}"
        assert np.abs(now[:180].astype(int) - was[:180]).mean() < 6


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (["--tracks", "FOUND", "--keep-track", "99"], "no track 99", "It has: 1"),
        (["--tracks", "FOUND", "--only-track", "1", "--only-track", "77"], "no track 77", "It has: 1"),
        (["--tracks", "FOUND", "--keep-track", "1", "--only-track", "2"], "can't go together", "Name what"),
        (["--keep-track", "1"], "means nothing", "--tracks FOLDER"),
        (["--tracks", "FOUND", "--what", "people"], "did not look for: people", "exhibit analyse"),
        (["--tracks", "nowhere", "--only-track", "1"], "can't be read", "exhibit analyse"),
        (["--what", "nothing"], "nothing would be hidden", ""),
        (["--what", "nothing", "--region", "600,0,641,5@0-1"], "not wholly in the picture", "640 × 360"),
        (["--what", "nothing", "--region", "0,0,5,5@2-3"], "no frame of the video", "0:00:01.560"),
        (["--region", "0,0,5,5"], "is no region", "x0,y0,x1,y1@from-to"),
    ],
)
def test_what_is_not_there_is_refused_with_what_there_is(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str, hint: str
) -> None:
    (tmp_path / "out").mkdir()
    given = [str(place / "found") if word == "FOUND" else word for word in arguments]
    assert exhibit("redact", place / "clip.mp4", "-o", tmp_path / "out" / "copy.mp4", *given) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert hint in told
    assert list((tmp_path / "out").iterdir()) == []


def test_the_tracks_of_another_file_are_refused(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = pan_clip(tmp_path / "other.mp4", frames=FRAMES, seed=1)
    assert exhibit("redact", other, "-o", tmp_path / "copy.mp4", "--tracks", place / "found") == 2
    assert "about another file" in capsys.readouterr().err
    broken = tmp_path / "broken"
    broken.mkdir()
    for text in ("{", "[]", '{"tracks": []}', '{"original_sha256": "", "frame_pts": [], "tracks": [], "looked_for": []}'):
        (broken / "tracks.json").write_text(text)
        assert exhibit("redact", place / "clip.mp4", "-o", tmp_path / "copy.mp4", "--tracks", broken) == 2
        assert "no analysis that can be used" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "copy.mp4").exists()


def test_with_weights_heads_are_hidden_and_bodies_are_not(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not HAS_WEIGHTS:
        pytest.skip("no weights in EXHIBIT_MODELS_DIR")
    monkeypatch.setenv("EXHIBIT_MODELS_DIR", str(WEIGHTS))
    said = redacted(place, tmp_path / "copy.mp4", "--what", "heads")
    assert said["tracks_hidden"]["person"] >= 2
    assert said["tracks_hidden"]["face"] >= 2
    assert {line["what"] for line in said["not_looked_for"]} == {"plates"}
    before, after = luma(place / "clip.mp4"), luma(tmp_path / "copy.mp4")
    for number, (was, now) in enumerate(zip(before, after, strict=True)):
        for x, y in FACES:
            left = x - int(128 * (0.5 + 0.5 * np.sin(number / 40)))
            assert now[y - 25 : y + 25, left - 20 : left + 20].max() < 40, f"frame {number}"
        assert np.abs(now[340:].astype(int) - was[340:]).mean() < 12, f"frame {number}: their arms are open"

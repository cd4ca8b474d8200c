"""The stand-alone commands on real networks: CenterFace is on every machine, the others where there are weights."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from cli.analyse import put
from cli.main import run
from evidence.errors import Conflict
from evidence.track import Origin
from evidence.wire import media_from_json, track_from_json
from tests.panning import pan_clip
from workers import models
from workers.child import Job, Limits
from workers.child import run as run_child

WEIGHTS = Path(os.environ.get("EXHIBIT_MODELS_DIR", "/nonexistent"))
HAS_WEIGHTS = (WEIGHTS / "yolo11n.pt").is_file()
FACES = ((365, 190), (592, 100))
"""Their middles in the photograph that the clip moves over, in its pixels."""
FACES_AT = 0.6
"""Share of the frames on which each of the two faces must be found; in fact it is all."""


def exhibit(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        run([str(a) for a in arguments])
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pan_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=75)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any weights but those in the installed packages."""
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EXHIBIT_MODELS_DIR", str(tmp_path / "no-models"))
    return tmp_path


@pytest.fixture(scope="module")
def with_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not HAS_WEIGHTS:
        pytest.skip("no weights in EXHIBIT_MODELS_DIR")
    return tmp_path_factory.mktemp("data")


def luma(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


def test_without_weights_faces_are_found_and_the_rest_is_said(clip, offline, capsys):
    assert exhibit("analyse", clip, "--out", offline / "found", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert {line["what"]: line["reason"] for line in said["not_looked_for"]} == {
        "objects": "not analysed: no weights",
        "plates": "not analysed: no weights",
    }
    assert said["looked_for"] == ["face"]
    assert [(m["name"], m["task"], len(m["sha256"])) for m in said["models"]] == [("centerface", "faces", 64)]
    assert said["frames"] == 75
    assert sorted(p.name for p in (offline / "found").iterdir()) == [
        "detections.parquet",
        "doubts.json",
        "tracks.json",
        "tracks.mot.txt",
    ]
    assert sorted(p.name for p in offline.iterdir() if p.name.startswith(".")) == []

    whole = json.loads((offline / "found" / "tracks.json").read_text())
    tracks = [track_from_json(t) for t in whole["tracks"]]
    assert [t for t in tracks if len(t.boxes) >= FACES_AT * 75][1:], "both faces, nearly all the time"
    assert len(whole["frame_pts"]) == whole["frame_count"] == 75
    assert all(whole["frame_pts"][b.frame] == b.pts for t in tracks for b in t.boxes)

    table = pq.read_table(offline / "found" / "detections.parquet").to_pylist()
    mot = [line.split(",") for line in (offline / "found" / "tracks.mot.txt").read_text().splitlines()]
    in_tracks = [row for row in table if row["track_id"] > 0]
    assert len(mot) == len(in_tracks) == sum(len(t.boxes) for t in tracks)
    assert {(int(m[0]) - 1, int(m[1])) for m in mot} == {(row["frame"], row["track_id"]) for row in in_tracks}
    assert {len(m) for m in mot} == {9}
    assert {row["origin"] for row in table} <= {o.value for o in Origin}


def test_in_one_piece_or_in_three_the_tracks_are_the_same(clip, offline, tmp_path):
    from config.settings import load

    settings = load()
    params = models.detect_params(settings, lambda done, total: None)
    params["detectors"][0]["input_size"] = 320
    out = tmp_path / "probe"
    out.mkdir()
    media = media_from_json(run_child(Job("probe", {"original": clip}, out, {"segment_s": 1}), Limits(), lambda d, t: None))
    assert len(media.segments) == 3
    answers = []
    for name, segments in (("three", media.segments), ("one", None)):
        raw = {}
        pieces = [(s.number, s.start_pts, s.end_pts, s.frame_count) for s in segments or ()] or [(0, None, None, 75)]
        for number, start, end, count in pieces:
            out = tmp_path / f"{name}-{number}"
            out.mkdir()
            piece = {"number": number, "start_pts": start, "end_pts": end, "frame_count": count}
            begin_at = [] if segments else [s.start_pts for s in media.segments[1:]]
            about = {"stream_index": 0, "segment": piece, "begin_at": begin_at}
            job = Job("detect", {"original": clip}, out, {**params, **about})
            assert run_child(job, Limits(), lambda d, t: None)["frames"] == count
            raw[f"raw-{number}.parquet"] = out / "raw.parquet"
        out = tmp_path / name
        out.mkdir()
        run_child(Job("track", raw, out), Limits(), lambda d, t: None)
        whole = json.loads((out / "tracks.json").read_text())
        answers.append((whole, (out / "tracks.mot.txt").read_bytes()))
    assert answers[0][0].pop("cuts") == [s.start_pts for s in media.segments]
    assert answers[1][0].pop("cuts") == []
    assert answers[0][0]["tracks"]
    assert answers[0] == answers[1]


def test_redact_covers_every_face_on_every_frame_and_reports(clip, offline, capsys):
    before = clip.read_bytes()
    target, report = offline / "copy.mp4", offline / "report.json"
    assert exhibit("redact", clip, "-o", target, "--what", "faces", "--report", report) == 0
    said = json.loads(report.read_text())
    assert said["draft"] is True
    assert 0 <= said["doubts"]["share"] <= 1
    assert all(set(one) >= {"rank", "reason", "first_frame", "last_frame", "tracks"} for one in said["doubts"]["doubts"])
    assert {line["what"] for line in said["not_looked_for"]} == {"people", "plates"}
    assert [(model["name"], len(model["sha256"])) for model in said["models"]] == [("centerface", 64)]
    assert said["frames_in"] == said["frames_out"] == 75
    assert "draft" in capsys.readouterr().out
    assert clip.read_bytes() == before
    source, hidden = luma(clip), luma(target)
    assert len(source) == len(hidden) == 75
    for number, (was, now) in enumerate(zip(source, hidden, strict=True)):
        for x, y in FACES:
            # The camera of the clip moves over a photograph: where its faces are is known.
            left = x - int(128 * (0.5 + 0.5 * np.sin(number / 40)))
            inside = slice(y - 25, y + 25), slice(left - 20, left + 20)
            assert was[inside].std() > 20
            assert now[inside].max() < 40, f"frame {number}: solid"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--what", "plates"], 2),
        (["--what", "faces,people"], 2),
        (["--what", "cats"], 2),
        (["--style", "invisible"], 2),
        (["-o", "copy.mkv"], 2),
    ],
)
def test_what_nobody_here_can_find_is_refused_and_nothing_is_written(arguments, code, clip, offline):
    target, report = offline / "out" / "copy.mp4", offline / "out" / "report.json"
    assert exhibit("redact", clip, "-o", target, "--report", report, *arguments) == code
    assert not target.exists()
    assert not report.exists()
    assert not list((offline / "out").glob(".*")) if (offline / "out").exists() else True


def test_labels_that_nothing_knows_are_refused(clip, offline):
    assert exhibit("analyse", clip, "--out", offline / "found", "--labels", "face,unicorn") == 2
    assert not (offline / "found").exists()


def test_what_is_there_already_is_not_overwritten(clip, offline):
    (offline / "copy.mp4").write_text("precious")
    assert exhibit("redact", clip, "-o", offline / "copy.mp4") == 3
    assert (offline / "copy.mp4").read_text() == "precious"
    (offline / "found").mkdir()
    (offline / "found" / "tracks.json").write_text("precious")
    assert exhibit("analyse", clip, "--out", offline / "found") == 3


@pytest.mark.parametrize("content", [b"", b"this is a text file that somebody named .mp4", None])
def test_what_is_no_video_is_refused_and_nothing_is_written(content, offline, tmp_path):
    source = tmp_path / "clip.mp4"
    if content is not None:
        source.write_bytes(content)
    assert exhibit("analyse", source, "--out", offline / "found") == 2
    assert exhibit("redact", source, "-o", offline / "copy.mp4") == 2
    assert not (offline / "found").exists()
    assert not (offline / "copy.mp4").exists()


def test_a_wrong_model_file_stops_the_run(clip, offline, monkeypatch):
    monkeypatch.setenv("EXHIBIT_FACE_MODELS", "yunet")
    folder = offline / "no-models"
    folder.mkdir()
    (folder / "face_detection_yunet_2023mar.onnx").write_bytes(b"not the model")
    assert exhibit("redact", clip, "-o", offline / "copy.mp4", "--what", "faces") == 1
    assert not (offline / "copy.mp4").exists()


def test_a_folder_that_is_not_there_is_not_made(clip, offline, capsys):
    nowhere = offline / "mistyped"
    assert exhibit("analyse", clip, "--out", nowhere / "found") == 2
    assert exhibit("redact", clip, "-o", nowhere / "copy.mp4", "--what", "faces") == 2
    assert exhibit("redact", clip, "-o", offline / "copy.mp4", "--what", "faces", "--report", nowhere / "report.json") == 2
    assert capsys.readouterr().err.count(f"there is no folder {nowhere}\n") == 3
    assert not nowhere.exists()
    assert not (offline / "copy.mp4").exists()


def test_of_a_file_that_was_cut_off_the_rest_is_redacted_and_what_is_missing_is_said(offline, capsys):
    whole = pan_clip(offline / "whole.mp4", frames=40)
    with av.open(str(whole)) as source, av.open(str(offline / "cut.mkv"), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    data = (offline / "cut.mkv").read_bytes()
    (offline / "cut.mkv").write_bytes(data[: len(data) // 2])
    assert exhibit("redact", offline / "cut.mkv", "-o", offline / "copy.mp4", "--report", offline / "r.json") in (0, 3)
    said = " ".join(capsys.readouterr().out.split())
    report = json.loads((offline / "r.json").read_text())
    assert f"the last {len(data) - len(data) // 2:,} bytes of the recording are missing" in report["missing"]
    assert report["missing"] in said
    assert 5 < report["frames_in"] == report["frames_out"] == len(luma(offline / "copy.mp4")) < 40


def test_where_files_can_not_be_linked_a_result_appears_whole_and_nothing_is_overwritten(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    made, place = tmp_path / "made", tmp_path / "place"
    made.write_bytes(b"whole")
    put(made, place)
    assert place.read_bytes() == b"whole"
    made.write_bytes(b"another")
    with pytest.raises(Conflict):
        put(made, place)
    assert place.read_bytes() == b"whole"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made", "place"]


def test_a_terminated_run_leaves_nothing_behind(clip, offline):
    (offline / "out").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "redact", str(clip), "-o", str(offline / "out" / "copy.mp4")],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 30
    while not list((offline / "out").glob(".exhibit-*/single_pass")):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM
    assert list((offline / "out").iterdir()) == []


def test_with_weights_people_and_faces_are_found_and_drawn(clip, with_weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(with_weights))
    assert exhibit("analyse", clip, "--out", tmp_path / "found", "--annotate", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    found = {line["label"]: line for line in said["found"]}
    assert found["person"]["tracks"] >= 2
    assert found["face"]["tracks"] >= 2
    assert found["person"]["first_seen"] == "0:00:00.000"
    assert said["not_looked_for"] == []
    assert {m["task"] for m in said["models"]} == {"objects", "faces", "plates"}
    drawn, source = luma(tmp_path / "found" / "annotated.mp4"), luma(clip)
    assert len(drawn) == 75
    assert np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(drawn, source, strict=True)]) > 1


def test_with_weights_people_can_be_hidden(clip, with_weights, tmp_path, monkeypatch):
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(with_weights))
    assert exhibit("redact", clip, "-o", tmp_path / "copy.mp4", "--what", "people", "--report", tmp_path / "r.json") == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["tracks_hidden"]["person"] >= 2
    assert report["frames_masked"] == 75
    assert {line["what"] for line in report["not_looked_for"]} == {"faces", "plates"}

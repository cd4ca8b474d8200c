"""One pass over the pixels gives what the steps give, mask for mask; and when one side of it dies, the other ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from config.models import ModelTask
from config.settings import load
from detectors.plan import joined
from evidence.errors import BadInput, CorruptMedia, IntegrityError
from evidence.mediatime import from_seconds
from evidence.redaction import Hide, Redaction, Region, Span
from evidence.wire import redaction_to_json
from media.frames import Frame
from tests import clips
from tests.panning import pan_clip, photograph
from workers import models
from workers.child import Job, Limits
from workers.child import run as run_child
from workers.tasks import detect, redact, single_pass, track

FAST = {"crf": 12, "preset": "ultrafast", "draft": True, "smart": False}
CLIPS = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nonexistent")) / "clips"
CORRIDOR, STREET = CLIPS / "corridor_person.mp4", CLIPS / "street_people.mp4"


def unheard(done: int, total: int) -> None:
    del done, total


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Of a machine without any weights but those in the installed packages, looking coarsely."""
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EXHIBIT_MODELS_DIR", str(tmp_path / "no-models"))
    found = models.detect_params(load(), unheard, frozenset({ModelTask.FACES}))
    found["detectors"][0]["input_size"] = 320
    return {**found, "keep": [], "redaction": redaction_to_json(Redaction()), "stream_index": 0, **FAST}


def in_one(path: Path, params: dict[str, Any], out: Path) -> dict[str, Any]:
    out.mkdir()
    return single_pass.run({"original": path}, params, out, unheard)


def in_steps(path: Path, params: dict[str, Any], out: Path) -> dict[str, Any]:
    out.mkdir()
    whole = {"number": 0, "start_pts": None, "end_pts": None, "frame_count": 0}
    seen = detect.run({"original": path}, {**params, "segment": whole}, out, unheard)
    track.run({"raw-0.parquet": out / "raw.parquet"}, {}, out, unheard)
    made = redact.run({"original": path, "tracks.json": out / "tracks.json"}, params, out, unheard)
    return {**made, "plan": joined([seen["plan"]], [seen["frames"]])}


def pictures(path: Path) -> list[tuple[int | None, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(frame.pts, frame.to_ndarray()) for frame in container.decode(video=0)]


def assert_same(path: Path, params: dict[str, Any], folder: Path, *, tracks_at_least: int) -> dict[str, Any]:
    one, steps = in_one(path, params, folder / "one"), in_steps(path, params, folder / "steps")
    found = [json.loads((folder / name / "tracks.json").read_text()) for name in ("one", "steps")]
    assert found[0] == found[1]
    doubts = [json.loads((folder / name / "doubts.json").read_text()) for name in ("one", "steps")]
    assert doubts[0] == doubts[1]
    assert len(found[0]["tracks"]) >= tracks_at_least
    speed, plan = one.pop("speed"), one["plan"]
    assert not plan["every_frame"]
    assert all(line["count"] for looks in plan["looks"].values() for line in looks)
    for told in (one, steps):
        assert told.pop("copied")["frames_copied"] == 0
        assert told["video"].pop().startswith("encoded anew as a whole: ")
    assert one == steps
    assert set(speed["stages_s"]) >= {"load", "decode", "scale", "look: centerface", "follow", "paint", "encode"}
    assert speed["frames_per_s"] > 0
    for (pts, now), (pts_then, then) in zip(*(pictures(folder / n / "redacted.mp4") for n in ("one", "steps")), strict=True):
        assert pts == pts_then
        assert (now == then).all()
    return one


def test_the_masks_are_those_of_the_steps(params: dict[str, Any], tmp_path: Path) -> None:
    report = assert_same(pan_clip(tmp_path / "clip.mp4", frames=75), params, tmp_path, tracks_at_least=2)
    assert report["frames_masked"] == report["frames_out"] == 75


def test_faces_that_come_and_go_are_hidden_as_by_the_steps(params: dict[str, Any], tmp_path: Path) -> None:
    """Masks begin before their track does, and end after it; both near the ends of the video and inside it."""
    path = come_and_go(tmp_path / "clip.mp4", cut=False)
    report = assert_same(path, params, tmp_path, tracks_at_least=3)
    assert 32 < report["frames_masked"] < report["frames_out"] == 120


def test_no_mask_is_carried_on_over_a_hard_cut(params: dict[str, Any], tmp_path: Path) -> None:
    """The faces of one scene have nothing to do with the next one, nor with the one before."""
    path = come_and_go(tmp_path / "clip.mp4", cut=True)
    report = assert_same(path, params, tmp_path, tracks_at_least=3)
    found = json.loads((tmp_path / "one" / "tracks.json").read_text())
    assert found["scenes"] == [12, 60, 80]
    assert report["frames_masked"] == 12 + 20


def test_real_footage_is_hidden_as_by_the_steps(params: dict[str, Any], tmp_path: Path) -> None:
    if not CORRIDOR.is_file():
        pytest.skip("no clips in EXHIBIT_TEST_DATA")
    path = cut(CORRIDOR, tmp_path / "clip.mp4", range(90))
    assert_same(path, params, tmp_path, tracks_at_least=0)


def test_a_face_that_is_found_late_is_hidden_from_where_it_came_in(params: dict[str, Any], tmp_path: Path) -> None:
    """A woman comes in over the upper edge, seen from the side: nothing finds her for a second. The steps read the clip in
    two pieces, and what they look back at ends where a piece begins."""
    if not STREET.is_file():
        pytest.skip("no clips in EXHIBIT_TEST_DATA")
    path = cut(STREET, tmp_path / "clip.mp4", range(10, 90))
    params["detectors"][0]["input_size"] = 960
    second = 30 * 512  # The clip's own time base is 1/15360.
    params["begin_at"] = [second]
    report = in_one(path, params, tmp_path / "one")
    (tmp_path / "steps").mkdir()
    raw = {}
    for number, (start, end) in enumerate([(None, second), (second, None)]):
        out = tmp_path / f"detect-{number}"
        out.mkdir()
        piece = {"number": number, "start_pts": start, "end_pts": end, "frame_count": 0}
        detect.run({"original": path}, {**params, "segment": piece, "begin_at": []}, out, unheard)
        raw[f"raw-{number}.parquet"] = out / "raw.parquet"
    track.run(raw, {}, tmp_path / "steps", unheard)
    found = [json.loads((tmp_path / name / "tracks.json").read_text()) for name in ("one", "steps")]
    assert found[0]["tracks"] == found[1]["tracks"]
    doubts = [json.loads((tmp_path / name / "doubts.json").read_text()) for name in ("one", "steps")]
    assert doubts[0] == doubts[1]
    assert doubts[0]["doubts"]
    assert any(line["look"] == "back" for line in report["plan"]["looks"]["centerface"])
    hers = [
        (one["first_frame"] + number, box)
        for one in found[0]["tracks"]
        for number, box in enumerate(one["box_xyxy"])
        if 1060 <= box[0] <= 1160 and box[3] <= 40
    ]
    assert min(number for number, _ in hers) <= 45 - 10 + 10, "within ten frames of where she can first be made out"


@pytest.mark.parametrize("kind", ["variable rate", "rotated", "10-bit", "odd size", "late start"])
def test_odd_videos_go_the_same_way(params: dict[str, Any], tmp_path: Path, kind: str) -> None:
    path = clips.KINDS[kind](tmp_path)
    region = Region((40.0, 40.0, 90.0, 80.0), Span(from_seconds(0), from_seconds(11)), "a drawn one")
    drawn = {**params, "redaction": redaction_to_json(Redaction(regions=(region,)))}
    assert assert_same(path, drawn, tmp_path, tracks_at_least=0)["frames_masked"] > 0


def test_in_a_child_it_leaves_the_copy_its_tracks_and_its_report(params: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    told: list[tuple[int, int]] = []
    job = Job("single_pass", {"original": pan_clip(tmp_path / "clip.mp4", frames=30)}, out, {**params, "frame_count": 30})
    report = run_child(job, Limits(), lambda done, total: told.append((done, total)))
    assert sorted(p.name for p in out.iterdir()) == ["doubts.json", "redacted.mp4", "report.json", "tracks.json"]
    assert json.loads((out / "report.json").read_text()) == report
    assert told[-1] == (30, 30)


def test_what_it_has_no_use_for_is_not_loaded(params: dict[str, Any], tmp_path: Path) -> None:
    """PyTorch, Arrow and SciPy are never loaded, the readers of telemetry only for the finished copy: each would take more
    memory than many frames of full HD."""
    clip = pan_clip(tmp_path / "clip.mp4", frames=12)
    code = (
        "import json, sys, pathlib, workers.tasks.single_pass as task; before = set(sys.modules)\n"
        "paths = [pathlib.Path(word) for word in sys.argv[1:]]\n"
        "task.run({'original': paths[0]}, json.load(sys.stdin), paths[1], lambda done, total: None)\n"
        "print(json.dumps([sorted(before), sorted(sys.modules)]))"
    )
    command = [sys.executable, "-c", code, str(clip), str(tmp_path)]
    said = subprocess.run(command, input=json.dumps(params), capture_output=True, text=True, check=True).stdout
    at_first, in_the_end = map(set, json.loads(said.splitlines()[-1]))
    assert not {"pyproj", "media.telemetry.read"} & at_first
    assert "openvino" in in_the_end
    assert not {"torch", "ultralytics", "pyarrow", "scipy"} & in_the_end


def test_where_little_is_to_be_hidden_copying_is_left_to_the_steps(params: dict[str, Any], tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", clips.Clip(frames=60))
    assert in_one(path, {**params, "smart": True}, tmp_path / "out") == {"instead": "steps"}
    assert list((tmp_path / "out").iterdir()) == []
    path = pan_clip(tmp_path / "faces.mp4", frames=90)
    report = in_one(path, {**params, "smart": True}, tmp_path / "faces")
    assert report["frames_masked"] == 90
    assert "look: centerface" in report["speed"]["stages_s"]


def test_a_model_that_dies_ends_all_of_it(params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_at = detect.Look.at

    def dying(look: detect.Look, frame: Frame) -> list[Future[Any]]:
        answers = look_at(look, frame)
        if frame.index == 50:
            answers[0] = Future()
            answers[0].set_exception(CorruptMedia("the model gave up"))
        return answers

    monkeypatch.setattr(detect.Look, "at", dying)
    threads = threading.active_count()
    with pytest.raises(CorruptMedia, match="gave up"):
        in_one(pan_clip(tmp_path / "clip.mp4", frames=100), params, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert threading.active_count() == threads


def test_a_picture_that_can_not_be_painted_ends_all_of_it(
    params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise ValueError("not a box")

    monkeypatch.setattr("workers.tasks.covering.cover", broken)
    threads = threading.active_count()
    with pytest.raises(IntegrityError, match="can't be painted"):
        in_one(pan_clip(tmp_path / "clip.mp4", frames=100), params, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert threading.active_count() == threads


def test_a_region_that_lies_nowhere_is_refused_and_nothing_is_left(params: dict[str, Any], tmp_path: Path) -> None:
    region = Region((40.0, 40.0, 90.0, 80.0), Span(from_seconds(100), from_seconds(110)), "a drawn one")
    drawn = {**params, "redaction": redaction_to_json(Redaction(what=frozenset({Hide.FACES}), regions=(region,)))}
    with pytest.raises(BadInput):
        in_one(pan_clip(tmp_path / "clip.mp4", frames=40), drawn, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def come_and_go(path: Path, *, cut: bool) -> Path:
    """A photograph with faces, then without; twice. The first faces are there from the first frame on.

    `cut`: there is a wall in its place in between; else it is out of focus.
    """
    import cv2

    faces = cv2.resize(cv2.imread(str(photograph("zidane.jpg"))), (640, 360))
    wall = np.full_like(faces, 90) if cut else cv2.GaussianBlur(faces, (0, 0), 30)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "25"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(120):
            shown = faces if number < 12 or 60 <= number < 80 else wall
            frame = av.VideoFrame.from_ndarray(np.roll(shown, number % 7, axis=1), format="bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut(source: Path, path: Path, frames: range) -> Path:
    """Some frames of a real clip, coded anew, their times from 0 on."""
    with av.open(str(source)) as container, av.open(str(path), "w") as out:
        video = container.streams.video[0]
        stream = out.add_stream("libx264", rate=video.average_rate, options={"preset": "ultrafast", "crf": "16"})
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        for number, frame in enumerate(container.decode(video)):
            if number >= frames.stop:
                break
            if number < frames.start:
                continue
            frame.pict_type = 0
            frame.pts, frame.time_base = number - frames.start, 1 / video.average_rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path

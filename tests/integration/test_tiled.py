"""Small people seen from a moving camera: the whole look misses them, tiles find them, in one piece or in segments."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from cli.main import run
from config.models import ModelTask
from config.settings import load
from evidence.wire import media_from_json
from tests.panning import pan_clip, photograph
from workers import models
from workers.child import Job, Limits
from workers.child import run as run_child

WEIGHTS = Path(os.environ.get("EXHIBIT_MODELS_DIR", "/nonexistent"))
pytestmark = pytest.mark.skipif(not (WEIGHTS / "yolo11n.pt").is_file(), reason="no weights in EXHIBIT_MODELS_DIR")

FRAMES, RATE = 36, 12
MAN = (slice(380, 930), slice(30, 260))
"""Rows and columns of the photograph in which one man stands."""
HIGH = 60
"""Pixels of a man in the clip: half as many in the whole look, where nothing is seen of him."""
AT = ((190, 80), (400, 250), (560, 480), (720, 100), (860, 330), (1050, 540), (1220, 160), (250, 560))
"""Where they stand on the plain; the camera moves over them, and with it the borders of the tiles."""
DRIFT = (-5, 2)
"""Pixels of the camera's way from frame to frame."""


def unheard(done: int, total: int) -> None:
    del done, total


def offset(frame: int) -> tuple[int, int]:
    return DRIFT[0] * (frame + 1 - FRAMES), DRIFT[1] * frame


def flight(path: Path) -> Path:
    """A camera drifts over a plain with eight men on it, 1280 by 720; a key frame each second."""
    picture = cv2.imread(str(photograph("bus.jpg")))[MAN]
    wide = round(HIGH * picture.shape[1] / picture.shape[0])
    man = cv2.resize(picture, (wide, HIGH), interpolation=cv2.INTER_AREA)
    grain = np.random.default_rng(0).normal(118, 9, (90, 190, 3)).clip(0, 255).astype(np.uint8)
    ground = cv2.resize(grain, (1460, 800), interpolation=cv2.INTER_CUBIC)
    for x, y in AT:
        ground[y : y + HIGH, x : x + wide] = man
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "16", "g": str(RATE)})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, RATE)
        for number in range(FRAMES):
            x, y = offset(number)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(ground[y : y + 720, x : x + 1280]), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flight(tmp_path_factory.mktemp("flight") / "flight.mp4")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def params(data: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(data))
    found = models.detect_params(load(), unheard, frozenset({ModelTask.OBJECTS}))
    return {**found, "keep": ["person"], "stream_index": 0}


def analysed(
    clip: Path, params: dict[str, Any], folder: Path, segment_s: int | None = None
) -> tuple[dict[str, Any], list[Any]]:
    """tracks.json, and each segment's plan; in one piece, or in segments."""
    folder.mkdir()
    probed = folder / "probe"
    probed.mkdir()
    job = Job("probe", {"original": clip}, probed, {"segment_s": segment_s or 1})
    media = media_from_json(run_child(job, Limits(), unheard))
    pieces = [(s.number, s.start_pts, s.end_pts, s.frame_count) for s in media.segments]
    about: dict[str, Any] = {}
    if segment_s is None:
        about = {"begin_at": [start for _, start, _, _ in pieces[1:]]}
        pieces = [(0, None, None, FRAMES)]
    raw, plans = {}, []
    for number, start, end, count in pieces:
        out = folder / str(number)
        out.mkdir()
        segment = {"number": number, "start_pts": start, "end_pts": end, "frame_count": count}
        report = run_child(
            Job("detect", {"original": clip}, out, {**params, **about, "segment": segment}), Limits(), unheard
        )
        plans.append(report["plan"])
        raw[f"raw-{number}.parquet"] = out / "raw.parquet"
    run_child(Job("track", raw, folder), Limits(), unheard)
    whole: dict[str, Any] = json.loads((folder / "tracks.json").read_text())
    whole.pop("cuts")
    return whole, plans


def test_tiles_find_small_people_that_the_whole_look_misses(clip, params, tmp_path):
    missed, (plan,) = analysed(clip, {**params, "tiles": {"mode": "off"}}, tmp_path / "off")
    assert missed["tracks"] == []
    assert plan["tiles"]["yolo11n"] == {"tiles": None, "why": "not wanted", "measured": None}
    found, (plan,) = analysed(clip, params, tmp_path / "auto")
    assert [track["label"] for track in found["tracks"]] == ["person"] * len(AT)
    assert all(len(track["pts"]) >= 0.9 * FRAMES for track in found["tracks"]), "without holes, however the camera moves"
    for (x, y), track in zip(sorted(AT), sorted(found["tracks"], key=lambda t: t["box_xyxy"][0][0]), strict=True):
        x0, y0, _, y1 = track["box_xyxy"][0]
        across, down = offset(track["first_frame"])
        assert abs((y0 + y1) / 2 - (y - down + HIGH / 2)) < 10
        assert abs(x0 - (x - across)) < 14
        assert 40 < y1 - y0 < 75, "one whole man, where a border cuts him too"
    chosen = plan["tiles"]["yolo11n"]
    assert chosen["tiles"] == {"scale": 1.0, "side": 640, "count": 6}
    assert chosen["measured"]["seen"] == 0
    looks = {line["look"]: line["count"] for line in plan["looks"]["yolo11n"]}
    assert looks["whole"] == FRAMES
    assert looks["tiles"] == FRAMES // 2, "at twelve frames a second, every other is a tenth of a second later"


def test_in_one_piece_or_in_three_the_plan_and_the_tracks_are_the_same(clip, params, tmp_path):
    in_one, plans_of_one = analysed(clip, params, tmp_path / "one")
    in_three, plans = analysed(clip, params, tmp_path / "three", segment_s=1)
    assert len(plans) == 3
    assert all(plan["tiles"] == plans_of_one[0]["tiles"] for plan in plans)
    assert in_one["tracks"]
    assert in_one == in_three


def test_footage_of_large_people_is_looked_at_as_if_there_were_no_tiles(params, tmp_path):
    clip = pan_clip(tmp_path / "clip.mp4", frames=FRAMES, size_wh=(1280, 720), rate=RATE)
    ever, (plan_ever,) = analysed(clip, {**params, "tiles": {"mode": "off"}}, tmp_path / "off")
    now, (plan,) = analysed(clip, params, tmp_path / "auto")
    assert now == ever
    assert now["tracks"]
    assert plan["looks"] == plan_ever["looks"]
    assert plan["tiles"]["yolo11n"]["why"] == "what is seen is large enough for the whole look"


def test_the_command_takes_tiles_and_refuses_what_is_no_tile(clip, data, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(data))

    def analyse(tiles: str, out: str) -> int:
        with pytest.raises(SystemExit) as ended:
            run(["analyse", str(clip), "--out", str(tmp_path / out), "--labels", "person", "--tiles", tiles, "--json"])
        return int(ended.value.code or 0)

    assert analyse("600", "found") == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["tracks"]) == len(AT)
    assert [(how["model"], how["tiles"]["count"], how["why"]) for how in said["tiles"]] == [("yolo11n", 6, "asked for")]
    assert analyse("many", "refused") == 2
    assert "auto, off, or the side of a tile" in capsys.readouterr().err
    assert not (tmp_path / "refused").exists()

"""`exhibit models optimise` with NNCF itself, on CenterFace, which is on every machine, at a small input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.main import run
from config.models import ModelTask, add_line, catalogue
from config.settings import Settings, load
from detectors import choice, weights
from detectors.load import described
from detectors.load import load as opened
from media.examples import crops
from tests.panning import pan_clip, photograph
from workers import child, models


def exhibit(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        run([str(a) for a in arguments])
    return int(ended.value.code or 0)


def quiet(done: int, total: int) -> None:
    pass


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """A machine whose face model is CenterFace at an input of 320."""
    monkeypatch.delenv("EXHIBIT_MODELS_DIR", raising=False)
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EXHIBIT_FACE_MODELS", "small")
    monkeypatch.setenv("EXHIBIT_SECOND_LOOK_MODELS", "small")
    add_line(tmp_path / "data" / "models", replace(catalogue()["centerface"], name="small", input_size=320))
    return load()


def pictures(folder: Path, many: int = 16) -> Path:
    folder.mkdir()
    every = crops(320)
    for number, example in enumerate(every[:: len(every) // many][:many]):
        cv2.imwrite(str(folder / f"{number:02}.jpg"), cv2.cvtColor(example.picture, cv2.COLOR_RGB2BGR))
    return folder


def test_it_measures_chooses_and_keeps_what_it_chose(settings, tmp_path, capsys):
    frames = pictures(tmp_path / "frames")
    (frames / "notes.txt").write_text("no picture")
    assert exhibit("models", "optimise", "--frames", frames, "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["model"], told["sha256"]) == ("small", catalogue()["centerface"].sha256)
    assert {"f32", "int8"} <= set(told["look_ms"])
    assert all(of["min"] <= of["median"] <= of["max"] and of["looks"] > 8 for of in told["look_ms"].values())
    assert told["precision"].split("+")[0] in told["look_ms"]
    assert told["accuracy"]["against"] == "the float network's own boxes"
    used = told["frames"]
    assert used["unread"] == ["notes.txt"]
    assert len(used["files"]["calibration"]) == used["calibrated_on"] == 11
    assert sorted(used["files"]["calibration"] + used["files"]["judged"]) == [f"{i:02}.jpg" for i in range(16)]
    assert exhibit("models", "list", "--json") == 0
    listed = {line["name"]: line["measured"] for line in json.loads(capsys.readouterr().out)}
    assert listed["small"] == told
    assert listed["yunet"] is None
    assert exhibit("models", "list") == 0
    assert told["precision"] in capsys.readouterr().out
    assert not list((settings.cache_dir / "models").glob(".measuring-*"))


def test_labelled_clips_are_judged_by_and_never_calibrated_on(settings, tmp_path, capsys):
    frames = pictures(tmp_path / "frames")
    pan_clip(frames / "faces.mp4", frames=30)
    # Where the two faces are about in the photograph, moved as the clip moves over it.
    width = 640 * 1.2
    lines = []
    for number in range(30):
        x = (width - 640) * (0.5 + 0.5 * np.sin(number / 40))
        for identity, (x0, y0, x1, y1) in enumerate(((520, 190, 670, 460), (885, 85, 1070, 290)), 1):
            lines.append(f"{number + 1},{identity},{x0 * 0.6 - x},{y0 * 0.6 - 10},{(x1 - x0) * 0.6},{(y1 - y0) * 0.6}\n")
    (frames / "faces.mot.txt").write_text("".join(lines))
    assert exhibit("models", "optimise", "small", "--frames", frames, "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["frames"]["files"]["judged"] == ["faces.mp4"]
    assert "faces.mp4" not in told["frames"]["files"]["calibration"]
    assert told["frames"]["calibrated_on"] == 16
    accuracy = told["accuracy"]
    assert (accuracy["against"], accuracy["boxes"], accuracy["labels"]) == ("a person's boxes", 60, ["face"])
    assert 0 < accuracy["float"] < 1
    assert accuracy["lost"] == pytest.approx(accuracy["float"] - accuracy["int8"], abs=1e-4)


def test_a_network_in_eight_bits_that_was_chosen_runs_and_is_told_in_the_record(settings, tmp_path):
    """Whether it is chosen is the processor's: here it is kept as one that is."""
    line = catalogue(settings.model_folders)["small"]
    path = weights.find(line, settings.model_folders)
    assert path is not None
    before = models.detect_params(settings, quiet, frozenset({ModelTask.FACES}))
    spec = models.spec(line, path, settings, quiet, measured=False)
    out, cache = tmp_path / "out", settings.cache_dir / "models"
    out.mkdir()
    cache.mkdir(parents=True)
    nothing = {"apart": [], "truths": [], "truth_label": "face", "keep": [], "max_pixels": settings.max_pixels}
    inputs = {"weights": path, "frames": pictures(tmp_path / "frames")}
    told = child.run(child.Job("optimise", inputs, out, {**nothing, "spec": spec}), child.Limits(), quiet)
    about = {"model": line.name, "sha256": line.sha256, "precision": told["precision"]}
    kept = choice.keep(cache, about, out / "int8")

    params = models.detect_params(settings, quiet, frozenset({ModelTask.FACES}))
    assert models.without_paths(params) == models.without_paths(before), "the same recipe on every machine"
    (chosen,) = params["detectors"]
    assert (chosen["sha256"], chosen["file_sha256"]) == (line.sha256, kept["network_sha256"])
    assert models.spec(line, path, settings, quiet, measured=False) == spec
    picture = np.ascontiguousarray(cv2.imread(str(photograph("zidane.jpg")))[:, :, ::-1])
    detector = opened(chosen, (1280, 720), frozenset())
    said = described(chosen, detector)
    assert said["precision"].startswith("int8+")
    assert said["ran"] == {name: weights.sha256_of(Path(chosen["path"]) / name) for name in ("model.bin", "model.xml")}, (
        "what really ran"
    )
    floating = opened(spec, (1280, 720), frozenset())
    assert described(spec, floating)["ran"] == {"centerface.onnx": line.sha256}
    sure = [found.box_xyxy[found.score >= 0.5] for found in (detector.detect(picture), floating.detect(picture))]
    assert len(sure[0]) == len(sure[1]) == 2
    assert sure[0] == pytest.approx(sure[1], abs=20)


def test_what_can_not_be_measured_is_told(settings, tmp_path, monkeypatch, capsys):
    assert exhibit("models", "optimise", "--frames", pictures(tmp_path / "few", 3)) == 2
    assert "too few" in capsys.readouterr().err
    assert exhibit("models", "optimise", "--frames", tmp_path / "missing") == 2
    assert exhibit("models", "optimise", "no such") == 2
    assert exhibit("models", "optimise", "yolo11n") == 2
    assert "not here" in capsys.readouterr().err
    monkeypatch.setattr(choice.importlib.util, "find_spec", lambda _name: None)
    assert exhibit("models", "optimise") == 4
    assert "requirements/optimise.txt" in capsys.readouterr().err

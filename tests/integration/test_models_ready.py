"""Ultralytics weights on a processor: prepared once, checked always, and run without torch.

The weights are a network of the real form with random numbers in it, made here; where real ones are, they are used too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from config.models import add_line, catalogue
from config.settings import load
from detectors import weights
from evidence.errors import NoDetector, WrongWeights
from evidence.steps import Recipe, Step
from tests.panning import pan_clip, photograph
from workers import child, models
from workers.child import Job, Limits

WEIGHTS = Path(os.environ.get("EXHIBIT_MODELS_DIR", "/nonexistent"))
TEST_TASKS = Path(__file__).parents[1] / "unit" / "child_with_test_tasks.py"
MAKE = """
import sys
from ultralytics import YOLO
model = YOLO("yolo11n.yaml", verbose=False)
model.model.names = {i: ("person", "car")[i] if i < 2 else f"thing {i}" for i in range(80)}
model.save(sys.argv[1])
"""


def quiet(done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    environment = {**os.environ, "YOLO_CONFIG_DIR": str(folder), "YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}
    subprocess.run([sys.executable, "-c", MAKE, str(folder / "random.pt")], check=True, env=environment, capture_output=True)
    return folder / "random.pt"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def settings(random_weights: Path, cache: Path, tmp_path: Path):
    """A machine whose object model is the random one; the prepared copy is kept from test to test."""
    folder = tmp_path / "models"
    folder.mkdir()
    line = replace(
        catalogue()["yolo11n"], name="random", file="random.pt", sha256=weights.sha256_of(random_weights), input_size=320
    )
    add_line(folder, line)
    (folder / "random.pt").symlink_to(random_weights)
    data = tmp_path / "data"
    (data / "cache").mkdir(parents=True)
    (data / "cache" / "models").symlink_to(cache)
    return load({"data_dir": data, "object_model": "random", "models_dir": folder}, {})


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks for which a child was started."""
    started: list[str] = []
    real = child.run

    def run(job, limits, progress):
        started.append(job.task)
        return real(job, limits, progress)

    monkeypatch.setattr(child, "run", run)
    return started


def test_weights_are_prepared_once_however_many_workers_ask(random_weights, cache, children):
    sha256 = weights.sha256_of(random_weights)
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: models.prepared(sha256, random_weights, cache, 0, quiet), range(2)))
    assert children == ["prepare"]
    assert folders[0] == folders[1]
    assert sorted(p.name for p in folders[0].iterdir()) == ["model.bin", "model.json", "model.xml"]
    assert models.prepared_classes(folders[0])[:2] == ["person", "car"]
    assert not list(cache.glob(".preparing-*"))

    (folders[0] / "model.bin").write_bytes(b"half a fi")
    assert models.prepared(sha256, random_weights, cache, 0, quiet) == folders[0]
    assert children == ["prepare"] * 2
    models.prepared(sha256, random_weights, cache, 0, quiet)
    assert children == ["prepare"] * 2


def test_weights_are_checked_before_the_code_in_them_runs(random_weights, tmp_path):
    with pytest.raises(WrongWeights, match="not the file in the catalogue"):
        models.prepared("0" * 64, random_weights, tmp_path, 0, quiet)
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == []


def test_a_damaged_file_is_told_as_such(tmp_path, random_weights):
    half = tmp_path / "half.pt"
    half.write_bytes(random_weights.read_bytes()[:200_000])
    with pytest.raises(WrongWeights, match="can't be loaded"):
        models.prepared(weights.sha256_of(half), half, tmp_path / "cache", 0, quiet)


def test_the_detecting_process_never_loads_torch(settings, tmp_path, monkeypatch):
    params = models.detect_params(settings, quiet)
    clip = pan_clip(tmp_path / "clip.mp4", frames=4)
    real = child._command
    monkeypatch.setattr(
        child, "_command", lambda fd: [str(TEST_TASKS) if a == "workers.child_main" else a for a in real(fd) if a != "-m"]
    )
    out = tmp_path / "out"
    out.mkdir()
    segment = {"number": 0, "start_pts": None, "end_pts": None, "frame_count": 4}
    job = Job("misbehave", {"original": clip}, out, {**params, "do": "detect", "stream_index": 0, "segment": segment})
    result = child.run(job, Limits(), quiet)
    assert result["modules"] == ["openvino"]
    assert result["frames"] == 4
    assert {m["name"] for m in result["models"]} >= {"random"}
    assert result["looked_for"] == ["car", "face", "person"]
    unknown = {line["what"] for line in result["not_looked_for"]}
    assert unknown == {"plates"} | set(settings.detect_labels) - {"person", "car"}


def test_a_recipe_is_the_same_on_every_machine(settings, tmp_path):
    here = models.detect_params(settings, quiet)
    elsewhere = json.loads(json.dumps(here).replace(str(settings.data_dir), "/somewhere/else"))
    assert here != elsewhere
    digests = {
        Recipe(Step.DETECT, 1, models.without_paths(params), models.model_hashes(params)).digest
        for params in (here, elsewhere)
    }
    assert len(digests) == 1
    assert not any(isinstance(v, float) for spec in models.without_paths(here)["detectors"] for v in spec.values())
    assert models.model_hashes(here) == tuple(sorted(spec["sha256"] for spec in here["detectors"]))


def test_a_model_that_no_catalogue_knows_is_an_error_not_a_gap(settings):
    with pytest.raises(NoDetector, match="in no catalogue"):
        models.detect_params(settings.model_copy(update={"object_model": "no such"}), quiet)


def test_a_model_that_is_not_configured_is_said_to_be_so(settings):
    params = models.detect_params(settings.model_copy(update={"object_model": "", "plate_model": ""}), quiet)
    assert params["not_looked_for"] == [
        {"what": "objects", "reason": models.NOT_CONFIGURED},
        {"what": "plates", "reason": models.NOT_CONFIGURED},
    ]


@pytest.mark.skipif(not (WEIGHTS / "yolo11n.pt").is_file(), reason="no weights in EXHIBIT_MODELS_DIR")
def test_openvino_and_torch_see_the_same(tmp_path):
    line = catalogue()["yolo11n"]
    folder = models.prepared(line.sha256, WEIGHTS / line.file, tmp_path, 0, quiet)
    see = """
import json, sys
from pathlib import Path
import cv2
from detectors import yolo
from detectors.detector import Use
path = Path(sys.argv[1])
picture = cv2.imread(sys.argv[2])[:, :, ::-1].copy()
size = picture.shape[1], picture.shape[0]
use = Use("m", path, 640, 0.5, keep=frozenset({"person"}))
detector = yolo.exported(use, size) if path.is_dir() else yolo.from_weights(use, size, "cpu")
found = detector.detect(picture)
print(json.dumps([detector.runtime, found.label, found.box_xyxy.tolist()]))
"""
    environment = {**os.environ, "YOLO_CONFIG_DIR": str(tmp_path)}
    answers = []
    for path in (folder, WEIGHTS / line.file):
        command = [sys.executable, "-c", see, str(path), str(photograph("zidane.jpg"))]
        told = subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout
        answers.append(json.loads(told.splitlines()[-1]))
    assert answers[0][0].startswith("openvino ")
    assert answers[1][0] == "torch cpu float32"
    assert answers[0][1] == answers[1][1] == ["person", "person"]
    width = cv2.imread(str(photograph("zidane.jpg"))).shape[1]
    for one, other in zip(answers[0][2], answers[1][2], strict=True):
        assert one == pytest.approx(other, abs=0.02 * width)

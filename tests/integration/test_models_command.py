from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest

from cli.main import run
from config.models import catalogue
from detectors import weights


def exhibit(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        run([str(a) for a in arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("EXHIBIT_MODELS_DIR", raising=False)
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def listed(capsys) -> dict[str, dict[str, object]]:
    return {line["name"]: line for line in json.loads(capsys.readouterr().out)}


def test_list_says_what_is_here_and_what_is_used(data, capsys):
    assert exhibit("models", "list", "--json") == 0
    lines = listed(capsys)
    assert set(lines) == set(catalogue())
    assert (lines["centerface"]["state"], lines["centerface"]["used"]) == ("here", True)
    assert (lines["yolo11n"]["state"], lines["yolo11n"]["used"]) == ("not here", False)
    (data / "models").mkdir(parents=True)
    (data / "models" / "yolo11n.pt").write_bytes(b"something else")
    assert exhibit("models", "list", "--json") == 1
    assert listed(capsys)["yolo11n"]["state"] == "another file"
    assert exhibit("models", "list") == 1
    assert "another file" in capsys.readouterr().out


def test_add_takes_the_file_in_and_writes_its_line(data, tmp_path, capsys):
    line = catalogue()["centerface"]
    file = tmp_path / "my-faces.onnx"
    shutil.copyfile(weights.find(line, ()), file)
    assert exhibit("models", "add", file, "--licence", "MIT", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["name"], said["task"], said["sha256"]) == ("my-faces", "faces", line.sha256)
    assert exhibit("models", "list", "--json") == 0
    mine = listed(capsys)["my-faces"]
    assert (mine["state"], mine["format"], mine["licence"]) == ("here", "centerface", "MIT")
    assert Path(str(mine["path"])).read_bytes() == file.read_bytes()
    assert exhibit("models", "add", file) == 3
    assert sorted(p.name for p in (data / "models").iterdir()) == ["models.toml", "my-faces.onnx"]


@pytest.mark.parametrize(
    ("name", "content"), [("x.pt", b"no weights"), ("x.onnx", b"no network"), ("x.onnx", b""), ("x.mp4", b"no model")]
)
def test_what_is_no_model_is_not_taken_in(name, content, data, tmp_path, capsys):
    (tmp_path / name).write_bytes(content)
    assert exhibit("models", "add", tmp_path / name) == 1
    assert not (data / "models").exists()
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-2].startswith(name), "one sentence on what happened, one on what to do"
    assert not any(word in said[-2] for word in ("Error", "Exception", "ERROR")), "in our words"


def test_wrong_use_is_told(data, tmp_path):
    file = weights.find(catalogue()["centerface"], ())
    assert file is not None
    assert exhibit("models", "add", tmp_path / "missing.pt") == 2
    assert exhibit("models", "add", file, "--label", "nonsense") == 2
    assert exhibit("models", "add", file, "--task", "ghosts") == 2
    assert not (data / "models").exists()


def test_fetch_without_a_network_says_what_to_do(data, monkeypatch, capsys):
    def nothing_there(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", nothing_there)
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("YOLO_AUTOINSTALL", "false")
    monkeypatch.setenv("YOLO_CONFIG_DIR", "")
    assert exhibit("models", "fetch", "yolo11n") == 4
    assert "exhibit models add FILE" in capsys.readouterr().err
    assert exhibit("models", "fetch", "yolo-of-dreams") == 2
    assert list((data / "models").iterdir()) == []

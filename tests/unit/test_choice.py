"""Which network runs on a kind of processor: how it is decided, kept, read and refused; and what a network says of itself.

The networks are tiny ones, made of OpenVINO's own operations.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from detectors import choice, device, weights
from detectors.network import Network, runtime, write
from detectors.optimise import INT8, decide, fastest_float
from evidence.errors import Unavailable, WrongWeights
from media.examples import Example
from workers.tasks.optimise import split

CHOICE = {"model": "tiny", "sha256": "a" * 64, "precision": "int8+f32"}


def tiny(*, in_eight_bits: bool = False) -> openvino.Model:
    given = ops.parameter([1, 3, -1, -1], np.float32, name="given")
    seen = given
    if in_eight_bits:
        low, high = (np.array(value, np.float32) for value in (0, 255))
        seen = ops.fake_quantize(given, low, high, low, high, levels=256)
    answer = ops.reduce_mean(seen, np.array([2, 3]), keep_dims=False)
    return openvino.Model([answer], [given], "tiny")


def made(folder: Path, **kind: bool) -> Path:
    """A folder as PREPARE makes them."""
    folder.mkdir(parents=True)
    write(tiny(**kind), folder / "model.xml")
    files = {name: weights.sha256_of(folder / name) for name in ("model.xml", "model.bin")}
    (folder / weights.ABOUT).write_text(json.dumps({"classes": ["face"], "files": files}), "utf-8")
    return folder


def test_a_network_says_in_what_it_is_computed(tmp_path: Path) -> None:
    for name, model, precision in (
        ("usual", tiny(), None),
        ("f32", tiny(), "f32"),
        ("int8", tiny(in_eight_bits=True), "f32"),
    ):
        write(model, tmp_path / f"{name}.xml", precision)
    ran = {name: Network(tmp_path / f"{name}.xml", (64, 32)) for name in ("usual", "f32", "int8")}
    own = str(runtime().compile_model(tiny(), "CPU").get_property("INFERENCE_PRECISION_HINT").to_string())
    assert {name: network.precision for name, network in ran.items()} == {"usual": own, "f32": "f32", "int8": "int8+f32"}
    picture = np.full((32, 64, 3), 7, np.uint8)
    for network in ran.values():
        assert next(iter(network.run(picture).values())).ravel() == pytest.approx([7, 7, 7], abs=0.1)


def test_int8_is_chosen_only_where_it_is_faster_and_known_to_cost_little() -> None:
    def figures(lost: float | None) -> dict[str, object]:
        return {"lost": lost, "boxes": 85}

    assert decide(20, 10, "f32", figures(0.004)) == (INT8, "faster, and loses 0.004 of mAP50-95")
    assert decide(20, 10, "f32", figures(-0.002)) == (INT8, "faster, and loses 0.000 of mAP50-95")
    assert decide(20, 10, "f32", figures(0.01))[0] == INT8
    assert decide(20, 10, "f32", figures(0.0101))[0] == "f32"
    assert decide(20, 10, "f32", figures(None))[0] == "f32"
    assert decide(20, 19.8, "bf16", figures(0.0)) == ("bf16", "int8 is not faster here")


def test_the_processors_own_float_is_kept_unless_the_other_is_clearly_faster() -> None:
    assert fastest_float({"bf16": 10.0, "f32": 9.9, INT8: 1.0}, "bf16") == "bf16"
    assert fastest_float({"bf16": 10.0, "f32": 8.0, INT8: 1.0}, "bf16") == "f32"
    assert fastest_float({"f32": 8.0, INT8: 1.0}, "f32") == "f32"


def test_what_is_judged_by_is_of_other_files_than_what_is_calibrated_on() -> None:
    def some(**files: int) -> list[Example]:
        return [Example(file, np.zeros((1, 1, 3), np.uint8), 1.0) for file, many in files.items() for _ in range(many)]

    def told(**files: int) -> list[dict[str, int]]:
        return [{e.file: [o.file for o in part].count(e.file) for e in part} for part in split(some(**files))]

    assert told(a=48, b=48) == [{"a": 48}, {"b": 48}]
    assert told(a=30, b=1, c=1, d=30) == [{"a": 30}, {"b": 1, "c": 1, "d": 30}]
    assert [len(part) for part in split(some(**{f"p{i:02}": 1 for i in range(30)}))] == [20, 10]
    assert told(a=30) == [{"a": 20}, {"a": 10}], "one file: its later part"
    assert told(a=30, b=1) == [{"a": 20}, {"a": 10, "b": 1}], "one picture judges nothing"


def test_a_choice_is_kept_for_the_weights_and_the_kind_of_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choice.read(tmp_path, CHOICE["sha256"]) is None
    kept = choice.keep(tmp_path, CHOICE, made(tmp_path / "made"))
    assert choice.read(tmp_path, CHOICE["sha256"]) == kept
    folder = choice.network(tmp_path, kept)
    assert folder is not None
    weights.check_prepared(folder, kept["network_sha256"])
    assert choice.read(tmp_path, "b" * 64) is None

    first = folder
    again = choice.keep(tmp_path, CHOICE, made(tmp_path / "other", in_eight_bits=True))
    assert choice.network(tmp_path, again) != first
    assert first.is_dir(), "what ran once can be run again, also by who is at it now"
    plain = choice.keep(tmp_path, CHOICE, None)
    assert choice.read(tmp_path, CHOICE["sha256"]) == plain
    assert choice.network(tmp_path, plain) is None

    monkeypatch.setattr(choice, "processor", lambda: "another one")
    assert choice.read(tmp_path, CHOICE["sha256"]) is None


def test_a_damaged_network_is_refused_and_made_anew(tmp_path: Path) -> None:
    copy = shutil.copytree(made(tmp_path / "made"), tmp_path / "copy")
    kept = choice.keep(tmp_path, CHOICE, tmp_path / "made")
    folder = choice.network(tmp_path, kept)
    assert folder is not None
    (folder / "model.xml").write_text("<net>evil</net>")
    with pytest.raises(WrongWeights, match="the network that was measured for tiny is damaged"):
        choice.network(tmp_path, kept)
    assert choice.network(tmp_path, choice.keep(tmp_path, CHOICE, copy)) == folder
    for place in tmp_path.glob("*.json"):
        place.write_text("{", "utf-8")
    with pytest.raises(WrongWeights, match="can't be read"):
        choice.read(tmp_path, CHOICE["sha256"])


def test_without_nncf_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(Unavailable, match="NNCF, which is not installed") as refused:
        choice.check_installed()
    assert "requirements/optimise.txt" in refused.value.hint


def test_the_kind_of_processor_is_told_the_same_each_time() -> None:
    assert device.processor() == device.processor()
    assert len(device.processor().split(", ")) > 1

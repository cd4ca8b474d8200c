"""PREPARE: ultralytics weights become an OpenVINO network that any later run reads without torch.

Input `weights`; param `sha256` (checked before the file is loaded, because loading runs code that lies in it).
In `out`: model.xml, model.bin and model.json ({"classes", "task", "exporter", "files": {name: sha256}}).
Result: what model.json says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detectors import weights, yolo
from evidence.ports import Progress


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    weights.check(inputs["weights"], params["sha256"])
    progress(0, 1)
    about = yolo.export(inputs["weights"], out)
    about["files"] = {name: weights.sha256_of(out / name) for name in ("model.xml", "model.bin")}
    (out / "model.json").write_text(json.dumps(about, ensure_ascii=False, indent=1), "utf-8")
    progress(1, 1)
    return about

"""The model catalogue: which weights are known, and by which SHA-256.

Shipped lines are in `models.toml`; an operator's own lines are in DATA/models/models.toml and win.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from evidence.errors import BadInput

_SHIPPED = Path(__file__).with_name("models.toml")


class ModelTask(StrEnum):
    OBJECTS = "objects"
    FACES = "faces"
    PLATES = "plates"


class ModelFormat(StrEnum):
    """How a file is run: ultralytics weights, or one of the fixed ONNX face networks."""

    ULTRALYTICS = "ultralytics"
    YUNET = "yunet"
    CENTERFACE = "centerface"


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One catalogue entry. `labels` maps the model's class names to ours; classes not named are kept as they are."""

    name: str
    task: ModelTask
    format: ModelFormat
    file: str
    sha256: str
    source: str
    licence: str
    input_size: int
    """Pixels of the longer side of the model's input."""
    threshold: float
    """Score from which a detection starts a track."""
    low_threshold: float
    """Score from which a detection may continue one."""
    labels: dict[str, str]


def catalogue(folders: tuple[Path, ...] = ()) -> dict[str, ModelLine]:
    """All known models by name; lines in a folder's `models.toml` replace shipped ones.

    Raises: BadInput for a catalogue file that can't be understood.
    """
    lines: dict[str, ModelLine] = {}
    for path in (_SHIPPED, *(f / "models.toml" for f in reversed(folders))):
        if not path.exists():
            continue
        try:
            for name, entry in tomllib.loads(path.read_text("utf-8")).items():
                lines[name] = ModelLine(
                    name=name,
                    task=ModelTask(entry["task"]),
                    format=ModelFormat(entry["format"]),
                    file=entry["file"],
                    sha256=entry["sha256"],
                    source=entry["source"],
                    licence=entry["licence"],
                    input_size=entry["input_size"],
                    threshold=entry["threshold"],
                    low_threshold=entry["low_threshold"],
                    labels=dict(entry.get("labels", {})),
                )
        except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError) as exc:
            raise BadInput(
                f"the model catalogue {path} can't be read: {exc}",
                hint="Correct the line, or take it out and use: exhibit models add FILE",
            ) from exc
    return lines

"""The model catalogue: which weights are known, and by which SHA-256.

Shipped lines are in `models.toml`; an operator's own lines are in DATA/models/models.toml and win.
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from evidence.errors import BadInput, Conflict

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
class SecondLook:
    """How a model looks at a redacted copy: its thresholds are others, as one false alarm there is work for a person."""

    input_size: int
    low_threshold: float
    """Score from which a sight counts: two in a row are a finding."""
    threshold: float
    """Score from which a single sight is a finding."""


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
    second_look: SecondLook | None = None
    """None: as the first look, with a score that starts a track as the one that counts."""


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
                    second_look=SecondLook(**entry["second_look"]) if "second_look" in entry else None,
                )
        except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError) as exc:
            raise BadInput(
                f"the model catalogue {path} can't be read: {exc}",
                hint="Correct the line, or take it out and use: exhibit models add FILE",
            ) from exc
    return lines


def add_line(folder: Path, line: ModelLine) -> Path:
    """Write one more operator's line into the folder's models.toml, whole or not at all; the file that it is in.

    Raises: Conflict when the file has a line of that name already.
    """
    path = folder / "models.toml"
    before = path.read_text("utf-8") if path.exists() else ""
    if line.name in tomllib.loads(before):
        raise Conflict(
            f"{path} has a line {line.name!r} already", hint="Take that line out first, or give another name with --name."
        )
    # JSON's text, numbers and lists are TOML's too.
    entries = {
        "task": line.task.value,
        "format": line.format.value,
        "file": line.file,
        "sha256": line.sha256,
        "source": line.source,
        "licence": line.licence,
        "input_size": line.input_size,
        "threshold": line.threshold,
        "low_threshold": line.low_threshold,
    }
    labels = ", ".join(f"{json.dumps(ours)} = {json.dumps(theirs)}" for ours, theirs in sorted(line.labels.items()))
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in entries.items()) + f"labels = {{ {labels} }}\n"
    after = f"{before.rstrip()}\n\n[{json.dumps(line.name)}]\n{text}".lstrip()
    folder.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".new")
    with written.open("w", encoding="utf-8") as file:
        file.write(after)
        file.flush()
        os.fsync(file.fileno())
    written.replace(path)
    return path

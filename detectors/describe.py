"""What a model file is, asked of the file itself. Loading ultralytics weights runs code in them: only in a child."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config.models import ModelFormat, ModelTask
from evidence.errors import WrongWeights

_FACE_WORDS = ("face", "head")
_PLATE_WORDS = ("plate", "number_plate", "licence", "license")


def describe(path: Path) -> dict[str, Any]:
    """`format`, `task` and `classes` of a model file, the task guessed from the classes' names.

    Raises: WrongWeights for a file that nothing here can run.
    """
    if path.suffix.lower() == ".onnx":
        kind = _onnx_format(path)
        return {"format": kind.value, "task": ModelTask.FACES.value, "classes": ["face"]}
    if path.suffix.lower() != ".pt":
        raise WrongWeights(
            f"{path.name} is no model file by its name",
            hint="Give ultralytics weights (.pt), or YuNet or CenterFace (.onnx).",
        )
    from detectors.yolo import classes_of

    classes = classes_of(path)
    return {"format": ModelFormat.ULTRALYTICS.value, "task": guess_task(classes).value, "classes": list(classes)}


def guess_task(classes: tuple[str, ...]) -> ModelTask:
    """By the names: all of them faces, all of them plates, or else objects."""
    words = [name.lower().replace("-", "_").replace(" ", "_") for name in classes]
    if words and all(any(part in word for part in _FACE_WORDS) for word in words):
        return ModelTask.FACES
    if words and all(any(part in word for part in _PLATE_WORDS) for word in words):
        return ModelTask.PLATES
    return ModelTask.OBJECTS


def _onnx_format(path: Path) -> ModelFormat:
    from detectors.network import runtime

    try:
        model = runtime().read_model(path)
    except RuntimeError as exc:
        raise WrongWeights(
            f"{path.name} is no ONNX network that can be read: it is cut off, damaged or something else",
            hint="Copy it again from where it came from, and compare its SHA-256 with the one that is told there.",
        ) from exc
    names = {name for output in model.outputs for name in output.get_names()}
    if {"cls_8", "obj_8", "bbox_8"} <= names:
        return ModelFormat.YUNET
    if {"537", "538", "539", "540"} <= names:
        return ModelFormat.CENTERFACE
    raise WrongWeights(
        f"{path.name} is neither YuNet nor CenterFace", hint="Give ultralytics weights (.pt), or one of these two as ONNX."
    )

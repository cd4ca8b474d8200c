"""Any ultralytics detection weights: torch on a GPU, OpenVINO on a processor.

On a processor the weights were exported once (`export`, in a process of its own); running them never loads torch.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detectors.boxes import suppress
from detectors.detector import NOTHING, STRIDE, Found, Letterbox, Picture, Use, View, letterbox, whole_look
from detectors.plan import EVERY_FRAME, Due, Now, Record, Stride
from evidence.errors import WrongWeights

PADDING = 114
"""The grey that ultralytics pads with in training."""
SCALE = 255.0
"""What stands for 1 in a picture: the networks take shares."""
STRIDE_WHEN_CALM = Stride(4, Fraction(1, 6))
_IOU = 0.6
_MOST = 300
_CANDIDATES = 5000
_NOT_WEIGHTS = (
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    ImportError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)
"""What loading a file that holds something else has been seen to raise."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a model's answer is to be read: our label for each class, and the least score worth keeping."""

    labels: tuple[str, ...]
    wanted: frozenset[str]
    threshold: float


class _Forward(Protocol):
    runtime: str

    def run(self, picture: Picture) -> npt.NDArray[np.float32]: ...


class Yolo:
    """A YOLO detector for pictures of one shape."""

    def __init__(self, use: Use, classes: tuple[str, ...], forward: _Forward, fit: Letterbox) -> None:
        labels = use.labels(classes)
        wanted = use.keep if use.keep is not None else frozenset(labels)
        self.name = use.name
        self.labels = tuple(label for label in dict.fromkeys(labels) if label in wanted)
        self.runtime = forward.runtime
        self._forward, self._fit = forward, fit
        self._reading = Reading(labels, wanted, use.threshold)
        self.looks = Record()
        # What a redaction hides by itself, faces and plates, is looked for in every frame.
        self._stride = EVERY_FRAME if use.single_label else STRIDE_WHEN_CALM
        self.begin()

    @property
    def picture_wh(self) -> tuple[int, int]:
        return self._fit.inner_wh

    def detect(self, picture: Picture) -> Found:
        box, score, group, label = read_output(self._forward.run(self._fit.fill(picture)), self._reading)
        if not len(score):
            return NOTHING
        kept = suppress(box, score, group, _IOU, _MOST)
        height, width = picture.shape[:2]
        return Found(self._fit.back(box[kept], (width, height)), score[kept], tuple(label[i] for i in kept))

    def begin(self) -> None:
        self._due = Due(self._stride)

    def look(self, view: View, now: Now) -> Found:
        if not self._due.at(now):
            return NOTHING
        self.looks.add("whole", self._fit.inner_wh, now.number)
        found = whole_look(self, view)
        self._due.saw(now, found.box_xyxy)
        return found


def read_output(
    output: npt.NDArray[np.float32], reading: Reading
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64], list[str]]:
    """Boxes (xyxy, in input pixels), scores, class numbers and labels above the threshold, of the wanted labels.

    Shape: `output`: (1, 4 + classes, cells) with centre, size and a score per class; or (1, n, 6) with corners, score
        and class, as end-to-end models answer.
    """
    classes = len(reading.labels)
    wanted = np.array([label in reading.wanted for label in reading.labels])
    if output.shape[1] == 4 + classes:
        scores = output[0, 4:] * wanted[:, None]
        group = scores.argmax(axis=0)
        score = scores[group, np.arange(scores.shape[1])]
        cell = np.flatnonzero(score >= reading.threshold)
        cell = cell[np.argsort(-score[cell], kind="stable")[:_CANDIDATES]]
        x, y, w, h = output[0, :4, cell].T
        box = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
        score, group = score[cell], group[cell]
    elif output.shape[2] == 6:
        rows = output[0]
        rows = rows[(rows[:, 4] >= reading.threshold) & wanted[rows[:, 5].astype(np.int64)]]
        box, score, group = rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64)
    else:
        raise WrongWeights(f"the model answers in a form that is not read here: {output.shape}, {classes} classes")
    return box.astype(np.float32), score.astype(np.float32), group, [reading.labels[i] for i in group]


class _OnProcessor:
    def __init__(self, path: Path, input_wh: tuple[int, int]) -> None:
        from detectors.network import Network

        self._network = Network(path, input_wh, scale=SCALE)
        self.runtime = f"openvino {self._network.precision}"

    def run(self, picture: Picture) -> npt.NDArray[np.float32]:
        return next(iter(self._network.run(picture).values()))


class _OnGpu:
    def __init__(self, model: Any, device: str) -> None:
        import torch

        self._torch, self._device = torch, torch.device(device)
        self._half = self._device.type == "cuda"
        self._model = (model.half() if self._half else model.float()).to(self._device).eval()
        self.runtime = f"torch {device} {'float16' if self._half else 'float32'}"

    def run(self, picture: Picture) -> npt.NDArray[np.float32]:
        with self._torch.inference_mode():
            tensor = self._torch.from_numpy(picture).to(self._device).permute(2, 0, 1)[None]
            output = self._model((tensor.half() if self._half else tensor.float()) / 255)
            output = output[0] if isinstance(output, (tuple, list)) else output
            answer: npt.NDArray[np.float32] = output.float().cpu().numpy()
            return answer


def exported(use: Use, size_wh: tuple[int, int]) -> Yolo:
    """The detector in a folder that PREPARE made, run on the processor."""
    fit = letterbox(size_wh, use.longest, PADDING)
    classes = tuple(json.loads((use.path / "model.json").read_text("utf-8"))["classes"])
    return Yolo(use, classes, _OnProcessor(use.path / "model.xml", fit.outer_wh), fit)


def from_weights(use: Use, size_wh: tuple[int, int], device: str = "cuda:0") -> Yolo:
    """The detector of a weights file, run by torch."""
    model = _load(use.path)
    return Yolo(
        use, _classes(model), _OnGpu(model.model.fuse(verbose=False), device), letterbox(size_wh, use.longest, PADDING)
    )


def export(path: Path, out: Path) -> dict[str, Any]:
    """Write model.xml and model.bin (for OpenVINO, any input shape) into `out`; give what is to be known about them.

    Loading weights runs code that lies in them: only in a child, and only after their SHA-256 was checked.

    Raises: WrongWeights for a file that is no ultralytics detection model.
    """
    import ultralytics

    from detectors.network import let_convert

    let_convert()
    weights = out / "weights.pt"
    shutil.copyfile(path, weights)
    model = _load(weights)
    folder = Path(model.export(format="openvino", imgsz=10 * STRIDE, dynamic=True, verbose=False))
    for kind in ("xml", "bin"):
        next(folder.glob(f"*.{kind}")).rename(out / f"model.{kind}")
    shutil.rmtree(folder)
    weights.unlink()
    return {
        "classes": list(_classes(model)),
        "task": str(model.task),
        "exporter": f"ultralytics {ultralytics.__version__}",
    }


def classes_of(path: Path) -> tuple[str, ...]:
    """The names of what the weights find. Runs code that lies in them.

    Raises: WrongWeights for a file that is no ultralytics detection model.
    """
    return _classes(_load(path))


def _load(path: Path) -> Any:
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    from ultralytics import YOLO

    try:
        model = YOLO(str(path), verbose=False)
    except _NOT_WEIGHTS as exc:
        raise WrongWeights(
            f"{path.name} can't be loaded as ultralytics weights: it is cut off, damaged or something else",
            hint="Copy it again from where it came from, and compare its SHA-256 with the one that is told there.",
        ) from exc
    if model.task != "detect":
        raise WrongWeights(f"{path.name} is a model for the task {model.task!r}", hint="Use detection weights.")
    return model


def _classes(model: Any) -> tuple[str, ...]:
    return tuple(str(model.names[i]) for i in sorted(model.names))

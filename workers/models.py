"""Which models a DETECT run uses, made ready for this machine; the worker's side.

`detect_params` gives the task's parameters; `model_hashes` and `without_paths` what a Recipe keeps of them.
Weights for a processor are exported once per file, under a lock, in a child of their own (the task `prepare`), and
kept under DATA/cache/models/: the detecting child only reads them, and never loads torch.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from config.models import ModelFormat, ModelLine, ModelTask, SecondLook, catalogue
from config.settings import Settings
from detectors import choice, weights
from detectors.device import has_gpu
from evidence.errors import NoDetector, WrongWeights
from evidence.ports import Progress
from evidence.redaction import Redaction
from evidence.wire import redaction_to_json
from workers import child

NO_WEIGHTS = "not analysed: no weights"
NOT_CONFIGURED = "not analysed: no model is configured"
_LOOKED_TWICE = {"face": ModelTask.FACES, "licence plate": ModelTask.PLATES}
_PREPARE_VERSION = 1
"""Raised when what the task `prepare` writes changes."""
_PREPARE_TIMEOUT_S = 1800


def detect_params(
    settings: Settings, progress: Progress, tasks: frozenset[ModelTask] = frozenset(ModelTask)
) -> dict[str, Any]:
    """`detectors`, `keep` and `not_looked_for` for the task `detect`; without `segment` and `original`'s stream.

    A model that isn't there is a line in `not_looked_for`, never an error and never silence.

    Raises: WrongWeights when a model file is there but isn't the one in the catalogue; StepFailed, Cancelled from
        preparing one.
    """
    lines = catalogue(settings.model_folders)
    found: list[dict[str, Any]] = []
    missing: list[dict[str, str]] = []
    for task in ModelTask:
        if task not in tasks:
            continue
        names = _configured(settings)[task]
        chosen = _first_there(lines, names, settings.model_folders)
        if chosen is None:
            missing.append({"what": task.value, "reason": NO_WEIGHTS if names else NOT_CONFIGURED})
        else:
            found.append(spec(*chosen, settings, progress))
    return {"detectors": found, "keep": list(settings.detect_labels), "not_looked_for": missing}


def second_look_params(
    settings: Settings, progress: Progress, redaction: Redaction, looked_first: Collection[str]
) -> dict[str, Any]:
    """`redaction`, `detectors` and `not_looked_for` for the task `second_look` at a copy made by `redaction`.

    Faces and plates are looked for, each by another model than those in `looked_first` (names) where there is one; else
    by the same, mirrored. No detector: there is nothing to look for, as only chosen tracks or people are hidden.

    Raises: as `detect_params`.
    """
    labels = frozenset() if redaction.only_tracks else redaction.labels
    tasks = {task for label, task in _LOOKED_TWICE.items() if label in labels}
    lines = catalogue(settings.model_folders)
    found: list[dict[str, Any]] = []
    missing: list[dict[str, str]] = []
    for task in sorted(tasks):
        listed = (n for n in settings.second_look_models if n not in lines or lines[n].task is task)
        others = tuple(name for name in listed if name not in looked_first)
        chosen = _first_there(lines, others, settings.model_folders)
        chosen = chosen or _first_there(lines, _configured(settings)[task], settings.model_folders)
        if chosen is None:
            missing.append({"what": task.value, "reason": NO_WEIGHTS})
            continue
        line, path = chosen
        own = line.second_look or SecondLook(line.input_size, line.threshold, (1 + line.threshold) / 2)
        found.append({**spec(line, path, settings, progress), **asdict(own), "mirrored": line.name in looked_first})
    return {"redaction": redaction_to_json(redaction), "detectors": found, "not_looked_for": missing}


def available(settings: Settings, task: ModelTask) -> ModelLine:
    """The model that would be used. Raises: NoDetector when there is none, WrongWeights."""
    chosen = _first_there(catalogue(settings.model_folders), _configured(settings)[task], settings.model_folders)
    if chosen is None:
        raise NoDetector(f"no model for {task.value} is here")
    return chosen[0]


def model_hashes(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The SHA-256 of each model's weights, for the Recipe."""
    return tuple(sorted(spec["sha256"] for spec in params["detectors"]))


def without_paths(params: Mapping[str, Any]) -> dict[str, Any]:
    """The same parameters without what differs from machine to machine, and scores as text, for the Recipe."""
    here_only = {"path", "file_sha256", "runtime", "classes"}
    specs = [
        {k: str(v) if isinstance(v, float) else v for k, v in s.items() if k not in here_only} for s in params["detectors"]
    ]
    return {**params, "detectors": specs}


def _configured(settings: Settings) -> dict[ModelTask, tuple[str, ...]]:
    return {
        ModelTask.OBJECTS: (settings.object_model,) if settings.object_model else (),
        ModelTask.FACES: settings.face_models,
        ModelTask.PLATES: (settings.plate_model,) if settings.plate_model else (),
    }


def in_use(settings: Settings) -> list[tuple[ModelLine, Path]]:
    """Every model that looks with these settings, first or at a copy, and its weights.

    Raises: NoDetector for a name that is in no catalogue; WrongWeights.
    """
    lines = catalogue(settings.model_folders)
    of_task = _configured(settings)
    second = [[n for n in settings.second_look_models if n in lines and lines[n].task is task] for task in ModelTask]
    found = [_first_there(lines, tuple(names), settings.model_folders) for names in (*of_task.values(), *second)]
    return list({one[0].name: one for one in found if one is not None}.values())


def _first_there(
    lines: Mapping[str, ModelLine], names: tuple[str, ...], folders: tuple[Path, ...]
) -> tuple[ModelLine, Path] | None:
    for name in names:
        if name not in lines:
            raise NoDetector(
                f"the model {name!r} is in no catalogue", hint="See exhibit models list, or correct the settings."
            )
        path = weights.find(lines[name], folders)
        if path is not None:
            return lines[name], path
    return None


def spec(line: ModelLine, path: Path, settings: Settings, progress: Progress, *, measured: bool = True) -> dict[str, Any]:
    """One entry of the task's `detectors`; `classes` in our words where they are known without loading the model.

    `path` is the weights'. `measured`: on a processor, with the network that `exhibit models optimise` chose for it.
    Raises: WrongWeights; StepFailed, Cancelled.
    """
    runtime, file_sha256, classes, cache = "openvino", line.sha256, [], settings.cache_dir / "models"
    if line.format is ModelFormat.ULTRALYTICS:
        if has_gpu():
            runtime = "torch"
        else:
            path = prepared(line.sha256, path, cache, settings.child_memory_bytes, progress)
            file_sha256 = weights.sha256_of(path / weights.ABOUT)
            classes = [line.labels.get(name, name) for name in prepared_classes(path)]
    if runtime == "openvino" and measured and (chosen := choice.read(cache, line.sha256)) is not None:
        network = choice.network(cache, chosen)
        if network is not None:
            path, file_sha256 = network, chosen["network_sha256"]
    return {
        "name": line.name,
        "task": line.task.value,
        "format": line.format.value,
        "runtime": runtime,
        "path": str(path),
        "sha256": line.sha256,
        "file_sha256": file_sha256,
        "licence": line.licence,
        "input_size": line.input_size,
        "threshold": line.threshold,
        "low_threshold": line.low_threshold,
        "labels": line.labels,
        "classes": classes,
    }


def prepared(sha256: str, path: Path, cache: Path, memory_bytes: int, progress: Progress) -> Path:
    """The folder with these weights as an OpenVINO network; made by a child the first time.

    Whoever comes second waits for the first. A folder whose files are not what was written is made anew.
    """
    folder = cache / f"{sha256}-{_PREPARE_VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with alone(cache / f"{sha256}.lock"):
        if _whole(folder):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".preparing-") as scratch:
            out = Path(scratch) / "out"
            out.mkdir()
            limits = child.Limits(memory_bytes=memory_bytes, timeout_s=_PREPARE_TIMEOUT_S, silence_s=0)
            child.run(child.Job("prepare", {"weights": path}, out, {"sha256": sha256}), limits, lambda *_: progress(0, 0))
            out.rename(folder)
    if not _whole(folder):
        raise WrongWeights(
            f"the prepared copy of {path.name} in {folder} is damaged", hint="Remove that folder, then retry."
        )
    return folder


def prepared_classes(folder: Path) -> list[str]:
    """The model's own names of what it finds, as PREPARE wrote them."""
    classes: list[str] = json.loads((folder / weights.ABOUT).read_text("utf-8"))["classes"]
    return classes


def _whole(folder: Path) -> bool:
    about = folder / weights.ABOUT
    if not about.is_file():
        return False
    files: dict[str, str] = json.loads(about.read_text("utf-8"))["files"]
    return all((folder / name).is_file() and weights.sha256_of(folder / name) == sha for name, sha in files.items())


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Whoever makes something of a model holds its lock; the others wait."""
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

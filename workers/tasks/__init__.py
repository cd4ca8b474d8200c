"""What a media child does: one function per task, files in, files out, no keys and no network.

    name          inputs                          outputs in `out`
    probe         original                        (result: MediaInfo as JSON)
    proxy         original                        proxy.mp4, poster.jpg
    locate        original, sidecars, tracks.json telemetry-<n>.parquet, seconds-<n>.npz, located.npz
    telemetry     original                        telemetry-<n>.parquet
    describe      weights                         (result: what the model file is)
    prepare       weights                         model.xml, model.bin, model.json
    optimise      weights, frames                 int8/ and f32/, each as prepare writes them
    detect        original                        raw.parquet
    track         raw-0.parquet, raw-1.parquet …  tracks.json, tracks.mot.txt, detections.parquet, doubts.json
    thumbnails    original, tracks.json           track-<id>.jpg
    annotate      original, tracks.json           annotated.mp4
    redact        original, tracks.json           redacted.mp4, report.json
    second_look   copy, tracks.json               finding-<id>.jpg, tracks.json
    single_pass   original                        redacted.mp4, tracks.json, report.json
    clip          source                          clip.mp4
    sheet         named videos, tracks.json       sheet.jpg
    judge         original, copy, truth           (result: what is left open in the copy)

`workers.child` starts a process that runs exactly one of them. Parameters and results are JSON values.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evidence.ports import Progress

Task = Callable[[Mapping[str, Path], Mapping[str, Any], Path, Progress], dict[str, Any]]

TASKS = (
    "probe",
    "proxy",
    "locate",
    "telemetry",
    "describe",
    "prepare",
    "optimise",
    "detect",
    "track",
    "thumbnails",
    "annotate",
    "redact",
    "single_pass",
    "second_look",
    "clip",
    "sheet",
    "judge",
)


def task(name: str) -> Task:
    """The function of a task, imported only now: a probe must not load what a detector needs."""
    if name not in TASKS:
        raise ValueError(f"no such task: {name}")
    run: Task = importlib.import_module(f"workers.tasks.{name}").run
    return run

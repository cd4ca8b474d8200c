"""The process that touches media: one task, its inputs, read-only models, one output folder; no keys.

The worker (which holds the keys) starts it, listens to its progress, and publishes what it made. The child
dies with its worker. There is one place where a sandbox goes around it: `_command`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence.ports import Progress


@dataclass(frozen=True, slots=True)
class Job:
    """One call of a task; see `workers.tasks` for names, inputs and outputs."""

    task: str
    inputs: Mapping[str, Path]
    out: Path
    """An empty folder that exists; everything the task makes lies in it."""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """0 means no limit (RLIMIT_AS breaks CUDA)."""

    memory_bytes: int = 0
    cpu_s: int = 0
    timeout_s: int = 14_400


def run(job: Job, limits: Limits, progress: Progress) -> dict[str, Any]:
    """Run the task in a child process and give its result.

    `progress` is called in this process; when it raises (Cancelled, Fenced), the child is ended first.

    Raises: the task's own ExhibitError (UnsupportedMedia, CorruptMedia, NoDetector, WrongWeights, NoSpace …) as it
        was raised in the child; StepFailed, with `log_tail` and `killed`, when it died without one.
    """
    raise NotImplementedError

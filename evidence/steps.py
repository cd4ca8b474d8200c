"""The job graph as data: which step needs which, and what is ready when others are done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from evidence.exhibit import ExhibitId, FileType, Segment

StepRunId = NewType("StepRunId", str)


class Step(StrEnum):
    PROBE = "probe"
    PROXY = "proxy"
    LOCATE = "locate"
    DETECT = "detect"
    TRACK = "track"
    INDEX = "index"
    ANNOTATE = "annotate"
    REDACT = "redact"
    CLIP = "clip"
    EXPORT = "export"


class StepState(StrEnum):
    WAITING = "waiting"
    """Only ever shown, never stored: a step whose needs are not met has no row yet."""
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    QUARANTINED = "quarantined"
    """Three attempts were killed while it ran: a person must look before it runs again."""


ENDED = frozenset({StepState.DONE, StepState.FAILED, StepState.CANCELLED, StepState.QUARANTINED})

VERSION: dict[Step, int] = {**dict.fromkeys(Step, 1), Step.LOCATE: 2, Step.DETECT: 4, Step.TRACK: 5, Step.REDACT: 3}
"""Raised when a step's result changes for the same input; part of the recipe."""

NEEDS: dict[Step, frozenset[Step]] = {
    Step.PROBE: frozenset(),
    Step.PROXY: frozenset({Step.PROBE}),
    Step.LOCATE: frozenset({Step.PROBE}),
    Step.DETECT: frozenset({Step.PROBE}),
    Step.TRACK: frozenset({Step.DETECT}),
    Step.INDEX: frozenset({Step.TRACK}),
    Step.ANNOTATE: frozenset({Step.TRACK}),
    Step.REDACT: frozenset({Step.TRACK}),
}
"""The graph of automatic steps. CLIP and EXPORT start when a person asks and need no entry."""

AGAIN_AFTER: dict[Step, frozenset[Step]] = {Step.LOCATE: frozenset({Step.TRACK})}
"""Steps that don't wait for another, and run again when it has ended: places are there at once, and with the tracks later
what was seen is placed too."""

SIDECARS = frozenset({FileType.TELEMETRY, FileType.SUBTITLES})
"""Files that are read for the places in them, and for nothing else."""


class Priority(StrEnum):
    """Within urgent cases and within the others: new evidence first, then what was asked for again."""

    NEW = "new"
    RERUN = "rerun"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a step's output besides the original itself.

    Same recipe, same key: never run twice, and a court can read what was run.
    """

    step: Step
    version: int
    params: Mapping[str, Any]
    models: tuple[str, ...] = ()
    """SHA-256 of each model file, sorted."""

    @property
    def digest(self) -> str:
        """The first 16 hex digits of the SHA-256 over sorted, compact JSON."""
        text = json.dumps(
            {"step": self.step.value, "version": self.version, "params": dict(self.params), "models": sorted(self.models)},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step of one exhibit (or, for EXPORT, of one case), as its row stands."""

    id: StepRunId
    exhibit_id: ExhibitId | None
    case_id: str | None
    step: Step
    segment: int
    """Number of the video segment for DETECT; 0 otherwise."""
    params: Mapping[str, Any]
    state: StepState
    attempt: int
    """The fence: only the worker that holds this number may write the result."""
    killed: int
    """Attempts that ended without a word (the worker died)."""
    recipe: str
    progress_done: int
    progress_total: int
    note: str
    error: str
    hint: str
    log_tail: str
    worker: str
    requested_by: str
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A step run that should exist now."""

    step: Step
    segment: int = 0
    params: Mapping[str, Any] | None = None


def next_steps(
    file_type: FileType,
    segments: tuple[Segment, ...],
    has_video: bool,
    done: frozenset[tuple[Step, int]],
    there: frozenset[tuple[Step, int]],
) -> tuple[Wanted, ...]:
    """Steps to start now, given those `done` and those already `there` (as (step, segment) pairs).

    Only video with frames that decode is analysed; a sidecar is only read for its places.
    """
    if file_type in SIDECARS:
        return () if (Step.LOCATE, 0) in there else (Wanted(Step.LOCATE),)
    wanted: list[Wanted] = []
    if (Step.PROBE, 0) not in there:
        wanted.append(Wanted(Step.PROBE))
    if (Step.PROBE, 0) not in done or not has_video:
        return tuple(wanted)
    pieces = [s.number for s in segments] or [0]
    if (Step.PROXY, 0) not in there:
        wanted.append(Wanted(Step.PROXY))
    if (Step.LOCATE, 0) not in there:
        wanted.append(Wanted(Step.LOCATE))
    wanted += [Wanted(Step.DETECT, n) for n in pieces if (Step.DETECT, n) not in there]
    if all((Step.DETECT, n) in done for n in pieces) and (Step.TRACK, 0) not in there:
        wanted.append(Wanted(Step.TRACK))
    for step in (Step.INDEX, Step.ANNOTATE, Step.REDACT):
        if (Step.TRACK, 0) in done and (step, 0) not in there:
            wanted.append(Wanted(step))
    return tuple(wanted)

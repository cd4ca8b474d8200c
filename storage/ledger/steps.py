"""The step rows: claim, progress, finish, retry, cancel. The row is the truth; a ring means only *there is work*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from evidence.case import User
from evidence.exhibit import Condition, ExhibitId, MediaInfo
from evidence.steps import Priority, Step, StepRun, StepRunId
from evidence.track import Track
from storage.ledger.writer import Writer


@dataclass(frozen=True, slots=True)
class NewOutput:
    """An object already stored under `key`, to be recorded with the step's result."""

    name: str
    key: str
    sha256: str
    size_bytes: int
    content_type: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What a step gives back. `media`/`condition` come from PROBE, `tracks` from INDEX."""

    recipe: str
    outputs: Sequence[NewOutput] = ()
    note: str = ""
    condition: Condition | None = None
    condition_note: str = ""
    media: MediaInfo | None = None
    tracks: Sequence[Track] | None = None
    thumbnails: Mapping[int, str] = field(default_factory=dict)
    """Track id → output name of its picture."""
    models: Sequence[str] = ()
    """`name sha256` of what really ran, for the custody log."""


class StepLedger(Writer):
    def ask(
        self,
        actor: str,
        step: Step,
        *,
        exhibit_id: ExhibitId | None = None,
        case_id: str | None = None,
        segment: int = 0,
        params: Mapping[str, Any] | None = None,
        priority: Priority = Priority.NEW,
    ) -> StepRun:
        """A new ready row, logged."""
        raise NotImplementedError

    def claim(self, worker: str, steps: frozenset[Step], lease: timedelta) -> StepRun | None:
        """The best row this worker can run: urgent cases first, then new evidence, then re-runs; oldest first.

        Takes rows that are ready (and not before `not_before`) and running ones whose lease ran out, which counts
        a killed attempt; after the third the row is QUARANTINED instead. FOR UPDATE SKIP LOCKED.
        """
        raise NotImplementedError

    def renew(self, run: StepRun, lease: timedelta) -> bool:
        """Hold on to it. False when another attempt has the row by now: stop and throw the output away."""
        raise NotImplementedError

    def progress(self, run: StepRun, done: int, total: int) -> bool:
        """Write progress. False when the person asked to cancel. Raises: Fenced."""
        raise NotImplementedError

    def finish(self, run: StepRun, result: Result) -> int:
        """Result, outputs, audit event, exhibit fields, tracks and the next ready rows in one transaction.

        Returns how many rows became ready (ring that often). Raises: Fenced (0 rows: throw the output away).
        """
        raise NotImplementedError

    def fail(self, run: StepRun, error: str, hint: str, log_tail: str, *, retry_in: timedelta | None = None) -> None:
        """FAILED with a plain sentence, or READY again after `retry_in` for a transient fault. Raises: Fenced."""
        raise NotImplementedError

    def hand_back(self, run: StepRun) -> None:
        """READY again at once (SIGTERM): not a killed attempt. Fenced silently."""
        raise NotImplementedError

    def cancelled(self, run: StepRun) -> None: ...

    def retry(self, actor: User, run_id: StepRunId) -> StepRun:
        """An ended row becomes READY again as a re-run, attempts kept. Raises: Conflict when it isn't ended."""
        raise NotImplementedError

    def cancel(self, actor: User, run_id: StepRunId) -> StepRun:
        """A ready row ends at once; a running one is asked to stop. Raises: Conflict when it has ended."""
        raise NotImplementedError

    def ready_count(self) -> int:
        """Rows that a worker could claim now."""
        raise NotImplementedError

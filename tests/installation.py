"""Workers as programs of their own, on the servers of a test."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cli.parts import Part, environment
from config.settings import Settings
from evidence.exhibit import ExhibitId
from evidence.steps import ENDED, Step, StepRun, StepState
from storage.open import Storage, opened
from tests.factories import Factory

_Found = TypeVar("_Found")

QUICK = {
    "lease_s": 5,
    "sweep_s": 0.5,
    "segment_s": 5,
    "scratch_reserve_bytes": 1024**2,
}
"""Settings under which a dead worker is noticed within a test."""


@dataclass(slots=True)
class Installation:
    settings: Settings
    storage: Storage
    make: Factory
    folder: Path
    workers: list[Part] = field(default_factory=list)

    def start_worker(self, *arguments: str, **settings: Any) -> Part:
        """A worker program with these settings; the test's own environment adds none."""
        chosen = self.settings.model_copy(update=settings)
        base = {name: text for name, text in os.environ.items() if not name.startswith("EXHIBIT_")}
        log = self.folder / f"worker-{len(self.workers)}.log"
        part = Part(log.stem, ("worker", *arguments), environment(chosen, base), log)
        part.start()
        self.workers.append(part)
        return part

    def stop_workers(self) -> None:
        for part in self.workers:
            part.ask_to_end()
        for part in self.workers:
            part.end(time.monotonic() + 20)
        self.workers.clear()

    def runs(self, exhibit_id: ExhibitId, step: Step | None = None) -> list[StepRun]:
        return [run for run in self.storage.index.step_runs(exhibit_id) if step in {None, run.step}]

    def until(self, look: Callable[[], _Found], timeout_s: float = 60, every_s: float = 0.05) -> _Found:
        """What `look` gives, once it gives something. Fails with what the workers said."""
        deadline = time.monotonic() + timeout_s
        while not (found := look()):
            if time.monotonic() > deadline:
                said = "\n".join(f"{part.name}:\n{part.last_words(30)}" for part in self.workers)
                raise AssertionError(f"not within {timeout_s} s\n{said}")
            time.sleep(every_s)
        return found

    def until_ended(
        self, exhibit_id: ExhibitId, steps: Collection[Step] = tuple(Step), timeout_s: float = 60
    ) -> list[StepRun]:
        """The exhibit's runs of these steps, once there are some and none is waiting or running."""

        def ended() -> list[StepRun]:
            runs = [run for run in self.runs(exhibit_id) if run.step in steps]
            return runs if runs and all(run.state in ENDED for run in runs) else []

        return self.until(ended, timeout_s)

    def until_running(self, exhibit_id: ExhibitId, step: Step, timeout_s: float = 60) -> StepRun:
        """A run of the step that has done some frames."""

        def running() -> StepRun | None:
            runs = self.runs(exhibit_id, step)
            return next((run for run in runs if run.state is StepState.RUNNING and run.progress_done > 0), None)

        found = self.until(running, timeout_s)
        assert found is not None
        return found


@contextmanager
def installed(settings: Settings, folder: Path, **changes: Any) -> Iterator[Installation]:
    """Quick settings and the real clock over the servers that `settings` names; no worker outlives the block."""
    chosen = Settings(**{**dict(settings), **QUICK, **changes})
    with opened(chosen) as storage:
        installation = Installation(chosen, storage, Factory(storage), folder)
        try:
            yield installation
        finally:
            installation.stop_workers()


def below(pid: int) -> list[int]:
    """The processes that `pid` started, theirs too; the youngest first."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    queue = [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found[::-1]


def power_off(pid: int) -> list[int]:
    """End a worker and all that it started, so that none of them can do anything about it; their ids."""
    family = [pid, *below(pid)]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for member in family:
            with suppress(ProcessLookupError):
                os.kill(member, number)
    return family


def commands(pids: list[int]) -> Mapping[int, str]:
    return {pid: Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in pids if alive(pid)}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False

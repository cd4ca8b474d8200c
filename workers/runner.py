"""The frame around every step: claim, run, record, ring the next.

A step's failure is a state of its row with a plain sentence; it never stops the queue. Whatever a step raises is
met here: this is one of the two places where a broad except may stand.
"""

from __future__ import annotations

import importlib
import logging
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from config.logs import log_context
from config.settings import Settings
from evidence.errors import Busy, Cancelled, ExhibitError, Fenced, IntegrityError, NotFound, StepFailed, Unavailable
from evidence.ports import Bell
from evidence.steps import Step, StepRun
from storage import keys
from storage.ledger.steps import Result
from storage.open import Storage
from workers.cache import OriginalCache
from workers.stop import HandBack, Stop
from workers.tools import Tools

_log = logging.getLogger(__name__)
_Given = TypeVar("_Given")

PROGRESS_EVERY_S = 0.5
TRIES = 10
"""Attempts in a row that may fail for a reason that passes (a part is down) before a person has to look."""
PASSING = (Unavailable, Busy)
"""What the database may say for a while, and what is worth waiting for: it is down, or somebody holds the row."""
_LONGEST_WAIT = timedelta(minutes=2)
_LOG_TAIL_CHARACTERS = 8_000
_STEP_FAULT = "This is a fault of the program, not of the file. Keep the log lines; retry after an update."


class Runner:
    """Runs step runs one after the other, as the worker `name`. `scratch` is a folder of this worker's own."""

    def __init__(
        self, settings: Settings, storage: Storage, bell: Bell, name: str, steps: frozenset[Step], scratch: Path, stop: Stop
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._steps_of = storage.ledger.steps
        self._bell = bell
        self._name = name
        self._steps = steps
        self._scratch = scratch
        self._stop = stop
        self._lease = timedelta(seconds=settings.lease_s)
        self._cache = OriginalCache(settings.cache_dir / "originals", storage.store, settings.cache_bytes)

    def run_all(self, *, until: float = float("inf"), wake_others: bool = False) -> int:
        """Run what is ready, best first, until nothing is left or `until` (monotonic) has passed; how many ran.

        `wake_others`: this worker came without a ring, so nobody else may have been rung for the rest either.
        """
        ran = 0
        while not self._stop.asked and time.monotonic() < until:
            if not self._has_room():
                break
            run = self._steps_of.claim(self._name, self._steps, self._lease)
            if run is None:
                return ran
            if wake_others and ran == 0:
                self._bell.ring(self._steps_of.ready_count(frozenset(Step)))
            with log_context(run=run.id, step=run.step.value, exhibit=run.exhibit_id or "", case=run.case_id or ""):
                self._attend(run)
            ran += 1
        if ran:
            self._bell.ring()
        return ran

    def _has_room(self) -> bool:
        self._scratch.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._scratch).free
        if free < self._settings.scratch_reserve_bytes:
            _log.error("no step is claimed: %d bytes free, %d must remain", free, self._settings.scratch_reserve_bytes)
            return False
        return True

    def _attend(self, run: StepRun) -> None:
        """One attempt, from its claim to its row's next state."""
        scratch = self._scratch / f"{run.id}-{run.attempt}"
        scratch.mkdir(parents=True)
        stored: list[str] = []
        ready = 0
        _log.info("started, attempt %d", run.attempt)
        try:
            with held(self._steps_of.renew, run, self._lease) as lost:
                progress = _Progress(self._storage, run, self._stop, lost)
                tools = Tools(
                    settings=self._settings,
                    index=self._storage.index,
                    store=self._storage.store,
                    cache=self._cache,
                    scratch=scratch,
                    progress=progress,
                    stop=self._stop,
                    stored=stored,
                )
                result = _step(run.step)(tools, run)
                ready = self._patiently(lambda: self._steps_of.finish(run, result))
            _log.info("done")
            self._remove_leftovers(run, result)
        except HandBack:
            self._record(run, stored, lambda: self._steps_of.hand_back(run))
            _log.info("handed back: this worker was told to stop")
        except Fenced:
            self._record(run, stored, lambda: None)
            _log.warning("another worker has taken this step over; what was made here is thrown away")
        except Cancelled:
            self._record(run, stored, lambda: self._steps_of.cancelled(run))
            _log.info("cancelled")
        except ExhibitError as exc:
            self._record(run, stored, self._failing(run, exc))
        except Exception as exc:
            _log.exception("the step ended with a fault of the program")
            text = f"the step {run.step.value} ended with a fault of the program ({type(exc).__name__})"
            fault = StepFailed(text, hint=_STEP_FAULT, log_tail=traceback.format_exc())
            self._record(run, stored, self._failing(run, fault))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if ready:
            self._bell.ring(ready)

    def _failing(self, run: StepRun, exc: ExhibitError) -> Callable[[], None]:
        """How this failure is written down: again later, or FAILED with its plain sentence."""
        killed = isinstance(exc, StepFailed) and exc.killed
        log_tail = exc.log_tail[-_LOG_TAIL_CHARACTERS:]
        # Attempts are counted for good; every TRIES-th gives up, so a retry by a person starts afresh.
        again = exc.transient and run.attempt % TRIES != 0
        wait = min(timedelta(seconds=2 ** (run.attempt % TRIES)), _LONGEST_WAIT) if again else None
        _log.warning("failed%s: %s", ", tried again later" if again or killed else "", exc)
        return lambda: self._steps_of.fail(run, str(exc), exc.hint, log_tail, retry_in=wait, killed=killed)

    def _record(self, run: StepRun, stored: list[str], write: Callable[[], None]) -> None:
        """Write down how an attempt without a result ended, and throw out what it had stored."""
        try:
            self._patiently(write)
        except Fenced:
            _log.warning("another worker has taken this step over")
        except ExhibitError:
            # The lease runs out, and the step is claimed again: nothing is lost.
            _log.exception("the end of this attempt could not be recorded")
        if stored:
            with _reported("what this attempt had stored could not be thrown out"):
                self._discard(run, stored)

    def _discard(self, run: StepRun, stored: list[str]) -> None:
        # A result may have been committed although we never heard of it: what the record names, stays.
        recorded = self._recorded(run)
        for key in stored:
            if key not in recorded:
                self._storage.store.delete(key)

    def _remove_leftovers(self, run: StepRun, result: Result) -> None:
        """Objects of earlier attempts of this run that died before they could record them."""
        if run.attempt < 2:
            return
        if run.exhibit_id is not None:
            prefix = keys.derived(run.exhibit_id, run.step, result.recipe, run.attempt, "")
        else:
            prefix = keys.case_export(run.case_id or "", run.id, run.attempt, "")
        of_all_attempts = prefix.removesuffix(f"{run.attempt}/")
        with _reported("leftovers of earlier attempts could not be removed"):
            recorded = self._recorded(run)
            for key in list(self._storage.store.list_keys(of_all_attempts)):
                if f"/{run.id}/" in key and key not in recorded:
                    self._storage.store.delete(key)

    def _recorded(self, run: StepRun) -> set[str]:
        of_case = None if run.exhibit_id else run.case_id
        outputs = self._storage.index.outputs(run.exhibit_id, case_id=of_case, step=run.step)  # type: ignore[arg-type]
        return {output.key for output in outputs}

    def _patiently(self, write: Callable[[], _Given]) -> _Given:
        """Write to the database, waiting out a short outage: an hour of work isn't thrown away for a restart."""
        give_up = time.monotonic() + 2 * self._lease.total_seconds()
        while True:
            try:
                return write()
            except PASSING as exc:
                if not exc.transient or self._stop.asked or time.monotonic() > give_up:
                    raise
                _log.warning("waiting for the database: %s", exc)
                time.sleep(1)


class _Progress:
    """Frames done of frames expected, into the row at most twice a second; sees when the work has to stop."""

    def __init__(self, storage: Storage, run: StepRun, stop: Stop, lost: threading.Event) -> None:
        self._storage = storage
        self._run = run
        self._stop = stop
        self._lost = lost
        self._due = 0.0

    def __call__(self, done: int, total: int) -> None:
        self._stop.check()
        if self._lost.is_set():
            raise Fenced(f"another worker has taken over the step {self._run.step.value}")
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + PROGRESS_EVERY_S
        try:
            with self._stop.not_here():
                wanted = self._storage.ledger.steps.progress(self._run, done, total)
        except PASSING as exc:
            _log.warning("progress was not recorded: %s", exc)
            return
        if not wanted:
            raise Cancelled(f"the step {self._run.step.value} was cancelled")


@contextmanager
def held(renew: Callable[[StepRun, timedelta], bool], run: StepRun, lease: timedelta) -> Iterator[threading.Event]:
    """Keep the lease of `run` from a thread while the block lasts; the event is set when it is lost."""
    done, lost = threading.Event(), threading.Event()

    def keep() -> None:
        while not done.wait(lease.total_seconds() / 3):
            try:
                if not renew(run, lease):
                    lost.set()
                    return
            except PASSING as exc:
                _log.warning("the lease was not renewed: %s", exc)

    thread = threading.Thread(target=keep, name="lease", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        done.set()
        thread.join()


@contextmanager
def _reported(what: str) -> Iterator[None]:
    """Housekeeping that may fail: logged, and left for next time."""
    try:
        yield
    except (*PASSING, NotFound, IntegrityError):
        _log.warning(what, exc_info=True)


def _step(step: Step) -> Callable[[Tools, StepRun], Result]:
    run: Callable[[Tools, StepRun], Result] = importlib.import_module(f"workers.steps.{step.value}").run
    return run

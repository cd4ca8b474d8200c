"""Worker processes on this machine: each listens, forks a work-horse when there is work, and is replaced when it dies."""

from __future__ import annotations

import logging
import multiprocessing
import os
import secrets
import signal
import socket
import sys
import time
from multiprocessing.process import BaseProcess

from config.settings import Settings
from evidence.errors import ExhibitError, Unavailable
from evidence.steps import Step
from storage.open import Storage, open_storage
from workers.queue import Listener, RqBell, WorkHorse, die_with
from workers.runner import Runner
from workers.stop import Stop, listen, signals_held
from workers.sweep import Chores, scratch_of, waiting

_log = logging.getLogger(__name__)

ALL_STEPS = frozenset(Step)
_SHIFT_S = 600
"""After so long a work-horse takes no further step and is replaced by a fresh one."""
_AROUND_S = 4 * 3600
"""What fetching an original and storing a result may take, around the child."""
_RESTART_AFTER_S = 2.0


def work(settings: Settings, *, count: int = 1, steps: frozenset[Step] = ALL_STEPS) -> None:
    """Run `count` worker processes until SIGTERM or SIGINT; running steps are handed back at once.

    Raises: WrongSchema, BadInput; a database or store that is down is waited for.
    """
    RqBell(settings.redis_url)  # an address that is none is said now, once
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if count == 1:
            _worker(settings, steps, stop)
        else:
            _supervise(settings, count, steps, stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _supervise(settings: Settings, count: int, steps: frozenset[Step], stop: Stop) -> None:
    first = _open(settings, stop)  # and so is a schema that isn't ours
    if first is not None:
        first.close()
    crew: list[BaseProcess] = [_start(settings, steps) for _ in range(count)]
    while not stop.asked:
        stop.wait(0.5)
        for place, process in enumerate(crew):
            if not process.is_alive() and not stop.asked:
                _log.error("a worker ended with %s; another takes its place", process.exitcode)
                stop.wait(_RESTART_AFTER_S)
                crew[place] = _start(settings, steps)
    for process in crew:
        process.terminate()
    for process in crew:
        process.join()


def _start(settings: Settings, steps: frozenset[Step]) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=_worker_process, args=(settings, steps, os.getpid()))
    with signals_held():
        process.start()
    return process


def _worker_process(settings: Settings, steps: frozenset[Step], supervisor: int) -> None:
    stop = Stop()
    listen(stop.ask)
    die_with(supervisor)
    _worker(settings, steps, stop)


def _worker(settings: Settings, steps: frozenset[Step], stop: Stop) -> None:
    """One worker: it listens, and its work-horses work."""
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    storage = _open(settings, stop)
    if storage is None:
        return
    listener = Listener(settings.redis_url, name, stop, patience_s=settings.sweep_s)
    chores = Chores(storage)
    with scratch_of(settings.cache_dir / "scratch", name) as scratch:

        def work_horse(told: Stop, rung: bool) -> None:
            try:
                runner = Runner(settings, open_storage(settings), RqBell(settings.redis_url), name, steps, scratch, told)
                runner.run_all(until=time.monotonic() + _SHIFT_S, wake_others=not rung)
            except ExhibitError as exc:
                _log.warning("no step could be claimed: %s", exc)
                sys.exit(1)

        def look(rung: bool) -> None:
            # A work-horse is only forked when there is something to claim: rings outlive the work they told of.
            if not waiting(storage, steps):
                chores.do()
                return
            horse = WorkHorse(lambda told: work_horse(told, rung), stop)
            if not horse.run(listener.still_here, _SHIFT_S + settings.step_timeout_s + _AROUND_S):
                stop.wait(settings.sweep_s)

        _log.info("worker %s is ready", name)
        listener.listen(look)
    _log.info("worker %s ends", name)


def _open(settings: Settings, stop: Stop) -> Storage | None:
    """The stores, waited for while they are down; None when told to stop meanwhile. Raises: WrongSchema."""
    while not stop.asked:
        try:
            return open_storage(settings)
        except Unavailable as exc:
            if not exc.transient:
                raise
            _log.warning("waiting: %s", exc)
            stop.wait(_RESTART_AFTER_S)
    return None

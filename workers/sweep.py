"""What every worker looks after besides its own steps: rows nobody was rung for, and what dead workers left behind."""

from __future__ import annotations

import fcntl
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from evidence.errors import Unavailable
from evidence.exhibit import ExhibitId
from evidence.steps import Step
from storage import keys
from storage.open import Storage

_log = logging.getLogger(__name__)
_LOCK = ".lock"
_ORPHANED_AFTER = timedelta(days=1)
_ORPHANS_EVERY_S = 6 * 3600.0
_AT_ONCE = 1000
_CATCH_UP = 100
"""Exhibits at a time: a transaction of a second or less."""


def waiting(storage: Storage, steps: frozenset[Step]) -> int:
    """How many rows of these steps could be claimed now, rung for or not; 0 while the database can't be asked.

    Rows whose worker fell silent count too: the claim takes them over once their lease has run out.
    """
    try:
        return storage.ledger.steps.ready_count(steps)
    except Unavailable as exc:
        _log.warning("the rows can't be looked at: %s", exc)
        return 0


def remove_orphans(storage: Storage, now: datetime) -> int:
    """Remove what attempts stored that died and were never followed by one that succeeded; of how many objects.

    Only what no output names, of a run that ended more than a day ago. Raises: Unavailable.
    """
    removed = 0
    made = ((key, run) for key in storage.store.list_keys(keys.DERIVED) if (run := keys.run_of(key)) is not None)
    while some := dict(islice(made, _AT_ONCE)):
        for key in storage.index.orphans(some, now - _ORPHANED_AFTER):
            storage.store.delete(key)
            _log.info("an output that no step recorded is removed: %s", key)
            removed += 1
    return removed


class Chores:
    """What is due now and then in a worker that lives long."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._due = time.monotonic() + _ORPHANS_EVERY_S
        self._behind = True
        self._reached: ExhibitId | None = None

    def do(self) -> None:
        """A store or database that is down: next time."""
        self._catch_up()
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _ORPHANS_EVERY_S
        try:
            remove_orphans(self._storage, datetime.now(UTC))
        except Unavailable as exc:
            _log.warning("outputs that nobody recorded could not be looked for: %s", exc)

    def _catch_up(self) -> None:
        """Exhibits of an older release get the steps that came since: a few whenever there is nothing else to do."""
        if not self._behind:
            return
        try:
            self._reached, ready = self._storage.ledger.places.locate_missed(self._reached, _CATCH_UP)
        except Unavailable as exc:
            _log.warning("exhibits without places could not be looked for: %s", exc)
            return
        self._behind = self._reached is not None
        if ready:
            _log.info("%d exhibits that came before there was LOCATE wait for it now", ready)


@contextmanager
def scratch_of(root: Path, worker: str) -> Iterator[Path]:
    """A worker's own scratch folder; what dead workers of this machine left there is removed first.

    The lock beside it lives as long as the worker and its work-horse do, however they end.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_of_the_dead(root)
    folder = root / worker
    lock = root / f"{worker}{_LOCK}"
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _remove_of_the_dead(root: Path) -> None:
    for lock in root.glob(f"*{_LOCK}"):
        with lock.open("ab") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(root / lock.name.removesuffix(_LOCK), ignore_errors=True)
            lock.unlink(missing_ok=True)

"""What every worker looks after besides its own steps: rows nobody was rung for, and what dead workers left behind."""

from __future__ import annotations

import fcntl
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import Unavailable
from evidence.steps import Step
from storage.open import Storage

_log = logging.getLogger(__name__)
_LOCK = ".lock"


def waiting(storage: Storage, steps: frozenset[Step]) -> int:
    """How many rows of these steps could be claimed now, rung for or not; 0 while the database can't be asked.

    Rows whose worker fell silent count too: the claim takes them over once their lease has run out.
    """
    try:
        return storage.ledger.steps.ready_count(steps)
    except Unavailable as exc:
        _log.warning("the rows can't be looked at: %s", exc)
        return 0


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

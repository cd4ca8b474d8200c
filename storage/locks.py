"""Locks on originals: set, read back, believed only then."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from evidence.errors import ExhibitError, StoreUnfaithful
from evidence.ports import ObjectStore
from storage.ledger.exhibits import ExhibitLedger

log = logging.getLogger("exhibit.locks")

MODE = "COMPLIANCE"


def lock_and_confirm(store: ObjectStore, key: str, version_id: str, until: datetime) -> datetime:
    """The end of the lock as the store gives it back.

    Raises: StoreUnfaithful when mode or date are not what was asked for: some stores accept a lock and drop it.
    """
    until = until.replace(microsecond=0) + timedelta(seconds=1)  # Stores keep whole seconds; never a moment less.
    store.lock(key, version_id, until)
    lock = store.read_lock(key, version_id)
    if lock is None or lock.mode != MODE or lock.until < until:
        held = "none" if lock is None else f"{lock.mode} until {lock.until:%Y-%m-%d %H:%M:%S}"
        raise StoreUnfaithful(
            f"The store did not keep the lock that it was given: {MODE} until {until:%Y-%m-%d %H:%M:%S}; it holds {held}.",
            hint="Originals need a store with working object lock: see exhibit doctor.",
        )
    return lock.until


def roll_locks(exhibits: ExhibitLedger, store: ObjectStore, due: datetime, until: datetime) -> int:
    """Extend every lock that ends before `due`: first on the store, read back, then in the row; how many were."""
    if not store.can_lock:
        return 0
    rolled = 0
    for exhibit in exhibits.due_for_lock(due):
        try:
            exhibits.extend_lock(exhibit.id, lock_and_confirm(store, exhibit.key, exhibit.version_id, until))
        except ExhibitError as error:
            # One that fails must not let the others run out; it is due again at the next round.
            log.error("the lock of exhibit %s was not extended: %s", exhibit.id, error)
        else:
            rolled += 1
    return rolled

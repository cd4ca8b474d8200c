"""The custody log's head, noted outside the database: whoever cuts off the log's end doesn't reach the store.

The chain shows every change but a missing end. So its newest number and hash are written beside the originals now
and then; on a store that can lock, nobody can take them away for as long as the lock lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from evidence.errors import Conflict
from evidence.ports import ObjectStore
from storage import keys
from storage.index import Index
from storage.locks import lock_and_confirm


def note_head(index: Index, store: ObjectStore, locked_until: datetime) -> bool:
    """Note the newest event in the store, unless that is done already; whether it was done now.

    Raises: StoreUnfaithful when the store doesn't keep the lock.
    """
    number, digest = index.audit_head()
    if number == 0:
        return False
    key = keys.log_head(number, digest)
    try:
        version_id = store.put_bytes(key, b"").version_id
    except Conflict:
        version_id = store.stat(key).version_id
        # Whoever put it there may have died before the lock.
        if not store.can_lock or store.read_lock(key, version_id) is not None:
            return False
    if store.can_lock:
        lock_and_confirm(store, key, version_id, locked_until)
    return True


def noted_heads(store: ObjectStore) -> Iterator[tuple[int, str]]:
    """Number and hash of every event that was noted, oldest first."""
    for key in store.list_keys(keys.LOG_HEADS):
        number, _, digest = key.removeprefix(keys.LOG_HEADS).partition("-")
        yield int(number), digest

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


def note_head(index: Index, store: ObjectStore, locked_until: datetime) -> bool:
    """Note the newest event in the store, unless that is done already; whether it was done now."""
    number, digest = index.audit_head()
    if number == 0:
        return False
    key = keys.log_head(number, digest)
    try:
        stored = store.put_bytes(key, b"")
    except Conflict:
        return False
    if store.can_lock:
        store.lock(key, stored.version_id, locked_until)
    return True


def noted_heads(store: ObjectStore) -> Iterator[tuple[int, str]]:
    """Number and hash of every event that was noted, oldest first."""
    for key in store.list_keys(keys.LOG_HEADS):
        number, _, digest = key.removeprefix(keys.LOG_HEADS).partition("-")
        yield int(number), digest

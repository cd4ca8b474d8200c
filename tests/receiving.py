"""A receiver on a real store and database, and the faults that tests put between them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from evidence.case import Case, Role, User
from evidence.ports import ObjectStore
from ingest.receive import Receiver
from storage import keys
from storage.ledger.uploads import Upload, UploadPart, UploadState
from storage.open import Storage, open_storage
from tests.factories import Factory

MIB = 2**20


class RealTime:
    """Now, and as far ahead as a test says: MinIO takes no lock that ends in the past."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Bell:
    def __init__(self) -> None:
        self.rung = 0

    def ring(self, times: int = 1) -> None:
        self.rung += times


class PowerCut(BaseException):
    """Nothing catches this: as if the process had ended there."""


class Room:
    """A storage with its own case and officer, and receivers over it."""

    def __init__(self, storage: Storage, clock: RealTime, settings: Any) -> None:
        self.storage, self.clock, self.settings = storage, clock, settings
        self.store, self.index, self.ledger = storage.store, storage.index, storage.ledger
        self.make = Factory(storage)
        self.officer: User = self.make.user(Role.OFFICER)
        self.case: Case = self.make.case()
        self.bell = Bell()

    def receiver(self, at: Any = None, store: ObjectStore | None = None) -> Receiver:
        more = {} if at is None else {"at": at}
        return Receiver(self.ledger, self.index, store or self.store, self.bell, self.settings, clock=self.clock, **more)

    def uploaded(self, data: bytes, case: str | None = None, parts: int = 1, **fields: str) -> Upload:
        """An upload whose bytes are all here, in so many parts."""
        known = {"filename": "clip.mp4", "kind": "drone", "case": self.case.reference if case is None else case} | fields
        upload = self.ledger.uploads.begin(self.officer, len(data), known, expiry=timedelta(days=7))
        size = -(-len(data) // parts)
        for number in range(parts):
            piece = data[number * size : (number + 1) * size]
            key = keys.part(upload.id, number + 1, "test")
            self.store.put_bytes(key, piece)
            part = UploadPart(number + 1, key, len(piece), hashlib.sha256(piece).hexdigest(), True)
            upload = self.ledger.uploads.advance(upload, part, expiry=timedelta(days=7))
        assert upload.state is UploadState.CHECKING
        return upload

    def state(self, upload: Upload) -> Upload:
        return self.index.upload(upload.id)

    def keys(self, prefix: str) -> list[str]:
        return list(self.store.list_keys(prefix))

    def verbs(self) -> list[str]:
        return [event.verb.value for event in self.index.audit_events()]

    def lease_over(self, upload: Upload) -> None:
        """What half a minute does."""
        self.ledger.uploads.renew(self.state(upload), timedelta(seconds=-1))


class Twisted:
    """A store that does one thing wrong."""

    def __init__(self, store: ObjectStore, **wrong: Any) -> None:
        self._store, self._wrong = store, wrong

    def __getattr__(self, name: str) -> Any:
        return self._wrong.get(name) or getattr(self._store, name)


@contextmanager
def room_on(settings: Any) -> Iterator[Room]:
    clock = RealTime()
    storage = open_storage(settings, clock=clock)
    try:
        yield Room(storage, clock, settings)
    finally:
        storage.close()

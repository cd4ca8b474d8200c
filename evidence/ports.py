"""What the core asks of the world, where the world has more than one answer.

A Protocol stands here only when two real adapters implement it; what has one implementation
(the ledger, the index) is used as the class it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from evidence.exhibit import Digest


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store tells it. `version_id` is empty where the store keeps no versions."""

    key: str
    size_bytes: int
    version_id: str


@dataclass(frozen=True, slots=True)
class Lock:
    """A retention lock as read back from the store."""

    mode: str
    until: datetime


class ObjectStore(Protocol):
    """Bytes under keys (`storage.keys`). Nothing is ever overwritten.

    Raises (every method): StoreDown when the store can't be reached, NoSpace when it is full,
    NotFound for a key that isn't there.
    """

    @property
    def can_lock(self) -> bool:
        """Whether `lock` really holds: True for MinIO, False for a folder."""
        ...

    def prepare(self) -> None:
        """Make buckets or folders. Raises: Unavailable when the store can't do what evidence needs (object lock)."""
        ...

    def check(self) -> str:
        """One line about the store for `doctor` and `/readyz`. Raises: StoreDown."""
        ...

    def put_bytes(self, key: str, data: bytes) -> StoredObject:
        """Store one small object whole (an upload part, a manifest). Raises: Conflict when the key is taken."""
        ...

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> StoredObject:
        """Store a file in bounded memory. Raises: Conflict when the key is taken."""
        ...

    def compose(self, key: str, parts: Iterable[str]) -> StoredObject:
        """Join `parts` (staging keys, in order; each but the last at least 5 MiB) into one new object.

        Calling it again after a crash is safe: an object of the right size under `key` is kept.
        """
        ...

    def stat(self, key: str) -> StoredObject: ...

    def read(self, key: str, start: int = 0, length: int | None = None, version_id: str = "") -> Iterator[bytes]:
        """The bytes from `start`, in chunks of at most 1 MiB."""
        ...

    def digest(self, key: str, version_id: str = "") -> Digest:
        """The SHA-256 of the object as it lies in the store, read back."""
        ...

    def fetch(self, key: str, path: Path, version_id: str = "") -> None:
        """Copy the object into a new local file."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object that is not locked: staging, derived, or a dropped duplicate. Not there: nothing to do."""
        ...

    def list_keys(self, prefix: str) -> Iterator[str]: ...

    def lock(self, key: str, version_id: str, until: datetime) -> None:
        """COMPLIANCE retention. Raises: Unavailable where `can_lock` is False."""
        ...

    def read_lock(self, key: str, version_id: str) -> Lock | None:
        """The lock that the store says it holds, or None."""
        ...


class Bell(Protocol):
    """Says only *there is work*; loses nothing when it is lost."""

    def ring(self, times: int = 1) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """An aware UTC datetime."""
        ...


class Progress(Protocol):
    def __call__(self, done: int, total: int) -> None:
        """Frames done of frames expected. Raises: Cancelled when the person asked to stop."""
        ...

"""Originals on this machine: each fetched once, checked against its SHA-256, kept while there is room.

All workers of a machine share the folder. A lock file stands beside each copy: held alone while the copy is
fetched or thrown out, held together by everyone who reads it. So two workers never fetch the same file at the
same time, and nothing is thrown out under a reader.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import DigestMismatch, NoSpace
from evidence.exhibit import Exhibit
from evidence.ports import ObjectStore
from workers.stop import Stop

_log = logging.getLogger(__name__)
_PART = ".part"
_LOCK = ".lock"


class OriginalCache:
    """At most `limit_bytes` of originals, the longest unused thrown out first.

    A file that is larger than the whole cache is fetched all the same, and thrown out when nobody reads it.
    """

    def __init__(self, folder: Path, store: ObjectStore, limit_bytes: int) -> None:
        self._folder = folder
        self._store = store
        self._limit_bytes = limit_bytes

    @contextmanager
    def original(self, exhibit: Exhibit, stop: Stop | None = None) -> Iterator[Path]:
        """A local, read-only copy of the original, for as long as the block lasts.

        Raises: DigestMismatch when what the store gave is not what was recorded (the copy is removed), NoSpace,
            StoreDown, NotFound; HandBack when `stop` is asked for during the transfer.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / exhibit.sha256.hex
        lock = self._locked(path, fcntl.LOCK_SH)
        try:
            while not _unchanged(path, lock):
                # Going from "together" to "alone" lets go in between: look again once it is held.
                os.close(lock)
                lock = self._locked(path, fcntl.LOCK_EX)
                if not _unchanged(path, lock):
                    self._fetch(exhibit, path, lock, stop or Stop())
                fcntl.flock(lock, fcntl.LOCK_SH)
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
            yield path
        finally:
            os.close(lock)
        self._make_room(0)

    def _fetch(self, exhibit: Exhibit, path: Path, lock: int, stop: Stop) -> None:
        """Called with the lock held alone."""
        if path.exists():
            _log.warning("a cached original was changed on this machine; it is fetched anew")
            path.unlink()
        self._make_room(exhibit.size_bytes)
        part = path.with_name(path.name + _PART)
        part.unlink(missing_ok=True)
        digest = hashlib.sha256()
        try:
            with part.open("xb") as file:
                for chunk in self._store.read(exhibit.key, version_id=exhibit.version_id):
                    stop.check()
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != exhibit.sha256.hex:
                raise DigestMismatch(
                    f"the original of {exhibit.reference} in the store is not what was recorded: "
                    f"expected {exhibit.sha256}, found sha256:{digest.hexdigest()}",
                    hint="Stop using this store and tell the administrator. Retry once it is restored.",
                )
            part.chmod(0o444)
            part.rename(path)
        except OSError as exc:
            if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise NoSpace(f"this worker has no room for an original of {exhibit.size_bytes} bytes") from exc
            raise
        finally:
            part.unlink(missing_ok=True)
        _remember(path, lock)

    def _locked(self, path: Path, how: int) -> int:
        """The lock file of a copy, held; it is the one on disk now, not one that was thrown out meanwhile."""
        name = path.with_name(path.name + _LOCK)
        while True:
            lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(lock, how)
                if os.fstat(lock).st_ino == name.stat().st_ino:
                    return lock
            except FileNotFoundError:
                pass
            except OSError:
                os.close(lock)
                raise
            os.close(lock)

    def _make_room(self, size_bytes: int) -> None:
        """Throw out what was unused for longest until `size_bytes` more fit. What is in use stays."""
        copies = []
        for path in self._folder.iterdir():
            if path.suffix not in {_PART, _LOCK}:
                with contextlib.suppress(FileNotFoundError):
                    copies.append((path.stat().st_atime_ns, path.stat().st_size, path))
        total = sum(size for _, size, _ in copies)
        for _, size, path in sorted(copies):
            if total + size_bytes <= self._limit_bytes:
                return
            if self._throw_out(path):
                total -= size

    def _throw_out(self, path: Path) -> bool:
        try:
            lock = self._locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            path.unlink(missing_ok=True)
            path.with_name(path.name + _LOCK).unlink(missing_ok=True)
        finally:
            os.close(lock)
        return True


def _unchanged(path: Path, lock: int) -> bool:
    """Whether the copy is there, and as it was when its SHA-256 was checked (size and time of change)."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return False
    noted = os.pread(lock, 256, 0)
    return noted == _note(stat)


def _remember(path: Path, lock: int) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, _note(path.stat()), 0)


def _note(stat: os.stat_result) -> bytes:
    return json.dumps({"size_bytes": stat.st_size, "changed_ns": stat.st_mtime_ns}).encode()

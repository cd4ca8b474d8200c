"""The object store on a local folder, for one machine without an S3 server. It can't lock."""

# ruff: noqa: ARG002 - the port's arguments: a folder has no versions, content types or locks
from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from evidence.errors import Conflict, NoSpace, NotFound, StoreDown, Unavailable
from evidence.exhibit import Digest
from evidence.ports import Lock, StoredObject
from storage.keys import checked

_CHUNK = 1024 * 1024
_TEMPORARY = ".writing"
_NAMING = ".naming"
"""Held in that folder by whoever gives a file its name, where there are no hard links."""
_ABANDONED_AFTER_S = 24 * 3600
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})


class FolderStore:
    """Write once: a finished file gets its name in one step, is durable before that, and is read-only after."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def can_lock(self) -> bool:
        return False

    def prepare(self) -> None:
        with _translated("the store's folder"):
            (self._root / _TEMPORARY).mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in (self._root / _TEMPORARY).iterdir():
                if left.name != _NAMING and left.stat().st_mtime < time.time() - _ABANDONED_AFTER_S:
                    left.unlink(missing_ok=True)

    def check(self) -> str:
        if not os.access(self._root / _TEMPORARY, os.W_OK):
            raise StoreDown(f"the store's folder {self._root} is not there or not writable", hint="Run: exhibit migrate")
        free = shutil.disk_usage(self._root).free
        return f"folder {self._root}, {free / 1024**3:.1f} GiB free (stored, not locked)"

    def put_bytes(self, key: str, data: bytes) -> StoredObject:
        with self._writing(key) as sink:
            sink.write(data)
        return StoredObject(key, len(data), "")

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> StoredObject:
        with path.open("rb") as source, self._writing(key) as sink:
            shutil.copyfileobj(source, sink, _CHUNK)
            size = sink.tell()
        return StoredObject(key, size, "")

    def compose(self, key: str, parts: Iterable[str]) -> StoredObject:
        sources = [self.stat(part) for part in parts]
        size = sum(source.size_bytes for source in sources)
        with suppress(NotFound):
            found = self.stat(key)
            if found.size_bytes == size:
                return found
        with self._writing(key) as sink:
            for source in sources:
                for chunk in self.read(source.key):
                    sink.write(chunk)
        return StoredObject(key, size, "")

    def stat(self, key: str) -> StoredObject:
        with _translated(key):
            found = self._path(key).stat()
        if not stat.S_ISREG(found.st_mode):
            raise NotFound(f"{key} is not in the store")
        return StoredObject(key, found.st_size, "")

    def read(self, key: str, start: int = 0, length: int | None = None, version_id: str = "") -> Iterator[bytes]:
        with _translated(key), self._path(key).open("rb") as source:
            source.seek(start)
            left = length
            while chunk := source.read(_CHUNK if left is None else min(_CHUNK, left)):
                yield chunk
                left = None if left is None else left - len(chunk)

    def digest(self, key: str, version_id: str = "") -> Digest:
        digest = hashlib.sha256()
        for chunk in self.read(key):
            digest.update(chunk)
        return Digest(digest.hexdigest())

    def fetch(self, key: str, path: Path, version_id: str = "") -> None:
        write_new_file(path, self.read(key))

    def delete(self, key: str) -> None:
        path = self._path(key)
        with suppress(NotFound), _translated(key):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or not there: both are well
            for folder in path.parents:
                if folder == self._root or folder.parent == self._root:
                    break
                folder.rmdir()

    def list_keys(self, prefix: str) -> Iterator[str]:
        folder_of = prefix.rpartition("/")[0]
        start = self._path(folder_of) if folder_of else self._root
        found = []
        for folder, names, files in _walk(start):
            names[:] = [name for name in names if not (folder == self._root and name == _TEMPORARY)]
            found += [(folder / name).relative_to(self._root).as_posix() for name in files]
        yield from sorted(key for key in found if key.startswith(prefix))

    def lock(self, key: str, version_id: str, until: datetime) -> None:
        raise Unavailable("a folder can't lock originals", hint="Use MinIO for a store that can: docs/operations.md.")

    def read_lock(self, key: str, version_id: str) -> Lock | None:
        return None

    def _path(self, key: str) -> Path:
        return self._root / checked(key)

    @contextmanager
    def _writing(self, key: str) -> Iterator[BinaryIO]:
        """A file that appears under `key`, whole and durable, when the block ends well; otherwise nothing does."""
        target = self._path(key)
        if target.exists():
            raise Conflict(f"{key} is in the store already")
        with _translated(key):
            (self._root / _TEMPORARY).mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._root / _TEMPORARY)
            temporary = Path(name)
            try:
                with os.fdopen(handle, "wb") as sink:
                    yield sink
                    sink.flush()
                    os.fchmod(sink.fileno(), 0o440)
                    os.fsync(sink.fileno())
                self._publish(temporary, target, key)
            finally:
                temporary.unlink(missing_ok=True)

    def _publish(self, temporary: Path, target: Path, key: str) -> None:
        for _ in range(10):
            try:
                self._make_folder(target.parent)
                _name(temporary, target)
            except FileNotFoundError:
                continue  # somebody deleted the last object beside it, and the empty folder: make it again
            except FileExistsError as exc:
                raise Conflict(f"{key} is in the store already") from exc
            _sync_folder(target.parent)
            return
        raise StoreDown(f"the folder of {key} vanishes again and again")

    def _make_folder(self, folder: Path) -> None:
        """Make it and everything above, each entry durable."""
        if folder == self._root or folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def write_new_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a local file that isn't there yet; a failure leaves none."""
    with _translated(str(path)):
        try:
            sink = path.open("xb")
        except FileExistsError as exc:
            raise Conflict(f"{path} is there already") from exc
        whole = False
        try:
            with sink:
                for chunk in chunks:
                    sink.write(chunk)
            whole = True
        finally:
            if not whole:
                path.unlink(missing_ok=True)


def _name(temporary: Path, target: Path) -> None:
    """Give the file its name in one step, unless the name is taken."""
    try:
        os.link(temporary, target)
    except OSError as exc:
        if exc.errno not in _NO_HARD_LINKS:
            raise
        # A file system without hard links. Renaming is one step too, but takes no heed of what is there: so only one
        # at a time may look and rename. A name that is claimed first would be an empty object after a power cut.
        with (temporary.parent / _NAMING).open("ab") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, "is there already", str(target)) from exc
            temporary.rename(target)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _walk(start: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    for folder, names, files in os.walk(start):
        yield Path(folder), names, files


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as exc:
        raise NotFound(
            f"{what} is not in the store", hint="exhibit doctor shows whether the store is the right one."
        ) from exc
    except OSError as exc:
        if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(f"no space left to store {what}") from exc
        raise StoreDown(f"{what} can't be reached in the store's folder: {exc.strerror}") from exc

"""What only the folder store has to care about: names on disk, half-written files, a full disk."""

from __future__ import annotations

import errno
import os
import stat
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evidence.errors import Conflict, NoSpace, NotFound, StoreDown
from storage.folder import FolderStore

MIB = 1024 * 1024


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_what_is_stored_is_read_only_and_durable(
    folder_store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    folder_store.put_bytes("derived/e/probe/out", b"x")
    path = tmp_path / "store/derived/e/probe/out"
    assert stat.S_IMODE(path.stat().st_mode) == 0o440
    assert path.stat().st_nlink == 1
    assert synced[0].startswith("tmp"), "the file itself before it gets its name"
    assert synced[1:] == ["store", "derived", "e", "probe"], "then every folder that got a new entry"


def test_a_write_that_breaks_off_leaves_nothing(folder_store: FolderStore, tmp_path: Path) -> None:
    folder_store.put_bytes("staging/u/part-1", bytes(MIB))
    folder_store.put_bytes("staging/u/part-2", bytes(MIB))
    original_read = folder_store.read

    def read(key: str, *args: object, **named: object) -> object:
        if key.endswith("part-2"):
            raise StoreDown("the disk gave up")
        return original_read(key)

    folder_store.read = read  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreDown, match="gave up"):
        folder_store.compose("originals/x", ["staging/u/part-1", "staging/u/part-2"])
    assert files(tmp_path / "store") == ["staging/u/part-1", "staging/u/part-2"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_so_and_is_clean(
    folder_store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(_: int) -> None:
        raise OSError(number, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NoSpace):
            folder_store.put_bytes("originals/x", b"data")
    assert files(tmp_path / "store") == []
    folder_store.put_bytes("originals/x", b"data")


def test_a_disk_error_is_a_store_that_is_down(folder_store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreDown, match="Input/output"):
        folder_store.put_bytes("originals/x", b"data")


def test_without_hard_links_nothing_is_overwritten_either(
    folder_store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    folder_store.put_bytes("originals/x", b"data")
    with pytest.raises(Conflict):
        folder_store.put_bytes("originals/x", b"other")
    monkeypatch.setattr(Path, "exists", lambda _: False)  # the race: not there a moment ago
    with pytest.raises(Conflict):
        folder_store.put_bytes("originals/x", b"other")
    assert b"".join(folder_store.read("originals/x")) == b"data"


def test_without_hard_links_one_of_many_gets_the_name_and_it_is_never_half_there(
    folder_store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    before: list[list[Path]] = []
    real = os.rename

    def rename(temporary: Path, target: Path) -> None:
        before.append(list((tmp_path / "store/originals").iterdir()))
        real(temporary, target)

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(Path, "exists", lambda _: False)

    def put(number: int) -> bool:
        try:
            folder_store.put_bytes("originals/x", bytes([number]) * MIB)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, first in enumerate(pool.map(put, range(8))) if first]
    assert len(won) == 1
    assert b"".join(folder_store.read("originals/x")) == bytes(won) * MIB
    assert before == [[]], "one is named, and until then nothing has the name"
    assert files(tmp_path / "store") == [".writing/.naming", "originals/x"]


def test_memory_stays_flat(folder_store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(48 * MIB))
    tracemalloc.start()
    folder_store.put_file("staging/u/part-1", tmp_path / "big")
    folder_store.compose("originals/x", ["staging/u/part-1", "staging/u/part-1"])
    folder_store.digest("originals/x")
    folder_store.fetch("originals/x", tmp_path / "copy")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert folder_store.stat("originals/x").size_bytes == 96 * MIB
    assert peak < 6 * MIB


def test_an_object_is_no_folder_and_a_folder_no_object(folder_store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        folder_store.stat("originals")
    folder_store.put_bytes("originals/x", b"data")
    with pytest.raises(NotFound):
        folder_store.stat("originals/x/y")
    with pytest.raises(Conflict):
        folder_store.put_bytes("originals/x/y", b"data")
    folder_store.delete("originals/x/y")
    assert list(folder_store.list_keys("")) == ["originals/x"]


def test_empty_folders_go_with_their_last_object(folder_store: FolderStore, tmp_path: Path) -> None:
    folder_store.put_bytes("staging/u/part-1", b"x")
    folder_store.put_bytes("staging/u/part-2", b"x")
    folder_store.delete("staging/u/part-1")
    assert (tmp_path / "store/staging/u").is_dir()
    folder_store.delete("staging/u/part-2")
    assert not (tmp_path / "store/staging/u").exists()
    folder_store.put_bytes("staging/u/part-3", b"x")


def test_what_a_killed_writer_left_goes_after_a_day(folder_store: FolderStore, tmp_path: Path) -> None:
    old, new = tmp_path / "store/.writing/old", tmp_path / "store/.writing/new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    folder_store.prepare()
    assert not old.exists()
    assert new.exists()
    assert list(folder_store.list_keys("")) == []


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "none")
    with pytest.raises(StoreDown):
        store.check()
    with pytest.raises(NotFound):
        store.stat("originals/x")

"""The cache of originals: fetched once, checked, bounded, never thrown out under a reader."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from evidence.case import UserId
from evidence.errors import DigestMismatch, StoreDown
from evidence.exhibit import Condition, Digest, Exhibit, ExhibitId, FileType, SourceKind
from evidence.ports import ObjectStore
from workers.cache import OriginalCache
from workers.stop import HandBack, Stop


class Shelf:
    """What the cache needs of a store, counting how often it is read."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.reads: list[str] = []
        self.during_read = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def read(self, key: str, start: int = 0, length: int | None = None, version_id: str = "") -> Iterator[bytes]:
        self.reads.append(key)
        data = self.objects[key]
        yield data[: len(data) // 2]
        self.during_read.set()
        self.go_on.wait(10)
        yield data[len(data) // 2 :]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def cache_of(shelf: Shelf, folder: Path, limit_bytes: int = 1_000_000) -> OriginalCache:
    return OriginalCache(folder, cast(ObjectStore, shelf), limit_bytes)


def put(shelf: Shelf, name: str, data: bytes) -> Exhibit:
    shelf.objects[name] = data
    return Exhibit(
        id=ExhibitId(name),
        case_id=None,
        claimed_case="",
        reference=f"{name}/1",
        filename="clip.mp4",
        kind=SourceKind.DRONE,
        file_type=FileType.VIDEO,
        sha256=Digest(hashlib.sha256(data).hexdigest()),
        size_bytes=len(data),
        uploaded_by=UserId("u"),
        uploaded_at=datetime(2026, 1, 1, tzinfo=UTC),
        captured_at=None,
        device="",
        officer="",
        sidecar_for="",
        folder="",
        condition=Condition.UNKNOWN,
        note="",
        media=None,
        key=name,
        version_id="",
        secured_at=None,
        locked_until=None,
    )


def copies(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix == ""}


def test_an_original_is_fetched_once_and_read_only(shelf: Shelf, tmp_path: Path) -> None:
    exhibit = put(shelf, "a", b"footage" * 1000)
    cache = cache_of(shelf, tmp_path)
    for _ in range(3):
        with cache.original(exhibit) as path:
            assert path.read_bytes() == b"footage" * 1000
            assert path.stat().st_mode & 0o777 == 0o444
    assert shelf.reads == ["a"]


def test_two_workers_that_want_the_same_original_fetch_it_once(shelf: Shelf, tmp_path: Path) -> None:
    exhibit = put(shelf, "a", b"footage" * 1000)
    shelf.go_on.clear()
    got: list[bytes] = []

    def use() -> None:
        with cache_of(shelf, tmp_path).original(exhibit) as path:
            got.append(path.read_bytes())

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert shelf.during_read.wait(10)
    shelf.go_on.set()
    for thread in threads:
        thread.join(10)
    assert got == [b"footage" * 1000] * 4
    assert shelf.reads == ["a"]


def test_what_is_not_what_was_recorded_is_refused_and_not_kept(shelf: Shelf, tmp_path: Path) -> None:
    exhibit = put(shelf, "a", b"footage" * 1000)
    shelf.objects["a"] = b"f00tage" * 1000
    with pytest.raises(DigestMismatch, match="not what was recorded"), cache_of(shelf, tmp_path).original(exhibit):
        pass
    assert copies(tmp_path) == set()


def test_a_copy_that_was_changed_on_this_machine_is_fetched_anew(shelf: Shelf, tmp_path: Path) -> None:
    exhibit = put(shelf, "a", b"footage" * 1000)
    cache = cache_of(shelf, tmp_path)
    with cache.original(exhibit) as path:
        pass
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"F")
    with cache.original(exhibit) as path:
        assert path.read_bytes() == b"footage" * 1000
    assert shelf.reads == ["a", "a"]


def test_the_longest_unused_goes_first(shelf: Shelf, tmp_path: Path) -> None:
    a, b, c = (put(shelf, name, name.encode() * 400) for name in "abc")
    cache = cache_of(shelf, tmp_path, limit_bytes=1000)
    for exhibit in (a, b, a, c):
        with cache.original(exhibit):
            pass
    assert copies(tmp_path) == {a.sha256.hex, c.sha256.hex}
    assert len(list(tmp_path.iterdir())) == 4, "each copy with its lock, and nothing else"


def test_a_copy_in_use_is_never_thrown_out(shelf: Shelf, tmp_path: Path) -> None:
    a, b = put(shelf, "a", b"a" * 800), put(shelf, "b", b"b" * 800)
    cache = cache_of(shelf, tmp_path, limit_bytes=1000)
    with cache.original(a) as in_use, cache.original(b):
        assert in_use.read_bytes() == b"a" * 800
        assert copies(tmp_path) == {a.sha256.hex, b.sha256.hex}
    with cache.original(b):
        pass
    assert copies(tmp_path) == {b.sha256.hex}


def test_an_original_larger_than_the_cache_is_used_and_not_kept(shelf: Shelf, tmp_path: Path) -> None:
    exhibit = put(shelf, "a", b"a" * 5000)
    with cache_of(shelf, tmp_path, limit_bytes=1000).original(exhibit) as path:
        assert path.stat().st_size == 5000
    assert copies(tmp_path) == set()


def test_being_told_to_stop_leaves_nothing_half_fetched(shelf: Shelf, tmp_path: Path) -> None:
    exhibit = put(shelf, "a", b"a" * 5000)
    stop = Stop()
    stop.ask()
    with pytest.raises(HandBack), cache_of(shelf, tmp_path).original(exhibit, stop):
        pass
    assert copies(tmp_path) == set()
    assert not list(tmp_path.glob("*.part"))


def test_what_a_dead_fetcher_left_is_no_copy(shelf: Shelf, tmp_path: Path) -> None:
    exhibit = put(shelf, "a", b"a" * 5000)
    (tmp_path / f"{exhibit.sha256.hex}.part").write_bytes(b"aaa")
    with cache_of(shelf, tmp_path).original(exhibit) as path:
        assert path.stat().st_size == 5000
    assert not list(tmp_path.glob("*.part"))


def test_a_store_that_fails_half_way_leaves_nothing(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exhibit = put(shelf, "a", b"a" * 5000)

    def read(*_: object, **__: object) -> Iterator[bytes]:
        yield b"a" * 100
        raise StoreDown("the store went away")

    monkeypatch.setattr(shelf, "read", read)
    with pytest.raises(StoreDown), cache_of(shelf, tmp_path).original(exhibit):
        pass
    assert copies(tmp_path) == set()


def test_locks_are_not_handed_to_other_programs(shelf: Shelf, tmp_path: Path) -> None:
    """A child that inherited the lock would hold the copy for as long as it runs."""
    exhibit = put(shelf, "a", b"a" * 5000)
    with cache_of(shelf, tmp_path).original(exhibit):
        held = [int(fd.name) for fd in Path("/proc/self/fd").iterdir() if _leads_to(fd, ".lock")]
        assert held
        assert not any(os.get_inheritable(fd) for fd in held)


def _leads_to(fd: Path, ending: str) -> bool:
    try:
        return fd.readlink().name.endswith(ending)
    except FileNotFoundError:
        return False

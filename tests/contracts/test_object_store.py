"""What every object store promises: one suite, run on the folder and on a real MinIO server."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence.errors import BadInput, Conflict, NotFound, Unavailable
from evidence.ports import ObjectStore

MIB = 1024 * 1024
WHERE = ["originals/one", "derived/one/probe/0/1/out.json"]


@pytest.fixture(params=["folder_store", pytest.param("minio_store", marks=pytest.mark.minio)])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    found: ObjectStore = request.getfixturevalue(request.param)
    return found


def read(store: ObjectStore, key: str, *args: int) -> bytes:
    return b"".join(store.read(key, *args))


@pytest.mark.parametrize("key", WHERE)
def test_bytes_come_back_as_they_went_in(store: ObjectStore, key: str) -> None:
    stored = store.put_bytes(key, b"as it was")
    assert (stored.key, stored.size_bytes) == (key, 9)
    assert read(store, key) == b"as it was"
    assert store.stat(key) == stored
    assert store.digest(key, stored.version_id).hex == hashlib.sha256(b"as it was").hexdigest()


def test_an_empty_object_is_one(store: ObjectStore) -> None:
    store.put_bytes("staging/u/empty", b"")
    assert store.stat("staging/u/empty").size_bytes == 0
    assert read(store, "staging/u/empty") == b""


@pytest.mark.parametrize("key", WHERE)
def test_nothing_is_overwritten(store: ObjectStore, key: str, tmp_path: Path) -> None:
    store.put_bytes(key, b"first")
    (tmp_path / "second").write_bytes(b"second")
    (tmp_path / "long").write_bytes(bytes(17 * MIB))
    with pytest.raises(Conflict):
        store.put_bytes(key, b"second")
    with pytest.raises(Conflict):
        store.put_file(key, tmp_path / "second")
    with pytest.raises(Conflict):
        store.put_file(key, tmp_path / "long")
    assert read(store, key) == b"first"


def test_of_many_writers_of_one_key_one_wins(store: ObjectStore) -> None:
    outcomes: list[bytes] = []
    start = threading.Barrier(8)

    def write(data: bytes) -> None:
        start.wait()
        try:
            store.put_bytes("derived/race", data)
        except Conflict:
            return
        outcomes.append(data)

    threads = [threading.Thread(target=write, args=(bytes([n]) * 1000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1
    assert read(store, "derived/race") == outcomes[0]


def test_a_file_of_several_parts(store: ObjectStore, tmp_path: Path) -> None:
    data = os.urandom(33 * MIB + 5)
    (tmp_path / "video").write_bytes(data)
    stored = store.put_file("derived/video.mp4", tmp_path / "video", "video/mp4")
    assert stored.size_bytes == len(data)
    assert store.digest("derived/video.mp4").hex == hashlib.sha256(data).hexdigest()
    store.fetch("derived/video.mp4", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    with pytest.raises(Conflict):
        store.fetch("derived/video.mp4", tmp_path / "back")


def test_a_file_that_cannot_be_fetched_leaves_nothing(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        store.fetch("derived/nothing", tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("start", "length"), [(0, 1), (1, None), (3, 4), (9, 1), (8, 100), (0, 0), (10, None), (10, 5), (50, 5)]
)
def test_ranges(store: ObjectStore, start: int, length: int | None) -> None:
    data = b"0123456789"
    store.put_bytes("derived/ten", data)
    expected = data[start:] if length is None else data[start : start + length]
    assert b"".join(store.read("derived/ten", start, length)) == expected


def test_chunks_are_small(store: ObjectStore) -> None:
    store.put_bytes("staging/u/part-000001", bytes(5 * MIB))
    assert max(len(chunk) for chunk in store.read("staging/u/part-000001")) <= MIB


def test_compose_joins_in_order_and_can_be_called_again(store: ObjectStore) -> None:
    parts = [os.urandom(5 * MIB), os.urandom(5 * MIB + 1), os.urandom(17)]
    keys = [f"staging/u/part-{n:06d}" for n in range(3)]
    for key, data in zip(keys, parts, strict=True):
        store.put_bytes(key, data)
    composed = store.compose("originals/two", keys)
    assert composed.size_bytes == sum(map(len, parts))
    assert store.digest("originals/two", composed.version_id).hex == hashlib.sha256(b"".join(parts)).hexdigest()
    assert store.compose("originals/two", keys) == composed
    with pytest.raises(Conflict):
        store.compose("originals/two", keys[:1])


def test_compose_of_one_small_part(store: ObjectStore) -> None:
    store.put_bytes("staging/u/tail-000000000000003", b"abc")
    composed = store.compose("originals/small", ["staging/u/tail-000000000000003"])
    assert read(store, "originals/small") == b"abc"
    assert composed == store.stat("originals/small")


def test_compose_needs_all_of_its_parts(store: ObjectStore) -> None:
    store.put_bytes("staging/u/part-000001", b"abc")
    with pytest.raises(NotFound):
        store.compose("originals/three", ["staging/u/part-000001", "staging/u/part-000002"])
    with pytest.raises(NotFound):
        store.stat("originals/three")


@pytest.mark.parametrize("key", WHERE)
def test_what_is_not_locked_can_be_deleted_and_is_gone(store: ObjectStore, key: str) -> None:
    store.put_bytes(key, b"one")
    store.delete(key)
    with pytest.raises(NotFound):
        store.stat(key)
    store.delete(key)
    store.put_bytes(key, b"another")
    assert read(store, key) == b"another"


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.stat("derived/none"),
        lambda s: list(s.read("derived/none")),
        lambda s: s.digest("originals/none"),
        lambda s: s.stat("derived"),
    ],
)
def test_what_is_not_there_is_not_found(store: ObjectStore, act: Callable[[ObjectStore], object]) -> None:
    store.put_bytes("derived/some", b"x")
    with pytest.raises(NotFound):
        act(store)


def test_keys_are_listed_by_prefix_in_order(store: ObjectStore) -> None:
    for key in ("staging/u1/part-000002", "staging/u1/part-000001", "staging/u10/part-000001", "originals/x"):
        store.put_bytes(key, b"x")
    assert list(store.list_keys("staging/u1/")) == ["staging/u1/part-000001", "staging/u1/part-000002"]
    assert list(store.list_keys("staging/u1")) == [
        "staging/u1/part-000001",
        "staging/u1/part-000002",
        "staging/u10/part-000001",
    ]
    assert list(store.list_keys("originals/")) == ["originals/x"]
    assert list(store.list_keys("nothing/")) == []


@pytest.mark.parametrize(
    "key", ["../up", "derived/../../up", "/etc/passwd", "", "a//b", "a/./b", "a\\b", "a\x00b", "a\nb", ".hidden", "x" * 300]
)
def test_a_hostile_key_is_refused(store: ObjectStore, key: str, tmp_path: Path) -> None:
    for act in (
        lambda: store.put_bytes(key, b"x"),
        lambda: store.stat(key),
        lambda: list(store.read(key)),
        lambda: store.delete(key),
        lambda: store.fetch(key, tmp_path / "out"),
    ):
        with pytest.raises(BadInput):
            act()
    assert not (tmp_path / "out").exists()


def test_names_of_every_script_are_names(store: ObjectStore) -> None:
    key = "derived/e/clip/r/1/vidéo ÖÄ 東京 (1)+%20&.mp4"
    store.put_bytes(key, b"x")
    assert read(store, key) == b"x"
    assert list(store.list_keys("derived/e/")) == [key]


def test_prepare_and_check_can_be_called_again(store: ObjectStore) -> None:
    store.prepare()
    store.prepare()
    assert store.check()


def test_a_lock_holds_or_is_refused(store: ObjectStore) -> None:
    stored = store.put_bytes("originals/locked", b"evidence")
    until = datetime.now(UTC) + timedelta(days=1)
    assert store.read_lock(stored.key, stored.version_id) is None
    if not store.can_lock:
        with pytest.raises(Unavailable):
            store.lock(stored.key, stored.version_id, until)
        return
    store.lock(stored.key, stored.version_id, until)
    lock = store.read_lock(stored.key, stored.version_id)
    assert lock is not None
    assert lock.mode == "COMPLIANCE"
    assert abs(lock.until - until) < timedelta(seconds=1)
    with pytest.raises(Conflict):
        store.delete(stored.key)
    with pytest.raises(Conflict):
        store.lock(stored.key, stored.version_id, until - timedelta(hours=1))
    store.lock(stored.key, stored.version_id, until + timedelta(days=1))
    assert read(store, stored.key) == b"evidence"

"""The checking of finished uploads when it is cut off, overtaken, broken or stopped, or the store does wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from evidence.errors import StoreDown, StoreUnfaithful
from evidence.exhibit import ExhibitId
from evidence.ports import Lock
from storage import keys
from storage.ledger.uploads import UploadState
from tests.receiving import MIB, PowerCut, Room, Twisted
from tests.speaking_tus import video_bytes

POINTS = ("composed", "read back", "locked", "registered", "staging cleared")


@pytest.mark.parametrize("point", POINTS)
def test_cut_off_anywhere_the_next_check_comes_to_the_same_end(room: Room, point: str) -> None:
    data = video_bytes(6 * MIB, 5)
    upload = room.uploaded(data, parts=1)
    with pytest.raises(PowerCut):
        room.receiver(cutting(point)).check_one()
    room.lease_over(upload)
    receiver = room.receiver()
    receiver.check_one()
    receiver.tidy()
    exhibit = room.index.exhibit(upload.exhibit_id)
    assert room.state(upload).state is UploadState.DONE
    assert b"".join(room.store.read(exhibit.key, version_id=exhibit.version_id)) == data
    assert (exhibit.secured_at is not None) == room.store.can_lock
    assert room.keys(keys.ORIGINALS) == [exhibit.key]
    assert room.keys(keys.STAGING) == []
    assert room.verbs().count("exhibit received") == 1
    assert len(room.index.step_runs(exhibit.id)) == 1


@pytest.mark.parametrize("point", ["duplicate deleted", "duplicate dropped"])
def test_cut_off_while_a_twin_is_dropped(room: Room, point: str) -> None:
    data = video_bytes(5000, 6)
    first, second = room.uploaded(data), room.uploaded(data)
    room.receiver().check_one()
    with pytest.raises(PowerCut):
        room.receiver(cutting(point)).check_one()
    room.lease_over(second)
    room.receiver().check_one()
    room.receiver().tidy()
    assert room.state(second).duplicate_of == first.exhibit_id
    assert room.keys(keys.ORIGINALS) == [keys.original(first.exhibit_id)]
    assert room.keys(keys.STAGING) == []


@pytest.mark.parametrize("point", ["refused bytes deleted", "refused"])
def test_cut_off_while_refusing(room: Room, point: str) -> None:
    upload = room.uploaded(b"#!/bin/sh\nrm -rf /\n" * 20)
    with pytest.raises(PowerCut):
        room.receiver(cutting(point)).check_one()
    room.lease_over(upload)
    room.receiver().check_one()
    room.receiver().tidy()
    assert room.state(upload).state is UploadState.REFUSED
    assert room.keys(keys.ORIGINALS) == []
    assert room.keys(keys.STAGING) == []


def cutting(point: str) -> Any:
    def at(reached: str) -> None:
        if reached == point:
            raise PowerCut(point)

    return at


def test_an_overtaken_check_writes_and_deletes_nothing(folder_room: Room) -> None:
    """A server that slept through its lease wakes up after another one has finished the upload."""
    room = folder_room
    data = video_bytes(5000, 7)
    upload = room.uploaded(data)

    def overtaken(point: str) -> None:
        if point == "read back" and room.state(upload).state is UploadState.CHECKING:
            room.lease_over(upload)
            assert room.receiver().check_one()

    assert room.receiver(overtaken).check_one()
    exhibit = room.index.exhibit(upload.exhibit_id)
    assert b"".join(room.store.read(exhibit.key)) == data
    assert room.verbs().count("exhibit received") == 1


def test_a_twin_that_got_in_first_while_this_one_was_locked_is_linked(minio_room: Room) -> None:
    """The lock can't be undone: the copy stays until it ends, and is no exhibit."""
    room = minio_room
    data = video_bytes(5000, 8)
    first, second = room.uploaded(data), room.uploaded(data)

    def second_first(point: str) -> None:
        if point == "locked" and room.state(second).state is UploadState.CHECKING:
            assert room.receiver().check_one()

    assert room.receiver(second_first).check_one()
    assert room.state(second).duplicate_of is None
    assert room.state(first).duplicate_of == second.exhibit_id
    with pytest.raises(Exception, match="no such exhibit"):
        room.index.exhibit(ExhibitId(first.exhibit_id))
    assert sorted(room.keys(keys.ORIGINALS)) == sorted(keys.original(u.exhibit_id) for u in (first, second))


def test_an_overtaken_check_that_reads_wrong_bytes_deletes_nothing(folder_room: Room) -> None:
    room = folder_room
    data = video_bytes(5000, 10)
    upload = room.uploaded(data)

    def read(key: str, *arguments: Any, **more: Any) -> Iterator[bytes]:
        if room.state(upload).state is UploadState.CHECKING:
            room.lease_over(upload)
            assert room.receiver().check_one()
        yield bytes(len(b"".join(room.store.read(key, *arguments, **more))))

    twisted: Any = Twisted(room.store, read=read)
    assert room.receiver(store=twisted).check_one()
    exhibit = room.index.exhibit(upload.exhibit_id)
    assert b"".join(room.store.read(exhibit.key)) == data


def test_a_store_that_gives_back_other_bytes_is_found_out(folder_room: Room) -> None:
    room = folder_room
    upload = room.uploaded(video_bytes(5000, 9))

    def read(key: str, *arguments: Any, **more: Any) -> Iterator[bytes]:
        data = b"".join(room.store.read(key, *arguments, **more))
        yield data[:100] + bytes([data[100] ^ 1]) + data[101:]

    twisted: Any = Twisted(room.store, read=read)
    for _ in range(2):
        with pytest.raises(StoreUnfaithful):
            room.receiver(store=twisted).check_one()
        assert room.state(upload).state is UploadState.CHECKING
        room.lease_over(upload)
    assert room.receiver(store=twisted).check_one()
    failed = room.state(upload)
    assert (failed.state, failed.duplicate_of) == (UploadState.FAILED, None)
    assert "not what was received" in failed.error
    assert room.keys(keys.STAGING), "the bytes that came stay"
    assert room.receiver().try_failed_again() == 0
    room.clock.ahead = timedelta(minutes=61)
    assert room.receiver().try_failed_again() == 1
    assert room.receiver().check_one()
    assert room.state(upload).state is UploadState.DONE


@pytest.mark.parametrize("answer", [None, "GOVERNANCE", "early"])
def test_a_store_that_drops_or_weakens_locks_secures_nothing(folder_room: Room, answer: str | None) -> None:
    """Some stores say yes to a lock and keep none; `secured` is never said then."""
    room = folder_room
    upload = room.uploaded(video_bytes(5000, 10))
    locks: dict[str, datetime] = {}

    def lock(key: str, _version: str, until: datetime) -> None:
        locks[key] = until

    def read_lock(key: str, _version: str) -> Lock | None:
        if answer is None or key not in locks:
            return None
        return Lock("COMPLIANCE" if answer == "early" else answer, locks[key] - timedelta(days=answer == "early"))

    twisted: Any = Twisted(room.store, can_lock=True, lock=lock, read_lock=read_lock)
    with pytest.raises(StoreUnfaithful, match="did not keep the lock"):
        room.receiver(store=twisted).check_one()
    assert room.state(upload).state is UploadState.CHECKING
    assert "exhibit received" not in room.verbs()


def test_while_the_store_is_down_an_upload_waits(folder_room: Room) -> None:
    room = folder_room
    upload = room.uploaded(video_bytes(5000, 11))

    def compose(*_: Any) -> None:
        raise StoreDown("the store can't be reached")

    twisted: Any = Twisted(room.store, compose=compose)
    for _ in range(5):
        with pytest.raises(StoreDown):
            room.receiver(store=twisted).check_one()
        room.lease_over(upload)
    assert room.receiver().check_one()
    assert room.state(upload).state is UploadState.DONE


def test_a_check_that_breaks_again_and_again_is_told_and_the_file_kept(folder_room: Room) -> None:
    room = folder_room
    room.settings = room.settings.model_copy(update={"lease_s": 5})
    data = video_bytes(5000, 15)
    upload = room.uploaded(data)
    tried = []

    def broken(point: str) -> None:
        tried.append(point)
        # As if half a minute had gone by: another round takes it up at once.
        room.lease_over(upload)
        raise ValueError("a fault of the program")

    receiver, stop = room.receiver(broken), threading.Event()
    loop = threading.Thread(target=receiver.run, args=(stop,))
    loop.start()
    try:
        for _ in range(400):
            if room.state(upload).state is UploadState.FAILED:
                break
            threading.Event().wait(0.05)
    finally:
        stop.set()
        loop.join(10)
    failed = room.state(upload)
    assert failed.state is UploadState.FAILED
    assert len(tried) >= 3, "not given up at the first fault"
    assert "by a fault of this program (ValueError)" in failed.error
    assert "administrator" in failed.hint
    assert room.verbs()[-1] == "upload refused"
    # Once the fault is mended the hourly round finishes it.
    assert room.ledger.uploads.reopen_failed(room.clock.now() + timedelta(minutes=1)) == 1
    assert room.receiver().check_one()
    assert b"".join(room.store.read(room.index.exhibit(upload.exhibit_id).key)) == data


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_twin_whose_original_is_lost_is_no_reason_to_drop_the_new_bytes(folder_room: Room, damage: str) -> None:
    room = folder_room
    data = video_bytes(5000, 16)
    first = room.uploaded(data)
    room.receiver().check_one()
    key = room.index.exhibit(first.exhibit_id).key
    room.store.delete(key)
    if damage == "changed":
        room.store.put_bytes(key, data[:-1] + b"!")
    second = room.uploaded(data)
    assert room.receiver().check_one()
    kept = room.state(second)
    assert (kept.state, kept.duplicate_of) == (UploadState.FAILED, None)
    assert "is no longer in the store as it was received" in kept.error
    assert b"".join(b"".join(room.store.read(part.key)) for part in kept.parts) == data
    # Restored from a backup, it is a twin as any other.
    room.store.delete(key)
    room.store.put_bytes(key, data)
    assert room.receiver().try_failed_again() == 0
    room.clock.ahead = timedelta(hours=2)
    assert room.receiver().try_failed_again() == 1
    assert room.receiver().check_one()
    assert room.state(second).duplicate_of == first.exhibit_id


def test_the_loop_checks_several_at_once_and_stops_when_told(folder_room: Room) -> None:
    room = folder_room
    uploads = [room.uploaded(video_bytes(5000, 20 + n)) for n in range(8)]
    receiver, stop = room.receiver(), threading.Event()
    loop = threading.Thread(target=receiver.run, args=(stop,))
    loop.start()
    try:
        later = room.uploaded(video_bytes(5000, 40))
        receiver.wake()
        for upload in [*uploads, later]:
            for _ in range(400):
                if room.state(upload).state is UploadState.DONE:
                    break
                threading.Event().wait(0.05)
            assert room.state(upload).state is UploadState.DONE
    finally:
        stop.set()
        loop.join(10)
    assert not loop.is_alive()


def test_a_check_that_is_stopped_is_left_to_another(folder_room: Room) -> None:
    room = folder_room
    upload = room.uploaded(video_bytes(3 * MIB, 13))
    receiver, stop = room.receiver(), threading.Event()

    def read(key: str, *arguments: Any, **more: Any) -> Iterator[bytes]:
        for chunk in room.store.read(key, *arguments, **more):
            stop.set()
            threading.Event().wait(0.5)  # Long enough for the loop to see it.
            yield chunk

    receiver = room.receiver(store=Twisted(room.store, read=read))  # type: ignore[arg-type]
    receiver.run(stop)
    assert room.state(upload).state is UploadState.CHECKING
    room.lease_over(upload)
    assert room.receiver().check_one()
    assert room.state(upload).state is UploadState.DONE


def test_the_lease_is_renewed_while_a_long_file_is_read_back(folder_room: Room) -> None:
    room = folder_room
    room.settings = room.settings.model_copy(update={"lease_s": 5})
    upload = room.uploaded(video_bytes(5000, 14))
    other: list[bool] = []

    def slow(point: str) -> None:
        if point == "read back":
            threading.Event().wait(2.5)
            claimed = room.ledger.uploads.claim_checking(timedelta(seconds=5))
            other.append(claimed is not None)
            renewed = replace(room.state(upload))
            assert renewed.attempt == 1

    assert room.receiver(slow).check_one()
    assert other == [False]

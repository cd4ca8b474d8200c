"""The checking of finished uploads, on both stores: what becomes of them, and what a crash at any line leaves."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evidence.case import Case, Role, User
from evidence.errors import StoreDown, StoreUnfaithful
from evidence.exhibit import ExhibitId, FileType
from evidence.ports import Lock, ObjectStore
from evidence.steps import Step
from ingest.receive import Receiver
from storage import keys
from storage.ledger.uploads import Upload, UploadPart, UploadState
from storage.locks import lock_and_confirm
from storage.open import Storage, open_storage
from tests.factories import Factory
from tests.speaking_tus import video_bytes

POINTS = ("composed", "read back", "locked", "registered", "staging cleared")
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


@pytest.fixture(params=["folder", pytest.param("minio", marks=pytest.mark.minio)])
def room(request: pytest.FixtureRequest) -> Iterator[Room]:
    settings = request.getfixturevalue("minio_settings" if request.param == "minio" else "settings")
    clock = RealTime()
    storage = open_storage(settings, clock=clock)
    yield Room(storage, clock, settings)
    storage.close()


@pytest.fixture
def folder_room(settings: Any) -> Iterator[Room]:
    clock = RealTime()
    storage = open_storage(settings, clock=clock)
    yield Room(storage, clock, settings)
    storage.close()


@pytest.fixture
def minio_room(minio_settings: Any) -> Iterator[Room]:
    clock = RealTime()
    storage = open_storage(minio_settings, clock=clock)
    yield Room(storage, clock, minio_settings)
    storage.close()


def test_an_upload_becomes_a_locked_exhibit_with_its_first_step(room: Room) -> None:
    data = video_bytes(11 * MIB, 1)
    upload = room.uploaded(
        data,
        parts=2,
        sha256=hashlib.sha256(data).hexdigest(),
        captured_at="2026-11-03T14:05:00+00:00",
        officer="PC 1234",
        device="BWV-77",
    )
    assert room.receiver().check_one()
    done = room.state(upload)
    assert (done.state, done.exhibit_id, done.duplicate_of) == (UploadState.DONE, upload.exhibit_id, None)
    exhibit = room.index.exhibit(upload.exhibit_id)
    assert b"".join(room.store.read(exhibit.key, version_id=exhibit.version_id)) == data
    assert exhibit.sha256.hex == hashlib.sha256(data).hexdigest()
    assert (exhibit.file_type, exhibit.officer, exhibit.device) == (FileType.VIDEO, "PC 1234", "BWV-77")
    if room.store.can_lock:
        lock = room.store.read_lock(exhibit.key, exhibit.version_id)
        assert lock is not None
        assert (lock.mode, lock.until) == ("COMPLIANCE", exhibit.locked_until)
        assert timedelta(days=30, hours=23) < lock.until - datetime.now(UTC) <= timedelta(days=31, seconds=2)
        assert exhibit.secured_at is not None
    else:
        assert (exhibit.secured_at, exhibit.locked_until) == (None, None)
    assert [run.step for run in room.index.step_runs(exhibit.id)] == [Step.PROBE]
    assert room.keys(keys.STAGING) == []
    assert room.bell.rung == 1
    assert room.verbs()[-1] == "exhibit received"
    assert not room.receiver().check_one()


def test_a_sidecar_is_kept_and_not_analysed(room: Room) -> None:
    upload = room.uploaded(b"1\n00:00:01,000 --> 00:00:02,000\nGPS(1,2,3)\n", filename="a.srt", sidecar_for="ABC/1")
    room.receiver().check_one()
    exhibit = room.index.exhibit(upload.exhibit_id)
    assert (exhibit.file_type, exhibit.sidecar_for) == (FileType.TELEMETRY, "ABC/1")
    assert room.index.step_runs(exhibit.id) == []


def test_the_same_bytes_in_the_same_case_are_linked_and_the_copy_dropped(room: Room) -> None:
    data = video_bytes(5000, 2)
    first = room.uploaded(data)
    second = room.uploaded(data, filename="copy of clip.mp4")
    receiver = room.receiver()
    receiver.check_one()
    receiver.check_one()
    done = room.state(second)
    assert (done.state, done.duplicate_of) == (UploadState.DONE, first.exhibit_id)
    assert room.keys(keys.ORIGINALS) == [keys.original(first.exhibit_id)]
    assert room.keys(keys.STAGING) == []
    assert room.verbs()[-1] == "duplicate dropped"
    other_case = room.make.case()
    elsewhere = room.uploaded(data, case=other_case.reference)
    receiver.check_one()
    assert room.state(elsewhere).duplicate_of is None
    assert room.index.exhibit(elsewhere.exhibit_id).case_id == other_case.id


def test_the_tray_knows_twins_of_the_same_officer_and_claim_only(folder_room: Room) -> None:
    """For another case that nobody knows yet it is other evidence: a supervisor may file it there."""
    room = folder_room
    data = video_bytes(5000, 3)
    first = room.uploaded(data, case="NOBODY/1")
    again = room.uploaded(data, case="NOBODY/1")
    second = room.uploaded(data, case="NOBODY/2")
    room.officer = room.make.user(Role.OFFICER)
    third = room.uploaded(data, case="NOBODY/1")
    receiver = room.receiver()
    while receiver.check_one():
        pass
    assert room.state(again).duplicate_of == first.exhibit_id
    assert room.state(second).duplicate_of is None
    assert room.index.exhibit(second.exhibit_id).claimed_case == "NOBODY/2"
    assert room.state(third).duplicate_of is None


@pytest.mark.parametrize(
    ("data", "fields", "said"),
    [
        (video_bytes(3000, 4), {"sha256": "0" * 64}, "SHA-256 is"),
        (b"not a video at all\n" * 50, {}, "text file"),
        (b"MZ\x90\x00" + bytes(2000), {}, "program"),
    ],
    ids=["another digest", "text", "program"],
)
def test_what_is_not_what_it_should_be_is_refused_and_nothing_kept(
    room: Room, data: bytes, fields: dict[str, str], said: str
) -> None:
    upload = room.uploaded(data, **fields)
    assert room.receiver().check_one()
    refused = room.state(upload)
    assert refused.state is UploadState.REFUSED
    assert said in refused.error
    assert len(refused.hint) > 20
    assert room.keys(keys.ORIGINALS) == []
    assert room.keys(keys.STAGING) == []
    assert room.verbs()[-1] == "upload refused"


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


class Twisted:
    """A store that does one thing wrong."""

    def __init__(self, store: ObjectStore, **wrong: Any) -> None:
        self._store, self._wrong = store, wrong

    def __getattr__(self, name: str) -> Any:
        return self._wrong.get(name) or getattr(self._store, name)


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
    assert (failed.state, len(tried)) == (UploadState.FAILED, 3)
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


def test_locks_are_rolled_forward_in_their_second_half(minio_room: Room) -> None:
    room = minio_room
    upload = room.uploaded(video_bytes(5000, 12))
    room.receiver().check_one()
    before = room.index.exhibit(upload.exhibit_id)
    assert room.receiver().roll_locks() == 0
    room.clock.ahead = timedelta(days=16)
    assert room.receiver().roll_locks() == 1
    after = room.index.exhibit(upload.exhibit_id)
    assert before.locked_until is not None
    assert after.locked_until is not None
    assert timedelta(days=15, hours=23) < after.locked_until - before.locked_until <= timedelta(days=16, minutes=1)
    lock = room.store.read_lock(after.key, after.version_id)
    assert lock is not None
    assert lock.until == after.locked_until
    assert room.verbs()[-1] == "lock extended"
    assert room.receiver().roll_locks() == 0


def test_a_lock_is_asked_for_in_whole_seconds_and_never_shorter(minio_store: ObjectStore) -> None:
    stored = minio_store.put_bytes(keys.original(ExhibitId("x")), b"bytes")
    until = datetime.now(UTC).replace(microsecond=999_999) + timedelta(days=1)
    assert until <= lock_and_confirm(minio_store, stored.key, stored.version_id, until) <= until + timedelta(seconds=2)


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

"""The checking of finished uploads, on both stores: what becomes of them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from evidence.case import Role
from evidence.exhibit import ExhibitId, FileType
from evidence.ports import ObjectStore
from evidence.steps import Step
from storage import keys
from storage.ledger.uploads import UploadState
from storage.locks import lock_and_confirm
from tests.receiving import MIB, Room
from tests.speaking_tus import video_bytes


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


def test_a_sidecar_is_kept_and_only_its_places_are_read(room: Room) -> None:
    upload = room.uploaded(b"1\n00:00:01,000 --> 00:00:02,000\nGPS(1,2,3)\n", filename="a.srt", sidecar_for="ABC/1")
    room.receiver().check_one()
    exhibit = room.index.exhibit(upload.exhibit_id)
    assert (exhibit.file_type, exhibit.sidecar_for) == (FileType.TELEMETRY, "ABC/1")
    assert [run.step for run in room.index.step_runs(exhibit.id)] == [Step.LOCATE]


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

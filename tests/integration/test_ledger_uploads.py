"""Resumable uploads and the registering of exhibits: one writer, one checker, one exhibit."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from evidence.audit import Verb
from evidence.case import Role
from evidence.errors import Busy, CaseClosed, Conflict, Fenced, NotFound
from evidence.exhibit import Condition, Exhibit, FileType, SourceKind, UploadId
from evidence.steps import Step, StepState
from storage.index import Index
from storage.ledger import Ledger
from storage.ledger.uploads import Upload, UploadPart, UploadState
from storage.open import Storage
from tests.conftest import FixedClock
from tests.factories import Factory, digest_of

EXPIRY = timedelta(hours=1)
LEASE = timedelta(seconds=30)
OVER = timedelta(seconds=-1)
"""A lease that has run out when it is given."""


def part(number: int, size: int, full: bool = True) -> UploadPart:
    return UploadPart(number, f"staging/u/part-{number}-{size}", size, "a" * 64, full)


def events(index: Index, *verbs: Verb) -> list[object]:
    return [event.details for event in index.audit_events() if event.verb in verbs]


def test_a_case_is_found_in_whatever_spelling_and_without_membership(ledger: Ledger, make: Factory) -> None:
    case = make.case(make.user(), "Op Elm/1")
    upload = ledger.uploads.begin(make.user(Role.OFFICER), 10, {"case": " op  ELM/1 ", "filename": "a"}, expiry=EXPIRY)
    assert (upload.case_id, upload.claimed_case) == (case.id, "op ELM/1")
    assert upload.state is UploadState.RECEIVING
    unknown = ledger.uploads.begin(make.user(), 10, {"case": "no such"}, expiry=EXPIRY)
    assert (unknown.case_id, unknown.claimed_case) == (None, "no such")


def test_a_closed_case_takes_nothing(ledger: Ledger, index: Index, make: Factory) -> None:
    user = make.user()
    case = make.case(user)
    ledger.cases.change(user, case.id, closed=True)
    with pytest.raises(CaseClosed):
        ledger.uploads.begin(user, 10, {"case": case.reference}, expiry=EXPIRY)
    assert events(index, Verb.UPLOAD_STARTED) == []


def test_hostile_metadata_is_kept_as_data(ledger: Ledger, index: Index, make: Factory) -> None:
    upload = ledger.uploads.begin(make.user(), 1, {"filename": "a\x00b\ud800'; DROP TABLE audit; --"}, expiry=EXPIRY)
    assert index.upload(upload.id).metadata["filename"].endswith("'; DROP TABLE audit; --")


def test_parts_and_tails_move_the_offset(ledger: Ledger, index: Index, make: Factory, clock: FixedClock) -> None:
    upload = ledger.uploads.begin(make.user(), 100, {}, expiry=EXPIRY)
    upload = ledger.uploads.advance(upload, part(1, 40), expiry=EXPIRY)
    upload = ledger.uploads.advance(upload, part(2, 7, full=False), expiry=EXPIRY)
    assert upload.offset_bytes == 47
    clock.advance(minutes=30)
    upload = ledger.uploads.advance(upload, part(2, 40), expiry=EXPIRY)
    assert (upload.offset_bytes, [p.size_bytes for p in upload.parts]) == (80, [40, 40])
    assert upload.expires_at == clock.now() + EXPIRY
    assert index.upload(upload.id) == upload
    upload = ledger.uploads.advance(upload, part(3, 20), expiry=EXPIRY)
    assert (upload.state, upload.offset_bytes) == (UploadState.CHECKING, 100)


def test_an_offset_that_moved_meanwhile_is_a_conflict(ledger: Ledger, index: Index, make: Factory) -> None:
    upload = ledger.uploads.begin(make.user(), 100, {}, expiry=EXPIRY)
    ledger.uploads.advance(upload, part(1, 40), expiry=EXPIRY)
    for late in (part(1, 50), part(1, 30), part(2, 101)):
        with pytest.raises(Conflict):
            ledger.uploads.advance(upload, late, expiry=EXPIRY)
    assert index.upload(upload.id).offset_bytes == 40


def test_one_writer_at_a_time(storage: Storage, make: Factory) -> None:
    uploads = storage.ledger.uploads
    first = uploads.begin(make.user(), 100, {}, expiry=EXPIRY)
    other = uploads.begin(make.user(), 100, {}, expiry=EXPIRY)
    with uploads.writing(first.id) as held:
        assert held == first
        with pytest.raises(Busy), uploads.writing(first.id):
            pass
        with uploads.writing(other.id):
            pass
    with pytest.raises(RuntimeError, match="the request broke"), uploads.writing(first.id):
        raise RuntimeError("the request broke")
    with uploads.writing(first.id):
        pass
    with pytest.raises(NotFound), uploads.writing(UploadId("none")):
        pass


def test_racing_writers_never_interleave(storage: Storage, make: Factory) -> None:
    uploads = storage.ledger.uploads
    upload = uploads.begin(make.user(), 1000, {}, expiry=EXPIRY)
    inside, most = 0, 0
    guard = threading.Lock()

    def write(n: int) -> int:
        nonlocal inside, most
        try:
            with uploads.writing(upload.id) as held:
                with guard:
                    inside += 1
                    most = max(most, inside)
                uploads.advance(held, part(len(held.parts) + 1, 1), expiry=EXPIRY)
                with guard:
                    inside -= 1
        except Busy:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        written = sum(pool.map(write, range(60)))
    assert most == 1
    assert storage.index.upload(upload.id).offset_bytes == written > 0


def test_of_many_checkers_one_gets_it(ledger: Ledger, make: Factory) -> None:
    upload = make.upload(make.user())
    with ThreadPoolExecutor(6) as pool:
        claimed = [found for found in pool.map(lambda _: ledger.uploads.claim_checking(LEASE), range(6)) if found]
    assert [(found.id, found.attempt) for found in claimed] == [(upload.id, 1)]
    assert ledger.uploads.renew(claimed[0], LEASE)


def test_a_checker_that_fell_silent_is_fenced(ledger: Ledger, index: Index, make: Factory) -> None:
    make.upload(make.user())
    slow = ledger.uploads.claim_checking(OVER)
    quick = ledger.uploads.claim_checking(LEASE)
    assert slow
    assert quick
    assert not ledger.uploads.renew(slow, LEASE)
    for act in (
        lambda: ledger.exhibits.register(slow, make.received(slow)),
        lambda: ledger.uploads.refuse(slow, "no", ""),
        lambda: ledger.uploads.fail(slow, "no", ""),
        lambda: ledger.uploads.drop_duplicate(slow, slow.exhibit_id),
    ):
        with pytest.raises(Fenced):
            act()
    ledger.exhibits.register(quick, make.received(quick))
    assert index.upload(quick.id).state is UploadState.DONE
    assert len(events(index, Verb.EXHIBIT_RECEIVED)) == 1


def test_registering_writes_all_of_it_at_once(ledger: Ledger, index: Index, make: Factory, clock: FixedClock) -> None:
    officer = make.user(Role.OFFICER, display_name="Alan Bo Cole")
    case = make.case()
    exhibit = make.exhibit(
        officer,
        case,
        b"the bytes",
        filename="GX01.MP4",
        kind="drone",
        captured_at="2026-02-28T23:15:00-02:00",
        device="M30T",
        officer="PC 123",
    )
    assert exhibit == index.exhibit(exhibit.id)
    assert (exhibit.reference, exhibit.kind, exhibit.filename) == ("ABC/1", SourceKind.DRONE, "GX01.MP4")
    assert exhibit.captured_at == datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
    assert (exhibit.device, exhibit.officer, exhibit.uploaded_at) == ("M30T", "PC 123", clock.now())
    assert exhibit.sha256 == digest_of(b"the bytes")
    assert exhibit.secured_at is None, "a folder can't lock"
    assert exhibit.condition is Condition.UNKNOWN
    assert [(run.step, run.state) for run in index.step_runs(exhibit.id)] == [(Step.PROBE, StepState.READY)]
    received = events(index, Verb.EXHIBIT_RECEIVED)[0]
    assert isinstance(received, dict)
    assert received["sha256"] == exhibit.sha256.hex
    assert received["captured_at"] == "2026-03-01T01:15:00+00:00"


def test_a_sidecar_is_only_located(index: Index, make: Factory) -> None:
    exhibit = make.exhibit(make.user(), make.case(), file_type=FileType.TELEMETRY, sidecar_for="GX01.MP4")
    assert [run.step for run in index.step_runs(exhibit.id)] == [Step.LOCATE]
    assert exhibit.sidecar_for == "GX01.MP4"


def test_references_count_per_case_and_initials(make: Factory) -> None:
    first, second = make.user(display_name="Ann Bell"), make.user(display_name="Abe Bond")
    third = make.user(display_name="Zoe Quinn-Ray")
    one, two = make.case(), make.case()
    given = [make.exhibit(user, case).reference for user, case in ((first, one), (second, one), (third, one), (first, two))]
    assert given == ["AB/1", "AB/2", "ZQR/1", "AB/1"]
    assert [make.exhibit(user).reference for user in (first, first, second)] == ["AB/1", "AB/2", "AB/1"]


def check(storage: Storage, make: Factory, upload: Upload) -> Exhibit | None:
    try:
        return storage.ledger.exhibits.register(upload, make.received(upload))
    except Conflict:
        return None


@pytest.mark.parametrize("in_case", [True, False])
def test_the_same_bytes_at_the_same_moment_become_one_exhibit(storage: Storage, make: Factory, in_case: bool) -> None:
    user = make.user()
    reference = make.case(user).reference if in_case else "none"
    for _ in range(4):
        make.upload(user, reference, b"the same bytes")
    claimed = [found for _ in range(4) if (found := storage.ledger.uploads.claim_checking(LEASE))]
    with ThreadPoolExecutor(4) as pool:
        made = [found for found in pool.map(lambda upload: check(storage, make, upload), claimed) if found]
    assert len(made) == 1
    assert made[0].reference.endswith("/1")
    twin = storage.index.exhibit_by_digest(made[0].case_id, made[0].sha256.hex, user.id, made[0].claimed_case)
    assert twin == made[0]
    for upload in claimed:
        if upload.exhibit_id != made[0].id:
            storage.ledger.uploads.drop_duplicate(upload, made[0].id)
            after = storage.index.upload(upload.id)
            assert (after.state, after.duplicate_of) == (UploadState.DONE, made[0].id)
    assert len(events(storage.index, Verb.DUPLICATE_DROPPED)) == 3
    assert len(storage.index.step_runs()) == 1


def test_the_same_bytes_in_another_case_or_tray_are_another_exhibit(make: Factory) -> None:
    user, other = make.user(), make.user()
    ids = {
        make.exhibit(user, make.case(), b"x").id,
        make.exhibit(user, make.case(), b"x").id,
        make.exhibit(user, None, b"x").id,
        make.exhibit(other, None, b"x").id,
    }
    assert len(ids) == 4


def test_numbers_given_at_the_same_moment_differ(storage: Storage, make: Factory) -> None:
    user = make.user(display_name="Ann Bell")
    case = make.case(user)
    for _ in range(6):
        make.upload(user, case.reference)
    claimed = [found for _ in range(6) if (found := storage.ledger.uploads.claim_checking(LEASE))]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda upload: check(storage, make, upload), claimed))
    assert sorted(exhibit.reference for exhibit in made if exhibit) == [f"AB/{n}" for n in range(1, 7)]


def test_what_is_refused_says_why_and_keeps_nothing(ledger: Ledger, index: Index, make: Factory) -> None:
    make.upload(make.user())
    upload = ledger.uploads.claim_checking(LEASE)
    assert upload
    ledger.uploads.refuse(upload, "this is a text file", "Send video.")
    after = index.upload(upload.id)
    assert (after.state, after.error, after.hint, after.parts) == (
        UploadState.REFUSED,
        "this is a text file",
        "Send video.",
        (),
    )
    assert ledger.uploads.claim_checking(LEASE) is None
    assert len(events(index, Verb.UPLOAD_REFUSED)) == 1


def test_a_failed_check_can_be_started_again(ledger: Ledger, index: Index, make: Factory) -> None:
    make.upload(make.user())
    upload = ledger.uploads.claim_checking(LEASE)
    assert upload
    ledger.uploads.fail(upload, "the store gave other bytes", "")
    assert index.upload(upload.id).state is UploadState.FAILED
    assert ledger.uploads.claim_checking(LEASE) is None
    failed_at = index.upload(upload.id).updated_at
    assert ledger.uploads.reopen_failed(failed_at) == 0
    assert ledger.uploads.reopen_failed(failed_at + timedelta(seconds=1)) == 1
    again = ledger.uploads.claim_checking(LEASE)
    assert again
    assert again.parts == upload.parts


def test_deleting_ends_what_is_not_complete(ledger: Ledger, index: Index, make: Factory) -> None:
    user = make.user()
    upload = ledger.uploads.begin(user, 100, {}, expiry=EXPIRY)
    upload = ledger.uploads.advance(upload, part(1, 40), expiry=EXPIRY)
    assert ledger.uploads.delete(user, upload.id).parts == upload.parts
    assert index.upload(upload.id).state is UploadState.DELETED
    with pytest.raises(Conflict):
        ledger.uploads.delete(user, upload.id)
    with pytest.raises(Conflict):
        ledger.uploads.delete(user, make.upload(user).id)
    with pytest.raises(Conflict):
        ledger.uploads.advance(upload, part(2, 1), expiry=EXPIRY)
    assert len(events(index, Verb.UPLOAD_DELETED)) == 1


def test_an_abandoned_upload_expires(ledger: Ledger, index: Index, make: Factory, clock: FixedClock) -> None:
    upload = ledger.uploads.begin(make.user(), 100, {}, expiry=EXPIRY)
    upload = ledger.uploads.advance(upload, part(1, 40), expiry=EXPIRY)
    make.upload(make.user())
    assert ledger.uploads.expired() == []
    clock.advance(hours=2)
    assert ledger.uploads.expired() == [upload]
    assert ledger.uploads.expired() == []
    assert index.upload(upload.id).state is UploadState.EXPIRED
    assert len(events(index, Verb.UPLOAD_EXPIRED)) == 1


def test_locks_roll_forward_and_never_back(
    ledger: Ledger, index: Index, make: Factory, clock: FixedClock, storage: Storage
) -> None:
    user = make.user()
    make.upload(user, make.case(user).reference)
    upload = ledger.uploads.claim_checking(LEASE)
    assert upload
    until = clock.now() + timedelta(days=31)
    plain = make.received(upload)
    received = type(plain)(plain.key, "v1", plain.sha256, plain.size_bytes, plain.file_type, until)
    exhibit = ledger.exhibits.register(upload, received)
    assert (exhibit.secured_at, exhibit.locked_until, exhibit.version_id) == (clock.now(), until, "v1")
    assert ledger.exhibits.due_for_lock(until) == []
    assert ledger.exhibits.due_for_lock(until + timedelta(seconds=1)) == [exhibit]
    ledger.exhibits.extend_lock(exhibit.id, until + timedelta(days=10))
    ledger.exhibits.extend_lock(exhibit.id, until)
    assert index.exhibit(exhibit.id).locked_until == until + timedelta(days=10)
    assert len(events(index, Verb.LOCK_EXTENDED)) == 1


def test_an_exhibit_on_a_real_store_is_secured(minio_settings: object, clock: FixedClock) -> None:
    from storage.open import opened

    with opened(minio_settings, clock=clock) as storage:  # type: ignore[arg-type]
        make = Factory(storage)
        exhibit = make.exhibit(make.user(), make.case(), b"real bytes")
        assert exhibit.secured_at == clock.now()
        assert exhibit.version_id
        lock = storage.store.read_lock(exhibit.key, exhibit.version_id)
        assert lock
        assert lock.until == exhibit.locked_until
        with pytest.raises(Conflict):
            storage.store.delete(exhibit.key)

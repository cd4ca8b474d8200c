"""tus 1.0.0 to the letter, against the real server: what the protocol says MUST, and what evidence asks on top."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from evidence.case import Role
from evidence.errors import NoSpace, StoreDown
from ingest.receive import Receiver
from storage import keys
from storage.ledger.uploads import UploadState
from storage.open import SystemClock, open_storage
from tests.served import API, Served, own_settings, served
from tests.services import Services
from tests.speaking_tus import BYTES, TUS, Talk, checksum, metadata, video_bytes


@pytest.fixture(scope="module")
def here(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with (
        own_settings(services, tmp_path_factory.mktemp("tus"), part_size_bytes=5 * 2**20, max_upload_bytes=64 * 2**20) as s,
        served(s, receiver=True) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def officer(here: Served) -> Talk:
    return Talk.of(here, here.person(Role.OFFICER))


def staged(here: Served, address: str) -> list[str]:
    upload = here.storage.index.upload(address.rsplit("/", 1)[-1])
    return list(here.storage.store.list_keys(keys.staging_prefix(upload.id)))


# --- core -----------------------------------------------------------------------------------------------------------


def test_options_needs_nobody_and_names_what_is_spoken(here: Served) -> None:
    response = here.client().options("/uploads/")
    assert response.status_code == 204
    assert response.headers["tus-version"] == "1.0.0"
    assert response.headers["tus-resumable"] == "1.0.0"
    assert response.headers["tus-max-size"] == str(64 * 2**20)
    assert response.headers["tus-checksum-algorithm"] == "sha1,sha256"
    spoken = set(response.headers["tus-extension"].split(","))
    assert spoken == {"creation", "creation-with-upload", "checksum", "expiration", "termination"}


@pytest.mark.parametrize("version", [None, "0.2.2"])
def test_another_version_is_refused_and_nothing_happens(officer: Talk, version: str | None) -> None:
    address = officer.begun(100)
    headers = {key: value for key, value in BYTES.items() if key != "Tus-Resumable"} | {"Upload-Offset": "0"}
    if version:
        headers["Tus-Resumable"] = version
    response = officer.http.patch(address, headers=headers, content=video_bytes(100))
    assert response.status_code == 412
    assert response.headers["tus-version"] == "1.0.0"
    assert response.json()["hint"]
    assert officer.offset(address) == 0
    assert officer.http.head(address).status_code == 412
    assert officer.http.post("/uploads/", headers={"Upload-Length": "5", "Upload-Metadata": metadata()}).status_code == 412


def test_head_tells_where_it_stands_and_is_never_cached(officer: Talk) -> None:
    said = metadata(filename="größe.mp4", note="as sent")
    response = officer.http.post("/uploads/", headers=TUS | {"Upload-Length": "100", "Upload-Metadata": said})
    address = response.headers["location"]
    officer.patch(address, 0, video_bytes(100)[:40])
    response = officer.http.head(address, headers=TUS)
    assert response.status_code == 200
    assert response.headers["upload-offset"] == "40"
    assert response.headers["upload-length"] == "100"
    assert response.headers["upload-metadata"] == said
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["tus-resumable"] == "1.0.0"


def test_patch_moves_the_offset_and_says_so(officer: Talk) -> None:
    data = video_bytes(100)
    address = officer.begun(100)
    for start, end in ((0, 1), (1, 1), (1, 60), (60, 100)):
        response = officer.patch(address, start, data[start:end])
        assert response.status_code == 204
        assert response.content == b""
        assert response.headers["upload-offset"] == str(end)
        assert officer.offset(address) == end
    assert officer.patch(address, 100, b"").status_code == 204
    assert officer.ended(address)["state"] == "done"
    assert officer.offset(address) == 100


def test_another_content_type_is_refused_and_moves_nothing(officer: Talk) -> None:
    address = officer.begun(100)
    response = officer.patch(address, 0, video_bytes(100), Content_Type="application/octet-stream")
    assert response.status_code == 415
    assert officer.offset(address) == 0
    assert staged(officer.here, address) == []


@pytest.mark.parametrize("offset", ["1", "99"])
def test_another_offset_is_a_conflict_and_moves_nothing(officer: Talk, offset: str) -> None:
    address = officer.begun(100)
    response = officer.patch(address, 0, b"x", Upload_Offset=offset)
    assert response.status_code == 409
    assert "HEAD" in response.json()["hint"]
    assert officer.offset(address) == 0


@pytest.mark.parametrize("offset", ["", "-1", "ten", "1.5", "9" * 30])
def test_an_offset_that_is_no_number_is_refused(officer: Talk, offset: str) -> None:
    address = officer.begun(100)
    response = officer.patch(address, 0, b"x", Upload_Offset=offset)
    assert response.status_code == 400
    assert officer.offset(address) == 0


def test_more_bytes_than_announced_are_refused_before_the_first(officer: Talk) -> None:
    address = officer.begun(100)
    assert officer.patch(address, 0, video_bytes(101)).status_code == 413
    assert officer.offset(address) == 0


def test_more_bytes_than_announced_in_chunks_are_refused_where_they_begin(officer: Talk) -> None:
    address = officer.begun(100)
    pieces = (video_bytes(200)[i : i + 50] for i in range(0, 200, 50))
    response = officer.http.patch(address, headers=BYTES | {"Upload-Offset": "0"}, content=pieces)
    assert response.status_code == 413
    assert officer.offset(address) == 0


def test_chunked_transfer_is_taken(officer: Talk) -> None:
    data = video_bytes(300)
    address = officer.begun(300)
    pieces = (data[i : i + 100] for i in range(0, 300, 100))
    assert officer.http.patch(address, headers=BYTES | {"Upload-Offset": "0"}, content=pieces).status_code == 204
    assert officer.ended(address)["state"] == "done"


def test_a_post_may_mean_another_method(officer: Talk) -> None:
    address = officer.begun(100)
    meant = BYTES | {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}
    assert officer.http.post(address, headers=meant, content=video_bytes(100)[:50]).headers["upload-offset"] == "50"
    meant = TUS | {"X-HTTP-Method-Override": "HEAD"}
    assert officer.http.post(address, headers=meant).headers["upload-offset"] == "50"
    assert officer.http.post(address, headers=TUS | {"X-HTTP-Method-Override": "DELETE"}).status_code == 204
    assert officer.http.post("/uploads/", headers={"X-HTTP-Method-Override": "OPTIONS"}).headers["tus-version"] == "1.0.0"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_other_methods_are_refused(officer: Talk, method: str) -> None:
    response = officer.http.request(method, officer.begun(10), headers=TUS)
    assert response.status_code == 405
    assert "PATCH" in response.headers["allow"]


@pytest.mark.parametrize("address", ["/uploads/nothing-here", "/uploads/" + "f" * 32, "/uploads/%00"])
def test_an_unknown_upload_is_not_found(officer: Talk, address: str) -> None:
    for response in (
        officer.http.head(address, headers=TUS),
        officer.patch(address, 0, b"x"),
        officer.http.delete(address, headers=TUS),
    ):
        assert response.status_code in {404, 400}
        assert "upload-offset" not in response.headers


def test_every_answer_speaks_tus_also_the_refusals(here: Served, officer: Talk) -> None:
    nobody = here.client().post("/uploads/", headers=TUS | {"Upload-Length": "5"})
    assert nobody.status_code == 401
    for response in (nobody, officer.create(-1), officer.patch("/uploads/x", 0, b""), officer.create(5, kind="")):
        assert response.headers["tus-resumable"] == "1.0.0"
        assert response.headers["content-type"] == "application/problem+json"


# --- creation -------------------------------------------------------------------------------------------------------


def test_creation_gives_an_address_that_lives_for_a_while(officer: Talk) -> None:
    response = officer.create(100)
    assert response.status_code == 201
    assert response.headers["location"].startswith("/uploads/")
    assert "upload-offset" not in response.headers
    left = parsedate_to_datetime(response.headers["upload-expires"]) - parsedate_to_datetime(response.headers["date"])
    assert 6 <= left.days <= 7
    assert officer.offset(response.headers["location"]) == 0


def test_creation_without_the_trailing_slash_is_the_same(officer: Talk) -> None:
    said = TUS | {"Upload-Length": "100", "Upload-Metadata": metadata()}
    assert officer.http.post("/uploads", headers=said).status_code == 201


def test_creation_with_upload(officer: Talk) -> None:
    data = video_bytes(6 * 2**20)
    said = BYTES | {"Upload-Length": str(len(data)), "Upload-Metadata": metadata()}
    response = officer.http.post("/uploads/", headers=said, content=data[:1000])
    assert response.status_code == 201
    assert response.headers["upload-offset"] == "1000"
    assert officer.patch(response.headers["location"], 1000, data[1000:]).status_code == 204
    response = officer.http.post("/uploads/", headers=said | checksum(data), content=data)
    assert (response.status_code, response.headers["upload-offset"]) == (201, str(len(data)))
    response = officer.http.post("/uploads/", headers=said | checksum(b"other"), content=data)
    assert response.status_code == 460
    assert officer.offset(response.headers["location"]) == 0
    response = officer.http.post("/uploads/", headers=said | {"Content-Type": "video/mp4"}, content=data)
    assert response.status_code == 415


WRONG = {
    "no length": (400, {}, {"Upload-Length": ""}, "Upload-Length"),
    "negative length": (400, {}, {"Upload-Length": "-5"}, "Upload-Length"),
    "too long": (413, {}, {"Upload-Length": str(65 * 2**20)}, "administrator"),
    "zero bytes": (415, {}, {"Upload-Length": "0"}, "finished writing"),
    "length comes later": (400, {}, {"Upload-Defer-Length": "1"}, "Upload-Length"),
    "concatenation": (400, {}, {"Upload-Concat": "partial"}, "Tus-Extension"),
    "no kind": (400, {"kind": ""}, {}, "drone, bodyworn"),
    "another kind": (400, {"kind": "satellite"}, {}, "drone, bodyworn"),
    "no name": (400, {"filename": ""}, {}, "filename"),
    "a digest that is none": (400, {"sha256": "12345"}, {}, "64 hexadecimal"),
    "a time without a zone": (400, {"captured_at": "2026-11-03T14:05"}, {}, "2026-11-03T14:05"),
    "bad base64": (400, {}, {"Upload-Metadata": "filename !!"}, "Base64"),
    "a closed case": (409, {"case": "CLOSED/1"}, {}, "supervisor"),
}


@pytest.mark.parametrize(("status", "fields", "headers", "hint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_at_creation_with_what_to_do(
    here: Served, officer: Talk, status: int, fields: dict[str, str], headers: dict[str, str], hint: str
) -> None:
    if fields.get("case") and not here.storage.index.cases_for(here.make.user(Role.AUDITOR), "CLOSED/1"):
        owner = here.make.user()
        case = here.make.case(owner, "CLOSED/1")
        here.storage.ledger.cases.change(owner, case.id, closed=True)
    before = here.last_event()
    response = officer.create(100, headers=headers, **fields)
    assert response.status_code == status, response.text
    problem = response.json()
    assert problem["title"]
    assert problem["detail"]
    assert hint in problem["hint"]
    assert "upload started" not in here.events(before)


def test_an_officer_uploads_to_any_open_case_and_an_unknown_one_is_no_error(here: Served, officer: Talk) -> None:
    case = here.make.case(reference="OPEN/1")
    mine = officer.ended(officer.sent(video_bytes(2000, 1), case="open/1 "))
    assert here.storage.index.exhibit(mine["exhibit"]).case_id == case.id
    lost = officer.ended(officer.sent(video_bytes(2000, 2), case="NOBODY/KNOWS/7"))
    exhibit = here.storage.index.exhibit(lost["exhibit"])
    assert (exhibit.case_id, exhibit.claimed_case, exhibit.uploaded_by) == (None, "NOBODY/KNOWS/7", officer.person.user.id)


def test_an_auditor_uploads_nothing(here: Served) -> None:
    before = here.last_event()
    response = Talk.of(here, here.person(Role.AUDITOR)).create(100)
    assert response.status_code == 403
    assert "access denied" in here.events(before)


def test_hostile_names_are_data(here: Served, officer: Talk) -> None:
    for number, name in enumerate(["../../etc/passwd", "a\r\nX: y", "<b>.mp4", b"caf\xe9.mp4", "\x00nul", "\u202egpj.mp4"]):
        record = officer.ended(officer.sent(video_bytes(500, 100 + number), filename=name))
        assert record["state"] == "done"
        stored = here.storage.index.exhibit(record["exhibit"])
        assert stored.filename == (record["filename"])
        assert stored.key.endswith(stored.id)


# --- checksum -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_right_checksum_counts_and_a_wrong_one_moves_nothing(officer: Talk, algorithm: str) -> None:
    data = video_bytes(6 * 2**20)
    address = officer.begun(len(data))
    wrong = officer.patch(address, 0, data, **checksum(data + b"x", algorithm))
    assert wrong.status_code == 460
    assert wrong.json()["hint"]
    assert officer.offset(address) == 0
    assert staged(officer.here, address) == []
    half = data[: len(data) // 2]
    assert officer.patch(address, 0, half, **checksum(half, algorithm)).status_code == 204
    rest = data[len(half) :]
    assert officer.patch(address, len(half), rest, **checksum(half, algorithm)).status_code == 460
    assert officer.offset(address) == len(half)
    assert officer.patch(address, len(half), rest, **checksum(rest, algorithm)).status_code == 204
    assert officer.ended(address)["state"] == "done"


@pytest.mark.parametrize("said", ["md5 rL0Y20zC+Fzt72VPzMSk2A==", "sha256", "sha256 !!", "crc32 AAAA"])
def test_a_checksum_that_is_none_is_refused(officer: Talk, said: str) -> None:
    address = officer.begun(100)
    response = officer.patch(address, 0, video_bytes(100), Upload_Checksum=said)
    assert response.status_code in {400, 460}
    assert officer.offset(address) == 0


def test_a_wrong_checksum_is_no_verdict_on_the_file(officer: Talk) -> None:
    """Bytes that were garbled on the way look like no evidence; they must not end the upload."""
    data = video_bytes(200)
    address = officer.begun(200)
    assert officer.patch(address, 0, b"garbled beyond recognition".ljust(200), **checksum(data)).status_code == 460
    assert officer.patch(address, 0, data, **checksum(data)).status_code == 204


# --- expiration, termination ----------------------------------------------------------------------------------------


def test_patch_prolongs_and_a_finished_upload_expires_no_more(officer: Talk) -> None:
    data = video_bytes(100)
    address = officer.begun(100)
    assert "upload-expires" in officer.patch(address, 0, data[:50]).headers
    assert "upload-expires" not in officer.patch(address, 50, data[50:]).headers


def test_termination_removes_the_bytes_and_the_address(here: Served, officer: Talk) -> None:
    address = officer.begun(100)
    officer.patch(address, 0, video_bytes(100)[:50])
    assert staged(here, address)
    assert officer.http.delete(address, headers=TUS).status_code == 204
    assert staged(here, address) == []
    for response in (
        officer.http.head(address, headers=TUS),
        officer.patch(address, 50, b"x"),
        officer.http.delete(address, headers=TUS),
    ):
        assert response.status_code == 410
        assert "upload-offset" not in response.headers


def test_what_is_complete_is_evidence_and_stays(officer: Talk) -> None:
    address = officer.sent(video_bytes(3000, 9))
    assert officer.http.delete(address, headers=TUS).status_code == 409
    assert officer.ended(address)["state"] == "done"
    assert officer.http.delete(address, headers=TUS).status_code == 409


# --- what evidence asks on top --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2000, 200_000, 20_000_000])
def test_what_is_no_evidence_is_refused_at_its_first_bytes_and_nothing_kept(here: Served, officer: Talk, size: int) -> None:
    text = b"just some text, line by line\n" * (size // 29 + 1)
    address = officer.begun(size, filename="holiday.mp4")
    response = officer.patch(address, 0, text[:size])
    assert response.status_code == 415
    assert "text file" in response.json()["detail"]
    assert staged(here, address) == []
    assert officer.http.head(address, headers=TUS).status_code == 410
    record = officer.record(address)
    assert (record["state"], record["exhibit"]) == ("refused", None)
    assert "text file" in record["error"]
    again = officer.patch(address, 0, text[:size])
    assert again.status_code == 410
    assert "text file" in again.json()["detail"]


def test_the_first_bytes_may_come_one_by_one(officer: Talk) -> None:
    program = b"MZ\x90\x00" + bytes(996)
    address = officer.begun(len(program))
    for start, end in ((0, 1), (1, 3), (3, 900)):
        assert officer.patch(address, start, program[start:end]).status_code == 204
    assert officer.patch(address, 900, program[900:]).status_code == 415


def test_a_damaged_video_is_evidence(officer: Talk) -> None:
    address = officer.sent(b"\x00\x00\x00\x20ftypisom" + bytes(20) + b"\x00\x00\x40\x00mdat" + b"\x01" * 500)
    assert officer.ended(address)["state"] == "done"


def test_only_whoever_began_it_sees_it(here: Served, officer: Talk) -> None:
    address = officer.begun(100)
    other = Talk.of(here, here.person(Role.ADMIN))
    assert other.http.head(address, headers=TUS).status_code == 404
    assert other.patch(address, 0, video_bytes(100)).status_code == 404
    assert other.http.delete(address, headers=TUS).status_code == 404
    assert officer.offset(address) == 0


def test_a_cookie_needs_its_csrf_token(here: Served, officer: Talk) -> None:
    browser = here.sign_in(officer.person)
    said = TUS | {"Upload-Length": "100", "Upload-Metadata": metadata()}
    assert browser.post("/uploads/", headers=said).status_code == 201
    assert browser.post("/uploads/", headers=said | {"X-CSRF-Token": ""}).status_code == 403


def test_no_other_method_hides_a_change_from_the_csrf_check(here: Served, officer: Talk) -> None:
    browser = here.sign_in(officer.person)
    del browser.headers["X-CSRF-Token"]
    address = officer.begun(100)
    for method in ("GET", "HEAD", "OPTIONS"):
        said = TUS | {"X-HTTP-Method-Override": "DELETE"}
        assert browser.request(method, address, headers=said).status_code in {200, 204, 405}
        said = TUS | {"X-HTTP-Method-Override": "POST", "Upload-Length": "100", "Upload-Metadata": metadata()}
        assert browser.request(method, "/uploads/", headers=said).status_code in {204, 405}
    assert officer.offset(address) == 0


def test_a_form_sent_to_the_address_of_uploads_is_not_read(
    here: Served, officer: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files would be spooled to the disk, however long, before anybody asked for them."""
    read: list[str] = []
    monkeypatch.setattr("starlette.requests.Request.form", lambda request, **_: read.append(request.url.path))
    browser = here.sign_in(officer.person)
    del browser.headers["X-CSRF-Token"]
    assert browser.post("/uploads/", headers=TUS, files={"csrf_token": b"x" * 5000}).status_code == 403
    assert read == []


def test_a_full_or_absent_store_is_said_and_gone_over(here: Served, officer: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    data = video_bytes(100)
    address = officer.begun(100)
    for error, status in ((NoSpace("no space left"), 507), (StoreDown("the store is down"), 503)):
        with monkeypatch.context() as patch:
            patch.setattr(type(here.context.store), "put_bytes", _raising(error))
            response = officer.patch(address, 0, data)
        assert response.status_code == status
        assert int(response.headers["retry-after"]) > 0
        assert officer.offset(address) == 0
    assert officer.patch(address, 0, data).status_code == 204


def _raising(error: Exception) -> object:
    def put(*_: object) -> None:
        raise error

    return put


def test_requests_that_follow_each_other_at_once_are_never_busy(officer: Talk) -> None:
    data = video_bytes(4000, 11)
    address = officer.begun(len(data))
    for start in range(0, len(data), 100):
        assert officer.patch(address, start, data[start : start + 100]).status_code == 204


def race(talks: list[Talk], address: str, data: bytes) -> list[int]:
    """All send the same bytes at once; what each was told."""
    answers: list[int] = []
    ready = threading.Barrier(len(talks))

    def write(talk: Talk) -> None:
        ready.wait()
        answers.append(talk.patch(address, 0, data).status_code)

    threads = [threading.Thread(target=write, args=(talk,)) for talk in talks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_two_writers_never_interleave(here: Served, officer: Talk) -> None:
    """One gets 204; the others are told that the upload is busy or has moved on."""
    talks = [Talk.of(here, officer.person) for _ in range(3)]
    for number in range(10):
        data = video_bytes(400_000, 1000 + number)
        address = officer.begun(len(data))
        answers = race(talks, address, data)
        assert answers.count(204) == 1
        assert set(answers) <= {204, 409, 423}
        exhibit = here.storage.index.exhibit(officer.ended(address)["exhibit"])
        assert b"".join(here.storage.store.read(exhibit.key)) == data


class InTwoWeeks:
    def now(self) -> datetime:
        return SystemClock().now() + timedelta(days=14)


def test_an_upload_past_its_time_is_gone_with_its_bytes(services: Services, tmp_path: Path) -> None:
    later = InTwoWeeks()
    with own_settings(services, tmp_path) as settings, served(settings) as running:
        talk = Talk.of(running, running.person(Role.OFFICER))
        address = talk.begun(100)
        talk.patch(address, 0, video_bytes(100)[:50])
        storage = open_storage(settings, clock=later)
        receiver = Receiver(storage.ledger, storage.index, storage.store, running.context.bell, settings, clock=later)
        assert receiver.expire() == 1
        storage.close()
        assert staged(running, address) == []
        assert running.storage.index.upload(address.rsplit("/", 1)[-1]).state is UploadState.EXPIRED
        assert talk.http.head(address, headers=TUS).status_code == 410
        assert talk.http.get(f"{API}/uploads/{address.rsplit('/', 1)[-1]}").json()["state"] == "expired"

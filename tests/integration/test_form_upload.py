"""The plain form: files streamed into the same staging as every other upload, with no temporary file and no big buffer."""

from __future__ import annotations

import hashlib
import random
import socket
from collections.abc import Iterator

import httpx
import pytest

from evidence.case import Role
from storage import keys
from storage.ledger.uploads import UploadState
from tests.served import Served, own_settings, served
from tests.services import Services
from tests.speaking_tus import Talk, video_bytes

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Accept": "text/html"}


@pytest.fixture(scope="module")
def here(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with (
        own_settings(
            services, tmp_path_factory.mktemp("form"), part_size_bytes=5 * 2**20, max_upload_bytes=16 * 2**20
        ) as settings,
        served(settings, receiver=True) as running,
    ):
        yield running


@pytest.fixture
def talk(here: Served) -> Talk:
    """An officer of the test's own: what his tray holds is what the test sent."""
    return Talk.of(here, here.person(Role.OFFICER))


def form(fields: dict[str, str], *files: tuple[str, bytes]) -> bytes:
    lines = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for name, data in files:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        lines += [head.encode(), b"Content-Type: application/octet-stream\r\n\r\n", data, b"\r\n"]
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


def send(talk: Talk, body: bytes) -> httpx.Response:
    return talk.http.post("/upload", headers=TYPE, content=body, follow_redirects=True)


def uploads_of(talk: Talk) -> list[str]:
    started = [event for event in talk.here.storage.index.audit_events() if event.actor == talk.person.user.name]
    return [str(event.details["upload"]) for event in started if event.verb.value == "upload started"]


FIELDS = {"case": "TRAY/1", "kind": "phone", "captured_at": "2026-07-01T12:00"}


def test_files_of_a_form_become_exhibits(here: Served, talk: Talk) -> None:
    large, small = video_bytes(11 * 2**20, 1), video_bytes(700, 2)
    response = send(talk, form(FIELDS, ("größe.mp4", large), ("b.mp4", small)))
    assert response.status_code == 200, response.text
    found = [talk.ended(upload) for upload in uploads_of(talk)]
    assert [record["state"] for record in found] == ["done", "done"]
    for record, data, name in zip(found, (large, small), ("größe.mp4", "b.mp4"), strict=True):
        exhibit = here.storage.index.exhibit(record["exhibit"])
        assert exhibit.sha256.hex == hashlib.sha256(data).hexdigest()
        assert (exhibit.size_bytes, exhibit.filename, exhibit.kind.value) == (len(data), name, "phone")
        assert exhibit.captured_at is not None
        assert exhibit.captured_at.isoformat() == "2026-07-01T11:00:00+00:00"


def test_bytes_that_look_like_the_boundary_stay_in_the_file(here: Served, talk: Talk) -> None:
    data = video_bytes(100, 3) + f"\r\n--{BOUNDARY[:-1]}\r\n--{BOUNDARY}".encode()[:-3] + b"\r\n\r\n--" + bytes(50)
    send(talk, form(FIELDS, ("a.mp4", data)))
    (upload,) = uploads_of(talk)
    assert here.storage.index.exhibit(talk.ended(upload)["exhibit"]).sha256.hex == hashlib.sha256(data).hexdigest()


def test_one_refused_file_holds_up_no_other(here: Served, talk: Talk) -> None:
    text = b"only text\n" * 20_000
    good = video_bytes(200_000, 4)
    too_long = video_bytes(17 * 2**20, 5)
    body = form(FIELDS, ("text.mp4", text), ("empty.mp4", b""), ("long.mp4", too_long), ("good.mp4", good))
    response = send(talk, body)
    assert response.status_code == 200
    for said in ("text file", "empty", "More bytes came", "good.mp4"):
        assert said in response.text
    states = [talk.ended(upload)["state"] for upload in uploads_of(talk)]
    assert states == ["refused", "refused", "done"]
    for upload in uploads_of(talk):
        assert list(here.storage.store.list_keys(keys.staging_prefix(upload))) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"case": "x", "kind": ""}, "kind"), ({"case": "x", "kind": "phone", "captured_at": "noon"}, "not a time")],
)
def test_a_wrong_field_stores_nothing(talk: Talk, fields: dict[str, str], said: str) -> None:
    response = send(talk, form(fields, ("a.mp4", video_bytes(9000, 6))))
    assert said in response.text
    assert uploads_of(talk) == []


def test_no_file_chosen_is_said(talk: Talk) -> None:
    response = send(talk, form(FIELDS, ("", b"")))
    assert response.status_code == 400
    assert uploads_of(talk) == []


def test_a_cookie_needs_its_token_among_the_fields_before_the_files(here: Served, talk: Talk) -> None:
    browser = here.sign_in(talk.person)
    token = browser.headers.pop("X-CSRF-Token")
    file = ("a.mp4", video_bytes(900, 7))
    assert browser.post("/upload", headers=TYPE, content=form(FIELDS, file)).status_code == 403
    assert uploads_of(talk) == []
    assert browser.post("/upload", headers=TYPE, content=form(FIELDS | {"csrf_token": token}, file)).status_code == 303
    assert len(uploads_of(talk)) == 1


def test_who_has_a_first_password_is_led_to_change_it(here: Served) -> None:
    password = "a first password"
    name = here.storage.ledger.people.add_user("admin", "new.officer", "", Role.OFFICER, password).name
    browser = here.client(headers={"Accept": "text/html"})
    assert browser.post("/sign-in", data={"name": name, "password": password}).status_code == 303
    answer = browser.post("/upload", headers=TYPE, content=form(FIELDS, ("a.mp4", video_bytes(900, 7))))
    assert (answer.status_code, answer.headers["location"]) == (303, "/password")


def test_a_form_that_breaks_off_keeps_nothing(here: Served, talk: Talk) -> None:
    body = form(FIELDS, ("a.mp4", video_bytes(7 * 2**20, 8)))
    url = httpx.URL(here.base_url)
    head = ["POST /upload HTTP/1.1", f"Host: {url.host}", f"Content-Length: {len(body)}"]
    head += [f"{key}: {value}" for key, value in (TYPE | talk.person.headers).items()]
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body[: 6 * 2**20])
        connection.shutdown(socket.SHUT_WR)
        connection.recv(4096)
    (upload,) = uploads_of(talk)
    record = talk.ended(upload)
    assert (record["state"], record["exhibit"]) == ("refused", None)
    assert "connection broke" in record["error"]
    assert here.storage.index.upload(upload).state is UploadState.REFUSED  # type: ignore[arg-type]
    assert list(here.storage.store.list_keys(keys.staging_prefix(upload))) == []  # type: ignore[arg-type]


def test_what_is_no_form_is_refused(talk: Talk) -> None:
    chance = random.Random(1)
    for body in (b"", b"nonsense", chance.randbytes(5000), f"--{BOUNDARY}\r\nbroken".encode(), b"\r\n" * 5000):
        assert send(talk, body).status_code == 400
    assert talk.http.post("/upload", headers={"Accept": "text/html"}, data={"case": "x"}).status_code == 400
    assert uploads_of(talk) == []

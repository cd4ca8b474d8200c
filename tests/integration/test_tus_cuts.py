"""Uploads that are cut off anywhere, and large ones in small memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cli.parts import environment
from config.settings import Settings
from evidence.case import Role, User
from evidence.errors import NotFound
from evidence.exhibit import UploadId
from ingest import parts
from ingest.parts import Body, Checksum
from ingest.uploads import Staging
from storage import keys
from storage.ledger.uploads import Upload
from storage.minio_server import Server
from storage.open import Storage, open_store, opened
from tests.factories import Factory
from tests.served import Served, own_settings, served
from tests.services import Services
from tests.speaking_tus import BYTES, TUS, Talk, metadata, video_bytes

CUTS = 30
PART = 5 * 2**20


@pytest.fixture(scope="module", params=["folder", pytest.param("minio", marks=pytest.mark.minio)])
def here(request: pytest.FixtureRequest, services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    more: dict[str, str] = {}
    if request.param == "minio":
        minio: Server = request.getfixturevalue("minio")
        more = {
            "store": "minio",
            "minio_endpoint": minio.endpoint,
            "minio_access_key": minio.access_key,
            "minio_secret_key": minio.secret_key,
            "minio_bucket": f"test-{secrets.token_hex(6)}",
        }
    with own_settings(services, tmp_path_factory.mktemp("cuts"), part_size_bytes=PART, **more) as settings:
        open_store(settings).prepare()
        with served(settings, receiver=True) as running:
            yield running


def held(here: Served, address: str) -> int:
    """How many bytes the recorded parts really have in the store."""
    for _ in range(100):
        upload = here.storage.index.upload(address.rsplit("/", 1)[-1])
        with suppress(NotFound):  # a request that was cut came late and replaced a part since
            return sum(here.storage.store.stat(part.key).size_bytes for part in upload.parts)
    raise AssertionError("a recorded part is not in the store")


def settled_offset(talk: Talk, address: str) -> int:
    """Where it stands once the request that was cut has let go of it."""
    deadline = time.monotonic() + 20
    while True:
        offset = talk.offset(address)
        probe = talk.patch(address, offset, b"")
        if probe.status_code == 204 and int(probe.headers["upload-offset"]) == offset:
            return offset
        assert probe.status_code in {409, 423}, probe.text
        assert time.monotonic() < deadline
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Taken:
    """One request that was let in. Units: bytes of the upload before and after, and of its body that the server read."""

    before: int
    read: int
    after: int


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Taken]:
    """What every request that wasn't refused brought, noted on its way through the real staging."""
    noted: list[Taken] = []
    receive = Staging.receive

    async def noting(
        self: Staging, actor: User, upload: UploadId, at: int, body: Body, *checksum: Checksum | None
    ) -> Upload:
        result = await receive(self, actor, upload, at, body, *checksum)
        noted.append(Taken(at, body.received, result.offset_bytes))
        return result

    monkeypatch.setattr(Staging, "receive", noting)
    return noted


def test_cut_anywhere_it_goes_on_from_what_is_durable(here: Served, taken: list[Taken]) -> None:
    """Random cuts by FIN and RST: HEAD gives what is in the store, and the file that comes out is the one that went in.

    Not a byte that the server read is asked for again. What a reset throws away in the kernel it never read; a request
    that comes while the one before is still being noticed as broken is refused whole.
    """
    talk = Talk.of(here, here.person(Role.OFFICER))
    chance = random.Random(20261124)
    data = video_bytes(3 * PART + 12_345, 7)
    address = talk.begun(len(data), sha256=hashlib.sha256(data).hexdigest())
    offset = 0
    for _ in range(CUTS):
        left = len(data) - offset
        send = chance.choice([0, 1, chance.randrange(left), chance.randrange(min(left, 200_000)), chance.randrange(60_000)])
        talk.cut_patch(address, offset, data[offset:], min(send, left - 1), reset=chance.random() < 0.5)
        now = settled_offset(talk, address)
        assert offset <= now <= held(here, address)
        offset = now
    assert offset == held(here, address)
    assert all(request.after == request.before + request.read for request in taken), taken
    assert sum(request.read for request in taken) == offset > 0
    assert talk.patch(address, offset, data[offset:]).status_code == 204
    exhibit = here.storage.index.exhibit(talk.ended(address)["exhibit"])
    assert exhibit.sha256.hex == hashlib.sha256(data).hexdigest()
    assert hashlib.sha256(b"".join(here.storage.store.read(exhibit.key))).hexdigest() == exhibit.sha256.hex
    assert (exhibit.secured_at is not None) == here.storage.store.can_lock
    assert list(here.storage.store.list_keys(keys.staging_prefix(address.rsplit("/", 1)[-1]))) == []


def test_small_pieces_leave_no_small_parts(here: Served) -> None:
    """An object store joins only parts of 5 MiB and more: small requests grow a tail until it is one."""
    talk = Talk.of(here, here.person(Role.OFFICER))
    data = video_bytes(2 * PART + 1000, 8)
    address = talk.begun(len(data))
    step = 700_000
    for start in range(0, len(data) - step, step):
        assert talk.patch(address, start, data[start : start + step]).status_code == 204
        staged = here.storage.index.upload(address.rsplit("/", 1)[-1]).parts
        assert all(part.size_bytes >= PART for part in staged[:-1])
        assert held(here, address) == start + step
    offset = talk.offset(address)
    assert talk.patch(address, offset, data[offset:]).status_code == 204
    assert talk.ended(address)["state"] == "done"


def test_a_connection_that_falls_silent_is_let_go(here: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A black hole: no FIN, no RST, no byte. What came counts, and the upload is free for the next request."""
    monkeypatch.setattr(parts.Body.__init__, "__kwdefaults__", {"broken": (), "idle_s": 0.5})
    talk = Talk.of(here, here.person(Role.OFFICER))
    data = video_bytes(100_000, 9)
    address = talk.begun(len(data))
    with half_sent(talk, address, data) as silent:
        until = time.monotonic() + 20
        while talk.record(address)["offset_bytes"] != 50_000:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert settled_offset(talk, address) == 50_000
        assert silent.recv(100).startswith(b"HTTP/1.1 204")


@pytest.mark.parametrize("method", ["HEAD", "DELETE"])
def test_who_begins_anew_takes_over_from_a_connection_that_hangs(
    here: Served, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause, or another network on the phone: the first offset that is told is one that the next request may use."""
    came: list[int] = []
    take = parts.PartWriter.take

    async def noting(self: parts.PartWriter, chunk: bytes) -> None:
        await take(self, chunk)
        came.append(len(chunk))

    monkeypatch.setattr(parts.PartWriter, "take", noting)
    talk = Talk.of(here, here.person(Role.OFFICER))
    data = video_bytes(100_000, 11)
    address = talk.begun(len(data))
    with half_sent(talk, address, data) as hanging:
        deadline = time.monotonic() + 20
        while sum(came) != 50_000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        if method == "HEAD":
            assert talk.offset(address) == 50_000
            assert talk.patch(address, 50_000, data[50_000:]).status_code == 204
            assert talk.ended(address)["state"] == "done"
        else:
            assert talk.http.delete(address, headers=TUS).status_code == 204
            assert talk.http.head(address, headers=TUS).status_code == 410
        assert hanging.recv(100).startswith(b"HTTP/1.1 204")


@pytest.mark.parametrize("when", ["before it is read", "between two pieces", "while it waits"])
def test_a_body_may_be_stopped_at_any_moment(when: str) -> None:
    """What came before counts, and the rest is cut off."""

    async def slowly() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.sleep(60)
        yield b"second"

    async def read() -> tuple[list[bytes], bool]:
        body, pieces = Body(slowly()), []
        if when == "before it is read":
            body.stop()
        async for piece in body:
            pieces.append(piece)
            if when == "between two pieces":
                body.stop()
            else:
                asyncio.get_running_loop().call_later(0.05, body.stop)
        return pieces, body.cut

    pieces, cut = asyncio.run(asyncio.wait_for(read(), 20))
    assert cut
    assert pieces == ([] if when == "before it is read" else [b"first"])


@contextmanager
def half_sent(talk: Talk, address: str, data: bytes) -> Iterator[socket.socket]:
    """A PATCH of all of `data` that stops after 50,000 bytes with its connection open."""
    url = httpx.URL(talk.here.base_url)
    lines = [f"PATCH {address} HTTP/1.1", f"Host: {url.host}", f"Content-Length: {len(data)}", "Upload-Offset: 0"]
    lines += [f"{key}: {value}" for key, value in (BYTES | talk.person.headers).items()]
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data[:50_000])
        yield connection


def test_another_server_goes_on_where_the_first_was_killed(services: Services, tmp_path: Path) -> None:
    """SIGKILL in the middle of a PATCH: what HEAD gives afterwards, on another server, is in the store."""
    with own_settings(services, tmp_path, part_size_bytes=PART) as settings:
        data = video_bytes(4 * PART, 10)
        first = WebServer(settings)
        with opened(settings) as storage:
            headers = person(storage)
            address = begin(first, headers, data)
            with pytest.raises(httpx.HTTPError):
                httpx.patch(
                    first.url + address,
                    headers=BYTES | headers | {"Upload-Offset": "0"},
                    content=killing(data, first),
                    timeout=30,
                )
            second = WebServer(settings)
            try:
                offset = int(httpx.head(second.url + address, headers=TUS | headers).headers["upload-offset"])
                upload = storage.index.upload(address.rsplit("/", 1)[-1])
                assert offset == sum(storage.store.stat(part.key).size_bytes for part in upload.parts)
                assert PART <= offset < len(data)
                rest = httpx.patch(
                    second.url + address,
                    headers=BYTES | headers | {"Upload-Offset": str(offset)},
                    content=data[offset:],
                    timeout=30,
                )
                assert rest.status_code == 204, rest.text
                exhibit = until_done(storage, address)
                assert exhibit == hashlib.sha256(data).hexdigest()
            finally:
                second.stop()


def test_a_large_upload_in_small_memory(services: Services, tmp_path: Path) -> None:
    """300 MB in one request: the server grows by a few parts at most."""
    size = 300 * 2**20
    with own_settings(services, tmp_path) as settings, opened(settings) as storage:
        server = WebServer(settings)
        try:
            headers = person(storage)
            warm = begin(server, headers, video_bytes(2**20, 1))
            httpx.patch(server.url + warm, headers=BYTES | headers | {"Upload-Offset": "0"}, content=video_bytes(2**20, 1))
            before = server.peak_bytes()
            block = random.Random(3).randbytes(2**20)
            head = video_bytes(64)
            said = TUS | headers | {"Upload-Length": str(size), "Upload-Metadata": metadata()}
            address = httpx.post(f"{server.url}/uploads/", headers=said).headers["location"]

            def blocks() -> Iterator[bytes]:
                yield head + block[64:]
                for _ in range(size // 2**20 - 1):
                    yield block

            began = time.monotonic()
            answer = httpx.patch(
                server.url + address,
                headers=BYTES | headers | {"Upload-Offset": "0", "Content-Length": str(size)},
                content=blocks(),
                timeout=120,
            )
            seconds = time.monotonic() - began
            assert answer.status_code == 204, answer.text
            until_done(storage, address)
            grown = server.peak_bytes() - before
            assert grown < 100 * 2**20, f"{grown / 2**20:.0f} MiB"
            sys.stderr.write(f"\n300 MiB in {seconds:.1f} s, memory grew {grown / 2**20:.0f} MiB\n")
        finally:
            server.stop()


class WebServer:
    """`exhibit serve` as a process of its own."""

    def __init__(self, settings: Settings) -> None:
        base = {name: text for name, text in os.environ.items() if not name.startswith("EXHIBIT_")}
        self._log = settings.data_dir / f"web-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "serve"], env=environment(settings, base), stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while not (port := self._port()):
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{port}"

    def _port(self) -> int:
        for line in self._log.read_text().splitlines():
            try:
                event = json.loads(line).get("event", "")
            except ValueError:
                continue
            if event.startswith("listening at"):
                port = int(event.rsplit(" ", 1)[-1])
                try:
                    httpx.get(f"http://127.0.0.1:{port}/healthz")
                except httpx.HTTPError:
                    return 0
                return port
        return 0

    def peak_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def person(storage: Storage) -> dict[str, str]:
    user = Factory(storage).user(Role.OFFICER)
    return {"Authorization": f"Bearer {storage.ledger.people.create_token('system:tests', user.name, 'test')}"}


def begin(server: WebServer, headers: dict[str, str], data: bytes) -> str:
    said = TUS | headers | {"Upload-Length": str(len(data)), "Upload-Metadata": metadata()}
    return httpx.post(f"{server.url}/uploads/", headers=said).headers["location"]


def killing(data: bytes, server: WebServer) -> Iterator[bytes]:
    """Two and a half parts, then the server dies."""
    for start in range(0, len(data), 65536):
        if start > 2.5 * PART:
            server.process.kill()
            server.process.wait(10)
        yield data[start : start + 65536]


def until_done(storage: Storage, address: str) -> str:
    deadline = time.monotonic() + 60
    while (upload := storage.index.upload(address.rsplit("/", 1)[-1])).state.value == "checking":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert upload.state.value == "done", upload
    return storage.index.exhibit(upload.exhibit_id).sha256.hex

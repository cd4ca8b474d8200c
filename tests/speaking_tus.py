"""Uploads by hand: a tus client that says exactly what a test wants, also what no good client would say."""

from __future__ import annotations

import base64
import hashlib
import random
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.served import API, Person, Served

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = TUS | {"Content-Type": "application/offset+octet-stream"}


def video_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes that pass for a video by their beginning; every seed others."""
    head = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
    return head + random.Random(seed).randbytes(size - len(head))


def metadata(**fields: str | bytes) -> str:
    known: dict[str, str | bytes] = {"filename": "clip.mp4", "case": "", "kind": "drone"} | fields
    pairs = ((key, value.encode() if isinstance(value, str) else value) for key, value in known.items())
    return ",".join(f"{key} {base64.b64encode(value).decode()}".strip() for key, value in pairs)


def checksum(data: bytes, algorithm: str = "sha256") -> dict[str, str]:
    digest = hashlib.new(algorithm, data, usedforsecurity=False).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


@dataclass(slots=True)
class Talk:
    """One person's conversation with a server."""

    here: Served
    person: Person
    http: httpx.Client

    @classmethod
    def of(cls, here: Served, person: Person) -> Talk:
        return cls(here, person, here.client(person))

    def create(self, size: int, *, headers: dict[str, str] | None = None, **fields: str | bytes) -> httpx.Response:
        said = TUS | {"Upload-Length": str(size), "Upload-Metadata": metadata(**fields)}
        return self.http.post("/uploads/", headers=said | (headers or {}))

    def begun(self, size: int, **fields: str | bytes) -> str:
        response = self.create(size, **fields)
        assert response.status_code == 201, response.text
        return response.headers["location"]

    def patch(self, address: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
        said = BYTES | {"Upload-Offset": str(offset)} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self.http.patch(address, headers=said, content=data)

    def offset(self, address: str) -> int:
        response = self.http.head(address, headers=TUS)
        assert response.status_code == 200, response.status_code
        return int(response.headers["upload-offset"])

    def sent(self, data: bytes, **fields: str | bytes) -> str:
        address = self.begun(len(data), **fields)
        response = self.patch(address, 0, data)
        assert response.status_code == 204, response.text
        return address

    def record(self, address: str) -> dict[str, Any]:
        return self.http.get(f"{API}/uploads/{address.rsplit('/', 1)[-1]}").json()

    def ended(self, address: str, timeout_s: float = 20) -> dict[str, Any]:
        """The record once the server has checked it."""
        deadline = time.monotonic() + timeout_s
        while (record := self.record(address))["state"] in {"receiving", "checking"}:
            assert time.monotonic() < deadline, record
            time.sleep(0.05)
        return record

    def cut_patch(self, address: str, offset: int, data: bytes, send: int, *, reset: bool = False) -> None:
        """A PATCH of all of `data` whose connection breaks after `send` bytes of it: closed, or reset."""
        url = httpx.URL(self.here.base_url)
        lines = [
            f"PATCH {address} HTTP/1.1",
            f"Host: {url.host}:{url.port}",
            f"Content-Length: {len(data)}",
            f"Upload-Offset: {offset}",
            *(f"{key}: {value}" for key, value in (BYTES | self.person.headers).items()),
        ]
        with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data[:send])
            if reset:
                # Linger of no seconds: the kernel throws away what isn't sent and says so with RST.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            connection.shutdown(socket.SHUT_WR)
            connection.recv(4096)  # whatever the server has to say, and its own FIN

"""A server's API over HTTP, for the commands that work from another machine.

Uploads speak tus through httpx rather than through tuspy: tuspy sets no time limit on any request, so one silent network
would hold a drop folder up for ever, it can send SHA-1 checksums only, and it says no more about an error than its number.
(tuspy itself works against the server: tests/integration/test_tus_clients.py.)
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from evidence import errors
from evidence.errors import BadInput, ExhibitError, Gone, Unavailable

DEFAULT_SERVER = "http://127.0.0.1:8642"
_API = "/api/v1"
_TUS = {"Tus-Resumable": "1.0.0"}
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)

_BY_TYPE: dict[str, type[ExhibitError]] = {
    "case-closed": errors.CaseClosed,
    "password-must-change": errors.PasswordMustChange,
    "store-down": errors.StoreDown,
    "database-down": errors.DatabaseDown,
}
_BY_STATUS: dict[int, type[ExhibitError]] = {
    401: errors.NotSignedIn,
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Gone,
    413: errors.TooLarge,
    415: errors.UnsupportedMedia,
    423: errors.Busy,
    429: errors.TooManyTries,
    460: errors.DigestMismatch,
    507: errors.NoSpace,
}


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """What the server says of an upload."""

    id: str
    state: str
    exhibit: str | None
    duplicate_of: str | None
    error: str
    hint: str


class Server:
    """One server, spoken to as one person.

    Raises (every method): NotSignedIn, NotAllowed, NotFound, Conflict, BadInput … as the server says it, with its hint;
        Unavailable when it can't be reached.
    """

    def __init__(self, address: str, token: str) -> None:
        """Raises: BadInput for an address that is none, or over which a token would travel in the open."""
        self.address = _checked(address)
        if not token:
            raise BadInput(
                "no token was given", hint="Set EXHIBIT_TOKEN, or --token; exhibit token create makes one on the server."
            )
        self._http = httpx.Client(
            base_url=self.address,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=_TIMEOUT,
            # A proxy of the surroundings has no business between this machine and itself.
            trust_env=not _is_loopback(self.address),
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # --- the API ------------------------------------------------------------------------------------------------------

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET under /api/v1."""
        return _object(self._ask("GET", _API + path, params=query))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """POST under /api/v1."""
        return _object(self._ask("POST", _API + path, json=dict(body or {})))

    def fetch(self, path: str, target: Path) -> str:
        """GET under /api/v1 into a new file, in bounded memory; the SHA-256 of what came."""
        digest = hashlib.sha256()
        try:
            with self._http.stream("GET", _API + path) as response, target.open("xb") as file:
                if not response.is_success:
                    response.read()
                    raise _error(response)
                for chunk in response.iter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
        except httpx.HTTPError as exc:
            raise Unavailable(f"{self.address} can't be reached: {exc or type(exc).__name__}") from exc
        return digest.hexdigest()

    def upload_record(self, upload_id: str) -> UploadRecord:
        found = self.get(f"/uploads/{upload_id}")
        return UploadRecord(
            found["id"], found["state"], found["exhibit"], found["duplicate_of"], found["error"], found["hint"]
        )

    # --- tus ----------------------------------------------------------------------------------------------------------

    def create_upload(self, size_bytes: int, fields: Mapping[str, str]) -> str:
        """A new upload; its address, which ends in its id."""
        said = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}".strip() for key, value in fields.items())
        headers = _TUS | {"Upload-Length": str(size_bytes), "Upload-Metadata": said}
        response = self._ask("POST", "/uploads/", headers=headers)
        return urlsplit(urljoin(f"{self.address}/uploads/", _header(response, "location"))).path

    def offset(self, address: str) -> int:
        """How many bytes of the upload the server holds for good."""
        try:
            response = self._ask("HEAD", address, headers=_TUS)
        except Gone as gone:
            # An answer to HEAD has no words in it; the record has.
            record = self.upload_record(address.rsplit("/", 1)[-1])
            raise Gone(record.error or str(gone), hint=record.hint or None) from gone
        return int(_header(response, "upload-offset"))

    def append(self, address: str, offset: int, data: bytes) -> int:
        """Send the bytes at `offset`, with their SHA-256; the new offset."""
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        headers = _TUS | {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Upload-Checksum": f"sha256 {digest}",
        }
        return int(_header(self._ask("PATCH", address, headers=headers, content=data), "upload-offset"))

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **more)
        except httpx.HTTPError as exc:
            raise Unavailable(
                f"{self.address} can't be reached: {exc or type(exc).__name__}",
                hint="Check the address and that the server runs; an upload goes on where it stopped when it is run again.",
            ) from exc
        if response.is_success:
            return response
        raise _error(response)


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json() if response.content else {}
    except ValueError as exc:
        raise _stranger(response) from exc
    return found if isinstance(found, dict) else {}


def _header(response: httpx.Response, name: str) -> str:
    if (value := response.headers.get(name)) is None:
        raise _stranger(response)
    return str(value)


def _stranger(response: httpx.Response) -> Unavailable:
    """A gateway's own page, say: what should have been asked of exhibit was answered by something else."""
    return Unavailable(
        f"what answers at {response.url.host} is not exhibit",
        hint="Check the address; a gateway in between may want somebody to sign in first.",
    )


def _error(response: httpx.Response) -> ExhibitError:
    """The server's problem as the error it was there."""
    problem: dict[str, Any] = {}
    if response.headers.get("content-type", "").startswith("application/problem+json") and response.content:
        problem = _object(response)
    slug = str(problem.get("type", "")).rsplit("/", 1)[-1]
    fallback = Unavailable if response.status_code >= 500 else BadInput
    kind = _BY_TYPE.get(slug) or _BY_STATUS.get(response.status_code, fallback)
    detail = problem.get("detail") or f"the server answered {response.status_code} {response.reason_phrase}"
    return kind(str(detail), hint=problem.get("hint") or None)


def _checked(address: str) -> str:
    parts = urlsplit(address.strip().rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInput(f"{address!r} is no server address", hint="Write it as https://exhibit.example.police.uk")
    if parts.scheme == "http" and not _is_loopback(address):
        raise BadInput(
            f"{address} would carry the token and the footage over the network in the open",
            hint="Use the server's https address.",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""Sending one file to a server so that it can be cut off anywhere and run again.

What is under way is remembered in a small file per upload in the user's state folder: which file (place, size, time of
change), to which server and case, its SHA-256, and the upload's address. No token is in there.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cli.client import Server, UploadRecord
from evidence.errors import BadInput, Busy, Conflict, DigestMismatch, ExhibitError, Gone, NotFound, Unavailable
from evidence.ports import Progress

PIECE_BYTES = 16 * 1024 * 1024
"""Sent at a time: what is sent again after a cut, at most."""
_TRIES = 8
_LONGEST_PAUSE_S = 30.0
_POLL_S = 0.25
_FORGET_AFTER_S = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Claims:
    """What the sender says about a file."""

    case: str
    kind: str
    captured_at: str = ""
    device: str = ""
    officer: str = ""
    sidecar_for: str = ""
    folder: str = ""
    """Where the file lies, relative to what was named."""

    def fields(self, filename: str, sha256: str) -> dict[str, str]:
        said = {"filename": filename} | asdict(self) | {"sha256": sha256}
        return {key: value for key, value in said.items() if value or key == "case"}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A file as it lies there now; another one when it changes."""

    path: str
    size_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """Raises: BadInput for what is no file that can be read."""
        try:
            stat = path.stat()
            if not path.is_file():
                raise BadInput(f"{path} is not a file", hint="Name files; exhibit watch takes a whole folder in.")
        except OSError as exc:
            raise BadInput(f"{path} can't be read: {exc.strerror}", hint="Check the name.") from exc
        return cls(str(path.resolve()), stat.st_size, stat.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file."""

    file: str
    state: str
    """secured, stored (not locked), duplicate, checking, refused, failed."""
    sha256: str = ""
    upload: str = ""
    exhibit: str = ""
    reference: str = ""
    case: str = ""
    secured_at: str = ""
    error: str = ""
    hint: str = ""
    cause: ExhibitError | None = field(default=None, compare=False)

    @property
    def is_in(self) -> bool:
        return self.state in {"secured", "stored", "duplicate"}

    def as_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(replace(self, cause=None)).items() if key != "cause"}


class Memory:
    """Uploads under way, one file each, in `folder`."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or state_folder() / "uploads"

    def _place(self, server: str, fingerprint: Fingerprint, claims: Claims) -> Path:
        # The same file is gone on with from whichever folder the command is run.
        said = {key: value for key, value in asdict(claims).items() if key != "folder"}
        named = json.dumps([server, asdict(fingerprint), said], sort_keys=True)
        return self._folder / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json"

    def find(self, server: str, fingerprint: Fingerprint, claims: Claims) -> tuple[str, str] | None:
        """Address and SHA-256 of the upload of this very file, if one was begun."""
        try:
            found = json.loads(self._place(server, fingerprint, claims).read_text("utf-8"))
            return str(found["address"]), str(found["sha256"])
        except (OSError, ValueError, KeyError):
            return None  # Not begun, or unreadable: then it begins anew, and the server finds the twin.

    def remember(self, server: str, fingerprint: Fingerprint, claims: Claims, address: str, sha256: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = asdict(fingerprint) | asdict(claims) | {"server": server, "address": address, "sha256": sha256}
        write_whole(self._place(server, fingerprint, claims), json.dumps(known, ensure_ascii=False))

    def forget(self, server: str, fingerprint: Fingerprint, claims: Claims) -> None:
        self._place(server, fingerprint, claims).unlink(missing_ok=True)

    def prune(self) -> None:
        """Drop what was begun so long ago that no server knows of it any more."""
        with suppress(OSError):
            for place in self._folder.glob("*.json"):
                if time.time() - place.stat().st_mtime > _FORGET_AFTER_S:
                    place.unlink(missing_ok=True)


def state_folder() -> Path:
    """Where this user's programs keep what is under way. Source: XDG Base Directory Specification 0.8."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "exhibit"


def write_whole(place: Path, text: str) -> None:
    """Write a file so that a reader, or a crash, sees the old or the new one and nothing between."""
    fresh = place.with_suffix(f".{os.getpid()}.new")
    with fresh.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(place)


@dataclass(slots=True)
class Sender:
    """Sends files to one server for one person."""

    server: Server
    memory: Memory
    wait_s: float = 3600.0
    """How long to wait for the server's checks of a file that is there; 0: not at all."""
    pause: Callable[[float], object] = time.sleep

    def send(self, path: Path, claims: Claims, progress: Progress) -> Outcome:
        """Bring the file in, from where an earlier run stopped, and say what became of it.

        What the server refuses is an outcome. Raises: BadInput for a file that can't be read, NotSignedIn,
            Unavailable when the server can't be reached for long (run again).
        """
        fingerprint = Fingerprint.of(path)
        begun = self.memory.find(self.server.address, fingerprint, claims)
        if begun is not None:
            outcome = self._go_on(path, fingerprint, *begun, progress)
            if outcome is not None:
                return outcome
            self.memory.forget(self.server.address, fingerprint, claims)
        sha256 = _digest(path, progress)
        try:
            address = self.server.create_upload(fingerprint.size_bytes, claims.fields(path.name, sha256))
        except (BadInput, Conflict) as error:
            if error.transient:
                raise
            return _refused(path, sha256, "", error)
        self.memory.remember(self.server.address, fingerprint, claims, address, sha256)
        return self._bring(path, fingerprint, address, sha256, progress)

    def _go_on(self, path: Path, fingerprint: Fingerprint, address: str, sha256: str, progress: Progress) -> Outcome | None:
        """None when that upload came to nothing and the file has to be sent anew."""
        try:
            record = self.server.upload_record(_id(address))
        except NotFound:
            return None
        if record.state in {"refused", "expired", "deleted"}:
            return None
        if record.state == "failed":
            return self._outcome(path, sha256, record)
        return self._bring(path, fingerprint, address, sha256, progress)

    def _bring(self, path: Path, fingerprint: Fingerprint, address: str, sha256: str, progress: Progress) -> Outcome:
        try:
            self._send_bytes(path, fingerprint, address, progress)
        except Gone as gone:
            return _refused(path, sha256, _id(address), gone)
        except BadInput as error:
            return _refused(path, sha256, _id(address), error)
        return self._outcome(path, sha256, self._wait(_id(address)))

    def _send_bytes(self, path: Path, fingerprint: Fingerprint, address: str, progress: Progress) -> None:
        failures = 0
        offset: int | None = None
        with path.open("rb") as stream:
            while offset is None or offset < fingerprint.size_bytes:
                try:
                    if offset is None:
                        offset = self.server.offset(address)
                        continue
                    progress(offset, fingerprint.size_bytes)
                    offset = self.server.append(address, offset, self._piece(stream.fileno(), path, fingerprint, offset))
                    failures = 0
                except (Unavailable, Busy, Conflict, DigestMismatch) as error:
                    failures += 1
                    if failures >= _TRIES:
                        raise
                    if not isinstance(error, Conflict) or isinstance(error, Busy):
                        self.pause(min(2.0 ** (failures - 1), _LONGEST_PAUSE_S))
                    offset = None
        progress(fingerprint.size_bytes, fingerprint.size_bytes)

    def _piece(self, descriptor: int, path: Path, fingerprint: Fingerprint, offset: int) -> bytes:
        """Up to the next multiple of the piece size, so that after a cut the pieces fall into step again."""
        wanted = min(PIECE_BYTES - offset % PIECE_BYTES, fingerprint.size_bytes - offset)
        data = os.pread(descriptor, wanted, offset)
        if len(data) < wanted or Fingerprint.of(path) != fingerprint:
            raise BadInput(f"{path.name} changed while it was being sent", hint="Let it be finished, then run it again.")
        return data

    def _wait(self, upload: str) -> UploadRecord:
        """The record when the checks are over, or as it stands when that takes too long."""
        until = time.monotonic() + self.wait_s
        failures = 0
        while True:
            try:
                record = self.server.upload_record(upload)
                failures = 0
                if record.state not in {"receiving", "checking"} or time.monotonic() >= until:
                    return record
            except Unavailable:
                failures += 1
                if failures >= _TRIES:
                    raise
            self.pause(_POLL_S * 2 ** min(failures, 6))

    def _outcome(self, path: Path, sha256: str, record: UploadRecord) -> Outcome:
        known = Outcome(str(path), record.state, sha256=sha256, upload=record.id, error=record.error, hint=record.hint)
        if record.state in {"receiving", "checking"}:
            return replace(known, state="checking")
        exhibit = record.duplicate_of or record.exhibit
        if record.state != "done" or exhibit is None:
            cause = BadInput(record.error or f"the upload was {record.state}", hint=record.hint or None)
            return replace(known, state="failed" if record.state == "failed" else "refused", cause=cause)
        known = replace(known, state="duplicate" if record.duplicate_of else "stored", exhibit=exhibit)
        try:
            found = self.server.get(f"/exhibits/{exhibit}")
        except NotFound:
            return known  # A twin that somebody else sent: not for these eyes.
        secured_at = found.get("secured_at") or ""
        return replace(
            known,
            state=known.state if record.duplicate_of else "secured" if secured_at else "stored",
            reference=found.get("reference", ""),
            case=found.get("case_reference") or "",
            secured_at=secured_at,
        )


def _id(address: str) -> str:
    return address.rsplit("/", 1)[-1]


def _refused(path: Path, sha256: str, upload: str, error: ExhibitError) -> Outcome:
    return Outcome(str(path), "refused", sha256=sha256, upload=upload, error=str(error), hint=error.hint, cause=error)


def _digest(path: Path, progress: Progress) -> str:
    """The file's SHA-256; the server compares it with what it reads back from its store."""
    size_bytes = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(4 * 1024 * 1024):
            digest.update(piece)
            progress(0, size_bytes)
    return digest.hexdigest()

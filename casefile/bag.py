"""Write what leaves the house: a BagIt folder or zip that anybody can check without this program.

    bagit.txt  bag-info.txt  READ-ME-FIRST.txt  verify.py
    manifest-sha256.txt  tagmanifest-sha256.txt
    exhibits.json          what each file is, and the digest it was received with
    custody-log.jsonl      every logged act on the case, one event per line
    data/<exhibit>/…       the originals and what was made of them

Source: RFC 8493 (BagIt 1.0); docs/custody.md describes the two files of our own.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from casefile import verify
from casefile.names import safe_name
from evidence.audit import AuditEvent
from evidence.errors import BadInput, Conflict, DigestMismatch, NoSpace
from evidence.ports import Progress

_READ_ME = """This folder was given out from the case {reference}.

data/               the files, one folder for each exhibit
exhibits.json       what each file is
custody-log.jsonl   every act on the case that was logged, up to the making of this folder
verify.py           checks all of it: python verify.py .   (Python 3.9 or newer, nothing else needed)

A check with the verify.py in here shows that nothing was damaged on the way. To be sure that nobody changed the
folder as a whole, ask the sender for its fingerprint and compare:

    python verify.py . --fingerprint FINGERPRINT

Files whose name has DRAFT in it were made by machine and have not been approved by a person.
"""


@dataclass(frozen=True, slots=True)
class BagFile:
    """One file to be given out. `path` is its place below data/, `read` gives its bytes in chunks."""

    path: str
    sha256: str
    size_bytes: int
    read: Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that goes into one bag. `exhibits` are the JSON entries that `casefile.record` makes."""

    case_reference: str
    case_title: str
    made_at: datetime
    made_by: str
    files: tuple[BagFile, ...]
    exhibits: tuple[Mapping[str, Any], ...]
    events: Iterable[AuditEvent]
    source_organisation: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    path: Path
    files: int
    size_bytes: int
    fingerprint: str
    """SHA-256 of the tag manifest: it stands for the bag as a whole, and is what the custody log records."""
    events: int


class _Sink(Protocol):
    def write(self, name: str, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Write one file; its SHA-256 and size as written."""
        ...


def write_bag(target: Path, contents: Contents, progress: Progress | None = None) -> Written:
    """Write a bag into the new folder `target`, or a zip of it when `target` ends in .zip.

    Every file is hashed on the way and compared with the digest it was recorded with. Nothing is left at
    `target` when that fails. Progress counts files.

    Raises: Conflict when `target` is there already, BadInput for two files of one name or a place where nothing can
        be written, NoSpace, DigestMismatch.
    """
    if target.exists():
        raise Conflict(f"{target} is there already", hint="Choose a new folder: a case file is never written over another.")
    _refuse_clashes(contents.files)
    working = target.with_name(f".{target.name}.{os.getpid()}.part")
    opened = _zip_sink(working, target.stem, contents.made_at) if target.suffix == ".zip" else _folder_sink(working)
    try:
        with opened as sink:
            written = _write(sink, target, contents, progress)
        working.rename(target)
    except OSError as exc:
        if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(f"no space left for {target}", hint="Write it to a disk with more room.") from exc
        raise BadInput(f"{target} can't be written: {exc.strerror}", hint="Choose a place where you may write.") from exc
    finally:
        _remove(working)
    return written


def _write(sink: _Sink, target: Path, contents: Contents, progress: Progress | None) -> Written:
    manifest: dict[str, str] = {}
    payload_bytes = 0
    for number, file in enumerate(contents.files, 1):
        digest, size = sink.write(f"data/{file.path}", file.read())
        if digest != file.sha256:
            raise DigestMismatch(
                f"{file.path} is not what was recorded: SHA-256 {digest} instead of {file.sha256}",
                hint="Nothing was given out. Tell the administrator: the stored copy has changed.",
            )
        manifest[f"data/{file.path}"] = digest
        payload_bytes += size
        if progress is not None:
            progress(number, len(contents.files))
    events = 0

    def log_lines() -> Iterator[bytes]:
        nonlocal events
        for event in contents.events:
            events += 1
            yield verify.event_line(event_to_json(event))

    tags: dict[str, str] = {}
    for name, chunks in (
        ("bagit.txt", [b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"]),
        ("bag-info.txt", [_bag_info(contents, payload_bytes)]),
        ("READ-ME-FIRST.txt", [_READ_ME.format(reference=_one_line(contents.case_reference)).encode()]),
        ("verify.py", [Path(verify.__file__).read_bytes()]),
        ("exhibits.json", [_record(contents)]),
        ("custody-log.jsonl", log_lines()),
        ("manifest-sha256.txt", [_manifest(manifest)]),
    ):
        tags[name], _ = sink.write(name, chunks)
    fingerprint, _ = sink.write("tagmanifest-sha256.txt", [_manifest(tags)])
    return Written(target, len(manifest), payload_bytes, fingerprint, events)


def event_to_json(event: AuditEvent) -> dict[str, Any]:
    """An event as its line in custody-log.jsonl; see docs/custody.md."""
    return {
        "number": event.number,
        "at": event.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor": event.actor,
        "verb": event.verb.value,
        "case_id": event.case_id,
        "exhibit_id": event.exhibit_id,
        "details": dict(event.details),
        "previous": event.previous,
        "hash": event.hash,
    }


def _record(contents: Contents) -> bytes:
    record = {
        "format": "exhibit case file 1",
        "case": {"reference": contents.case_reference, "title": contents.case_title},
        "made_at": contents.made_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "made_by": contents.made_by,
        "exhibits": list(contents.exhibits),
    }
    return (json.dumps(record, ensure_ascii=False, indent=2) + "\n").encode()


def _bag_info(contents: Contents, payload_bytes: int) -> bytes:
    lines = {
        "Source-Organization": contents.source_organisation,
        "External-Identifier": contents.case_reference,
        "External-Description": contents.case_title,
        "Bagging-Date": contents.made_at.strftime("%Y-%m-%d"),
        "Bag-Software-Agent": "exhibit",
        "Contact-Name": contents.made_by,
        "Payload-Oxum": f"{payload_bytes}.{len(contents.files)}",
    }
    return "".join(f"{label}: {_one_line(text)}\n" for label, text in lines.items() if text).encode()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _manifest(digests: Mapping[str, str]) -> bytes:
    return "".join(f"{digest}  {path.replace('%', '%25')}\n" for path, digest in sorted(digests.items())).encode()


def _refuse_clashes(files: tuple[BagFile, ...]) -> None:
    """File systems of the people who open the bag may not tell upper from lower case."""
    seen: set[str] = set()
    for file in files:
        parts = file.path.split("/")
        if any(part != safe_name(part) for part in parts):
            raise BadInput(f"{file.path!r} can't be a file name in a case file")
        if file.path.casefold() in seen:
            raise BadInput(f"two files of the case file would be called {file.path}")
        seen.add(file.path.casefold())


class _FolderSink:
    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, name: str, chunks: Iterable[bytes]) -> tuple[str, int]:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            written = _copy(chunks, stream.write)
            stream.flush()
            os.fsync(stream.fileno())
        return written


class _ZipSink:
    def __init__(self, archive: zipfile.ZipFile, top: str, at: datetime) -> None:
        self._archive, self._top, self._at = archive, top, at

    def write(self, name: str, chunks: Iterable[bytes]) -> tuple[str, int]:
        # Video doesn't shrink: stored, not deflated.
        entry = zipfile.ZipInfo(f"{self._top}/{name}", self._at.timetuple()[:6])
        entry.external_attr = 0o644 << 16
        with self._archive.open(entry, "w", force_zip64=True) as stream:
            return _copy(chunks, stream.write)


@contextmanager
def _folder_sink(working: Path) -> Iterator[_Sink]:
    working.mkdir(parents=True)
    yield _FolderSink(working)


@contextmanager
def _zip_sink(working: Path, top: str, at: datetime) -> Iterator[_Sink]:
    working.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(working, "x", zipfile.ZIP_STORED) as archive:
        yield _ZipSink(archive, safe_name(top), at)


def _copy(chunks: Iterable[bytes], write: Callable[[bytes], Any]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        write(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _remove(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    elif path.exists():
        path.unlink()

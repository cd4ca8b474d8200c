"""Check a case file that exhibit gave out, or a custody log, alone: Python 3.9 or newer and nothing else.

    python verify.py CASEFILE            a folder or a .zip
    python verify.py --log FILE      a custody log, one JSON event per line

Nothing here is shared with the program that wrote the case file but the format, which docs/custody.md describes.
Exit code 0: everything is as recorded. 1: something is not; each finding is named. 2: wrong use.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

GENESIS = "0" * 64
FIELDS = ("number", "at", "actor", "verb", "case_id", "exhibit_id", "details", "previous")
_HEX = re.compile(r"[0-9a-f]{64}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_LINE = re.compile(r"([0-9a-f]{64})  ([^\r\n]+)\n")
_SAFE_INTEGER = 2**53 - 1
_CHUNK = 1 << 20


class Finding(NamedTuple):
    """One thing that is not as recorded."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class LogCheck(NamedTuple):
    """What a walk along the log found; `first_bad` is the number of the first wrong event."""

    events: int
    gaps: int
    head: str
    first_bad: int | None
    problem: str

    @property
    def ok(self) -> bool:
        return self.first_bad is None


class BagCheck(NamedTuple):
    files: int
    size_bytes: int
    fingerprint: str
    log: LogCheck | None
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        return not self.findings


# --- the custody log ------------------------------------------------------------------------------------------------


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value by RFC 8785, for the values that a custody log may hold.

    Raises: ValueError for a value that it may not hold (a float, an integer beyond 2**53 - 1, a lone surrogate).
    """
    try:
        return _spell(value).encode("utf-8")
    except UnicodeEncodeError as exc:
        raise ValueError("text that is not valid Unicode") from exc


def _spell(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        if abs(value) > _SAFE_INTEGER:
            raise ValueError(f"the integer {value} is too large for the format")
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_spell(item) for item in value) + "]"
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a name that is not text")
        # RFC 8785 sorts names by their UTF-16 code units, not by code points.
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_spell(name)}:{_spell(value[name])}" for name in names) + "}"
    raise ValueError(f"a {type(value).__name__}, which the format does not allow")


def event_hash(event: Mapping[str, Any]) -> str:
    """The SHA-256 that an event must carry: over the canonical JSON of all its fields but `hash`."""
    return hashlib.sha256(canonical({name: event[name] for name in FIELDS})).hexdigest()


def verify_log(events: Iterable[Mapping[str, Any]], *, whole: bool = True) -> LogCheck:
    """Walk along the log and stop at the first event that is wrong.

    `whole`: every event from number 1 on. Otherwise a part of the log, as in a case file, where
    numbers may be left out: each event is checked by itself, and linked to the one before where that is there.
    """
    number, head, count, gaps = 0, GENESIS, 0, 0
    for event in events:
        problem = _wrong_form(event)
        found = event.get("number")
        here = found if type(found) is int else number + 1
        if not problem:
            missing = here != number + 1
            if here <= number:
                problem = f"event {here} stands after event {number}"
            elif missing and whole:
                here, problem = number + 1, f"event {number + 1} is missing (found {found} in its place)"
            elif not missing and event["previous"] != head:
                problem = f"event {here} does not follow from event {number}"
            elif event_hash(event) != event["hash"]:
                problem = f"event {here} was changed after it was written"
            gaps += missing
        if problem:
            return LogCheck(count, gaps, head, here, problem)
        number, head, count = here, event["hash"], count + 1
    return LogCheck(count, gaps, head, None, "")


def _wrong_form(event: Mapping[str, Any]) -> str:
    if set(event) != {*FIELDS, "hash"}:
        return "an event must have exactly these fields: " + ", ".join((*FIELDS, "hash"))
    if type(event["number"]) is not int or event["number"] < 1:
        return f"an event's number must be a whole number from 1 on, not {event['number']!r}"
    if not isinstance(event["at"], str) or not _MOMENT.fullmatch(event["at"]):
        return f"event {event['number']} has a malformed moment: {event['at']!r}"
    for name in ("previous", "hash"):
        if not isinstance(event[name], str) or not _HEX.fullmatch(event[name]):
            return f"event {event['number']} has a malformed {name}"
    try:
        event_hash(event)
    except ValueError as exc:
        return f"event {event['number']} holds {exc}"
    return ""


def read_events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Events from JSON lines. A line that is none, or not in its one spelling, gives an event that can't pass."""
    for line in lines:
        try:
            event = json.loads(line.decode("utf-8"), object_pairs_hook=_no_doubles)
            good = isinstance(event, dict) and event_line(event) == line
        except (ValueError, RecursionError):
            good = False
        yield event if good else {}


def event_line(event: Mapping[str, Any]) -> bytes:
    """The one way to write an event on its line: canonical JSON and a line feed. Raises: ValueError."""
    return canonical(event) + b"\n"


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


# --- the case file --------------------------------------------------------------------------------------------------


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Every file, link or other entry that is not a folder, by its path in the bag."""
        return sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_symlink() or not p.is_dir())

    def open(self, name: str) -> BinaryIO:
        path = self.root / name
        if path.is_symlink() or not path.is_file():
            raise OSError("not a regular file")
        return path.open("rb")


class _Zip:
    """A zip holds one folder with everything in it."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        tops = {name.split("/", 1)[0] for name in names}
        if len(tops) != 1 or any("/" not in name for name in names) or len(set(names)) != len(names):
            raise zipfile.BadZipFile("not one folder with every file once")
        self.top = tops.pop() + "/"
        self._names = sorted(name[len(self.top) :] for name in names)

    def names(self) -> list[str]:
        return self._names

    def open(self, name: str) -> BinaryIO:
        return self.archive.open(self.top + name)  # type: ignore[return-value]


def verify_bag(path: Path) -> BagCheck:
    """Check a case file, a folder or a zip, against its manifests, its record of exhibits and its custody log."""
    if path.is_dir():
        return _verify(_Folder(path))
    try:
        with zipfile.ZipFile(path) as archive:
            return _verify(_Zip(archive))
    except (OSError, zipfile.BadZipFile) as exc:
        return BagCheck(0, 0, "", None, [Finding(str(path), f"is not a case file that can be read: {exc}")])


def _verify(bag: _Folder | _Zip) -> BagCheck:
    findings: list[Finding] = []
    there = set(bag.names())
    digests: dict[str, str] = {}
    size_bytes = 0
    for name in sorted(there):
        try:
            digests[name], size = _digest(bag, name)
            size_bytes += size
        except (OSError, zipfile.BadZipFile, ValueError, RuntimeError) as exc:
            findings.append(Finding(name, f"can't be read: {exc}"))
    listed = _manifest(bag, there, "manifest-sha256.txt", findings)
    tags = _manifest(bag, there, "tagmanifest-sha256.txt", findings)
    outside = [name for name in listed if not name.startswith("data/")]
    findings += [Finding(name, "is listed as content but is not below data/") for name in outside]
    for name, expected in {**tags, **listed}.items():
        if name not in there:
            findings.append(Finding(name, "is missing"))
        elif digests.get(name, expected) != expected:
            findings.append(Finding(name, "is not what was recorded (its SHA-256 differs)"))
    for name in sorted(there - set(listed) - set(tags) - {"tagmanifest-sha256.txt"}):
        findings.append(Finding(name, "is not listed: it was added afterwards"))
    findings += _exhibits(bag, there, listed)
    log = None
    if "custody-log.jsonl" in there:
        with bag.open("custody-log.jsonl") as stream:
            log = verify_log(read_events(stream), whole=False)
        if not log.ok:
            findings.append(Finding("custody-log.jsonl", log.problem))
    else:
        findings.append(Finding("custody-log.jsonl", "is missing"))
    return BagCheck(len(there), size_bytes, digests.get("tagmanifest-sha256.txt", ""), log, findings)


def _digest(bag: _Folder | _Zip, name: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with bag.open(name) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _manifest(bag: _Folder | _Zip, there: set[str], name: str, findings: list[Finding]) -> dict[str, str]:
    """The digests that a manifest gives, path by path; BagIt writes %, CR and LF in paths as %25, %0D and %0A."""
    if name not in there:
        findings.append(Finding(name, "is missing"))
        return {}
    entries: dict[str, str] = {}
    with bag.open(name) as stream:
        lines = list(stream)
    for number, raw in enumerate(lines, 1):
        match = _LINE.fullmatch(raw.decode("utf-8", "replace"))
        path = match[2].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%") if match else ""
        if match is None or path in entries or path.startswith("/") or ".." in path.split("/"):
            findings.append(Finding(name, f"line {number} is malformed"))
        else:
            entries[path] = match[1]
    if not entries:
        findings.append(Finding(name, "lists nothing"))
    return entries


def _exhibits(bag: _Folder | _Zip, there: set[str], listed: Mapping[str, str]) -> list[Finding]:
    """The record of exhibits must tell the same digests as the manifest."""
    if "exhibits.json" not in there:
        return [Finding("exhibits.json", "is missing")]
    findings: list[Finding] = []
    try:
        with bag.open("exhibits.json") as stream:
            record = json.loads(stream.read().decode("utf-8"))
        for exhibit in record["exhibits"]:
            for file in exhibit["files"]:
                if listed.get(file["path"]) != file["sha256"]:
                    findings.append(Finding(file["path"], f"differs from the record of exhibit {exhibit['reference']}"))
    except (ValueError, KeyError, TypeError) as exc:
        findings.append(Finding("exhibits.json", f"can't be understood: {exc}"))
    return findings


# --- the command ----------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Check a case file, or a custody log, that exhibit gave out.")
    parser.add_argument("bag", nargs="?", type=Path, help="the case file: a folder or a .zip")
    parser.add_argument("--log", type=Path, help="a whole custody log instead: one JSON event per line")
    parser.add_argument("--part", action="store_true", help="with --log: the log is a part, numbers may be left out")
    parser.add_argument("--fingerprint", help="the fingerprint that the sender told you by another way")
    given = parser.parse_args(arguments)
    if (given.bag is None) == (given.log is None):
        parser.error("give either a case file or --log FILE")
    say = sys.stdout.write
    if given.log is not None:
        try:
            with given.log.open("rb") as stream:
                log = verify_log(read_events(stream), whole=not given.part)
        except OSError as exc:
            parser.error(f"can't read {given.log}: {exc.strerror}")
        say(f"custody log: {_log_line(log)}\n")
        return 0 if log.ok else 1
    check = verify_bag(given.bag)
    findings = list(check.findings)
    if given.fingerprint and given.fingerprint.lower() != check.fingerprint:
        findings.append(Finding("fingerprint", "is not the one that you were told: this is not the case file that was sent"))
    for finding in findings:
        say(f"WRONG  {finding}\n")
    if check.log is not None:
        say(f"custody log: {_log_line(check.log)}\n")
    say(f"fingerprint: {check.fingerprint or '-'}\n")
    say(f"{check.files} files, {check.size_bytes} bytes: {'NOT as recorded' if findings else 'all as recorded'}\n")
    return 1 if findings else 0


def _log_line(log: LogCheck) -> str:
    if not log.ok:
        return f"WRONG at event {log.first_bad}: {log.problem}"
    left_out = f", {log.gaps} stretches of other events left out" if log.gaps else ""
    return f"{log.events} events, each as written{left_out}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

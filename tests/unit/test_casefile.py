"""A case file stands alone: what is written verifies, and no changed byte goes unseen."""

from __future__ import annotations

import ast
import hashlib
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from casefile import verify
from casefile.bag import BagFile, Contents, event_to_json, write_bag
from casefile.names import exhibit_folder, safe_name, unique_names
from casefile.record import file_entry
from casefile.verify import canonical, event_line, main, read_events, verify_bag, verify_log
from evidence.audit import GENESIS, AuditEvent, Verb, chain_hash
from evidence.errors import BadInput, Conflict, DigestMismatch

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def chain(length: int) -> list[AuditEvent]:
    """A log as the program writes it: with the library's RFC 8785, which the verifier doesn't use."""
    events: list[AuditEvent] = []
    previous = GENESIS
    for number in range(1, length + 1):
        event = AuditEvent(
            number=number,
            at=NOON + timedelta(seconds=number, microseconds=number),
            actor="b.müller",
            verb=list(Verb)[number % len(Verb)],
            case_id="c1" if number % 2 else None,
            exhibit_id=None,
            details={"size_bytes": number * 10**9, "filename": 'ein "Clip"\n\u2028🎥.mp4', "parts": [1, None, True]},
            previous=previous,
            hash="",
        )
        event = replace(event, hash=chain_hash(event, rfc8785.dumps))
        previous = event.hash
        events.append(event)
    return events


def a_file(path: str, data: bytes) -> BagFile:
    return BagFile(
        path, hashlib.sha256(data).hexdigest(), len(data), lambda: [data[i : i + 7] for i in range(0, len(data), 7)]
    )


def contents(*files: BagFile, events: list[AuditEvent] | None = None) -> Contents:
    exhibits = [
        {"reference": "ABC/1", "files": [file_entry(f"data/{f.path}", "original", f.sha256, f.size_bytes) for f in files]}
    ]
    return Contents(
        case_reference="01AB/12345/26",
        case_title="High Street",
        made_at=NOON,
        made_by="b.müller",
        files=files,
        exhibits=tuple(exhibits),
        events=chain(6)[::2] if events is None else events,
    )


def small_bag(target: Path) -> Path:
    write_bag(
        target, contents(a_file("ABC-1/clip 100%.mp4", b"film " * 40), a_file("ABC-1/redacted.mp4", bytes(range(256))))
    )
    return target


@pytest.mark.parametrize("name", ["bag", "bag.zip"])
def test_a_written_bag_verifies(tmp_path: Path, name: str) -> None:
    written = write_bag(tmp_path / name, contents(a_file("ABC-1/a.mp4", b"abc"), a_file("ABC-1/b.mp4", b"")))
    check = verify_bag(tmp_path / name)
    assert check.findings == []
    assert check.fingerprint == written.fingerprint
    assert (written.files, written.size_bytes, written.events) == (2, 3, 3)
    assert check.log is not None
    assert (check.log.events, check.log.gaps) == (3, 2)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_the_verifier_in_the_pack_runs_alone(tmp_path: Path) -> None:
    bag = small_bag(tmp_path / "bag")
    alone = [sys.executable, "-I", "-S", "verify.py", "."]
    good = subprocess.run(alone, cwd=bag, capture_output=True, text=True, check=False)
    assert good.returncode == 0
    assert "all as recorded" in good.stdout
    (bag / "data/ABC-1/redacted.mp4").write_bytes(b"something else")
    bad = subprocess.run(alone, cwd=bag, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "WRONG  data/ABC-1/redacted.mp4: is not what was recorded" in bad.stdout


def test_five_hundred_flipped_bits_are_all_found(tmp_path: Path) -> None:
    bag = small_bag(tmp_path / "bag")
    files = sorted(p for p in bag.rglob("*") if p.is_file())
    pick = random.Random(20261124)
    for number in range(500):
        # Every file gets its share, however small; within it any bit.
        path = files[number % len(files)]
        whole = path.read_bytes()
        place = pick.randrange(len(whole) * 8)
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        fingerprint_tells = path.name == "tagmanifest-sha256.txt"
        check = verify_bag(bag)
        assert check.findings, f"bit {place} of {path.name} was flipped unseen"
        assert fingerprint_tells or any(path.name in f.where for f in check.findings)
        path.write_bytes(whole)
    assert verify_bag(bag).ok


def _remove(bag: Path) -> None:
    (bag / "data/ABC-1/redacted.mp4").unlink()


def _add(bag: Path) -> None:
    (bag / "data/ABC-1/extra.mp4").write_bytes(b"x")


def _add_beside(bag: Path) -> None:
    (bag / "note.txt").write_text("x")


def _link(bag: Path) -> None:
    original = bag / "data/ABC-1/redacted.mp4"
    original.rename(bag.parent / "elsewhere")
    original.symlink_to(bag.parent / "elsewhere")


def _no_log(bag: Path) -> None:
    (bag / "custody-log.jsonl").unlink()


def _swap_and_reseal(bag: Path) -> None:
    """Somebody who replaces a file and makes both manifests anew still contradicts the record of exhibits."""
    film = bag / "data/ABC-1/redacted.mp4"
    before = hashlib.sha256(film.read_bytes()).hexdigest()
    film.write_bytes(b"another film")
    manifest = bag / "manifest-sha256.txt"
    old_manifest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    manifest.write_text(manifest.read_text().replace(before, hashlib.sha256(b"another film").hexdigest()))
    tags = bag / "tagmanifest-sha256.txt"
    tags.write_text(tags.read_text().replace(old_manifest, hashlib.sha256(manifest.read_bytes()).hexdigest()))


@pytest.mark.parametrize("tamper", [_remove, _add, _add_beside, _link, _no_log, _swap_and_reseal])
def test_other_changes_are_found(tmp_path: Path, tamper: Callable[[Path], None]) -> None:
    bag = small_bag(tmp_path / "bag")
    tamper(bag)
    assert not verify_bag(bag).ok


def test_a_wrong_fingerprint_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = small_bag(tmp_path / "bag")
    assert main([str(bag), "--fingerprint", verify_bag(bag).fingerprint.upper()]) == 0
    assert main([str(bag), "--fingerprint", "0" * 64]) == 1
    assert "not the case file that was sent" in capsys.readouterr().out


def test_a_broken_zip_is_a_finding(tmp_path: Path) -> None:
    bag = small_bag(tmp_path / "bag.zip")
    bag.write_bytes(bag.read_bytes()[:-40])
    assert "not a case file that can be read" in verify_bag(bag).findings[0].what
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a/bagit.txt", "x")
        archive.writestr("b/bagit.txt", "x")
    assert not verify_bag(tmp_path / "two.zip").ok


def test_bytes_that_are_not_as_recorded_are_not_given_out(tmp_path: Path) -> None:
    wrong = replace(a_file("ABC-1/a.mp4", b"abc"), sha256="0" * 64)
    for name in ("bag", "bag.zip"):
        with pytest.raises(DigestMismatch, match=r"a\.mp4"):
            write_bag(tmp_path / name, contents(wrong))
    assert list(tmp_path.iterdir()) == []


def test_a_bag_is_never_written_over(tmp_path: Path) -> None:
    small_bag(tmp_path / "bag")
    with pytest.raises(Conflict):
        small_bag(tmp_path / "bag")


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="can't be written"):
        small_bag(tmp_path / "file" / "bag")


def test_the_verifier_is_old_enough_for_old_machines() -> None:
    text = Path(verify.__file__).read_text("utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.parametrize("path", ["../a", "/a", "a/../b", "a//b", "a\nb", "con.mp4", ".hidden", "a/"])
def test_a_path_that_could_escape_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInput):
        write_bag(tmp_path / "bag", contents(a_file(path, b"")))


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="two files"):
        write_bag(tmp_path / "bag", contents(a_file("ABC-1/A.mp4", b""), a_file("ABC-1/a.mp4", b"")))


@given(st.text())
def test_a_safe_name_is_safe_and_stays(text: str) -> None:
    name = safe_name(text)
    assert name
    assert safe_name(name) == name
    assert len(name.encode()) <= 200
    assert not set(name) & set('/\\:*?"<>|\r\n\0')
    assert name.strip(" .") == name


@given(st.lists(st.sampled_from(["a.mp4", "A.MP4", "a (2).mp4", "b", "B", "../b"]), max_size=8))
def test_unique_names_are_unique(names: list[str]) -> None:
    chosen = unique_names(names)
    assert len({name.casefold() for name in chosen}) == len(names)


def test_folders_are_called_after_the_reference() -> None:
    assert exhibit_folder("ABC/1") == "ABC-1"
    assert exhibit_folder("unfiled/../1") == "unfiled-..-1"


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_json)
def test_the_verifiers_spelling_is_that_of_the_library(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1.0, 2**53, "\ud800", {1: 2}, b"x", [float("nan")]])
def test_what_the_format_does_not_allow_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        canonical(value)


def logged(events: list[AuditEvent]) -> list[dict[str, object]]:
    return [event_to_json(event) for event in events]


def test_a_log_verifies() -> None:
    check = verify_log(logged(chain(40)))
    assert (check.ok, check.events, check.gaps, check.head) == (True, 40, 0, chain(40)[-1].hash)
    assert verify_log([]).ok


_FORMS: dict[str, Callable[[list[dict[str, object]]], None]] = {
    "changed": lambda log: log[16].update(actor="somebody else"),
    "deleted": lambda log: log.pop(16),
    "swapped": lambda log: log.insert(16, log.pop(17)),
    "doubled": lambda log: log.insert(16, log[15]),
    "float": lambda log: log[16].update(details={"x": 1.5}),
    "field": lambda log: log[16].pop("exhibit_id"),
    "moment": lambda log: log[16].update(at="2026-11-24 12:00:00"),
    "true for one": lambda log: log[16].update(number=True),
}


@pytest.mark.parametrize("form", _FORMS)
def test_the_first_bad_event_is_named(form: str) -> None:
    log = logged(chain(40))
    _FORMS[form](log)
    check = verify_log(log)
    assert not check.ok
    assert check.problem
    assert check.events == 16
    assert check.first_bad == (16 if form == "doubled" else 17)


def test_an_event_rewritten_with_its_own_hash_breaks_the_next() -> None:
    events = chain(20)
    forged = replace(events[9], actor="somebody else")
    events[9] = replace(forged, hash=chain_hash(forged, rfc8785.dumps))
    check = verify_log(logged(events))
    assert (check.first_bad, check.problem) == (11, "event 11 does not follow from event 10")


def test_a_part_of_a_log_may_leave_out_numbers_but_not_change_events() -> None:
    log = logged(chain(30))
    part = [event for event in log if event["case_id"] == "c1"]
    assert not verify_log(part[1:]).ok
    assert verify_log(part, whole=False).ok
    part[4]["details"] = {}
    assert verify_log(part, whole=False).first_bad == 9


def test_every_flipped_bit_of_a_log_file_is_found() -> None:
    lines = b"".join(event_line(event) for event in logged(chain(12)))

    def split(data: bytes) -> Iterator[bytes]:
        return iter(data.splitlines(keepends=True))

    assert verify_log(read_events(split(lines))).ok
    pick = random.Random(12)
    for place in pick.sample(range(len(lines) * 8), 500):
        flipped = bytearray(lines)
        flipped[place // 8] ^= 1 << place % 8
        assert not verify_log(read_events(split(bytes(flipped)))).ok, f"bit {place} was flipped unseen"


def test_a_log_is_checked_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(event_line(event) for event in logged(chain(5))))
    assert main(["--log", str(path)]) == 0
    path.write_bytes(path.read_bytes().replace(b'"number":4', b'"number":7'))
    assert main(["--log", str(path)]) == 1
    assert "WRONG at event 4: event 4 is missing" in capsys.readouterr().out
    with pytest.raises(SystemExit) as wrong_use:
        main(["--log", str(tmp_path / "nowhere")])
    assert wrong_use.value.code == 2


def test_the_record_says_what_the_pack_is(tmp_path: Path) -> None:
    bag = small_bag(tmp_path / "bag")
    record = json.loads((bag / "exhibits.json").read_text("utf-8"))
    assert record["case"] == {"reference": "01AB/12345/26", "title": "High Street"}
    assert "Payload-Oxum: 456.2" in (bag / "bag-info.txt").read_text("utf-8")
    assert "verify.py" in (bag / "READ-ME-FIRST.txt").read_text("utf-8")

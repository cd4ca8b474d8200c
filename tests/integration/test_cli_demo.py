"""The demonstration end to end, and what can be done afterwards with the installation that it leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import psutil
import psycopg
import pytest

from config.settings import load
from storage import embedded
from tests import clips

EXHIBIT = [sys.executable, "-I", "-m", "cli.main"]


def environ(**more: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("EXHIBIT_")}
    return kept | more


@dataclass(frozen=True)
class Played:
    """A demonstration that has ended."""

    clip: Path
    data: Path
    folder: Path
    told: dict[str, Any]
    said: str

    def exhibit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command on the installation that it left behind."""
        return subprocess.run(
            [*EXHIBIT, *arguments],
            env=environ(EXHIBIT_DATA_DIR=str(self.data)),
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    # Not below pytest's own folder: that is closed to the account that PostgreSQL runs as when we are root.
    root = Path(tempfile.mkdtemp(prefix="exhibit-demo-"))
    clip = clips.write(root / "short.mp4", clips.Clip(frames=24, audio=("aac",)))
    ended = subprocess.run(
        [*EXHIBIT, "demo", "--clip", str(clip), "--case", "TEST/7", "--json"],
        # No weights, and no other installation of this machine: what the offline parts can do.
        env=environ(
            EXHIBIT_DEMO_DIR=str(root / "there"), EXHIBIT_DATABASE_URL="postgresql://elsewhere/x", EXHIBIT_WORKERS="2"
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    yield Played(clip, root / "there/data", root / "there", json.loads(ended.stdout), ended.stderr)
    left = [p for p in psutil.process_iter(["cmdline"]) if str(root) in " ".join(p.info["cmdline"] or [])]
    shutil.rmtree(root, ignore_errors=True)
    assert not left


def test_every_step_is_done_and_what_nobody_looked_for_is_said(played: Played) -> None:
    assert set(played.told["steps"].values()) == {"done"}
    assert {"probe", "locate", "proxy", "detect 0", "track", "index", "annotate", "redact"} == set(played.told["steps"])
    assert played.told["not_looked_for"]["objects"] == "not analysed: no weights"
    table = played.said.partition("What was found")[2]
    assert re.search(r"│ objects +│ not analysed: no weights", table)
    assert played.told["exhibit"]["reference"] == "DI/1"
    assert played.told["exhibit"]["case_reference"] == "TEST/7"
    assert played.told["exhibit"]["storage"] == "stored, not locked"
    assert played.told["exhibit"]["sha256"] == hashlib.sha256(played.clip.read_bytes()).hexdigest()


def test_progress_is_told_in_plain_lines_and_the_end_says_where_everything_is(played: Played) -> None:
    lines = [line.strip() for line in played.said.splitlines()]
    assert any(line.startswith("detect 0   running") for line in lines)
    assert any(line.startswith("redact     done in ") for line in lines)
    for name in ("custody log   true", "annotated", "redacted", "contact sheet", "page", "sign in as    demo with", "times"):
        assert any(line.startswith(name) for line in lines), name


def test_the_copies_are_there_and_can_be_played(played: Played) -> None:
    files = {name: Path(path) for name, path in played.told["files"].items()}
    assert set(files) == {"annotated", "redacted", "tracks.json", "contact sheet"}
    assert "DRAFT" in files["redacted"].name
    for name in ("annotated", "redacted"):
        with av.open(str(files[name])) as container:
            assert sum(1 for _ in container.decode(video=0)) == 24
            assert len(container.streams.audio) == 1
    assert files["contact sheet"].read_bytes()[:3] == b"\xff\xd8\xff"


def test_the_case_goes_out_and_verifies_alone(played: Played, tmp_path: Path) -> None:
    out = tmp_path / "case-file"
    made = played.exhibit("export", "TEST/7", "-o", str(out), "--json")
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["steps_not_done"] == {}
    assert (out / "data/DI-1/short.mp4").read_bytes() == played.clip.read_bytes()
    assert any("DRAFT" in path.name for path in (out / "data/DI-1").iterdir())
    checked = played.exhibit("verify", str(out), "--fingerprint", told["fingerprint"], "--json")
    assert checked.returncode == 0
    assert json.loads(checked.stdout)["ok"] is True
    verbs = [json.loads(line)["verb"] for line in (out / "custody-log.jsonl").read_text("utf-8").splitlines()]
    assert verbs[0] == "case created"
    assert {"upload started", "exhibit received", "step done", "fetched"} <= set(verbs)
    assert verbs[-1] == "exported", "it was logged before the first byte left"

    original = out / "data/DI-1/short.mp4"
    spoilt = bytearray(original.read_bytes())
    spoilt[100] ^= 1
    original.write_bytes(spoilt)
    wrong = played.exhibit("verify", str(out))
    assert wrong.returncode == 1
    assert "data/DI-1/short.mp4: is not what was recorded" in wrong.stdout
    assert played.exhibit("export", "TEST/7", "-o", str(out)).returncode == 3, "never written over"
    assert played.exhibit("export", "NO/1", "-o", str(tmp_path / "none")).returncode == 3
    assert not (tmp_path / "none").exists()


def test_a_stored_byte_that_changed_is_not_given_out(played: Played, tmp_path: Path) -> None:
    stored = next(p for p in (played.data / "store").rglob("*") if p.is_file() and "originals" in str(p))
    before, mode = stored.read_bytes(), stored.stat().st_mode
    stored.chmod(0o600)
    try:
        stored.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        refused = played.exhibit("export", "TEST/7", "-o", str(tmp_path / "case-file"))
    finally:
        stored.write_bytes(before)
        stored.chmod(mode)
    assert refused.returncode == 1
    assert "is not what was recorded" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_finds_what_is_needed(played: Played) -> None:
    seen = played.exhibit("doctor", "--json")
    told = json.loads(seen.stdout)
    assert seen.returncode == 0, seen.stdout
    states = {part["part"]: part["state"] for part in told["parts"]}
    assert states["model yolo11n"] == "note", "its absence is worth knowing, not a failure"
    assert states["model centerface"] == "ok"
    assert {"Python", "settings", "disk", "database", "bell", "store", "video", "inference", "GPU", "sandbox"} <= set(states)
    with embedded.running(load({"data_dir": played.data}, {})):
        running = json.loads(played.exhibit("doctor", "--json").stdout)
    found = {part["part"]: part["found"] for part in running["parts"]}
    assert "PostgreSQL" in found["database"]
    assert "this program's version" in found["database"]
    assert "no worker listens" in found["bell"]
    wrong = subprocess.run(
        [*EXHIBIT, "doctor", "--json", "--data", str(played.data)],
        env=environ(EXHIBIT_HOST="0.0.0.0", EXHIBIT_STORE="minio", EXHIBIT_MINIO_ENDPOINT="127.0.0.1:1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 1
    missing = {part["part"] for part in json.loads(wrong.stdout)["parts"] if part["state"] == "missing"}
    assert {"settings", "store"} <= missing


def test_the_doctor_of_a_new_installation_misses_nothing_that_comes_by_itself(tmp_path: Path) -> None:
    ran = subprocess.run(
        [*EXHIBIT, "doctor", "--json", "--data", str(tmp_path / "new")],
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert {part["part"]: part["state"] for part in json.loads(ran.stdout)["parts"]}["store"] == "ok"
    assert not (tmp_path / "new").exists(), "it only looks"


def test_a_running_or_foreign_folder_is_not_emptied(played: Played, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    foreign = subprocess.run(
        [*EXHIBIT, "demo", "--clip", str(played.clip)],
        env=environ(EXHIBIT_DEMO_DIR=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert foreign.returncode == 3
    assert (tmp_path / "precious.txt").read_text() == "mine"
    with embedded.running(load({"data_dir": played.data}, {})):
        busy = subprocess.run(
            [*EXHIBIT, "demo", "--clip", str(played.clip)],
            env=environ(EXHIBIT_DEMO_DIR=str(played.folder)),
            capture_output=True,
            text=True,
            check=False,
        )
    assert busy.returncode == 3
    assert played.data.exists()
    inside = subprocess.run(
        [*EXHIBIT, "demo", "--clip", played.told["files"]["annotated"]],
        env=environ(EXHIBIT_DEMO_DIR=str(played.folder)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert inside.returncode == 2
    assert Path(played.told["files"]["annotated"]).exists(), "the clip would have been deleted with the folder"
    nothing = played.exhibit("demo", "--clip", "/nowhere.mp4")
    assert (nothing.returncode, "Traceback" in nothing.stderr) == (3, False)


def test_the_log_is_true_and_false_with_the_first_bad_event_named_after_one_byte(played: Played) -> None:
    """The last test of this module: it spoils the log."""
    good = played.exhibit("verify", "--log", "--json")
    assert good.returncode == 0, good.stderr
    head = json.loads(good.stdout)["head"]
    assert played.exhibit("verify", "--log", "--head", head).returncode == 0
    assert "true" in played.exhibit("verify", "--log").stdout
    number, _, digest = head.partition(":")
    later = played.exhibit("verify", "--log", "--head", f"{int(number) + 50}:{digest}")
    assert (later.returncode, "the log ends before" in later.stdout) == (1, True)
    assert played.exhibit("verify", "--log", "--head", "nonsense").returncode == 2

    with embedded.running(load({"data_dir": played.data}, {})) as settings:
        owner = settings.database_url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(owner) as connection:
            connection.execute("UPDATE audit SET actor = 'demp' WHERE number = 7")
    spoilt = played.exhibit("verify", "--log")
    assert spoilt.returncode == 1
    assert "false, event 7 was changed after it was written" in spoilt.stdout
    told = json.loads(played.exhibit("verify", "--log", "--json").stdout)
    assert (told["ok"], told["first_bad"], told["events"]) == (False, 7, 6)

"""`exhibit worker` and `exhibit steps` as a person types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.parts import environment
from config.settings import Settings
from evidence.audit import Verb
from evidence.exhibit import Exhibit
from evidence.steps import Step, StepState
from tests.installation import Installation, alive, below, commands, installed
from tests.panning import pan_clip


@pytest.fixture
def house(settings: Settings, tmp_path: Path) -> Iterator[Installation]:
    with installed(settings, tmp_path) as installation:
        yield installation


@pytest.fixture
def exhibit(house: Installation, tmp_path: Path) -> Exhibit:
    user = house.make.user()
    return house.make.exhibit(user, house.make.case(user, "OP/7"), pan_clip(tmp_path / "a.mp4", frames=5).read_bytes())


def exhibit_program(house: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    base = {name: text for name, text in os.environ.items() if not name.startswith("EXHIBIT_")}
    environ = environment(house.settings, base)
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def said(house: Installation, *arguments: str) -> Any:
    done = exhibit_program(house, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_steps_are_listed_cancelled_and_retried(house: Installation, exhibit: Exhibit) -> None:
    (listed,) = said(house, "steps", "list", "--case", "OP/7")
    assert (listed["step"], listed["state"], listed["exhibit"]) == ("probe", "ready", exhibit.id)
    shown = exhibit_program(house, "steps", "list")
    assert exhibit.reference in shown.stdout
    assert "OP/7" in shown.stdout
    assert said(house, "steps", "list", "--case", "OP/7", "--exhibit", exhibit.reference) == [listed]
    assert said(house, "steps", "list", "--exhibit", exhibit.id) == [listed]
    assert listed["id"] in shown.stdout

    (cancelled,) = said(house, "steps", "cancel", listed["id"])
    assert cancelled["state"] == "cancelled"
    assert said(house, "steps", "list", "--state", "ready,running") == []
    again = exhibit_program(house, "steps", "cancel", listed["id"])
    assert again.returncode == 3
    assert "cancelled already" in again.stderr

    member = house.storage.index.user(exhibit.uploaded_by).name
    (retried,) = said(house, "steps", "retry", listed["id"], "--as", member)
    assert retried["state"] == "ready"
    events = house.storage.index.audit_of_exhibit(exhibit.id)
    assert [(e.verb, e.actor) for e in events if e.verb in {Verb.STEP_CANCELLED, Verb.STEP_ASKED}] == [
        (Verb.STEP_CANCELLED, "system:cli"),
        (Verb.STEP_ASKED, f"system:cli for {member}"),
    ]


def test_a_case_that_goes_out_before_its_steps_are_done_says_so(
    house: Installation, exhibit: Exhibit, tmp_path: Path
) -> None:
    assert exhibit.reference
    assert said(house, "export", "OP/7", "-o", str(tmp_path / "one"))["steps_not_done"] == {"ready": 1}
    shown = exhibit_program(house, "export", "OP/7", "-o", str(tmp_path / "two")).stdout
    assert "1 ready" in shown
    assert "exhibit steps list --case OP/7" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("steps", "list", "--state", "asleep"), 2, "no such state: asleep"),
        (("steps", "list", "--case", "no/such"), 3, "case"),
        (("steps", "list", "--exhibit", "AB/1"), 3, "together with --case"),
        (("steps", "retry", "0000"), 3, "no such step run"),
        (("worker", "--steps", "probe,dance"), 2, "no such step: dance"),
    ],
)
def test_a_wrong_word_is_answered_with_what_to_do(
    house: Installation, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = exhibit_program(house, *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2, "what happened, and what to do"


def test_a_worker_that_dies_is_replaced_by_its_supervisor(house: Installation, exhibit: Exhibit) -> None:
    part = house.start_worker("--count", "2", "--steps", "probe")
    house.until_ended(exhibit.id, {Step.PROBE})
    house.until(lambda: len(below(part.pid)) == 2)
    first = below(part.pid)
    os.kill(first[0], signal.SIGKILL)
    house.until(lambda: len(set(below(part.pid)) - {first[0]}) == 2, timeout_s=10)
    assert "another takes its place" in part.last_words(20)
    family = below(part.pid)
    part.ask_to_end()
    house.until(lambda: part.ended() is not None, timeout_s=10)
    assert part.ended() == 0
    assert not any(alive(pid) for pid in family)


def test_workers_end_with_their_supervisor(house: Installation) -> None:
    part = house.start_worker("--count", "2")
    house.until(lambda: len(below(part.pid)) == 2)
    family = below(part.pid)
    os.kill(part.pid, signal.SIGKILL)
    house.until(lambda: not any(alive(pid) for pid in family), timeout_s=10)


def test_a_worker_refuses_a_database_of_another_version(house: Installation, settings: Settings) -> None:
    import psycopg

    owner = settings.database_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(owner) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    done = exhibit_program(house, "worker")
    assert done.returncode == 4
    assert "exhibit migrate" in done.stderr


def test_a_worker_holds_nothing_that_loads_networks_or_reads_media(house: Installation, exhibit: Exhibit) -> None:
    part = house.start_worker()
    house.until_ended(exhibit.id, {Step.PROBE})
    house.until(lambda: house.runs(exhibit.id, Step.DETECT))
    for pid in commands([part.pid, *below(part.pid)]):
        if "child_main" not in commands([pid]).get(pid, ""):
            loaded = Path(f"/proc/{pid}/maps").read_text()
            assert not [name for name in ("libavcodec", "libtorch", "libopenvino", "cv2") if name in loaded]


def test_a_stop_is_not_an_outcome(house: Installation, exhibit: Exhibit) -> None:
    """A worker with nothing to do ends at once, and the row is as it was."""
    part = house.start_worker("--steps", "export")
    house.until(lambda: "is ready" in part.last_words())
    part.ask_to_end()
    house.until(lambda: part.ended() == 0, timeout_s=3)
    (run,) = house.runs(exhibit.id)
    assert (run.state, run.attempt) == (StepState.READY, 0)

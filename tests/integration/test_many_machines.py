"""A web server and four workers as programs of their own, on MinIO, PostgreSQL and Valkey; one of them is killed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from casefile.bag import event_to_json
from casefile.verify import verify_log
from cli.parts import Part, environment
from cli.up import ask_ready
from config.settings import Settings
from evidence.audit import Verb
from evidence.case import Case, User
from evidence.exhibit import ExhibitId
from evidence.steps import Step, StepState
from tests.installation import Installation, installed, power_off
from tests.panning import pan_clip

pytestmark = pytest.mark.minio

CLIPS = 3
WORKERS = 4
MACHINES = 2
"""Machines that the workers are spread over: each has a data folder, and so a cache, of its own."""


@dataclass(frozen=True, slots=True)
class Site:
    house: Installation
    web: Part
    user: User
    case: Case
    token: str

    def upload(self, clips: list[Path]) -> list[ExhibitId]:
        """All at once, each with the upload program."""
        settings = self.house.settings
        environ = environment(settings, os.environ) | {
            "EXHIBIT_TOKEN": self.token,
            "EXHIBIT_SERVER": f"http://{settings.host}:{settings.port}",
            "XDG_STATE_HOME": str(self.house.folder / "state"),
        }
        command = [sys.executable, "-m", "cli.main", "upload", "--case", self.case.reference, "--kind", "drone", "--json"]
        running = [
            subprocess.Popen([*command, str(clip)], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for clip in clips
        ]
        exhibits = []
        for process in running:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err + self.web.last_words(30)
            (said,) = json.loads(out)["uploads"]
            assert said["state"] == "secured"
            exhibits.append(ExhibitId(said["exhibit"]))
        return exhibits


@pytest.fixture
def site(minio_settings: Settings, tmp_path: Path) -> Iterator[Site]:
    with installed(minio_settings, tmp_path, port=_free_port(), segment_s=5, workers=WORKERS) as house:
        web = Part("web", ("serve",), environment(house.settings, os.environ), tmp_path / "web.log")
        web.start()
        try:
            house.until(lambda: not ask_ready(house.settings), timeout_s=30)
            user = house.make.user()
            token = house.storage.ledger.people.create_token("system:tests", user.name, "test")
            yield Site(house, web, user, house.make.case(user), token)
        finally:
            house.stop_workers()
            web.ask_to_end()
            web.end(time.monotonic() + 20)


def test_every_exhibit_is_completed_exactly_once_though_a_worker_is_killed(site: Site, tmp_path: Path) -> None:
    house = site.house
    for number in range(WORKERS):
        house.start_worker(data_dir=tmp_path / f"machine-{number % MACHINES}")
    clips = [
        pan_clip(tmp_path / f"clip-{seed}.mp4", frames=80, rate=8, seed=seed, size_wh=(320, 180)) for seed in range(CLIPS)
    ]
    exhibits = site.upload(clips)
    power_off(_worker_at(house, Step.DETECT, exhibits).pid)

    for exhibit in exhibits:
        runs = house.until_ended(exhibit, timeout_s=90)
        assert {run.state for run in runs} == {StepState.DONE}, [(run.step, run.error) for run in runs]
        segments = [run.segment for run in runs if run.step is Step.DETECT]
        assert len(segments) >= 2, "several workers may be at one video"
        _exactly_once(house, exhibit)
    again = [run for exhibit in exhibits for run in house.runs(exhibit) if run.attempt > 1]
    assert again, "the killed worker's step was taken over"
    fetched = [path for number in range(MACHINES) for path in _cached(tmp_path / f"machine-{number}")]
    assert max(Counter(fetched).values()) <= MACHINES, "an original is fetched once per machine"
    assert verify_log(map(event_to_json, house.storage.index.audit_events())).ok


def _exactly_once(house: Installation, exhibit: ExhibitId) -> None:
    index, store = house.storage.index, house.storage.store
    done = Counter(
        (event.details["step"], event.details["segment"])
        for event in index.audit_of_exhibit(exhibit)
        if event.verb is Verb.STEP_DONE
    )
    assert set(done.values()) == {1}
    assert len(done) == len(house.runs(exhibit))
    outputs = index.outputs(exhibit)
    names = Counter((output.name, output.segment) for output in outputs)
    assert set(names.values()) == {1}
    for output in outputs:
        assert store.digest(output.key).hex == output.sha256
    stored = set(store.list_keys(f"derived/{exhibit}/"))
    assert stored == {output.key for output in outputs}, "nothing is left of the attempt that died"


def _worker_at(house: Installation, step: Step, exhibits: list[ExhibitId]) -> Part:
    """A worker that is in the middle of that step."""
    runs = house.until(
        lambda: [
            run
            for exhibit in exhibits
            for run in house.runs(exhibit, step)
            if run.state is StepState.RUNNING and run.progress_done
        ]
    )
    pid = int(runs[0].worker.split("-")[-2])
    return next(part for part in house.workers if part.pid == pid)


def _cached(machine: Path) -> list[str]:
    return [path.name for path in (machine / "cache" / "originals").iterdir() if path.suffix == ""]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Workers as programs of their own, on a real database and bell, when things go wrong around them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from config.settings import Settings
from evidence.audit import Verb
from evidence.errors import Unavailable
from evidence.exhibit import Exhibit
from evidence.steps import Step, StepState
from storage import servers
from tests.installation import Installation, alive, below, commands, installed, power_off
from tests.panning import pan_clip
from workers.queue import QUEUE, RqBell

ANALYSIS = {Step.PROBE, Step.DETECT, Step.TRACK}
ONLY_ANALYSIS = ("--steps", "probe,detect,track")


@pytest.fixture
def house(settings: Settings, tmp_path: Path) -> Iterator[Installation]:
    with installed(settings, tmp_path) as installation:
        yield installation


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Long enough for its DETECT to be caught in the middle; one segment."""
    return pan_clip(tmp_path_factory.mktemp("clips") / "long.mp4", frames=110).read_bytes()


@pytest.fixture
def long_one(house: Installation, long_clip: bytes) -> Exhibit:
    user = house.make.user()
    return house.make.exhibit(user, house.make.case(user), long_clip)


def short_one(house: Installation, folder: Path, seed: int = 0, frames: int = 5) -> Exhibit:
    clip = pan_clip(folder / f"{seed}.mp4", frames=frames, seed=seed).read_bytes()
    return house.make.exhibit(house.make.user(), None, clip)


def media_children(worker: int) -> list[int]:
    return [pid for pid, command in commands(below(worker)).items() if "workers.child_main" in command]


def _is_over(house: Installation, exhibit: Exhibit, attempt: int) -> bool:
    (run,) = house.runs(exhibit.id, Step.DETECT)
    return run.attempt > attempt or run.state is not StepState.RUNNING


def test_a_worker_that_is_told_to_stop_hands_its_step_back_at_once(house: Installation, long_one: Exhibit) -> None:
    worker = house.start_worker(*ONLY_ANALYSIS, segment_s=60)
    house.until_running(long_one.id, Step.DETECT)
    family = below(worker.pid)
    assert media_children(worker.pid)
    asked = time.monotonic()
    worker.ask_to_end()
    house.until(lambda: worker.ended() is not None, timeout_s=10)
    assert time.monotonic() - asked < 5
    (run,) = house.runs(long_one.id, Step.DETECT)
    assert (run.state, run.killed) == (StepState.READY, 0)
    assert not [pid for pid in family if alive(pid)], "nothing of the worker is left"
    assert not list((house.settings.cache_dir / "scratch").iterdir())


def test_a_person_cancels_between_frames_and_retries(house: Installation, long_one: Exhibit) -> None:
    user = house.make.user()
    house.start_worker(*ONLY_ANALYSIS, segment_s=60)
    run = house.until_running(long_one.id, Step.DETECT)
    house.storage.ledger.steps.cancel(user, run.id)
    asked = time.monotonic()
    runs = house.until_ended(long_one.id, {Step.DETECT})
    assert time.monotonic() - asked < 5
    assert [r.state for r in runs if r.step is Step.DETECT] == [StepState.CANCELLED]
    assert not house.storage.index.outputs(long_one.id, step=Step.DETECT)
    house.storage.ledger.steps.retry(user, run.id)
    assert house.until_running(long_one.id, Step.DETECT).attempt == 2


def test_a_step_that_is_killed_three_times_is_quarantined(house: Installation, long_one: Exhibit) -> None:
    worker = house.start_worker(*ONLY_ANALYSIS, segment_s=60)
    for attempt in (1, 2, 3):
        house.until(lambda n=attempt: house.until_running(long_one.id, Step.DETECT).attempt == n)
        for pid in media_children(worker.pid):
            os.kill(pid, signal.SIGKILL)
        house.until(lambda n=attempt: _is_over(house, long_one, n))
    (run,) = house.runs(long_one.id, Step.DETECT)
    assert (run.state, run.killed) == (StepState.QUARANTINED, 3)
    assert "killed" in run.error
    assert run.hint
    assert worker.ended() is None, "the worker goes on"


def test_a_worker_that_dies_is_noticed_and_its_step_done_by_another(house: Installation, long_one: Exhibit) -> None:
    first = house.start_worker(*ONLY_ANALYSIS, segment_s=60)
    house.until_running(long_one.id, Step.DETECT)
    power_off(first.pid)
    died = time.monotonic()
    house.start_worker(*ONLY_ANALYSIS, segment_s=60)
    house.until(lambda: house.runs(long_one.id, Step.DETECT)[0].attempt == 2)
    assert time.monotonic() - died < house.settings.lease_s + 15
    runs = house.until_ended(long_one.id, {Step.TRACK})
    assert [run.state for run in runs] == [StepState.DONE]
    house.stop_workers()
    assert not list((house.settings.cache_dir / "scratch").iterdir()), "what the dead one left is removed"
    done = [e for e in house.storage.index.audit_of_exhibit(long_one.id) if e.verb is Verb.STEP_DONE]
    assert len([e for e in done if e.details["step"] == "detect"]) == 1


def test_the_media_child_dies_with_its_worker(house: Installation, long_one: Exhibit) -> None:
    worker = house.start_worker(*ONLY_ANALYSIS, segment_s=60)
    house.until_running(long_one.id, Step.DETECT)
    family = below(worker.pid)
    os.kill(worker.pid, signal.SIGKILL)
    house.until(lambda: not any(alive(pid) for pid in family), timeout_s=10)
    (run,) = house.runs(long_one.id, Step.DETECT)
    assert (run.state, run.killed) == (StepState.READY, 0), "the work-horse had the time to hand it back"


def test_the_bell_may_be_flushed_at_any_time(house: Installation, tmp_path: Path) -> None:
    bell = redis.Redis.from_url(house.settings.redis_url)
    exhibits = [short_one(house, tmp_path, n) for n in range(2)]
    house.start_worker(*ONLY_ANALYSIS)

    def ended() -> bool:
        bell.flushall()
        runs = [run for exhibit in exhibits for run in house.runs(exhibit.id) if run.step in ANALYSIS]
        return len(runs) == 6 and all(run.state is StepState.DONE for run in runs)

    house.until(ended, timeout_s=40)
    bell.close()


def test_work_goes_on_while_the_bell_is_down(house: Installation, tmp_path: Path) -> None:
    exhibit = short_one(house, tmp_path)
    worker = house.start_worker("--steps", "probe", redis_url="redis://127.0.0.1:9/0")
    runs = house.until_ended(exhibit.id, {Step.PROBE})
    assert [run.state for run in runs] == [StepState.DONE]
    assert worker.ended() is None
    worker.ask_to_end()
    house.until(lambda: worker.ended() is not None, timeout_s=5)


def test_the_bell_may_go_and_come_back(house: Installation, tmp_path: Path) -> None:
    sockets, log = tmp_path / "v", tmp_path / "valkey.log"
    pid = servers.start_valkey(sockets, log)
    house.start_worker("--steps", "probe", redis_url=f"unix://{servers.valkey_socket(sockets)}?db=0")
    for number in range(3):
        exhibit = short_one(house, tmp_path, number)
        house.until_ended(exhibit.id, {Step.PROBE}, timeout_s=20)
        if number == 0:
            servers.stop(pid, signal.SIGKILL)
        else:
            pid = servers.start_valkey(sockets, log)
            servers.stop(pid, signal.SIGKILL)


def test_a_ring_can_not_make_a_worker_run_anything(house: Installation, tmp_path: Path) -> None:
    bell = redis.Redis.from_url(house.settings.redis_url)
    trap = tmp_path / "trap"
    Queue(QUEUE, connection=bell, serializer=JSONSerializer).enqueue("pathlib.Path.mkdir", str(trap))
    Queue(QUEUE, connection=bell, serializer=JSONSerializer).enqueue("os.mkdir", str(trap))
    bell.rpush(f"rq:queue:{QUEUE}", b"\xff\xfe no such job")
    worker = house.start_worker("--steps", "probe")
    exhibit = short_one(house, tmp_path)
    house.until_ended(exhibit.id, {Step.PROBE})
    house.until(lambda: not bell.llen(f"rq:queue:{QUEUE}"))
    assert not trap.exists()
    assert worker.ended() is None
    bell.close()


def test_ringing_a_bell_that_is_gone_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bell = RqBell("redis://127.0.0.1:9/0")
    bell.ring(3)
    assert "the sweep makes up for it" in caplog.text
    with pytest.raises(Unavailable):
        bell.listening()


def test_the_bell_knows_who_listens_and_keeps_nothing(house: Installation) -> None:
    bell = RqBell(house.settings.redis_url)
    house.start_worker("--steps", "export")
    (name,) = house.until(bell.listening)
    assert name.split("-")[-2] == str(house.workers[0].pid)
    bell.ring(20)
    with redis.Redis.from_url(house.settings.redis_url) as client:
        house.until(lambda: not client.keys("rq:job:*"))
    house.stop_workers()
    assert bell.listening() == []


def test_without_room_no_step_is_claimed(house: Installation, tmp_path: Path) -> None:
    exhibit = short_one(house, tmp_path)
    worker = house.start_worker("--steps", "probe", scratch_reserve_bytes=2**60)
    house.until(lambda: "no step is claimed" in worker.last_words(50))
    assert [run.state for run in house.runs(exhibit.id)] == [StepState.READY]

"""Where work may be interrupted by a request to stop, and where it may not."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.queue import WorkHorse
from workers.stop import HandBack, Stop, signals_held


@pytest.fixture
def stop() -> Iterator[Stop]:
    told = Stop()
    before = signal.signal(signal.SIGUSR1, told.ask)
    yield told
    signal.signal(signal.SIGUSR1, before)


def tell() -> None:
    signal.raise_signal(signal.SIGUSR1)  # to this thread: to the process, it may arrive when the test is over


def test_outside_of_the_marked_places_a_signal_is_only_noted(stop: Stop) -> None:
    tell()
    assert stop.asked
    with pytest.raises(HandBack):
        stop.check()


def test_a_marked_wait_is_left_at_once(stop: Stop) -> None:
    def transfer() -> None:
        with stop.may_interrupt():
            tell()
            time.sleep(30)

    started = time.monotonic()
    with pytest.raises(HandBack):
        transfer()
    assert time.monotonic() - started < 5


def test_nothing_is_begun_after_the_request(stop: Stop) -> None:
    tell()
    with pytest.raises(HandBack), stop.may_interrupt():
        pytest.fail("a transfer was started")


def test_a_database_write_within_a_marked_wait_is_completed_first(stop: Stop) -> None:
    done = []

    def work() -> None:
        with stop.may_interrupt():
            with stop.not_here():
                tell()
                done.append("written")
            done.append("gone on")

    with pytest.raises(HandBack):
        work()
    assert done == ["written"]


def test_a_second_signal_does_not_break_into_the_tidying_up(stop: Stop) -> None:
    tidied = []

    def transfer() -> None:
        with stop.may_interrupt():
            try:
                tell()
            finally:
                tell()
                tidied.append(True)

    with pytest.raises(HandBack):
        transfer()
    assert tidied == [True]


def test_sleep_ends_with_the_request(stop: Stop) -> None:
    tell()
    started = time.monotonic()
    stop.wait(30)
    assert time.monotonic() - started < 5


def test_a_held_signal_arrives_afterwards() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        with signals_held():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
            assert seen == []
        assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_work_horse_that_takes_too_long_is_killed_and_not_asked_to_hand_back(tmp_path: Path) -> None:
    """Handed back it would begin anew, and take too long again, for ever; a killed attempt is counted."""

    def work(told: Stop) -> None:
        while not told.asked:
            time.sleep(0.01)
        (tmp_path / "handed back").touch()

    assert not WorkHorse(work, Stop()).run(lambda: None, timeout_s=0.2)
    assert not (tmp_path / "handed back").exists()

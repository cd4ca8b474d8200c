"""Seconds per stage: only a stage's own work counts, and what is made passes through unchanged."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from media.stopwatch import Stopwatch


class Clock:
    now = 0.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    Clock.now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: Clock.now)
    return Clock


def test_only_the_stages_own_work_counts() -> None:
    watch = Stopwatch()

    def source() -> Iterator[int]:
        for number in range(3):
            Clock.now += 2
            yield number

    made = []
    for number in watch.making("decode", source()):
        Clock.now += 5
        with watch.at("paint"):
            Clock.now += 1
        made.append(number)
    assert made == [0, 1, 2]
    watch.add("look", 1.5)
    watch.add("look", 0.5)
    told = watch.report(12)
    assert told["stages_s"] == {"decode": 6.0, "look": 2.0, "paint": 3.0}
    assert told["passed_s"] == 24.0
    assert told["frames_per_s"] == 0.5


def test_a_stage_that_fails_was_at_work_too() -> None:
    watch = Stopwatch()

    def failing() -> None:
        with watch.at("paint"):
            Clock.now += 4
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert watch.report(1)["stages_s"] == {"paint": 4.0}

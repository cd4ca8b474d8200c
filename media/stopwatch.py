"""Seconds per stage of a pipeline whose stages run side by side."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")


class Stopwatch:
    """How long each stage was at work, not waiting for another one.

    Stages run at the same time, so their seconds may add up to more than passed. One thread at a time per stage.
    """

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._processor = time.process_time()
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def at(self, stage: str) -> Iterator[None]:
        before = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] += time.perf_counter() - before

    def add(self, stage: str, seconds: float) -> None:
        self._seconds[stage] += seconds

    def making(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """The items, whose making is the stage."""
        source = iter(items)
        while True:
            with self.at(stage):
                item = list(islice(source, 1))
            if not item:
                return
            yield item[0]

    def report(self, frames: int) -> dict[str, Any]:
        """What passed until now. Units: seconds, and frames per second, of the clock on the wall but for `processor_s`."""
        passed = time.perf_counter() - self._start
        return {
            "stages_s": {stage: round(seconds, 3) for stage, seconds in sorted(self._seconds.items())},
            "passed_s": round(passed, 3),
            "processor_s": round(time.process_time() - self._processor, 3),
            "frames_per_s": round(frames / passed, 2),
        }

"""Lanes: looks that don't depend on each other, in as many threads as there are processors for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Lanes:
    """Work of one model side by side. A lane does one thing at a time, so what belongs to it is nobody else's meanwhile."""

    def __init__(self, count: int) -> None:
        """`count`: threads, the caller's own among them."""
        self.count = max(1, count)
        self._others = ThreadPoolExecutor(self.count - 1) if self.count > 1 else None

    def each(self, work: Callable[[int, Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """`work(lane, item)` of each item, in the items' order. Raises: what `work` raises."""
        if self._others is None or len(items) < 2:
            return [work(0, item) for item in items]
        waiting = deque(enumerate(items))
        answers: dict[int, Answer] = {}

        def go_on(lane: int) -> None:
            while True:
                try:
                    number, item = waiting.popleft()
                except IndexError:
                    return
                answers[number] = work(lane, item)

        lanes = min(self.count, len(items))
        running = [self._others.submit(go_on, lane) for lane in range(1, lanes)]
        try:
            go_on(0)
        finally:
            waiting.clear()
            for other in running:
                other.result()
        return [answers[number] for number in range(len(items))]

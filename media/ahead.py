"""Working ahead: an iterator that is run in a thread of its own, a bounded number of items before they are asked for."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

DECODED = 4
"""Decoded pictures that may wait to be painted and encoded: enough that neither side waits for the other's slow ones."""
NICENESS = 5
"""What feeds the encoder stands back for the encoder's own threads, which fill what is left of the cores."""


@contextmanager
def ahead(source: Iterable[T], most: int = DECODED) -> Iterator[Iterator[T]]:
    """The items of `source`, at most `most` of them made before they are asked for.

    An error of `source` comes when the item is asked for in whose place it happened. Leaving the `with` stops `source`
    after the item that it is at, and waits for that: then what it reads from may be closed.
    """
    items = iter(source)
    with ThreadPoolExecutor(1, initializer=stand_back) as thread:
        waiting: deque[Future[list[T]]] = deque()
        try:
            yield _taken(thread, items, waiting, most)
        finally:
            thread.shutdown(cancel_futures=True)


def _taken(thread: ThreadPoolExecutor, items: Iterator[T], waiting: deque[Future[list[T]]], most: int) -> Iterator[T]:
    def one() -> list[T]:
        # The next item, or none at the end: a StopIteration can't travel through a future into a generator.
        return list(islice(items, 1))

    waiting.extend(thread.submit(one) for _ in range(most))
    while item := waiting.popleft().result():
        waiting.append(thread.submit(one))
        yield item[0]


def stand_back() -> None:
    """Lower the calling thread's own priority (on Linux it has one)."""
    here = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, here, os.getpriority(os.PRIO_PROCESS, here) + NICENESS)

"""A request to stop, and the places where work may be interrupted by it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_SIGNALS = {signal.SIGTERM, signal.SIGINT}


class HandBack(BaseException):
    """This worker was told to stop: the step goes back to the others.

    Not an Exception, so that nothing on the way takes it for a failure of the step.
    """


class Stop:
    """Set by a signal. Work sees it where it looks (`check`), and at once where it waits (`may_interrupt`)."""

    def __init__(self) -> None:
        self.asked = False
        self._may_interrupt = False

    def ask(self, *_: object) -> None:
        """A signal handler. Never breaks into a database transaction: only `may_interrupt` blocks are left early."""
        self.asked = True
        if self._may_interrupt:
            self._may_interrupt = False
            raise HandBack

    def check(self) -> None:
        """Raises: HandBack when the worker was told to stop."""
        if self.asked:
            raise HandBack

    def wait(self, seconds: float) -> None:
        """Sleep, or until told to stop."""
        with suppress(HandBack), self.may_interrupt():
            time.sleep(seconds)

    @contextmanager
    def may_interrupt(self) -> Iterator[None]:
        """Long transfers and waits, in the main thread: leave them at once when the worker is told to stop."""
        self.check()
        self._may_interrupt = True
        try:
            yield
        finally:
            self._may_interrupt = False

    @contextmanager
    def not_here(self) -> Iterator[None]:
        """Inside a `may_interrupt` block: a few statements that are not broken into."""
        before, self._may_interrupt = self._may_interrupt, False
        try:
            yield
        finally:
            self._may_interrupt = before
        if before:
            self.check()


@contextmanager
def signals_held() -> Iterator[None]:
    """Fork inside of this: the new process gets no signal before it `listens` with handlers of its own."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listen(on_stop: Callable[..., None]) -> None:
    """In a forked process: SIGTERM calls `on_stop`, Ctrl-C is left to whoever forked us and will tell us."""
    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

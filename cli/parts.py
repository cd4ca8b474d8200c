"""The programs of one machine as processes: started with their addresses in the environment, watched, ended together.

None of them outlives the process that started it, however that ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from config.settings import Settings

_GRACE_S = 20.0
_LOG_BYTES = 16 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def environment(settings: Settings, base: Mapping[str, str]) -> dict[str, str]:
    """`base` with every setting as an EXHIBIT_ variable, so that a program started with it loads the same settings.

    The owner's database address stays out: what runs for long connects as the application role.
    """
    filled = {name: text for name, text in base.items() if name != "EXHIBIT_DATABASE_URL"}
    for name, value in settings:
        if value not in (None, "") and name != "database_url":
            filled[f"EXHIBIT_{name.upper()}"] = ",".join(value) if isinstance(value, tuple) else str(value)
    return filled


@dataclass(slots=True)
class Part:
    """One of our programs as a process, its log in a file."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    log: Path
    restarts: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".1.log"))
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "cli.main", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=dict(self.environ),
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end the parts in order
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl call; this program starts parts from one thread
            )

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def ended(self) -> int | None:
        """Its exit code (negative: the signal), when it has ended."""
        if self._process is None:
            return None
        # WNOWAIT leaves it in place: until `end`, neither its number nor its group's can become another's.
        found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def ask_to_end(self) -> None:
        if self._process is not None and self.ended() is None:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until `deadline`, then end it and whatever it started, for good."""
        if self._process is None:
            return
        while self.ended() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def last_words(self, lines: int = 5) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as stream:
            stream.seek(max(0, self.log.stat().st_size - 8192))
            return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-lines:])


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM.value)


@contextmanager
def together(parts: list[Part]) -> Iterator[None]:
    """Start all parts; at the end ask them, workers first, and then make sure of it."""
    try:
        for part in parts:
            part.start()
        yield
    finally:
        for part in reversed(parts):
            part.ask_to_end()
        deadline = time.monotonic() + _GRACE_S
        for part in reversed(parts):
            part.end(deadline)


@contextmanager
def one_interrupt() -> Iterator[None]:
    """Inside, the first SIGINT or SIGTERM raises KeyboardInterrupt; further ones don't disturb the tidying up."""
    told = False

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
        nonlocal told
        if not told:
            told = True
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

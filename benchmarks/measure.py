"""One run of a command with all its children: wall-clock and processor seconds, peak memory, who else was busy."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_EVERY_S = 0.2
_ROOT = Path(__file__).parents[1]
_TAIL_BYTES = 2000


class CommandFailed(Exception):
    """A command ended with an error; the end of what it said stands in the message."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took. Units: seconds, bytes; `others` is the share of all processors that somebody else used."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    others: float
    torch: bool = False
    """Whether a process had PyTorch loaded."""


def run(command: Sequence[str], log: Path, fine: Sequence[int] = (0,)) -> Cost:
    """Run it to its end, and all that it started; what it says goes to `log`, whose folder takes a file more for a while.

    `fine`: the exit codes that are a result.

    Raises: CommandFailed.
    """
    result = log.with_suffix(".json")
    before = psutil.cpu_times()
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.account", str(result), *command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=_ROOT,
        )
        memory = _Memory(process.pid)
        start = time.perf_counter()
        try:
            code = process.wait()
        finally:
            peak = memory.end()
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait()
        whole_s = (time.perf_counter() - start) * (psutil.cpu_count() or 1)
    if code not in fine:
        tail = log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace")
        raise CommandFailed(f"{' '.join(command[:4])} … ended with {code}:\n{tail}")
    told = json.loads(result.read_text("ascii"))
    result.unlink()
    others_s = _busy_s(psutil.cpu_times()) - _busy_s(before) - told["cpu_s"]
    return Cost(told["wall_s"], told["cpu_s"], peak, min(1.0, max(0.0, others_s / whole_s)), memory.torch)


def _busy_s(times: psutil._ntuples.scputimes) -> float:
    busy: float = times.user + times.system + times.nice + times.irq + times.softirq + times.steal
    return busy


class _Memory:
    """Looks five times a second at the memory of a process and all below it; shared pages count once."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak = pid, 0
        self.torch = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> int:
        self._stop.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            with suppress(psutil.Error):
                below = psutil.Process(self._pid).children(recursive=True)
                self._peak = max(self._peak, sum(map(_own_bytes, below)))
                self.torch = self.torch or any(map(_has_torch, below))


def _own_bytes(process: psutil.Process) -> int:
    """The proportional set size; 0 for a process that has just ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _has_torch(process: psutil.Process) -> bool:
    with suppress(OSError):
        return "libtorch" in Path(f"/proc/{process.pid}/maps").read_text("utf-8", "replace")
    return False

"""The child's own side: limits first, then exactly one task, then its result on the report pipe.

Started by `workers.child`; the job comes on stdin, one JSON line per message goes back.
"""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from evidence.errors import ExhibitError, NoSpace, StepFailed
from workers import tasks

_PR_SET_PDEATHSIG = 1
_REPORT_EVERY_S = 0.2
_OPEN_FILES = 512
_ON_A_GPU = frozenset({"detect", "second_look", "single_pass"})
"""Tasks that may use one; a limit on memory breaks CUDA."""
_NICENESS = 5
"""The web server and the database of the same machine come first."""


def main() -> int:
    """The guard: below it the task runs; it takes its process group along when the worker dies."""
    report_fd = int(sys.argv[1])
    job: dict[str, Any] = json.load(sys.stdin)
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    _die_with(job["parent"], signal.SIGTERM)
    guard = os.getpid()
    task = os.fork()
    if task == 0:
        _die_with(guard, signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _run_and_exit(job, report_fd)
    os.close(report_fd)
    _, status = os.waitpid(task, 0)
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(guard, os.WTERMSIG(status))
    return os.waitstatus_to_exitcode(status)


def _run_and_exit(job: dict[str, Any], report_fd: int) -> NoReturn:
    # Whatever a library prints belongs into the log; the pipe is for messages only.
    os.dup2(2, 1)
    faulthandler.enable()
    _limit(job["task"], job["limits"])
    os.nice(_NICENESS)
    reporter = _Reporter(report_fd)
    try:
        run = tasks.task(job["task"])
        inputs = {name: Path(path) for name, path in job["inputs"].items()}
        reporter.send({"result": run(inputs, job["params"], Path(job["out"]), reporter.progress)})
    except ExhibitError as exc:
        reporter.send(_error(exc))
    except MemoryError:
        reporter.send(_error(StepFailed(f"the step {job['task']} needed more memory than it may use")))
    except OSError as exc:
        if exc.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        reporter.send(_error(NoSpace(f"no space left for what the step {job['task']} writes")))
    sys.stdout.flush()
    sys.stderr.flush()
    # Not through the interpreter's own end: threads of inference libraries may hold it up for seconds.
    os._exit(0)


def _error(exc: ExhibitError) -> dict[str, Any]:
    killed = isinstance(exc, StepFailed) and exc.killed
    return {"error": {"kind": type(exc).__name__, "message": str(exc), "hint": exc.hint, "killed": killed}}


class _Reporter:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._due = 0.0

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        while data:
            data = data[os.write(self._fd, data) :]

    def progress(self, done: int, total: int) -> None:
        """Reports at most five times a second, and the last frame always."""
        now = time.monotonic()
        if now >= self._due or done == total:
            self._due = now + _REPORT_EVERY_S
            self.send({"progress": [done, total]})


def _limit(task: str, limits: dict[str, Any]) -> None:
    from detectors.device import has_gpu

    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CPU: limits["cpu_s"] or None,
        resource.RLIMIT_FSIZE: limits["file_bytes"] or None,
        resource.RLIMIT_AS: None if task in _ON_A_GPU and has_gpu() else limits["memory_bytes"] or None,
    }
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        if value is not None:
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            # The soft processor limit ends it with SIGXCPU, which says why; the hard one only with SIGKILL.
            soft = max(1, most - 2) if kind == resource.RLIMIT_CPU and most > 2 else most
            resource.setrlimit(kind, (soft, most))


def _die_with(parent: int, number: signal.Signals) -> None:
    """Be sent `number` when the parent's thread that started this process ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number.value) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())

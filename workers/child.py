"""The process that touches media: one task, its inputs, read-only models, one output folder; no keys.

The worker (which holds the keys) starts it, listens to its progress, and publishes what it made. The child
dies with its worker. There is one place where a sandbox goes around it: `_command`.

Two processes in a group of their own: a tiny guard that the worker starts, and the task below it. The guard takes
the whole group along when the worker dies or the task ends, so that no FFmpeg is left running either.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from config.settings import Settings
from evidence import errors
from evidence.errors import ExhibitError, StepFailed
from evidence.ports import Progress

_SCRATCH = ".scratch"
_SILENCE_S = 1.0
_GRACE_S = 3.0
_LOG_BYTES = 64 * 1024
_LOG_LINES = 40
_MESSAGE_BYTES = 256 * 1024 * 1024
# Nothing else of the worker's environment reaches the child: no addresses, no credentials, no proxies.
_PASSED_ON = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "TZ")
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_OFFLINE": "true",
    "DO_NOT_TRACK": "1",
    # One heap for all threads: with a heap for each, what one let go is no use to another, and 23 MB more are held. They
    # allocate so little at once that none waits for another.
    "MALLOC_ARENA_MAX": "1",
}


@dataclass(frozen=True, slots=True)
class Job:
    """One call of a task; see `workers.tasks` for names, inputs and outputs."""

    task: str
    inputs: Mapping[str, Path]
    out: Path
    """An empty folder that exists; everything the task makes lies in it."""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """0 means no limit. The memory limit is not set for DETECT on a GPU (RLIMIT_AS breaks CUDA)."""

    memory_bytes: int = 0
    cpu_s: int = 0
    timeout_s: int = 14_400
    file_bytes: int = 256 * 1024**3
    """Largest single file the child may write."""
    silence_s: int = 600
    """A task that gets no further for so long hangs, and is stopped."""

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            memory_bytes=settings.child_memory_bytes,
            cpu_s=settings.child_cpu_s,
            timeout_s=settings.step_timeout_s,
            silence_s=settings.step_silence_s,
        )


def run(job: Job, limits: Limits, progress: Progress) -> dict[str, Any]:
    """Run the task in a child process and give its result.

    `progress` is called in this process whenever the child reports, and with the last known values (0, 0 at first)
    once a second while it is silent; when it raises (Cancelled, Fenced), the child is ended first.

    Raises: the task's own ExhibitError (UnsupportedMedia, CorruptMedia, NoDetector, WrongWeights, NoSpace …) as it
        was raised in the child; StepFailed, with `log_tail` and `killed`, when it died without one.
    """
    scratch = job.out.absolute() / _SCRATCH
    scratch.mkdir()
    try:
        with _Child(job, limits, scratch) as child:
            return child.listen(limits, progress)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _command(report_fd: int) -> list[str]:
    """How the child is started: the one place where a sandbox goes around it."""
    return [sys.executable, "-I", "-m", "workers.child_main", str(report_fd)]


def _environment(scratch: Path) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    folders = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "YOLO_CONFIG_DIR", "MPLCONFIGDIR")
    return _ENVIRONMENT | passed_on | dict.fromkeys(folders, str(scratch))


def _job_text(job: Job, limits: Limits) -> bytes:
    return json.dumps(
        {
            "parent": os.getpid(),
            "task": job.task,
            "inputs": {name: str(path.absolute()) for name, path in job.inputs.items()},
            "out": str(job.out.absolute()),
            "params": dict(job.params),
            "limits": asdict(limits),
        }
    ).encode()


class _Child:
    """The running process, its report pipe and the end of its log. Leaving the context ends the whole group."""

    def __init__(self, job: Job, limits: Limits, scratch: Path) -> None:
        self._task = job.task
        self._log: deque[bytes] = deque()
        self._log_size = 0
        self._pending = bytearray()
        text = _job_text(job, limits)
        self._report_fd, write_fd = os.pipe()
        started = False
        try:
            self._process = subprocess.Popen(
                _command(write_fd),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=job.out,
                env=_environment(scratch),
                pass_fds=(write_fd,),
                start_new_session=True,
            )
            started = True
        finally:
            os.close(write_fd)
            if not started:
                os.close(self._report_fd)
        stdin = self._pipe(self._process.stdin)
        # When it died at once, listen() says so, with its log.
        with contextlib.suppress(BrokenPipeError):
            stdin.write(text)
            stdin.close()

    @staticmethod
    def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
        assert stream is not None
        return stream

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        os.close(self._report_fd)
        self._pipe(self._process.stderr).close()

    def listen(self, limits: Limits, progress: Progress) -> dict[str, Any]:
        moved = told = now = time.monotonic()
        deadline = now + limits.timeout_s if limits.timeout_s else float("inf")
        last = (0, 0)
        result: dict[str, Any] | None = None
        stderr_fd = self._pipe(self._process.stderr).fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(self._report_fd, selectors.EVENT_READ)
            selector.register(stderr_fd, selectors.EVENT_READ)
            while self._report_fd in selector.get_map():
                for key, _ in selector.select(min(_SILENCE_S, max(0.0, deadline - now))):
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fd)
                    elif key.fd == stderr_fd:
                        self._keep(data)
                    else:
                        for message in self._messages(data):
                            if "progress" in message:
                                before, told = last, 0.0
                                last = (int(message["progress"][0]), int(message["progress"][1]))
                                # FFmpeg goes on telling how far it is when it stands still.
                                moved = moved if last == before else time.monotonic()
                            else:
                                result = self._outcome(message)
                now = time.monotonic()
                if now > deadline:
                    raise self._failed(f"the step {self._task} took longer than {limits.timeout_s} s and was stopped", True)
                if limits.silence_s and now - moved > limits.silence_s:
                    raise self._failed(
                        f"the step {self._task} got no further for {limits.silence_s} s and was stopped", True
                    )
                if now - told > _SILENCE_S:
                    told = now
                    progress(*last)
        if result is None:
            raise self._died()
        return result

    def _messages(self, data: bytes) -> list[dict[str, Any]]:
        self._pending += data
        if len(self._pending) > _MESSAGE_BYTES:
            raise self._failed(f"the step {self._task} reported more than can be a result", False)
        *lines, rest = self._pending.split(b"\n")
        self._pending = bytearray(rest)
        try:
            return [json.loads(line) for line in lines]
        except ValueError as exc:
            raise self._failed(f"the step {self._task} reported something that is no message", False) from exc

    def _outcome(self, message: dict[str, Any]) -> dict[str, Any]:
        """The result, or the child's error raised here as what it was there."""
        if "error" not in message:
            result: dict[str, Any] = message["result"]
            return result
        told = message["error"]
        kind = getattr(errors, str(told["kind"]), ExhibitError)
        if not (isinstance(kind, type) and issubclass(kind, ExhibitError)):
            kind = ExhibitError
        if issubclass(kind, StepFailed):
            raise self._failed(str(told["message"]), bool(told.get("killed")))
        error = kind(str(told["message"]), hint=str(told["hint"]))
        self._ended_within(_GRACE_S)
        self._end()
        error.log_tail = self._log_tail()
        raise error

    def _died(self) -> StepFailed:
        self._ended_within(_GRACE_S)
        self._end()
        code = self._process.returncode
        if code >= 0:
            return self._failed(f"the step {self._task} ended without a result", False)
        if -code == signal.SIGXCPU:
            return self._failed(f"the step {self._task} used more processor time than it may", True)
        return self._failed(f"the step {self._task} was ended by the system ({signal.strsignal(-code)})", True)

    def _failed(self, message: str, killed: bool) -> StepFailed:
        self._end()
        return StepFailed(message, log_tail=self._log_tail(), killed=killed)

    def _keep(self, data: bytes) -> None:
        self._log.append(data)
        self._log_size += len(data)
        while self._log_size > _LOG_BYTES and len(self._log) > 1:
            self._log_size -= len(self._log.popleft())

    def _log_tail(self) -> str:
        """The last lines of the log, with what still lies in the pipe (the group is dead by now)."""
        stderr_fd = self._pipe(self._process.stderr).fileno()
        os.set_blocking(stderr_fd, False)
        try:
            while data := os.read(stderr_fd, 65536):
                self._keep(data)
        except BlockingIOError:
            pass
        text = b"".join(self._log)[-_LOG_BYTES:].decode("utf-8", "replace").replace("\0", "")
        return "\n".join(text.splitlines()[-_LOG_LINES:])

    def _ended_within(self, seconds: float) -> bool:
        limit = time.monotonic() + seconds
        # WNOWAIT leaves the ended leader in place: its number, and with it the group's, can't become another's.
        while os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() > limit:
                return False
            time.sleep(0.005)
        return True

    def _end(self) -> None:
        """SIGTERM to the group, SIGKILL after a moment or to what is left of it; then the leader is reaped."""
        if self._process.returncode is not None:
            return
        if not self._ended_within(0):
            os.killpg(self._process.pid, signal.SIGTERM)
            self._ended_within(_GRACE_S)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evidence import errors
from evidence.errors import Cancelled, NoSpace, StepFailed
from workers import child
from workers.child import Job, Limits, run

SCRIPT = Path(__file__).with_name("child_with_test_tasks.py")


@pytest.fixture(autouse=True)
def _with_test_tasks(monkeypatch):
    real = child._command
    monkeypatch.setattr(
        child, "_command", lambda fd: [SCRIPT.as_posix() if a == "workers.child_main" else a for a in real(fd) if a != "-m"]
    )


def call(out: Path, do: str, limits: Limits = Limits(timeout_s=30), progress=lambda done, total: None, **params):  # noqa: B008
    return run(Job("misbehave", {}, out, {"do": do, **params}), limits, progress)


def pids_in(out: Path) -> list[int]:
    until = time.monotonic() + 15
    while not (out / "pids").exists() or not (out / "pids").read_text():
        assert time.monotonic() < until, "the task never started"
        time.sleep(0.01)
    return [int(p) for p in (out / "pids").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def all_end(pids: list[int]) -> bool:
    until = time.monotonic() + 10
    while any(alive(p) for p in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_gives_the_result_and_reports_progress(tmp_path):
    (tmp_path / "in.txt").write_text("hello")
    out = tmp_path / "out"
    out.mkdir()
    seen = []
    result = run(
        Job("misbehave", {"original": tmp_path / "in.txt"}, out, {"do": "report"}),
        Limits(),
        lambda d, t: seen.append((d, t)),
    )
    assert result["inputs"] == {"original": "hello"}
    assert result["cwd"] == str(out)
    assert seen[-1] == (5, 5)
    assert list(out.iterdir()) == []


def test_the_environment_has_no_secret_and_no_address(tmp_path, monkeypatch):
    for name in (
        "EXHIBIT_MINIO_SECRET_KEY",
        "EXHIBIT_DATABASE_URL",
        "AWS_SECRET_ACCESS_KEY",
        "HTTPS_PROXY",
        "PGPASSWORD",
        "PYTHONPATH",
    ):
        monkeypatch.setenv(name, "leak-7f3a")
    environment = call(tmp_path, "report")["environment"]
    assert "leak-7f3a" not in "".join(environment.values())
    assert set(environment) <= set(child._ENVIRONMENT) | set(child._PASSED_ON) | {
        "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "YOLO_CONFIG_DIR", "MPLCONFIGDIR", "LC_CTYPE",
    }  # fmt: skip
    assert environment["YOLO_AUTOINSTALL"] == "false"


def test_no_descriptor_of_the_worker_is_open_in_the_child(tmp_path):
    with (tmp_path / "database-socket").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        descriptors = call(tmp_path, "report")["descriptors"]
    # stdin, the log twice, the report pipe, and the folder that lists them
    assert len(descriptors) <= 5


def test_limits_hold(tmp_path):
    result = call(tmp_path, "report", Limits(memory_bytes=4 << 30, cpu_s=77, file_bytes=1 << 20))
    assert result["limits"] == {"AS": 4 << 30, "CPU": 75, "CORE": 0, "NOFILE": 512, "FSIZE": 1 << 20}
    assert result["nice"] >= 5


def test_starts_without_what_only_some_tasks_need(tmp_path):
    assert call(tmp_path, "report")["modules"] == []


@pytest.mark.parametrize(
    "kind",
    sorted(
        n
        for n, c in vars(errors).items()
        if isinstance(c, type) and issubclass(c, errors.ExhibitError) and c is not StepFailed
    ),
)
def test_an_error_arrives_as_what_it_was(kind, tmp_path):
    with pytest.raises(getattr(errors, kind)) as caught:
        call(tmp_path, "raise", kind=kind)
    assert type(caught.value).__name__ == kind
    assert str(caught.value) == "it went wrong: ünïcode"
    assert caught.value.hint == "do this"


def test_a_bug_in_a_task_is_a_failed_step_with_its_log(tmp_path):
    with pytest.raises(StepFailed) as caught:
        call(tmp_path, "bug")
    assert not caught.value.killed
    assert "ZeroDivisionError" in caught.value.log_tail
    assert "last words" in caught.value.log_tail


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGTERM])
def test_death_by_a_signal_is_told_as_such(number, tmp_path):
    with pytest.raises(StepFailed) as caught:
        call(tmp_path, "signal", number=int(number))
    assert caught.value.killed
    assert signal.strsignal(number) in str(caught.value)


def test_a_crash_in_native_code_leaves_its_trace(tmp_path):
    with pytest.raises(StepFailed) as caught:
        call(tmp_path, "segfault")
    assert caught.value.killed
    assert "Segmentation fault" in caught.value.log_tail


def test_too_much_memory_fails_the_step_only(tmp_path):
    with pytest.raises(StepFailed, match="more memory"):
        call(tmp_path, "allocate", Limits(memory_bytes=1 << 30), bytes=4 << 30)


def test_too_much_processor_time_ends_it(tmp_path):
    with pytest.raises(StepFailed, match="processor time") as caught:
        call(tmp_path, "spin", Limits(cpu_s=3))
    assert caught.value.killed


@pytest.mark.parametrize("do", ["no space", "fill"])
def test_a_full_disk_is_no_space(do, tmp_path):
    with pytest.raises(NoSpace):
        call(tmp_path, do, Limits(file_bytes=1 << 20), bytes=4 << 20)


def test_a_chatty_library_can_not_fill_the_memory(tmp_path):
    with pytest.raises(StepFailed) as caught:
        call(tmp_path, "flood")
    assert len(caught.value.log_tail) < 64 * 1024
    assert len(caught.value.log_tail.splitlines()) == 40
    assert caught.value.log_tail.endswith("the end")


def test_a_step_that_takes_too_long_is_stopped_with_all_it_started(tmp_path):
    with pytest.raises(StepFailed, match="longer than 2 s") as caught:
        call(tmp_path, "sleep", Limits(timeout_s=2))
    assert caught.value.killed
    assert all_end(pids_in(tmp_path))


@pytest.mark.parametrize("repeats", [False, True])
def test_a_step_that_hangs_is_stopped(repeats, tmp_path):
    with pytest.raises(StepFailed, match="no further for 1 s") as caught:
        call(tmp_path, "sleep", Limits(silence_s=1), frames=True, repeats=repeats)
    assert caught.value.killed
    assert all_end(pids_in(tmp_path))


@pytest.mark.parametrize("deaf", [False, True])
@pytest.mark.parametrize("frames", [False, True])
def test_cancel_ends_the_child_first(frames, deaf, tmp_path):
    def cancel(done, total):
        assert all(alive(p) for p in pids_in(tmp_path))
        raise Cancelled("somebody pressed cancel")

    with pytest.raises(Cancelled):
        call(tmp_path, "sleep", progress=cancel, frames=frames, deaf=deaf)
    # A dead process may wait for its new parent to notice, but nothing runs any more.
    assert all_end(pids_in(tmp_path))


@pytest.mark.parametrize("which", [0, 1])
def test_killing_the_guard_or_the_task_ends_both(which, tmp_path):
    def kill(done, total):
        os.kill(pids_in(tmp_path)[which], signal.SIGKILL)

    with pytest.raises(StepFailed) as caught:
        call(tmp_path, "sleep", progress=kill, frames=True)
    assert caught.value.killed
    assert all_end(pids_in(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_dies_with_its_worker(number, tmp_path):
    worker = f"""
from pathlib import Path
from workers import child
real = child._command
child._command = lambda fd: [{SCRIPT.as_posix()!r} if a == "workers.child_main" else a for a in real(fd) if a != "-m"]
child.run(child.Job("misbehave", {{}}, Path({str(tmp_path)!r}), {{"do": "sleep"}}), child.Limits(), lambda d, t: None)
"""
    process = subprocess.Popen([sys.executable, "-c", worker], stderr=subprocess.DEVNULL)
    pids = pids_in(tmp_path)
    assert all(alive(p) for p in pids)
    process.send_signal(number)
    process.wait(10)
    assert all_end(pids)


def test_an_unknown_task_is_no_result(tmp_path):
    with pytest.raises(StepFailed) as caught:
        run(Job("format_disk", {}, tmp_path), Limits(), lambda d, t: None)
    assert "no such task" in caught.value.log_tail

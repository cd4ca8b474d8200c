"""The real child with one more task, `misbehave`: what a test wants a task to do."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

from evidence import errors
from workers import child_main, tasks


def run(inputs, params, out: Path, progress):
    what = params["do"]
    if what == "report":
        for i in range(5):
            progress(i + 1, 5)
        limits = {
            n: resource.getrlimit(getattr(resource, f"RLIMIT_{n}"))[0] for n in ("AS", "CPU", "CORE", "NOFILE", "FSIZE")
        }
        modules = sorted(m for m in ("torch", "openvino", "av", "numpy", "cv2", "sqlalchemy", "redis") if m in sys.modules)
        return {
            "environment": dict(os.environ),
            "cwd": str(Path.cwd()),
            "inputs": {n: p.read_text() for n, p in inputs.items()},
            "limits": limits,
            "modules": modules,
            "nice": os.nice(0),
            "descriptors": sorted(int(d.name) for d in Path("/proc/self/fd").iterdir()),
        }
    if what == "detect":
        from workers.tasks import detect

        result = detect.run(inputs, params, out, progress)
        return {**result, "modules": sorted({"torch", "ultralytics", "openvino"} & set(sys.modules))}
    if what == "raise":
        raise getattr(errors, params["kind"])("it went wrong: ünïcode", hint="do this")
    if what == "bug":
        print("last words")
        return {"x": 1 / 0}
    if what == "signal":
        os.kill(os.getpid(), params["number"])
    if what == "segfault":
        ctypes.string_at(0)
    if what == "allocate":
        return {"n": len(bytearray(params["bytes"]))}
    if what == "spin":
        while True:
            pass
    if what == "fill":
        (out / "big").write_bytes(b"x" * params["bytes"])
    if what == "no space":
        raise OSError(28, "No space left on device")
    if what == "flood":
        os.write(2, b"line of a chatty library\n" * 20_000)
        sys.stderr.write("the end\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "sleep":
        helper = subprocess.Popen(["sleep", "60"])
        (out / "pids").write_text(f"{os.getppid()} {os.getpid()} {helper.pid}")
        if params.get("deaf"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if params.get("frames"):
            progress(1, 10)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            time.sleep(0.3)
            if params.get("repeats"):
                progress(1, 10)
    return {}


if __name__ == "__main__":
    module = types.ModuleType("workers.tasks.misbehave")
    module.run = run
    sys.modules[module.__name__] = module
    tasks.TASKS += ("misbehave",)
    sys.exit(child_main.main())

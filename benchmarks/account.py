"""Runs one command and accounts for everything below it, orphans too.

A command may kill a child of its own before that has waited for its children (exhibit ends the whole group of a step as
soon as it has the result). Their time would be nobody's; so this process takes orphans in, and waits for all.

python -m benchmarks.account RESULT COMMAND …      (RESULT: {"code", "wall_s", "cpu_s"})
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends. Raises: OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def wait_for_all() -> None:
    """Wait until no child is left; only for a process whose children are all known to be ending."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def children_s() -> float:
    """Processor seconds of all children that were waited for, and of theirs."""
    used = os.times()
    return used.children_user + used.children_system


def main(result: Path, command: Sequence[str]) -> int:
    adopt_orphans()
    start = time.perf_counter()
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    wall_s = time.perf_counter() - start
    wait_for_all()
    result.write_text(json.dumps({"code": code, "wall_s": wall_s, "cpu_s": children_s()}), "ascii")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))

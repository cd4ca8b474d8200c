"""DESCRIBE: what a model file is, asked of the file where it can do no harm.

Input `weights`. Result: {"format", "task", "classes"} (see `detectors.describe`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detectors.describe import describe
from evidence.ports import Progress


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: WrongWeights."""
    del params, out
    progress(0, 1)
    found = describe(inputs["weights"])
    progress(1, 1)
    return found

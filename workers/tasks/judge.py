"""JUDGE: whether every box that a person drew in the original is hidden in a redacted copy of it.

Inputs `original`, `copy`, `truth` (a MOT text file, see `evidence.truth`). Params: `stream_index` of the original.
Writes nothing. Result: as `media.leaks.judge` gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.ports import Progress
from evidence.truth import read_mot
from media.leaks import judge


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    """Raises: BadInput for a truth that can't be read; CorruptMedia, UnsupportedMedia, TooLarge."""
    truth = read_mot(inputs["truth"].read_text("utf-8"), inputs["truth"].name)
    return judge(inputs["original"], params["stream_index"], inputs["copy"], truth, progress)

"""What a ten times longer file costs: seconds for a frame, and memory, of `exhibit redact`."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.loop import Piece, loop
from benchmarks.measure import run
from benchmarks.runners import redact_words

TIMES = 10
_SHORT = Fraction(1, 4)


def grown(clip: Path, length_s: Fraction, folder: Path) -> dict[str, Any]:
    """`runs`: the same clip looped for a quarter of `length_s`, for all of it and for ten times as long, each once.

    What a run took more than the shorter one before it, by the frames it has more, is the cost of a frame there.
    Raises: CommandFailed.
    """
    runs = []
    for seconds in (length_s * _SHORT, length_s, length_s * TIMES):
        piece: Piece = loop(clip, folder / "grown.mp4", seconds)
        out = folder / "grown"
        out.mkdir()
        cost = run(redact_words(piece.path, out), folder / "said.txt", fine=(0, 3))
        for made in out.iterdir():
            made.unlink()
        out.rmdir()
        piece.path.unlink()
        runs.append({"seconds": float(piece.seconds), "frames": piece.frames, **asdict(cost)})
    return {"clip": clip.name, "length_s": float(length_s), "runs": runs}

"""PROXY: a copy for the browser and its poster.

Input `original`. Params, all optional: `stream_index`, `frame_count` (expected, for progress), `max_pixels`.
In `out`: `proxy.mp4`, `poster.jpg`. Result: {"frames", "size_bytes", "shift_s"}; `shift_s` are the seconds by which the
copy's times are earlier than the original's, as text; nearly always "0".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.ports import Progress
from media.proxy import make_poster, make_proxy
from workers.tasks import analysis as analyses


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: CorruptMedia, UnsupportedMedia, TooLarge."""
    original = inputs["original"]
    index = analyses.stream_index(params, original)
    expected = int(params.get("frame_count", 0))
    limit = analyses.pixel_limit(params)
    make_poster(original, index, out / "poster.jpg", **limit)
    made = make_proxy(original, index, out / "proxy.mp4", lambda done: progress(done, max(done, expected)), **limit)
    return {"frames": made.frames, "size_bytes": made.size_bytes, "shift_s": str(made.shift)}

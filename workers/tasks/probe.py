"""PROBE: what the file really is.

Input `original`. Params, all optional: `segment_s`, `max_pixels`, `max_duration_s` (settings of the same names), `quick`.
Result: MediaInfo as JSON (`evidence.wire.media_to_json`). A damaged file is described in it, not refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.ports import Progress
from evidence.wire import media_to_json
from media.container import MAX_DURATION_S, MAX_PIXELS
from media.probe import probe


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: UnsupportedMedia for what is no recording; TooLarge beyond the limits."""
    del out
    media = probe(
        inputs["original"],
        segment_s=params.get("segment_s", 60),
        max_pixels=params.get("max_pixels", MAX_PIXELS),
        max_duration_s=params.get("max_duration_s", MAX_DURATION_S),
        quick=params.get("quick", False),
        progress=lambda done: progress(done, 0),
    )
    return media_to_json(media)

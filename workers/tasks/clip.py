"""CLIP: a span of the original or of a copy, exact to the frame.

Input `source`. Params: `start`, `end` (`evidence.wire.moment_to_json`, times of the original); optional `shift_s` (the
`shift_s` of the source's own report, when the source is a copy), `title`, `stream_index`, `max_pixels`,
`max_duration_s`, `crf`, `preset`.

In `out`: `clip.mp4`, which starts at zero. Result: {"frames", "first", "last" (moments in the original), "audio", "video",
"damage", "damage_count", "encoding", "size_wh"}.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from evidence.errors import BadInput
from evidence.mediatime import MediaTime, Span, from_seconds
from evidence.ports import Progress
from evidence.wire import moment_from_json, moment_to_json
from media.clip import cut
from workers.tasks import analysis as analyses
from workers.tasks.covering import encoding


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: BadInput for a span that is none or holds no frame; CorruptMedia, UnsupportedMedia, TooLarge, NoSpace."""
    source = inputs["source"]
    shift = Fraction(params.get("shift_s", "0"))
    try:
        start, end = moment_from_json(params["start"]), moment_from_json(params["end"])
        span = Span(_moved(start, -shift), _moved(end, -shift))
    except (KeyError, ValueError, TypeError) as exc:
        raise BadInput(f"the span of the clip can't be understood: {exc}") from exc
    made = cut(
        source,
        analyses.stream_index(params, source),
        span,
        out / "clip.mp4",
        encoding=encoding(params),
        title=str(params.get("title", "")),
        progress=lambda done: progress(done, 0),
        **analyses.limits(params),
    )
    report = made.written.to_json()
    del report["shift_s"]
    first, last = (moment_to_json(_moved(moment, shift)) for moment in (made.first, made.last))
    return {**report, "first": first, "last": last}


def _moved(moment: MediaTime, seconds: Fraction) -> MediaTime:
    """Exact: in its own time base where that can express it, else in a finer one."""
    ticks = seconds / moment.time_base
    if ticks.denominator == 1:
        return MediaTime(moment.pts + ticks.numerator, moment.time_base)
    total = moment.seconds + seconds
    return from_seconds(total, Fraction(1, total.denominator))

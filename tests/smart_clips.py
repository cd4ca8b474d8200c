"""Clips for smart rendering, what TRACK would say of them, and a redaction of chosen frames."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

from evidence.redaction import Margin, Redaction
from evidence.track import Origin, Track, TrackBox
from evidence.wire import redaction_to_json, track_to_json
from media.frames import Frame, read_frames
from media.probe import main_stream
from tests.clips import QUARTER_TURN, Clip
from workers.tasks import redact

BOX = (40.0, 70.0, 100.0, 110.0)
EXACT = Redaction(margin=Margin(0.0, 0, 0))
_ORDER = {"preset": "medium", "crf": "12", "g": "10", "forced-idr": "1"}


def options(params: str = "bframes=0", **more: str) -> dict[str, str]:
    return {**_ORDER, "x264-params": f"scenecut=0:b-adapt=0:{params}", **more}


def _uneven(count: int) -> list[int]:
    steps = [33, 33, 100, 67]
    return list(accumulate((steps[n % 4] for n in range(count - 1)), initial=0))


GROUPS_OF_TEN = {
    "no B-frames": Clip(frames=60, options=options(), audio=("aac",)),
    "one B-frame": Clip(frames=60, options=options("bframes=1")),
    "two B-frames, flat": Clip(frames=60, options=options("bframes=2:b-pyramid=none"), audio=("aac",)),
    "three B-frames, pyramid": Clip(frames=60, options=options("bframes=3:b-pyramid=normal")),
    "five B-frames": Clip(frames=60, options=options("bframes=5:b-pyramid=normal")),
    "baseline": Clip(frames=60, options=options(profile="baseline")),
    "main": Clip(frames=60, options=options("bframes=2", profile="main")),
    "several slices": Clip(frames=60, options=options("slices=4")),
    "announced buffers": Clip(frames=60, options=options("bframes=2:nal-hrd=vbr:vbv-maxrate=900:vbv-bufsize=900:aud=1")),
    "variable rate, no B-frames": Clip(
        frames=60, rate=Fraction(30), time_base=Fraction(1, 1000), pts=_uneven(60), options=options()
    ),
    "variable rate": Clip(
        frames=60, rate=Fraction(30), time_base=Fraction(1, 1000), pts=_uneven(60), options=options("bframes=3")
    ),
    "late start": Clip(
        frames=60, time_base=Fraction(1, 30000), pts=[300_000 + 1001 * n for n in range(60)], options=options("bframes=2")
    ),
    "wide pixels": Clip(frames=60, options=options(), sample_aspect_ratio=Fraction(4, 3)),
    "rotated": Clip(frames=60, options=options("bframes=2"), matrix=QUARTER_TURN),
    "full range": Clip(frames=60, pixel_format="yuvj420p", full_range=True, options=options()),
    "colours": Clip(frames=60, colour=(1, 1, 1), options=options()),
    "cropped": Clip(frames=60, size_wh=(200, 138), options=options("bframes=2")),
    "another id": Clip(frames=60, options=options("sps-id=1")),
}
"""Closed groups of ten frames each."""

LONG_GROUPS = {
    "no B-frames": Clip(frames=90, options=options(g="30")),
    "two B-frames": Clip(frames=90, options=options("bframes=2", g="30")),
    "three B-frames": Clip(frames=90, options=options("bframes=3:b-pyramid=normal", g="30"), audio=("aac",)),
}
"""Closed groups of thirty frames."""

OPEN_AMONG_CLOSED = Clip(frames=60, options=options("open-gop=1:bframes=3:keyint=10:min-keyint=1"), closed_at=(20, 40))
"""Closed groups of twenty frames, each with an open one in its second half."""

CUT_BY_AN_EDIT_LIST = Clip(
    frames=60, time_base=Fraction(1, 30000), pts=[1001 * (n - 4) for n in range(60)], options=options("bframes=2")
)
"""Its first four frames are not shown."""


def frames_of(path: Path) -> Iterator[Frame]:
    with read_frames(path, main_stream(path)) as reader:
        yield from reader


def redacted(path: Path, out: Path, hidden: Collection[int], **params: Any) -> dict[str, Any]:
    """A copy of which `BOX` is covered on the frames in `hidden`, as the REDACT task makes it; its report."""
    seen = [(f.pts, f.time_base, f.upright_size_wh) for f in frames_of(path)]
    _, time_base, size_wh = seen[0]
    tracks = [
        Track(n, "face", "by hand", time_base, (TrackBox(n, seen[n][0], BOX, 0.9, Origin.DETECTED),)) for n in sorted(hidden)
    ]
    analysis = {
        "frame_count": len(seen),
        "frame_pts": [pts for pts, _, _ in seen],
        "time_base": str(time_base),
        "size_wh": list(size_wh),
        "tracks": [track_to_json(track) for track in tracks],
        "looked_for": ["face"],
    }
    out.mkdir(exist_ok=True)
    tracks_json = out / "tracks.json"
    tracks_json.write_text(json.dumps(analysis), "utf-8")
    wanted = {"redaction": redaction_to_json(EXACT), "preset": "veryfast", "crf": 12, **params}
    return redact.run({"original": path, "tracks.json": tracks_json}, wanted, out, lambda done, total: None)

"""What it costs to share a video out: its four segments on four processes at once, beside one process for all of it.

python -m benchmarks.spread LONG SHORT > JSON      (both with key frames often enough to be cut into four)

Each is measured on a long and a short piece, as everything here: what the long one takes more is the cost of a frame,
and the rest that of a process' start. From both follows what segments of a length take that this run has no time for.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import av
import av.video.frame

from benchmarks.account import adopt_orphans, children_s, wait_for_all
from config.models import ModelTask
from config.settings import Settings
from config.settings import load as settings
from evidence.redaction import Hide, Redaction
from evidence.wire import redaction_to_json
from workers import models
from workers.child import Job, Limits
from workers.child import run as run_child

SEGMENTS = 4
_RATE, _GROUP = 30, 15
_X264 = {"crf": "18", "preset": "veryfast", "g": str(_GROUP), "keyint_min": str(_GROUP), "sc_threshold": "0", "bf": "0"}


def piece(clip: Path, out: Path, seconds: Fraction) -> int:
    """`clip` again and again, with a key frame every half second, at 30 frames a second; how many frames there are.

    They are a multiple of four groups, so that it can be cut into four equal segments.
    """
    frames = max(1, round(seconds * _RATE / (SEGMENTS * _GROUP))) * SEGMENTS * _GROUP
    with av.open(str(out), "w") as made:
        pictures = _again_and_again(clip)
        first = next(pictures)
        stream = made.add_stream("libx264", rate=_RATE, options=_X264)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _RATE)
        for number, picture in enumerate(islice(chain([first], pictures), frames)):
            picture.pts, picture.time_base, picture.pict_type = number, Fraction(1, _RATE), 0
            made.mux(stream.encode(picture))
        made.mux(stream.encode(None))
    return frames


def _again_and_again(clip: Path) -> Any:
    for path in repeat(clip):
        with av.open(str(path)) as container:
            yield from container.decode(video=0)


def costs(path: Path, frames: int, how: Settings, scratch: Path) -> dict[str, float]:
    """Processor seconds: `one pass` over it; `look` at all of it in one process; `look in four`, segments side by side;
    and what follows on four, `track` and `redact`."""
    faces = {**models.detect_params(how, _silent, frozenset({ModelTask.FACES})), "keep": []}
    redaction = {"redaction": redaction_to_json(Redaction(what=frozenset({Hide.FACES}))), "draft": True, "smart": False}
    edges = [frames * number // SEGMENTS for number in range(SEGMENTS)]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        index, ticks = stream.index, 1 / (_RATE * Fraction(stream.time_base or 1))
    starts = [round(edge * ticks) for edge in edges]
    shared = {**faces, "stream_index": index}
    folders = (scratch / str(number) for number in range(99))

    def job(task: str, inputs: dict[str, Path], params: dict[str, Any]) -> Path:
        out = next(folders)
        out.mkdir()
        run_child(
            Job(task, {"original": path, **inputs} if task != "track" else inputs, out, params), Limits.of(how), _silent
        )
        return out

    def look(number: int, start: int | None, end: int | None) -> Path:
        segment = {"number": number, "start_pts": start, "end_pts": end, "frame_count": 0}
        return job("detect", {}, {**shared, "segment": segment})

    took: dict[str, float] = {}
    about = {"frame_count": frames, "begin_at": starts[1:]}
    _clocked(took, "one pass", lambda: job("single_pass", {}, {**shared, **redaction, **about}))
    _clocked(took, "look", lambda: look(0, None, None))
    with ThreadPoolExecutor(SEGMENTS) as four:
        spans = list(zip(range(SEGMENTS), starts, [*starts[1:], None], strict=True))
        seen: list[Path] = _clocked(took, "look in four", lambda: list(four.map(lambda span: look(*span), spans)))
    raw = {f"raw-{number}.parquet": out / "raw.parquet" for number, out in enumerate(seen)}
    joined: Path = _clocked(took, "track", lambda: job("track", raw, {"original_sha256": ""}))
    _clocked(took, "redact", lambda: job("redact", {"tracks.json": joined / "tracks.json"}, redaction))
    return took


def _clocked(took: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    before = children_s()
    result = work()
    wait_for_all()
    took[name] = children_s() - before
    return result


def _silent(done: int, total: int) -> None:
    pass


def main(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Of each file its frames and costs."""
    adopt_orphans()
    runs = []
    for path in paths:
        with tempfile.TemporaryDirectory(prefix="exhibit-spread-") as folder, av.open(str(path)) as container:
            frames = sum(packet.size > 0 for packet in container.demux(video=0))
            runs.append({"frames": frames, "cpu_s": costs(path, frames, settings(), Path(folder))})
    return runs


if __name__ == "__main__":
    print(json.dumps(main([Path(word) for word in sys.argv[1:]])))

"""Where the time of `exhibit redact --what faces` goes: seconds of each stage, and of each part per frame.

python -m benchmarks.stages CLIP FRAMES_OF_THE_PARTS > JSON
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.account import adopt_orphans, children_s, wait_for_all
from config.models import ModelTask
from config.settings import load as settings
from detectors.load import load
from evidence.ports import Progress
from evidence.redaction import Hide, Redaction, Style
from media.encode import USUAL, VideoWriter
from media.frames import Frame, read_frames
from media.orientation import Box
from media.paint import cover
from workers import models
from workers.alone import Bench


def stages(clip: Path, scratch: Path) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Wall-clock and processor seconds of each child of one redaction, through the same bench as the command; and the
    seconds that each stage inside was at work, as the report tells them."""
    took: dict[str, dict[str, float]] = {}
    adopt_orphans()

    @contextmanager
    def stage(name: str) -> Iterator[Progress]:
        wall, cpu = time.perf_counter(), children_s()
        yield _silent
        wall_s = time.perf_counter() - wall
        wait_for_all()
        took[name] = {"wall_s": wall_s, "cpu_s": children_s() - cpu}

    _, report = Bench(settings(), scratch, stage).redact(clip, Redaction(what=frozenset({Hide.FACES})))
    return took, report["speed"]["stages_s"]


def parts(clip: Path, scratch: Path, frames: int) -> dict[str, float]:
    """Processor milliseconds per frame of each part alone; the encoder's with its threads.

    The frames of one part are made before its clock runs, so that no part pays for another.
    """
    with read_frames(clip, 0 if _is_first_video(clip) else 1) as reader:
        decode_ms, some = _clocked(lambda: list(islice(reader, frames)))
        (spec,) = models.detect_params(settings(), _silent, frozenset({ModelTask.FACES}))["detectors"]
        detector = load(spec, some[0].upright_size_wh, frozenset())
        small_ms, pictures = _clocked(lambda: [frame.small_rgb(detector.picture_wh) for frame in some])
        detect_ms, _ = _clocked(lambda: [detector.detect(picture) for picture in pictures])
        encode_ms, paint_ms = _written(some, scratch / "encoded.mp4")
    n = len(some)
    return {
        "decode": decode_ms / n,
        "scale to the detector's input": small_ms / n,
        f"find faces ({detector.name}, {detector.runtime}, input {'×'.join(map(str, detector.picture_wh))})": detect_ms / n,
        "paint one mask": paint_ms / n,
        "convert and encode (x264)": encode_ms / n,
    }


def _written(frames: list[Frame], out: Path) -> tuple[float, float]:
    first = frames[0]
    paint = 0.0

    def write() -> None:
        nonlocal paint
        with VideoWriter(out, first, None, USUAL) as writer:
            for frame in frames:
                picture = writer.convert(frame.picture)
                before = time.thread_time()
                cover(picture, [_middle(frame)], frame.orientation, Style.SOLID)
                paint += 1000 * (time.thread_time() - before)
                writer.write(picture, frame.pts - first.pts, frame.time_base)
            writer.close()

    whole, _ = _clocked(write)
    return whole - paint, paint


def _middle(frame: Frame) -> Box:
    w, h = frame.upright_size_wh
    return (w * 0.45, h * 0.45, w * 0.5, h * 0.52)


def _clocked(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor milliseconds of this process, all threads, and the result."""
    before = time.process_time()
    result = work()
    return 1000 * (time.process_time() - before), result


def _silent(done: int, total: int) -> None:
    pass


def _is_first_video(clip: Path) -> bool:
    import av

    with av.open(str(clip)) as container:
        return container.streams.video[0].index == 0


def main(clip: Path, frames: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="exhibit-stages-") as folder:
        scratch = Path(folder)
        (scratch / "redaction").mkdir()
        children, inside = stages(clip, scratch / "redaction")
        return {"stages": children, "inside_s": inside, "parts_cpu_ms": parts(clip, scratch, frames)}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))

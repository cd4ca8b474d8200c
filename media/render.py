"""From frames in to a file out: each converted, treated, and written at its own time, with the sound beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from evidence.errors import CorruptMedia, IntegrityError
from media.ahead import ahead
from media.encode import USUAL, Encoding, VideoWriter
from media.frames import Frame, FrameReader, Picture
from media.sound import SoundTracks
from media.stopwatch import Stopwatch


@dataclass(slots=True)
class Written:
    """What came of a rendering: numbers and plain sentences for its report."""

    frames: int = 0
    shift: Fraction = Fraction(0)
    """Seconds taken off every time of the source, so that the file does not start hours after zero."""
    video: list[str] = field(default_factory=list)
    audio: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    damage_count: int = 0
    encoding: Encoding = field(default_factory=Encoding)
    size_wh: tuple[int, int] = (0, 0)

    def to_json(self) -> dict[str, Any]:
        return {
            "frames": self.frames,
            "shift_s": str(self.shift),
            "video": self.video,
            "audio": self.audio,
            "damage": self.damage,
            "damage_count": self.damage_count,
            "encoding": {"codec": "h264", **asdict(self.encoding)},
            "size_wh": list(self.size_wh),
        }


Treat = Callable[[Frame, Picture], None]
"""Works on the output picture of a frame, in place, on its `writable` planes."""


def render(
    reader: FrameReader,
    out: Path,
    treat: Treat,
    *,
    frames: Iterable[Frame] | None = None,
    sound: SoundTracks | None,
    encoding: Encoding = USUAL,
    title: str = "",
    location: str = "",
    shift: Fraction | None = Fraction(0),
    expected_frames: int | None = None,
    progress: Callable[[int], None] | None = None,
    watch: Stopwatch | None = None,
) -> Written:
    """Every frame of `reader`, converted, treated and written to `out` at its own time less `shift` seconds
    (None: as many as make the first frame's time zero).

    Decoding goes on in a thread of its own while this one treats and encodes. `frames`: those of `reader`, by way of
    somebody who looks at them first. `watch` is told how long painting and encoding were at work.

    Raises: CorruptMedia when not one frame decodes; IntegrityError when there are not as many as expected;
        whatever `treat` raises. Then there is no `out`.
    """
    watch = watch or Stopwatch()
    with ahead(reader if frames is None else frames) as taken:
        first = next(taken, None)
        if first is None:
            detail = f": {reader.damage.entries[0]}" if reader.damage else ""
            raise CorruptMedia(f"not one frame of {reader.path.name} can be decoded{detail}")
        ticks = first.pts if shift is None else round(shift / first.time_base)
        written = Written(shift=ticks * first.time_base, encoding=encoding)
        with VideoWriter(out, first, reader.rate, encoding, title, location) as writer:
            writer.set_shape(reader.stream.sample_aspect_ratio)
            if sound is not None:
                sound.add_to(writer.container, written.shift)
            for frame in chain([first], taken):
                _write_frame(writer, frame, ticks, treat, sound, watch)
                written.frames += 1
                if progress is not None:
                    progress(written.frames)
            if expected_frames not in (None, written.frames):
                raise IntegrityError(f"{written.frames} frames can be decoded now, but {expected_frames} were analysed")
            with watch.at("encode"):
                if sound is not None:
                    writer.mux(sound.rest())
                    written.audio = sound.report()
                writer.close()
    written.video, written.size_wh = list(writer.form.changes), writer.form.size_wh
    written.damage, written.damage_count = list(reader.damage.entries), reader.damage.count
    if reader.retimed:
        written.video.append(f"{reader.retimed} frame(s) had no time of their own and were given the next one")
    return written


def _write_frame(
    writer: VideoWriter, frame: Frame, ticks: int, treat: Treat, sound: SoundTracks | None, watch: Stopwatch
) -> None:
    with watch.at("encode"):
        picture = writer.convert(frame.picture)
    with watch.at("paint"):
        treat(frame, picture)
    with watch.at("encode"):
        writer.write(picture, frame.pts - ticks, frame.time_base)
        if sound is not None:
            writer.mux(sound.until((frame.pts - ticks) * frame.time_base))

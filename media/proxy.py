"""A copy that every browser plays, and its poster. FFmpeg's own program does it, with an argument list and no shell."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

import av.audio
import ffmpeg
import imageio_ffmpeg
from av.codec.context import CodecContext

from evidence.errors import CorruptMedia, StepFailed
from media import container as containers
from media.frames import Frame, first_frame, read_frames
from media.stills import fitted, save_jpeg
from media.timeline import shift_for

SHORTER_SIDE = 720
_LOG_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Proxy:
    """`shift`: seconds by which its times are earlier than the original's (see `media.timeline`)."""

    frames: int
    shift: Fraction
    size_bytes: int


def make_proxy(
    path: Path,
    stream_index: int,
    out: Path,
    progress: Callable[[int], None] | None = None,
    max_pixels: int = containers.MAX_PIXELS,
) -> Proxy:
    """H.264 and AAC in an MP4, upright, at most 720 pixels on its shorter side, its index at the front.

    Raises: CorruptMedia, with FFmpeg's last words, when it can't be made. `out` is there only when it is whole.
    """
    shift = shift_for(path, stream_index)
    part = out.with_name(out.name + ".part")
    argv = command(path, stream_index, part, shift, max_pixels)
    try:
        frames = _run(argv, progress)
        if not part.exists() or not frames:
            raise CorruptMedia(f"not one frame of {path.name} could be turned into a copy for the browser")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return Proxy(frames, shift, out.stat().st_size)


def command(path: Path, stream_index: int, out: Path, shift: Fraction, max_pixels: int) -> list[str]:
    """The argument list: this one file in, known formats only, no network, nothing asked of the terminal."""
    audio_index, still = _look(path, max_pixels)
    limits = {
        "protocol_whitelist": containers.PROTOCOLS,
        "format_whitelist": ",".join(containers.FORMATS),
        "max_streams": containers.MAX_STREAMS,
        "max_pixels": max_pixels,
    }
    source = ffmpeg.input(containers.url(path), copyts=None, **limits, **({"f": still} if still else {}))
    # In square pixels; both sides even.
    scale = f"min(1,{SHORTER_SIDE}/min(iw*max(sar,0.01),ih))"
    picture = (
        source[str(stream_index)]
        .filter("scale", w=f"max(2,trunc(iw*max(sar,0.01)*{scale}/2)*2)", h=f"max(2,trunc(ih*{scale}/2)*2)", out_range="tv")
        .filter("setsar", "1")
        .filter("format", "yuv420p")
    )
    streams = [picture] if audio_index is None else [picture, source[str(audio_index)]]
    options = {
        "c:v": "libx264", "preset": "veryfast", "crf": 23, "g": 60, "profile:v": "high",
        "fps_mode:v": "passthrough", "enc_time_base:v": "demux",
        "c:a": "aac", "b:a": "128k", "ac": 2,
        "output_ts_offset": f"{-float(shift):.6f}", "max_error_rate": 1,
        "map_metadata": -1, "map_chapters": -1, "movflags": "+faststart", "fflags": "+bitexact", "f": "mp4",
    }  # fmt: skip
    told = ffmpeg.output(*streams, containers.url(out), **options).overwrite_output()
    told = told.global_args("-nostdin", "-hide_banner", "-loglevel", "error", "-progress", "pipe:1", "-stats_period", "0.5")
    argv: list[str] = told.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())
    return argv


def make_poster(path: Path, stream_index: int, out: Path, max_pixels: int = containers.MAX_PIXELS) -> None:
    """A JPEG of a moment a tenth into the video, upright. Raises: CorruptMedia when not one frame decodes."""
    frame = _early(path, stream_index, max_pixels) or first_frame(path, stream_index, max_pixels)
    save_jpeg(frame.small_rgb(fitted(frame.upright_size_wh, (1280, 720))), out)


def _early(path: Path, stream_index: int, max_pixels: int) -> Frame | None:
    with read_frames(path, stream_index, max_pixels=max_pixels) as reader:
        start, length = reader.stream.start_time, reader.stream.duration
    if start is None or not length:
        return None
    with read_frames(path, stream_index, start + length // 10, max_pixels=max_pixels) as reader:
        return next(iter(reader), None)


def _look(path: Path, max_pixels: int) -> tuple[int | None, str]:
    """The first sound track that can be decoded, and the name of the demuxer where the file is a still."""
    with containers.open_media(path, max_pixels) as container:
        name = container.format.name
        for stream in container.streams:
            context: CodecContext | None = stream.codec_context
            if isinstance(stream, av.audio.AudioStream) and context is not None and stream.codec_context.sample_rate:
                return stream.index, ""
    return None, name if name in containers.STILL_FORMATS else ""


def _run(argv: list[str], progress: Callable[[int], None] | None) -> int:
    """Frames written, as FFmpeg counts them."""
    frames = 0
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                name, _, value = line.partition("=")
                if name == "frame":
                    with suppress(ValueError):
                        frames = int(value)
                    if progress is not None:
                        progress(frames)
            if process.wait() < 0:
                raise StepFailed(f"FFmpeg was ended by the system ({signal.strsignal(-process.returncode)})", killed=True)
            if process.returncode != 0:
                raise CorruptMedia(f"no copy for the browser could be made: {_last_words(log)}")
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    return frames


def _last_words(log: IO[bytes]) -> str:
    size = log.seek(0, 2)
    log.seek(max(0, size - _LOG_TAIL))
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "FFmpeg said nothing"

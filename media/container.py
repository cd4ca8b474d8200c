"""Opening a file that nobody vouches for: which formats, how large, and what to say when it can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.stream
import av.video
from av.codec.context import CodecContext

from evidence.errors import CorruptMedia, NotFound, TooLarge, UnsupportedMedia
from media.missing import missing_part

FORMATS = (
    "mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "flv", "asf", "mxf", "ogg", "gxf", "dv", "ivf",
    "h264", "hevc", "h261", "h263", "m4v", "mpegvideo", "av1", "obu",
    "wav", "w64", "aiff", "mp3", "aac", "flac", "ac3", "eac3", "amr", "caf",
    "jpeg_pipe", "png_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe",
)  # fmt: skip
"""Demuxers that read one file and nothing else. Not here, on purpose: hls, concat, dash, image2, sdp, rtsp and
everything else that opens what its text names."""

STILL_FORMATS = frozenset({"jpeg_pipe", "png_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe"})
_STILLS = (
    ("jpeg_pipe", 0, b"\xff\xd8\xff"),
    ("png_pipe", 0, b"\x89PNG\r\n\x1a\n"),
    ("webp_pipe", 8, b"WEBPVP8"),
    ("bmp_pipe", 0, b"BM"),
    ("tiff_pipe", 0, b"II*\0"),
    ("tiff_pipe", 0, b"MM\0*"),
)
"""Stills are named by their first bytes: FFmpeg would take them, by file name, for a sequence of numbered files."""

PROTOCOLS = "file,pipe"
MAX_PIXELS = 8192 * 4320
MAX_DURATION_S = 24 * 3600
MAX_STREAMS = 64

_TEXT = bytes({7, 8, 9, 10, 12, 13, 27} | set(range(0x20, 0x100)) - {0x7F})


def url(path: Path) -> str:
    """The name FFmpeg gets: never one that it could read as another protocol or as a pattern."""
    return f"file:{path.absolute()}"


def open_media(path: Path, max_pixels: int = MAX_PIXELS) -> av.container.InputContainer:
    """Open a media file, and only that file.

    Raises: NotFound; UnsupportedMedia for text, a playlist or a format that is not on the list; CorruptMedia, saying
        what is missing, when its own format can't make sense of it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as exc:
        raise NotFound(f"{path.name} can't be read: {exc.strerror}") from exc
    if not head:
        raise UnsupportedMedia(f"{path.name} is empty")
    if not head.translate(None, _TEXT):
        raise UnsupportedMedia(f"{path.name} is a text file, not a recording")
    options = {
        "protocol_whitelist": PROTOCOLS,
        "format_whitelist": ",".join(FORMATS),
        "max_streams": str(MAX_STREAMS),
        "max_pixels": str(max_pixels),
    }
    try:
        still = next((name for name, at, magic in _STILLS if head.startswith(magic, at)), None)
        return av.open(url(path), mode="r", format=still, options=options, metadata_errors="replace")
    except av.error.ArgumentError as exc:
        raise UnsupportedMedia(f"{path.name} is in a format that is not accepted here") from exc
    except (av.error.PermissionError, av.error.DemuxerNotFoundError, av.error.ProtocolNotFoundError) as exc:
        raise UnsupportedMedia(f"{path.name} is in a format that is not accepted here") from exc
    except av.error.FFmpegError as exc:
        raise CorruptMedia(missing_part(path) or f"{path.name} can't be read: its structure is damaged") from exc


def packets(container: av.container.InputContainer, *streams: av.stream.Stream) -> Iterator[Any]:
    """The packets of these streams, or of all, each stream's empty one last.

    One damaged byte in a transport stream can announce a stream that wasn't there when the file was opened. PyAV passes
    over its packets, but at the end, when it empties every stream, it stumbles on one that it doesn't know.
    """
    try:
        yield from container.demux(*streams)
    except IndexError:
        # Those that it knows come first, and have been given.
        return


def video_streams(container: av.container.InputContainer) -> list[av.video.VideoStream]:
    """Those whose coding FFmpeg knows; PyAV gives the others no codec context."""
    return [s for s in container.streams if isinstance(s, av.video.VideoStream) and _has_codec(s)]


def _has_codec(stream: av.stream.Stream) -> bool:
    context: CodecContext | None = stream.codec_context
    return context is not None


def video_stream(container: av.container.InputContainer, index: int) -> av.video.VideoStream:
    """Raises: UnsupportedMedia when stream `index` is no video that can be decoded."""
    for stream in video_streams(container):
        if stream.index == index:
            return stream
    raise UnsupportedMedia(f"stream {index} is no video that can be decoded here")


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raises: TooLarge."""
    if width * height > max_pixels:
        raise TooLarge(
            f"the picture is {width} × {height}, larger than the {max_pixels:,} pixels allowed here",
            hint="Raise max_pixels in the settings if this machine has the memory for it.",
        )

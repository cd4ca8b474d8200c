"""What else lies in a container beside the stream that is worked on."""

from __future__ import annotations

from pathlib import Path

import av.audio
import av.stream
from av.codec.context import CodecContext

from media import container as containers


def left_out(path: Path, stream_index: int) -> list[str]:
    """In plain words, the streams that a rendering of `stream_index` and the sound does not carry."""
    with containers.open_media(path) as container:
        return [
            _in_words(stream)
            for stream in container.streams
            if stream.index != stream_index and not isinstance(stream, av.audio.AudioStream)
        ]


def _in_words(stream: av.stream.Stream) -> str:
    context: CodecContext | None = stream.codec_context
    name = context.codec.canonical_name if context is not None else ""
    kind: str = "another video" if stream.type == "video" else stream.type
    if stream.disposition & av.stream.Disposition.attached_pic:
        kind = "an attached picture"
    return f"stream {stream.index} ({kind}{': ' + name if name else ''}) was left out"

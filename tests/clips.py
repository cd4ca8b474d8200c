"""Clips made in code. Every frame carries its number in its picture, so that a test can say which frame it sees.

The number stands in the top rows of the stored picture, as eight square blocks, dark or light.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.audio.frame
import av.video.frame
import numpy as np
import numpy.typing as npt

from media.frames import FrameReader
from media.planes import arrays

NTSC = Fraction(30000, 1001)
BLOCK = 16
"""Side of a block of the number, in pixels; a clip must be at least 8 blocks wide."""


@dataclass(frozen=True)
class Clip:
    """What to make. `pts` in ticks of `time_base`; by default one frame after another at `rate`."""

    frames: int = 40
    size_wh: tuple[int, int] = (192, 128)
    rate: Fraction = NTSC
    time_base: Fraction | None = None
    pts: Sequence[int] | None = None
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"g": "10", "bf": "2", "preset": "ultrafast", "crf": "12"})
    matrix: tuple[int, ...] | None = None
    audio: tuple[str, ...] = ()
    format: str | None = None
    sample_aspect_ratio: Fraction | None = None
    full_range: bool = False
    colour: tuple[int, int, int] | None = None
    """AVCOL numbers: space, primaries, transfer."""
    metadata: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    closed_at: Sequence[int] = ()
    """Frames that are key frames whatever the options say; with the option forced-idr=1 nothing refers across them."""


def write(path: Path, clip: Clip = Clip()) -> Path:
    """Make the clip under `path` and give the path back."""
    time_base = clip.time_base or 1 / clip.rate
    pts = list(clip.pts) if clip.pts is not None else [round(n / clip.rate / time_base) for n in range(clip.frames)]
    with av.open(str(path), "w", format=clip.format, container_options=clip.container_options) as out:
        out.metadata.update(clip.metadata)
        video = out.add_stream(clip.codec, rate=clip.rate, options=dict(clip.options))
        video.width, video.height = clip.size_wh
        video.pix_fmt = clip.pixel_format
        video.codec_context.time_base = time_base
        if clip.full_range:
            video.codec_context.color_range = 2
        if clip.colour:
            space, primaries, transfer = clip.colour
            video.codec_context.colorspace, video.codec_context.color_primaries = space, primaries
            video.codec_context.color_trc = transfer
        if clip.sample_aspect_ratio:
            video.codec_context.sample_aspect_ratio = clip.sample_aspect_ratio
        if clip.matrix:
            video.set_display_matrix(clip.matrix)
        tones = [_Tone(out, name, number) for number, name in enumerate(clip.audio)]
        for number, at in enumerate(pts):
            frame = picture(number, clip.size_wh, clip.pixel_format)
            frame.pts, frame.time_base = at, time_base
            if number in clip.closed_at:
                frame.pict_type = av.video.frame.PictureType.I
            out.mux(video.encode(frame))
            for tone in tones:
                tone.until((at - pts[0]) * time_base)
        out.mux(video.encode(None))
        for tone in tones:
            tone.end()
    return path


def picture(number: int, size_wh: tuple[int, int], pixel_format: str = "yuv420p") -> av.video.frame.VideoFrame:
    """Frame `number`: its code on top, below a texture with a bright square that moves to the right."""
    w, h = size_wh
    y, x = np.mgrid[0:h, 0:w]
    luma = (110 + 40 * np.sin(x / 5) * np.cos(y / 7)).astype(np.uint8)
    left = (number * 3) % max(1, w - 32)
    luma[h // 2 : h // 2 + 32, left : left + 32] = np.where((x[:32, :32] // 4 + y[:32, :32] // 4) % 2, 235, 16)
    for bit in range(8):
        luma[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 220 if number >> bit & 1 else 40
    frame = av.video.frame.VideoFrame(w, h, "yuv444p")
    planes = (luma, np.full((h, w), 150, np.uint8), np.where(x > w // 2, 90, 170).astype(np.uint8))
    for plane, values in zip(frame.planes, planes, strict=True):
        view = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        view[:h, :w] = values
    return frame.reformat(format=pixel_format)


def number_in(luma: npt.NDArray[Any]) -> int:
    """The number of a frame, read from its stored luma (8-bit, or grey)."""
    blocks = [luma[4 : BLOCK - 4, bit * BLOCK + 4 : (bit + 1) * BLOCK - 4].mean() > 128 for bit in range(8)]
    return sum(1 << bit for bit, light in enumerate(blocks) if light)


class _Tone:
    """A tone in one sound track; each track has its own pitch."""

    def __init__(self, out: av.container.OutputContainer, codec: str, number: int) -> None:
        self._rate = 48000
        self._out = out
        self._stream = out.add_stream(codec, rate=self._rate)
        self._stream.codec_context.layout = "mono"
        self._format = self._stream.codec_context.format.name
        self._pitch = 300 * (number + 1)
        self._at = 0

    def until(self, seconds: Fraction) -> None:
        while self._at <= seconds * self._rate:
            at = np.arange(self._at, self._at + 1024)
            wave = 0.2 * np.sin(2 * np.pi * self._pitch * at / self._rate)
            samples = wave.astype(np.float32) if self._format.startswith("flt") else (wave * 32767).astype(np.int16)
            frame = av.audio.frame.AudioFrame.from_ndarray(samples[None], self._format, "mono")
            frame.sample_rate, frame.pts, frame.time_base = self._rate, self._at, Fraction(1, self._rate)
            self._out.mux(self._stream.encode(frame))
            self._at += 1024

    def end(self) -> None:
        self._out.mux(self._stream.encode(None))


QUARTER_TURN = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
"""Stored pictures that must be turned 90° clockwise to stand upright."""
MIRRORED_TURN = (0, 65536, 0, 65536, 0, 0, 0, 0, 1 << 30)


def ntsc(folder: Path) -> Path:
    return write(folder / "ntsc.mp4", Clip(audio=("aac",)))


def variable_rate(folder: Path) -> Path:
    """Gaps of 33 and 100 ms, as phones record in the dark."""
    pts = np.cumsum([0, *([33, 33, 100, 67] * 9)]).tolist()
    return write(folder / "vfr.mp4", Clip(rate=Fraction(30), time_base=Fraction(1, 1000), pts=pts, audio=("aac",)))


def open_gop(folder: Path, name: str = "open-gop.mkv") -> Path:
    options = {"g": "12", "preset": "medium", "crf": "12", "x264-params": "open-gop=1:bframes=3:b-adapt=0:scenecut=0"}
    return write(folder / name, Clip(frames=90, options=options))


def rotated(folder: Path) -> Path:
    return write(folder / "rotated.mp4", Clip(matrix=QUARTER_TURN, audio=("aac",)))


def mirrored(folder: Path) -> Path:
    return write(folder / "mirrored.mp4", Clip(matrix=MIRRORED_TURN))


def ten_bit(folder: Path) -> Path:
    options = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=10:crf=12"}
    return write(folder / "ten-bit.mp4", Clip(codec="libx265", pixel_format="yuv420p10le", options=options))


def odd_size(folder: Path) -> Path:
    options = {"crf": "12", "b": "2M", "deadline": "realtime", "cpu-used": "8", "g": "10"}
    return write(folder / "odd.webm", Clip(frames=20, size_wh=(161, 121), codec="libvpx-vp9", options=options))


def silent(folder: Path) -> Path:
    return write(folder / "silent.mp4", Clip())


def two_tracks(folder: Path) -> Path:
    return write(folder / "two-tracks.mkv", Clip(audio=("aac", "pcm_s16le")))


def motion_jpeg(folder: Path) -> Path:
    clip = Clip(
        frames=20, rate=Fraction(15), codec="mjpeg", pixel_format="yuvj422p", options={"q": "2"}, audio=("pcm_s16le",)
    )
    return write(folder / "mjpeg.avi", clip)


def transport_stream(folder: Path) -> Path:
    """Starts at 1.4 s, as FFmpeg's muxer does; sound is ADTS AAC."""
    return write(folder / "stream.ts", Clip(frames=60, audio=("aac",), time_base=Fraction(1, 90000)))


def late_start(folder: Path) -> Path:
    """Picture starts ten seconds after zero, by an edit list."""
    time_base = Fraction(1, 15360)
    pts = [153600 + n * 512 for n in range(40)]
    return write(folder / "late.mp4", Clip(rate=Fraction(30), time_base=time_base, pts=pts))


def truncated(folder: Path, share: float = 0.6, fast_start: bool = True) -> Path:
    """The beginning of a file: with `fast_start` its index is there and pictures are missing, else the index is."""
    options = {"movflags": "+faststart"} if fast_start else {}
    whole = write(folder / "whole.mp4", Clip(frames=60, container_options=options)).read_bytes()
    path = folder / f"truncated-{'front' if fast_start else 'end'}.mp4"
    path.write_bytes(whole[: round(len(whole) * share)])
    return path


def damaged(folder: Path) -> Path:
    """A stretch in the middle overwritten with nonsense."""
    path = write(folder / "damaged.mp4", Clip(frames=60, container_options={"movflags": "+faststart"}))
    data = bytearray(path.read_bytes())
    at = len(data) // 2
    data[at : at + len(data) // 20] = bytes((i * 37 + 11) % 256 for i in range(len(data) // 20))
    path.write_bytes(data)
    return path


def wrong_extension(folder: Path) -> Path:
    """An MP4 that is called .avi."""
    return write(folder / "wrong.avi", Clip(format="mp4"))


def still(folder: Path) -> Path:
    """A JPEG, called as a sequence of pictures would be."""
    path = folder / "still%03d.jpg"
    picture(5, (192, 128), "yuvj420p").save(str(path).replace("%03d", ""))
    (folder / "still.jpg").rename(path)
    return path


def sound_only(folder: Path) -> Path:
    path = folder / "sound.wav"
    with av.open(str(path), "w") as out:
        tone = _Tone(out, "pcm_s16le", 0)
        tone.until(Fraction(1))
        tone.end()
    return path


KINDS = {
    "29.97": ntsc,
    "variable rate": variable_rate,
    "open groups": open_gop,
    "rotated": rotated,
    "mirrored": mirrored,
    "10-bit": ten_bit,
    "odd size": odd_size,
    "no sound": silent,
    "two sound tracks": two_tracks,
    "motion JPEG": motion_jpeg,
    "transport stream": transport_stream,
    "late start": late_start,
    "wrong extension": wrong_extension,
}
"""Whole clips, by what is odd about them."""


Made = Callable[[str], Path]
"""Gives the clip of a kind of `KINDS`, made once (the fixture `made`)."""


def numbered(reader: FrameReader) -> list[tuple[int, int, int]]:
    """Index, time and the number in the picture of every frame."""
    with reader:
        return [(f.index, f.pts, number_in(arrays(f.picture)[0] >> shift(f.picture.format.name))) for f in reader]


def shift(pixel_format: str) -> int:
    """By how many bits a sample of 10 bits is more than one of 8."""
    return 2 if "10" in pixel_format else 0

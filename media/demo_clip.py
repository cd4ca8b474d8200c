"""A short clip made on the spot, for a first look: the camera moves over two photographs, with a tone for sound."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.audio.frame
import cv2
import numpy as np

from evidence.errors import NotFound
from media.frames import Picture
from media.stills import RGB

SIZE_WH = (1280, 720)
RATE = Fraction(30000, 1001)
FRAMES = 360
_TONE_HZ = (440, 660)
_SOUND_HZ = 48_000

_X264 = {"crf": "20", "preset": "superfast", "threads": "4"}
"""A fixed number of threads: the bytes must not depend on the machine's processors."""

_View = tuple[float, float, float]
"""Centre x, centre y and width of what the camera sees, as shares of the photograph's width and height."""

_STREET: tuple[_View, ...] = ((0.50, 0.36, 1.00), (0.40, 0.48, 0.84), (0.42, 0.50, 0.70), (0.50, 0.56, 1.00))
_TOUCHLINE: tuple[_View, ...] = ((0.50, 0.50, 1.00), (0.42, 0.46, 0.80), (0.58, 0.42, 0.62), (0.50, 0.50, 0.95))


def photographs() -> tuple[Path, Path]:
    """The two pictures that ultralytics ships, a street with a bus and a touchline; found without importing it.

    Raises: NotFound.
    """
    found = importlib.util.find_spec("ultralytics")
    for folder in (found.submodule_search_locations or []) if found else []:
        assets = Path(folder) / "assets"
        return assets / "bus.jpg", assets / "zidane.jpg"
    raise NotFound("the photographs of the demonstration clip are not there: they come with ultralytics", hint="make setup")


def make_demo_clip(out: Path, pictures: tuple[Path, Path] | None = None) -> None:
    """Twelve seconds of 1280 × 720 at 29.97 frames a second, the same every time from the same photographs.

    Raises: NotFound when a photograph can't be read.
    """
    street, touchline = pictures or photographs()
    scenes = [(_photograph(street), _STREET), (_photograph(touchline), _TOUCHLINE)]
    part = out.with_name(out.name + ".part")
    try:
        with av.open(str(part), "w", format="mp4", container_options={"movflags": "+faststart"}) as container:
            video = container.add_stream("libx264", rate=RATE, options=_X264)
            video.width, video.height = SIZE_WH
            video.pix_fmt = "yuv420p"
            sound = container.add_stream("aac", rate=_SOUND_HZ)
            sound.codec_context.layout = "mono"
            tones = _tone()
            for number, rgb in enumerate(_shots(scenes)):
                picture = Picture.from_ndarray(rgb, "rgb24").reformat(
                    format="yuv420p", dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG"
                )
                picture.pts, picture.time_base = number, 1 / RATE
                container.mux(video.encode(picture))
                while (piece := next(tones, None)) is not None:
                    container.mux(sound.encode(piece))
                    if (piece.pts or 0) * RATE > number * _SOUND_HZ:
                        break
            container.mux(video.encode(None))
            container.mux(sound.encode(None))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _photograph(path: Path) -> RGB:
    stored = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if stored is None:
        raise NotFound(f"the photograph {path.name} can't be read", hint="Run make setup again: it comes with ultralytics.")
    return np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _shots(scenes: list[tuple[RGB, tuple[_View, ...]]]) -> Iterator[RGB]:
    each = FRAMES // len(scenes)
    for photograph, views in scenes:
        for number in range(each):
            yield _seen(photograph, _between(views, number / (each - 1)))


def _between(views: tuple[_View, ...], share: float) -> _View:
    """Eased from view to view, so that the camera starts and stops gently."""
    place = share * (len(views) - 1)
    at = min(int(place), len(views) - 2)
    t = place - at
    t = t * t * (3 - 2 * t)
    x, y, width = (a + (b - a) * t for a, b in zip(views[at], views[at + 1], strict=True))
    return (x, y, width)


def _seen(photograph: RGB, view: _View) -> RGB:
    h, w = photograph.shape[:2]
    width = view[2] * w
    height = width * SIZE_WH[1] / SIZE_WH[0]
    if height > h:
        width, height = width * h / height, float(h)
    left = min(max(view[0] * w - width / 2, 0), w - width)
    top = min(max(view[1] * h - height / 2, 0), h - height)
    scale = SIZE_WH[0] / width
    move = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    seen = cv2.warpAffine(photograph, move, SIZE_WH, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, dtype=np.uint8)


def _tone() -> Iterator[av.audio.frame.AudioFrame]:
    """A quiet tone that changes its pitch every second, so that a cut in the sound can be heard."""
    total = round(FRAMES / RATE * _SOUND_HZ)
    for start in range(0, total, 1024):
        at = np.arange(start, min(start + 1024, total))
        pitch = np.where(at // _SOUND_HZ % 2, _TONE_HZ[1], _TONE_HZ[0])
        wave = (0.1 * np.sin(2 * np.pi * pitch * at / _SOUND_HZ)).astype(np.float32)
        frame = av.audio.frame.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = _SOUND_HZ, start, Fraction(1, _SOUND_HZ)
        yield frame

"""Example pictures for a measurement, from a folder of stills and videos, or from photographs that are on every machine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evidence.errors import CorruptMedia, UnsupportedMedia
from media import container as containers
from media.demo_clip import photographs
from media.frames import Frame, read_frames
from media.probe import main_stream
from media.spots import spots
from media.stills import RGB

_STILLS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_MOST_FILES = 300
_FRAMES = 90
"""Of all videos together; each gives at least `_FEWEST`, at most `_MOST`."""
_FEWEST, _MOST = 6, 30
_CROPS = 48
_WIDE = 16 / 9


@dataclass(frozen=True, slots=True)
class Example:
    """One picture, upright. `scale`: its pixels for one of the file's; `number`: its frame, where that was asked for."""

    file: str
    picture: RGB
    scale: float
    number: int = 0


def from_folder(
    folder: Path, longest: int, apart: Collection[str] = (), max_pixels: int = containers.MAX_PIXELS
) -> tuple[list[Example], list[str]]:
    """Every still, and a few frames from all over every video, less the files named in `apart`; and the names of files
    that can't be read as either. Of very many files some hundreds, spread evenly by name.

    Units: `longest`: pixels of a picture's longer side; smaller ones keep their size.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in apart)
    files = [files[i] for i in np.linspace(0, len(files) - 1, min(len(files), _MOST_FILES)).astype(int)]
    videos = sum(path.suffix.lower() not in _STILLS for path in files)
    many = min(_MOST, max(_FEWEST, _FRAMES // max(1, videos)))
    found: list[Example] = []
    unread: list[str] = []
    for path in files:
        some = list(_still(path, longest) if path.suffix.lower() in _STILLS else _video(path, longest, many, max_pixels))
        found += some
        unread += [] if some else [path.name]
    return found, unread


def numbered(path: Path, numbers: Sequence[int], longest: int, max_pixels: int = containers.MAX_PIXELS) -> Iterator[Example]:
    """The frames of these numbers (decoded frames from 0, in order), as far as the video has them."""
    wanted = set(numbers)
    with read_frames(path, main_stream(path, max_pixels), max_pixels=max_pixels) as reader:
        for number, frame in enumerate(reader):
            if number in wanted:
                yield _of_frame(path.name, frame, longest, number)
            if number >= max(wanted, default=0):
                return


def crops(longest: int) -> list[Example]:
    """Wide crops of the two photographs that ultralytics brings: parts of all sizes, some mirrored, some dark. The same
    every time.

    Raises: NotFound.
    """
    random = np.random.default_rng(5)
    found = []
    for path in photographs():
        (whole,) = _still(path, 1 << 16)
        h, w = whole.picture.shape[:2]
        for _ in range(_CROPS):
            width = w * random.uniform(0.4, 1)
            height = min(h, width / _WIDE)
            width = height * _WIDE
            x, y = random.uniform(0, w - width), random.uniform(0, h - height)
            part = whole.picture[int(y) : int(y + height), int(x) : int(x + width)]
            part = part[:, :: -1 if random.random() < 0.5 else 1]
            light = random.uniform(0.35, 1.1)
            seen = cv2.convertScaleAbs(
                cv2.resize(np.ascontiguousarray(part), (longest, round(longest / _WIDE)), interpolation=cv2.INTER_AREA),
                alpha=light,
            )
            found.append(Example(path.name, np.asarray(seen, np.uint8), longest / width))
    return found


def _still(path: Path, longest: int) -> Iterator[Example]:
    stored = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if stored is None:
        return
    h, w = stored.shape[:2]
    scale = min(1.0, longest / max(h, w))
    if scale < 1:
        stored = cv2.resize(stored, (max(1, round(w * scale)), max(1, round(h * scale))), interpolation=cv2.INTER_AREA)
    yield Example(path.name, np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB), np.uint8), scale)


def _video(path: Path, longest: int, many: int, max_pixels: int) -> Iterator[Example]:
    try:
        stream = main_stream(path, max_pixels)
        for frame in spots(path, stream, max_pixels, many):
            yield _of_frame(path.name, frame, longest, frame.index)
    except (CorruptMedia, UnsupportedMedia):
        return


def _of_frame(file: str, frame: Frame, longest: int, number: int) -> Example:
    w, h = frame.upright_size_wh
    scale = min(1.0, longest / max(w, h))
    return Example(file, frame.small_rgb((max(1, round(w * scale)), max(1, round(h * scale)))), scale, number)

"""The planes of a decoded picture as arrays, and the form that pictures are written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import av.video.frame
import av.video.reformatter
import numpy as np
import numpy.typing as npt

from evidence.errors import UnsupportedMedia

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_PLANAR = re.compile(r"yuvj?(420|422|444|440)p(9|10|12|14|16)?(?:le)?")
_STEPS = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "440": (1, 2)}
LIMITED, FULL = 1, 2
"""Values of AVCOL_RANGE_MPEG and AVCOL_RANGE_JPEG."""
_BT709, _BT601 = 1, 6
"""Values of AVCOL_SPC_BT709 and AVCOL_SPC_SMPTE170M."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the planes of a pixel format lie. `step_xy`: luma pixels per chroma sample."""

    step_xy: tuple[int, int]
    bits: int

    @property
    def sample(self) -> type[np.uint8] | type[np.uint16]:
        return np.uint8 if self.bits == 8 else np.uint16


def layout(format_name: str) -> Layout | None:
    """None for formats that are not planar Y, U, V."""
    if format_name == "gray":
        return Layout((1, 1), 8)
    match = _PLANAR.fullmatch(format_name)
    if match is None or format_name.endswith("be"):
        return None
    return Layout(_STEPS[match[1]], int(match[2] or 8))


def arrays(picture: av.video.frame.VideoFrame) -> list[Samples]:
    """Views of the picture's own planes, cut to their width; gone when the picture is made `writable`.

    Shape: (height, width) each, Y, U, V.
    Raises: UnsupportedMedia for a format that is not planar Y, U, V.
    """
    form = layout(picture.format.name)
    if form is None:
        raise UnsupportedMedia(f"pictures in the form {picture.format.name} can't be worked on in place")
    return [_view(plane, form) for plane in picture.planes]


def writable(picture: av.video.frame.VideoFrame) -> list[Samples]:
    """As `arrays`, of planes that nobody else refers to: the decoder may still need what it gave out."""
    picture.make_writable()
    return arrays(picture)


def _view(plane: Any, form: Layout) -> Samples:
    samples: Any = np.frombuffer(plane, dtype=form.sample)
    pitch = plane.line_size // samples.itemsize
    view: Samples = samples[: pitch * plane.height].reshape(plane.height, pitch)[:, : plane.width]
    return view


def is_full_range(picture: av.video.frame.VideoFrame) -> bool:
    return picture.color_range == FULL or picture.format.name.startswith("yuvj")


@dataclass(frozen=True, slots=True)
class OutputForm:
    """The form that every picture of an output has: 8-bit 4:2:0, which all browsers play, at an even size."""

    pixel_format: str
    size_wh: tuple[int, int]
    """Even; one column or row more than the source where that is odd."""
    content_wh: tuple[int, int]
    full_range: bool
    colour_space: int
    """AVCOL_SPC value; the source's own, or BT.709/BT.601 where the source was not Y, U, V."""
    changes: tuple[str, ...]
    """In plain words, what differs from the source."""


def output_form(picture: av.video.frame.VideoFrame) -> OutputForm:
    """How pictures like this one are written."""
    w, h = picture.width, picture.height
    name, size = picture.format.name, (w + w % 2, h + h % 2)
    changes = []
    if name not in {"yuv420p", "yuvj420p"}:
        changes.append(f"picture converted from {name} to 8-bit 4:2:0")
    if size != (w, h):
        changes.append(f"picture enlarged from {w} × {h} to {size[0]} × {size[1]} by repeating its edge")
    yuv = layout(name) is not None and name != "gray"
    full = is_full_range(picture) and yuv
    space = picture_space(picture) if yuv else _BT709 if h >= 720 else _BT601
    return OutputForm("yuvj420p" if full else "yuv420p", size, (w, h), full, space, tuple(changes))


def picture_space(picture: av.video.frame.VideoFrame) -> int:
    return int(picture.colorspace)


class Converter:
    """Brings pictures into an OutputForm; hands the same object back where nothing is to do."""

    def __init__(self, form: OutputForm) -> None:
        self.form = form
        self._scaler = av.video.reformatter.VideoReformatter()

    def convert(self, picture: av.video.frame.VideoFrame) -> av.video.frame.VideoFrame:
        """A picture of the content's size; its planes may still be the decoder's (`writable`)."""
        form = self.form
        if picture.format.name != form.pixel_format or (picture.width, picture.height) != form.content_wh:
            yuv = layout(picture.format.name) is not None and picture.format.name != "gray"
            range_in = FULL if is_full_range(picture) or not yuv else LIMITED
            picture = self._scaler.reformat(
                picture,
                *form.content_wh,
                form.pixel_format,
                dst_colorspace=None if yuv else _SWS_SPACE[form.colour_space],
                src_color_range=range_in,
                dst_color_range=FULL if form.full_range else LIMITED,
            )
        return picture

    def finish(self, picture: av.video.frame.VideoFrame) -> av.video.frame.VideoFrame:
        """The picture at its even size; after painting, so that a repeated edge repeats the paint."""
        return picture if self.form.size_wh == self.form.content_wh else _padded(picture, self.form)


_SWS_SPACE = {_BT709: 1, _BT601: 5}
"""swscale's own numbers (SWS_CS_ITU709, SWS_CS_ITU601)."""


def _padded(picture: av.video.frame.VideoFrame, form: OutputForm) -> av.video.frame.VideoFrame:
    """The picture with its last column and row repeated up to the even size."""
    large = av.video.frame.VideoFrame(*form.size_wh, form.pixel_format)
    for source, target in zip(arrays(picture), arrays(large), strict=True):
        h, w = source.shape
        target[:h, :w] = source
        target[:h, w:] = source[:, -1:]
        target[h:] = target[h - 1]
    large.pts, large.time_base, large.color_range = picture.pts, picture.time_base, picture.color_range
    return large

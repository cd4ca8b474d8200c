"""Covering: every sample that shares a pixel with a mask is covered, on every plane, in every form and turn."""

from __future__ import annotations

import av.video.frame
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.errors import UnsupportedMedia
from evidence.redaction import Style
from media.orientation import UPRIGHT, Box, Orientation
from media.paint import cover, outward
from media.planes import arrays, layout
from tests.unit.test_media_orientation import orientations

FORMATS = [
    *("gray", "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv440p", "yuvj440p", "yuv444p", "yuvj444p"),
    *("yuv420p10le", "yuv422p10le", "yuv440p10le", "yuv444p10le", "yuv420p12le", "yuv422p12le", "yuv444p12le"),
]
edges = st.floats(-20, 90, allow_nan=False)


def noise(pixel_format: str, size_wh: tuple[int, int], full_range: bool) -> av.video.frame.VideoFrame:
    """Random samples of which none has the value of paint."""
    picture = av.video.frame.VideoFrame(*size_wh, pixel_format)
    picture.color_range = 2 if full_range else 1
    form = layout(pixel_format)
    assert form is not None
    generator = np.random.default_rng(7)
    for plane in arrays(picture):
        plane[:] = generator.integers(140 << (form.bits - 8), 250 << (form.bits - 8), plane.shape)
    return picture


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x0, x1 = sorted((draw(edges), draw(edges)))
    y0, y1 = sorted((draw(edges), draw(edges)))
    return (x0, y0, x1, y1)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.booleans(),
    st.integers(2, 67),
    st.integers(2, 67),
    orientations,
    st.lists(boxes(), max_size=3),
)
def test_every_sample_under_a_mask_is_painted(
    pixel_format: str, full_range: bool, w: int, h: int, orientation: Orientation, masks: list[Box]
) -> None:
    picture = noise(pixel_format, (w, h), full_range)
    before = [plane.copy() for plane in arrays(picture)]
    cover(picture, masks, orientation)
    form = layout(pixel_format)
    assert form is not None
    full = full_range or "j" in pixel_format
    paint = [0 if full else 16 << (form.bits - 8), 1 << (form.bits - 1), 1 << (form.bits - 1)]

    named = orientation.to_stored(_touched(masks, orientation.upright_wh((w, h)), 0))
    near = orientation.to_stored(_touched(masks, orientation.upright_wh((w, h)), 2))
    for number, (was, plane) in enumerate(zip(before, arrays(picture), strict=True)):
        sx, sy = form.step_xy if number else (1, 1)
        assert (plane[_samples(named, sx, sy, plane.shape)] == paint[number]).all()
        far = ~_samples(near, sx, sy, plane.shape)
        assert (plane[far] == was[far]).all()


def _touched(masks: list[Box], size_wh: tuple[int, int], around: int) -> np.ndarray:
    """Pixels of the upright picture that share any area with a mask, and those `around` pixels further."""
    w, h = size_wh
    found = np.zeros((h, w), np.uint8)
    for x0, y0, x1, y1 in masks:
        if around == 0 and (x1 <= x0 or y1 <= y0):
            continue
        left, top = max(0, int(np.floor(x0)) - around), max(0, int(np.floor(y0)) - around)
        found[top : max(0, int(np.ceil(y1)) + around), left : max(0, int(np.ceil(x1)) + around)] = 1
    return found


def _samples(pixels: np.ndarray, sx: int, sy: int, shape: tuple[int, ...]) -> np.ndarray:
    """Which samples of a plane share a pixel with those that are marked."""
    h, w = shape
    padded = np.zeros((h * sy, w * sx), bool)
    padded[: pixels.shape[0], : pixels.shape[1]] = pixels
    marked: np.ndarray = padded.reshape(h, sy, w, sx).any(axis=(1, 3))
    return marked


@pytest.mark.parametrize("style", [Style.PIXELATE, Style.BLUR])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "yuv444p"])
def test_coarse_styles_keep_a_handful_of_values_and_take_nothing_from_outside(style: Style, pixel_format: str) -> None:
    first, second = noise(pixel_format, (64, 48), False), noise(pixel_format, (64, 48), False)
    for plane in arrays(second):
        outside = np.ones(plane.shape, bool)
        step = 64 // plane.shape[1]
        outside[8 // step : 40 // step, 16 // step : 56 // step] = False
        plane[outside] = 99
    for picture in (first, second):
        assert cover(picture, [(16, 8, 56, 40)], UPRIGHT, style) == 1
    for one, other in zip(arrays(first), arrays(second), strict=True):
        step = 64 // one.shape[1]
        inside = (slice(8 // step, 40 // step), slice(16 // step, 56 // step))
        assert (one[inside] == other[inside]).all(), "what lies outside the mask shows in it"
        if style is Style.PIXELATE:
            assert len(np.unique(one[inside])) <= 36
        assert one[inside].std() < noise_of(one.dtype.itemsize) / 2


def noise_of(bytes_each: int) -> float:
    """The spread of `noise`, whose samples are evenly spread over 110 steps of 8 bits."""
    return 110 / np.sqrt(12) * (1 if bytes_each == 1 else 4)


def test_a_mask_that_is_none_is_an_error() -> None:
    picture = noise("yuv420p", (32, 32), False)
    for box in [(0, 0, float("nan"), 4), (0, 0, float("inf"), 4), (5, 0, 4, 4)]:
        with pytest.raises(ValueError, match="not a box"):
            cover(picture, [box], UPRIGHT)


def test_a_form_that_is_not_known_is_an_error() -> None:
    with pytest.raises(UnsupportedMedia):
        cover(av.video.frame.VideoFrame(32, 32, "rgb24"), [(0, 0, 4, 4)], UPRIGHT)


def test_a_mask_outside_the_picture_is_let_pass_and_not_counted() -> None:
    assert cover(noise("yuv420p", (32, 32), False), [(40, 40, 50, 50), (-9, -9, -1, -1)], UPRIGHT) == 0
    assert outward((31, 31, 40, 40), UPRIGHT, (32, 32)) == (30, 30, 32, 32)
    assert outward((3.2, 4.9, 4.5, 6.5), UPRIGHT, (33, 33)) == (2, 4, 6, 8)

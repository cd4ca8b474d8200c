"""Small pictures from the planes: what swscale would make of them, in every form, range and size."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av.video.frame
import av.video.reformatter
import numpy as np
import numpy.typing as npt
import pytest
from av.video.reformatter import Interpolation

from media.frames import Frame
from media.orientation import UPRIGHT, Orientation
from media.planes import FULL, LIMITED, arrays, is_full_range, layout
from media.small import SmallPictures

FORMS = ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv440p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray"]
SPACES = [1, 2, 5, 6, 7, 9]
EACH = [(form, space) for form in FORMS for space in (SPACES if form != "gray" else [2])]
ROUNDING = 3
"""Levels: swscale rounds chroma, luma and their sum one after the other."""


def soft(pixel_format: str, size_wh: tuple[int, int], space: int, full: bool) -> av.video.frame.VideoFrame:
    """A picture whose planes change slowly, through dark and bright, and through many colours."""
    picture = av.video.frame.VideoFrame(*size_wh, pixel_format)
    picture.colorspace, picture.color_range = space, FULL if full else LIMITED
    form = layout(pixel_format)
    assert form is not None
    low, high = (30, 225) if full else (40, 210)
    for number, plane in enumerate(arrays(picture)):
        h, w = plane.shape
        y, x = np.mgrid[0:h, 0:w] / np.array([h, w])[:, None, None]
        share = (0.6 * x + 0.4 * y, 0.5 + 0.2 * (x - y), 0.45 + 0.25 * (y - x * 0.5))[number]
        values = (low + share * (high - low)) * 2 ** (form.bits - 8)
        plane[:] = np.round(values).astype(plane.dtype)
    return picture


def by_swscale(picture: av.video.frame.VideoFrame, size_wh: tuple[int, int]) -> npt.NDArray[Any]:
    exact = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    full = FULL if is_full_range(picture) or picture.format.name == "gray" else LIMITED
    scaler = av.video.reformatter.VideoReformatter()
    rgb = scaler.reformat(picture, *size_wh, "rgb24", interpolation=exact, src_color_range=full, dst_color_range=FULL)
    return rgb.to_ndarray().astype(int)


@pytest.mark.parametrize(("pixel_format", "space"), EACH)
@pytest.mark.parametrize("full", [False, True])
def test_colours_are_those_that_swscale_gives(pixel_format: str, full: bool, space: int) -> None:
    picture = soft(pixel_format, (320, 180), space, full or "j" in pixel_format)
    made = SmallPictures(picture).rgb((128, 72)).astype(int)
    apart = np.abs(made - by_swscale(picture, (128, 72)))
    assert apart.max() <= ROUNDING + 1
    assert apart.mean() <= 1


@pytest.mark.parametrize("pixel_format", FORMS)
@pytest.mark.parametrize("full", [False, True])
def test_grey_is_the_luma_from_black_to_white(pixel_format: str, full: bool) -> None:
    picture = soft(pixel_format, (320, 180), 6, full or "j" in pixel_format)
    exact = Interpolation.AREA | Interpolation.ACCURATE_RND
    range_in = FULL if is_full_range(picture) or pixel_format == "gray" else LIMITED
    grey = av.video.reformatter.VideoReformatter().reformat(
        picture, 128, 72, "gray", interpolation=exact, src_color_range=range_in, dst_color_range=FULL
    )
    apart = np.abs(SmallPictures(picture).grey((128, 72)).astype(int) - grey.to_ndarray().astype(int))
    assert apart.max() <= ROUNDING


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("size_wh", [(161, 121), (162, 121), (99, 203)])
@pytest.mark.parametrize("small_wh", [(80, 60), (81, 61), (33, 47), (99, 121)])
def test_odd_sizes_lie_where_they_do_in_the_whole(
    pixel_format: str, size_wh: tuple[int, int], small_wh: tuple[int, int]
) -> None:
    picture = soft(pixel_format, size_wh, 1, False)
    small = SmallPictures(picture)
    assert small.can_make(small_wh)
    apart = np.abs(small.rgb(small_wh).astype(int) - by_swscale(picture, small_wh))
    assert apart.max() <= ROUNDING + 3  # the steps of such small pictures are several levels high
    assert apart.mean() <= 1


def test_no_pixel_is_passed_over() -> None:
    """A single bright point shows in a picture of a sixth of the size, wherever it lies."""
    for at in range(12):
        picture = soft("yuv420p", (120, 120), 1, False)
        luma, *chroma = arrays(picture)
        luma[:] = 16
        for plane in chroma:
            plane[:] = 128
        luma[60, 54 + at] = 235
        assert SmallPictures(picture).rgb((20, 20)).sum() > 0


def test_a_second_size_is_the_same_whether_or_not_another_was_made() -> None:
    picture = soft("yuv420p", (320, 180), 1, False)
    both = SmallPictures(picture)
    both.rgb((160, 90))
    assert (both.rgb((64, 36)) == SmallPictures(picture).rgb((64, 36))).all()


@pytest.mark.parametrize(("pixel_format", "size_wh"), [("rgb24", (16, 16)), ("yuv420p", (64, 64)), ("yuv420p", (80, 40))])
def test_what_has_no_planes_or_grows_is_left_to_swscale(pixel_format: str, size_wh: tuple[int, int]) -> None:
    picture = av.video.frame.VideoFrame(64, 64, pixel_format)
    picture.colorspace = 1
    assert not SmallPictures(picture).can_make(size_wh)
    frame = Frame(0, 0, Fraction(1), picture, UPRIGHT, av.video.reformatter.VideoReformatter())
    assert frame.small_rgb(size_wh).shape == (size_wh[1], size_wh[0], 3)
    assert frame.small_grey(size_wh).shape == (size_wh[1], size_wh[0])
    frame.forget_small()
    assert frame.small_rgb(size_wh).shape == (size_wh[1], size_wh[0], 3)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "yuv444p", "gray", "rgb24"])
@pytest.mark.parametrize("turn", [UPRIGHT, Orientation(0, 1, -1, 0), Orientation(-1, 0, 0, -1)])
def test_a_part_is_what_lies_there_in_the_whole(pixel_format: str, turn: Orientation) -> None:
    stored_wh = turn.stored_wh((320, 180))
    picture = soft("yuv420p", stored_wh, 1, False).reformat(format=pixel_format)
    frame = Frame(0, 0, Fraction(1), picture, turn, av.video.reformatter.VideoReformatter())
    part = frame.part_rgb((100, 40, 164, 88), (128, 96)).astype(int)
    whole = frame.rgb()[40:88, 100:164].astype(int)
    assert part.shape == (96, 128, 3)
    assert np.abs(part.reshape(48, 2, 64, 2, 3).mean(axis=(1, 3)) - whole).mean() <= 3
    assert frame.part_rgb((0, 0, 320, 180), (64, 36)).shape == (36, 64, 3)

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.motion import STILL, Motion, Watch, between, joined, recorded, size_for


def scene(seed=0):
    """A picture with structure at all scales, larger than what is seen of it."""
    rng = np.random.default_rng(seed)
    layers = [cv2.resize(rng.random((n, n)).astype(np.float32), (300, 300)) for n in (6, 20, 60)]
    return (sum(layers) / 3 * 255).astype(np.uint8)


def seen(x, y, of=None, wh=(160, 90)):
    """What a camera that points at (x, y) sees."""
    picture = scene() if of is None else of
    return np.ascontiguousarray(picture[y : y + wh[1], x : x + wh[0]])


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, -2), (-12, 7), (25, 0)])
def test_where_the_content_went_is_told_in_pixels_of_the_whole_picture(dx, dy):
    motion = between(seen(60, 60), seen(60 - dx, 60 - dy))
    assert motion.shift((1920, 1080)) == pytest.approx((12 * dx, 12 * dy), abs=3)
    assert not motion.cut


def test_someone_who_walks_past_a_still_camera_moves_nothing():
    before, after = seen(60, 60), seen(60, 60)
    before[20:80, 40:70] = scene(1)[:60, :30]
    after[20:80, 46:76] = scene(1)[:60, :30]
    assert between(before, after).shift((1600, 900)) == (0.0, 0.0)


def test_another_scene_is_a_cut_and_says_nothing_about_the_camera():
    dark = (scene(2) // 4).astype(np.uint8)
    motion = between(seen(60, 60), seen(60, 60, dark))
    assert motion.cut
    assert motion.shift((1600, 900)) is None


def test_a_fast_camera_is_no_cut():
    assert not between(seen(100, 100), seen(60, 80)).cut


def test_a_lamp_that_goes_on_is_no_cut():
    brighter = np.clip(scene().astype(int) + 60, 0, 255).astype(np.uint8)
    assert not between(seen(60, 60), seen(60, 60, brighter)).cut


@pytest.mark.parametrize(("wh", "small"), [((1920, 1080), (160, 90)), ((480, 360), (160, 120)), ((1080, 1920), (90, 160))])
def test_the_pictures_keep_the_shape_of_the_video(wh, small):
    assert size_for(wh) == small


def test_the_first_frame_says_nothing():
    watch = Watch()
    assert watch.at(seen(60, 60)) == STILL
    assert STILL.shift((100, 100)) is None


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 140), st.integers(0, 200)), min_size=1, max_size=12), st.data())
def test_segments_joined_say_what_the_whole_says(places, data):
    pictures = [seen(x, y) for x, y in places]
    whole = Watch()
    expected = [whole.at(picture) for picture in pictures]
    cuts = sorted({0, len(pictures), *data.draw(st.lists(st.integers(0, len(pictures)), max_size=3))})
    segments = []
    for start, end in pairwise(cuts):
        watch = Watch()
        motions = [watch.at(picture) for picture in pictures[start:end]]
        segments.append(recorded(motions, watch))
    assert joined(segments) == expected


def test_a_segment_without_its_motion_leaves_the_whole_without():
    watch = Watch()
    one = recorded([watch.at(seen(60, 60))], watch)
    assert joined([one, None]) == []


def test_motion_is_stored_as_it_was_used():
    motion = between(seen(60, 60), seen(53, 62))
    assert Motion.from_json(motion.to_json()) == motion

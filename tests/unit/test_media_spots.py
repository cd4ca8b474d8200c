"""A few frames from all over a video: whole pictures, spread over it, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from media.frames import read_frames
from media.spots import spots
from tests.panning import pan_clip


def test_key_frames_from_all_over_are_found_and_are_what_reading_gives(tmp_path):
    clip = pan_clip(tmp_path / "clip.mp4", frames=300, size_wh=(320, 180))
    found = spots(clip, 0)
    with read_frames(clip, 0) as reader:
        read = {frame.pts: frame.rgb() for frame in reader}
    ticks = max(read) // 299
    assert [frame.pts // ticks for frame in found] == [0, 50, 100, 150, 200, 250]
    assert all(frame.picture.key_frame for frame in found)
    assert all((frame.rgb() == read[frame.pts]).all() for frame in found)
    assert [frame.pts for frame in spots(clip, 0)] == [frame.pts for frame in found]


def test_where_there_is_one_key_frame_the_first_seconds_are_read(tmp_path):
    clip = pan_clip(tmp_path / "clip.mp4", frames=120, size_wh=(320, 180), rate=250)
    found = spots(clip, 0)
    assert len(found) == 3
    assert not all(frame.picture.key_frame for frame in found)
    assert found[0].pts == 0
    assert sorted(frame.pts for frame in found) == [frame.pts for frame in found]


def test_of_what_is_no_video_there_is_nothing_and_of_a_cut_one_what_is_left(tmp_path):
    broken = tmp_path / "broken.ts"
    broken.write_bytes(np.random.default_rng(0).bytes(20_000))
    assert spots(broken, 0) == []
    whole = pan_clip(tmp_path / "clip.mp4", frames=100, size_wh=(320, 180))
    cut = Path(tmp_path / "cut.mp4")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert spots(cut, 0) == []

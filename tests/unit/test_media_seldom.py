"""A few frames a second: their own pictures, numbers and times are those that reading everything gives."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import TooLarge
from media.frames import read_frames
from media.probe import probe
from media.seldom import SeldomReader, looked_at
from tests import clips
from tests.clips import Made

FIVE = Fraction(5)


def stream_of(path: Path) -> int:
    video = probe(path).main_video
    assert video is not None
    return video.index


@pytest.mark.parametrize("kind", sorted(clips.KINDS))
def test_what_is_looked_at_is_what_reading_everything_gives(made: Made, kind: str) -> None:
    path = made(kind)
    stream = stream_of(path)
    everything = clips.numbered(read_frames(path, stream))
    seldom = SeldomReader(path, stream, per_second=FIVE)
    seen = clips.numbered(seldom)
    assert set(seen) <= set(everything)
    assert seldom.frame_pts == [pts for _, pts, _ in everything]
    assert not seldom.doubtful
    assert (seen[0], seen[-1]) == (everything[0], everything[-1])
    assert clips.numbered(SeldomReader(path, stream, per_second=FIVE, decode_all=True)) == seen
    if len(everything) > 10:
        assert len(seen) < len(everything) / 2


@pytest.mark.parametrize("kind", ["29.97", "variable rate", "open groups", "10-bit"])
def test_where_packets_tell_the_times_not_all_is_decoded(made: Made, kind: str) -> None:
    path = made(kind)
    with SeldomReader(path, stream_of(path), per_second=FIVE) as seldom:
        next(iter(seldom))
        assert len(seldom.frame_pts) == len(clips.numbered(read_frames(path, stream_of(path)))), "known before all was read"


@pytest.mark.parametrize("kind", ["29.97", "variable rate", "open groups"])
def test_a_stretch_of_a_video_is_read_as_such(made: Made, kind: str) -> None:
    path = made(kind)
    stream = stream_of(path)
    everything = clips.numbered(read_frames(path, stream))
    start, end = everything[len(everything) // 3][1], everything[-3][1]
    stretch = [(pts, number) for _, pts, number in everything if start <= pts < end]
    seldom = SeldomReader(path, stream, start, end, per_second=FIVE)
    seen = clips.numbered(seldom)
    assert seldom.frame_pts == [pts for pts, _ in stretch]
    assert all(stretch[index] == (pts, number) for index, pts, number in seen)
    assert (seen[0][1], seen[-1][1]) == (stretch[0][0], stretch[-1][0])


def test_frames_that_stand_alone_are_not_decoded_for_others(tmp_path: Path) -> None:
    clip = clips.Clip(codec="mjpeg", pixel_format="yuvj420p", options={"q": "2"}, rate=Fraction(25))
    path = clips.write(tmp_path / "alone.mp4", clip)
    seldom = SeldomReader(path, 0, per_second=FIVE)
    assert [(index, number) for index, _, number in clips.numbered(seldom)] == [(n, n) for n in (*range(0, 40, 5), 39)]


def test_a_damaged_file_is_doubtful_and_then_read_as_a_whole(tmp_path: Path) -> None:
    path = clips.damaged(tmp_path)
    seldom = SeldomReader(path, 0, per_second=FIVE)
    clips.numbered(seldom)
    assert seldom.doubtful
    whole = SeldomReader(path, 0, per_second=FIVE, decode_all=True)
    assert set(clips.numbered(whole)) <= set(everything := clips.numbered(read_frames(path, 0)))
    assert whole.frame_pts == [pts for _, pts, _ in everything]
    assert whole.damage


def test_limits_hold(made: Made) -> None:
    with pytest.raises(TooLarge):
        clips.numbered(SeldomReader(made("29.97"), 0, per_second=FIVE, max_duration_s=1))


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 12))
def test_no_two_looks_are_further_apart_than_they_must_be(steps: list[int], per_second: int) -> None:
    times = [sum(steps[:n]) for n in range(len(steps) + 1)]
    seen = list(looked_at(((Fraction(t, 1000), t) for t in times), Fraction(per_second)))
    apart = Fraction(1050, per_second)
    assert (seen[0], seen[-1]) == (times[0], times[-1])
    assert seen == sorted(set(seen))
    for a, b in pairwise(seen):
        assert b - a <= apart or times[times.index(a) + 1] == b
    for a, b in zip(seen, seen[2:], strict=False):
        assert b - a > apart, "one of the two would have done"

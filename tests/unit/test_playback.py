"""Tracks asked for in frame order, and the stream that is looked at."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.exhibit import Condition, MediaInfo, VideoInfo
from evidence.track import Origin, Playback, Track, TrackBox


def track(number: int, first: int, last: int) -> Track:
    boxes = tuple(TrackBox(n, n, (0, 0, 1, 1), 0.5, Origin.DETECTED) for n in range(first, last + 1))
    return Track(number, "face", "model", Fraction(1, 25), boxes)


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), max_size=8)


@given(spans, st.integers(0, 6), st.integers(0, 6), st.lists(st.integers(0, 70), max_size=30))
def test_the_same_as_looking_through_all_tracks(
    found: list[tuple[int, int]], before: int, after: int, frames: list[int]
) -> None:
    tracks = [track(number, first, first + length) for number, (first, length) in enumerate(found, 1)]
    playback = Playback(tracks, before, after)
    for frame in sorted(frames):
        there = {t.id for t in tracks if t.boxes[0].frame - before <= frame <= t.boxes[-1].frame + after}
        assert {t.id for t in playback.at(frame)} == there


@given(spans, st.integers(0, 6), st.lists(st.integers(1, 60), max_size=4, unique=True))
def test_what_a_track_carries_on_ends_with_its_scene(found: list[tuple[int, int]], room: int, cuts: list[int]) -> None:
    tracks = [track(number, first, first + length) for number, (first, length) in enumerate(found, 1)]
    plain, playback = Playback(tracks, room, room), Playback(tracks, room, room, sorted(cuts))
    for frame in range(70):
        of_this_scene = {
            t.id
            for t in plain.at(frame)
            if not any(frame < cut <= t.boxes[0].frame or t.boxes[-1].frame < cut <= frame for cut in cuts)
        }
        assert {t.id for t in playback.at(frame)} == of_this_scene


def test_there_is_no_going_back() -> None:
    playback = Playback([])
    playback.at(5)
    with pytest.raises(ValueError, match="after frame 5"):
        playback.at(4)


def video(index: int, frames: int, size_wh: tuple[int, int], attached: bool = False) -> VideoInfo:
    return VideoInfo(index, "h264", "yuv420p", size_wh, 0, Fraction(1, 25), 0, None, frames, False, "", attached)


@pytest.mark.parametrize(
    ("streams", "main"),
    [
        ([], None),
        ([video(0, 100, (640, 360)), video(1, 98, (1920, 1080))], 1),
        ([video(0, 53, (1440, 1080)), video(1, 2, (2048, 1536))], 0),
        ([video(0, 1, (4000, 3000), attached=True), video(1, 9, (160, 90))], 1),
        ([video(0, 0, (1920, 1080)), video(1, 1, (160, 90))], 1),
        ([video(3, 10, (640, 360)), video(4, 10, (640, 360))], 3),
    ],
)
def test_the_main_video_runs_through_and_is_the_largest(streams: list[VideoInfo], main: int | None) -> None:
    found = MediaInfo("mov", None, tuple(streams), (), (), (), Condition.READABLE, "", None).main_video
    assert (found.index if found else None) == main

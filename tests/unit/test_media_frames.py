"""Reading: every real frame once, in order, with its exact time; in segments as in one go; damage is told."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from evidence.errors import TooLarge
from media.frames import read_frames
from media.planes import arrays
from media.probe import probe
from media.timeline import times_by_packet
from tests import clips
from tests.clips import Made


@pytest.mark.parametrize("kind", sorted(clips.KINDS))
def test_every_frame_is_read_once_in_order(made: Made, kind: str) -> None:
    path = made(kind)
    video = probe(path).main_video
    assert video is not None
    frames = clips.numbered(read_frames(path, video.index))
    assert len(frames) == video.frame_count
    assert [number for _, _, number in frames] == list(range(len(frames)))
    assert [index for index, _, _ in frames] == list(range(len(frames)))
    assert all(a < b for (_, a, _), (_, b, _) in pairwise(frames))


@pytest.mark.parametrize(
    "kind", ["29.97", "variable rate", "open groups", "rotated", "transport stream", "late start", "10-bit"]
)
def test_segments_give_exactly_the_frames_of_the_whole(made: Made, kind: str) -> None:
    path = made(kind)
    media = probe(path)
    video = media.main_video
    assert video is not None
    whole = [(pts, number) for _, pts, number in clips.numbered(read_frames(path, video.index))]
    keys = key_times(path, video.index)
    assert len(keys) > 2
    for starts in (keys, keys[::2], [whole[0][0], whole[7][0], whole[20][0]]):
        parts = []
        for start, end in zip(starts, [*starts[1:], None], strict=True):
            parts += [(pts, number) for _, pts, number in clips.numbered(read_frames(path, video.index, start, end))]
        assert parts == whole
    in_pieces = clips.numbered(read_frames(path, video.index, cuts=keys))
    assert [(pts, number) for _, pts, number in in_pieces] == whole
    assert [index for index, _, _ in in_pieces] == list(range(len(whole)))


def key_times(path: Path, index: int) -> list[int]:
    with read_frames(path, index) as reader:
        return [frame.pts for frame in reader if frame.picture.key_frame]


def test_probed_segments_are_whole_groups_and_count_their_frames(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "long.mp4", clips.Clip(frames=150))
    media = probe(path, segment_s=1)
    assert [s.number for s in media.segments] == list(range(len(media.segments)))
    assert len(media.segments) > 3
    for segment in media.segments:
        frames = clips.numbered(read_frames(path, 0, segment.start_pts, segment.end_pts))
        assert len(frames) == segment.frame_count
        assert frames[0][1] == segment.start_pts
    assert sum(s.frame_count for s in media.segments) == 150
    assert probe(path, segment_s=60).segments == media.segments[:0] + probe(path, segment_s=3600).segments


def test_times_are_exact_and_those_of_the_container(made: Made) -> None:
    with read_frames(made("29.97"), 0) as reader:
        moments = [frame.moment.seconds for frame in reader]
    assert moments == [n * Fraction(1001, 30000) for n in range(40)]
    with read_frames(made("late start"), 0) as reader:
        assert next(iter(reader)).moment.seconds == 10


def test_frames_without_times_get_even_ones_and_are_counted(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "raw.h264", clips.Clip(frames=12, options={"bf": "0", "g": "4", "preset": "ultrafast"}))
    with read_frames(path, 0) as reader:
        frames = list(reader)
        assert reader.retimed
    assert len(frames) == 12
    gaps = {b.pts - a.pts for a, b in pairwise(frames)}
    assert len(gaps) == 1
    assert min(gaps) > 0


@pytest.mark.parametrize("groups", ["bframes=2", "bframes=3:b-adapt=0", "bframes=3:b-adapt=0:open-gop=1"])
def test_avi_has_only_decoding_times_and_its_pictures_are_shown_evenly(tmp_path: Path, groups: str) -> None:
    options = {"g": "12", "preset": "medium", "crf": "12", "x264-params": f"scenecut=0:{groups}"}
    path = clips.write(tmp_path / "decoding-order.avi", clips.Clip(frames=60, options=options))
    reader = read_frames(path, 0)
    frames = clips.numbered(reader)
    assert [number for _, _, number in frames] == list(range(60))
    assert {b[1] - a[1] for a, b in pairwise(frames)} == {1}
    assert reader.retimed == 0
    later = clips.numbered(read_frames(path, 0, frames[40][1]))
    assert [frame[1:] for frame in later] == [frame[1:] for frame in frames[40:]]


def test_a_lost_picture_of_an_avi_takes_its_time_with_it(tmp_path: Path) -> None:
    options = {"g": "12", "preset": "medium", "crf": "12", "x264-params": "scenecut=0:bframes=2"}
    path = clips.write(tmp_path / "damaged.avi", clips.Clip(frames=60, options=options))
    data = bytearray(path.read_bytes())
    at = data.index(b"movi") + 4
    for number in range(31):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if number >= 29:
            data[at + 8 : at + 8 + size] = bytes((i * 37 + 11) % 256 for i in range(size))
        at += 8 + size + size % 2
    path.write_bytes(data)
    reader = read_frames(path, 0)
    frames = clips.numbered(reader)
    assert (reader.damage.count, len(frames)) == (2, 58)
    first = frames[0][1]
    for part in (frames[:28], frames[-20:]):
        assert [pts - first for _, pts, _ in part] == [number for _, _, number in part]


def test_what_is_missing_in_a_picture_is_the_same_however_it_is_read(tmp_path: Path) -> None:
    """Else a mask would lie on another picture than the one that was looked at."""
    options = {"g": "60", "bf": "0", "preset": "ultrafast", "crf": "12", "x264-params": "slices=4"}
    path = clips.write(tmp_path / "damaged.avi", clips.Clip(frames=60, options=options))
    data = bytearray(path.read_bytes())
    at = data.index(b"movi") + 4
    for number in range(40):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if number % 8 == 7:
            data[at + 8 + size // 3 : at + 8 + size] = bytes(size - size // 3)
        at += 8 + size + size % 2
    path.write_bytes(data)
    with read_frames(path, 0) as reader:
        one_by_one = [arrays(frame.picture)[0].tobytes() for frame in reader]
    with read_frames(path, 0) as reader:
        held = list(reader)
    assert len(one_by_one) == len(held) > 50
    assert [arrays(frame.picture)[0].tobytes() for frame in held] == one_by_one


def test_small_pictures_stand_upright_and_are_made_once(made: Made) -> None:
    with read_frames(made("rotated"), 0) as reader:
        frame = next(iter(reader))
    assert frame.upright_size_wh == (128, 192)
    small = frame.small_rgb((64, 96))
    assert small.shape == (96, 64, 3)
    assert frame.small_rgb((64, 96)) is small
    # The stored picture is greener at its left, which is the upright one's top.
    assert small[:40, :, 1].mean() < small[60:, :, 1].mean()
    whole = frame.rgb()
    assert clips.number_in(np.rot90(whole[..., 0])) == 0


def test_damage_in_the_middle_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    path = clips.damaged(tmp_path)
    with read_frames(path, 0) as reader:
        numbers = [clips.number_in(arrays(f.picture)[0]) for f in reader]
    assert reader.damage.count > 0
    assert "can't be decoded" in reader.damage.entries[0]
    assert 30 < len(numbers) < 60
    assert numbers[0] == 0
    assert numbers[-1] == 59


def _textured(path: Path, codec: str, options: dict[str, str]) -> Path:
    """Noise that moves: every row of blocks has something that can be damaged."""
    noise = np.kron(np.random.default_rng(1).integers(0, 256, (136, 240)), np.ones((4, 4))).astype(np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options={"g": "12", **options})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 960, 544, "yuv420p", 4_000_000
        for number in range(24):
            picture = av.VideoFrame.from_ndarray(np.roll(noise, 3 * number, 1), "gray").reformat(format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("codec", "options"), [("mpeg2video", {"slices": "8"}), ("libx265", {"x265-params": "wpp=1:log-level=none"})]
)
def test_damaged_pictures_are_the_same_each_time(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    """What is looked at is what is painted, also where several threads would each decode a part of a picture."""
    data = bytearray(_textured(tmp_path / "whole.mkv", codec, options).read_bytes())
    chance = random.Random(1)
    for _ in range(24):
        data[chance.randrange(len(data) // 8, len(data) * 7 // 8)] ^= 1 << chance.randrange(8)
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(data)

    def pictures() -> list[bytes]:
        with read_frames(damaged, 0) as reader:
            return [plane.tobytes() for frame in reader for plane in arrays(frame.picture)]

    first = pictures()
    assert all(pictures() == first for _ in range(4))


def test_a_file_that_breaks_off_is_read_to_where_it_does(tmp_path: Path) -> None:
    path = clips.truncated(tmp_path)
    frames = clips.numbered(read_frames(path, 0))
    assert 20 < len(frames) < 50
    assert [number for _, _, number in frames] == list(range(len(frames)))


def test_pictures_and_spans_beyond_the_limits_are_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="192 × 128"):
        read_frames(made("29.97"), 0, max_pixels=192 * 128 - 1)
    long = clips.write(tmp_path / "long.mp4", clips.Clip(pts=[0, 90_000 * 50], time_base=Fraction(1, 90_000)))
    with pytest.raises(TooLarge, match="longer"), read_frames(long, 0, max_duration_s=20) as reader:
        list(reader)


@pytest.mark.parametrize("kind", sorted(clips.KINDS))
def test_packets_tell_the_times_of_the_frames(made: Made, kind: str) -> None:
    path = made(kind)
    video = probe(path).main_video
    assert video is not None
    shown = [pts for _, pts, _ in clips.numbered(read_frames(path, video.index))]
    times, keys = times_by_packet(path, video.index)
    assert times == shown
    assert keys == key_times(path, video.index)

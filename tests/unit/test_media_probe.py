"""Probing: what a file really is, in the record's words; nothing that reads other files, nothing too large."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import pytest

from evidence.errors import NotFound, TooLarge, UnsupportedMedia
from evidence.exhibit import Condition
from evidence.wire import media_from_json
from media.frames import read_frames
from media.missing import missing_part
from media.probe import probe
from tests import clips
from workers.tasks import probe as task


def test_a_plain_clip(tmp_path: Path) -> None:
    media = probe(clips.ntsc(tmp_path))
    video = media.main_video
    assert video is not None
    assert (video.codec, video.size_wh, video.rotation_degrees) == ("h264", (192, 128), 0)
    assert (video.frame_count, video.average_rate, video.variable_rate) == (40, Fraction(30000, 1001), False)
    assert media.duration_s == 40 * Fraction(1001, 30000)
    assert [(a.codec, a.sample_rate_hz, a.channels) for a in media.audio] == [("aac", 48000, 1)]
    assert (media.condition, media.note) == (Condition.READABLE, "")
    assert len(media.segments) == 1


@pytest.mark.parametrize(
    ("kind", "codec", "pixel_format", "degrees", "variable"),
    [
        ("variable rate", "h264", "yuv420p", 0, True),
        ("rotated", "h264", "yuv420p", 90, False),
        ("10-bit", "hevc", "yuv420p10le", 0, False),
        ("odd size", "vp9", "yuv420p", 0, False),
        ("motion JPEG", "mjpeg", "yuvj422p", 0, False),
        ("wrong extension", "h264", "yuv420p", 0, False),
    ],
)
def test_odd_kinds(tmp_path: Path, kind: str, codec: str, pixel_format: str, degrees: int, variable: bool) -> None:
    media = probe(clips.KINDS[kind](tmp_path))
    video = media.main_video
    assert video is not None
    assert (video.codec, video.pixel_format, video.rotation_degrees) == (codec, pixel_format, degrees)
    assert video.variable_rate is variable
    assert media.condition is Condition.READABLE


def test_sound(tmp_path: Path) -> None:
    assert probe(clips.silent(tmp_path)).audio == ()
    assert [a.codec for a in probe(clips.two_tracks(tmp_path)).audio] == ["aac", "pcm_s16le"]
    media = probe(clips.sound_only(tmp_path))
    assert (media.main_video, media.segments, media.condition) == (None, (), Condition.READABLE)


def test_a_still_is_one_frame_and_its_name_is_no_pattern(tmp_path: Path) -> None:
    media = probe(clips.still(tmp_path))
    assert media.main_video is not None
    assert media.main_video.frame_count == 1
    assert media.condition is Condition.READABLE


def test_the_claimed_time_is_read_and_never_set_clocks_are_not_believed(tmp_path: Path) -> None:
    claimed = {"creation_time": "2026-03-02T09:30:00.000000Z"}
    media = probe(clips.write(tmp_path / "claims.mp4", clips.Clip(frames=3, metadata=claimed)))
    assert media.claimed_capture_time == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    unset = {"creation_time": "1970-01-01T00:00:00.000000Z"}
    assert probe(clips.write(tmp_path / "unset.mp4", clips.Clip(frames=3, metadata=unset))).claimed_capture_time is None


def test_what_is_missing_of_a_truncated_file_is_said(tmp_path: Path) -> None:
    media = probe(clips.truncated(tmp_path, fast_start=False))
    assert media.condition is Condition.UNREADABLE
    assert "index (moov) of the recording is missing" in media.note
    media = probe(clips.truncated(tmp_path, fast_start=True))
    assert media.condition is Condition.PARTLY_READABLE
    assert "bytes of the recording are missing" in media.note
    assert media.main_video is not None
    assert 20 < media.main_video.frame_count < 60


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("cut.mp4", clips.Clip(frames=60, container_options={"movflags": "+faststart"})),
        ("cut.mkv", clips.Clip(frames=60)),
        ("cut.avi", clips.Clip(frames=60, codec="mpeg4", options={"g": "10", "b": "4M"})),
    ],
)
def test_a_file_that_was_cut_off_says_how_much_of_it_is_there(tmp_path: Path, name: str, clip: clips.Clip) -> None:
    path = clips.write(tmp_path / name, clip)
    assert missing_part(path) == probe(path).note == ""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    media = probe(path)
    assert media.condition is Condition.PARTLY_READABLE
    assert f"The last {len(data) - len(data) * 6 // 10:,} bytes of the recording are missing" in media.note
    assert media.main_video is not None
    assert 20 < media.main_video.frame_count < 60
    found = re.search(r"the picture ends after 0:00:01\.\d{3} of the 0:00:0(\d\.\d{3}) that the file claims", media.note)
    assert found is not None
    assert float(found[1]) == pytest.approx(60 * 1001 / 30000, abs=0.04)


def test_what_is_missing_is_told_from_the_boxes(tmp_path: Path) -> None:
    box = lambda kind, payload=b"": (8 + len(payload)).to_bytes(4, "big") + kind + payload  # noqa: E731
    said = {
        box(b"ftyp", b"isom") + box(b"moov", b"0" * 50): "only the index (moov) is there",
        box(b"ftyp", b"isom") + box(b"moov", b"0" * 50) + box(b"mdat"): "only the index (moov) is there",
        box(b"ftyp", b"isom") + b"\0\0\0\3free" + box(b"moov", b"0" * 50): "its structure is damaged at byte 12",
        box(b"ftyp", b"isom")
        + b"\0\0\0\1mdat"
        + (1 << 40).to_bytes(8, "big"): "at least 1,099,511,627,760 bytes of its end",
        b"RIFF\0\0\0\0AVI LIST" + bytes(50): "its header was never completed",
        b"RIFF\x46\0\0\0AVI LIST" + bytes(50): "the last 12 bytes",
        b"RIFF\0\0\0\0WAVEfmt " + bytes(50): "",
        b"\x1a\x45\xdf\xa3\x82ab\x18\x53\x80\x67\x88" + bytes(5): "the last 3 bytes",
        b"\x1a\x45\xdf\xa3\x82ab\x18\x53\x80\x67\x01" + b"\xff" * 7 + bytes(5): "",
        b"\x1a\x45\xdf\xa3": "",
        b"G" + bytes(400): "",
    }
    path = tmp_path / "file"
    for data, words in said.items():
        path.write_bytes(data)
        found = missing_part(path)
        assert words in found, data[:40]
        assert bool(words) == bool(found), data[:40]


def test_damage_is_described_not_refused(tmp_path: Path) -> None:
    media = probe(clips.damaged(tmp_path))
    assert media.condition is Condition.PARTLY_READABLE
    assert "can't be decoded" in media.note
    nonsense = tmp_path / "nonsense.mp4"
    nonsense.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40)
    assert probe(nonsense).condition is Condition.UNREADABLE


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {other}\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{other}</BaseURL></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        "dear diary\n",
    ],
)
def test_text_that_names_other_files_is_refused(tmp_path: Path, text: str) -> None:
    other = clips.silent(tmp_path)
    for name in ("playlist.mp4", "playlist.m3u8", "playlist.ffconcat"):
        path = tmp_path / name
        path.write_text(text.format(other=other))
        with pytest.raises(UnsupportedMedia):
            probe(path)
        # Not by its text alone: a zero byte in it must not open the door.
        path.write_bytes(path.read_bytes() + b"\0")
        with suppress(UnsupportedMedia):
            assert probe(path).video == ()


def test_empty_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(UnsupportedMedia, match="empty"):
        probe(tmp_path / "empty.mp4")
    with pytest.raises(NotFound):
        probe(tmp_path / "nowhere.mp4")


def test_limits(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="192 × 128"):
        probe(clips.silent(tmp_path), max_pixels=10_000)
    hours = clips.write(tmp_path / "hours.mp4", clips.Clip(pts=[0, 3600 * 90_000], time_base=Fraction(1, 90_000)))
    with pytest.raises(TooLarge, match="longer"):
        probe(hours, max_duration_s=3000)


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path) -> None:
    path = clips.silent(tmp_path).rename(tmp_path / "http:%d.mp4")
    assert probe(path).main_video is not None


def test_the_task_gives_the_same_as_json(tmp_path: Path) -> None:
    path = clips.open_gop(tmp_path)
    found = task.run({"original": path}, {"segment_s": 1}, tmp_path, lambda done, total: None)
    assert media_from_json(found) == probe(path, segment_s=1)
    assert len(found["segments"]) > 1


def test_a_coding_that_nobody_knows_is_said(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "odd.mp4", clips.Clip(audio=("aac",)))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    media = probe(path)
    assert media.condition is Condition.PARTLY_READABLE
    assert "ideo stream 0 is in a coding that nothing here can read" in media.note
    with pytest.raises(UnsupportedMedia):
        read_frames(path, 0)


@pytest.mark.parametrize("kind", sorted(clips.KINDS))
def test_a_quick_look_finds_the_same_stream(tmp_path: Path, kind: str) -> None:
    path = clips.KINDS[kind](tmp_path)
    quick: list[int] = []
    whole: list[int] = []
    looked, told = probe(path, quick=True, progress=quick.append), probe(path, progress=whole.append)
    assert looked.main_video == told.main_video
    assert looked.condition is told.condition
    # The whole look decodes every frame of these short clips; both read all packets.
    assert told.main_video is not None
    assert len(whole) - len(quick) >= told.main_video.frame_count - 1


@pytest.mark.parametrize("kind", [*sorted(clips.KINDS), "cut off", "damaged", "without an end"])
def test_a_quick_look_and_decoding_all_tell_what_a_whole_look_does(tmp_path: Path, kind: str) -> None:
    path = {**clips.KINDS, "cut off": clips.truncated, "damaged": clips.damaged, "without an end": _without_an_end}[kind](
        tmp_path
    )
    told, quick = probe(path), probe(path, quick=True)
    assert told.main_video is not None
    with read_frames(path, told.main_video.index) as reader:
        pts = [frame.pts for frame in reader]
    looked = quick.decoded(len(pts), pts[-1], reader.damage.count, next(iter(reader.damage.entries), ""))
    assert (looked.condition, looked.note) == (told.condition, told.note)
    assert looked.main_video == told.main_video


def _without_an_end(folder: Path) -> Path:
    """The packets of the last frames are there, and hold nothing."""
    path = clips.write(folder / "no-end.mkv", clips.Clip(frames=30, codec="mpeg2video", options={"bf": "0"}))
    with av.open(str(path)) as container:
        last = [bytes(packet) for packet in container.demux(video=0) if packet.size][-3:]
    data = path.read_bytes()
    for packet in last:
        data = data.replace(packet, bytes(len(packet)))
    path.write_bytes(data)
    assert "The last 3 frame(s)" in probe(path).note
    return path

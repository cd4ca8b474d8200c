"""Smart rendering through the REDACT task: copied is copied bit for bit, hidden is hidden, and both are one video."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import pytest

from cli.main import run
from evidence.errors import IntegrityError
from media import avc, smart
from media.encode import Encoding
from media.frames import Frame, Picture
from media.planes import arrays, is_full_range
from media.probe import main_stream, probe
from media.smart import StrictReader, render_smart
from media.smart_plan import NotSmart, Plan, plan_for
from tests import clips
from tests.clips import Clip
from tests.smart_clips import (
    BOX,
    CUT_BY_AN_EDIT_LIST,
    GROUPS_OF_TEN,
    LONG_GROUPS,
    OPEN_AMONG_CLOSED,
    frames_of,
    options,
    redacted,
)

CLIPS = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "clips"
HIDDEN = (13, 14, 15, 38, 40)
"""In the second, the fourth and the fifth group of ten."""
COPIED = [n for n in range(60) if n // 10 in {0, 2, 5}]


def planes(frame: Frame) -> bytes:
    return b"".join(plane.tobytes() for plane in arrays(frame.picture))


def slices_of(path: Path) -> list[list[bytes]]:
    """The coded slices of every packet, and that there is nothing else in it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        known = avc.record(stream.codec_context.extradata)
        return [avc.slices(bytes(packet), known) for packet in container.demux(stream) if packet.size]


def decoded_strictly(path: Path) -> list[tuple[Fraction, int]]:
    """When each frame is shown and its number, by a decoder that stops at the least fault."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        # With several threads FFmpeg's H.264 decoder keeps quiet about what it could not read.
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"err_detect": "crccheck+bitstream+buffer+explode", "strict": "1"}
        shown = []
        for frame in container.decode(stream):
            assert not frame.is_corrupt
            shown.append((frame.pts * Fraction(stream.time_base or 1), clips.number_in(arrays(frame)[0])))
        return shown


def assert_right(path: Path, copy: Path, hidden: tuple[int, ...], copied: list[int], shift: Fraction) -> None:
    changed, times = set(), []
    for one, other in zip(frames_of(path), frames_of(copy), strict=True):
        assert one.upright_size_wh == other.upright_size_wh
        times.append((one.moment.seconds - shift, other.moment.seconds))
        if planes(one) != planes(other):
            changed.add(one.index)
        if one.index in hidden:
            assert_covered(other)
    assert [was for was, _ in times] == [now for _, now in times] == [at for at, _ in decoded_strictly(copy)]
    assert not changed & set(copied)
    assert set(hidden) <= changed
    originals = {packed for kept in slices_of(path) for packed in kept}
    same = [all(one in originals for one in kept) for kept in slices_of(copy)]
    assert same.count(True) == len(copied), "slices are copied bit for bit, or encoded"


def assert_covered(frame: Frame) -> None:
    x0, y0, x1, y1 = (int(edge) for edge in frame.orientation.box_to_stored(BOX, frame.stored_size_wh))
    luma = arrays(frame.picture)[0][y0:y1, x0:x1].astype(int)
    assert np.abs(luma - (0 if is_full_range(frame.picture) else 16)).max() < 24, f"frame {frame.index}"


@pytest.mark.parametrize("kind", GROUPS_OF_TEN)
def test_groups_without_a_mask_are_copied(tmp_path: Path, kind: str) -> None:
    path = clips.write(tmp_path / "clip.mp4", GROUPS_OF_TEN[kind])
    report = redacted(path, tmp_path / "out", HIDDEN, draft=True, reference="ABC/1")
    copy = tmp_path / "out" / "redacted.mp4"
    assert report["copied"] == {
        "groups_copied": 3, "groups_encoded": 3, "groups_begun": 0, "frames_copied": 30, "frames_encoded": 30,
        "encoded_as_a_whole": "",
    }  # fmt: skip
    assert report["video"] == ["30 of 60 frames copied unchanged: 3 of 6 groups of pictures, those with nothing to hide"]
    assert_right(path, copy, HIDDEN, COPIED, Fraction(report["shift_s"]))
    # All the rest as when the whole is encoded.
    whole_report = redacted(path, tmp_path / "whole", HIDDEN, smart=False, draft=True, reference="ABC/1")
    for name in ("frames_in", "frames_out", "frames_masked", "masks", "audio", "left_out", "shift_s", "size_wh"):
        assert report[name] == whole_report[name], name
    smart_media, whole_media = probe(copy), probe(tmp_path / "whole" / "redacted.mp4")
    assert smart_media.audio == whole_media.audio
    one, other = smart_media.main_video, whole_media.main_video
    assert one is not None
    assert other is not None
    assert (one.upright_size_wh, one.rotation_degrees, one.frame_count) == (
        other.upright_size_wh, other.rotation_degrees, other.frame_count,
    )  # fmt: skip
    with av.open(str(copy)) as ours, av.open(str(tmp_path / "whole" / "redacted.mp4")) as theirs:
        assert ours.metadata == theirs.metadata
        assert ours.streams.video[0].sample_aspect_ratio == theirs.streams.video[0].sample_aspect_ratio
        assert ours.streams.video[0].metadata == theirs.streams.video[0].metadata
        assert abs(ours.streams.video[0].duration - theirs.streams.video[0].duration) * one.time_base < Fraction(1, 10)
    if GROUPS_OF_TEN[kind].audio:
        assert _sound(copy) == _sound(path)


def _sound(path: Path) -> list[tuple[int, bytes]]:
    with av.open(str(path)) as container:
        return [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.size]


def test_messages_in_the_source_are_not_copied(tmp_path: Path) -> None:
    """x264 writes its settings into the first packet: a message like one that carries captions, or anything."""
    path = clips.write(tmp_path / "clip.mp4", GROUPS_OF_TEN["announced buffers"])
    report = redacted(path, tmp_path, (55,))
    assert report["copied"]["frames_copied"] == 50
    assert b"x264 - core" in path.read_bytes()
    assert b"x264 - core" not in (tmp_path / "redacted.mp4").read_bytes()


def test_nothing_to_hide_copies_everything(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", GROUPS_OF_TEN["three B-frames, pyramid"])
    report = redacted(path, tmp_path, ())
    assert report["copied"]["frames_copied"] == 60
    assert slices_of(tmp_path / "redacted.mp4") == slices_of(path)
    assert_right(path, tmp_path / "redacted.mp4", (), list(range(60)), Fraction(0))


def test_matroska_is_copied_into_mp4(tmp_path: Path) -> None:
    clip = Clip(frames=60, rate=Fraction(25), options=options("bframes=2"))
    path = clips.write(tmp_path / "clip.mkv", clip)
    assert redacted(path, tmp_path, HIDDEN)["copied"]["frames_copied"] == 30
    assert_right(path, tmp_path / "redacted.mp4", HIDDEN, COPIED, Fraction(0))


def test_an_open_group_goes_with_the_one_before(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", OPEN_AMONG_CLOSED)
    with av.open(str(path)) as container:
        keys = [packet.pts for packet in container.demux(video=0) if packet.is_keyframe]
    assert len(keys) == 6, "there are open groups in it"
    report = redacted(path, tmp_path / "out", (24,))
    assert (report["copied"]["groups_copied"], report["copied"]["frames_copied"]) == (2, 40)
    assert_right(path, tmp_path / "out" / "redacted.mp4", (24,), [*range(20), *range(40, 60)], Fraction(0))
    # Up to a mask in the open part, which begins at frame 30, everything is the source's.
    report = redacted(path, tmp_path / "later", (35,))
    assert (report["copied"]["groups_copied"], report["copied"]["groups_begun"]) == (2, 1)
    copied = report["copied"]["frames_copied"] - 40
    assert 10 < copied <= 15
    assert_right(path, tmp_path / "later" / "redacted.mp4", (35,), [*range(20 + copied), *range(40, 60)], Fraction(0))


@pytest.mark.parametrize("kind", LONG_GROUPS)
def test_of_a_long_group_the_beginning_is_copied(tmp_path: Path, kind: str) -> None:
    path = clips.write(tmp_path / "clip.mp4", LONG_GROUPS[kind])
    hidden = (17, 18, 45, 75)
    report = redacted(path, tmp_path / "out", hidden)
    copied = report["copied"]
    assert (copied["groups_copied"], copied["groups_encoded"], copied["groups_begun"]) == (0, 3, 3)
    assert report["video"][0].endswith("and what comes before the first mask in 3 more")
    originals = {packed for kept in slices_of(path) for packed in kept}
    same = [all(one in originals for one in kept) for kept in slices_of(tmp_path / "out" / "redacted.mp4")]
    beginnings = [sum(same[first : first + 30]) for first in (0, 30, 60)]
    for length, mask in zip(beginnings, (17, 15, 15), strict=True):
        assert 12 <= length <= mask
    frames = [n for first, length in zip((0, 30, 60), beginnings, strict=True) for n in range(first, first + length)]
    assert_right(path, tmp_path / "out" / "redacted.mp4", hidden, frames, Fraction(0))


def test_a_group_cut_by_an_edit_list_is_encoded(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", CUT_BY_AN_EDIT_LIST)
    with av.open(str(path)) as container:
        assert sum(packet.is_discard for packet in container.demux(video=0)) == 4
    report = redacted(path, tmp_path, (30,))
    assert report["frames_out"] == 56
    assert report["copied"]["frames_copied"] == 40
    assert_right(path, tmp_path / "redacted.mp4", (30,), [n for n in range(56) if n >= 6 and not 26 <= n < 36], Fraction(0))


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the footage is not there: set EXHIBIT_TEST_DATA")
@pytest.mark.parametrize("name", ["bikes.mp4", "corridor_person.mp4", "speaker_audio.mp4"])
def test_real_recordings(tmp_path: Path, name: str) -> None:
    """x264 with B-frames; one that doesn't say how far it reorders; baseline, with an odd rate."""
    path = CLIPS / name
    hidden = tuple(range(100, 110))
    report = redacted(path, tmp_path, hidden)
    told = report["copied"]
    assert told["groups_copied"] > 0
    assert told["frames_copied"] + told["frames_encoded"] == report["frames_out"] == report["frames_in"]
    originals = {packed for kept in slices_of(path) for packed in kept}
    copied = [all(one in originals for one in kept) for kept in slices_of(tmp_path / "redacted.mp4")]
    assert copied.count(True) == told["frames_copied"]
    # Runs are closed: what was copied in decoding order is what is the same in the order in which it is shown.
    frames = [n for n, same in enumerate(copied) if same]
    assert_right(path, tmp_path / "redacted.mp4", hidden, frames, Fraction(report["shift_s"]))


def interlaced(folder: Path) -> Path:
    return clips.write(folder / "interlaced.mp4", Clip(frames=60, options=options("interlaced=1:bframes=0")))


def ten_bit(folder: Path) -> Path:
    return clips.write(folder / "ten.mp4", Clip(frames=30, pixel_format="yuv420p10le", options=options()))


def all_open(folder: Path) -> Path:
    return clips.open_gop(folder, "open.mp4")


def copied_before(folder: Path) -> Path:
    """What smart rendering made has two sequence parameter sets."""
    redacted(clips.write(folder / "first.mp4", GROUPS_OF_TEN["no B-frames"]), folder / "first", HIDDEN)
    return folder / "first" / "redacted.mp4"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (clips.motion_jpeg, "not H.264"),
        (clips.odd_size, "not H.264"),
        (clips.transport_stream, "apart from the pictures"),
        (all_open, "no closed group"),
        (interlaced, "interlaced"),
        (ten_bit, "8-bit 4:2:0"),
        (clips.damaged, "a packet is not what its lengths say"),
        (copied_before, "more than one sequence parameter set"),
    ],
)
def test_what_does_not_agree_is_encoded_as_a_whole(tmp_path: Path, make: Callable[[Path], Path], words: str) -> None:
    path = make(tmp_path)
    report = redacted(path, tmp_path / "out", (3,))
    assert words in report["copied"].pop("encoded_as_a_whole")
    assert set(report["copied"].values()) == {0}
    assert report["video"][-1].startswith("encoded anew as a whole: ")
    assert report["frames_masked"] == 1
    assert len(decoded_strictly(tmp_path / "out" / "redacted.mp4")) == report["frames_out"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["redacted.mp4", "report.json", "tracks.json"]


def test_a_mask_in_every_group_and_no_smart_encode_the_whole(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", GROUPS_OF_TEN["no B-frames"])
    every = redacted(path, tmp_path / "every", tuple(range(5, 60, 10)))
    asked = redacted(path, tmp_path / "asked", (5,), smart=False)
    assert every["copied"]["encoded_as_a_whole"] == "there is no closed group of pictures without something to hide"
    assert asked["copied"]["encoded_as_a_whole"] == "that was asked for"
    for out in ("every", "asked"):
        originals = {packed for kept in slices_of(path) for packed in kept}
        assert not any(one in originals for kept in slices_of(tmp_path / out / "redacted.mp4") for one in kept)


@pytest.mark.parametrize(("option", "copied"), [((), 50), (("--no-smart",), 0)])
def test_the_command_copies_unless_it_is_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...], copied: int
) -> None:
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EXHIBIT_MODELS_DIR", str(tmp_path / "no-models"))
    path = clips.write(tmp_path / "clip.mp4", GROUPS_OF_TEN["three B-frames, pyramid"])
    x0, y0, x1, y1 = (int(edge) for edge in BOX)
    region = f"{x0},{y0},{x1},{y1}@0:00:00.4-0:00:00.5"
    words = ["redact", path, "-o", tmp_path / "out.mp4", "--what", "nothing", "--region", region, *option]
    with pytest.raises(SystemExit) as ended:
        run([str(word) for word in [*words, "--report", tmp_path / "report.json"]])
    assert not ended.value.code
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert report["copied"]["frames_copied"] == copied
    originals = {packed for kept in slices_of(path) for packed in kept}
    same = [all(one in originals for one in kept) for kept in slices_of(tmp_path / "out.mp4")]
    assert same.count(True) == copied


def fault_in_frame(path: Path, number: int) -> Path:
    """Overwrites the middle of one packet; its lengths stay right."""
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][number]
        at, size = packet.pos or 0, packet.size
    data = bytearray(path.read_bytes())
    data[at + size // 2 : at + size // 2 + 60] = bytes(n * 73 % 251 for n in range(60))
    path.write_bytes(data)
    return path


def test_a_fault_inside_a_picture_is_not_copied(tmp_path: Path) -> None:
    """The decoder patches it up and goes on: the copy must not hand it on to players that do not."""
    path = fault_in_frame(clips.write(tmp_path / "clip.mp4", GROUPS_OF_TEN["no B-frames"]), 50)
    with pytest.raises(av.error.InvalidDataError):
        decoded_strictly(path)
    report = redacted(path, tmp_path / "out", (3,))
    assert "damaged" in report["copied"]["encoded_as_a_whole"]
    assert len(decoded_strictly(tmp_path / "out" / "redacted.mp4")) == report["frames_out"]


def planned(path: Path, masked: set[int]) -> Plan:
    with StrictReader(path, main_stream(path)) as reader:
        pts = [frame.pts for frame in reader]
        return plan_for(path, reader.stream_index, pts, reader.time_base, [n in masked for n in range(len(pts))])


def rendered(path: Path, out: Path, plan: Plan, clear: Callable[[Frame], None]) -> Any:
    def treat(frame: Frame, picture: Picture) -> None:
        del frame, picture

    with StrictReader(path, main_stream(path)) as reader:
        return render_smart(reader, out, treat, clear, plan, sound=None, encoding=Encoding())


def test_a_plan_that_would_copy_a_masked_frame_ends_in_an_error(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", GROUPS_OF_TEN["no B-frames"])

    def clear(frame: Frame) -> None:
        if frame.index == 45:
            raise IntegrityError("masked")

    with pytest.raises(IntegrityError, match="masked"):
        rendered(path, tmp_path / "out.mp4", planned(path, {3}), clear)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_recording_that_changes_while_it_is_read_ends_in_an_error(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", GROUPS_OF_TEN["no B-frames"])
    plan = planned(path, {3})
    clips.write(path, Clip(frames=60, rate=Fraction(25), options=options()))
    with pytest.raises((IntegrityError, NotSmart)):
        rendered(path, tmp_path / "out.mp4", plan, lambda frame: None)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


def test_an_encoder_that_does_not_match_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault: x264 says another picture size than the source."""
    path = clips.write(tmp_path / "clip.mp4", GROUPS_OF_TEN["no B-frames"])
    plan = planned(path, {3})
    set_up = smart.set_up

    def wrong(context: Any, *rest: Any) -> None:
        set_up(context, *rest)
        context.width += 16

    monkeypatch.setattr(smart, "set_up", wrong)
    with pytest.raises(NotSmart, match="picture size"):
        rendered(path, tmp_path / "out.mp4", plan, lambda frame: None)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]

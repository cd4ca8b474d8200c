"""Real files that other programs stumble over: redacted with every frame at its time and upright, or refused in words."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from evidence.errors import CorruptMedia
from evidence.exhibit import Condition
from evidence.redaction import Masks, Redaction
from evidence.track import Origin, Track, TrackBox
from evidence.wire import redaction_to_json, track_to_json
from media.frames import read_frames
from media.planes import arrays, is_full_range
from media.probe import main_stream, probe
from workers.tasks import redact

DATA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "odd"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the odd files are not there: set EXHIBIT_TEST_DATA")

REDACTED = {
    # name: (frames, upright size as written, clockwise turn, sound as written)
    "derived_rot90_face_speech.mp4": (275, (360, 640), 270, ["aac"]),
    "derived_vfr_face_speech.mp4": (132, (640, 360), 0, ["aac"]),
    "tc_h265_10bits.mp4": (30, (200, 200), 0, []),
    "am_hlg10-color-test.mp4": (9, (1920, 1080), 0, ["aac"]),
    "am_dolbyVision-hdr.MOV": (4, (720, 1280), 90, ["aac"]),
    "am_sample_sef_slow_motion.mp4": (63, (320, 240), 0, ["aac"]),
    "am_bbb_800x640_768kbps_30fps_avc_2b_firstpts_10_sec.mp4": (120, (800, 640), 0, []),
    "am_pixel-motion-photo-2-hevc-tracks.mp4": (58, (768, 1024), 90, []),
    "am_sample_empty_track.mp4": (30, (1080, 720), 0, ["aac"]),
    "am_sample.avi": (96, (960, 400), 0, ["mp3"]),
    "am_sample_with_srt.mkv": (30, (1080, 720), 0, ["aac"]),
    "am_sample_rotate_and_reflect.mp4": (30, (720, 1080), 270, ["aac"]),
    "am_bear-vp9-odd-dimensions.webm": (30, (162, 122), 0, []),
    "am_sample_h264.ts": (30, (854, 480), 0, []),
    "am_sample.flv": (30, (1080, 720), 0, ["aac"]),
    "am_bbb_176x144_128kbps_15fps_h263.3gp": (15, (176, 144), 0, []),
    "tc_av1_video.mkv": (125, (640, 360), 0, []),
    "tc_bt709_full_range.mp4": (30, (1280, 720), 0, []),
    "decord_corrupted.mp4": (49, (1280, 720), 0, []),
    "muxjs_segments/test-segment.ts": (134, (388, 300), 0, ["aac"]),
}

UNREADABLE = {
    "derived_truncated_no_moov.mp4": "The index (moov) of the recording is missing",
    "am_sample_malformed_free_box.mp4": "The index (moov) of the recording is missing",
    "exiftool_truncated_QuickTime.mov": "Not one frame of its video stream 0 is there",
    "am_invalid-bitstream.webm": "can't be decoded",
    "mp4parse_chunk_out_of_range.mp4": "its structure is damaged",
    "gpac_fuzz_corpus/france.mp4": "neither picture nor sound",
}


@pytest.mark.parametrize("name", sorted(REDACTED))
def test_an_odd_file_is_redacted(tmp_path: Path, name: str) -> None:
    frames, upright_wh, degrees, sound = REDACTED[name]
    path = DATA / name
    index = main_stream(path)
    with read_frames(path, index) as reader:
        seen = [(f.pts, f.upright_size_wh) for f in reader]
        time_base = reader.time_base
    assert len(seen) == frames
    w, h = seen[0][1]
    box = (w * 0.2, h * 0.3, w * 0.6, h * 0.5)
    track = Track(
        1, "face", "by hand", time_base, tuple(TrackBox(n, p, box, 1, Origin.DETECTED) for n, (p, _) in enumerate(seen))
    )
    analysis = {
        "frame_count": frames,
        "frame_pts": [pts for pts, _ in seen],
        "time_base": str(time_base),
        "size_wh": [w, h],
        "tracks": [track_to_json(track)],
    }
    (tmp_path / "tracks.json").write_text(json.dumps(analysis), "utf-8")
    params = {"redaction": redaction_to_json(Redaction()), "draft": True, "crf": 20, "preset": "ultrafast"}
    inputs = {"original": path, "tracks.json": tmp_path / "tracks.json"}
    report = redact.run(inputs, params, tmp_path, lambda done, total: None)

    made = tmp_path / "redacted.mp4"
    media = probe(made)
    video = media.main_video
    assert video is not None
    assert media.condition is Condition.READABLE
    assert (video.frame_count, video.upright_size_wh, video.rotation_degrees) == (frames, upright_wh, degrees)
    assert [a.codec for a in media.audio] == sound
    assert report["frames_masked"] == frames
    shift = Fraction(report["shift_s"])
    masks = Masks([track], Redaction())
    with read_frames(made, video.index) as reader:
        for frame, (pts, _) in zip(reader, seen, strict=True):
            assert frame.moment.seconds == pts * time_base - shift
            x0, y0, x1, y1 = (round(edge) for edge in masks.at(frame.index)[0])
            luma = frame.orientation.to_upright(np.asarray(arrays(frame.picture)[0], np.uint8))
            black = 0 if is_full_range(frame.picture) else 16
            assert np.abs(luma[max(0, y0) : y1, max(0, x0) : x1].astype(int) - black).max() < 32


@pytest.mark.parametrize("name", sorted(UNREADABLE))
def test_what_can_not_be_read_is_said_in_plain_words(name: str) -> None:
    media = probe(DATA / name)
    assert media.condition is Condition.UNREADABLE
    assert UNREADABLE[name] in media.note
    with pytest.raises(CorruptMedia):
        main_stream(DATA / name)


def test_sound_without_a_picture_that_decodes_is_partly_readable() -> None:
    media = probe(DATA / "exiftool_truncated_M2TS.mts")
    assert media.condition is Condition.PARTLY_READABLE
    assert "Not one frame of it can be decoded" in media.note


def test_an_8k_file_is_probed() -> None:
    video = probe(DATA / "am_8k24fps_300ms.mp4").main_video
    assert video is not None
    assert video.size_wh == (7680, 4320)

"""Writing: as many frames out as in, at the same times, turned and shaped alike, with the sound and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from evidence.errors import IntegrityError
from media.encode import Encoding
from media.frames import Frame, Picture, read_frames
from media.planes import arrays, writable
from media.probe import probe
from media.render import Written, render
from media.sound import SoundTracks
from media.timeline import shift_for
from tests import clips

FAST = Encoding(crf=14, preset="ultrafast")


def nothing(frame: Frame, picture: Picture) -> None:
    del frame, picture


def rendered(path: Path, out: Path, treat: Callable[[Frame, Picture], None] = nothing, *, mute: bool = False) -> Written:
    video = probe(path).main_video
    assert video is not None
    with read_frames(path, video.index) as reader, SoundTracks(path, mute=mute) as sound:
        return render(reader, out, treat, sound=sound, encoding=FAST, shift=shift_for(path, video.index))


def moments(path: Path) -> list[tuple[Fraction, int]]:
    """When each frame is shown, and the number in its picture."""
    video = probe(path).main_video
    assert video is not None
    with read_frames(path, video.index) as reader:
        return [
            (f.moment.seconds, clips.number_in(arrays(f.picture)[0] >> (2 if "10" in f.picture.format.name else 0)))
            for f in reader
        ]


@pytest.mark.parametrize("kind", sorted(clips.KINDS))
def test_frames_times_turn_and_sound_come_through(tmp_path: Path, kind: str) -> None:
    path, out = clips.KINDS[kind](tmp_path), tmp_path / "out.mp4"
    written = rendered(path, out)
    before, after = probe(path), probe(out)
    assert before.main_video is not None
    assert after.main_video is not None
    assert moments(out) == [(seconds - written.shift, number) for seconds, number in moments(path)]
    assert after.main_video.upright_size_wh == tuple(n + n % 2 for n in before.main_video.upright_size_wh)
    assert after.main_video.rotation_degrees == before.main_video.rotation_degrees
    assert (after.main_video.codec, after.main_video.pixel_format.replace("j", "")) == ("h264", "yuv420p")
    assert len(after.audio) == len(before.audio)
    assert all(a.codec in {"aac", "mp3"} for a in after.audio)
    assert after.duration_s == pytest.approx(before.duration_s, abs=0.05)
    assert after.condition.value == "readable"
    assert sound_seconds(out) == pytest.approx(sound_seconds(path), abs=0.1)


def sound_seconds(path: Path) -> list[float]:
    """How long each sound track can be heard, by decoding it."""
    with av.open(str(path)) as container:
        count = len(container.streams.audio)
    found = []
    for track in range(count):
        with av.open(str(path)) as container:
            found.append(float(sum(f.samples / f.sample_rate for f in container.decode(audio=track))))
    return found


def pitch(path: Path, track: int) -> float:
    """The tone of a sound track. Units: Hz."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=track))
    samples = np.concatenate([f.to_ndarray().astype(np.float64)[0] for f in frames])
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * frames[0].sample_rate / len(samples))


def test_sound_is_copied_where_it_can_be_and_made_aac_where_not(tmp_path: Path) -> None:
    path, out = clips.two_tracks(tmp_path), tmp_path / "out.mp4"
    written = rendered(path, out)
    assert written.audio[0].endswith("(aac): copied unchanged")
    assert "made AAC" in written.audio[1]
    assert [round(pitch(out, track), -1) for track in (0, 1)] == [300, 600]
    with av.open(str(path)) as one, av.open(str(out)) as other:
        first = [bytes(p) for p in one.demux(one.streams.audio[0]) if p.size]
        assert [bytes(p) for p in other.demux(other.streams.audio[0]) if p.size] == first


def test_muted_means_there_is_no_sound_track(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    written = rendered(clips.two_tracks(tmp_path), out, mute=True)
    assert written.audio == ["sound track 1: removed", "sound track 2: removed"]
    with av.open(str(out)) as container:
        assert [s.type for s in container.streams] == ["video"]


def test_holes_in_sound_are_filled_so_that_it_stays_with_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "holes.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height = 192, 128
        video.pix_fmt = "yuv420p"
        sound = out.add_stream("pcm_s16le", rate=8000)
        sound.codec_context.layout = "mono"
        for number in range(50):
            frame = clips.picture(number, (192, 128))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
            if not 15 <= number < 30:
                piece = av.AudioFrame.from_ndarray(np.full((1, 320), 9000 if number >= 30 else 0, np.int16), "s16", "mono")
                piece.sample_rate, piece.pts, piece.time_base = 8000, number * 320, Fraction(1, 8000)
                out.mux(sound.encode(piece))
        out.mux(video.encode(None))
    written = rendered(path, tmp_path / "out.mp4")
    assert "1 hole(s) filled with silence" in written.audio[0]
    with av.open(str(tmp_path / "out.mp4")) as container:
        samples = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    assert loud[0] / 8000 == pytest.approx(30 / 25, abs=0.05)


def test_colours_and_shape_are_told_as_they_were(tmp_path: Path) -> None:
    clip = clips.Clip(frames=5, sample_aspect_ratio=Fraction(4, 3), colour=(9, 9, 16), full_range=True)
    path = clips.write(tmp_path / "hdr.mp4", clip)
    rendered(path, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert context.sample_aspect_ratio == Fraction(4, 3)
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (9, 9, 16, 2)


def test_ten_bits_become_eight_with_the_same_brightness(tmp_path: Path) -> None:
    path, out = clips.ten_bit(tmp_path), tmp_path / "out.mp4"
    written = rendered(path, out)
    assert written.video == ["picture converted from yuv420p10le to 8-bit 4:2:0"]
    for plane in range(3):
        before, after = (_plane(p, plane) for p in (path, out))
        assert np.abs(before / 4 - after).mean() < 2


def _plane(path: Path, number: int) -> np.ndarray:
    with read_frames(path, 0) as reader:
        return arrays(next(iter(reader)).picture)[number].astype(float)


def test_nothing_of_the_metadata_is_carried_over(tmp_path: Path) -> None:
    secrets = {"title": "Jane Doe", "location": "+51.5074-000.1278/", "creation_time": "2026-03-02T09:30:00Z"}
    path = clips.write(tmp_path / "in.mp4", clips.Clip(audio=("aac",), metadata=secrets))
    out = tmp_path / "out.mp4"
    rendered(path, out)
    with av.open(str(out)) as container:
        assert not set(container.metadata) & {*secrets, "encoder", "location-eng"}
        assert {s.type for s in container.streams} == {"video", "audio"}
    data = out.read_bytes()
    assert b"Jane Doe" not in data
    assert b"51.5074" not in data
    assert b"Lavf" not in data
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_failure_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    path, out = clips.silent(tmp_path), tmp_path / "out.mp4"

    def fail(frame: Frame, picture: Picture) -> None:
        if frame.index == 20:
            raise RuntimeError("the paint ran out")

    with pytest.raises(RuntimeError, match="paint"):
        rendered(path, out, fail)
    assert list(tmp_path.glob("out*")) == []
    with read_frames(path, 0) as reader, pytest.raises(IntegrityError, match="40 frames can be decoded now, but 41"):
        render(reader, out, nothing, sound=None, encoding=FAST, expected_frames=41)
    assert list(tmp_path.glob("out*")) == []


def test_treating_a_picture_does_not_disturb_those_that_refer_to_it(tmp_path: Path) -> None:
    """A decoder keeps its reference pictures: painting on them would smear into later frames."""
    path, out = clips.open_gop(tmp_path), tmp_path / "out.mp4"

    def blacken_most(frame: Frame, picture: Picture) -> None:
        if frame.index % 7 != 6:
            for plane in writable(picture):
                plane[:] = 16

    rendered(path, out, blacken_most)
    numbers = [number for _, number in moments(out)]
    assert numbers[6::7] == list(range(6, 90, 7))
    assert sum(number == 0 for number in numbers) == 90 - len(range(6, 90, 7))


def test_the_encoder_chooses_its_own_key_frames(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "in.mp4", clips.Clip(options={"g": "3", "bf": "0", "preset": "ultrafast"}))
    rendered(path, tmp_path / "out.mp4")
    with read_frames(tmp_path / "out.mp4", 0) as reader:
        assert sum(frame.picture.key_frame for frame in reader) < 4

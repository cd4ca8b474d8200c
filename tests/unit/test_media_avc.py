"""H.264's parameter sets and packets, as x264 writes them and as nobody should."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import avc
from tests import clips
from tests.clips import Clip


def x264(params: str = "", **options: str) -> dict[str, str]:
    return {"preset": "ultrafast", "x264-params": params or "threads=1", **options}


def record_of(path: Path) -> avc.Record:
    with av.open(str(path)) as container:
        return avc.record(container.streams.video[0].codec_context.extradata)


CLIPS = {
    "plain": Clip(frames=3, options=x264()),
    "baseline": Clip(frames=3, options=x264(profile="baseline")),
    "scaling lists": Clip(frames=3, options=x264("cqm=jvt:8x8dct=1", preset="medium")),
    "b-frames": Clip(frames=3, options=x264(preset="medium", bf="3")),
    "hypothetical decoder": Clip(frames=3, options=x264("nal-hrd=vbr:vbv-maxrate=500:vbv-bufsize=900:pic-struct=1")),
    "wide pixels": Clip(frames=3, options=x264(), sample_aspect_ratio=Fraction(16, 11)),
    "odd pixels": Clip(frames=3, options=x264(), sample_aspect_ratio=Fraction(1081, 1080)),
    "cropped": Clip(frames=3, size_wh=(200, 138), options=x264()),
    "full range": Clip(frames=3, pixel_format="yuvj420p", full_range=True, options=x264()),
    "colours": Clip(frames=3, colour=(9, 9, 16), options=x264()),
    "interlaced": Clip(frames=3, options=x264("interlaced=1", preset="medium")),
    "another id": Clip(frames=3, options=x264("sps-id=7")),
}


@pytest.mark.parametrize("kind", CLIPS)
def test_parameter_sets_say_what_the_decoder_makes_of_them(tmp_path: Path, kind: str) -> None:
    clip = CLIPS[kind]
    path = clips.write(tmp_path / "clip.mp4", clip)
    said = avc.sequence(record_of(path).sequences[0])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        assert said.size_wh == (frame.width, frame.height) == clip.size_wh
        assert said.shape == (stream.sample_aspect_ratio or 1)
        range_, *colours = said.colours
        assert range_ is (frame.color_range == 2)
        assert colours == [frame.color_primaries, frame.color_trc, frame.colorspace]
        assert said.profile in {"baseline", "main", "high"}
        assert said.profile in str(stream.codec_context.profile).lower()
    assert said.interlaced is (kind == "interlaced")
    assert said.reorder == {"b-frames": 2, "interlaced": 2, "scaling lists": 2}.get(kind, 0)
    assert said.id == (7 if kind == "another id" else 0)


def test_other_pictures_than_8_bit_420_are_not_read(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "444.mp4", Clip(frames=3, pixel_format="yuv444p", options=x264()))
    with pytest.raises(avc.NotReadable, match="4:2:0"):
        avc.sequence(record_of(path).sequences[0])


def test_two_records_become_one(tmp_path: Path) -> None:
    one, other = (record_of(clips.write(tmp_path / f"{n}.mp4", Clip(frames=3, options=x264(f"sps-id={n}")))) for n in (0, 5))
    both = avc.record(one.joined(other))
    assert both.sequences == one.sequences + other.sequences
    assert both.pictures == one.pictures + other.pictures
    assert (both.ids, both.length_bytes) == ({0, 5}, 4)


@pytest.mark.parametrize("length", [0, 6, 7, 12, -5])
def test_a_record_cut_off_is_none(tmp_path: Path, length: int) -> None:
    with av.open(str(clips.write(tmp_path / "clip.mp4", CLIPS["baseline"]))) as container:
        whole = container.streams.video[0].codec_context.extradata
    with pytest.raises(avc.NotReadable):
        avc.record((whole or b"")[:length])


def packet(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


IDR, NEXT_SLICE, OTHER, SEI, FILLER = b"\x65\x88data", b"\x65\x44data", b"\x41\x9adata", b"\x06\x05secret", b"\x0c\xffsecret"
KNOWN = avc.Record(66, 0, 30, 4, (b"\x67\x42\x00\x1e",), (b"\x68\xce",))


def test_nothing_but_slices_is_kept() -> None:
    kept = avc.slices(packet(b"\x09\xf0", *KNOWN.sequences, *KNOWN.pictures, SEI, IDR, NEXT_SLICE, FILLER), KNOWN)
    assert kept == [IDR, NEXT_SLICE]
    assert avc.is_idr(kept)
    assert avc.packed(kept) == packet(IDR, NEXT_SLICE)
    assert not avc.is_idr(avc.slices(packet(OTHER), KNOWN))


@given(st.binary(max_size=80), st.binary(max_size=40), st.integers(1, 4))
def test_whatever_a_file_holds_is_read_or_refused(data: bytes, unit: bytes, length_bytes: int) -> None:
    for read in (
        lambda: avc.record(b"\1" + data).ids,
        lambda: avc.record(avc.Record(66, 0, 30, 4, (b"\x67" + unit,), (unit,)).joined(KNOWN)).ids,
        lambda: avc.sequence(b"\x67\x64\0\x1e" + unit),
        lambda: avc.slices(data, avc.Record(66, 0, 30, length_bytes, (), ())),
    ):
        with suppress(avc.NotReadable):
            read()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (packet(IDR, b"\x67\x42\x00\x1f"), "change on the way"),
        (packet(b"\x68\xcf", IDR), "change on the way"),
        (packet(IDR, b"\x74more"), "more than one layer"),
        (packet(IDR, b"\x62part"), "units of kind 2"),
        (packet(IDR, IDR), "exactly one picture"),
        (packet(IDR, b"\x41\x44data"), "exactly one picture"),
        (packet(NEXT_SLICE), "exactly one picture"),
        (packet(SEI), "exactly one picture"),
        (packet(IDR)[:-1], "what its lengths say"),
        (packet(IDR) + b"\0\0\0\0", "what its lengths say"),
        (packet(IDR) + b"\0", "what its lengths say"),
    ],
)
def test_a_packet_of_another_kind_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(avc.NotReadable, match=words):
        avc.slices(data, KNOWN)

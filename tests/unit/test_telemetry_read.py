# ruff: noqa: E501 - a dialogue is one line
"""One way in for every family: what a file is decides who reads it, and what is nothing is refused in words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.errors import BadInput, ExhibitError, NotFound, TooLarge, UnsupportedMedia
from evidence.telemetry import Family, Quantity
from media.telemetry import srt, table
from media.telemetry.read import read
from tests import clips
from tests.dji_dialects import DIALECTS, LONDON, subtitles

GPX = """<?xml version="1.0"?><gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="51.5" lon="-0.12"><time>2024-06-14T20:15:47Z</time></trkpt>
<trkpt lat="51.6" lon="-0.12"><time>2024-06-14T20:16:47Z</time></trkpt></trkseg></trk></gpx>"""
ASS = """[Script Info]
Title: x
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,HOME(W: 0.124, N: 51.5) 2020-11-01 15:29:24\\NGPS(W: 0.124625, N: 51.500729, 161)
Dialogue: 0,0:00:01.50,0:00:02.00,Default,,0,0,0,,HOME(W: 0.124, N: 51.5) 2020-11-01 15:29:25\\NGPS(W: 0.124626, N: 51.500729, 161)
"""
NMEA = "$GPRMC,201547.00,A,5130.0000,N,00007.2000,W,0.0,0.0,140624,,,A*7C\r\n"


def put(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def muxed(video: Path, subtitle: Path, out: Path, *more: str) -> Path:
    coding = "mov_text" if out.suffix in {".mp4", ".mov"} else "srt"
    arguments = ["-i", video, "-i", subtitle, "-map", "0", "-map", "1", "-c:v", "copy", "-c:s", coding, *more, out]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *map(str, arguments)], check=True)
    return out


@pytest.mark.parametrize(
    ("name", "text", "family"),
    [
        ("a.srt", subtitles(DIALECTS["Mini 4 Pro"]), Family.DJI_SRT),
        ("a.txt", subtitles(DIALECTS["Mini 4 Pro"]), Family.DJI_SRT),
        ("a.ass", ASS, Family.DJI_SRT),
        ("a.gpx", GPX, Family.GPX),
        ("a.csv", "time,latitude,longitude\n0,51.5,-0.12\n1,51.6,-0.12\n", Family.CSV),
    ],
)
def test_a_sidecar_is_read_as_what_it_is(tmp_path: Path, name: str, text: str, family: Family) -> None:
    (found,) = read(put(tmp_path, name, text))
    assert found.family is family
    assert found.placed.any()


@pytest.mark.parametrize(
    ("text", "family"),
    [
        (subtitles(DIALECTS["Mini 2 and Mini SE"]), Family.DJI_SRT),
        ("1\n2017.08.05 14:11:51\n[latitude : 51.5] [longtitude : -0.12]\n\n", Family.DJI_SRT),
        ("2017.08.05 14:11:51\n[latitude : 51.5] [longtitude : -0.12]\n\n", Family.DJI_SRT),
        (GPX, Family.GPX),
        ("time,latitude,longitude\n0,51.5,-0.12\n1,51.6,-0.12\n", Family.CSV),
        ('[{"time": "2024-06-14T20:15:47Z", "lat": 51.5, "lon": -0.12}]', Family.JSON),
    ],
)
@pytest.mark.parametrize("name", ["original", "notes.txt"])
def test_a_name_that_says_nothing_changes_nothing(tmp_path: Path, name: str, text: str, family: Family) -> None:
    (found,) = read(put(tmp_path, name, text))
    assert found.family is family
    assert found.placed.any()


def test_letters_and_times_of_a_substation_file(tmp_path: Path) -> None:
    (found,) = read(put(tmp_path, "a.ass", ASS))
    assert list(found.elapsed_us) == [0, 1_500_000]
    assert found.column(Quantity.LONGITUDE)[0] == pytest.approx(-0.124625)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("dialect", ["Matrice 4E, embedded, date beside the count", "Mini 2 and Mini SE", "Phantom 4 RTK"])
def test_subtitles_inside_a_recording_are_read_from_its_first_frame_on(tmp_path: Path, suffix: str, dialect: str) -> None:
    sidecar = put(tmp_path, "a.srt", subtitles(DIALECTS[dialect], 20))
    recording = muxed(clips.write(tmp_path / "clip.mp4"), sidecar, tmp_path / f"with{suffix}")
    (inside,), (beside,) = read(recording), read(sidecar)
    assert inside.family is Family.DJI_SRT
    assert {q: list(v) for q, v in inside.columns.items()} == {q: list(v) for q, v in beside.columns.items()}
    assert np.abs(inside.elapsed_us - beside.elapsed_us).max() <= 1_000
    assert inside.column(Quantity.LATITUDE)[0] == pytest.approx(LONDON[Quantity.LATITUDE], abs=1e-4)


def test_subtitles_for_people_inside_a_recording_are_no_telemetry(tmp_path: Path) -> None:
    spoken = put(tmp_path, "a.srt", "1\n00:00:00,000 --> 00:00:01,000\nTurn left here.\n\n")
    with pytest.raises(UnsupportedMedia, match="subtitles for people"):
        read(muxed(clips.write(tmp_path / "clip.mp4"), spoken, tmp_path / "with.mp4"))
    with pytest.raises(UnsupportedMedia, match="carries no telemetry"):
        read(tmp_path / "clip.mp4")


def test_a_data_track_of_djis_own_is_named_in_the_refusal(tmp_path: Path) -> None:
    """Written as subtitles here; what counts is the handler's name."""
    spoken = put(tmp_path, "a.srt", "1\n00:00:00,000 --> 00:00:01,000\nx\n\n")
    named = ("-metadata:s:s:0", "handler_name=CAM meta")
    recording = muxed(clips.write(tmp_path / "clip.mp4"), spoken, tmp_path / "with.mp4", *named)
    with pytest.raises(UnsupportedMedia, match="djmd"):
        read(recording)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.srt", "", "empty"),
        ("a.srt", b"\0" * 4000, "empty"),
        ("a.ulg", b"ULog\x01\x12\x35" + b"\1" * 99, "own log"),
        ("a.json", '{"a": 1}', "JSON"),
        ("a.html", "<html><body>x</body></html>", "XML or HTML"),
        ("a.srt", "1\n00:00:00,000 --> 00:00:01,000\nTurn left.\n", "subtitles for people"),
        ("a.txt", "just words\nand more\n", "\\w"),
    ],
)
def test_what_carries_nothing_is_refused_with_words_and_advice(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    with pytest.raises(BadInput, match=said) as refusal:
        read(put(tmp_path, name, text))
    assert refusal.value.hint


def test_kml_and_json_are_read_by_their_own(tmp_path: Path) -> None:
    track = "<kml><Track><when>2026-03-02T09:00:00Z</when><coord>-1.8904 52.4862 0</coord></Track></kml>"
    records = '[{"lat": 52.4862, "lon": -1.8904, "time": "2026-03-02T09:00:00Z"}]'
    (by_kml,), (by_json,) = read(put(tmp_path, "a.kml", track)), read(put(tmp_path, "a.json", records))
    assert (by_kml.family, by_json.family) == (Family.KML, Family.JSON)
    assert by_kml.clock_us.tolist() == by_json.clock_us.tolist()


def test_what_is_not_there_or_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound):
        read(tmp_path / "nowhere.srt")
    monkeypatch.setattr(srt, "MAX_BYTES", 50)
    with pytest.raises(TooLarge):
        read(put(tmp_path, "a.srt", subtitles(DIALECTS["Mini 4 Pro"])))


def test_every_dialect_goes_into_a_table_and_back(tmp_path: Path) -> None:
    for dialect in DIALECTS.values():
        (found,) = read(put(tmp_path, "a.srt", subtitles(dialect)))
        table.write(found, tmp_path / "a.parquet")
        again = table.read(tmp_path / "a.parquet")
        assert again.warnings == found.warnings
        assert {q: v.tobytes() for q, v in again.columns.items()} == {q: v.tobytes() for q, v in found.columns.items()}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=400),
        st.sampled_from([GPX, ASS, NMEA * 3, "a,b\n1,2\n"]).flatmap(
            lambda text: st.integers(0, len(text)).map(lambda end: text[:end].encode())
        ),
    ),
    st.sampled_from(["a.srt", "a.gpx", "a.csv", "a.mp4", "a.nmea", "a.bin"]),
)
def test_any_file_is_read_or_refused_in_words(tmp_path: Path, data: bytes, name: str) -> None:
    try:
        found = read(put(tmp_path, name, data))
    except ExhibitError as error:
        refused = str(error)
    else:
        refused = "" if found else "nothing"
    assert refused != "nothing"

"""A redacted copy doesn't say where it was filmed, whichever way it was made; and what would say it is noticed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import av
import pytest

from cli.main import run
from evidence.errors import IntegrityError
from evidence.telemetry import Quantity
from media.location import Kept, require, require_none, traces
from media.telemetry import quicktime
from tests.panning import pan_clip

KARMA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "telemetry/gopro_karma.mp4"


@pytest.mark.skipif(not KARMA.is_file(), reason="the footage is not there: set EXHIBIT_TEST_DATA")
@pytest.mark.parametrize("how", [(), ("--no-smart",)])
def test_a_karmas_flight_is_gone_from_its_copy(how: tuple[str, ...], tmp_path: Path) -> None:
    assert {"a track of GoPro telemetry", "GoPro GPMF: 47 fixes"} <= set(traces(KARMA))
    copy, report = tmp_path / "copy.mp4", tmp_path / "report.json"
    with pytest.raises(SystemExit) as ended:
        run(["redact", str(KARMA), "--output", str(copy), "--report", str(report), "--no-second-look", *how])
    assert not ended.value.code
    assert json.loads(report.read_bytes())["location"] == {"found": [], "kept": None, "of": ""}
    assert traces(copy) == []
    data = copy.read_bytes()
    assert not any(mark in data for mark in (b"gpmd", b"GPMF", b"GLPI", b"\xa9xyz", b"GoPro"))
    with av.open(str(copy)) as container:
        assert {stream.type for stream in container.streams} <= {"video", "audio"}


def placed(folder: Path, place: str) -> Path:
    clip, told = pan_clip(folder / "clip.mp4", frames=12, size_wh=(160, 90)), folder / "told.mp4"
    assert traces(clip) == []
    with av.open(str(clip)) as source, av.open(str(told), "w") as out:
        out.metadata["location"] = place
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return told


def redacted(source: Path, copy: Path, *how: str) -> dict[str, Any]:
    report = copy.with_suffix(".json")
    region = ("--what", "nothing", "--region", "10,10,40,40@0-1", "--no-second-look")
    with pytest.raises(SystemExit) as ended:
        run(["redact", str(source), "--output", str(copy), "--report", str(report), *region, *how])
    assert not ended.value.code
    return dict(json.loads(report.read_bytes()))


@pytest.mark.parametrize("how", [(), ("--no-smart",)])
def test_a_copy_keeps_the_place_of_its_header_where_that_is_asked(how: tuple[str, ...], tmp_path: Path) -> None:
    told = placed(tmp_path, "+52.2000-000.1200+012.000/")
    said = redacted(told, tmp_path / "kept.mp4", "--keep", "location", *how)
    assert said["redaction"]["keep"] == ["location"]
    assert (said["location"]["kept"], said["location"]["of"]) == ("+52.20000-000.12000/", "QuickTime: ISO 6709")
    place = quicktime.read(tmp_path / "kept.mp4")
    there = [place.column(q)[0] for q in (Quantity.LATITUDE, Quantity.LONGITUDE)]
    assert there == pytest.approx([52.2, -0.12], abs=1e-4)
    said = redacted(told, tmp_path / "lost.mp4", *how)
    assert "keep" not in said["redaction"]
    assert said["location"] == {"found": [], "kept": None, "of": ""}
    assert traces(tmp_path / "lost.mp4") == []


def test_a_place_that_there_is_not_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = pan_clip(tmp_path / "clip.mp4", frames=12, size_wh=(160, 90))
    assert redacted(clip, tmp_path / "copy.mp4", "--keep", "location")["location"]["kept"] is None
    assert "names no place" in capsys.readouterr().out
    assert traces(tmp_path / "copy.mp4") == []


@pytest.mark.skipif(not KARMA.is_file(), reason="the footage is not there: set EXHIBIT_TEST_DATA")
def test_of_a_flight_only_its_beginning_is_kept(tmp_path: Path) -> None:
    said = redacted(KARMA, tmp_path / "copy.mp4", "--keep", "location")["location"]
    assert (said["kept"], said["of"]) == ("+33.12537-117.33107/", "GoPro GPMF: GoPro Karma v1.0 GLPI")
    data = (tmp_path / "copy.mp4").read_bytes()
    assert not any(mark in data for mark in (b"gpmd", b"GPMF", b"GLPI", b"GoPro"))


def test_a_copy_that_says_anything_else_than_was_asked_is_refused(tmp_path: Path) -> None:
    told = placed(tmp_path, "+52.2000+000.1200/")
    assert require(told, Kept("+52.20000+000.12000/", "a test"))["kept"] == "+52.20000+000.12000/"
    for wrong in (Kept("+52.20100+000.12000/", "a test"), Kept("nowhere", "a test"), None):
        with pytest.raises(IntegrityError, match="where it was filmed"):
            require(told, wrong)
    with pytest.raises(IntegrityError, match="where it was filmed"):
        require(tmp_path / "clip.mp4", Kept("+52.20000+000.12000/", "a test"))


@pytest.mark.skipif(not KARMA.is_file(), reason="the footage is not there: set EXHIBIT_TEST_DATA")
def test_telemetry_in_a_copy_is_refused_also_where_a_place_is_kept() -> None:
    with pytest.raises(IntegrityError, match="GoPro telemetry"):
        require(KARMA, Kept("+33.12537-117.33107/", "a test"))


def test_what_would_tell_a_place_is_noticed(tmp_path: Path) -> None:
    told = placed(tmp_path, "+52.2000+000.1200/")
    assert any("location" in words for words in traces(told))
    with pytest.raises(IntegrityError, match="where it was filmed"):
        require_none(told)

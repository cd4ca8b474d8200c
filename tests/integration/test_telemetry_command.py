"""`exhibit telemetry` through its child process: each format, what is said aside, and refusals with their exit codes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import gpxpy
import pytest

from cli.exit_codes import ExitCode
from cli.main import run
from tests.dji_dialects import DIALECTS, subtitles

DATA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere"))


def exhibit(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        run(["telemetry", *(str(a) for a in arguments)])
    return int(ended.value.code or 0)


@pytest.fixture
def flight(tmp_path: Path) -> Path:
    path = tmp_path / "DJI_0001.SRT"
    path.write_text(subtitles(DIALECTS["Mavic 3 Enterprise"], 90))
    return path


def test_each_format_goes_to_a_file_or_to_standard_output(
    flight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exhibit(flight, "--to", "geojson", "-o", tmp_path / "a.geojson", "--ground") == 0
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert sum(feature["properties"]["kind"] == "fix" for feature in features) == 90
    assert sum(feature["properties"]["kind"] == "footprint" for feature in features) == 3
    assert exhibit(flight, "--to", "gpx", "-o", tmp_path / "a.gpx", "--every", "1") == 0
    assert len(gpxpy.parse((tmp_path / "a.gpx").read_text()).tracks[0].segments[0].points) == 3
    assert exhibit(flight, "--to", "kml", "-o", tmp_path / "a.kml") == 0
    ElementTree.parse(tmp_path / "a.kml")
    capsys.readouterr()
    assert exhibit(flight, "--to", "csv") == 0
    told = capsys.readouterr()
    assert len(list(csv.DictReader(told.out.splitlines()))) == 90
    # What is said about the file stays out of the result.
    assert "90 fixes, 90 with a place" in told.err


def test_the_table_shows_seconds_and_says_what_is_assumed(flight: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exhibit(flight) == 0
    told = capsys.readouterr().out
    assert "51.500729" in told
    assert "-89.1" in told
    assert "clock: local, no zone given" in told


@pytest.mark.parametrize("form", [(), ("--to", "csv"), ("--json",)])
def test_a_reader_that_leaves_is_no_error(flight: Path, form: tuple[str, ...]) -> None:
    """As `| head` does: not a word, and the exit code that other programs have then."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "cli.main", "telemetry", str(flight), *form]
    try:
        ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write)
    assert ended.returncode == ExitCode.UNREAD, ended.stderr
    assert "Error" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_summary_as_json(flight: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exhibit(flight, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    (source,) = summary["sources"]
    assert (source["family"], source["fixes"], source["placed"]) == ("DJI SRT", 90, 90)
    assert source["clock_first"] == "2024-06-14T20:15:47.042000"
    assert "camera_pitch_deg" in source["fields"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.srt", "1\n00:00:00,000 --> 00:00:01,000\nTurn left here.\n", "subtitles for people"),
        ("a.srt", "1\n", "before its first subtitle"),
        ("a.srt", "", "empty"),
        ("a.txt", "just words\n", "no columns"),
    ],
)
def test_a_refused_file_is_a_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    assert exhibit(tmp_path / name, "--to", "gpx", "-o", tmp_path / "out.gpx") == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert not (tmp_path / "out.gpx").exists()


def test_nothing_is_written_over_and_wrong_use_is_said(
    flight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.gpx").write_text("mine")
    assert exhibit(flight, "--to", "gpx", "-o", tmp_path / "there.gpx") == 3
    assert (tmp_path / "there.gpx").read_text() == "mine"
    assert exhibit(flight, "--to", "gpx", "-o", tmp_path / "nowhere" / "a.gpx") == 2
    assert exhibit(flight, "--to", "gpx", "--ground") == 2
    assert exhibit(tmp_path / "missing.srt") == 2
    assert exhibit(flight, "--to", "shapefile") == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.skipif(not DATA.is_dir(), reason="no footage at hand")
def test_a_recording_of_a_drone_becomes_a_track(tmp_path: Path) -> None:
    assert exhibit(DATA / "telemetry/gopro_karma.mp4", "--to", "gpx", "-o", tmp_path / "a.gpx") == 0
    points = gpxpy.parse((tmp_path / "a.gpx").read_text()).tracks[0].segments[0].points
    assert points[0].time is not None
    misb = DATA / "telemetry/misb_osh_dev_first40pct.ts"
    assert exhibit(misb, "--to", "geojson", "-o", tmp_path / "a.json", "--ground") == 0
    kinds = [feature["properties"]["kind"] for feature in json.loads((tmp_path / "a.json").read_text())["features"]]
    assert kinds.count("footprint") >= 3

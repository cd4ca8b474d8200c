"""LOCATE's media part: somebody walks below a drone whose subtitles say where it looks, and is placed with his speed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from evidence import earth
from evidence.sight import FILM_MM
from evidence.track import Origin, Track, TrackBox
from evidence.wire import tracks_file
from workers.tasks import locate

SIZE = (1920, 1080)
HERE = np.array([[52.200013, 0.120034]])
PACE = (1.2, -0.9)
SECONDS, RATE = 6, 25


def cues() -> str:
    """A drone that stands at 50 m and looks straight down, its picture's upper edge to the east."""
    place = "[latitude: 52.200013] [longitude: 0.120034]"
    looks = "[rel_alt: 50.000 abs_alt: 90.000] [gb_yaw: 90.0 gb_pitch: -90.0 gb_roll: 0.0] [focal_len: 24.00]"
    return "".join(
        f"{n + 1}\n00:00:{n:02d},000 --> 00:00:{n + 1:02d},000\n2026-07-01 12:00:{n:02d}.000\n{place} {looks}\n\n"
        for n in range(SECONDS)
    )


def walker(number: int, label: str) -> Track:
    """From the middle at an even pace. With the upper edge to the east, right is south."""
    pixels_per_m = SIZE[0] / 2 / (50 * FILM_MM / 24)
    boxes = []
    for frame in range(SECONDS * RATE):
        east, north = (frame / RATE * pace for pace in PACE)
        x, y = SIZE[0] / 2 - north * pixels_per_m, SIZE[1] / 2 - east * pixels_per_m
        boxes.append(TrackBox(frame, frame * 512, (x - 20, y - 60, x + 20, y), 0.9, Origin.DETECTED))
    return Track(number, label, "a model", Fraction(1, 512 * RATE), tuple(boxes))


def test_who_walks_is_placed_about_once_a_second_with_speed_and_heading(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"no video")
    (tmp_path / "cues").write_text(cues(), "utf-8")
    frame_pts = [frame * 512 for frame in range(SECONDS * RATE)]
    tracks = [walker(1, "person"), walker(2, "face")]
    whole = tracks_file(frame_pts, Fraction(1, 512 * RATE), SIZE, tracks, {})
    (tmp_path / "tracks.json").write_text(whole, "utf-8")
    out = tmp_path / "out"
    out.mkdir()
    inputs = {"original": tmp_path / "film", "sidecar-0": tmp_path / "cues", "tracks.json": tmp_path / "tracks.json"}
    params = {"size_wh": SIZE, "duration_us": SECONDS * 1_000_000, "start_utc_us": None}
    params |= {"sidecars": [{"reference": "ABC/2"}], "filenames": ["DJI_0001.MP4", "DJI_0001.SRT"]}
    told = locate.run(inputs, params, out, lambda done, of: None)
    assert told["located_by"] == 0
    again = tmp_path / "again"
    again.mkdir()
    fixes = {"telemetry-0.parquet": out / "telemetry-0.parquet"}
    late = {"tracks.json": tmp_path / "tracks.json", **fixes}
    assert locate.run(late, {**params, "before": told}, again, lambda done, of: None) == told
    for name in ("seconds-0.npz", "located.npz"):
        with np.load(out / name) as first, np.load(again / name) as second:
            assert {key: first[key].tobytes() for key in first} == {key: second[key].tobytes() for key in second}
    with np.load(out / "located.npz") as found:
        columns = dict(found)
    assert columns["track"].tolist() == [1] * SECONDS, "a face stands on nothing"
    truth = earth.moved(np.tile(HERE, (SECONDS, 1)), columns["at_us"][:, None] / 1e6 * np.array(PACE))
    assert earth.distance_m(columns["latlon"], truth) == pytest.approx(np.zeros(SECONDS), abs=0.05)
    assert (columns["ellipse"][:, 0] > 5).all()
    speed, error, heading, turned = columns["motion"].T
    assert speed == pytest.approx(np.full(SECONDS, 1.5), abs=0.02)
    assert (error < 1.5).all()
    known = np.isfinite(heading)
    assert known.sum() >= SECONDS - 2
    assert heading[known] == pytest.approx(np.full(int(known.sum()), 126.87), abs=0.5)
    assert (turned[known] < 60).all()

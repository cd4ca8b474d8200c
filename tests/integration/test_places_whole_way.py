"""From `exhibit upload` into a running `exhibit up` to fixes, footprints and a found spot: a Karma's flight, a MISB stream,
and a drone's subtitles beside a video.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.factories import PASSWORD
from tests.integration.test_cli_up import EXHIBIT, Up, environ, processes_of
from tests.panning import pan_clip

FLIGHTS = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "telemetry"
pytestmark = pytest.mark.skipif(not FLIGHTS.is_dir(), reason="the footage is not there: set EXHIBIT_TEST_DATA")

CASE = "01AB/777/26"
_PATIENCE_S = 120
GIMBAL = "[rel_alt: 50.000 abs_alt: 90.000] [gb_yaw: 0.0 gb_pitch: -90.0 gb_roll: 0.0] [focal_len: 24.00]"
CUES = f"""1
00:00:00,000 --> 00:00:00,500
2026-07-01 12:00:00.000
[latitude: 52.200000] [longitude: 0.120000] {GIMBAL}

2
00:00:00,500 --> 00:00:01,000
2026-07-01 12:00:00.500
[latitude: 52.200000] [longitude: 0.120100] {GIMBAL}
"""


@dataclass(slots=True)
class House:
    """A running installation, and somebody who works in its case."""

    up: Up
    data: Path
    token: str
    client: httpx.Client

    def upload(self, *files: Path) -> list[str]:
        """Send files as people do; the exhibits that they became."""
        address = ["--server", self.up.told["address"], "--case", CASE, "--kind", "drone", "--json"]
        said = run("upload", *map(str, files), *address, EXHIBIT_TOKEN=self.token)
        return [file["exhibit"] for file in json.loads(said)["uploads"]]

    def located(self, exhibit: str, attempt: int = 1) -> dict[str, Any]:
        """The step LOCATE of an exhibit, once it has ended that often."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            steps = self.get(f"exhibits/{exhibit}")["steps"]
            done = [s for s in steps if s["step"] == "locate" and s["state"] in {"done", "failed", "quarantined"}]
            if done and done[0]["attempt"] >= attempt:
                for other in {s["step"] for s in steps if s["state"] in {"ready", "running"}} - {"locate"}:
                    self.client.post(f"/api/v1/exhibits/{exhibit}/steps/{other}/cancel")  # nothing here waits for it
                return dict(done[0])
            assert time.monotonic() < deadline, (steps, self.up.said()[-3000:])
            time.sleep(0.2)

    def get(self, path: str, **params: str) -> Any:
        answer = self.client.get(f"/api/v1/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


def run(*command: str, data: Path | None = None, **more: str) -> str:
    where = [] if data is None else ["--data", str(data)]
    done = subprocess.run([*EXHIBIT, *command, *where], env=environ(**more), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def choose_password(address: str, name: str, given: str) -> None:
    with httpx.Client(base_url=f"{address}/api/v1", timeout=20, trust_env=False) as client:
        signed_in = client.post("/sessions", json={"name": name, "password": given}).raise_for_status().json()
        client.headers["X-CSRF-Token"] = signed_in["csrf"]
        client.put("/me/password", json={"current": given, "new": PASSWORD}).raise_for_status()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="exhibit-places-"))
    data = folder / "data"
    up = Up(data, tmp_path_factory.mktemp("said") / "said")
    try:
        given = json.loads(run("user", "add", "dc.jones", "--role", "investigator", "--json", data=data))["password"]
        choose_password(up.told["address"], "dc.jones", given)
        token = json.loads(run("token", "create", "dc.jones", "--label", "test", "--json", data=data))["token"]
        run("case", "create", CASE, "--as", "dc.jones", data=data)
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=up.told["address"], headers=headers, timeout=20, trust_env=False) as client:
            yield House(up, data, token, client)
    finally:
        up.end(signal.SIGTERM)
        for process in processes_of(folder):
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_karmas_flight_is_on_the_map_by_the_satellites_time(house: House) -> None:
    (exhibit,) = house.upload(FLIGHTS / "gopro_karma.mp4")
    step = house.located(exhibit)
    assert (step["state"], step["error"]) == ("done", "")
    told = house.get(f"exhibits/{exhibit}/fixes")
    (source,) = [s for s in told["sources"] if s["family"] == "GoPro GPMF"]
    assert (source["fixes"], source["placed"], source["exhibit"]) == (47, 47, exhibit)
    fixes = [fix for fix in told["fixes"] if fix["source"] == source["id"]]
    assert (round(fixes[0]["lat"], 4), round(fixes[0]["lon"], 4)) == (33.1254, -117.3311)
    assert fixes[0]["utc"].startswith("2017-04-17T19:27:57")
    assert fixes[0]["utc_error_s"] == 1.0
    assert fixes[-1]["at_s"] - fixes[0]["at_s"] > 10
    assert all(footprint["why"] for footprint in told["footprints"]), "what was assumed is said"
    (sighting,) = house.get("search", near="33.12537,-117.33107,30")["sightings"]
    assert (sighting["exhibit"], sighting["by"], sighting["certainty"]) == (exhibit, "position", "measured")
    assert house.client.get(f"/api/v1/exhibits/{exhibit}/outputs/{source['output']}").content.startswith(b"PAR1")


def test_a_misb_stream_tells_what_it_filmed_and_when(house: House) -> None:
    (exhibit,) = house.upload(FLIGHTS / "misb_osh_dev_first40pct.ts")
    assert house.located(exhibit)["state"] == "done"
    told = house.get(f"exhibits/{exhibit}/fixes")
    (source,) = told["sources"]
    assert (source["family"], source["fixes"]) == ("MISB KLV", 110)
    corners = told["footprints"][0]["corners"]
    middle = [sum(corner[axis] for corner in corners) / 4 for axis in (0, 1)]
    found = house.get("search", near=f"{middle[0]},{middle[1]},20")["sightings"]
    (sighting,) = [s for s in found if s["exhibit"] == exhibit]
    assert (sighting["by"], sighting["from_s"]) == ("footprint", 0.0)
    assert sighting["utc_from"].startswith("2012-06-29T14:32:34")
    assert house.get("search", near=f"{middle[0] + 0.2},{middle[1]},20")["sightings"] == []


def test_subtitles_that_come_after_their_video_say_where_it_was_and_broken_ones_stop_nothing(
    house: House, tmp_path: Path
) -> None:
    film = pan_clip(tmp_path / "DJI_0042.MP4", frames=25, size_wh=(320, 180))
    (video,) = house.upload(film)
    first = house.located(video)
    assert (first["state"], house.get(f"exhibits/{video}/fixes")["sources"]) == ("done", [])
    beside = tmp_path / "DJI_0042.SRT"
    beside.write_text(CUES, "utf-8")
    (sidecar,) = house.upload(beside)
    again = house.located(video, attempt=2)
    assert (again["state"], again["error"]) == ("done", "")
    (pair,) = house.get(f"exhibits/{video}/pairs")["pairs"]
    assert (pair["sidecar"], pair["how"]) == (sidecar, "same file name")
    told = house.get(f"exhibits/{video}/fixes")
    assert [(s["exhibit"], s["family"], s["placed"]) for s in told["sources"]] == [(sidecar, "DJI SRT", 2)]
    assert told["fixes"][0]["claimed"] == "2026-07-01T12:00:00.000"
    (sighting,) = house.get("search", near="52.2,0.12,5")["sightings"]
    assert (sighting["exhibit"], sighting["by"]) == (video, "footprint")

    broken = tmp_path / "DJI_0043.SRT"
    broken.write_text("1\n00:00:00,000 --> 00:00:00,500\n[latitude: no] [longitude: no]\n", "utf-8")
    (odd,) = house.upload(broken)
    assert house.located(odd)["state"] == "done"
    house.client.post(f"/api/v1/exhibits/{video}/pair", json={"other": odd}).raise_for_status()
    third = house.located(video, attempt=3)
    assert (third["state"], "DJI SRT: 2 fixes" in third["note"]) == ("done", True)

"""Places over HTTP: an exhibit's fixes and footprints, who filmed a spot, pairs and clocks, each in the custody log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest

from evidence.case import Case, Role
from evidence.exhibit import Exhibit, FileType
from evidence.steps import Step
from evidence.telemetry import Zone
from storage.ledger.places import NewLocated, NewPlaces
from tests.devices import rectangle, seconds, source
from tests.factories import track
from tests.served import API, Person, Served, own_settings, served
from tests.services import Services

HERE = (52.2, 0.12)
START = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp())


@pytest.fixture(scope="module")
def here(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with own_settings(services, tmp_path_factory.mktemp("places"), plate_model="") as settings, served(settings) as server:
        yield server


@pytest.fixture(scope="module")
def maker(here: Served) -> Person:
    return here.person(Role.INVESTIGATOR)


@pytest.fixture(scope="module")
def case(here: Served, maker: Person) -> Case:
    return here.make.case(maker.user)


@pytest.fixture(scope="module")
def client(here: Served, maker: Person) -> httpx.Client:
    return here.client(maker)


@pytest.fixture(scope="module")
def flown(here: Served, maker: Person, case: Case) -> Exhibit:
    """Twenty seconds over a spot, with a car on it; the camera sees the ground in the first fifteen."""
    exhibit = here.exhibit(maker, case, filename="DJI_0001.MP4")
    here.make.finish(here.make.claim(Step.PROBE))
    way = np.broadcast_to(np.array(HERE), (20, 2))
    corners = rectangle(way, np.zeros(20), 80, 45)
    corners[15:] = np.nan
    found = source(exhibit.id, seconds(way, corners, clock_s=START), zone=Zone.LOCAL.value, warnings=["a gap"])
    car = NewLocated(
        0,
        ["car"],
        np.array([1]),
        np.array([0]),
        np.array([HERE]),
        np.array([[4.0, 2.0, 30.0]]),
        np.array([2], np.uint8),
        np.array([1]),
        np.array([[13.418, 2.06, 90.04, 8.8]]),
    )
    here.make.finish(here.make.claim(Step.LOCATE), places=NewPlaces((found,), car))
    here.make.analysed(exhibit, tracks=[track(1, "car", first=50, frames=50)])
    return exhibit


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def test_an_exhibit_tells_where_it_was_and_what_it_looked_at(here: Served, client: httpx.Client, flown: Exhibit) -> None:
    before = here.last_event()
    told = ok(client.get(f"{API}/exhibits/{flown.id}/fixes"))
    (one,) = told["sources"]
    assert (one["exhibit"], one["family"], one["fixes"], one["placed"]) == (flown.id, "DJI SRT", 20, 20)
    assert (one["zone"], one["warnings"], one["residual_s"]) == (Zone.LOCAL.value, ["a gap"], None)
    first = told["fixes"][0]
    assert (first["at_s"], first["lat"], first["lon"], first["certainty"]) == (0.0, *HERE, "measured")
    assert (first["claimed"], first["utc"], first["utc_error_s"]) == (
        "2026-07-01T12:00:00.000",
        "2026-07-01T11:00:00Z",
        60.0,
    )
    assert [fix["at_s"] for fix in told["fixes"]] == [float(n) for n in range(20)]
    seen, blind = told["footprints"][0], told["footprints"][-1]
    assert (len(seen["corners"]), seen["certainty"]) == (4, "derived")
    assert (blind["corners"], blind["certainty"], blind["camera"]) == (None, None, list(HERE))
    (car,) = told["located"]
    assert (car["track"], car["label"], car["ellipse"]) == (1, "car", [4.0, 2.0, 30.0])
    assert (car["speed_mps"], car["speed_error_mps"], car["heading"], car["heading_error"]) == (13.42, 2.06, 90.0, 8.8)
    fewer = ok(client.get(f"{API}/exhibits/{flown.id}/fixes", params={"every_s": 10}))
    assert [fix["at_s"] for fix in fewer["fixes"]] == [f["at_s"] for f in fewer["footprints"]] == [0.0, 10.0]
    assert "viewed" in here.events(before)


def test_a_spot_is_searched_together_with_label_and_time(
    here: Served, client: httpx.Client, case: Case, flown: Exhibit
) -> None:
    def found(**query: object) -> list[tuple[object, ...]]:
        answer = ok(client.get(f"{API}/search", params=query))  # type: ignore[arg-type]
        assert (answer["dated"], answer["undated"]) == ([], [])
        return [(s["exhibit"], s["by"], s["from_s"], s["to_s"]) for s in answer["sightings"]]

    footprint, position = (flown.id, "footprint", 0.0, 14.0), (flown.id, "position", 15.0, 19.0)
    assert found(near="52.2,0.12,10") == [footprint, position]
    assert found(bbox="0.119,52.199,0.121,52.201") == [footprint, position]
    assert found(polygon="0.1195,52.1999;0.1199,52.1999;0.1199,52.2001") == [footprint]
    assert found(near="52.2,0.12,10", label="car") == [(flown.id, "footprint", 1.0, 3.0)]
    assert found(near="52.2,0.12,10", label="dog") == []
    assert found(near="52.2,0.12,10", to="2026-07-01T10:00:00Z") == []
    assert found(near="52.2,0.12,10", case=case.reference, kind="bodyworn", limit=1) == [footprint]
    before = here.last_event()
    (sighting, *_) = ok(client.get(f"{API}/search", params={"near": "52.2,0.12,10"}))["sightings"]
    assert (sighting["case"], sighting["reference"], sighting["certainty"]) == (case.reference, flown.reference, "derived")
    assert (sighting["utc_from"], sighting["utc_error_s"]) == ("2026-07-01T11:00:00Z", 60.0)
    assert 0 < sighting["quality"] < 1
    (event,) = here.storage.index.audit_events(after=before)
    assert (event.verb.value, event.details["place"]) == ("searched", "near=52.2,0.12,10")
    assert ok(here.client(here.person()).get(f"{API}/search", params={"near": "52.2,0.12,10"}))["sightings"] == []


@pytest.mark.parametrize(
    "query", [{"bbox": "1,2,3"}, {"near": "95,0,5"}, {"polygon": "1,2"}, {"near": "1,1,1", "bbox": "1,1,2,2"}]
)
def test_what_is_no_place_is_refused(client: httpx.Client, query: dict[str, str]) -> None:
    answer = client.get(f"{API}/search", params=query)
    assert (answer.status_code, "bbox" in answer.json()["hint"]) == (400, True)


def test_a_sidecar_is_paired_parted_and_both_are_in_the_log(
    here: Served, maker: Person, case: Case, client: httpx.Client, flown: Exhibit
) -> None:
    beside = here.make.exhibit(maker.user, case, b"no cues", FileType.TELEMETRY, filename="other.srt")
    path = f"{API}/exhibits/{flown.id}"
    before = here.last_event()
    (pair,) = ok(client.post(f"{path}/pair", json={"other": beside.id, "offset_s": -1.5}), 202)["pairs"]
    assert (pair["sidecar"], pair["video"], pair["offset_s"], pair["made_by"]) == (
        beside.id,
        flown.id,
        -1.5,
        maker.user.name,
    )
    assert ok(client.get(f"{API}/exhibits/{beside.id}/pairs"))["pairs"] == [pair]
    (locate,) = [s for s in ok(client.get(path))["steps"] if s["step"] == "locate"]
    assert locate["state"] == "ready"
    assert ok(client.post(f"{API}/exhibits/{beside.id}/unpair", json={"other": flown.id}), 202)["pairs"] == []
    assert client.post(f"{path}/unpair", json={"other": beside.id}).status_code == 409
    assert client.post(f"{path}/pair", json={"other": flown.id}).status_code == 400
    assert {"sidecar paired", "sidecar parted"} <= set(here.events(before))


def test_a_clock_is_corrected_and_what_the_device_said_stays(
    here: Served, client: httpx.Client, flown: Exhibit, maker: Person
) -> None:
    path = f"{API}/exhibits/{flown.id}/clock"
    here.work_off()
    way = np.broadcast_to(np.array(HERE), (5, 2))
    found = source(flown.id, seconds(way, clock_s=START), zone=Zone.LOCAL.value)
    (run,) = [r for r in here.storage.index.step_runs(flown.id) if r.step is Step.LOCATE]
    here.storage.ledger.steps.retry(maker.user, run.id)
    here.make.finish(here.make.claim(Step.LOCATE), places=NewPlaces((found,)))
    said = {"claim": "DJI SRT", "offset_s": -3597.5, "error_s": 0.5, "words": "the station clock", "at_s": 12.4}
    (made,) = ok(client.post(path, json={**said, "evidence": "a trusted clock, filmed"}), 202)["corrections"]
    assert {key: made[key] for key in said} == said
    assert (made["made_by"], ok(client.get(path))["corrections"]) == (maker.user.name, [made])
    first = ok(client.get(f"{API}/exhibits/{flown.id}/fixes"))["fixes"][0]
    assert (first["claimed"], first["utc"], first["utc_error_s"]) == (
        "2026-07-01T12:00:00.000",
        "2026-07-01T11:00:02.500000Z",
        0.5,
    )
    for wrong in ({"claim": "sundial"}, {"words": "  "}):
        assert client.post(path, json={**said, **wrong}).status_code == 400
    for wrong in ({"error_s": -1}, {"evidence": "a hunch"}, {"words": ""}):
        assert client.post(path, json={**said, **wrong}).status_code in {400, 422}

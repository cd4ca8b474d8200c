"""Two recordings of a case show how far their clocks lie apart: by a way that both went, by events that both show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from evidence import earth
from evidence.case import Case, Role
from evidence.exhibit import Exhibit
from evidence.steps import Step
from evidence.telemetry import Family
from storage.ledger.places import NewPlaces
from tests.devices import seconds, source
from tests.served import API, Person, Served, own_settings, served
from tests.services import Services

START = 1_782_900_000


@pytest.fixture(scope="module")
def here(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with own_settings(services, tmp_path_factory.mktemp("clocks")) as settings, served(settings) as server:
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


def walked(here: Served, maker: Person, case: Case, ahead_s: int, east_m: float = 0.0, n: int = 240) -> Exhibit:
    """Somebody who goes round corners, written by a clock that is so far ahead, and so far beside the same way."""
    t = np.arange(n, dtype=float)
    way = np.stack([60 * np.sin(t / 23) + east_m, 40 * np.sin(t / 11) + 0.5 * t], -1)
    place = earth.moved(np.tile([51.5, -0.1], (n, 1)), way)
    exhibit = here.exhibit(maker, case)
    here.make.finish(here.make.claim(Step.PROBE))
    told = source(exhibit.id, seconds(place, clock_s=START + ahead_s), family=Family.GPX.value)
    here.make.finish(here.make.claim(Step.LOCATE), places=NewPlaces((told,)))
    return exhibit


@pytest.fixture(scope="module")
def three(here: Served, maker: Person, case: Case) -> list[Exhibit]:
    """Two that went one way, the second's clock 64 seconds ahead; and one half a kilometre away."""
    return [walked(here, maker, case, *about) for about in ((0,), (64, 4.0), (0, 500.0))]


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_case_tells_which_recordings_went_one_way_and_whether_their_clocks_contradict(
    here: Served, case: Case, client: httpx.Client, three: list[Exhibit]
) -> None:
    before = here.last_event()
    told = ok(client.get(f"{API}/cases/{case.id}/clocks"))
    (found,) = told["clocks"]
    assert {found["first"], found["second"]} == {three[0].id, three[1].id}
    ahead = found["offset_s"] if found["second"] == three[1].id else -found["offset_s"]
    assert abs(ahead - 64) <= found["error_s"] < 5
    assert not found["contradicts"], "neither clock was checked: each may be a minute off"
    assert not told["too_many"]
    assert "viewed" in here.events(before)
    ok(client.get(f"{API}/exhibits/{three[0].id}/clock/against/{three[1].id}"))
    assert ok(client.get(f"{API}/exhibits/{three[0].id}/clock/against/{three[2].id}"))["clocks"] == []


def test_clocks_that_are_corrected_to_a_second_contradict_each_other(
    here: Served, maker: Person, case: Case, client: httpx.Client, three: list[Exhibit]
) -> None:
    for exhibit in three[:2]:
        body = {"claim": "GPX", "offset_s": 0, "error_s": 1, "words": "the station's clock in both"}
        assert client.post(f"{API}/exhibits/{exhibit.id}/clock", json=body).status_code == 202
    (found,) = ok(client.get(f"{API}/cases/{case.id}/clocks"))["clocks"]
    assert found["contradicts"]


def test_events_that_both_show_tell_it_too(client: httpx.Client, three: list[Exhibit]) -> None:
    """The flash is seen at 10 s in one and, by its clock, 64 s later in the other, at its 12 s: two seconds of talk."""
    path = f"{API}/exhibits/{three[0].id}/clock/against/{three[1].id}"
    (found,) = ok(client.get(path, params={"events": "10,12;100.5,102.4"}))["clocks"]
    assert found["offset_s"] == pytest.approx(64 + 1.95)
    assert (found["first"], found["second"], found["rests_on"]) == (three[0].id, three[1].id, 2)
    assert 0.3 < found["error_s"] < 1


@pytest.mark.parametrize("events", ["x", "1", "1,2,3", "1,1e400", "1/0,2", "nan,1", "1,1e999999999", ";", "1,2;" * 51])
def test_what_is_no_event_is_refused(client: httpx.Client, three: list[Exhibit], events: str) -> None:
    path = f"{API}/exhibits/{three[0].id}/clock/against/{three[1].id}"
    answer = client.get(path, params={"events": events})
    assert (answer.status_code, "events=" in answer.json()["hint"]) == (400, True)


def test_a_recording_that_tells_no_time_says_so(
    here: Served, maker: Person, case: Case, client: httpx.Client, three: list[Exhibit]
) -> None:
    silent = here.exhibit(maker, case)
    path = f"{API}/exhibits/{three[0].id}/clock/against/{silent.id}"
    assert ok(client.get(path))["clocks"] == []
    answer = client.get(path, params={"events": "1,1"})
    assert (answer.status_code, silent.reference in answer.json()["detail"]) == (400, True)


def test_only_what_one_may_see_is_compared(here: Served, case: Case, client: httpx.Client, three: list[Exhibit]) -> None:
    officer = here.person(Role.OFFICER)
    with here.client(officer) as other:
        answer = other.get(f"{API}/exhibits/{three[0].id}/clock/against/{three[1].id}")
        assert answer.status_code == 404

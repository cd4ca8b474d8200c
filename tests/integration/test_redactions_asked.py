"""A redaction of chosen tracks and drawn regions, asked for by the API and on the page: one and the same value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from evidence.case import Role
from evidence.exhibit import Exhibit
from evidence.redaction import Hide, Keep
from evidence.steps import Step
from evidence.wire import redaction_from_json
from tests.factories import LEASE
from tests.served import API, Person, Served, own_settings, served
from tests.services import Services


@pytest.fixture(scope="module")
def here(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with own_settings(services, tmp_path_factory.mktemp("asked"), plate_model="") as settings, served(settings) as server:
        yield server


@pytest.fixture
def maker(here: Served) -> Person:
    return here.person(Role.INVESTIGATOR)


@pytest.fixture
def exhibit(here: Served, maker: Person) -> Exhibit:
    """Analysed: a person, track 1, and a car, track 2."""
    return here.analysed(maker, here.make.case(maker.user))


@pytest.fixture
def client(here: Served, maker: Person) -> httpx.Client:
    return here.client(maker)


def asked_last(here: Served, exhibit: Exhibit) -> dict[str, Any]:
    runs = [run for run in here.storage.index.step_runs(exhibit.id) if run.step is Step.REDACT and run.params]
    return dict(max(runs, key=lambda run: run.created_at).params)


def newest_tracks(here: Served, exhibit: Exhibit) -> str:
    return here.storage.index.outputs(exhibit.id, step=Step.TRACK, name="tracks.json")[0].sha256


REGION = {"box_xyxy": [10, 20, 30.5, 40], "from": "1", "to": {"pts": 50, "time_base": "1/25"}, "reason": "a letter"}


def test_the_api_takes_chosen_tracks_and_regions(here: Served, exhibit: Exhibit, client: httpx.Client) -> None:
    listed = client.get(f"{API}/exhibits/{exhibit.id}/tracks").json()
    assert listed["analysis"] == newest_tracks(here, exhibit)
    asking = f"{API}/exhibits/{exhibit.id}/redactions"
    kept = {
        "what": ["people"],
        "keep_tracks": [1],
        "keep": ["location"],
        "regions": [REGION],
        "reason": "the witness",
        "analysis": listed["analysis"],
    }
    assert client.post(asking, json=kept).status_code == 202
    redaction = redaction_from_json(asked_last(here, exhibit))
    assert (redaction.what, redaction.keep_tracks, redaction.only_tracks) == ({Hide.PEOPLE}, {1}, frozenset())
    assert (redaction.analysis, redaction.reason) == (listed["analysis"], "the witness")
    assert redaction.keep == {Keep.LOCATION}
    assert client.post(asking, json={**kept, "keep": ["sound"]}).status_code == 422
    (region,) = redaction.regions
    assert (region.box_xyxy, region.reason) == ((10, 20, 30.5, 40), "a letter")
    assert (region.span.start.seconds, region.span.end.seconds) == (1, 2)
    for body, what in (({"only_tracks": [2]}, set()), ({"only_tracks": [1], "what": ["heads"]}, {Hide.HEADS})):
        assert client.post(asking, json=body).status_code == 202
        redaction = redaction_from_json(asked_last(here, exhibit))
        assert (redaction.what, redaction.analysis) == (what, listed["analysis"])
    assert client.post(asking, json={"what": [], "regions": [REGION]}).status_code == 202
    assert redaction_from_json(asked_last(here, exhibit)).what == frozenset()
    here.work_off()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"keep_tracks": [7]}, "no track 7"),
        ({"only_tracks": [1, 3]}, "no track 3"),
        ({"keep_tracks": [1], "only_tracks": [2]}, "can't go together"),
        ({"what": []}, "nothing to hide"),
        ({"keep_tracks": [0]}, "keep_tracks"),
        ({"regions": [{**REGION, "box_xyxy": [600, 0, 641, 9]}]}, "not wholly in the picture"),
        ({"regions": [{**REGION, "box_xyxy": [9, 0, 9, 9]}]}, "x0 < x1"),
        ({"regions": [{**REGION, "from": "5"}]}, "can't end before it starts"),
        ({"regions": [{**REGION, "from": "9", "to": "10"}]}, "no frame of the video"),
    ],
)
def test_what_is_not_there_is_refused_with_what_there_is(
    exhibit: Exhibit, client: httpx.Client, body: dict[str, Any], said: str
) -> None:
    answer = client.post(f"{API}/exhibits/{exhibit.id}/redactions", json=body)
    assert answer.status_code in {400, 422}
    assert said in answer.text
    if "no track" in said:
        assert answer.json()["hint"] == "It has: 1-2."


def test_tracks_of_an_analysis_that_was_made_again_are_refused(here: Served, exhibit: Exhibit, client: httpx.Client) -> None:
    asking, steps = (f"{API}/exhibits/{exhibit.id}/{what}" for what in ("redactions", "steps"))
    answer = client.post(asking, json={"only_tracks": [1], "analysis": "0" * 64})
    assert answer.status_code == 409
    assert "analysed again" in answer.json()["detail"]
    assert client.post(f"{steps}/track/retry").status_code == 202
    run = here.storage.ledger.steps.claim("worker-1", frozenset({Step.TRACK}), LEASE)
    assert run is not None
    here.finish(run)
    assert client.get(f"{API}/exhibits/{exhibit.id}/tracks").json()["analysis"] == ""
    assert client.post(asking, json={"only_tracks": [1]}).status_code == 409
    here.work_off()
    assert client.get(f"{API}/exhibits/{exhibit.id}/tracks").json()["analysis"] == newest_tracks(here, exhibit)
    assert client.post(asking, json={"only_tracks": [1]}).status_code == 202
    here.work_off()


def test_the_page_asks_for_the_same_without_a_script(here: Served, exhibit: Exhibit, maker: Person) -> None:
    browser = here.sign_in(maker)
    path = f"/exhibits/{exhibit.id}"
    shown = browser.get(path).text
    assert re.search(r'name="track" type="checkbox" value="1"', shown)
    assert "Car 2, 0:00.8 to 0:01.1" in shown
    token = re.search(r'name="csrf_token" value="([^"]+)"', shown)
    analysis = re.search(r'name="analysis" value="([0-9a-f]{64})"', shown)
    assert token
    assert analysis
    form = {"csrf_token": token[1], "analysis": analysis[1], "what": ["people", "faces"], "style": "solid", "audio": "keep"}
    chosen = {**form, "which": "keep", "track": ["1", "2"], "regions": "10,20,30.5,40@0:01-0:02\n", "reason": "the witness"}
    assert browser.post(f"{path}/redactions", data=chosen, follow_redirects=False).status_code == 303
    redaction = redaction_from_json(asked_last(here, exhibit))
    assert (redaction.keep_tracks, redaction.analysis, redaction.reason) == ({1, 2}, analysis[1], "the witness")
    assert redaction.regions[0].box_xyxy == (10, 20, 30.5, 40)
    shown = browser.get(path).text
    assert "Faces and whole people, except tracks 1-2, and a drawn region hidden" in shown
    for wrong, at, said in (
        ({"which": "only", "track": []}, "track", "Tick the tracks"),
        ({"which": "only", "track": ["9"]}, "track", "no track 9"),
        ({"which": "some"}, "which", "Choose which tracks"),
        ({"regions": "1,2,3"}, "regions", "is no region"),
        ({"regions": "1,2,3,4@0-1\n" * 201}, "regions", "201 regions are too many"),
        ({"regions": "1,2,3,400@0-1"}, "regions", "not wholly in the picture"),
        ({"what": []}, "what", "Choose what to hide"),
        ({"what": ["plates"]}, "what", "nothing has looked for them"),
    ):
        refused = browser.post(f"{path}/redactions", data={**form, "which": "all", **wrong})
        assert refused.status_code == 400
        summary = refused.text.split("govuk-error-summary__list")[1].split("</ul>")[0]
        assert f'href="#{at}"' in summary
        assert said in summary
    here.work_off()

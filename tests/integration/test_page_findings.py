"""What a second look found in a redacted copy: on the exhibit's page and in the API, and only for those who may see it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from config.settings import Settings
from evidence.case import Case, Role
from evidence.errors import Conflict
from evidence.exhibit import Exhibit
from evidence.findings import require_releasable
from storage.index import Index
from tests.served import API, Person, Served, served
from workers.steps.export import contents_of


@pytest.fixture
def here(settings: Settings) -> Iterator[Served]:
    with served(settings) as server:
        yield server


@pytest.fixture
def maker(here: Served) -> Person:
    return here.person(Role.INVESTIGATOR)


@pytest.fixture
def case(here: Served, maker: Person) -> Case:
    return here.make.case(maker.user, "01AB/12345/26")


@pytest.fixture
def exhibit(here: Served, maker: Person, case: Case) -> Exhibit:
    return here.analysed(maker, case)


def test_each_place_is_linked_to_its_moment_with_its_picture(here: Served, maker: Person, exhibit: Exhibit) -> None:
    page = here.sign_in(maker).get(f"/exhibits/{exhibit.id}").text
    assert "2 places to look at" in page
    assert re.findall(r'show=redacted" data-seek="([\d.]+)"', page) == ["1.500", "62.000"]
    pictures = re.findall(r'src="([^"]*DRAFT-finding[^"]*)"', page)
    assert len(pictures) == 1
    picture = here.client(maker).get(pictures[0].replace("&amp;", "&"))
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/jpeg"


def test_the_api_says_how_many_and_where(here: Served, maker: Person, exhibit: Exhibit) -> None:
    outputs = here.client(maker).get(f"{API}/exhibits/{exhibit.id}").json()["outputs"]
    copy = next(o for o in outputs if o["name"] == "DRAFT-redacted.mp4")
    assert copy["open_findings"] == 2
    assert len(copy["details"]["report"]["second_look"]["findings"]) == 2
    assert next(o for o in outputs if o["name"] == "annotated.mp4")["open_findings"] is None
    assert next(o for o in outputs if o["name"] == "DRAFT-finding-1.jpg")["draft"] is True


def test_a_picture_of_a_place_has_the_exhibits_own_access_rules_and_log(
    here: Served, maker: Person, exhibit: Exhibit
) -> None:
    url = f"{API}/exhibits/{exhibit.id}/outputs/DRAFT-finding-1.jpg"
    before = here.last_event()
    assert here.client(here.person(Role.INVESTIGATOR)).get(url).status_code in {403, 404}
    assert "viewed" not in here.events(before)
    assert here.client(maker).get(url).status_code == 200
    assert here.events(before)[-1] in {"viewed", "fetched"}


def test_a_picture_of_a_place_does_not_leave_the_house_with_the_case(here: Served, case: Case, exhibit: Exhibit) -> None:
    index: Index = here.storage.index
    packed = contents_of(index, here.storage.store, case.id, made_by="x", made_at=exhibit.uploaded_at)
    names = [file.path.rsplit("/", 1)[-1] for file in packed.files]
    assert "DRAFT-redacted.mp4" in names
    assert not [name for name in names if "finding" in name]


def run_of_the_copy(here: Served, person: Person, exhibit: Exhibit) -> str:
    outputs = here.client(person).get(f"{API}/exhibits/{exhibit.id}").json()["outputs"]
    return str(next(o for o in outputs if o["name"] == "DRAFT-redacted.mp4")["run"])


def test_a_finding_is_accepted_with_a_reason_and_stays_on_record(here: Served, maker: Person, exhibit: Exhibit) -> None:
    client, run = here.client(maker), run_of_the_copy(here, maker, exhibit)
    url = f"{API}/exhibits/{exhibit.id}/redactions/{run}/findings"
    assert client.post(f"{url}/1/accept", json={"reason": ""}).status_code == 422
    assert client.post(f"{url}/1/accept", json={"reason": "  "}).status_code == 400
    assert client.post(f"{url}/9/accept", json={"reason": "a poster"}).status_code == 404
    before = here.last_event()
    answer = client.post(f"{url}/1/accept", json={"reason": "a poster"})
    assert answer.status_code == 200, answer.text
    copy = next(o for o in answer.json()["outputs"] if o["name"] == "DRAFT-redacted.mp4")
    assert copy["open_findings"] == 1
    (accepted,) = copy["accepted_findings"]
    assert (accepted["finding"], accepted["reason"], accepted["by"]) == (1, "a poster", maker.user.name)
    (event,) = [e for e in here.storage.index.audit_events(after=before) if e.verb.value == "finding accepted"]
    assert (event.details["finding"], event.details["reason"]) == (1, "a poster")
    assert event.details["copy_sha256"] == copy["sha256"]
    assert client.post(f"{url}/1/accept", json={"reason": "again"}).status_code == 409
    with pytest.raises(Conflict, match="1 place"):
        require_releasable(copy["details"]["report"]["second_look"] | {"needed": True}, {1})


def test_only_who_may_process_the_exhibit_accepts(here: Served, maker: Person, exhibit: Exhibit) -> None:
    run = run_of_the_copy(here, maker, exhibit)
    url = f"{API}/exhibits/{exhibit.id}/redactions/{run}/findings/1/accept"
    for role in (Role.OFFICER, Role.INVESTIGATOR, Role.AUDITOR):
        answer = here.client(here.person(role)).post(url, json={"reason": "a poster"})
        assert answer.status_code in {403, 404}, role
    assert here.storage.index.accepted(exhibit.id) == {}


def test_a_finding_is_accepted_on_the_page(here: Served, maker: Person, exhibit: Exhibit) -> None:
    browser, run = here.sign_in(maker), run_of_the_copy(here, maker, exhibit)
    form = f"/exhibits/{exhibit.id}/redactions/{run}/findings/2/accept"
    assert f'action="{form}"' in browser.get(f"/exhibits/{exhibit.id}").text
    refused = browser.post(form, data={"reason": " "})
    assert refused.status_code == 400
    assert "Say why the place is harmless" in refused.text
    assert browser.post(form, data={"reason": "a <b>sign</b>"}).status_code == 303
    page = browser.get(f"/exhibits/{exhibit.id}").text
    assert f"accepted by {maker.user.name}: a &lt;b&gt;sign&lt;/b&gt;" in page
    assert f'action="{form}"' not in page
    assert "1 place to look at" in page


def test_what_was_accepted_is_opened_again_and_both_stay_on_record(here: Served, maker: Person, exhibit: Exhibit) -> None:
    client, run = here.client(maker), run_of_the_copy(here, maker, exhibit)
    url = f"{API}/exhibits/{exhibit.id}/redactions/{run}/findings/1"
    assert client.post(f"{url}/reopen", json={"reason": "it was not accepted"}).status_code == 409
    assert client.post(f"{url}/accept", json={"reason": "a poster"}).status_code == 200
    assert here.client(here.person(Role.OFFICER)).post(f"{url}/reopen", json={"reason": "x"}).status_code in {403, 404}
    assert client.post(f"{url}/reopen", json={"reason": " "}).status_code == 400
    before = here.last_event()
    answer = client.post(f"{url}/reopen", json={"reason": "a man behind glass"})
    assert answer.status_code == 200, answer.text
    copy = next(o for o in answer.json()["outputs"] if o["name"] == "DRAFT-redacted.mp4")
    assert (copy["open_findings"], copy["accepted_findings"]) == (2, [])
    (event,) = [e for e in here.storage.index.audit_events(after=before) if e.verb.value == "finding opened again"]
    assert event.actor == maker.user.name
    assert (event.details["reason"], event.details["accepted_because"]) == ("a man behind glass", "a poster")
    assert event.details["accepted_by"] == maker.user.name
    assert client.post(f"{url}/accept", json={"reason": "it is a poster"}).status_code == 200, "and accepted anew"


def test_what_was_accepted_is_opened_again_on_the_page(here: Served, maker: Person, exhibit: Exhibit) -> None:
    browser, run = here.sign_in(maker), run_of_the_copy(here, maker, exhibit)
    form = f"/exhibits/{exhibit.id}/redactions/{run}/findings/2"
    assert f'action="{form}/reopen"' not in browser.get(f"/exhibits/{exhibit.id}").text
    assert browser.post(f"{form}/accept", data={"reason": "a sign"}).status_code == 303
    assert f'action="{form}/reopen"' in browser.get(f"/exhibits/{exhibit.id}").text
    refused = browser.post(f"{form}/reopen", data={"reason": ""})
    assert refused.status_code == 400
    assert "Say why the place is not harmless" in refused.text
    assert browser.post(f"{form}/reopen", data={"reason": "a driver"}).status_code == 303
    page = browser.get(f"/exhibits/{exhibit.id}").text
    assert f'action="{form}/accept"' in page
    assert "2 places to look at" in page
    assert browser.post(f"{form}/forget", data={"reason": "x"}).status_code in {404, 422}


def test_doubts_are_listed_with_links_that_put_the_player_there(here: Served, maker: Person, exhibit: Exhibit) -> None:
    page = here.sign_in(maker).get(f"/exhibits/{exhibit.id}").text
    assert "11.0 % of the video" in page
    assert "Face: a track breaks off, and another one begins nearby" in page
    assert "The picture: the picture is too blurred to judge" in page
    assert re.findall(r'at=([\d.]+)" data-seek="\1"', page) == ["1.600", "2.400"]


def test_doubts_are_in_the_exhibits_answer_ranked(here: Served, maker: Person, exhibit: Exhibit) -> None:
    doubts = here.client(maker).get(f"{API}/exhibits/{exhibit.id}").json()["doubts"]
    assert doubts["share"] == 0.11
    assert [(d["rank"], d["reason"], d["label"], d["from_s"], d["to_s"], d["tracks"]) for d in doubts["spans"]] == [
        (1, "broken", "face", 1.6, 1.96, [1, 2]),
        (2, "blur", "picture", 2.4, 2.4, []),
    ]


def test_doubts_of_a_new_analysis_take_the_place_of_the_old_ones(here: Served, maker: Person, exhibit: Exhibit) -> None:
    client = here.client(maker)
    assert client.post(f"{API}/exhibits/{exhibit.id}/steps/index/retry").status_code == 202
    here.work_off()
    assert len(client.get(f"{API}/exhibits/{exhibit.id}").json()["doubts"]["spans"]) == 2

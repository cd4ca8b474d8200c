"""What a second look found in a redacted copy: on the exhibit's page and in the API, and only for those who may see it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from config.settings import Settings
from evidence.case import Case, Role
from evidence.exhibit import Exhibit
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

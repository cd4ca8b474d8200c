"""What a page says became of an upload: *safe to wipe the card* only where a lock was set and read back."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from config.settings import Settings
from evidence.case import Role
from storage.ledger.uploads import Upload
from tests.factories import LEASE
from tests.served import Person, Served, served

WIPE = "safe to wipe the card"


@pytest.fixture
def here(settings: Settings) -> Iterator[Served]:
    with served(settings) as server:
        yield server


def fate(client: httpx.Client, upload: Upload) -> dict[str, str]:
    answer = client.get(f"/fate/{upload.id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


def check(here: Served, upload: Upload) -> Upload:
    """What the receiver does with an upload whose bytes are all there."""
    claimed = here.storage.ledger.uploads.claim_checking(LEASE)
    assert claimed is not None
    assert claimed.id == upload.id
    return claimed


def taken_in(here: Served, person: Person, case: str, data: bytes = b"") -> tuple[Upload, dict[str, str]]:
    upload = here.make.upload(person.user, case, data)
    claimed = check(here, upload)
    here.storage.ledger.exhibits.register(claimed, here.make.received(claimed))
    return upload, fate(here.client(person), upload)


def test_while_it_is_being_checked_the_card_is_kept(here: Served) -> None:
    officer = here.person(Role.OFFICER)
    found = fate(here.client(officer), here.make.upload(officer.user, "OP1/26"))
    assert (found["state"], found["final"]) == ("checking", False)
    assert "Keep the card" in found["text"]


@pytest.mark.minio
def test_a_locked_original_is_secured(minio_settings: Settings) -> None:
    with served(minio_settings) as here:
        case = here.make.case(reference="OP1/26")
        _, found = taken_in(here, here.person(Role.OFFICER), case.reference)
    assert found["state"] == "secured"
    assert WIPE in found["text"]


def test_a_store_that_cannot_lock_never_says_so(here: Served) -> None:
    case = here.make.case(reference="OP1/26")
    _, found = taken_in(here, here.person(Role.OFFICER), case.reference)
    assert (found["state"], found["title"]) == ("stored", "Stored, not locked.")
    assert WIPE not in found["text"]
    assert "keep the card" in found["text"]


def test_an_unknown_case_leads_to_the_tray(here: Served) -> None:
    _, found = taken_in(here, here.person(Role.OFFICER), "nowhere")
    assert "unfiled tray" in found["text"]


def test_a_duplicate_of_somebody_elses_names_no_exhibit(here: Served) -> None:
    """The officer learns that the bytes are kept, and nothing of whose or under which reference."""
    case = here.make.case(reference="OP1/26")
    first, second = here.person(Role.OFFICER), here.person(Role.OFFICER)
    kept, _ = taken_in(here, first, case.reference, b"the same bytes")
    again = here.make.upload(second.user, case.reference, b"the same bytes")
    here.storage.ledger.uploads.drop_duplicate(check(here, again), kept.exhibit_id)
    found = fate(here.client(second), again)
    assert (found["state"], found["exhibit"]) == ("duplicate", "")
    assert WIPE not in found["text"]
    assert here.storage.index.exhibit(kept.exhibit_id).reference not in found["text"]


def test_a_refusal_gives_its_reason(here: Served) -> None:
    officer = here.person(Role.OFFICER)
    upload = here.make.upload(officer.user, "OP1/26")
    here.storage.ledger.uploads.refuse(check(here, upload), "the digest does not match", "Send it again.")
    found = fate(here.client(officer), upload)
    assert (found["state"], found["title"]) == ("refused", "The digest does not match.")
    assert found["text"] == "Send it again. Nothing of it was kept."


def test_nobody_else_learns_of_an_upload(here: Served) -> None:
    upload = here.make.upload(here.person(Role.OFFICER).user, "OP1/26")
    assert here.client(here.person(Role.OFFICER)).get(f"/fate/{upload.id}").status_code == 404


def test_hostile_names_are_text(here: Served) -> None:
    investigator = here.person()
    case = here.make.case(investigator.user, "OP1/26")
    name = '"><script src=//x></script>\n{{ 7 * 7 }}.mp4'
    exhibit = here.exhibit(investigator, case, filename=name)
    client = here.client(investigator, headers={"Accept": "text/html"})
    for path in (f"/exhibits/{exhibit.id}", f"/cases/{case.id}", f"/cases/{case.id}/log", "/my-uploads"):
        page = client.get(path)
        assert page.status_code == 200, path
        assert "<script src=//x>" not in page.text
        assert "{{ 7 * 7 }}" in page.text or "7 * 7" in page.text

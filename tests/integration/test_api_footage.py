"""Handing out bytes: ranges as RFC 9110 has them, names that are safe, and the custody log before the first byte."""

from __future__ import annotations

import hashlib
import html
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from starlette.datastructures import Headers

from evidence.audit import AuditEvent, Verb
from evidence.case import Case, Role
from evidence.exhibit import Exhibit
from evidence.steps import Step
from storage.folder import FolderStore
from storage.minio_server import Server
from storage.objects import open_minio
from tests.served import API, Person, Served, own_settings, served
from tests.services import Services
from web.streaming import content_disposition, part_asked_for

_A_MOMENT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DATA = secrets.token_bytes(3 * 1024 * 1024 + 17)


@dataclass(slots=True)
class World:
    here: Served
    maker: Person
    case: Case
    exhibit: Exhibit

    def url(self, name: str = "original") -> str:
        return f"{API}/exhibits/{self.exhibit.id}/outputs/{name}"

    def handed_out(self, after: int) -> list[AuditEvent]:
        looked = {Verb.VIEWED, Verb.FETCHED}
        events = self.here.storage.index.audit_events(after=after)
        return [e for e in events if e.verb in looked and "output" in e.details]


@pytest.fixture(scope="module")
def world(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with own_settings(services, tmp_path_factory.mktemp("footage")) as settings, served(settings) as here:
        maker = here.person(Role.INVESTIGATOR)
        case = here.make.case(maker.user, "01AB/12345/26")
        exhibit = here.analysed(maker, case, DATA, filename='Dröhne "3".mp4')
        yield World(here, maker, case, exhibit)


@pytest.fixture
def client(world: World) -> httpx.Client:
    return world.here.client(world.maker)


# --- ranges ----------------------------------------------------------------------------------------------------------


def test_the_whole_is_the_original_byte_for_byte(world: World, client: httpx.Client) -> None:
    answer = client.get(world.url())
    assert answer.status_code == 200
    assert answer.content == DATA
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["etag"] == f'"{hashlib.sha256(DATA).hexdigest()}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(DATA)),
        ("bytes=5-99", 5, 100),
        ("bytes=1048575-1048577", 1048575, 1048578),
        (f"bytes={len(DATA) - 1}-", len(DATA) - 1, len(DATA)),
        ("bytes=-10", len(DATA) - 10, len(DATA)),
        (f"bytes=-{len(DATA) * 2}", 0, len(DATA)),
        (f"bytes=100-{10**17}", 100, len(DATA)),
        ("bytes= 7 - 9", 7, 10),
    ],
)
def test_a_range_is_those_bytes(world: World, client: httpx.Client, asked: str, start: int, end: int) -> None:
    answer = client.get(world.url(), headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == DATA[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", "bytes=-0", f"bytes={10**17}-{10**17 + 1}"])
def test_a_range_past_the_end_is_416_and_no_viewing(world: World, client: httpx.Client, asked: str) -> None:
    before = world.here.last_event()
    answer = client.get(world.url("proxy"), headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"].startswith("bytes */")
    assert answer.content == b""
    assert world.handed_out(before) == []


@pytest.mark.parametrize(
    "asked", ["bytes=", "bytes=-", "bytes=9-5", "bytes=a-b", "frames=0-5", "bytes=0-1,4-5", "bytes=0x1-2", "bytes=1-2-3"]
)
def test_what_is_no_single_range_gets_the_whole(world: World, client: httpx.Client, asked: str) -> None:
    answer = client.get(world.url("poster.jpg"), headers={"Range": asked})
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"])


def test_if_range_gives_the_part_only_of_the_same_bytes(world: World, client: httpx.Client) -> None:
    head = client.head(world.url())
    for same in (head.headers["etag"], head.headers["last-modified"]):
        assert client.get(world.url(), headers={"Range": "bytes=0-9", "If-Range": same}).status_code == 206
    weak, other = f"W/{head.headers['etag']}", '"' + "0" * 64 + '"'
    for another in (weak, other, "Mon, 01 Jan 2024 00:00:00 GMT", "yesterday"):
        answer = client.get(world.url(), headers={"Range": "bytes=0-9", "If-Range": another})
        assert (answer.status_code, len(answer.content)) == (200, len(DATA))


def test_conditions_on_the_etag(world: World, client: httpx.Client) -> None:
    etag = client.head(world.url()).headers["etag"]
    before = world.here.last_event()
    assert client.get(world.url("tracks.json"), headers={"If-None-Match": "*"}).status_code == 304
    assert client.get(world.url(), headers={"If-None-Match": f'"x", W/{etag}'}).status_code == 304
    assert client.get(world.url(), headers={"If-Match": '"x"'}).status_code == 412
    assert world.handed_out(before) == []
    assert client.get(world.url(), headers={"If-Match": f'"x", {etag}', "Range": "bytes=0-1"}).status_code == 206


def test_head_says_the_same_as_get_and_shows_nothing(world: World, client: httpx.Client) -> None:
    before = world.here.last_event()
    head = client.head(world.url("annotated"))
    ranged = client.head(world.url("annotated"), headers={"Range": "bytes=0-9"})
    assert world.handed_out(before) == []
    got = client.get(world.url("annotated"))
    for name in ("content-length", "etag", "content-type", "content-disposition", "last-modified", "repr-digest"):
        assert head.headers[name] == got.headers[name]
    assert head.content == ranged.content == b""
    assert (ranged.status_code, ranged.headers["content-length"]) == (206, "10")


def test_an_empty_object_has_no_ranges() -> None:
    def asked(text: str) -> int:
        return part_asked_for(Headers({"range": text}), 0, '"x"', _A_MOMENT).status

    assert [asked(t) for t in ("bytes=0-", "bytes=-1", "bytes=0-0")] == [416, 416, 416]
    assert part_asked_for(Headers({}), 0, '"x"', _A_MOMENT).end == 0


# --- names -----------------------------------------------------------------------------------------------------------


def test_the_file_is_called_for_its_case_and_exhibit(world: World, client: httpx.Client) -> None:
    reference = world.exhibit.reference.replace("/", "-")
    original = client.head(world.url()).headers["content-disposition"]
    assert original.startswith("attachment; ")
    assert f"filename*=UTF-8''01AB-12345-26_{reference}_Dr%C3%B6hne%20-3-.mp4" in original
    assert f'filename="01AB-12345-26_{reference}_Dr_hne -3-.mp4"' in original
    annotated = client.head(world.url("annotated")).headers["content-disposition"]
    assert annotated.startswith(f'inline; filename="01AB-12345-26_{reference}_annotated.mp4"')
    saved = client.head(world.url("annotated"), params={"download": "true"}).headers["content-disposition"]
    assert saved.startswith("attachment; ")


def test_a_redacted_copy_that_nobody_approved_says_draft(world: World, client: httpx.Client) -> None:
    assert "DRAFT" in client.head(world.url("redacted")).headers["content-disposition"]
    outputs = client.get(f"{API}/exhibits/{world.exhibit.id}").json()["outputs"]
    drafts = {o["name"]: o["draft"] for o in outputs}
    assert drafts["DRAFT-redacted.mp4"] is True
    assert drafts["annotated.mp4"] is False


@pytest.mark.parametrize(
    "name", ['a".mp4', "a\\b.mp4", "a%41.mp4", "Zoë.mp4", "🚁.mp4", "a;b=c.mp4", "\u202egpj.exe", "a" * 300 + ".mp4"]
)
def test_any_name_makes_one_safe_header(name: str) -> None:
    header = content_disposition(name, inline=False)
    assert header.isascii()
    assert header.count('"') == 2
    assert not any(c in header for c in "\r\n\\")
    assert header.startswith('attachment; filename="')


def test_the_newest_draft_is_the_redacted_copy_and_older_ones_stay(world: World, client: httpx.Client) -> None:
    first = client.get(world.url("redacted")).content
    asked = client.post(f"{API}/exhibits/{world.exhibit.id}/redactions", json={"what": ["faces"], "style": "pixelate"})
    assert asked.status_code == 202
    assert client.get(world.url("redacted")).content == first
    world.here.work_off()
    newest = client.get(world.url("redacted")).content
    assert newest != first
    listed = client.get(f"{API}/exhibits/{world.exhibit.id}").json()["outputs"]
    made = [o for o in listed if o["step"] == "redact" and o["content_type"] == "video/mp4"]
    assert [client.get(o["url"]).content for o in made] == [newest, first]
    for output in made:
        assert hashlib.sha256(client.get(output["url"]).content).hexdigest() == output["sha256"]


# --- the log before the first byte -----------------------------------------------------------------------------------


def test_one_viewing_is_one_event_and_its_ranges_belong_to_it(world: World) -> None:
    session = world.here.sign_in(world.maker)
    before = world.here.last_event()
    for asked in ("bytes=0-99", "bytes=100-199", "bytes=50-", None):
        session.get(world.url("proxy"), headers={"Range": asked} if asked else {})
    [event] = world.handed_out(before)
    assert (event.verb, event.actor, event.exhibit_id) == (Verb.VIEWED, world.maker.user.name, world.exhibit.id)
    assert event.case_id == world.case.id
    assert event.details["output"] == "proxy.mp4"
    assert len(event.details["sha256"]) == 64
    # Another output, saving instead of looking, another session: viewings of their own.
    session.get(world.url("annotated"))
    session.get(world.url("proxy"), params={"download": "true"})
    world.here.sign_in(world.maker).get(world.url("proxy"))
    outputs = [(e.verb, e.details["output"]) for e in world.handed_out(event.number)]
    assert outputs == [(Verb.VIEWED, "annotated.mp4"), (Verb.FETCHED, "proxy.mp4"), (Verb.VIEWED, "proxy.mp4")]


def test_thumbnails_and_posters_are_footage_too(world: World) -> None:
    session = world.here.sign_in(world.maker)
    before = world.here.last_event()
    session.get(world.url("poster.jpg"))
    session.get(world.url("track-1.jpg"))
    session.get(world.url("tracks.json"))
    session.get(world.url("original"))
    assert [(e.verb, e.details["output"]) for e in world.handed_out(before)] == [
        (Verb.VIEWED, "poster.jpg"),
        (Verb.VIEWED, "track-1.jpg"),
        (Verb.FETCHED, "tracks.json"),
        (Verb.FETCHED, "original"),
    ]


def test_what_a_page_offers_for_download_is_logged_as_fetched_also_after_it_was_watched(world: World) -> None:
    session = world.here.sign_in(world.maker)
    page = session.get(f"/exhibits/{world.exhibit.id}").text
    source = re.search(r'<video[^>]* src="([^"#]*)', page, re.DOTALL)
    assert source
    assert session.get(html.unescape(source[1])).status_code == 200
    links = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>Download', page)
    assert len(links) >= 5
    before = world.here.last_event()
    for link in links:
        answer = session.get(html.unescape(link))
        assert answer.status_code == 200, link
        assert answer.headers["content-disposition"].startswith("attachment"), link
    # The player and the list of copies offer the playable copy: one object.
    assert [e.verb for e in world.handed_out(before)] == [Verb.FETCHED] * (len(links) - 1)


def test_the_event_is_committed_before_the_first_byte_leaves(world: World) -> None:
    session = world.here.sign_in(world.maker)
    before = world.here.last_event()
    with session.stream("GET", world.url()) as answer:
        next(answer.iter_raw(1))
        assert len(world.handed_out(before)) == 1


def test_when_the_log_is_down_nothing_leaves(services: Services, tmp_path: Path) -> None:
    """A database that takes no writes (as after a failover): reading who asks and what goes on working."""
    with own_settings(services, tmp_path) as settings, served(settings) as here:
        person = here.person()
        exhibit = here.analysed(person, here.make.case(person.user), DATA)
        name = settings.database_url.partition("?")[0].rpartition("/")[2]
        address = settings.database_url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(address, autocommit=True) as owner:
            owner.execute(SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(Identifier(name)))
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
            owner.execute(others, (name,))
        client = here.client(person)
        for name in ("original", "proxy", "poster.jpg", "tracks.json"):
            answer = client.get(f"{API}/exhibits/{exhibit.id}/outputs/{name}")
            assert answer.status_code == 503, answer.text[:200]
            assert DATA[:16] not in answer.content
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"]
        for path in (f"/exhibits/{exhibit.id}", f"/exhibits/{exhibit.id}/tracks", "/cases", "/search"):
            assert client.get(f"{API}{path}").status_code == 503, path


def test_when_the_store_cannot_give_the_bytes_no_viewing_is_claimed(services: Services, tmp_path: Path) -> None:
    with own_settings(services, tmp_path) as settings, served(settings) as here:
        person = here.person()
        exhibit = here.exhibit(person, here.make.case(person.user), DATA)
        store = here.context.store
        assert isinstance(store, FolderStore)
        (settings.data_dir / "store").rename(settings.data_dir / "elsewhere")
        before = here.last_event()
        answer = here.client(person).get(f"{API}/exhibits/{exhibit.id}/outputs/original")
        assert answer.status_code in {404, 503}
        assert answer.headers["content-type"] == "application/problem+json"
        events = here.storage.index.audit_events(after=before)
        assert [e for e in events if e.verb in {Verb.VIEWED, Verb.FETCHED}] == []


@pytest.mark.minio
def test_ranges_come_from_minio_too(services: Services, minio: Server, tmp_path: Path) -> None:
    given = {
        "store": "minio",
        "minio_endpoint": minio.endpoint,
        "minio_access_key": minio.access_key,
        "minio_secret_key": minio.secret_key,
        "minio_bucket": f"test-{secrets.token_hex(6)}",
    }
    with own_settings(services, tmp_path, **given) as settings:
        open_minio(settings).prepare()
        with served(settings) as here:
            person = here.person()
            exhibit = here.exhibit(person, here.make.case(person.user), DATA)
            client, url = here.client(person), f"{API}/exhibits/{exhibit.id}/outputs/original"
            assert client.get(url).content == DATA
            assert client.get(url, headers={"Range": "bytes=-17"}).content == DATA[-17:]
            assert client.get(url, headers={"Range": "bytes=1000000-2000000"}).content == DATA[1_000_000:2_000_001]
            record = client.get(f"{API}/exhibits/{exhibit.id}").json()
            assert record["storage"] == "secured"
            assert record["secured_at"]
            assert record["locked_until"]
            # Players go away in the middle of a range all the time: no connection to the store may stay behind.
            for _ in range(30):
                with client.stream("GET", url) as answer:
                    next(answer.iter_raw(1))
            assert client.get(url, headers={"Range": "bytes=0-3"}).content == DATA[:4]


def test_a_file_of_an_export_is_fetched_like_an_output(world: World, client: httpx.Client) -> None:
    run = client.post(f"{API}/cases/{world.case.id}/exports").json()["run"]
    world.here.work_off()
    listed = client.get(f"{API}/cases/{world.case.id}/exports").json()["exports"]
    mine = next(e for e in listed if e["run"] == run)
    assert mine["state"] == "done"
    [file] = mine["files"]
    before = world.here.last_event()
    answer = client.get(file["url"], headers={"Range": "bytes=0-9"})
    assert (answer.status_code, len(answer.content)) == (206, 10)
    assert hashlib.sha256(client.get(file["url"]).content).hexdigest() == file["sha256"]
    assert [e.verb for e in world.handed_out(before)] == [Verb.FETCHED]
    assert client.get(f"{API}/cases/{world.case.id}/exports/{run}/other.zip").status_code == 404


def test_an_output_that_is_not_there_is_not_found(world: World, client: httpx.Client) -> None:
    for name in ("nothing.mp4", "..%2F..%2Fetc%2Fpasswd", "original%00", "proxy?run=" + "0" * 32):
        assert client.get(world.url(name)).status_code in {400, 404}, name
    fresh = world.here.exhibit(world.maker, world.case)
    missing = client.get(f"{API}/exhibits/{fresh.id}/outputs/annotated")
    assert missing.status_code == 404
    assert "step" in missing.json()["hint"]
    run = world.here.make.claim(Step.PROBE)
    world.here.finish(run)
    world.here.work_off()

"""Signing in, cookies, CSRF, throttling, first passwords; headers and problems of every answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts

from config.settings import Settings, load
from evidence import errors
from evidence.case import Role
from evidence.errors import BadInput, Conflict, DatabaseDown, ExhibitError, NotAllowed
from tests.factories import PASSWORD
from tests.served import API, Person, Served, own_settings, served
from tests.services import Services
from web import accounts
from web.app import check_binding, create_app, run_server
from web.problems import KINDS, problem_of


@pytest.fixture(scope="module")
def here(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with (
        own_settings(services, tmp_path_factory.mktemp("sessions"), sign_in_tries=3) as settings,
        served(settings) as server,
    ):
        yield server


@pytest.fixture
def somebody(here: Served) -> Person:
    return here.person(Role.INVESTIGATOR)


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    """The answer is a problem in the one form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "hint"} <= body.keys()
    assert body["status"] == status
    assert body["detail"]
    assert body["hint"]
    return body


# --- sessions --------------------------------------------------------------------------------------------------------


def test_a_session_begins_with_a_cookie_that_scripts_cannot_read_and_ends(here: Served, somebody: Person) -> None:
    client = here.client()
    answer = client.post(f"{API}/sessions", json={"name": somebody.user.name, "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert PASSWORD not in answer.text
    assert client.get(f"{API}/me").json()["user"]["name"] == somebody.user.name
    csrf = {"X-CSRF-Token": answer.json()["csrf"]}
    assert client.delete(f"{API}/sessions", headers=csrf).status_code == 204
    assert client.cookies.get("exhibit") is None
    problem(client.get(f"{API}/me", headers={"Cookie": cookie.partition(";")[0]}), 401)


def test_over_tls_the_cookie_is_secure_and_pinned_to_the_host(services: Services, tmp_path: Path) -> None:
    proxied = {"trusted_proxy": "10.0.0.1", "public_url": "https://evidence.example"}
    with own_settings(services, tmp_path, **proxied) as settings, served(settings) as server:
        person = server.person()
        body = {"name": person.user.name, "password": PASSWORD}
        answer = server.client().post(f"{API}/sessions", json=body)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-exhibit=")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
        # The proxy's address is this machine's: being local proves nothing any more.
        problem(server.client().get("/metrics"), 401)
        # What the browser calls us counts as us.
        origin = {"Origin": "https://evidence.example", "Sec-Fetch-Site": "same-origin"}
        assert server.client().post(f"{API}/sessions", json=body, headers=origin).status_code == 201


def test_wrong_name_and_wrong_password_are_told_in_the_same_words(here: Served, somebody: Person) -> None:
    client = here.client()
    wrong = client.post(f"{API}/sessions", json={"name": somebody.user.name, "password": "not the password"})
    nobody = client.post(f"{API}/sessions", json={"name": "no.such.person", "password": "not the password"})
    assert problem(wrong, 403) == problem(nobody, 403)


def test_after_too_many_tries_even_the_right_password_waits(here: Served, somebody: Person) -> None:
    client = here.client()
    for _ in range(3):
        answer = client.post(f"{API}/sessions", json={"name": somebody.user.name, "password": "not the password"})
        problem(answer, 403)
    answer = client.post(f"{API}/sessions", json={"name": somebody.user.name, "password": PASSWORD})
    assert problem(answer, 429)["type"] == f"{API}/problems/too-many-tries"
    assert int(answer.headers["retry-after"]) == 900
    assert here.events().count("sign-in failed") >= 3


def test_an_address_that_tries_many_names_has_to_wait(services: Services, tmp_path: Path) -> None:
    behind = {"trusted_proxy": "127.0.0.1", "public_url": "https://evidence.example"}
    with own_settings(services, tmp_path, sign_in_tries_per_address=10, **behind) as settings, served(settings) as server:
        right = {"name": server.person().user.name, "password": PASSWORD}

        def sign_in(address: str, body: dict[str, str]) -> httpx.Response:
            return server.client().post(f"{API}/sessions", json=body, headers={"X-Forwarded-For": address})

        for n in range(10):
            # One machine has a whole network of IPv6 addresses.
            problem(sign_in(f"2001:db8::{n:x}", {"name": f"no.body{n}", "password": "not the password"}), 403)
        refused = problem(sign_in("2001:db8::ff:1", right), 429)
        assert "from this address" in str(refused["detail"])
        assert sign_in("2001:db8:0:1::1", right).status_code == 201
        for _ in range(12):
            assert sign_in("127.0.0.1", right).status_code == 201


def test_a_token_that_is_none_is_refused_and_says_how_to_get_one(here: Served) -> None:
    for header in ("Bearer exh_made_up", "Bearer x y", "Basic YTpi", "Bearer \xff"):
        answer = here.client(headers={"Authorization": header.encode("latin-1")}).get(f"{API}/cases")
        assert "token" in str(problem(answer, 401)["hint"])
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_disabling_somebody_ends_the_session_and_the_token(here: Served) -> None:
    person = here.person()
    session, token = here.sign_in(person), here.client(person)
    assert session.get(f"{API}/me").status_code == token.get(f"{API}/me").status_code == 200
    here.storage.ledger.people.disable("system:tests", person.user.name)
    problem(session.get(f"{API}/me"), 401)
    problem(token.get(f"{API}/me"), 401)


# --- first passwords -------------------------------------------------------------------------------------------------


def test_the_first_password_has_to_be_changed_before_anything_else(here: Served) -> None:
    people = here.storage.ledger.people
    user = people.add_user("system:tests", "first.day", "First Day", Role.SUPERVISOR, PASSWORD)
    person = Person(user, "")
    client, elsewhere = here.sign_in(person), here.sign_in(person)
    refused = problem(client.get(f"{API}/cases"), 403)
    assert refused["type"] == f"{API}/problems/password-must-change"
    assert "password" in str(refused["hint"])
    assert client.get(f"{API}/me").json()["must_change_password"] is True

    def change(current: str, new: str) -> httpx.Response:
        return client.put(f"{API}/me/password", json={"current": current, "new": new})

    problem(change("wrong password!", "another long password"), 403)
    problem(change(PASSWORD, PASSWORD), 400)
    problem(change(PASSWORD, "short"), 400)
    changed = change(PASSWORD, "another long password")
    assert changed.status_code == 200
    assert changed.json()["must_change_password"] is False
    client.headers["X-CSRF-Token"] = changed.json()["csrf"]
    assert client.get(f"{API}/cases").status_code == 200
    assert client.post(f"{API}/cases", json={"reference": "FIRST/1"}).status_code == 201
    problem(elsewhere.get(f"{API}/me"), 401)


def test_only_an_administrator_manages_the_others_accounts(here: Served, somebody: Person) -> None:
    """What the page for it calls."""
    admin = here.storage.ledger.people.by_token(here.person(Role.ADMIN).token)
    anybody = here.storage.ledger.people.by_token(somebody.token)
    assert admin is not None
    assert anybody is not None
    user, password = accounts.add_user(here.context, admin, "new.pc", "New Constable", Role.OFFICER)
    assert user.must_change_password
    assert user.name in [u.name for u in accounts.users(here.context, admin)]
    newer = accounts.reset_password(here.context, admin, "new.pc")
    assert newer != password
    with pytest.raises(NotAllowed):
        accounts.sign_in(here.context, "new.pc", password, "")
    assert accounts.sign_in(here.context, "new.pc", newer, "")[1].user.must_change_password
    accounts.disable_user(here.context, admin, "new.pc")
    with pytest.raises(NotAllowed):
        accounts.sign_in(here.context, "new.pc", newer, "")
    with pytest.raises(BadInput, match="yourself"):
        accounts.disable_user(here.context, admin, admin.user.name)
    for refused in (
        lambda: accounts.users(here.context, anybody),
        lambda: accounts.add_user(here.context, anybody, "x", "X", Role.ADMIN),
        lambda: accounts.disable_user(here.context, anybody, admin.user.name),
        lambda: accounts.reset_password(here.context, anybody, admin.user.name),
    ):
        before = here.last_event()
        with pytest.raises(NotAllowed):
            refused()
        assert here.events(after=before) == ["access denied"]


# --- CSRF ------------------------------------------------------------------------------------------------------------


def unsafe_routes(here: Served) -> list[tuple[str, str]]:
    found = []
    for route in iter_route_contexts(here.app.routes):
        if isinstance(route.original_route, APIRoute):
            found += [(m, route.path) for m in route.methods - {"GET", "HEAD", "OPTIONS"}]
    return found


def test_no_cookie_session_changes_anything_without_the_token_of_its_page(here: Served, somebody: Person) -> None:
    """Every unsafe route there is, pages and uploads too; signing in has no session yet and asks where it comes from."""
    client = here.sign_in(somebody)
    right = client.headers.pop("X-CSRF-Token")
    another = here.sign_in(here.person()).headers["X-CSRF-Token"]
    routes = unsafe_routes(here)
    assert len(routes) > 20
    for method, path in routes:
        if path in {f"{API}/sessions", "/sign-in"} and method == "POST":
            continue
        address = path.replace("{", "").replace("}", "")
        for headers in ({}, {"X-CSRF-Token": another}, {"X-CSRF-Token": right, "Sec-Fetch-Site": "cross-site"}):
            headers |= {"Tus-Resumable": "1.0.0", "Upload-Length": "10", "Accept": "application/json"}
            files = {"file": ("a.mp4", b"bytes")} if path == "/upload" else None
            answer = client.request(method, address, headers=headers, files=files)
            assert answer.status_code in {403, 405}, f"{method} {path}: {answer.status_code} {answer.text[:200]}"
    assert client.get(f"{API}/me").status_code == 200  # also not signed out


def test_the_token_of_the_page_may_come_in_the_header_or_a_form_field(here: Served, somebody: Person) -> None:
    client = here.sign_in(somebody)
    assert client.post(f"{API}/cases", json={"reference": "CSRF/1"}).status_code == 201
    token = client.headers.pop("X-CSRF-Token")
    assert client.post("/sign-out", data={"csrf_token": token}, follow_redirects=False).status_code == 303


def test_another_sites_page_cannot_sign_a_browser_in(here: Served, somebody: Person) -> None:
    body = {"name": somebody.user.name, "password": PASSWORD}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}):
        answer = here.client().post(f"{API}/sessions", json=body, headers=headers)
        problem(answer, 403)
        assert "set-cookie" not in answer.headers


def test_passwords_are_checked_a_few_at_a_time_and_hold_nobody_else_up(
    here: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, lock, now, most = threading.Event(), threading.Lock(), [0], [0]

    def slow(*_: object, **__: object) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        free.wait(20)
        with lock:
            now[0] -= 1
        raise NotAllowed("wrong name or password")

    monkeypatch.setattr(here.storage.ledger.people.__class__, "sign_in", slow)
    body = {"name": "anybody", "password": "anything"}
    with ThreadPoolExecutor(60) as crowd:
        waiting = [crowd.submit(here.client().post, f"{API}/sessions", json=body) for _ in range(30)]
        waiting += [crowd.submit(here.client().post, "/sign-in", data=body) for _ in range(30)]
        while now[0] < 4:
            free.wait(0.01)
        assert here.client().get("/readyz").status_code == 200
        free.set()
        assert {one.result().status_code for one in waiting} == {403}
    assert most[0] == 4


def test_a_token_needs_no_csrf(here: Served, somebody: Person) -> None:
    assert here.client(somebody).post(f"{API}/cases", json={"reference": "TOKEN/1"}).status_code == 201


# --- headers and problems --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"{API}/me", f"{API}/nowhere", "/healthz", "/sign-in", "/static/app.css", "/uploads/"])
def test_every_answer_carries_the_security_headers(here: Served, path: str) -> None:
    headers = here.client().get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert ("no-store" in headers["cache-control"]) == (not path.startswith("/static/"))
    assert "strict-transport-security" not in headers
    assert "server" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nowhere", 404),
        ("DELETE", "/api/v1/cases", 405),
        ("GET", "/api/v1/cases?q=%00", 400),
        ("GET", "/api/v1/cases/a%00b", 400),
        ("GET", "/api/v1/search?min_score=2", 422),
        ("GET", "/api/v1/search?from=2026-11-24T10:00:00", 400),
        ("GET", "/api/v1/search?from=yesterday", 400),
        ("GET", "/api/v1/search?kind=satellite", 422),
        ("GET", f"/api/v1/cases/x/audit?after={2**63}", 422),
        ("GET", "/api/v1/problems/none-such", 404),
    ],
)
def test_what_is_wrong_with_a_request_is_said_in_the_one_form(
    here: Served, somebody: Person, method: str, path: str, status: int
) -> None:
    problem(here.client(somebody).request(method, path), status)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b'{"reference": 7}', 422),
        (b'{"reference": "A/1", "colour": "red"}', 422),
        (b'{"reference": "A\\u0000B"}', 422),
        (b'{"reference": "A\\ud800B"}', 422),
        (b'{"reference": ""}', 400),
        (b'{"reference": "' + b"x" * 1000 + b'"}', 422),
        (b'{"reference": "' + b"x" * (2 * 1024 * 1024) + b'"}', 413),
    ],
)
def test_bodies_that_make_no_case(here: Served, somebody: Person, body: bytes, status: int) -> None:
    client = here.client(somebody)
    problem(client.post(f"{API}/cases", content=body, headers={"Content-Type": "application/json"}), status)
    chunked = iter([body[i : i + 65536] for i in range(0, len(body), 65536)])
    problem(client.post(f"{API}/cases", content=chunked, headers={"Content-Type": "application/json"}), status)


def test_a_refused_request_does_not_repeat_what_was_typed(here: Served) -> None:
    answer = here.client().post(f"{API}/sessions", json={"name": "a", "password": ["hunter2hunter2"]})
    problem(answer, 422)
    assert "hunter2" not in answer.text


def test_a_taken_reference_is_a_conflict(here: Served, somebody: Person) -> None:
    client = here.client(somebody)
    assert client.post(f"{API}/cases", json={"reference": "TAKEN/1"}).status_code == 201
    problem(client.post(f"{API}/cases", json={"reference": "taken/1"}), 409)


def test_every_error_has_a_status_and_a_page_that_explains_it(here: Served) -> None:
    client = here.client()
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, ExhibitError):
            found = problem_of(error("it happened"))
            assert 400 <= found.status < 600
            assert found.detail == "it happened"
            explained = client.get(found.type)
            assert explained.status_code == 200, found.type
            assert explained.json()["status"] == found.status
    assert all(kind.title for kind in KINDS.values())


def test_an_unexpected_error_gives_a_number_that_is_in_the_log_and_nothing_else(
    services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with own_settings(services, tmp_path) as settings:
        app = create_app(settings)
        broken = APIRouter()

        @broken.get("/api/v1/broken")
        def fail() -> None:
            raise RuntimeError("the secret of the inside")

        app.include_router(broken)
        with served(settings, app=app) as server, caplog.at_level(logging.ERROR):
            body = problem(server.client().get("/api/v1/broken"), 500)
            page = server.client().get("/nowhere", headers={"Accept": "text/html"})
        assert "secret" not in str(body)
        assert str(body["number"]) in caplog.text
        assert "the secret of the inside" in caplog.text
        assert page.status_code == 404
        assert "text/html" in page.headers["content-type"]


def test_a_browser_without_a_session_is_led_to_the_door_and_back(here: Served) -> None:
    client = here.client(headers={"Accept": "text/html"})
    answer = client.get("/cases?q=a&b", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fcases%3Fq%3Da%26b"
    problem(client.get(f"{API}/cases"), 401)  # the API never leads anywhere


# --- health, OpenAPI -------------------------------------------------------------------------------------------------


def test_health_and_readiness_name_each_part(here: Served) -> None:
    client = here.client()
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
    assert {"database", "schema", "store", "bell", "receiver"} == ready.json()["parts"].keys()
    assert set(ready.json()["parts"].values()) == {"ok"}


def test_without_the_database_it_is_alive_and_not_ready(services: Services, tmp_path: Path) -> None:
    with own_settings(services, tmp_path) as settings, served(settings) as server:
        person = server.person()
        database = settings.app_database_url.partition("?")[0].rpartition("/")[2]
        server.storage.close()
        services.postgres.drop(database)
        client = server.client(person)
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["parts"]["database"] != "ok"
        assert ready.json()["parts"]["store"] == "ok"
        refused = problem(client.get(f"{API}/cases"), 503)
        assert refused["type"] == f"{API}/problems/database-down"
        assert "exhibit_database_up 0.0" in client.get("/metrics").text
        services.postgres.create(database)


def test_the_bell_may_be_down_and_everything_goes_on(services: Services, tmp_path: Path) -> None:
    with (
        own_settings(services, tmp_path, redis_url=f"unix://{tmp_path}/nobody.sock") as settings,
        served(settings) as server,
    ):
        ready = server.client().get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["parts"]["bell"] != "ok"
        person = server.person()
        case = server.make.case(person.user)
        assert server.client(person).post(f"{API}/cases/{case.id}/exports").status_code == 202


def test_metrics_count_by_route_not_by_address(here: Served, somebody: Person) -> None:
    here.client(somebody).get(f"{API}/cases/0123456789abcdef")
    text = here.client().get("/metrics").text
    assert 'exhibit_http_requests_total{method="GET",route="/api/v1/cases/{case_id}",status="404"}' in text
    assert "0123456789abcdef" not in text
    assert "exhibit_step_runs" in text
    assert "exhibit_database_up 1.0" in text


def test_the_openapi_description_says_problem_and_act_for_every_route(here: Served) -> None:
    schema = here.client().get(f"{API}/openapi.json").json()
    assert len(schema["paths"]) > 20
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert "x-act" in operation, f"{method} {path}"
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert operation.get("description"), f"{method} {path} says what it is for"


# --- where it binds --------------------------------------------------------------------------------------------------


@pytest.fixture
def plain() -> Settings:
    return load({"data_dir": "/nonexistent"}, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_this_machine_needs_no_certificate(plain: Settings, host: str) -> None:
    check_binding(plain.model_copy(update={"host": host}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "evidence.example"])
def test_other_machines_only_with_a_certificate_or_a_declared_proxy(plain: Settings, host: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="without TLS") as refused:
        run_server(plain.model_copy(update={"host": host}))
    assert "tls_certificate" in refused.value.hint
    check_binding(plain.model_copy(update={"host": host, "trusted_proxy": "127.0.0.1"}))
    pair = {"tls_certificate": tmp_path / "c.pem", "tls_key": tmp_path / "k.pem"}
    with pytest.raises(BadInput, match="no file"):
        check_binding(plain.model_copy(update={"host": host, **pair}))
    for path in pair.values():
        path.touch()
    check_binding(plain.model_copy(update={"host": host, **pair}))
    with pytest.raises(BadInput, match="only one"):
        check_binding(plain.model_copy(update={"host": host, "tls_key": pair["tls_key"]}))


def test_a_certificate_that_is_none_is_said_plainly(services: Services, tmp_path: Path) -> None:
    pair = {"tls_certificate": tmp_path / "c.pem", "tls_key": tmp_path / "k.pem"}
    for path in pair.values():
        path.write_text("no certificate", "ascii")
    with own_settings(services, tmp_path, **pair) as settings, pytest.raises(BadInput, match="certificate"):
        run_server(settings)


def test_a_port_in_use_is_said_plainly(here: Served, plain: Settings) -> None:
    port = int(here.base_url.rpartition(":")[2])
    with pytest.raises(Conflict, match=f"port {port}"):
        run_server(plain.model_copy(update={"port": port}))


def test_a_database_that_is_not_there_is_said_before_serving(plain: Settings, tmp_path: Path) -> None:
    with pytest.raises(DatabaseDown):
        create_app(plain.model_copy(update={"app_database_url": f"postgresql+psycopg://x@/x?host={tmp_path}"}))

"""What every answer of the web server has in common: headers, problems, health; and where it may listen."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter

from config.settings import Settings, load
from evidence import errors
from evidence.case import Role
from evidence.errors import BadInput, Conflict, DatabaseDown, ExhibitError
from tests.served import API, Person, Served, own_settings, problem, served
from tests.services import Services
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

"""Signing in, cookies, CSRF, throttling, first passwords."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from evidence.case import Role
from evidence.errors import BadInput, NotAllowed
from tests.factories import PASSWORD
from tests.served import API, Person, Served, own_settings, problem, served
from tests.services import Services
from web import accounts


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

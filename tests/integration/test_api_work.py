"""The API at work: cases and members, steps, redactions, clips, exports, tracks, search, the tray, logs, uploads."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from evidence.case import Case, Role
from evidence.exhibit import FileType
from evidence.steps import Step
from tests.factories import LEASE, digest_of
from tests.served import API, LOOKED_FOR, Person, Served, own_settings, served
from tests.services import Services


@pytest.fixture(scope="module")
def here(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with own_settings(services, tmp_path_factory.mktemp("work"), plate_model="") as settings, served(settings) as server:
        yield server


@pytest.fixture
def maker(here: Served) -> Person:
    return here.person(Role.INVESTIGATOR)


@pytest.fixture
def case(here: Served, maker: Person) -> Case:
    return here.make.case(maker.user)


@pytest.fixture
def client(here: Served, maker: Person) -> httpx.Client:
    return here.client(maker)


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


# --- cases -----------------------------------------------------------------------------------------------------------


def test_a_case_is_made_found_changed_and_closed(here: Served, client: httpx.Client) -> None:
    made = client.post(f"{API}/cases", json={"reference": "01CD/777/26", "title": "Mill Lane", "urgent": True})
    case = ok(made, 201)
    assert made.headers["location"] == f"{API}/cases/{case['id']}"
    assert (case["state"], case["urgent"]) == ("open", True)
    for text in ("777", "mill", ""):
        found = ok(client.get(f"{API}/cases", params={"q": text}))["cases"]
        assert case["id"] in [c["id"] for c in found]
    assert ok(client.get(f"{API}/cases", params={"q": "nowhere"}))["cases"] == []
    whole = ok(client.get(f"{API}/cases/{case['id']}"))
    assert [m["role"] for m in whole["members"]] == ["investigator"]
    assert "export a case" in whole["acts"]
    changed = ok(client.patch(f"{API}/cases/{case['id']}", json={"urgent": False, "closed": True}))
    assert (changed["state"], changed["urgent"]) == ("closed", False)
    assert ok(client.patch(f"{API}/cases/{case['id']}", json={"closed": False}))["state"] == "open"
    assert client.patch(f"{API}/cases/{case['id']}", json={}).status_code == 400


def test_members_come_and_go_and_somebody_is_always_left(
    here: Served, maker: Person, case: Case, client: httpx.Client
) -> None:
    colleague, officer = here.person(Role.SUPERVISOR), here.person(Role.OFFICER)
    members = f"{API}/cases/{case.id}/members"
    assert ok(client.put(f"{members}/{colleague.user.name}"))["id"] == colleague.user.id
    assert ok(client.put(f"{members}/{officer.user.id}"))["name"] == officer.user.name
    assert here.client(colleague).get(f"{API}/cases/{case.id}").status_code == 200
    assert client.put(f"{members}/nobody.here").status_code == 404
    assert client.delete(f"{members}/{colleague.user.name}").status_code == 204
    assert here.client(colleague).get(f"{API}/cases/{case.id}").status_code == 404
    # The officer who is left may not manage the case: it would belong to nobody.
    refused = client.delete(f"{members}/{maker.user.name}")
    assert refused.status_code == 409
    assert "manage" in refused.json()["detail"]


def test_nobody_learns_of_a_case_from_a_list_or_a_count(here: Served, case: Case, client: httpx.Client) -> None:
    here.analysed(here.person(), case)
    stranger = here.client(here.person(Role.SUPERVISOR))
    assert ok(stranger.get(f"{API}/cases"))["cases"] == []
    assert ok(stranger.get(f"{API}/cases", params={"q": case.reference}))["cases"] == []
    assert ok(stranger.get(f"{API}/search")) == {"dated": [], "undated": [], "sightings": []}
    in_it = stranger.get(f"{API}/search", params={"case": case.reference})
    nowhere = stranger.get(f"{API}/search", params={"case": "NO/SUCH/CASE"})
    assert (in_it.status_code, in_it.content) == (404, nowhere.content)


def test_an_officer_sees_his_own_of_the_case_and_no_other(here: Served, maker: Person, case: Case) -> None:
    officer = here.person(Role.OFFICER)
    here.storage.ledger.cases.add_member(maker.user, case.id, officer.user.id)
    here.exhibit(maker, case)
    own = here.exhibit(officer, case)
    client = here.client(officer)
    assert [e["id"] for e in ok(client.get(f"{API}/cases/{case.id}/exhibits"))["exhibits"]] == [own.id]
    assert [e["id"] for e in ok(client.get(f"{API}/exhibits"))["exhibits"]] == [own.id]
    here.work_off()


# --- an exhibit and its steps ----------------------------------------------------------------------------------------


def test_an_exhibit_tells_what_it_is_where_it_lies_and_how_far_the_work_is(
    here: Served, maker: Person, case: Case, client: httpx.Client
) -> None:
    data = b"the bytes of a clip"
    exhibit = here.exhibit(maker, case, data, captured_at="2026-03-01T20:00:00+00:00", device="cam 7", filename="a.mp4")
    record = ok(client.get(f"{API}/exhibits/{exhibit.id}"))
    assert record["sha256"] == hashlib.sha256(data).hexdigest()
    assert record["size_bytes"] == len(data)
    assert record["kind"] == "bodyworn"
    assert record["state"] == "working"
    assert (record["secured_at"], record["storage"]) == (None, "stored, not locked")
    assert record["captured_at"] == "2026-03-01T20:00:00Z"
    assert record["device"] == "cam 7"
    assert record["media"] is None
    states = {s["step"]: (s["state"], s["waits_for"]) for s in record["steps"]}
    assert states["probe"] == ("ready", [])
    assert states["detect"] == ("waiting", ["probe"])
    assert states["redact"] == ("waiting", ["track"])
    assert set(states) == {"probe", "proxy", "locate", "detect", "track", "index", "annotate", "redact"}

    probe = here.make.claim(Step.PROBE)
    here.storage.ledger.steps.progress(probe, 40, 100)
    [line] = [s for s in ok(client.get(f"{API}/exhibits/{exhibit.id}"))["steps"] if s["step"] == "probe"]
    assert (line["state"], line["frames_done"], line["frames_total"]) == ("running", 40, 100)
    here.finish(probe)
    here.work_off()
    record = ok(client.get(f"{API}/exhibits/{exhibit.id}"))
    assert record["state"] == "ready"
    assert record["media"]["video"][0]["size_wh"] == [640, 360]
    assert record["media"]["duration_s"] == "4"
    assert [s["segment"] for s in record["steps"] if s["step"] == "detect"] == [0, 1]
    assert {o["name"] for o in record["outputs"]} >= {"proxy.mp4", "annotated.mp4", "tracks.json"}
    assert client.get(record["poster_url"]).status_code == 200
    [listed] = ok(client.get(f"{API}/cases/{case.id}/exhibits"))["exhibits"]
    assert (listed["id"], listed["state"]) == (exhibit.id, "ready")


def test_a_sidecar_is_only_read_for_its_places(here: Served, maker: Person, case: Case, client: httpx.Client) -> None:
    sidecar = here.make.exhibit(maker.user, case, b"1\n00:00:00,000", FileType.TELEMETRY, filename="DJI_1.SRT")
    record = ok(client.get(f"{API}/exhibits/{sidecar.id}"))
    assert (record["state"], [s["step"] for s in record["steps"]]) == ("working", ["locate"])
    here.work_off()
    assert ok(client.get(f"{API}/exhibits/{sidecar.id}"))["state"] == "ready"


def test_a_failed_step_is_a_state_with_a_sentence_and_can_be_retried(
    here: Served, maker: Person, case: Case, client: httpx.Client
) -> None:
    exhibit = here.exhibit(maker, case)
    probe = here.make.claim(Step.PROBE)
    steps = f"{API}/exhibits/{exhibit.id}/steps"
    assert client.post(f"{steps}/probe/retry").status_code == 409  # it is running
    here.storage.ledger.steps.fail(probe, "the file ends early", "Upload it again.", "last line of the log")
    record = ok(client.get(f"{API}/exhibits/{exhibit.id}"))
    assert record["state"] == "needs attention"
    [line] = [s for s in record["steps"] if s["step"] == "probe"]
    assert (line["error"], line["hint"], line["log_tail"]) == (
        "the file ends early",
        "Upload it again.",
        "last line of the log",
    )
    assert [s["state"] for s in record["steps"] if s["step"] == "proxy"] == ["waiting"]
    [again] = ok(client.post(f"{steps}/probe/retry"), 202)["steps"]
    assert (again["state"], again["run"]) == ("ready", probe.id)
    here.work_off()
    assert ok(client.get(f"{API}/exhibits/{exhibit.id}"))["state"] == "ready"
    # Done segments are all run again, one of them by its id.
    assert len(ok(client.post(f"{steps}/detect/retry"), 202)["steps"]) == 2
    here.work_off()
    run = next(r for r in here.storage.index.step_runs(exhibit.id) if r.step is Step.DETECT)
    assert [s["run"] for s in ok(client.post(f"{steps}/{run.id}/retry"), 202)["steps"]] == [run.id]
    here.work_off()


def test_a_step_is_cancelled_whether_it_waits_or_runs(here: Served, maker: Person, case: Case, client: httpx.Client) -> None:
    exhibit = here.exhibit(maker, case)
    steps = f"{API}/exhibits/{exhibit.id}/steps"
    [ended] = ok(client.post(f"{steps}/probe/cancel"), 202)["steps"]
    assert ended["state"] == "cancelled"
    assert client.post(f"{steps}/probe/cancel").status_code == 409
    ok(client.post(f"{steps}/probe/retry"), 202)
    running = here.make.claim(Step.PROBE)
    [asked] = ok(client.post(f"{steps}/probe/cancel"), 202)["steps"]
    assert (asked["state"], asked["cancel_requested"]) == ("running", True)
    assert here.storage.ledger.steps.progress(running, 1, 2) is False
    here.storage.ledger.steps.cancelled(running)
    assert client.post(f"{steps}/track/retry").status_code == 409  # it has not started
    assert client.post(f"{steps}/dance/retry").status_code == 404


# --- redactions, clips, exports --------------------------------------------------------------------------------------


def test_a_redaction_is_asked_for_with_what_style_and_sound(
    here: Served, maker: Person, case: Case, client: httpx.Client
) -> None:
    exhibit = here.exhibit(maker, case)
    asking = f"{API}/exhibits/{exhibit.id}/redactions"
    early = client.post(asking, json={})
    assert early.status_code == 409
    assert "analysed" in early.json()["detail"]
    here.work_off()
    run = ok(client.post(asking, json={"what": ["people", "faces"], "style": "blur", "audio": "mute"}), 202)
    assert (run["step"], run["state"], run["requested_by"]) == ("redact", "ready", maker.user.name)
    assert run["params"]["what"] == ["faces", "people"]
    assert (run["params"]["style"], run["params"]["audio"]) == ("blur", "mute")
    for wrong, status in (({"what": []}, 422), ({"what": ["thoughts"]}, 422), ({"style": "glitter"}, 422)):
        assert client.post(asking, json=wrong).status_code == status
    plates = client.post(asking, json={"what": ["plates"]})
    assert plates.status_code == 422
    assert plates.json()["type"] == f"{API}/problems/no-detector"
    here.work_off()


def test_what_a_new_model_has_looked_for_can_be_hidden(
    here: Served, maker: Person, case: Case, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    exhibit = here.analysed(maker, case)
    asking = f"{API}/exhibits/{exhibit.id}/redactions"
    assert client.post(asking, json={"what": ["plates"]}).status_code == 422
    monkeypatch.setitem(LOOKED_FOR["report"], "looked_for", ["face", "licence plate"])
    ok(client.post(f"{API}/exhibits/{exhibit.id}/steps/detect/retry"), 202)
    here.work_off()
    ok(client.post(asking, json={"what": ["plates"]}), 202)
    here.work_off()


def test_a_clip_is_asked_for_by_exact_moments_or_seconds(
    here: Served, maker: Person, case: Case, client: httpx.Client
) -> None:
    exhibit = here.analysed(maker, case)
    asking = f"{API}/exhibits/{exhibit.id}/clips"
    exact = {"pts": 12, "time_base": "1/25"}
    run = ok(client.post(asking, json={"from": exact, "to": "1.5", "source": "annotated"}), 202)
    assert run["params"] == {"source": "annotated", "start": exact, "end": {"pts": 1_500_000, "time_base": "1/1000000"}}
    [waiting] = ok(client.get(asking))["clips"]
    assert (waiting["state"], waiting["file"]) == ("ready", None)
    here.work_off()
    [clip] = ok(client.get(asking))["clips"]
    assert clip["state"] == "done"
    assert hashlib.sha256(client.get(clip["file"]["url"]).content).hexdigest() == clip["file"]["sha256"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"from": "2", "to": "1"}, 400),
        ({"from": "soon", "to": "1"}, 400),
        ({"from": "NaN", "to": "1"}, 400),
        ({"from": "0", "to": "1e400"}, 400),
        ({"from": {"pts": 0, "time_base": "1/0"}, "to": "1"}, 400),
        ({"from": {"pts": 0, "time_base": "-1/25"}, "to": "1"}, 422),
        ({"from": {"pts": 2**60, "time_base": "1/25"}, "to": "1"}, 422),
        ({"from": "0", "to": "1", "source": "dreams"}, 400),
        ({"from": "0"}, 422),
    ],
)
def test_clips_that_are_none(here: Served, maker: Person, case: Case, client: httpx.Client, body: Any, status: int) -> None:
    exhibit = here.analysed(maker, case)
    assert client.post(f"{API}/exhibits/{exhibit.id}/clips", json=body).status_code == status


def test_a_closed_case_takes_no_new_work(here: Served, maker: Person, case: Case, client: httpx.Client) -> None:
    exhibit = here.analysed(maker, case)
    ok(client.patch(f"{API}/cases/{case.id}", json={"closed": True}))
    for path, body in (("redactions", {}), ("clips", {"from": "0", "to": "1"})):
        refused = client.post(f"{API}/exhibits/{exhibit.id}/{path}", json=body)
        assert refused.json()["type"] == f"{API}/problems/case-closed"
    assert client.post(f"{API}/cases/{case.id}/exports").status_code == 202  # what is there may leave
    here.work_off()


# --- tracks and search -----------------------------------------------------------------------------------------------


def test_tracks_give_exact_moments(here: Served, maker: Person, case: Case, client: httpx.Client) -> None:
    exhibit = here.analysed(maker, case)
    person, car = ok(client.get(f"{API}/exhibits/{exhibit.id}/tracks"))["tracks"]
    assert (person["label"], car["label"]) == ("person", "car")
    assert car["first"] == {"pts": 20, "time_base": "1/25", "label": "0:00:00.800"}
    assert client.get(person["thumbnail_url"]).headers["content-type"] == "image/jpeg"
    assert car["thumbnail_url"] is None


def test_search_goes_by_label_score_kind_case_and_claimed_time(here: Served, maker: Person, case: Case) -> None:
    client = here.client(maker)
    dated = here.analysed(maker, case, captured_at="2026-03-01T20:00:00+00:00")
    undated = here.analysed(maker, case, kind="cctv")

    def found(**query: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        answer = ok(client.get(f"{API}/search", params=query))
        both = [[(h["exhibit"], h["track"]["label"]) for h in answer[part]] for part in ("dated", "undated")]
        return both[0], both[1]

    assert found(label="person") == ([(dated.id, "person")], [(undated.id, "person")])
    assert found(label=["person", "car"], kind="cctv")[1] == [(undated.id, "person"), (undated.id, "car")]
    assert found(label="Person, CAR", min_score=0.6, kind="bodyworn") == ([(dated.id, "person")], [])
    assert found(case=case.reference, label="car")[0] == found(case=case.id, label="car")[0] == [(dated.id, "car")]
    assert found(**{"from": "2026-03-01T21:00:00+01:00", "to": "2026-03-01T20:00:00.5Z", "label": "person"}) == (
        [(dated.id, "person")],
        [(undated.id, "person")],
    )
    assert found(**{"from": "2026-03-01T20:03:00Z"})[0] == []
    [hit] = ok(client.get(f"{API}/search", params={"label": "car", "kind": "bodyworn"}))["dated"]
    assert (hit["from_time"], hit["time_error_s"]) == ("2026-03-01T20:00:00.800000Z", 60.0)
    assert (hit["clock"], hit["claimed_from"]) == ("file", "2026-03-01 20:00:00.800 UTC")
    assert hit["case_reference"] == case.reference
    searched = [e for e in here.storage.index.audit_events() if e.verb.value == "searched" and e.actor == maker.user.name]
    assert searched[-1].details["labels"] == ["car"]
    assert any(e.case_id == case.id for e in searched)


def test_the_page_of_the_search_is_for_who_may_watch_and_counts_from_the_first_frame(
    here: Served, maker: Person, case: Case
) -> None:
    exhibit = here.analysed(maker, case)
    page = here.client(maker).get("/search", params={"label": "car", "case": case.reference}).text
    assert f"Car 2 in {exhibit.reference}" in page
    assert "0:00.8 to 0:01.1" in page
    assert "As its clock said" not in page, "nobody says when it was filmed"
    dated = here.analysed(maker, case, captured_at="2026-03-01T20:00:00+00:00")
    page = here.client(maker).get("/search", params={"label": "car", "case": case.reference}).text
    told = "1 March 2026, 20:00:00 to 20:00:01 UTC ± 60 s"
    assert told in page
    assert "2026-03-01 20:00:00.800 UTC, as the uploader or the file says" in page
    own = here.client(maker).get(f"/exhibits/{dated.id}").text
    assert "filmed 1 March 2026, 20:00:00.0 UTC ± 60 s" in own
    assert (
        "2026-03-01 20:00:00.000 UTC, as the uploader or the file says; as the device says; the clock was not checked" in own
    )
    record = ok(here.client(maker).get(f"{API}/exhibits/{dated.id}"))["filmed"]
    assert (record["utc"], record["error_s"], record["clock"]) == ("2026-03-01T20:00:00Z", 60.0, "file")
    for path in ("/search", "/search?label=car"):
        assert here.client(here.person(Role.AUDITOR)).get(path).status_code == 403


def test_an_exhibits_page_folds_the_early_part_of_its_history(here: Served, maker: Person, case: Case) -> None:
    exhibit = here.analysed(maker, case)
    client = here.client(maker)
    for _ in range(8):
        for act in ("retry", "cancel"):
            assert client.post(f"{API}/exhibits/{exhibit.id}/steps/proxy/{act}").is_success
    history = client.get(f"/exhibits/{exhibit.id}").text.partition('id="history"')[2]
    newest, summary, earlier = history.partition("earlier events</span>")
    assert summary
    assert newest.count('data-label="No."') == 20
    assert "Step cancelled" in newest
    assert "Exhibit received" in earlier
    here.work_off()


# --- the tray --------------------------------------------------------------------------------------------------------


def test_an_upload_without_a_case_is_filed_from_the_tray(here: Served, maker: Person, case: Case) -> None:
    officer, other = here.person(Role.OFFICER), here.person(Role.OFFICER)
    stray = here.exhibit(officer, None, officer="PC 4711")
    [line] = ok(here.client(officer).get(f"{API}/tray"))["exhibits"]
    assert (line["id"], line["officer"], line["claimed_case"]) == (stray.id, "PC 4711", "no such case")
    assert ok(here.client(other).get(f"{API}/tray"))["exhibits"] == []
    supervisor = here.client(here.person(Role.SUPERVISOR))
    assert stray.id in [e["id"] for e in ok(supervisor.get(f"{API}/tray"))["exhibits"]]
    unknown = supervisor.patch(f"{API}/exhibits/{stray.id}", json={"case": "NOT/A/CASE"})
    assert unknown.status_code == 404
    assert "reference" in unknown.json()["detail"]
    filed = ok(supervisor.patch(f"{API}/exhibits/{stray.id}", json={"case": f" {case.reference.lower()} "}))
    assert filed["case_id"] == case.id
    assert ok(here.client(officer).get(f"{API}/tray"))["exhibits"] == []
    again = here.client(officer).patch(f"{API}/exhibits/{stray.id}", json={"case": case.reference})
    assert again.status_code == 409
    here.work_off()


# --- the log ---------------------------------------------------------------------------------------------------------


def test_the_log_of_a_case_is_given_in_pages_and_its_reading_is_in_it(here: Served, maker: Person, case: Case) -> None:
    exhibit = here.analysed(maker, case)
    auditor = here.person(Role.AUDITOR)
    client = here.client(auditor)
    events: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = ok(client.get(f"{API}/cases/{case.id}/audit", params={"after": after, "limit": 3}))
        assert len(page["events"]) <= 3
        events += page["events"]
        after = page["next_after"]
    verbs = [e["verb"] for e in events]
    assert verbs[0] == "case created"
    assert {"exhibit received", "step done"} <= set(verbs)
    assert (events[-1]["verb"], events[-1]["actor"]) == ("custody log read", auditor.user.name)
    assert verbs.count("custody log read") == 1  # one reading, however many pages
    assert events[0]["at"].endswith("Z")
    history = ok(here.client(maker).get(f"{API}/exhibits/{exhibit.id}/audit"))
    assert {e["exhibit_id"] for e in history["events"]} == {exhibit.id}
    assert history["next_after"] is None


# --- an upload, the whole way ----------------------------------------------------------------------------------------


def test_an_upload_becomes_an_exhibit_over_http(services: Services, tmp_path: Path) -> None:
    """tus in, the receiver checks, the record says what became of it; the same bytes again are a duplicate."""
    data = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(range(256)) * 40
    with own_settings(services, tmp_path) as settings, served(settings, receiver=True) as server:
        officer, investigator = server.person(Role.OFFICER), server.person(Role.INVESTIGATOR)
        case = server.make.case(investigator.user)
        client = server.client(officer)
        first, second = (_upload(client, case.reference, data) for _ in range(2))
        assert first["state"] == second["state"] == "done", (first, second)
        assert first["error"] == ""
        assert second["duplicate_of"] == second["exhibit"] == first["exhibit"]
        record = ok(server.client(investigator).get(f"{API}/exhibits/{first['exhibit']}"))
        assert record["sha256"] == digest_of(data).hex
        assert record["uploaded_by"]["name"] == officer.user.name
        assert server.client(investigator).get(f"{API}/exhibits/{first['exhibit']}/outputs/original").content == data
        refused = _upload(client, case.reference, b"MZ just a program" * 100, "game.exe")
        assert (refused["state"], refused["exhibit"]) == ("refused", None)
        assert refused["error"]
        assert refused["hint"]
        run = server.storage.ledger.steps.claim("worker-1", frozenset(Step), LEASE)
        assert run is not None
        assert run.exhibit_id == first["exhibit"]


def _upload(client: httpx.Client, reference: str, data: bytes, filename: str = "clip.mp4") -> dict[str, Any]:
    told = {"filename": filename, "case": reference, "kind": "bodyworn"}
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())
    tus = {"Tus-Resumable": "1.0.0"}
    made = client.post("/uploads/", headers=tus | {"Upload-Length": str(len(data)), "Upload-Metadata": metadata})
    assert made.status_code == 201, made.text
    where = made.headers["location"]
    upload = f"{API}/uploads/{where.rpartition('/')[2]}"
    assert ok(client.get(upload))["state"] == "receiving"
    patch = tus | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    client.patch(where, headers=patch, content=data)
    deadline = time.monotonic() + 20
    while True:
        answer = client.get(upload)
        if answer.json().get("state") not in {"receiving", "checking"}:
            return ok(answer)  # type: ignore[no-any-return]
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)

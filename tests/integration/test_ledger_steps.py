"""The step rows: claimed once, fenced, finished once, in the right order, and brought up to date after a re-run."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from evidence.audit import Verb
from evidence.case import Case, User
from evidence.errors import Conflict, Fenced, NotFound
from evidence.exhibit import Condition, Exhibit
from evidence.steps import Priority, Step, StepRun, StepRunId, StepState
from storage.index import Index
from storage.ledger import Ledger
from storage.ledger.steps import NewOutput, Result
from storage.open import Storage
from tests.conftest import FixedClock
from tests.factories import LEASE, Factory, track, video

OVER = timedelta(seconds=-1)
"""A lease that has run out when it is given: its worker has died."""
ALL = frozenset(Step)


@pytest.fixture
def user(make: Factory) -> User:
    return make.user()


@pytest.fixture
def case(make: Factory, user: User) -> Case:
    return make.case(user)


@pytest.fixture
def exhibit(make: Factory, user: User, case: Case) -> Exhibit:
    return make.exhibit(user, case)


def states(index: Index, exhibit: Exhibit) -> dict[str, str]:
    return {f"{run.step.value}/{run.segment}": run.state.value for run in index.step_runs(exhibit.id)}


def events(index: Index, verb: Verb) -> list[Any]:
    return [event for event in index.audit_events() if event.verb is verb]


def run_of(index: Index, exhibit: Exhibit, step: Step, segment: int = 0) -> StepRun:
    (found,) = [run for run in index.step_runs(exhibit.id) if (run.step, run.segment) == (step, segment)]
    return found


# --- the way of an exhibit -------------------------------------------------------------------------------------------


def test_the_graph_unfolds_as_steps_end(ledger: Ledger, index: Index, make: Factory, exhibit: Exhibit) -> None:
    assert states(index, exhibit) == {"probe/0": "ready"}
    assert make.finish(make.claim()) == 4
    assert states(index, exhibit) == {
        "probe/0": "done",
        **dict.fromkeys(("proxy/0", "locate/0", "detect/0", "detect/1"), "ready"),
    }
    assert index.exhibit(exhibit.id).condition is Condition.READABLE
    assert index.exhibit(exhibit.id).media == video()
    assert make.finish(make.claim(Step.DETECT)) == 0
    assert make.finish(make.claim(Step.DETECT)) == 1
    assert make.finish(make.claim(Step.TRACK)) == 3
    make.analysed(exhibit)
    assert set(states(index, exhibit)) == {
        *("probe/0", "proxy/0", "locate/0", "detect/0", "detect/1", "track/0", "index/0", "annotate/0", "redact/0")
    }
    assert set(states(index, exhibit).values()) == {"done"}
    assert [row.label for row in index.tracks(exhibit.id)] == ["person"]
    assert len(events(index, Verb.STEP_DONE)) == 9


def test_what_cannot_be_read_has_no_further_steps(index: Index, make: Factory, exhibit: Exhibit) -> None:
    run = make.claim()
    assert make.finish(run, media=None, condition=Condition.UNREADABLE, condition_note="no picture decodes") == 0
    assert states(index, exhibit) == {"probe/0": "done"}
    after = index.exhibit(exhibit.id)
    assert (after.condition, after.note) == (Condition.UNREADABLE, "no picture decodes")


def test_two_segments_that_end_at_the_same_moment_make_one_track(
    ledger: Ledger, index: Index, make: Factory, exhibit: Exhibit
) -> None:
    make.finish(make.claim(), media=video(segments=6, frames=120))
    runs = [make.claim(Step.DETECT) for _ in range(6)]
    start = threading.Barrier(6)

    def finish(run: StepRun) -> int:
        start.wait()
        return make.finish(run)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(finish, runs)) == [0, 0, 0, 0, 0, 1]
    assert [run.step for run in index.step_runs(exhibit.id)].count(Step.TRACK) == 1


def test_a_result_is_recorded_with_its_outputs(ledger: Ledger, index: Index, make: Factory, exhibit: Exhibit) -> None:
    run = make.claim()
    output = NewOutput(
        "report.json", "derived/x/1", "a" * 64, 12, "application/json", {"not looked for": ["plates"], "ü": 0.5}
    )
    make.finish(run, outputs=[output], note="all well", models=["yolo11n " + "b" * 64])
    (found,) = index.outputs(exhibit.id)
    assert (found.name, found.key, found.sha256, found.size_bytes) == ("report.json", "derived/x/1", "a" * 64, 12)
    assert found.details == {"not looked for": ["plates"], "ü": 0.5}
    assert (found.step, found.step_run_id, found.exhibit_id, found.case_id) == (Step.PROBE, run.id, exhibit.id, None)
    assert index.outputs(exhibit.id, name="other") == []
    assert index.outputs(step=Step.PROBE) == [found]
    details = events(index, Verb.STEP_DONE)[0].details
    assert details["outputs"] == {"report.json": "a" * 64}
    assert details["models"] == ["yolo11n " + "b" * 64]
    assert details["ready"] == ["proxy/0", "locate/0", "detect/0", "detect/1"]


def test_the_same_output_twice_is_one_and_other_bytes_are_refused(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    output = NewOutput("a.json", "derived/x/1", "a" * 64, 12, "application/json")
    run = make.claim()
    make.finish(run, outputs=[output])
    ledger.steps.retry(user, run.id)
    make.finish(make.claim(Step.PROBE), outputs=[output])
    assert len(index.outputs(exhibit.id)) == 1
    ledger.steps.retry(user, run.id)
    again = make.claim(Step.PROBE)
    with pytest.raises(Conflict):
        make.finish(again, outputs=[NewOutput("a.json", "derived/x/1", "b" * 64, 12, "application/json")])
    assert index.step_run(run.id).state is StepState.RUNNING, "nothing of it was written"


def test_tracks_of_a_new_run_take_the_place_of_the_old(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    make.analysed(exhibit, tracks=[track(1), track(2, "car")], thumbnails={2: "track-2.jpg"})
    assert [(row.track_id, row.thumbnail_output) for row in index.tracks(exhibit.id)] == [(1, ""), (2, "track-2.jpg")]
    ledger.steps.retry(user, run_of(index, exhibit, Step.INDEX).id)
    make.analysed(exhibit, tracks=[track(7, "dog")])
    assert [row.label for row in index.tracks(exhibit.id)] == ["dog"]


# --- claims ----------------------------------------------------------------------------------------------------------


def test_claims_never_give_a_row_twice(storage: Storage, make: Factory, user: User, case: Case) -> None:
    for _ in range(10):
        make.exhibit(user, case)

    def work(n: int) -> list[StepRunId]:
        mine = []
        while run := storage.ledger.steps.claim(f"worker-{n}", ALL, LEASE):
            mine.append(run.id)
        return mine

    with ThreadPoolExecutor(6) as pool:
        claimed = [run_id for mine in pool.map(work, range(6)) for run_id in mine]
    assert len(claimed) == len(set(claimed)) == 10


def test_urgent_cases_first_then_new_evidence_then_reruns_oldest_first(
    ledger: Ledger, make: Factory, user: User, case: Case, clock: FixedClock
) -> None:
    old = make.exhibit(user, case)
    make.analysed(old)
    clock.advance(minutes=1)
    first = make.exhibit(user, case)
    clock.advance(minutes=1)
    second = make.exhibit(user, case)
    hurry = make.case(user)
    clock.advance(minutes=1)
    urgent = make.exhibit(user, hurry)
    export = ledger.steps.ask(user.name, Step.EXPORT, case_id=hurry.id)
    rerun = ledger.steps.ask(user.name, Step.REDACT, exhibit_id=old.id, priority=Priority.RERUN)
    ledger.cases.change(user, hurry.id, urgent=True)
    order = [make.claim() for _ in range(5)]
    assert [run.exhibit_id for run in order[2:]] == [first.id, second.id, old.id]
    assert {run.exhibit_id for run in order[:2]} == {urgent.id, None}
    assert export.id in {run.id for run in order[:2]}
    assert order[4].id == rerun.id


def test_a_worker_gets_only_steps_that_it_can_run(ledger: Ledger, make: Factory, exhibit: Exhibit) -> None:
    assert ledger.steps.claim("w", frozenset({Step.DETECT}), LEASE) is None
    assert ledger.steps.claim("w", frozenset(), LEASE) is None
    assert ledger.steps.ready_count(frozenset({Step.DETECT})) == 0
    assert ledger.steps.ready_count(ALL) == 1
    assert make.claim(Step.PROBE).worker == "worker-1"
    assert ledger.steps.ready_count(ALL) == 0


def test_a_row_that_was_claimed_shows_it(index: Index, make: Factory, exhibit: Exhibit, clock: FixedClock) -> None:
    run = make.claim()
    assert (run.state, run.attempt, run.started_at) == (StepState.RUNNING, 1, clock.now())
    assert index.step_run(run.id) == run


def test_a_dead_workers_row_is_claimed_again_and_it_is_fenced(
    ledger: Ledger, index: Index, make: Factory, exhibit: Exhibit
) -> None:
    dead = make.claim(lease=OVER)
    assert ledger.steps.ready_count(ALL) == 1
    second = make.claim(worker="worker-2")
    assert (second.id, second.attempt, second.killed) == (dead.id, 2, 1)
    assert not ledger.steps.renew(dead, LEASE)
    ledger.steps.hand_back(dead)
    for act in (
        lambda: make.finish(dead, outputs=[NewOutput("x", "derived/x", "a" * 64, 1, "x")]),
        lambda: ledger.steps.fail(dead, "x", "", ""),
        lambda: ledger.steps.cancelled(dead),
        lambda: ledger.steps.progress(dead, 1, 2),
    ):
        with pytest.raises(Fenced):
            act()
    assert index.outputs(exhibit.id) == []
    assert make.finish(second) == 4
    with pytest.raises(Fenced):
        make.finish(second)
    assert len(events(index, Verb.STEP_DONE)) == 1


def test_a_renewed_lease_holds(ledger: Ledger, make: Factory, exhibit: Exhibit) -> None:
    run = make.claim(lease=OVER)
    assert ledger.steps.renew(run, LEASE)
    assert ledger.steps.claim("worker-2", ALL, LEASE) is None


def test_the_third_kill_quarantines(ledger: Ledger, index: Index, make: Factory, exhibit: Exhibit) -> None:
    for n in range(3):
        run = make.claim(lease=OVER)
        assert (run.attempt, run.killed) == (n + 1, n)
    assert ledger.steps.claim("worker-1", ALL, LEASE) is None
    after = index.step_run(run.id)
    assert (after.state, after.killed) == (StepState.QUARANTINED, 3)
    assert "3 attempts were killed" in after.error
    assert after.hint
    assert len(events(index, Verb.STEP_QUARANTINED)) == 1


def test_a_child_that_is_killed_three_times_quarantines_too(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    for n in range(3):
        run = make.claim()
        ledger.steps.fail(run, "the child was killed by signal 9", "more memory", f"log {n}", killed=True)
    after = index.step_run(run.id)
    assert (after.state, after.log_tail) == (StepState.QUARANTINED, "log 2")
    assert "signal 9" in after.error
    again = ledger.steps.retry(user, run.id)
    assert (again.state, again.killed, again.attempt) == (StepState.READY, 0, 3)
    make.finish(make.claim())
    assert index.step_run(run.id).state is StepState.DONE


def test_a_quarantined_row_stops_nobody(make: Factory, user: User, case: Case, clock: FixedClock) -> None:
    bad = make.exhibit(user, case)
    clock.advance(seconds=1)
    good = make.exhibit(user, case)
    for _ in range(3):
        run = make.claim(lease=OVER)
        assert run.exhibit_id == bad.id
    assert make.claim().exhibit_id == good.id


def test_a_step_that_fails_says_why(ledger: Ledger, index: Index, make: Factory, exhibit: Exhibit) -> None:
    run = make.claim()
    ledger.steps.fail(run, "the file ends in the middle", "Keep it.", "x" * 20_000 + "the end\x00")
    after = index.step_run(run.id)
    assert (after.state, after.error, after.hint) == (StepState.FAILED, "the file ends in the middle", "Keep it.")
    assert after.log_tail.endswith("the end\ufffd")
    assert len(after.log_tail) <= 8_000
    assert [event.details["error"] for event in events(index, Verb.STEP_FAILED)] == ["the file ends in the middle"]
    assert events(index, Verb.STEP_FAILED)[0].case_id == exhibit.case_id


def test_a_transient_fault_waits_and_keeps_its_place(ledger: Ledger, index: Index, make: Factory, exhibit: Exhibit) -> None:
    run = make.claim()
    ledger.steps.fail(run, "the store is down", "", "", retry_in=timedelta(hours=1))
    assert ledger.steps.claim("w", ALL, LEASE) is None
    assert index.step_run(run.id).error == "the store is down"
    ledger.steps.cancel(make.user(), run.id)
    assert index.step_run(run.id).state is StepState.CANCELLED


def test_a_wait_that_is_over_is_over(ledger: Ledger, make: Factory, exhibit: Exhibit) -> None:
    run = make.claim()
    ledger.steps.fail(run, "the store is down", "", "", retry_in=OVER)
    again = make.claim()
    assert (again.id, again.killed) == (run.id, 0)


def test_a_step_that_is_handed_back_is_ready_at_once(ledger: Ledger, index: Index, make: Factory, exhibit: Exhibit) -> None:
    run = make.claim()
    ledger.steps.hand_back(run)
    again = make.claim(worker="worker-2")
    assert (again.id, again.killed, again.attempt) == (run.id, 0, 2)
    with pytest.raises(Fenced):
        make.finish(run)


# --- people: progress, cancel, retry, ask ----------------------------------------------------------------------------


def test_progress_and_a_cancel_in_the_middle(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    run = make.claim()
    assert ledger.steps.progress(run, 10, 100)
    assert (index.step_run(run.id).progress_done, index.step_run(run.id).progress_total) == (10, 100)
    assert ledger.steps.cancel(user, run.id).cancel_requested
    assert not ledger.steps.progress(run, 11, 100)
    ledger.steps.cancelled(run)
    assert index.step_run(run.id).state is StepState.CANCELLED
    with pytest.raises(Conflict):
        ledger.steps.cancel(user, run.id)
    assert [event.actor for event in events(index, Verb.STEP_CANCELLED)] == [user.name, "system:worker worker-1"]


def test_a_cancel_whose_worker_died_is_a_cancel(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    run = make.claim(lease=OVER)
    ledger.steps.cancel(user, run.id)
    assert ledger.steps.claim("w", ALL, LEASE) is None
    assert index.step_run(run.id).state is StepState.CANCELLED


def test_a_cancelled_step_runs_again_when_asked(ledger: Ledger, make: Factory, user: User, exhibit: Exhibit) -> None:
    run = make.claim()
    ledger.steps.cancel(user, run.id)
    with pytest.raises(Conflict):
        ledger.steps.retry(user, run.id)
    ledger.steps.cancelled(run)
    assert ledger.steps.retry(user, run.id).state is StepState.READY
    again = make.claim()
    assert not again.cancel_requested
    assert make.finish(again) == 4
    with pytest.raises(NotFound):
        ledger.steps.retry(user, StepRunId("none"))


def test_a_rerun_of_track_brings_later_steps_up_to_date(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    make.analysed(exhibit)
    annotate = run_of(index, exhibit, Step.ANNOTATE)
    asked = ledger.steps.ask(user.name, Step.REDACT, exhibit_id=exhibit.id, params={"style": "blur"})
    make.finish(make.claim())
    ledger.steps.retry(user, run_of(index, exhibit, Step.TRACK).id)
    assert make.finish(make.claim()) == 3
    now = Counter(f"{run.step.value} {run.state.value}" for run in index.step_runs(exhibit.id))
    assert now["index ready"] == now["annotate ready"] == now["redact ready"] == 1
    assert index.step_run(asked.id).state is StepState.DONE, "what a person asked for is his to ask for again"
    again = make.claim(Step.ANNOTATE)
    assert (again.id, again.attempt) == (annotate.id, 2)
    new = make.exhibit(user, index.case(exhibit.case_id))  # type: ignore[arg-type]
    assert make.claim().exhibit_id == new.id, "new evidence goes before re-runs"
    make.finish(again)
    while run := ledger.steps.claim("w", ALL - {Step.PROBE, Step.PROXY, Step.DETECT}, LEASE):
        make.finish(run)
    assert set(states(index, exhibit).values()) == {"done"}


def test_a_rerun_of_a_segment_goes_all_the_way(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    make.analysed(exhibit)
    for segment in (0, 1):
        ledger.steps.retry(user, run_of(index, exhibit, Step.DETECT, segment).id)
    assert make.finish(make.claim(Step.DETECT)) == 0, "the other segment isn't done yet"
    assert make.finish(make.claim(Step.DETECT)) == 1
    make.analysed(exhibit)
    attempts = {f"{run.step.value}/{run.segment}": run.attempt for run in index.step_runs(exhibit.id)}
    assert [attempts.pop(name) for name in ("probe/0", "proxy/0", "locate/0")] == [1, 1, 1]
    assert attempts == dict.fromkeys(("detect/0", "detect/1", "track/0", "index/0", "annotate/0", "redact/0"), 2)


def test_a_running_step_on_old_tracks_is_overtaken(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    for _ in range(5):
        make.finish(make.claim(Step.PROBE, Step.PROXY, Step.DETECT, Step.TRACK))
    old = make.claim(Step.REDACT)
    ledger.steps.retry(user, run_of(index, exhibit, Step.TRACK).id)
    make.finish(make.claim(Step.TRACK))
    with pytest.raises(Fenced):
        make.finish(old)
    assert make.claim(Step.REDACT).attempt == 2


def test_what_a_person_cancelled_stays_so_and_what_failed_is_tried_again(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    for _ in range(5):
        make.finish(make.claim(Step.PROBE, Step.PROXY, Step.DETECT, Step.TRACK))
    ledger.steps.cancel(user, run_of(index, exhibit, Step.REDACT).id)
    ledger.steps.fail(make.claim(Step.ANNOTATE), "no font", "", "")
    ledger.steps.retry(user, run_of(index, exhibit, Step.TRACK).id)
    make.finish(make.claim(Step.TRACK))
    now = states(index, exhibit)
    assert (now["redact/0"], now["annotate/0"], now["index/0"]) == ("cancelled", "ready", "ready")


def test_a_segment_that_failed_and_is_retried_carries_on(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    make.finish(make.claim())
    bad = make.claim(Step.DETECT)
    ledger.steps.fail(bad, "out of memory", "", "")
    make.finish(make.claim(Step.DETECT))
    assert "track/0" not in states(index, exhibit)
    ledger.steps.retry(user, bad.id)
    assert make.finish(make.claim(Step.DETECT)) == 1
    assert states(index, exhibit)["track/0"] == "ready"


def test_asking_for_a_redaction_needs_tracks(
    ledger: Ledger, index: Index, make: Factory, user: User, exhibit: Exhibit
) -> None:
    with pytest.raises(Conflict, match="track"):
        ledger.steps.ask(user.name, Step.REDACT, exhibit_id=exhibit.id)
    make.analysed(exhibit)
    asked = ledger.steps.ask(user.name, Step.REDACT, exhibit_id=exhibit.id, params={"what": ["faces"], "grow": "0.2"})
    assert (asked.state, asked.requested_by, asked.params) == (
        StepState.READY,
        user.name,
        {"what": ["faces"], "grow": "0.2"},
    )
    event = events(index, Verb.STEP_ASKED)[-1]
    assert (event.actor, event.case_id, event.exhibit_id) == (user.name, exhibit.case_id, exhibit.id)
    with pytest.raises(NotFound):
        ledger.steps.ask(user.name, Step.CLIP, exhibit_id="none")  # type: ignore[arg-type]


def test_an_export_belongs_to_its_case(ledger: Ledger, index: Index, make: Factory, user: User, case: Case) -> None:
    ledger.steps.ask(user.name, Step.EXPORT, case_id=case.id)
    run = make.claim()
    output = NewOutput("pack.zip", "derived/cases/c/r/1/pack.zip", "a" * 64, 5, "application/zip")
    assert ledger.steps.finish(run, Result(recipe="0" * 16, outputs=[output])) == 0
    (found,) = index.outputs(case_id=case.id)
    assert (found.case_id, found.exhibit_id, found.name) == (case.id, None, "pack.zip")
    assert [found.id for found in index.step_runs(case_id=case.id)] == [run.id]
    assert events(index, Verb.STEP_DONE)[0].case_id == case.id


def test_step_runs_are_listed_by_what_one_asks_for(
    ledger: Ledger, index: Index, make: Factory, user: User, case: Case, exhibit: Exhibit
) -> None:
    make.finish(make.claim())
    other = make.exhibit(user)
    assert [(run.step, run.segment) for run in index.step_runs(exhibit.id)] == [
        (Step.PROBE, 0),
        (Step.PROXY, 0),
        (Step.LOCATE, 0),
        (Step.DETECT, 0),
        (Step.DETECT, 1),
    ]
    assert len(index.step_runs(case_id=case.id)) == 5
    assert [run.step for run in index.step_runs(other.id)] == [Step.PROBE]
    assert len(index.step_runs(states=[StepState.READY])) == 5
    assert len(index.step_runs(limit=2)) == 2
    assert index.step_counts()[("detect", "ready")] == 2


def test_many_workers_finish_many_exhibits_exactly_once(
    storage: Storage, index: Index, make: Factory, user: User, case: Case
) -> None:
    exhibits = [make.exhibit(user, case) for _ in range(5)]

    def work(n: int) -> None:
        idle = 0
        while idle < 3:
            run = storage.ledger.steps.claim(f"worker-{n}", ALL, LEASE)
            if run is None:
                idle += 1
                continue
            make.finish(run)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    work(9)
    for exhibit in exhibits:
        assert set(states(index, exhibit).values()) == {"done"}
        assert len(states(index, exhibit)) == len(index.step_runs(exhibit.id)) == 9
    assert len(events(index, Verb.STEP_DONE)) == 45

"""Cases, members, viewings, and what each person can see of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from evidence.audit import Verb
from evidence.case import CaseId, CaseState, Relation, Role, User, UserId
from evidence.clock import Correction, Evidence
from evidence.errors import BadInput, CaseClosed, Conflict, NotFound
from evidence.exhibit import Exhibit
from evidence.places import FILE_CLOCK
from evidence.steps import Step, StepState
from evidence.telemetry import Family, Zone
from storage.index import Hit, Index, Query
from storage.ledger import Ledger
from tests.conftest import FixedClock
from tests.devices import places, seconds
from tests.factories import Factory, track, video


def events(index: Index) -> list[tuple[Verb, object]]:
    return [(event.verb, event.details) for event in index.audit_events() if event.verb is not Verb.USER_ADDED]


def test_a_case_with_its_maker_as_member(ledger: Ledger, index: Index, make: Factory) -> None:
    user = make.user()
    case = ledger.cases.create(user, "  01AB1234567/23  ", "Robbery, High Street")
    assert case.reference == "01AB1234567/23"
    assert index.case(case.id) == case
    assert index.case_by_reference("01ab1234567/23") == case
    assert index.members(case.id) == [user]
    assert index.relations(user, case_id=case.id) == {Relation.MEMBER}
    assert events(index) == [(Verb.CASE_CREATED, {"reference": "01AB1234567/23", "title": "Robbery, High Street"})]


@pytest.mark.parametrize("reference", ["", "  ", "/", "unfiled", "Unfiled", "a\nb\x00", "x" * 65, "<script>", "a;b", "-a"])
def test_an_odd_reference_is_refused(ledger: Ledger, make: Factory, reference: str) -> None:
    with pytest.raises(BadInput):
        ledger.cases.create(make.user(), reference)


def test_a_reference_is_taken_in_every_spelling(ledger: Ledger, make: Factory) -> None:
    user = make.user()
    ledger.cases.create(user, "Op Elm/1")
    with pytest.raises(Conflict):
        ledger.cases.create(user, "OP  ELM/1")


def test_of_two_that_make_the_same_case_one_does(ledger: Ledger, index: Index, make: Factory) -> None:
    user = make.user()

    def create(_: int) -> bool:
        try:
            ledger.cases.create(user, "OP1")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == [False, False, False, True]
    assert len(events(index)) == 1


def test_changes_are_logged_and_no_changes_are_not(ledger: Ledger, index: Index, make: Factory) -> None:
    user = make.user()
    case = make.case(user)
    assert ledger.cases.change(user, case.id, urgent=True).urgent
    assert ledger.cases.change(user, case.id, urgent=True).urgent
    assert ledger.cases.change(user, case.id, closed=True).state is CaseState.CLOSED
    assert ledger.cases.change(user, case.id, closed=False, urgent=False).state is CaseState.OPEN
    assert [details for verb, details in events(index) if verb is Verb.CASE_CHANGED] == [
        {"urgent": True},
        {"state": "closed"},
        {"state": "open", "urgent": False},
    ]
    with pytest.raises(NotFound):
        ledger.cases.change(user, CaseId("none"), urgent=True)


def test_members_come_and_go_and_one_stays(ledger: Ledger, index: Index, make: Factory) -> None:
    owner, other = make.user(), make.user()
    case = make.case(owner)
    for _ in range(2):
        ledger.cases.add_member(owner, case.id, other.id)
    assert {member.id for member in index.members(case.id)} == {owner.id, other.id}
    for _ in range(2):
        ledger.cases.remove_member(other, case.id, owner.id)
    with pytest.raises(Conflict):
        ledger.cases.remove_member(other, case.id, other.id)
    assert index.members(case.id) == [other]
    verbs = [verb for verb, _ in events(index)]
    assert verbs == [Verb.CASE_CREATED, Verb.MEMBER_ADDED, Verb.MEMBER_REMOVED]
    with pytest.raises(NotFound):
        ledger.cases.add_member(owner, case.id, UserId("none"))
    with pytest.raises(NotFound):
        ledger.cases.add_member(owner, CaseId("none"), other.id)


def test_nobody_sees_a_case_that_he_is_no_member_of(ledger: Ledger, index: Index, make: Factory) -> None:
    owner, member, stranger = make.user(), make.user(Role.OFFICER), make.user(Role.SUPERVISOR)
    admin, auditor = make.user(Role.ADMIN), make.user(Role.AUDITOR)
    one = make.case(owner, "OP ELM", member)
    two = make.case(owner, "OP OAK")
    assert {case.id for case in index.cases_for(owner)} == {one.id, two.id}
    assert [case.id for case in index.cases_for(member)] == [one.id]
    assert [index.cases_for(user) for user in (stranger, admin)] == [[], []]
    assert len(index.cases_for(auditor)) == 2
    assert [case.id for case in index.cases_for(owner, "oak")] == [two.id]
    assert index.cases_for(owner, "%") == index.cases_for(owner, "_") == []


def test_urgent_cases_come_first_then_the_newest(ledger: Ledger, index: Index, make: Factory, clock: FixedClock) -> None:
    user = make.user()
    made = []
    for _ in range(3):
        made.append(make.case(user))
        clock.advance(minutes=1)
    ledger.cases.change(user, made[1].id, urgent=True)
    assert [case.id for case in index.cases_for(user)] == [made[1].id, made[2].id, made[0].id]


def test_one_event_per_viewing(ledger: Ledger, index: Index, make: Factory, clock: FixedClock) -> None:
    user = make.user()

    def look(session: str, key: str, verb: Verb = Verb.VIEWED) -> int:
        return ledger.viewings.open(user, session, key, verb=verb, case_id="c", exhibit_id="e", details={"key": key})

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(lambda _: look("s1", "k1"), range(12)))) == 1
    first = look("s1", "k1")
    assert look("s2", "k1") != first
    assert look("s1", "k2") != first
    assert look("s1", "k1", Verb.FETCHED) != first
    clock.advance(hours=11)
    assert look("s1", "k1") == first
    clock.advance(hours=2)
    again = look("s1", "k1")
    assert again != first
    assert look("s1", "k1") == again
    assert [verb for verb, _ in events(index)].count(Verb.VIEWED) == 4
    assert index.audit_of_exhibit("e")[0].number == first  # type: ignore[arg-type]


def test_an_act_without_rows(ledger: Ledger, index: Index) -> None:
    number = ledger.viewings.record("pc.smith", Verb.DENIED, case_id="c", details={"act": "see a case", "score": 0.5})
    event = list(index.audit_events())[-1]
    assert (event.number, event.verb, event.case_id) == (number, Verb.DENIED, "c")
    assert event.details == {"act": "see a case", "score": "0.5"}


# --- search ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def seen(make: Factory) -> tuple[User, User, Exhibit, Exhibit, Exhibit]:
    """An investigator's exhibit with a claimed time, another's without, and one in the tray."""
    alice, bob = make.user(), make.user()
    dated = make.exhibit(alice, make.case(alice, "A/1"), captured_at="2026-03-01T12:00:00+01:00", kind="drone")
    make.analysed(dated, tracks=[track(1, "person", 0, 50, 0.9), track(2, "car", 25, 50, 0.5)])
    undated = make.exhibit(bob, make.case(bob, "B/1"))
    make.analysed(undated, tracks=[track(1, "person", 0, 10, 0.8)])
    tray = make.exhibit(bob)
    make.analysed(tray, tracks=[track(1, "person", 0, 10, 0.7)])
    return alice, bob, dated, undated, tray


Seen = tuple[User, User, Exhibit, Exhibit, Exhibit]


def test_search_gives_only_what_the_person_may_watch(seen: Seen, index: Index, make: Factory) -> None:
    alice, bob, dated, undated, tray = seen
    found, apart = index.search(alice, Query(labels=("person",)))
    assert [(hit.exhibit.id, hit.case_reference) for hit in found] == [(dated.id, "A/1")]
    assert apart == []
    found, apart = index.search(bob, Query(labels=("person",)))
    assert found == []
    assert {(hit.exhibit.id, hit.case_reference) for hit in apart} == {(undated.id, "B/1"), (tray.id, "")}
    for role in (Role.AUDITOR, Role.ADMIN, Role.SUPERVISOR, Role.OFFICER):
        assert index.search(make.user(role), Query()) == ([], [])
    assert index.search(bob, Query(case_id=dated.case_id)) == ([], [])


def test_search_by_time_label_kind_and_score(seen: Seen, index: Index) -> None:
    alice, bob, _, _, _ = seen
    start = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)

    def labels(**query: object) -> list[str]:
        return [hit.track.label for hit in index.search(alice, Query(**query))[0]]  # type: ignore[arg-type]

    assert labels() == ["person", "car"]
    assert labels(min_score=0.6) == ["person"]
    assert labels(kind="drone") == ["person", "car"]
    assert labels(kind="cctv") == []
    assert labels(labels=("car", "bus")) == ["car"]
    unchecked = timedelta(seconds=60)
    assert labels(before=start - unchecked + timedelta(seconds=0.5)) == ["person"]
    assert labels(after=start + unchecked + timedelta(seconds=2.5)) == ["car"]
    assert labels(after=start + timedelta(hours=1)) == []
    assert labels(limit=1) == ["person"]
    assert labels(limit=1, offset=1) == ["car"]
    hit = index.search(alice, Query(labels=("car",)))[0][0]
    assert (hit.from_time, hit.to_time) == (start + timedelta(seconds=1), start + timedelta(seconds=2.96))
    assert (hit.error_s, hit.clock, hit.claimed_from) == (60.0, FILE_CLOCK, "2026-03-01 11:00:01.000 UTC")
    assert len(index.search(bob, Query(after=start))[1]) == 2


def test_tracks_are_searched_by_the_corrected_clock_and_keep_what_it_said(
    index: Index, ledger: Ledger, make: Factory
) -> None:
    """A telemetry's clock goes before the file's claim, and the clock that was corrected before one that was not."""
    user = make.user()
    exhibit = make.exhibit(user, make.case(user), captured_at="2026-07-01T09:00:00Z")
    make.finish(make.claim(Step.PROBE), media=video())
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    way = np.broadcast_to(np.array([52.2, 0.12]), (20, 2))
    records = seconds(way, clock_s=int(noon.timestamp()) + 5, first_s=5)
    make.finish(make.claim(Step.LOCATE), places=places(exhibit.id, records, zone=Zone.LOCAL.value))
    make.analysed(exhibit, tracks=[track(1, "car", first=250, frames=50)])  # second 10
    ten = timedelta(seconds=10)

    def hit(**query: object) -> Hit | None:
        return next(iter(index.search(user, Query(**query))[0]), None)  # type: ignore[arg-type]

    found = hit()
    assert found is not None
    assert (found.from_time, found.error_s) == (noon - timedelta(hours=1) + ten, 60.0)
    assert (found.clock, found.claimed_from) == (Family.DJI_SRT.value, f"2026-07-01 12:00:10.000 {Zone.LOCAL.value}")
    late = Correction(-3_590.0, 0.5, Evidence.TRUSTED_CLOCK, "the station's clock", user.name)
    ledger.places.correct_clock(user, exhibit.id, Family.DJI_SRT.value, late)
    found = hit()
    assert found is not None
    assert (found.from_time, found.error_s) == (noon - timedelta(seconds=3_590) + ten, 0.5)
    assert found.claimed_from == f"2026-07-01 12:00:10.000 {Zone.LOCAL.value}"
    assert hit(after=noon - timedelta(hours=1) + ten * 1.9, before=noon - timedelta(hours=1) + ten * 2) is not None
    assert hit(before=noon - timedelta(hours=1) + ten * 1.9) is None
    better = Correction(1.0, 0.25, Evidence.STATED, "the uploader looked at the control room's clock", user.name)
    ledger.places.correct_clock(user, exhibit.id, FILE_CLOCK, better)
    found = hit()
    assert found is not None
    assert found.from_time == datetime(2026, 7, 1, 9, 0, 11, tzinfo=UTC)
    assert (found.clock, found.claimed_from) == (FILE_CLOCK, "2026-07-01 09:00:10.000 UTC")


def test_the_containers_own_time_counts_where_nobody_claimed_one(index: Index, make: Factory) -> None:
    user = make.user()
    exhibit = make.exhibit(user, make.case(user))
    claimed = datetime(2025, 12, 24, 18, 0, tzinfo=UTC)
    make.finish(make.claim(), media=video(claimed_capture_time=claimed))
    make.analysed(exhibit, tracks=[track(1, "person", 25)])
    found, apart = index.search(user, Query())
    assert apart == []
    assert [hit.from_time for hit in found] == [claimed + timedelta(seconds=1)]
    assert found[0].exhibit.captured_at is None


def test_times_count_from_the_first_frame_of_the_video(index: Index, make: Factory) -> None:
    user = make.user()
    exhibit = make.exhibit(user, make.case(user))
    late = video()
    stream = late.video[0]
    shifted = type(stream)(**{name: getattr(stream, name) for name in stream.__slots__} | {"start_pts": 25})
    make.finish(make.claim(), media=video(video=(shifted,)))
    make.analysed(exhibit, tracks=[track(1, "person", 50)])
    row = index.tracks(exhibit.id)[0]
    assert (row.first_pts, row.start_s, row.end_s) == (50, 1.0, 1.36)


def test_the_tray_and_own_uploads(ledger: Ledger, index: Index, make: Factory, clock: FixedClock) -> None:
    officer, other, supervisor = make.user(Role.OFFICER), make.user(Role.OFFICER), make.user(Role.SUPERVISOR)
    auditor, admin = make.user(Role.AUDITOR), make.user(Role.ADMIN)
    mine = make.exhibit(officer)
    clock.advance(minutes=1)
    his = make.exhibit(other)
    assert index.unfiled(officer) == [mine]
    assert [index.unfiled(user) for user in (supervisor, admin)] == [[mine, his], [mine, his]]
    assert index.unfiled(auditor) == []
    clock.advance(minutes=1)
    case = make.case(supervisor)
    filed = make.exhibit(officer, case)
    assert index.exhibits_by(officer) == [filed, mine]
    assert index.exhibits_of(case.id) == [filed]
    assert index.relations(officer, exhibit=filed) == {Relation.OWN}
    assert index.relations(supervisor, exhibit=filed) == {Relation.MEMBER}
    assert index.relations(other, exhibit=filed) == frozenset()


def test_filing_from_the_tray_keeps_the_analysis_and_makes_anew_what_bears_the_old_reference(
    ledger: Ledger, index: Index, make: Factory
) -> None:
    officer, supervisor = make.user(Role.OFFICER, display_name="Alan Bo Cole"), make.user(Role.SUPERVISOR)
    tray = make.exhibit(officer, claimed="x")
    make.analysed(tray)
    case = make.case(supervisor)
    make.exhibit(officer, case)
    filed = ledger.exhibits.file(supervisor, tray.id, case.id)
    assert (tray.reference, filed.reference) == ("ABC/1", "ABC/2")
    assert index.exhibit(tray.id) == filed
    assert index.tracks(tray.id)
    ready = {run.step for run in index.step_runs(tray.id) if run.state is StepState.READY}
    assert ready == {Step.ANNOTATE, Step.REDACT}, "ABC/1 is another exhibit in this case"
    for step in ready:
        make.finish(make.claim(step))
    assert {run.state for run in index.step_runs(tray.id)} == {StepState.DONE}
    history = [event.verb for event in index.audit_of_case(case.id)]
    assert history.count(Verb.EXHIBIT_RECEIVED) == 2, "what happened before it was filed belongs to its history"
    assert Verb.EXHIBIT_FILED in history
    with pytest.raises(Conflict):
        ledger.exhibits.file(supervisor, tray.id, case.id)


def test_filing_is_refused_where_it_must_be(ledger: Ledger, make: Factory) -> None:
    officer = make.user()
    case, closed = make.case(officer), make.case(officer)
    tray = make.exhibit(officer, data=b"the same bytes")
    make.exhibit(officer, case, data=b"the same bytes")
    ledger.cases.change(officer, closed.id, closed=True)
    with pytest.raises(Conflict, match="already"):
        ledger.exhibits.file(officer, tray.id, case.id)
    with pytest.raises(CaseClosed):
        ledger.exhibits.file(officer, tray.id, closed.id)
    with pytest.raises(NotFound):
        ledger.exhibits.file(officer, tray.id, CaseId("none"))

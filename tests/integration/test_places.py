"""Places in the database: what LOCATE gives back, pairs of sidecar and video, clocks, and who filmed a spot and when."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from evidence import earth
from evidence.audit import Verb
from evidence.case import Case, Role, User
from evidence.clock import Correction, Evidence
from evidence.errors import BadInput, Conflict
from evidence.exhibit import Exhibit, FileType
from evidence.places import FILE_CLOCK, By, How, Shape, box, circle, polygon
from evidence.steps import Step, StepState
from evidence.telemetry import Family, Zone
from storage.index import Index, Query, Seen
from storage.ledger import Ledger
from storage.ledger.places import TRACKS, NewLocated, NewPlaces
from storage.ledger.steps import NewOutput
from storage.open import Storage
from storage.sightings import covering, drawn
from storage.tables import step_runs
from tests.devices import places, rectangle, seconds, source, wandering
from tests.factories import LEASE, Factory, track, video
from workers.sweep import Chores

HERE = (52.2, 0.12)


@pytest.fixture
def user(make: Factory) -> User:
    return make.user()


@pytest.fixture
def case(make: Factory, user: User) -> Case:
    return make.case(user)


def located(make: Factory, exhibit: Exhibit, found: NewPlaces | None = None, **media: object) -> None:
    """Take an exhibit through PROBE and LOCATE (nothing else of that kind may be ready)."""
    if exhibit.file_type is FileType.VIDEO:
        make.finish(make.claim(Step.PROBE), media=video(**media))
    make.finish(make.claim(Step.LOCATE), places=found or NewPlaces())


def flight(make: Factory, user: User, case: Case | None, records: object, **about: object) -> Exhibit:
    exhibit = make.exhibit(user, case)
    located(make, exhibit, places(exhibit.id, records, **about))  # type: ignore[arg-type]
    return exhibit


def hovering(n: int = 20, at: tuple[float, float] = HERE, **more: int) -> object:
    here = np.broadcast_to(np.array(at), (n, 2))
    return seconds(here, rectangle(here, np.zeros(n), 80, 45), **more)


def verbs(index: Index, verb: Verb) -> list[dict[str, object]]:
    return [dict(event.details) for event in index.audit_events() if event.verb is verb]


# --- who filmed this spot, and when ----------------------------------------------------------------------------------


def test_a_spot_is_found_with_its_seconds_and_its_time(make: Factory, index: Index, user: User, case: Case) -> None:
    start = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp())
    exhibit = flight(make, user, case, hovering(clock_s=start, first_s=5))
    (seen,) = index.sightings(user, circle(*HERE, 5), Query())
    sighting = seen.sighting
    assert (seen.exhibit.id, seen.case_reference) == (exhibit.id, case.reference)
    assert (sighting.from_s, sighting.to_s, sighting.by) == (5.0, 24.0, By.FOOTPRINT)
    assert sighting.utc_from == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert sighting.utc_to == datetime(2026, 7, 1, 12, 0, 19, tzinfo=UTC)
    assert sighting.utc_error_s == 60.0
    assert index.sightings(user, circle(HERE[0] + 0.01, HERE[1], 5), Query()) == []


def test_what_one_may_not_watch_filmed_nothing(make: Factory, index: Index, user: User, case: Case) -> None:
    officer = make.user(Role.OFFICER)
    flight(make, user, case, hovering())
    own = flight(make, officer, None, hovering())
    there = circle(*HERE, 5)
    assert [s.exhibit.id for s in index.sightings(officer, there, Query())] == [own.id]
    assert len(index.sightings(user, there, Query())) == 1
    for role in (Role.INVESTIGATOR, Role.SUPERVISOR, Role.AUDITOR, Role.ADMIN):
        assert index.sightings(make.user(role), there, Query()) == [], role


def test_place_goes_with_label_case_kind_and_time(make: Factory, index: Index, user: User, case: Case) -> None:
    start = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp())
    exhibit = flight(make, user, case, hovering(60, clock_s=start))
    make.analysed(exhibit, tracks=[track(1, "car", first=250, frames=50)])  # seconds 10 to 12
    there = circle(*HERE, 5)
    (seen,) = index.sightings(user, there, Query(labels=("car", "bus")))
    assert (seen.sighting.from_s, seen.sighting.to_s) == (9.0, 11.0)
    assert index.sightings(user, there, Query(labels=("dog",))) == []
    assert index.sightings(user, there, Query(kind="drone")) == []
    assert index.sightings(user, there, Query(case_id=make.case(user).id)) == []
    assert len(index.sightings(user, there, Query(case_id=case.id, kind="bodyworn"))) == 1
    late = Query(after=datetime(2026, 7, 1, 12, 1, 30, tzinfo=UTC))
    (seen,) = index.sightings(user, there, late)
    assert seen.sighting.from_s == 30.0, "the clock was not checked: it may be a minute slow"
    assert index.sightings(user, there, Query(before=datetime(2026, 7, 1, 11, tzinfo=UTC))) == []


def test_a_corrected_clock_moves_the_sighting(make: Factory, ledger: Ledger, index: Index, user: User, case: Case) -> None:
    start = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp())
    exhibit = flight(make, user, case, hovering(clock_s=start), zone=Zone.LOCAL.value)
    there = circle(*HERE, 5)
    assert index.sightings(user, there, Query())[0].sighting.utc_from == datetime(2026, 7, 1, 11, tzinfo=UTC)
    correction = Correction(-3590.0, 0.5, Evidence.TRUSTED_CLOCK, "the station's clock in frame 12", user.name, 400_000)
    assert ledger.places.correct_clock(user, exhibit.id, Family.DJI_SRT.value, correction) == 1
    (seen,) = index.sightings(user, there, Query())
    assert seen.sighting.utc_from == datetime(2026, 7, 1, 11, 0, 10, tzinfo=UTC)
    assert seen.sighting.utc_error_s == 0.5
    (event,) = verbs(index, Verb.CLOCK_CORRECTED)
    assert (event["offset_us"], event["evidence"]) == (-3_590_000_000, Evidence.TRUSTED_CLOCK.value)
    assert index.corrections([exhibit.id])[0].correction == correction
    with pytest.raises(BadInput):
        ledger.places.correct_clock(user, exhibit.id, FILE_CLOCK, Correction(1, 1, Evidence.STATED, "  "))


def test_a_corrected_clock_makes_the_copy_with_boxes_again_in_which_it_runs(
    make: Factory, ledger: Ledger, index: Index, user: User, case: Case
) -> None:
    exhibit = make.analysed(make.exhibit(user, case, captured_at="2026-03-01T20:00:00Z"))
    before = index.filmed_by_all(exhibit.id)
    assert before is not None
    assert not before.checked
    correction = Correction(10.0, 0.5, Evidence.STATED, "looked at the control room's clock", user.name)
    assert ledger.places.correct_clock(user, exhibit.id, FILE_CLOCK, correction) == 1
    ready = {run.step for run in index.step_runs(exhibit.id) if run.state is StepState.READY}
    assert ready == {Step.LOCATE, Step.ANNOTATE}
    now = index.filmed_by_all(exhibit.id)
    assert now is not None
    assert (now.checked, now.start.utc, now.start.error_s) == (True, datetime(2026, 3, 1, 20, 0, 10, tzinfo=UTC), 0.5)


def test_an_exhibit_without_a_clock_goes_by_what_is_claimed_of_it(make: Factory, index: Index, user: User) -> None:
    exhibit = make.exhibit(user, captured_at="2026-03-01T20:00:00Z")
    located(make, exhibit, places(exhibit.id, hovering(first_s=10)))  # type: ignore[arg-type]
    nobody = make.exhibit(user)
    located(make, nobody, places(nobody.id, hovering()))  # type: ignore[arg-type]
    found = {s.exhibit.id: s.sighting.utc_from for s in index.sightings(user, circle(*HERE, 5), Query())}
    assert found == {exhibit.id: datetime(2026, 3, 1, 20, 0, 10, tzinfo=UTC), nobody.id: None}
    within = Query(after=datetime(2026, 3, 2, tzinfo=UTC))
    assert [s.exhibit.id for s in index.sightings(user, circle(*HERE, 5), within)] == [nobody.id]


def test_locating_again_takes_the_place_of_what_was_there(
    make: Factory, ledger: Ledger, index: Index, user: User, case: Case
) -> None:
    exhibit = flight(make, user, case, hovering())
    (run,) = [r for r in index.step_runs(exhibit.id) if r.step is Step.LOCATE]
    ledger.steps.retry(user, run.id)
    make.finish(make.claim(Step.LOCATE), places=places(exhibit.id, hovering(at=(51.0, 1.0))))  # type: ignore[arg-type]
    assert index.sightings(user, circle(*HERE, 50), Query()) == []
    assert len(index.sightings(user, circle(51.0, 1.0, 50), Query())) == 1
    (only,) = index.sources(exhibit.id)
    assert len(index.fixes(only.id)) == len(index.seconds(only.id)) == 20


# --- recall against brute force --------------------------------------------------------------------------------------

_AROUND = st.tuples(st.floats(-0.02, 0.02), st.floats(-0.03, 0.03))


@st.composite
def asked(draw: st.DrawFn) -> tuple[Shape, int]:
    """A shape near one of the places where there are flights."""
    place = draw(st.integers(0, len(FLIGHTS) - 1))
    lat, lon = FLIGHTS[place][0]
    north, east = draw(_AROUND)
    lat, lon = lat + north, (lon + east + 180) % 360 - 180
    size = draw(st.sampled_from([2.0, 20.0, 200.0, 2_000.0, 20_000.0]))
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return circle(lat, lon, size), place
    ring = rectangle(np.array([[lat, lon]]), np.array([draw(st.floats(0, 360))]), size, size * draw(st.floats(0.1, 1)))[0]
    if kind == 1:
        return polygon([(corner[1], corner[0]) for corner in ring.tolist()]), place
    (south, west), (north, _) = ring.min(0).tolist(), ring.max(0).tolist()
    return box((west + 180) % 360 - 180, south, (west + size / 50_000 + 180) % 360 - 180, north), place


FLIGHTS = (((52.2, 0.12), 40.0), ((-16.8, 179.995), 300.0), ((70.1, 25.0), 4_000.0), ((0.0, -0.01), 15_000.0))
"""Where, and how wide the footprints are in metres: in England, across the antimeridian, in the far north, at 0/0."""


def test_no_second_that_covers_a_shape_is_lost(make: Factory, index: Index, user: User, case: Case) -> None:
    random = np.random.default_rng(6)
    known = []
    for start, wide_m in FLIGHTS:
        for _ in range(2):
            way, heading = wandering(random, start, 200)
            way[:, 1] = (way[:, 1] + 180) % 360 - 180
            way[60:70] = np.nan
            records = seconds(way, rectangle(way, heading, wide_m, wide_m * 0.6))
            known.append((flight(make, user, case, records), records))

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(asked())
    def holds(question: tuple[Shape, int]) -> None:
        shape, _ = question
        expected = {
            (exhibit.id, int(second))
            for exhibit, records in known
            for second in records["at_us"][covering(records, drawn(shape)).row] // 1_000_000
        }
        found = set()
        for seen in index.sightings(user, shape, Query(limit=10_000)):
            span = range(int(seen.sighting.from_s), int(seen.sighting.to_s) + 1)
            found |= {(seen.exhibit.id, second) for second in span}
        assert expected <= found
        # A span may go over one second without a fix, and over nothing else.
        assert len(found - expected) <= sum(1 for _ in itertools.groupby(sorted(found - expected)))

    holds()


def told(seen: Seen) -> tuple[object, ...]:
    return (seen.exhibit.id, seen.sighting.from_s, seen.sighting.to_s, seen.sighting.by, seen.sighting.quality)


def test_pages_put_together_are_the_whole_answer_best_first(make: Factory, index: Index, user: User, case: Case) -> None:
    """Of a large shape, whose middle holds whole flights, and whose edge cuts some."""
    random = np.random.default_rng(3)
    for _ in range(12):
        start = earth.moved(np.array(HERE), random.uniform(-1_500, 1_500, 2))
        way, heading = wandering(random, (float(start[0]), float(start[1])), 240)
        records = seconds(way, rectangle(way, heading, random.uniform(30, 600), 100))
        records["seen_by"][random.random(240) < 0.02] = 0
        flight(make, user, case, records)
    (south, west), (north, east) = earth.moved(np.array([HERE] * 2), np.array([[-900.0] * 2, [900.0] * 2])).tolist()
    for shape in (box(west, south, east, north), circle(*HERE, 900), circle(*HERE, 90_000)):
        whole = [told(seen) for seen in index.sightings(user, shape, Query(limit=10_000))]
        assert len(whole) > 12
        qualities = [(by is By.FOOTPRINT, quality) for *_, by, quality in whole]
        assert qualities == sorted(qualities, reverse=True)
        pages = [index.sightings(user, shape, Query(limit=5, offset=start)) for start in range(0, len(whole) + 5, 5)]
        assert [told(seen) for page in pages for seen in page] == whole


def test_a_large_shape_goes_with_time_and_label_too(make: Factory, ledger: Ledger, index: Index, user: User) -> None:
    """Where all of a flight lies in the shape: its seconds are asked for just the same."""
    start = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp())
    exhibit = flight(make, user, make.case(user), hovering(300, clock_s=start))
    make.analysed(exhibit, tracks=[track(1, "car", first=2500, frames=50)])  # seconds 100 to 102
    shape = circle(*HERE, 5_000)
    correction = Correction(0.0, 0.5, Evidence.TRUSTED_CLOCK, "the station's clock", user.name)
    ledger.places.correct_clock(user, exhibit.id, Family.DJI_SRT.value, correction)

    def periods(query: Query) -> list[tuple[float, float]]:
        return [(seen.sighting.from_s, seen.sighting.to_s) for seen in index.sightings(user, shape, query)]

    minute = timedelta(minutes=1)
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert periods(Query()) == [(0.0, 299.0)]
    assert periods(Query(after=noon + minute * 1.5, before=noon + minute * 2.5)) == [(90.0, 150.0)]
    assert periods(Query(before=noon - minute)) == []
    assert periods(Query(labels=("car",))) == [(99.0, 101.0)]


def test_of_two_sources_at_the_same_time_the_best_second_counts(make: Factory, index: Index, user: User, case: Case) -> None:
    exhibit = make.exhibit(user, case)
    nowhere = seconds(np.broadcast_to(np.array(HERE), (90, 2)))
    both = (source(exhibit.id, nowhere), source(exhibit.id, hovering(30, first_s=30)))  # type: ignore[arg-type]
    located(make, exhibit, NewPlaces(both))
    found = {
        (s.sighting.from_s, s.sighting.to_s, s.sighting.by) for s in index.sightings(user, circle(*HERE, 5_000), Query())
    }
    assert found == {(0.0, 29.0, By.POSITION), (30.0, 59.0, By.FOOTPRINT), (60.0, 89.0, By.POSITION)}


# --- pairs -----------------------------------------------------------------------------------------------------------


def sidecar(make: Factory, user: User, case: Case | None, **metadata: str) -> Exhibit:
    return make.exhibit(user, case, file_type=FileType.TELEMETRY, **metadata)


def locate_state(index: Index, exhibit: Exhibit) -> StepState:
    (run,) = [r for r in index.step_runs(exhibit.id) if r.step is Step.LOCATE]
    return run.state


def test_a_sidecar_that_comes_later_is_paired_by_its_name_and_the_video_located_again(
    make: Factory, index: Index, user: User, case: Case
) -> None:
    film = make.exhibit(user, case, filename="DJI_0001.MP4")
    located(make, film)
    assert locate_state(index, film) is StepState.DONE
    beside = sidecar(make, user, case, filename="dji_0001.srt")
    (pair,) = index.pairs(film.id)
    assert (pair.sidecar.id, pair.video.id, pair.how, pair.made_by) == (beside.id, film.id, How.STEM, "system:pairing")
    assert locate_state(index, film) is StepState.READY
    (event,) = verbs(index, Verb.PAIRED)
    assert event["sidecar"] == beside.id


def test_a_sidecar_that_comes_first_waits_for_its_video(make: Factory, index: Index, user: User, case: Case) -> None:
    beside = sidecar(make, user, case, filename="DJI_0001.SRT")
    sidecar(make, user, case, filename="DJI_0002.SRT")
    located(make, beside)
    assert index.pairs(beside.id) == []
    film = make.exhibit(user, case, filename="DJI_0001.MP4")
    assert [pair.sidecar.id for pair in index.pairs(film.id)] == [beside.id]


def test_what_the_uploader_said_goes_before_names(make: Factory, index: Index, user: User, case: Case) -> None:
    one = make.exhibit(user, case, filename="A.MP4")
    other = make.exhibit(user, case, filename="B.MP4")
    said = sidecar(make, user, case, filename="A.SRT", sidecar_for=other.id)
    by_name = sidecar(make, user, case, filename="C.SRT", sidecar_for="a.mp4")
    assert [(p.sidecar.id, p.how) for p in index.pairs(other.id)] == [(said.id, How.NAMED)]
    assert [(p.sidecar.id, p.how) for p in index.pairs(one.id)] == [(by_name.id, How.NAMED)]


def test_nothing_is_paired_across_cases_or_people(
    make: Factory, ledger: Ledger, index: Index, user: User, case: Case
) -> None:
    film = make.exhibit(user, case, filename="A.MP4")
    sidecar(make, user, make.case(user), filename="A.SRT")
    in_tray = sidecar(make, user, None, filename="A.SRT")
    stranger = make.user()
    make.exhibit(stranger, None, filename="A.MP4")
    assert index.pairs(film.id) == index.pairs(in_tray.id) == []
    ledger.exhibits.file(user, in_tray.id, case.id)
    assert [pair.sidecar.id for pair in index.pairs(film.id)] == [in_tray.id]


def test_a_pair_in_the_tray_that_goes_to_two_cases_is_none_any_more(
    make: Factory, ledger: Ledger, index: Index, user: User, case: Case
) -> None:
    film, beside = make.exhibit(user, filename="A.MP4"), sidecar(make, user, None, filename="A.SRT")
    assert len(index.pairs(film.id)) == 1
    ledger.exhibits.file(user, film.id, case.id)
    assert index.pairs(film.id) == []
    ledger.exhibits.file(user, beside.id, case.id)
    assert len(index.pairs(film.id)) == 1


def test_a_walk_that_was_recorded_during_a_video_is_paired_with_it_by_time(
    make: Factory, index: Index, user: User, case: Case
) -> None:
    start = int(datetime(2026, 3, 1, 20, tzinfo=UTC).timestamp())
    walk = sidecar(make, user, case, filename="track.gpx")
    located(make, walk, places(walk.id, hovering(600, clock_s=start - 60), family="GPX"))  # type: ignore[arg-type]
    before = make.exhibit(user, case, captured_at="2026-03-01T19:00:00Z", filename="early.mp4")
    during = make.exhibit(user, case, captured_at="2026-03-01T20:00:00Z", filename="late.mp4")
    other_kind = make.exhibit(user, case, captured_at="2026-03-01T20:00:00Z", filename="air.mp4", kind="drone")
    for film in (before, during, other_kind):
        make.finish(make.claim(Step.PROBE), media=video(duration_s=Fraction(120)))
        assert index.step_runs(film.id)
    assert [(p.video.id, p.how) for p in index.pairs(walk.id)] == [(during.id, How.TIME)]


def _films_during_a_walk(make: Factory, user: User, case: Case, walk_in: str, films_in: dict[str, str]) -> Exhibit:
    """A walk of ten minutes, and films of two minutes in it, by file name and folder."""
    start = int(datetime(2026, 3, 1, 20, tzinfo=UTC).timestamp())
    walk = sidecar(make, user, case, filename="DJI_0001.gpx", folder=walk_in)
    located(make, walk, places(walk.id, hovering(600, clock_s=start - 60), family="GPX"))  # type: ignore[arg-type]
    for filename, folder in films_in.items():
        make.exhibit(user, case, captured_at="2026-03-01T20:00:00Z", filename=filename, folder=folder)
        make.finish(make.claim(Step.PROBE), media=video(duration_s=Fraction(120)))
    return walk


def test_time_pairs_in_one_folder_and_not_over_two_that_are_known(
    make: Factory, index: Index, user: User, case: Case
) -> None:
    films = {"same.mp4": "dcim/100MEDIA/", "deeper.mp4": "100MEDIA", "unknown.mp4": "", "other.mp4": "DCIM/101MEDIA"}
    walk = _films_during_a_walk(make, user, case, "DCIM/100MEDIA", films)
    assert {p.video.filename: p.how for p in index.pairs(walk.id)} == {
        "same.mp4": How.FOLDER,
        "deeper.mp4": How.TIME,
        "unknown.mp4": How.TIME,
    }


def test_a_name_that_comes_again_in_another_folder_is_the_same_only_at_the_same_time(
    make: Factory, index: Index, user: User, case: Case
) -> None:
    walk = _films_during_a_walk(make, user, case, "telemetry", {"DJI_0001.MP4": "films"})
    late = make.exhibit(user, case, captured_at="2026-03-01T22:00:00Z", filename="DJI_0001.MP4", folder="later")
    make.finish(make.claim(Step.PROBE), media=video(duration_s=Fraction(120)))
    assert index.pairs(late.id) == []
    (pair,) = index.pairs(walk.id)
    assert (pair.video.folder, pair.sidecar.folder, pair.how) == ("films", "telemetry", How.STEM)
    stranger = make.user()
    made = make.exhibit(stranger, case, filename="DJI_0001.MP4", folder="mine")
    assert [p.how for p in index.pairs(made.id)] == [How.STEM], "what two people call their folders says nothing"


def test_a_person_pairs_and_parts_and_it_stays_so(
    make: Factory, ledger: Ledger, index: Index, user: User, case: Case
) -> None:
    film = make.exhibit(user, case, filename="A.MP4")
    located(make, film)
    beside = sidecar(make, user, case, filename="B.SRT")
    located(make, beside)
    assert ledger.places.pair(user, beside.id, film.id, offset_us=-1_500_000) == 1
    (pair,) = index.pairs(film.id)
    assert (pair.how, pair.offset_us, pair.made_by) == (How.PERSON, -1_500_000, user.name)
    assert locate_state(index, film) is StepState.READY
    make.finish(make.claim(Step.LOCATE))
    assert ledger.places.unpair(user, beside.id, film.id) == 1
    with pytest.raises(Conflict):
        ledger.places.unpair(user, beside.id, film.id)
    assert index.pairs(film.id) == []
    assert not index.pairs(film.id, active=False)[0].active
    same_name = sidecar(make, user, case, filename="A.SRT")
    ledger.places.unpair(user, same_name.id, film.id)
    for _ in range(2):
        make.finish(make.claim(Step.LOCATE))
    assert index.pairs(film.id) == [], "nothing pairs again what a person has parted"
    assert [event["was"] for event in verbs(index, Verb.UNPAIRED)] == [How.PERSON.value, How.STEM.value]


def test_what_is_no_pair_is_refused(make: Factory, ledger: Ledger, user: User, case: Case) -> None:
    film, beside = make.exhibit(user, case), sidecar(make, user, case)
    with pytest.raises(BadInput, match="no sidecar"):
        ledger.places.pair(user, film.id, film.id)
    with pytest.raises(BadInput, match="no video"):
        ledger.places.pair(user, beside.id, beside.id)
    with pytest.raises(Conflict, match="same case"):
        ledger.places.pair(user, sidecar(make, user, make.case(user)).id, film.id)


def test_a_sidecars_seconds_in_its_video_are_told_once(make: Factory, index: Index, user: User, case: Case) -> None:
    """A walk of ten minutes, of which a video shows the second to the sixth second."""
    walk = sidecar(make, user, case, filename="A.GPX")
    located(make, walk, places(walk.id, hovering(10)))  # type: ignore[arg-type]
    film = make.exhibit(user, case, filename="A.MP4")
    moved = source(walk.id, hovering(5), offset_us=-2_000_000)  # type: ignore[arg-type]
    located(make, film, NewPlaces((moved,)), duration_s=Fraction(4))
    found = {(s.exhibit.id, s.sighting.from_s, s.sighting.to_s) for s in index.sightings(user, circle(*HERE, 5), Query())}
    assert found == {(film.id, 0.0, 4.0), (walk.id, 0.0, 1.0), (walk.id, 7.0, 9.0)}


# --- what was seen, placed -------------------------------------------------------------------------------------------


def test_what_was_seen_is_placed_and_found_by_label(make: Factory, index: Index, user: User, case: Case) -> None:
    exhibit = make.exhibit(user, case)
    spots = NewLocated(
        source=0,
        label=["car", "person"],
        track=np.array([1, 2]),
        at_us=np.array([0, 1_000_000]),
        latlon=np.array([[52.2, 0.12], [52.3, 0.12]]),
        ellipse=np.array([[4.0, 2.0, 30.0], [5.0, 3.0, 40.0]]),
        certainty=np.array([2, 3], np.uint8),
        cell=np.array([1, 2]),
    )
    found = source(exhibit.id, hovering())  # type: ignore[arg-type]
    located(make, exhibit, NewPlaces((found,), spots))
    assert [(row.track_id, row.label, row.major_m) for row in index.located(exhibit.id)] == [
        (1, "car", 4.0),
        (2, "person", 5.0),
    ]
    assert [row.track_id for row in index.located(exhibit.id, labels=["person"])] == [2]


def test_exhibits_that_came_before_there_was_the_step_are_located_some_at_a_time(
    make: Factory, storage: Storage, index: Index, user: User, case: Case
) -> None:
    """As when an older release's data folder is opened: idle workers ask for what is missing, once each."""
    films = [make.exhibit(user, case) for _ in range(3)]
    for _ in films:
        make.finish(make.claim(Step.PROBE), media=video())
    beside = sidecar(make, user, case, filename="walk.gpx")
    unread = make.exhibit(user, case)
    with storage.engine.begin() as connection:
        connection.execute(delete(step_runs).where(step_runs.c.step == Step.LOCATE.value))
    reached, ready = storage.ledger.places.locate_missed(None, 2)
    assert (reached is not None, ready) == (True, 2)
    chores = Chores(storage)
    for _ in range(2):
        chores.do()
    old = [*films, beside]
    assert [locate_state(index, exhibit) for exhibit in old] == [StepState.READY] * 4
    assert not [run for run in index.step_runs(unread.id) if run.step is Step.LOCATE]
    asked = [event for event in verbs(index, Verb.STEP_ASKED) if event.get("step") == Step.LOCATE.value]
    assert len(asked) == 4


def test_locate_runs_again_with_the_tracks_where_there_are_places(
    make: Factory, ledger: Ledger, index: Index, user: User, case: Case
) -> None:
    exhibit = flight(make, user, case, hovering())
    bare = make.exhibit(user, case)
    located(make, bare)
    while run := ledger.steps.claim("worker-1", frozenset({Step.DETECT, Step.TRACK}), LEASE):
        make.finish(run)
    assert (locate_state(index, exhibit), locate_state(index, bare)) == (StepState.READY, StepState.DONE)


def test_tracks_that_were_made_while_locate_ran_are_placed_by_another_run(
    make: Factory, ledger: Ledger, index: Index, user: User, case: Case
) -> None:
    exhibit = make.exhibit(user, case)
    make.finish(make.claim(Step.PROBE))
    running = make.claim(Step.LOCATE)
    while run := ledger.steps.claim("worker-1", frozenset({Step.DETECT, Step.TRACK}), LEASE):
        output = NewOutput(TRACKS, f"derived/{run.id}", "a" * 64, 1, "application/json")
        make.finish(run, outputs=[output] if run.step is Step.TRACK else [])
    assert locate_state(index, exhibit) is StepState.RUNNING
    found = places(exhibit.id, hovering())  # type: ignore[arg-type]
    assert make.finish(running, places=found) == 1
    assert make.finish(make.claim(Step.LOCATE), places=replace(found, tracks="a" * 64)) == 0
    assert locate_state(index, exhibit) is StepState.DONE

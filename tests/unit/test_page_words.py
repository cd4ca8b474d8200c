"""How pages say sizes, times, states and events, and what they make of what people type."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.audit import GENESIS, AuditEvent, Verb
from evidence.case import Act, Relation, Role, User, UserId, allows
from evidence.exhibit import Condition, ExhibitId, ExhibitState, FileType, SourceKind
from evidence.mediatime import read_clock
from evidence.steps import Step, StepState
from storage.index import TrackRow
from web.build_static import BuildFailed, unbranded
from web.pages import words
from web.pages.door import local_path
from web.pages.events import event_lines
from web.pages.rendering import clock, from_uk_time, moment, percent, sentence, size
from web.pages.timeline import decimal, lanes, track_lines


def test_every_state_step_and_verb_has_its_word() -> None:
    assert set(words.EXHIBIT_STATE) == set(ExhibitState)
    assert set(words.STEP_STATE) == set(StepState)
    assert set(words.STEP) == set(Step)
    assert set(words.KIND) == set(SourceKind)
    assert set(words.FILE_TYPE) == set(FileType)
    assert set(words.ROLE) == set(words.ROLE_HINT) == set(Role)
    assert set(words.VERB) == set(Verb)
    assert set(words.EXHIBIT_STATE_OF_CONDITION) == {Condition.PARTLY_READABLE, Condition.UNREADABLE}


@pytest.mark.parametrize("role", Role)
def test_the_menu_leads_only_where_the_role_may_go(role: Role) -> None:
    user = User(UserId("1"), "a", "A", role)
    assert words.home(user) in {place.path for place in words.places(user)}
    assert (words.SEARCH in words.places(user)) is allows(user, Act.WATCH, frozenset({Relation.OWN, Relation.MEMBER}))


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (3_707_569, "3.7 MB"), (137_438_953_472, "137 GB")],
)
def test_sizes(size_bytes: int, said: str) -> None:
    assert size(size_bytes) == said


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("2.5", "2.5"), ("0:02.5", "2.5"), ("1:02.500", "62.5"), ("1:00:00", "3600"), (" 7 ", "7")],
)
def test_clock_times_are_read_exactly(typed: str, seconds: str) -> None:
    assert read_clock(typed) == Fraction(seconds)


@pytest.mark.parametrize("typed", ["", "x", "1:60", "1:2:3:4", "-1", "1e3", "1.2.3", "1:", "٣", "inf", "9" * 30])
def test_what_is_no_clock_time_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):
        read_clock(typed)


@given(st.fractions(min_value=0, max_value=10**6, max_denominator=90_000))
def test_what_the_player_shows_can_be_typed_again(seconds: Fraction) -> None:
    assert 0 <= seconds - read_clock(clock(seconds)) < Fraction(1, 10)


@given(st.fractions(min_value=0, max_value=10**6, max_denominator=90_000))
def test_a_jump_never_points_before_its_frame(seconds: Fraction) -> None:
    assert 0 <= Fraction(decimal(seconds)) - seconds < Fraction(1, 1000)


def test_times_are_uk_times_and_say_so() -> None:
    assert moment(datetime(2026, 11, 24, 7, 15, tzinfo=UTC)) == "24 November 2026, 07:15 GMT"
    assert moment(datetime(2026, 7, 3, 21, 15, tzinfo=UTC)) == "3 July 2026, 22:15 BST"
    assert from_uk_time("2026-07-03T22:15") == datetime(2026, 7, 3, 21, 15, tzinfo=UTC)


def test_sentences() -> None:
    assert sentence("the case is closed") == "The case is closed."
    assert sentence("Already one.") == "Already one."
    assert sentence("face", stop=False) == "Face"
    assert sentence("") == ""


def test_percent_stays_within_its_bar() -> None:
    assert percent(1, 4) == "25.000%"
    assert percent(9, 4) == "100.000%"
    assert percent(1, 0) == "0.000%"


@pytest.mark.parametrize("path", ["//elsewhere", "/\\elsewhere", "https://elsewhere", "", "/sign-in", "/a\nb"])
def test_signing_in_leads_to_no_other_site(path: str) -> None:
    assert local_path(path) == "/"


def test_signing_in_leads_back() -> None:
    assert local_path("/cases/1?q=a") == "/cases/1?q=a"


def _event(verb: Verb, **details: object) -> AuditEvent:
    return AuditEvent(7, datetime(2026, 1, 1, tzinfo=UTC), "system:worker box", verb, None, "e1", details, GENESIS, "f" * 64)


def test_events_in_words() -> None:
    done = _event(Verb.STEP_DONE, step="detect", segment=1, note="not analysed: no weights", models=[])
    line = event_lines([done], {"e1": "AB/1"})[0]
    assert line.what == "Step done: look at every frame, part 2. Not analysed: no weights."
    assert line.about == "AB/1"
    assert line.who == "exhibit (worker box)"
    assert "models" not in dict(line.facts)


def test_pictures_that_one_page_showed_stand_on_one_line() -> None:
    shown = [replace(_event(Verb.VIEWED, output=f"track-{n}.jpg"), number=n) for n in (4, 5, 6)]
    other = replace(_event(Verb.VIEWED, output="proxy.mp4"), number=7)
    film, pictures = event_lines([*shown, other])
    assert film.what == "Viewed: proxy.mp4"
    assert (pictures.numbers, pictures.what) == ("4 to 6", "Viewed: 3 pictures of tracks")
    assert len(pictures.facts) == 3


@pytest.mark.parametrize("verb", Verb)
def test_an_event_without_details_still_reads(verb: Verb) -> None:
    assert event_lines([_event(verb)])[0].what.startswith(words.VERB[verb])


def _track(number: int, label: str, first: int, last: int) -> TrackRow:
    return TrackRow(
        ExhibitId("e1"), number, label, "m", "1/25", first, last, first, last, first, first, 0.5, (0, 0, 1, 1),
        first / 25, last / 25, last - first + 1, f"track-{number}.jpg",
    )  # fmt: skip


def test_tracks_at_one_time_lie_in_rows_of_their_own() -> None:
    rows = [_track(1, "person", 0, 50), _track(2, "person", 10, 60), _track(3, "person", 70, 90), _track(4, "car", 0, 5)]
    lines = track_lines(rows, Fraction(0), watch=True)
    person, car = lanes(lines)
    assert (person.label, person.count, person.rows) == ("person", 3, 2)
    assert [bar.row for bar in person.bars] == [0, 1, 0]
    assert car.rows == 1


def test_thumbnails_are_for_who_may_watch() -> None:
    assert track_lines([_track(1, "person", 0, 5)], Fraction(0), watch=False)[0].thumbnail == ""


def test_the_stylesheet_loses_what_only_gov_uk_may_use() -> None:
    css = "@font-face{font-family:GDS Transport;src:url(/assets/fonts/a.woff2)}a{font-family:GDS Transport,arial,sans-serif}"
    assert unbranded(css) == "a{font-family:arial,sans-serif}"
    with pytest.raises(BuildFailed):
        unbranded("a{background:url(/assets/images/new-crest.svg)}")

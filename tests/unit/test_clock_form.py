"""What somebody typed about a clock, as a correction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.clock import Correction, Evidence, corrected
from evidence.telemetry import Zone
from web.pages.clock_form import Clock, ClockForm

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


SUMMER = Clock("e1", "DJI SRT", "DJI SRT of X/1", "M3T", Zone.LOCAL, False, [(0, us("2026-07-01T12:00:00"))])
SATELLITES = Clock("e1", "GoPro GPMF", "GoPro", "HERO6", Zone.UTC, True, [(0, us("2026-07-01T11:00:00"))])
CLOCKS = {clock.key: clock for clock in (SUMMER, SATELLITES)}


def form(**typed: str) -> ClockForm:
    return ClockForm(**{"clock": SUMMER.key, "because": "the station's clock, seen on the way out", "within": "1", **typed})


def read(asked: ClockForm, zero: Fraction = Fraction(0)) -> tuple[Clock, Correction]:
    found, errors = asked.read(CLOCKS, "dc1", zero)
    assert errors == {}
    assert found is not None
    return found


def test_a_filmed_clock_sets_the_devices_clock_at_that_frame() -> None:
    """Ten seconds in, the device says 12:00:10 and the station's clock 12:00:40 British Summer Time."""
    clock, correction = read(form(how="filmed", at="0:10", shown="2026-07-01T12:00:40"))
    utc, error_s, _ = corrected(clock.at(10_000_000), correction)
    assert utc == datetime(2026, 7, 1, 11, 0, 40, tzinfo=UTC)
    assert error_s == 1.0
    assert (correction.evidence, correction.who, correction.frame_us) == (Evidence.TRUSTED_CLOCK, "dc1", 10_000_000)


def test_a_filmed_clock_in_utc_and_a_player_that_begins_later() -> None:
    clock, correction = read(form(how="filmed", at="9.5", shown="2026-07-01 11:00:40", shown_in="utc"), Fraction(1, 2))
    assert corrected(clock.at(10_000_000), correction).utc == datetime(2026, 7, 1, 11, 0, 40, tzinfo=UTC)


def test_a_zone_says_nothing_about_the_clock() -> None:
    clock, correction = read(form(how="zone", ahead="-5", within=""))
    assert corrected(clock.at(0), correction).utc == datetime(2026, 7, 1, 17, 0, tzinfo=UTC)
    assert correction.error_s == 60.0


@pytest.mark.parametrize(("clock", "taken_for"), [(SUMMER, 11), (SATELLITES, 11)])
@given(behind=st.floats(-86400, 86400).map(lambda s: round(s, 3)))
def test_seconds_are_added_to_what_it_was_taken_for(clock: Clock, taken_for: int, behind: float) -> None:
    _, correction = read(form(clock=clock.key, how="seconds", seconds=str(behind), within="0.5"))
    utc = corrected(clock.at(0), correction).utc
    before = datetime(2026, 7, 1, taken_for, tzinfo=UTC)
    assert abs((utc - before).total_seconds() - behind) < 1e-5


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"how": ""}, {"how"}),
        ({"how": "zone", "ahead": "25"}, {"ahead"}),
        ({"how": "zone", "ahead": "nan"}, {"ahead"}),
        ({"how": "filmed", "at": "soon", "shown": "noon", "within": "-1"}, {"at", "shown", "within"}),
        ({"how": "filmed", "at": "1", "shown": "0001-01-01T00:00"}, {"shown"}),
        ({"how": "seconds", "seconds": "", "known_from": "a dream"}, {"seconds", "known_from"}),
        ({"how": "zone", "ahead": "0", "clock": "e1:file", "because": " "}, {"clock", "because"}),
        ({"how": "zone", "ahead": "0", "because": "x" * 1001}, {"because"}),
    ],
)
def test_what_is_wrong_is_said_by_field(typed: dict[str, str], wrong: set[str]) -> None:
    found, errors = form(**typed).read(CLOCKS, "dc1", Fraction(0))
    assert found is None
    assert set(errors) == wrong


@given(st.dictionaries(st.sampled_from(sorted(ClockForm.model_fields)), st.text(max_size=30)))
def test_nothing_typed_breaks_it(typed: dict[str, str]) -> None:
    for how in ("filmed", "zone", "seconds"):
        found, errors = form(**{**typed, "how": how}).read(CLOCKS, "dc1", Fraction(0))
        assert (found is None) == bool(errors)

"""A device's claim, British time by date, corrections and what they rest on; how far two time lines lie apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import earth, lag
from evidence.clock import (
    HOUR_S,
    SATELLITE_S,
    UNCHECKED_S,
    ClockClaim,
    Corrected,
    Correction,
    Evidence,
    by_satellites,
    composed,
    corrected,
    corrected_us,
    filmed,
    in_zone,
    london_ahead_s,
)
from evidence.telemetry import NO_TIME, Family, Zone
from tests.flights import flight

LONDON = ZoneInfo("Europe/London")
EPOCH = datetime(1970, 1, 1)


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def local(*date: int) -> ClockClaim:
    return ClockClaim(us(datetime(*date)), Zone.LOCAL, "DJI Mini 2")


@settings(max_examples=300)
@given(st.datetimes(datetime(1997, 1, 1), datetime(2037, 12, 31)))
def test_british_time_is_that_of_the_zone_database(moment) -> None:
    ahead, unsure = london_ahead_s(np.array([us(moment)]))
    ways = {moment.replace(tzinfo=LONDON, fold=fold).utcoffset().total_seconds() for fold in (0, 1)}
    assert int(ahead[0]) in ways
    assert bool(unsure[0]) == (len(ways) == 2)
    assert ahead[0] == moment.replace(tzinfo=LONDON, fold=0).utcoffset().total_seconds()


@pytest.mark.parametrize("year", range(2000, 2036))
def test_the_hour_that_comes_twice_and_the_one_that_there_is_not_are_unsure(year) -> None:
    for month in (3, 10):
        last = max(d for d in range(25, 32) if datetime(year, month, d).weekday() == 6)
        night = np.array([us(datetime(year, month, last, h, m)) for h, m in ((0, 59), (1, 0), (1, 59), (2, 0))])
        assert london_ahead_s(night)[1].tolist() == [False, True, True, False]


def test_local_time_without_zone_is_taken_for_british_and_the_double_hour_widens_its_error() -> None:
    summer = corrected(local(2024, 6, 14, 20, 15, 47))
    assert summer.utc == datetime(2024, 6, 14, 19, 15, 47, tzinfo=UTC)
    assert summer.error_s == UNCHECKED_S
    assert "assumed" in summer.words
    assert corrected(local(2024, 1, 14, 20, 15, 47)).utc.hour == 20
    double = corrected(local(2024, 10, 27, 1, 30))
    assert double.error_s == UNCHECKED_S + HOUR_S
    for fold in (0, 1):
        truth = datetime(2024, 10, 27, 1, 30, tzinfo=LONDON, fold=fold)
        assert abs((double.utc - truth).total_seconds()) <= double.error_s


def test_utc_is_left_as_it_is_and_satellite_time_is_surer() -> None:
    claim = ClockClaim(us(datetime(2024, 6, 14, 20, 15)), Zone.UTC)
    assert corrected(claim) == (
        datetime(2024, 6, 14, 20, 15, tzinfo=UTC),
        UNCHECKED_S,
        "as the device says; the clock was not checked",
    )
    sure = corrected(ClockClaim(claim.clock_us, Zone.UTC, satellites=True))
    assert sure.error_s == SATELLITE_S
    assert by_satellites(flight(1, family=Family.MISB, zone=Zone.UTC))
    assert not by_satellites(flight(1, family=Family.DJI_SRT))


def test_a_filmed_clock_corrects_the_claim_and_its_zone_at_once() -> None:
    claim = local(2024, 6, 14, 20, 15, 47)
    shown = datetime(2024, 6, 14, 20, 13, 2, tzinfo=timezone(timedelta(hours=1)))
    by = filmed(claim, shown, 1.0, "station clock in the yard", "PC 4711", 12_000_000)
    assert by.offset_s == -3600 - 165
    assert by.evidence is Evidence.TRUSTED_CLOCK
    later = corrected(local(2024, 6, 14, 21, 0, 0), by)
    assert later.utc == datetime(2024, 6, 14, 19, 57, 15, tzinfo=UTC)
    assert later.error_s == 1.0
    assert "-3765" in later.words
    with pytest.raises(ValueError, match="zone"):
        filmed(claim, shown.replace(tzinfo=None), 1.0, "", "", 0)


def test_a_stated_zone_takes_the_place_of_the_british_one() -> None:
    by = in_zone(2 * 3600, "DC Smith", "flown in France")
    assert corrected(local(2024, 10, 27, 1, 30), by) == (
        datetime(2024, 10, 26, 23, 30, tzinfo=UTC),
        UNCHECKED_S,
        "corrected by -7200.000 s: the zone of the device's clock, as stated",
    )


@given(st.floats(-1e6, 1e6), st.floats(0, 100), st.floats(-1e6, 1e6), st.floats(0, 100))
def test_corrections_add_up_and_their_errors_as_squares(first, its, second, others) -> None:
    one = Correction(first, its, Evidence.EVENT, "the same flash", "PC 1", 5)
    other = Correction(second, others, Evidence.SATELLITES, "GPS")
    both = composed(one, other)
    assert both.offset_s == first + second
    assert both.error_s == pytest.approx((its**2 + others**2) ** 0.5)
    assert (both.who, both.frame_us) == ("PC 1", 5)
    assert both.words == "the same flash; GPS"


def test_a_correction_that_is_no_number_is_refused() -> None:
    for offset, error in ((float("nan"), 1), (1, float("inf")), (1, -1)):
        with pytest.raises(ValueError, match="finite"):
            Correction(offset, error, Evidence.STATED, "")


def test_a_column_is_corrected_as_its_claims_are() -> None:
    claims = np.array([us(datetime(2024, 1, 1)), NO_TIME, us(datetime(2024, 7, 1)), us(datetime(2023, 10, 29, 1, 15))])
    utc, error = corrected_us(claims, Zone.LOCAL)
    assert utc[1] == NO_TIME
    assert np.isnan(error[1])
    for i in (0, 2, 3):
        alone = corrected(ClockClaim(int(claims[i]), Zone.LOCAL))
        assert us(alone.utc.replace(tzinfo=None)) == utc[i]
        assert alone.error_s == error[i]
    assert len(corrected_us(np.zeros(0, np.int64), Zone.LOCAL)[0]) == 0


def test_a_claim_is_shown_as_it_came() -> None:
    assert str(local(2024, 6, 14, 20, 15, 47, 42000)) == "2024-06-14 20:15:47.042 local, no zone given"


# -- a sidecar beside its video -------------------------------------------------------------------------------------------


def test_the_residual_of_a_sidecar_is_what_the_lengths_differ_by() -> None:
    start = us(datetime(2024, 6, 14, 20, 15, 47, 42000))
    n = 300
    srt = flight(n, every_us=33_333, clock_us=start + np.arange(n) * 33_333, latitude=1.0, longitude=1.0)
    found = lag.residual(srt, 9_600_000, us(datetime(2024, 6, 14, 19, 15, 46)))
    assert found.length_s == pytest.approx(-0.4, abs=0.001)
    assert found.clock_s == pytest.approx(-1.042)
    assert found.join_s == pytest.approx(0.4, abs=0.001)
    assert lag.residual(srt, None) == lag.Residual(None, None, 0.4)
    assert lag.residual(srt, 9_000_000).join_s == pytest.approx(1.0, abs=0.001)
    assert lag.residual(srt, None, us(datetime(2024, 6, 14, 20, 22))).clock_s is None
    assert lag.residual(flight(3, frame_synchronous=True), 5_000_000) == lag.Residual(2.0, None, 0.0)


@settings(max_examples=40)
@given(st.integers(0, 999_999), st.integers(20, 120))
def test_the_beginning_of_a_clock_in_whole_seconds_is_within_its_steps(begun, n) -> None:
    truth = us(datetime(2024, 6, 14, 20, 15)) + begun
    elapsed = np.arange(n, dtype=np.int64) * 100_000
    shown = (truth + elapsed) // 1_000_000 * 1_000_000
    found = lag.begins_us(flight(n, elapsed_us=elapsed, clock_us=shown))
    assert found is not None
    assert 0 <= truth - found < 100_000


def test_a_clock_that_steps_is_read_up_to_its_step() -> None:
    clock = np.array([NO_TIME, 101, 102, 3703, 3704], np.int64) * np.array([1, *[10**6] * 4])
    assert lag.begins_us(flight(5, clock_us=clock)) == 100 * 10**6
    assert lag.begins_us(flight(2)) is None


# -- two devices ---------------------------------------------------------------------------------------------------------


def told(seconds: float, error_s: float = 1.0) -> Corrected:
    return Corrected(datetime(2024, 6, 1, tzinfo=UTC) + timedelta(seconds=seconds), error_s, "")


def test_events_that_two_devices_saw_show_how_far_their_clocks_lie_apart() -> None:
    found = lag.by_events([(told(10), told(75.2)), (told(100), told(165.0)), (told(300), told(364.9))])
    assert found.offset_s == pytest.approx(65.03, abs=0.01)
    assert found.error_s < 0.5
    assert found.rests_on == 3
    assert found.contradicts
    assert not lag.by_events([(told(10, 60), told(75.2, 60))]).contradicts
    with pytest.raises(ValueError, match="at least one"):
        lag.by_events([])


def walk(n: int, clock_s: float, seed: int, noise_m: float = 3.0) -> lag.Way:
    """Somebody who goes round corners, written once a second by a clock that is so far ahead."""
    t = np.arange(n, dtype=float)
    way = np.stack([60 * np.sin(t / 23), 40 * np.sin(t / 11) + 0.5 * t], -1)
    off = np.random.default_rng(seed).normal(0, noise_m, (1, 2))
    place = earth.moved(np.tile([51.5, -0.1], (n, 1)), way + off)
    return lag.Way(np.round((1_700_000_000 + t + clock_s) * 1e6).astype(np.int64), place, 1.0)


@pytest.mark.parametrize("ahead", [-47.3, 0.0, 12.6])
def test_a_common_way_shows_how_far_two_clocks_lie_apart(ahead) -> None:
    found = lag.by_way(walk(240, 0.0, 1), walk(240, ahead, 2))
    assert found is not None
    assert abs(found.offset_s - ahead) <= found.error_s
    assert found.error_s < 10
    assert found.contradicts == (ahead != 0)


def test_holes_in_a_way_are_left_out() -> None:
    one, two = walk(240, 0.0, 1), walk(240, 5.0, 2)
    two.latlon_deg[50:60] = np.nan
    two.utc_us[100] = NO_TIME
    found = lag.by_way(one, two)
    assert found is not None
    assert abs(found.offset_s - 5.0) <= found.error_s


def test_a_stop_another_place_or_no_common_time_shows_nothing() -> None:
    one = walk(200, 0.0, 1)
    still = lag.Way(one.utc_us, np.tile([51.5, -0.1], (200, 1)), 1.0)
    assert lag.by_way(still, still) is None
    far = lag.Way(one.utc_us, one.latlon_deg + 1, 1.0)
    assert lag.by_way(one, far) is None
    later = lag.Way(one.utc_us + 10**10, one.latlon_deg, 1.0)
    assert lag.by_way(one, later) is None
    none = lag.Way(one.utc_us[:0], one.latlon_deg[:0], 1.0)
    assert lag.by_way(none, one) is None


def test_utc_at_a_moment_is_that_of_the_nearest_fix_that_tells_a_time() -> None:
    at, utc = np.array([0, 10, 20, 30]), np.array([NO_TIME, 1010, 1021, NO_TIME])
    assert [lag.moment_at(at, utc, wanted) for wanted in (0, 14, 16, 35)] == [1000, 1014, 1017, 1036]
    with pytest.raises(ValueError, match="no fix"):
        lag.moment_at(at[:1], utc[:1], 5)


def test_a_straight_line_at_even_pace_fits_only_where_its_places_do() -> None:
    """Along a line both receivers' errors and the offset look alike: the error says so."""
    t = np.arange(300.0)
    places = earth.moved(np.tile([51.5, -0.1], (300, 1)), np.stack([1.4 * t, 0 * t], -1))
    one = lag.Way(np.round(t * 1e6).astype(np.int64), places, 1.0)
    found = lag.by_way(one, lag.Way(one.utc_us + 7_000_000, places, 1.0))
    assert found is None or found.error_s > 1.0

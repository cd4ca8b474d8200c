"""Where an exhibit was, in words and as a drawing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.pages import place_words
from web.pages.where import plan, rows, spots, summary


@dataclass
class Fix:
    at_s: float
    lat: float | None = 51.752
    lon: float | None = -1.2577
    utc: datetime | None = None
    utc_error_s: float | None = None
    claimed: str | None = None
    height_takeoff_m: float | None = None
    height_sea_m: float | None = None
    accuracy_m: float | None = None
    yaw: float | None = None
    pitch: float | None = None
    certainty: str | None = "measured"
    flags: tuple[str, ...] = ()


@dataclass
class Spot:
    track: int
    at_s: float
    ellipse: tuple[float, float, float]
    label: str = "person"
    lat: float = 51.0
    lon: float = -1.0
    certainty: str = "derived"
    speed_mps: float | None = None
    speed_error_mps: float | None = None
    heading: float | None = None
    heading_error: float | None = None


def test_a_row_says_what_is_known_and_how_well() -> None:
    at = datetime(2026, 11, 24, 7, 15, 3, 240_000, UTC)
    fix = Fix(
        1.5,
        utc=at,
        utc_error_s=0.5,
        claimed="07:15:03 local",
        accuracy_m=4.94,
        height_takeoff_m=45.2,
        yaw=-90.0,
        pitch=-35.2,
    )
    row = rows([fix], Fraction(1, 10))[0]
    assert (row.at, row.moment) == ("1.600", "0:01.6")
    assert row.place == "51.752000, −1.257700 ± 4.9 m"
    assert row.utc == "24 November 2026, 07:15:03.2 UTC ± 0.5 s"
    assert row.claimed == "07:15:03 local"
    assert (row.height, row.looks) == ("45.2 m above take-off", "270° from north, 35° down")
    assert row.tag is not None
    assert row.tag.text == "Measured"


def test_no_fix_is_no_place() -> None:
    row = rows([Fix(0.0, lat=0.0, lon=0.0, flags=("no fix",), height_takeoff_m=3.0)])[0]
    assert (row.place, row.tag, row.height, row.note) == ("No fix", None, "", "")
    assert summary([Fix(0.0, flags=("no fix",))]) == "No moment of it has a place."


def test_what_was_interpolated_or_jumped_is_said() -> None:
    notes = [row.note for row in rows([Fix(0.0, flags=("interpolated",)), Fix(1.0, flags=("jump",))])]
    assert notes == [
        "Between two fixes, not from the file",
        "An impossible speed would have been needed to come here",
    ]


@given(st.integers(1, 5000))
def test_the_table_is_short_and_has_both_ends(count: int) -> None:
    fixes = [Fix(float(k)) for k in range(count)]
    shown = rows(fixes)
    assert len(shown) <= 61
    assert shown[0].at == "0.000"
    assert shown[-1].at == f"{count - 1}.000"


def test_the_drawing_has_north_up_and_leaves_gaps_open() -> None:
    way = [Fix(0.0, 51.0, -1.0), Fix(1.0, 51.001, -1.0), Fix(60.0, 51.002, -1.001), Fix(61.0, 51.003, -1.001)]
    drawn = plan(way)
    assert drawn is not None
    assert len(drawn.lines) == 2, "a minute without a fix is no line"
    assert drawn.start[1] > drawn.end[1], "north is up"
    assert drawn.start[0] > drawn.end[0], "west is left"
    assert drawn.across == "334 m"
    assert plan(way[:1]) is None


@given(st.lists(st.tuples(st.floats(-84, 84), st.floats(-180, 180)), min_size=2, max_size=20))
def test_a_drawing_stays_on_its_sheet(places: list[tuple[float, float]]) -> None:
    drawn = plan([Fix(float(k), lat, lon) for k, (lat, lon) in enumerate(places)])
    assert drawn is not None
    for x, y in (tuple(map(float, pair.split(","))) for line in drawn.lines for pair in line.split()):
        assert 0 <= x <= drawn.width
        assert -1 <= y <= drawn.height + 1


def test_each_track_stands_where_it_is_known_best() -> None:
    found = spots([Spot(3, 1.0, (9.0, 2.0, 45.0)), Spot(3, 2.0, (6.0, 2.0, 225.0)), Spot(1, 5.0, (3.0, 3.0, 0.0), "car")])
    assert [line.name for line in found] == ["Person 3 at 0:02.0", "Car 1 at 0:05.0"]
    assert found[0].words == "51.000000, −1.000000, within 6.0 m along 45° from north and 2.0 m across"
    assert found[1].words.endswith("within 3.0 m")
    assert found[0].tag.text == "Derived"


def test_what_moved_is_told_with_its_speed() -> None:
    walks = Spot(3, 1.0, (9.0, 9.0, 0.0), speed_mps=1.42, speed_error_mps=0.6, heading=359.8, heading_error=25.2)
    stands = Spot(4, 1.0, (9.0, 9.0, 0.0), speed_mps=0.2, speed_error_mps=0.6)
    first, second = spots([walks, stands])
    assert first.words.endswith("within 9.0 m, 1.4 ± 0.6 m/s towards 0° ± 25° from north")
    assert second.words.endswith("within 9.0 m, 0.2 ± 0.6 m/s")


@pytest.mark.parametrize(("error_s", "words"), [(0.04, "0.04 s"), (1.0, "1.0 s"), (60.0, "60 s"), (3660.0, "61 min")])
def test_errors_of_clocks(error_s: float, words: str) -> None:
    assert place_words.within(error_s) == words

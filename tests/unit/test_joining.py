"""Sidecars on their video's time line, and the points of tracks that are worth placing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from evidence.clock import Correction, Evidence
from evidence.feet import feet
from evidence.joining import embedded, joined
from evidence.telemetry import Certainty, Family, Quantity, Zone
from evidence.track import Origin, Track, TrackBox
from tests.flights import flight

SECOND = 1_000_000
NOON_UTC = 1_782_907_200 * SECOND
"""2026-07-01 12:00 UTC."""


def walk(n: int = 10, clock_us: int | None = NOON_UTC, **more: object):  # type: ignore[no-untyped-def]
    given = {"family": Family.GPX, "zone": Zone.UTC, "latitude": 52.0, "longitude": 0.1, **more}
    if clock_us is not None:
        given["clock_us"] = np.arange(n) * SECOND + clock_us
    return flight(n, **given)


def test_a_drones_subtitles_begin_with_their_video_and_the_end_is_compared() -> None:
    source = joined(flight(10, latitude=52.0, longitude=0.1), duration_us=10_400_000, start_utc_us=NOON_UTC)
    assert (source.offset_us, source.residual_us, source.warnings) == (0, 400_000, ())
    short = embedded(flight(10, latitude=52.0, longitude=0.1), 15 * SECOND)
    assert (short.residual_us, short.warnings) == (5_000_000, ("the fixes end 5.0 s before the video",))
    assert "after the video" in embedded(flight(10), 7 * SECOND).warnings[0]


def test_the_clocks_of_both_are_compared_where_a_file_says_when_it_was_made() -> None:
    """DJI: the subtitles in local time, the file in UTC: whole hours are a zone, what is left is told."""
    local = flight(10, clock_us=np.arange(10) * SECOND + NOON_UTC + 3600 * SECOND, latitude=52.0, longitude=0.1)
    (said,) = embedded(local, 10 * SECOND, NOON_UTC + 300_000).warnings
    assert said == "by its file the video began 0.3 s later than the fixes do by the device's clock"


def test_a_walk_is_laid_on_the_video_by_the_two_clocks() -> None:
    source = joined(walk(600), duration_us=60 * SECOND, start_utc_us=NOON_UTC + 90 * SECOND)
    assert (source.offset_us, source.telemetry.elapsed_us[0]) == (-90 * SECOND, -90 * SECOND)
    assert "clocks" in source.warnings[0]
    correction = Correction(5.0, 1.0, Evidence.STATED, "fast")
    moved = joined(walk(600), duration_us=60 * SECOND, start_utc_us=NOON_UTC + 90 * SECOND, correction=correction)
    assert moved.offset_us == -85 * SECOND


@pytest.mark.parametrize(
    ("source", "start_us", "why"),
    [
        (walk(clock_us=None), NOON_UTC, "one of the two tells no time"),
        (walk(), None, "one of the two tells no time"),
        (walk(), NOON_UTC + 10_000 * SECOND, "don't overlap"),
    ],
)
def test_without_clocks_that_meet_it_begins_with_the_video_and_says_so(source, start_us, why) -> None:  # type: ignore[no-untyped-def]
    laid = joined(source, duration_us=60 * SECOND, start_utc_us=start_us)
    assert (laid.offset_us, why in laid.warnings[0], "begin with the video" in laid.warnings[0]) == (0, True, True)


def test_a_persons_word_goes_before_all_and_time_alone_makes_an_estimate() -> None:
    laid = joined(walk(), duration_us=60 * SECOND, start_utc_us=NOON_UTC, offset_us=2 * SECOND)
    assert (laid.offset_us, laid.telemetry.elapsed_us[0], laid.warnings) == (2 * SECOND, 2 * SECOND, ())
    guessed = joined(walk(), duration_us=60 * SECOND, start_utc_us=NOON_UTC, by_time=True)
    assert guessed.telemetry.certainty[Quantity.LATITUDE] is Certainty.ESTIMATED


def test_feet_are_taken_once_a_second_and_not_where_the_edge_cuts_them_off() -> None:
    def track(number: int, label: str, bottom: float) -> Track:
        boxes = (TrackBox(n, n + 5, (10.0, 20.0, 30.0, bottom), 0.9, Origin.DETECTED) for n in range(50))
        return Track(number, label, "test", Fraction(1, 25), tuple(boxes))

    found = feet([track(1, "person", 100), track(2, "face", 50), track(3, "car", 359)], (640, 360), 5)
    assert (found.track.tolist(), found.at_us.tolist()) == ([1, 1], [0, SECOND])
    assert found.points_xy.tolist() == [[20.0, 100.0], [20.0, 100.0]]
    assert feet([], (640, 360), 0).points_xy.shape == (0, 2)

"""Rows while they are read: elapsed time by a clock alone, order, and an end to memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.clock import micros
from evidence.telemetry import NO_TIME, Family, Flag, Quantity, Telemetry
from media.telemetry import csv_log, gpmf, gpx, kml, misb, nmea, rows
from tests import gpmf_making, klv_making
from tests.unit.test_telemetry_nmea import rmc

Q = Quantity
SECOND = 1_000_000


def elapsed(*clock: int) -> list[int]:
    return rows.elapsed_of(np.array(clock, np.int64)).tolist()


def test_elapsed_time_goes_on_over_gaps_steps_and_rows_without_a_time() -> None:
    assert elapsed(5 * SECOND, 6 * SECOND, 106 * SECOND) == [0, SECOND, 101 * SECOND]
    assert elapsed(NO_TIME, 5, NO_TIME, 7, NO_TIME) == [0, 0, 0, 2, 2]
    assert elapsed(5 * SECOND, 6 * SECOND, 2 * SECOND, 3 * SECOND) == [0, SECOND, 2 * SECOND, 3 * SECOND]
    years = 10**9 * SECOND
    assert elapsed(0, SECOND, years, years + SECOND) == [0, SECOND, 2 * SECOND, 3 * SECOND]
    assert elapsed() == []
    assert elapsed(NO_TIME, NO_TIME) == [0, 0]


@given(st.lists(st.just(NO_TIME) | st.integers(-(2**60), 2**60), max_size=30))
def test_elapsed_time_never_runs_back(clock: list[int]) -> None:
    found = rows.elapsed_of(np.array(clock, np.int64))
    assert (np.diff(found) >= 0).all()
    assert len(found) == len(clock)


def test_rows_come_in_the_order_of_their_time_and_empty_columns_are_left_out() -> None:
    reading = rows.Rows()
    reading.add({Q.LATITUDE: 52.0, Q.LONGITUDE: 1.0}, elapsed_us=2)
    reading.add({Q.LATITUDE: 51.0, Q.LONGITUDE: 1.0, Q.SPEED: np.nan}, elapsed_us=1, fix=False)
    found = reading.telemetry(Family.GPX, "")
    assert found.elapsed_us.tolist() == [1, 2]
    assert found.flags.tolist() == [int(Flag.NO_FIX), 0]
    assert set(found.columns) == {Q.LATITUDE, Q.LONGITUDE}


def test_a_moment_is_counted_in_its_own_zone() -> None:
    assert micros(datetime(1970, 1, 2, tzinfo=UTC)) == micros(datetime(1970, 1, 2)) == 86_400 * SECOND


POINT = '<trkpt lat="52" lon="1"/>'
MANY: dict[str, Callable[[], Telemetry]] = {
    "csv": lambda: csv_log.read_bytes(b"lat,lon\n" + b"52,1\n" * 20),
    "gpmf": lambda: gpmf.read_bytes(gpmf_making.payload([gpmf_making.gps5([(52.0, 1.0, 0.0, 0.0)] * 20)])),
    "gpx": lambda: gpx.read_bytes(f"<gpx><trk><trkseg>{POINT * 20}</trkseg></trk></gpx>".encode()),
    "kml": lambda: kml.read_bytes(
        f"<kml><Placemark><LineString><coordinates>{'1,52 ' * 20}</coordinates></LineString></Placemark></kml>".encode()
    ),
    "misb": lambda: misb.read_bytes(b"".join(klv_making.local_set({13: 52.0, 14: 1.0}, i) for i in range(20))),
    "nmea": lambda: nmea.read_bytes("".join(rmc(f"0900{i:02d}") for i in range(20)).encode()),
}


@pytest.mark.parametrize("family", MANY)
def test_what_is_more_than_memory_has_room_for_is_dropped_and_said(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (rows, csv_log, gpx, kml, misb, nmea):
        monkeypatch.setattr(module, "MAX_ROWS", 10)
    found = MANY[family]()
    assert len(found) == 10
    assert rows.TOO_MANY in found.warnings

"""Flight logs and body-worn exports as tables: headings in many spellings, units, separators, dates and doubts."""

from __future__ import annotations

import contextlib
import math
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import ExhibitError, TooLarge, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Flag, Quantity, Telemetry, Zone
from media.telemetry import csv_log
from media.telemetry.csv_columns import Extra, Role, heading

Q = Quantity
DATA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "telemetry"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the telemetry is not there: set EXHIBIT_TEST_DATA")


def read(*lines: str, separator: str = ",") -> Telemetry:
    return csv_log.read_bytes("\n".join(separator.join(line.split("|")) for line in lines).encode())


def micros(*moment: int) -> int:
    return round(datetime(*moment, tzinfo=UTC).timestamp() * 1e6)  # type: ignore[arg-type,misc]


def said(found: Telemetry, row: int = 0) -> dict[Quantity, float]:
    return {q: round(float(values[row]), 4) for q, values in found.columns.items() if math.isfinite(values[row])}


@pytest.mark.parametrize(
    ("text", "role", "factor"),
    [
        ("Latitude", Q.LATITUDE, 1),
        ("GPS(0):Lat[degrees]", Q.LATITUDE, 1),
        ("lat_e7", Q.LATITUDE, 1e-7),
        ("Longtitude", Q.LONGITUDE, 1),
        (" gpsLng ", Q.LONGITUDE, 1),
        ("OSD.height [ft]", Extra.PLAIN_HEIGHT, 0.3048),
        ("climbRate", Q.CLIMB, 1),
        ("GCrs", Q.COURSE, 1),
        ("yaw", Q.PLATFORM_YAW, 1),
        ("horizontalAccuracy", Q.ACCURACY_HORIZONTAL, 1),
        ("height_above_takeoff(feet)", Q.HEIGHT_TAKEOFF, 0.3048),
        ("relativeAltitude (m)", Q.HEIGHT_TAKEOFF, 1),
        ("altitude_above_seaLevel(feet)", Q.HEIGHT_SEA, 0.3048),
        ("Alt(ft MSL)", Q.HEIGHT_SEA, 0.3048),
        ("height_above_ground_at_drone_location(feet)", Q.HEIGHT_GROUND, 0.3048),
        ("Ellipsoid Height", Q.HEIGHT_ELLIPSOID, 1),
        ("Altitude", Extra.PLAIN_ALTITUDE, 1),
        ("speed(mph)", Q.SPEED, 0.44704),
        ("Speed [km/h]", Q.SPEED, 1 / 3.6),
        ("ground_speed_knots", Q.SPEED, 1852 / 3600),
        ("OSD.hSpeed [MPH]", Q.SPEED, 0.44704),
        ("xSpeed(m/s)", Extra.NORTH_SPEED, 1),
        ("IMU_ATTI(0):velD", Extra.DOWN_SPEED, 1),
        ("Vertical Speed (ft/s)", Q.CLIMB, 0.3048),
        ("gimbal_pitch(degrees)", Q.CAMERA_PITCH, 1),
        ("GIMBAL.yaw [360]", Q.CAMERA_YAW, 1),
        ("OSD.pitch", Q.PLATFORM_PITCH, 1),
        ("roll (rad)", Q.PLATFORM_ROLL, 180 / math.pi),
        ("compass_heading(degrees)", Extra.HEADING, 1),
        ("Bearing", Q.COURSE, 1),
        ("hAcc (m)", Q.ACCURACY_HORIZONTAL, 1),
        ("HOME.latitude", Q.HOME_LATITUDE, 1),
        ("gpsNum", Extra.SATELLITES, 1),
        ("isTakingVideo", Extra.RECORDING, 1),
        ("GPS (Lat.) [deg]", Q.LATITUDE, 1),
        ("GPS (Alt.) [m]", Extra.PLAIN_ALTITUDE, 1),
        ("GPS (2D speed) [m/s]", Q.SPEED, 1),
        ("vel_n_m_s", Extra.NORTH_SPEED, 1),
        ("Längengrad", Q.LONGITUDE, 1),
        ("Geschwindigkeit (km/h)", Q.SPEED, 1 / 3.6),
    ],
)
def test_headings_are_recognised_in_many_spellings(text: str, role: Role, factor: float) -> None:
    found = heading(0, text)
    assert (found.role, found.factor) == (role, pytest.approx(factor))


@pytest.mark.parametrize(
    "text",
    ["max_altitude(feet)", "OSD.hSpeedMax [MPH]", "rc_elevator", "wind speed (m/s)", "ground_elevation(feet)", "HOME.height",
     "OSD.vpsHeight [ft]", "battery pitch", "gimbalPitchRaw",
     "bearingAccuracy", "speed_accuracy", "yawRate", "distance(feet)", "Airspeed", "message", "platform", ""],
)  # fmt: skip
def test_headings_of_other_things_are_left_alone(text: str) -> None:
    assert heading(0, text).role is None


def test_a_dji_flight_log_in_feet_and_miles() -> None:
    found = read(
        "sep=,",
        "CUSTOM.date [local]|CUSTOM.updateTime [local]|OSD.flyTime [s]|OSD.latitude|OSD.longitude|OSD.height [ft]"
        "|OSD.altitude [ft]|OSD.hSpeed [MPH]|OSD.zSpeed [MPH]|OSD.pitch|OSD.roll|OSD.yaw [360]|OSD.gpsNum|GIMBAL.pitch"
        "|GIMBAL.yaw [360]|HOME.latitude|HOME.longitude|CAMERA.isVideo|DETAILS.aircraftName",
        "3/13/2026|9:00:00.50 AM|0|52.4862|-1.8904|0|460|0|0|1.5|-0.5|271|18|-30|270|52.4860|-1.8900||Unit 7",
        "3/13/2026|9:00:01.50 AM|1|52.4862|-1.8904|100|560|10|-2|1.5|-0.5|271|18|-30|270|52.4860|-1.8900|True|Unit 7",
        "3/13/2026|9:00:02.50 AM|2|0|0|100|560|10|-2|1.5|-0.5|271|0|-30|270|52.4860|-1.8900|True|Unit 7",
    )
    assert (found.family, found.dialect, found.device) == (Family.CSV, "DJI flight log", "Unit 7")
    assert found.zone is Zone.LOCAL
    assert found.clock_us[0] == micros(2026, 3, 13, 9, 0, 0) + 500_000
    assert found.elapsed_us.tolist() == [0, 1_000_000, 2_000_000]
    assert said(found, 1) == {
        Q.LATITUDE: 52.4862, Q.LONGITUDE: -1.8904, Q.HEIGHT_TAKEOFF: 30.48, Q.HEIGHT_SEA: 170.688, Q.SPEED: 4.4704,
        Q.CLIMB: 0.8941, Q.PLATFORM_PITCH: 1.5, Q.PLATFORM_ROLL: -0.5, Q.PLATFORM_YAW: 271, Q.CAMERA_PITCH: -30,
        Q.CAMERA_YAW: 270, Q.HOME_LATITUDE: 52.486, Q.HOME_LONGITUDE: -1.89,
    }  # fmt: skip
    assert found.flags.tolist() == [0, 0, int(Flag.NO_FIX)]
    assert "the log says that video was recorded from 1.0 to 2.0 s" in found.warnings


def test_an_airdata_export_takes_the_heights_that_say_above_what() -> None:
    found = read(
        "time(millisecond)|datetime(utc)|latitude|longitude|height_above_takeoff(feet)|altitude_above_seaLevel(feet)"
        "|speed(mph)|satellites| compass_heading(degrees)|gimbal_pitch(degrees)|altitude(feet)|max_altitude(feet)",
        "0|2026-03-02 09:00:00|52.4862|-1.8904|100|500|10|14|90|-45|1|9999",
        "100|2026-03-02 09:00:00|52.4862|-1.8904|100|500|10|14|90|-45|1|9999",
    )
    assert (found.dialect, found.zone) == ("Airdata", Zone.UTC)
    assert found.elapsed_us.tolist() == [0, 100_000]
    assert found.clock_us[0] == micros(2026, 3, 2, 9)
    expected = {Q.HEIGHT_TAKEOFF: 30.48, Q.HEIGHT_SEA: 152.4, Q.SPEED: 4.4704, Q.PLATFORM_YAW: 90, Q.CAMERA_PITCH: -45}
    assert expected.items() <= said(found).items()
    assert found.warnings == ()
    assert found.certainty == {}


def test_a_drones_altitude_that_starts_at_nought_is_above_its_take_off() -> None:
    found = read(
        "latitude|longitude|altitude(m)|isTakingVideo|gimbalPitch(degrees)|datetime(local)",
        "52.4862|-1.8904|0.2|0|-90|2026-03-02 09:00:00",
        "52.4862|-1.8904|31|0|-90|2026-03-02 09:00:01",
    )
    assert (found.dialect, found.zone) == ("Litchi", Zone.LOCAL)
    assert found.column(Q.HEIGHT_TAKEOFF).tolist() == [0.2, 31]
    assert found.certainty == {Q.HEIGHT_TAKEOFF: Certainty.ESTIMATED}
    assert "the altitude doesn't say above what: taken as above the take-off point: it starts near nought" in found.warnings


def test_a_body_worn_export_with_semicolons_and_decimal_commas() -> None:
    found = read(
        "Camera ID: X60A1234",
        "",
        "Device ID|Date/Time|GPS Lat|GPS Long|Altitude|Speed|Heading|Accuracy",
        "X60A1234|02/03/2026 09:00:00|52,4862|-1,8904|141,5|1,4|350|4,8",
        "X60A1234|02/03/2026 09:00:05|52,4863|-1,8904|141,5|1,4|350|4,8",
        separator=";",
    )
    assert (found.dialect, found.device, found.zone) == ("table of 8 columns", "X60A1234", Zone.LOCAL)
    assert found.clock_us[0] == micros(2026, 3, 2, 9), "the day comes first"
    assert found.elapsed_us.tolist() == [0, 5_000_000]
    assert said(found) == {
        Q.LATITUDE: 52.4862, Q.LONGITUDE: -1.8904, Q.HEIGHT_SEA: 141.5, Q.SPEED: 1.4, Q.COURSE: 350,
        Q.ACCURACY_HORIZONTAL: 4.8,
    }  # fmt: skip
    assert set(found.warnings) == {
        "dates like 3/2/2026 are taken as day, month, year; nothing in the file tells",
        "the speed has no unit: taken as metres a second",
        "the altitude has no unit: taken as metres",
    }
    assert found.certainty == {Q.SPEED: Certainty.ESTIMATED}


TIMES = [
    ("timestamp", "1772442000", micros(2026, 3, 2, 9), Zone.UTC),
    ("timestamp_ms", "1772442000500", micros(2026, 3, 2, 9) + 500_000, Zone.UTC),
    ("Time", "2026-03-02T09:00:00.123456Z", micros(2026, 3, 2, 9) + 123_456, Zone.UTC),
    ("Time", "2026-03-02T09:00:00+01:00", micros(2026, 3, 2, 8), Zone.UTC),
    ("Date Time (UTC)", "02.03.2026 09:00:00", micros(2026, 3, 2, 9), Zone.UTC),
    ("Recorded At", "2 Mar 2026 9:00 pm", micros(2026, 3, 2, 21), Zone.LOCAL),
    ("Local time", "Mar 2, 2026 12:00:00 AM", micros(2026, 3, 2), Zone.LOCAL),
    ("time", "20260302T090000.250", micros(2026, 3, 2, 9) + 250_000, Zone.LOCAL),
    ("DateTimeOriginal", "2026:03:02 09:00:00", micros(2026, 3, 2, 9), Zone.LOCAL),
    ("time", "25/12/26 23:59", micros(2026, 12, 25, 23, 59), Zone.LOCAL),
    ("time", "12/25/2026 23:59", micros(2026, 12, 25, 23, 59), Zone.LOCAL),
    ("time", "31/02/2026 23:59", NO_TIME, Zone.LOCAL),
]


@pytest.mark.parametrize(("name", "text", "expected", "zone"), TIMES)
def test_dates_are_read_in_any_usual_spelling(name: str, text: str, expected: int, zone: Zone) -> None:
    found = read(f"lat;lon;{name}".replace(";", "|"), f"52|1|{text}", separator="\t")
    assert (found.clock_us[0], found.zone) == (expected, zone)


def test_gopros_own_export_and_a_ground_stations_log() -> None:
    camera = read(
        "cts|date|GPS (Lat.) [deg]|GPS (Long.) [deg]|GPS (Alt.) [m]|GPS (2D speed) [m/s]|GPS (3D speed) [m/s]|fix|precision",
        "0|2026-03-02T09:00:00.000Z|52.4862|-1.8904|140|1|2|3|150",
        "55|2026-03-02T09:00:00.055Z|52.4862|-1.8904|140|1|2|0|9999",
    )
    assert camera.elapsed_us.tolist() == [0, 55_000]
    assert camera.placed.tolist() == [True, False]
    assert said(camera) == {Q.LATITUDE: 52.4862, Q.LONGITUDE: -1.8904, Q.HEIGHT_SEA: 140, Q.SPEED: 1}
    station = read(
        "Timestamp|roll|pitch|heading|groundSpeed|altitudeRelative|altitudeAMSL|gps.lat|gps.lon|gps.hdop|gps.count",
        "2026-03-02 09:00:00.100|0.1|0.2|90|3|10|120|52.4862|-1.8904|0.8|14",
    )
    assert said(station) == {
        Q.LATITUDE: 52.4862, Q.LONGITUDE: -1.8904, Q.HEIGHT_TAKEOFF: 10, Q.HEIGHT_SEA: 120, Q.ACCURACY_HORIZONTAL: 4,
        Q.PLATFORM_YAW: 90, Q.PLATFORM_PITCH: 0.2, Q.PLATFORM_ROLL: 0.1, Q.SPEED: 3,
    }  # fmt: skip


def test_date_and_time_in_two_columns_belong_together() -> None:
    found = read(
        "GPS:Date|GPS:Time|GPS:Lat|GPS:Long|offsetTime", "20260302|90000|52|1|-1.5", "20260302|90001|52|1|-0.5",
    )  # fmt: skip
    assert found.clock_us.tolist() == [micros(2026, 3, 2, 9), micros(2026, 3, 2, 9, 0, 1)]
    assert found.zone is Zone.UTC
    assert found.elapsed_us.tolist() == [-1_500_000, -500_000]


def test_elapsed_time_in_words_and_without_a_unit() -> None:
    assert read("lat|lon|Fly time", "52|1|1m 2.5s", "52|1|1h 0m 3s").elapsed_us.tolist() == [62_500_000, 3_603_000_000]
    assert read("lat|lon|Elapsed time", "52|1|00:01:02.5", "52|1|00:01:03").elapsed_us.tolist() == [62_500_000, 63_000_000]
    assert read("lat|lon|Video time", "52|1|1:02", "52|1|1:03").elapsed_us.tolist() == [62_000_000, 63_000_000]
    found = read("lat|lon|time", "52|1|100", "52|1|140", "52|1|180")
    assert found.elapsed_us.tolist() == [100_000, 140_000, 180_000]
    assert found.warnings == ("the time has no unit: taken as milliseconds",)


def test_a_time_of_day_alone_goes_on_over_midnight() -> None:
    found = read("lat|lon|time", "52|1|23:59:59", "52|1|00:00:01")
    assert found.elapsed_us.tolist() == [0, 2_000_000]
    assert found.clock_us.tolist() == [NO_TIME, NO_TIME]
    assert found.warnings == ("no column has a date: only the time of day is known",)


def test_two_flights_in_one_log_lie_one_behind_the_other() -> None:
    found = read("lat|lon|t [s]", "52|1|0", "52|1|1", "lat|lon|t [s]", "52.1|1|0", "52.1|1|1")
    assert found.elapsed_us.tolist() == [0, 1_000_000, 2_000_000, 3_000_000]
    assert "1 lines have no numbers where the columns are, and were left out" in found.warnings


@pytest.mark.parametrize(
    ("headings", "row"),
    [
        ("Latitude|N/S|Longitude|E/W", "52.4862|N|1.8904|W"),
        ("lat|lon", "52.4862N|1.8904 W"),
        ("lat|lon", "52°29'10.32\"N|1°53'25.44\"W"),
        ("lat|lon", "524862000|-18904000"),
        ("Unit|Location", 'A|"52.4862, -1.8904"'),
        ("lat_rad|lat (rad)|lon (rad)", f"|{math.radians(52.4862)}|{math.radians(-1.8904)}"),
        ("remote lat|rc longitude|target lat|lat|lon", "1|2|3|52.4862|-1.8904"),
        ("GPS lat|RTK lat|RTK lon|GPS lon", "52.4862|0|0|-1.8904"),
    ],
)
def test_places_are_read_in_many_forms(headings: str, row: str) -> None:
    found = read(headings, row)
    assert found.column(Q.LATITUDE)[0] == pytest.approx(52.4862, abs=1e-7)
    assert found.column(Q.LONGITUDE)[0] == pytest.approx(-1.8904, abs=1e-7)


def test_speeds_along_the_axes_give_speed_and_course() -> None:
    found = read("lat|lon|vx|vy|vz", "52|1|3|-4|-1")
    assert said(found).items() >= {Q.SPEED: 5.0, Q.COURSE: 306.8699, Q.CLIMB: 1.0}.items()
    assert found.certainty == {Q.SPEED: Certainty.DERIVED, Q.COURSE: Certainty.DERIVED}


def test_no_satellites_is_no_fix() -> None:
    found = read("lat|lon|satellites|fix", "52|1|0|3", "52|1|9|none", "52|1|9|3D", "52|1||")
    assert found.placed.tolist() == [False, False, True, True]


def test_a_cut_table_gives_the_rows_before() -> None:
    found = read("lat|lon|note", "52|1|a", '52|1|"open', "53", "")
    assert len(found) == 2
    short = read("t [s]|lat|lon", "0|52|1", "1|52")
    assert np.isnan(short.column(Q.LONGITUDE)).tolist() == [False, True]


def test_what_has_no_places_is_refused_in_words() -> None:
    with pytest.raises(UnsupportedMedia, match=r"its columns: name, age"):
        read("name|age", "a|1")
    with pytest.raises(UnsupportedMedia, match="its columns: none"):
        csv_log.read_bytes(b"")
    with pytest.raises(UnsupportedMedia, match="no row"):
        read("lat|lon", "north|west")


def test_more_than_is_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_log, "MAX_BYTES", 5)
    with pytest.raises(TooLarge):
        read("lat|lon", "52|1")


@real
def test_a_real_flight_log_gives_its_flight() -> None:
    found = csv_log.read_bytes((DATA / "dji_flightlog_exiftool.csv").read_bytes())
    assert (len(found), int(found.placed.sum())) == (92, 92)
    assert (found.elapsed_us[0], found.elapsed_us[-1]) == (300_000, 10_000_000)
    assert found.column(Q.LATITUDE)[0] == -44.69009395, "over South Island, New Zealand"
    assert found.column(Q.LONGITUDE)[0] == 170.42456545


cells = st.sampled_from(
    [
        "",
        "52.4862",
        "-1,8904",
        "2026-03-02 09:00:00",
        "09:00:00",
        "1e999",
        "nan",
        "3/2/2026",
        "1m 2s",
        '"',
        "0",
        "99999999999999999999",
        "515010000",
        "5130.060",
        "00008.520",
        "1.234,5",
        "12 km/h",
        "240532",
        "141314",
        "1716732794123456789",
    ]
)
names = st.sampled_from(
    [
        "lat",
        "lon",
        "time",
        "date",
        "altitude(feet)",
        "speed (knots)",
        "vx",
        "vy",
        "gps",
        "fly time [s]",
        "isVideo",
        "N/S",
        "position_lat",
        "position_long",
        "relative_alt",
        "hdg",
        "fix_type",
        "timestamp",
        "height",
        "",
    ]
)


@given(
    st.lists(names, min_size=1, max_size=8),
    st.lists(st.lists(cells | st.text(max_size=8), max_size=9), max_size=8),
    st.sampled_from(",;\t|"),
)
def test_any_table_gives_fixes_or_a_refusal(headings: list[str], rows: list[list[str]], separator: str) -> None:
    text = "\n".join(separator.join(row) for row in [["lat", "lon", *headings], *rows])
    with contextlib.suppress(ExhibitError):
        assert len(csv_log.read_bytes(text.encode("utf-8", "replace"))) > 0


@given(st.binary(max_size=300))
def test_any_bytes_give_fixes_or_a_refusal(data: bytes) -> None:
    for start in (b"", b"lat,lon,time\n52,1,"):
        with contextlib.suppress(ExhibitError):
            csv_log.read_bytes(start + data)


# --- exports of autopilots, phones and small loggers, in forms of theirs with places of ours ---------------------------

HERE = {Q.LATITUDE: 51.501, Q.LONGITUDE: -0.142}


def test_an_autopilots_whole_numbers_are_millimetres_and_hundredths() -> None:
    head = "timestamp|GPI.time_boot_ms|GPI.lat|GPI.lon|GPI.alt|GPI.relative_alt|GPI.vx|GPI.vy|GPI.vz|GPI.hdg"
    row = "1716732794.0{}|1{}00|515010000|-1420000|135200|35200|300|400|-50|27050"
    found = read(head, row.format(0, 0), row.format(1, 1))
    expected = {Q.HEIGHT_SEA: 135.2, Q.HEIGHT_TAKEOFF: 35.2, Q.SPEED: 5.0, Q.CLIMB: 0.5, Q.COURSE: 270.5}
    assert (HERE | expected).items() <= said(found).items()
    assert set(expected) <= {q for q, worth in found.certainty.items() if worth is Certainty.ESTIMATED}
    assert any("millimetres" in words for words in found.warnings)


def test_a_receivers_log_of_px4_counts_microseconds_and_names_the_kind_of_fix() -> None:
    head = (
        "timestamp|time_utc_usec|lat|lon|alt|alt_ellipsoid|eph|epv|vel_m_s|timestamp_time_relative|fix_type|satellites_used"
    )
    row = "12{0}00000|1716732794{0}00000|515010000|-1420000|35000|82000|0.8|1.2|5.0|0|{1}|14"
    found = read(head, row.format(0, 3), row.format(2, 1))
    assert found.elapsed_us.tolist() == [12_000_000, 12_200_000]
    assert found.flags.tolist() == [0, int(Flag.NO_FIX)]
    assert (HERE | {Q.HEIGHT_SEA: 35.0, Q.HEIGHT_ELLIPSOID: 82.0, Q.ACCURACY_VERTICAL: 1.2}).items() <= said(found).items()
    metres = read(
        "timestamp|latitude_deg|longitude_deg|altitude_msl_m", "12000000|51.501|-0.142|35.0", "12100000|51.501|-0.142|35"
    )
    assert (metres.elapsed_us.tolist(), said(metres)) == ([12_000_000, 12_100_000], HERE | {Q.HEIGHT_SEA: 35.0})


def test_a_count_of_whole_seconds_gives_way_to_a_clock_with_their_parts() -> None:
    head = "Timestamp|heading|climbRate|altitudeRelative|flightTime|gps.lat|gps.lon|gps.courseOverGround|gps.lock"
    row = "2024-05-26 14:13:14.{}00|270.0|0.5|35.0|00:01:02|51.501|-0.142|271.0|3"
    found = read(head, *(row.format(n) for n in range(5)))
    assert found.elapsed_us.tolist() == [62_000_000 + n * 100_000 for n in range(5)]
    assert said(found)[Q.CLIMB] == 0.5


def test_a_phones_nanoseconds_are_a_date_and_its_accuracies_stay_apart() -> None:
    head = (
        "time|seconds_elapsed|bearingAccuracy|speedAccuracy|verticalAccuracy|horizontalAccuracy|bearing|longitude|latitude"
    )
    found = read(head, "1716732794123456789|0.12|10|0.5|3.0|4.7|270.0|-0.142|51.501")
    assert found.clock_us[0] == micros(2024, 5, 26, 14, 13, 14) + 123_457
    assert found.zone is Zone.UTC
    assert said(found) == HERE | {Q.ACCURACY_HORIZONTAL: 4.7, Q.ACCURACY_VERTICAL: 3.0, Q.COURSE: 270.0}


def test_a_bare_height_is_above_the_take_off_only_of_what_took_off() -> None:
    walked = read("Time (s)|Latitude (°)|Longitude (°)|Height (m)", "0.5|51.501|-0.142|35.0")
    assert said(walked) == HERE | {Q.HEIGHT_SEA: 35.0}
    flown = read("OSD.flyTime [s]|OSD.latitude|OSD.longitude|OSD.height [m]", "0.5|51.501|-0.142|35.0")
    assert said(flown) == HERE | {Q.HEIGHT_TAKEOFF: 35.0}


def test_units_and_sides_may_stand_in_the_cells() -> None:
    found = read(
        "INDEX|DATE|TIME|VALID|LATITUDE|N/S|LONGITUDE|E/W|HEIGHT|SPEED|HEADING",
        "1|2024/05/26|14:13:14|SPS|51.501000|N|0.142000|W|35.0 M|36.0 km/h|270",
    )
    assert (HERE | {Q.HEIGHT_SEA: 35.0, Q.SPEED: 10.0}).items() <= said(found).items()


@pytest.mark.parametrize(
    ("date", "moment"),
    [("320524", micros(2032, 5, 24, 14, 13, 14)), ("240532", micros(2032, 5, 24, 14, 13, 14)), ("240526", None)],
)
def test_degrees_with_minutes_and_dates_run_together(date: str, moment: int | None) -> None:
    head = "Date|Time|Lat|NS|Lon|EW|Speed(knots)"
    found = read(head, f"{date}|141314|5130.060|N|00008.520|W|10.0", f"{date}|141315.5|5130.060|N|00008.520|W|10.0")
    assert said(found) == HERE | {Q.SPEED: 5.1444}
    assert found.elapsed_us.tolist() == [0, 1_500_000]
    assert found.clock_us[0] == (NO_TIME if moment is None else moment)
    assert any("year or its day first" in words for words in found.warnings) is (moment is None)


def test_minutes_beyond_sixty_or_fewer_digits_are_no_degrees_with_minutes() -> None:
    for latitude, longitude in (("5161.060", "00008.520"), ("5130.060", "8.520")):
        assert not read("Lat|Lon|Alt", f"{latitude}|{longitude}|3.0").placed.any()


def test_a_column_without_a_heading_may_hold_the_dates() -> None:
    found = read("|altitude|latitude|longitude|fix_type", "20240526 14:13:14:140|0.05|51.501|-0.142|3")
    assert found.clock_us[0] == micros(2024, 5, 26, 14, 13, 14) + 140_000


def test_garmins_parts_of_a_circle_are_no_ten_millionths() -> None:
    found = read("timestamp_iso|position_lat|position_long", "2024-05-26T14:13:14Z|614430870|-1694129")
    assert said(found) == {Q.LATITUDE: 51.501, Q.LONGITUDE: -0.142}


@pytest.mark.parametrize(("first", "at"), [(1085667194, (2024, 5, 26, 14, 13, 14)), (800000000, (2015, 5, 8, 6, 13, 20))])
def test_garmins_seconds_count_from_1989(first: int, at: tuple[int, int, int, int, int, int]) -> None:
    rows = [f"{first + second}|614430870|-1694129" for second in (0, 2)]
    found = read("timestamp|position_lat|position_long", *rows)
    assert found.clock_us.tolist() == [micros(*at), micros(*at) + 2_000_000]
    assert found.elapsed_us.tolist() == [0, 2_000_000]
    assert found.zone is Zone.UTC
    assert any("1989" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("heading", "place", "seconds", "year"),
    [
        ("timestamp", "614430870|-1694129", 1716732794, 2024),
        ("unix time", "614430870|-1694129", 1085667194, 2004),
        ("timestamp", "51.501|-0.142", 1085667194, 2004),
    ],
)
def test_seconds_that_nothing_calls_garmins_count_from_1970(heading: str, place: str, seconds: int, year: int) -> None:
    found = read(f"{heading}|position_lat|position_long", f"{seconds}|{place}")
    assert found.clock_us[0] // 1_000_000 == seconds
    assert micros(year, 1, 1, 0, 0, 0) < found.clock_us[0] < micros(year + 1, 1, 1, 0, 0, 0)


def test_a_point_may_part_the_thousands() -> None:
    found = read("Breite;Länge;Höhe (m)", "51,501;-0,142;1.234,5", separator=";")
    assert said(found) == HERE | {Q.HEIGHT_SEA: 1234.5}

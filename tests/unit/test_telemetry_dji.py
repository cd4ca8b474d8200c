"""DJI's telemetry by rule: dialects that are in no folder, what is assumed said so, and no bytes that break it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.errors import CorruptMedia, ExhibitError, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Flag, Quantity, Telemetry, Zone
from media.telemetry import dji
from tests.dji_dialects import DIALECTS, Dialect, subtitles

Q = Quantity


def read(text: str) -> Telemetry:
    return dji.read(text.encode())


def cued(*bodies: str, step_s: int = 1) -> str:
    return "".join(
        f"{k}\n00:00:{(k - 1) * step_s:02d},000 --> 00:00:{k * step_s:02d},000\n{body}\n\n"
        for k, body in enumerate(bodies, 1)
    )


def at(latitude: float, longitude: float) -> str:
    return f"[latitude: {latitude:.6f}] [longitude: {longitude:.6f}]"


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_read_as_it_means_it(name: str) -> None:
    dialect = DIALECTS[name]
    found = read(subtitles(dialect))
    assert len(found) == 3
    assert found.placed.all()
    assert list(found.elapsed_us) == [0, 33_000, 67_000]
    assert found.zone is Zone.LOCAL
    for quantity, value in dialect.means.items():
        assert found.column(quantity) == pytest.approx([value] * 3, abs=1e-6), quantity
    if dialect.clock:
        moment = datetime.fromisoformat(dialect.clock).replace(tzinfo=UTC)
        assert found.clock_us[0] == round(moment.timestamp() * 1e6)
    else:
        assert (found.clock_us == NO_TIME).all()


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_read_the_same_without_times_numbers_or_blank_lines(name: str) -> None:
    lines = subtitles(DIALECTS[name]).split("\n")
    whole = read("\n".join(lines))
    for text in ("\r\n".join(lines), "\ufeff" + "\n".join(lines)):
        again = dji.read(text.encode())
        assert {q: list(v) for q, v in again.columns.items()} == {q: list(v) for q, v in whole.columns.items()}
    without_times = read("\n".join(line for line in lines if "-->" not in line and line.strip() != "0"))
    assert without_times.column(Q.LATITUDE) == pytest.approx(whole.column(Q.LATITUDE))


@pytest.mark.parametrize(
    ("written", "clock", "zone"),
    [
        ("2024-05-26 02:13:14 PM", "2024-05-26T14:13:14", Zone.LOCAL),
        ("2024-05-26 12:13:14 a.m.", "2024-05-26T00:13:14", Zone.LOCAL),
        ("5.6.2025 05:06:07.008", "2025-06-05T05:06:07.008", Zone.LOCAL),
        ("05/26/2024 14:13:14", "2024-05-26T14:13:14", Zone.LOCAL),
        ("26/05/2024, 14:13:14", "2024-05-26T14:13:14", Zone.LOCAL),
        ("2023-07-08T09:10:11.123456Z", "2023-07-08T09:10:11.123456", Zone.UTC),
        ("2024-05-26 14:13:14 GMT+1", "2024-05-26T13:13:14", Zone.UTC),
        ("2024-05-26 14:13:14 UTC+01:00", "2024-05-26T13:13:14", Zone.UTC),
        ("2024-05-26 14:13:14 +0100", "2024-05-26T13:13:14", Zone.UTC),
        ("2024-05-26 14:13:14 UTC", "2024-05-26T14:13:14", Zone.UTC),
        ("[timestamp: 1716732794123]", "2024-05-26T14:13:14.123", Zone.UTC),
        ("2024:05:26 14:13:14", "2024-05-26T14:13:14", Zone.LOCAL),
        ("20240526_141314", "2024-05-26T14:13:14", Zone.LOCAL),
        ("[date:2024-05-26][time:14:13:14]", "2024-05-26T14:13:14", Zone.LOCAL),
        ("Date: 2024-05-26, Time: 14:13:14", "2024-05-26T14:13:14", Zone.LOCAL),
        ("05/06/2024 14:13:14", "", Zone.LOCAL),
        ("2024-05-26 13:13:14 PM", "", Zone.LOCAL),
        ("[timestamp: 33]", "", Zone.LOCAL),
    ],
)
def test_a_date_is_read_in_any_usual_spelling_or_not_at_all(written: str, clock: str, zone: Zone) -> None:
    found = read(cued(f"{written} {at(51.500701, -0.124601)} [rel_alt: 3.0]"))
    expected = round(datetime.fromisoformat(clock).replace(tzinfo=UTC).timestamp() * 1e6) if clock else NO_TIME
    assert (found.clock_us[0], found.zone) == (expected, zone)
    assert found.column(Q.LATITUDE) == pytest.approx([51.500701])
    assert found.column(Q.HEIGHT_TAKEOFF) == pytest.approx([3.0])


def test_a_lens_without_its_equivalent_gives_no_field_of_view() -> None:
    """6.7 mm is a lens on a small sensor; as of a 35 mm camera it would see 140 degrees."""
    assert Q.FOCAL_LENGTH_35 not in read(cued(at(51.5, -0.12) + " [focal_len: 6.7]")).columns


# --- the order of two numbers ---------------------------------------------------------------------------------------


def gps(*rows: str, tail: str = "") -> Telemetry:
    return read(cued(*(f"{row}{tail}" for row in rows)))


@pytest.mark.parametrize(
    ("row", "latitude", "certainty"),
    [
        ("GPS(149.0251,-20.2533,16) BAROMETER:1.9", -20.2533, None),
        ("GPS(-20.2533,149.0251,0.0M) BAROMETER:1.9M", -20.2533, None),
        ("GPS(174.0177,-41.3899,0.0M) BAROMETER:1.9M", -41.3899, None),
        ("GPS(-0.1246,51.5007,16) BAROMETER:1.9", 51.5007, None),
        ("GPS(51.5007,-0.1246,0.0M) BAROMETER:1.9M", 51.5007, None),
        ("GPS(51.5007,-0.1246,16) BAROMETER:1.9", 51.5007, Certainty.ESTIMATED),
        ("GPS (51.5007, -0.1246, 16), D 5.20m, H 1.50m", 51.5007, Certainty.ESTIMATED),
        ("[GPS: 51.5007, -0.1246, 100]", 51.5007, Certainty.ESTIMATED),
        ("GPS(28.6139,77.2090,120.55)", 28.6139, Certainty.ESTIMATED),
        ("GPS(-0.1246,51.5007,87.55)", 51.5007, Certainty.ESTIMATED),
        ("GPS(51.5007,-0.1246,87.55)", 51.5007, Certainty.ESTIMATED),
    ],
)
def test_the_order_in_gps_follows_the_evidence_and_then_the_form(
    row: str, latitude: float, certainty: Certainty | None
) -> None:
    found = gps(row)
    assert found.column(Q.LATITUDE) == pytest.approx([latitude])
    assert found.certainty.get(Q.LATITUDE) is certainty
    assert any(words.startswith("GPS() is read as") for words in found.warnings)


def test_an_order_that_nothing_shows_is_said_to_be_an_assumption() -> None:
    assert any("an assumption" in words for words in gps("GPS(8.2090,47.4692,18) BAROMETER:4.0").warnings)
    assert not any("an assumption" in words for words in gps("GPS(108.2090,47.4692,18) BAROMETER:4.0").warnings)


def test_the_stated_distance_to_home_shows_the_order() -> None:
    """Latitude first against the form's habit: 500 m east of home at 60° north is 0.009° of longitude, not of latitude."""
    found = gps("GPS (60.0000, 10.0090, 16), HOME (60.0000, 10.0000, 7.60m), D 502.00m, H 17.39m")
    assert found.column(Q.LATITUDE) == pytest.approx([60.0])
    assert any("distance to HOME" in words for words in found.warnings)
    found = gps("GPS (10.0090, 60.0000, 16), HOME (10.0000, 60.0000, 7.60m), D 502.00m, H 17.39m")
    assert found.column(Q.LATITUDE) == pytest.approx([60.0])


def test_the_stated_speed_shows_the_order() -> None:
    east = [f"GPS (60.000000, {10 + k * 0.000359:.6f}, 16), D n/a, H 17.39m, H.S 20.00m/s, V.S 0.00m/s" for k in range(30)]
    found = gps(*east)
    assert found.column(Q.LATITUDE) == pytest.approx([60.0] * 30)
    assert any("speed that is stated" in words for words in found.warnings)


def test_the_third_number_is_satellites_or_a_height_and_which_is_said() -> None:
    counted = gps("GPS(149.0,-20.0,16)", "GPS(149.0,-20.0,12)")
    assert not np.isfinite(counted.column(Q.HEIGHT_SEA)).any()
    assert any("number of satellites" in words for words in counted.warnings)
    high = gps("GPS(149.0,-20.0,350)", "GPS(149.0,-20.0,351)")
    assert list(high.column(Q.HEIGHT_SEA)) == [350, 351]
    assert high.certainty[Q.HEIGHT_SEA] is Certainty.ESTIMATED


def test_a_receiver_without_satellites_has_no_fix() -> None:
    found = gps("GPS(149.0251,-20.2533,0)", "GPS(149.0252,-20.2533,9)", "GPS(N/A,N/A,3)")
    assert list(found.placed) == [False, True, False]
    assert found.flags[0] & Flag.NO_FIX


# --- units, signs and zero points -----------------------------------------------------------------------------------


def test_no_fix_is_never_a_place() -> None:
    found = read(cued(at(0, 0), at(91.5, 200), at(51.5, -0.12), "[latitude: nan] [longitude: inf] [rel_alt: 3.0]"))
    assert list(found.placed) == [False, False, True, False]
    assert not read(cued("[latitude: 1.#QNAN0] [longitude: -1.#IND00] [rel_alt: 3.0]")).placed.any()
    assert np.isnan(found.column(Q.LATITUDE)[:2]).all()


def test_radians_are_known_by_their_smallness_and_marked() -> None:
    found = read(cued("[latitude: 0.608553] [longtitude: -1.963763] [altitude: 1429.697998]"))
    assert found.column(Q.LATITUDE) == pytest.approx([34.867518], abs=1e-5)
    assert found.column(Q.LONGITUDE) == pytest.approx([-112.515332], abs=1e-5)
    assert found.certainty[Q.LATITUDE] is Certainty.ESTIMATED
    assert any("radians" in words for words in found.warnings)
    kenya = read(cued("[latitude: 0.410171] [longitude: 36.863118] [altitude: 35.400000]"))
    assert kenya.column(Q.LATITUDE) == pytest.approx([0.410171])


def test_relative_and_absolute_height_are_two_things() -> None:
    both = read(cued(at(51.5, -0.12) + " [rel_alt: 5.300 abs_alt: 23.057]"))
    assert (both.column(Q.HEIGHT_TAKEOFF)[0], both.column(Q.HEIGHT_SEA)[0]) == (5.3, 23.057)
    assert not both.certainty
    plain = read(cued(at(51.5, -0.12) + " [altitude: 213.983002]"))
    assert plain.certainty[Q.HEIGHT_SEA] is Certainty.ESTIMATED
    assert any("which the file doesn't say" in words for words in plain.warnings)


def test_the_sign_of_vertical_speed_is_taken_from_the_heights() -> None:
    """One firmware counts upwards, another downwards: the file shows which."""
    for sign in (1, -1):
        rows = [
            f"GPS (-0.1246, 51.5007, 16), D 1.0m, H {10 + 2 * k:.2f}m, H.S 0.00m/s, V.S {sign * 2:.2f}m/s" for k in range(8)
        ]
        assert list(gps(*rows).column(Q.CLIMB)) == [2.0] * 8
    unknown = gps("GPS (-0.1246, 51.5007, 16), D 1.0m, H 10.00m, H.S 0.00m/s, V.S 2.00m/s")
    assert unknown.certainty[Q.CLIMB] is Certainty.ESTIMATED


def test_angles_that_are_all_zero_were_not_written() -> None:
    rows = [at(51.5, -0.12) + " [gb_yaw: 0.0 gb_pitch: 0.0 gb_roll: 0.0]"] * 3
    found = read(cued(*rows))
    assert Q.CAMERA_PITCH not in found.columns
    assert any("taken as not given" in words for words in found.warnings)
    assert Q.CAMERA_PITCH in read(cued(*rows[:2], at(51.5, -0.12) + " [gb_yaw: 0.0 gb_pitch: -1.0 gb_roll: 0.0]")).columns


@pytest.mark.parametrize(
    ("written", "whose"),
    [
        ("GIMBAL(P:-45.0,R:0.0,Y:12.0)", "camera"),
        ("Gimbal (Pitch: -45.0, Roll: 0.0, Yaw: 12.0)", "camera"),
        ("[Gimbal: P -45.0 R 0.0 Y 12.0]", "camera"),
        ("FLIGHT(Y=12.0;P=-45.0;R=0.0)", "platform"),
        ("Af Rect(P:-45.0,R:0.0,Y:12.0)", ""),
    ],
)
def test_angles_in_brackets_are_those_of_whom_they_name(written: str, whose: str) -> None:
    cue = f"1\n00:00:00,000 --> 00:00:01,000\n[latitude: 51.500701] [longitude: -0.124601] {written}\n\n"
    columns = dji.read(cue.encode()).columns
    angles = {
        name.value: float(values[0]) for name, values in columns.items() if name.value.endswith(("yaw_deg", "pitch_deg"))
    }
    assert angles == ({f"{whose}_yaw_deg": 12.0, f"{whose}_pitch_deg": -45.0} if whose else {})


def test_coarse_coordinates_say_how_coarse_they_are() -> None:
    coarse = gps("GPS(149.0251,-20.2533,16)")
    assert coarse.column(Q.ACCURACY_HORIZONTAL)[0] == pytest.approx(5.13, abs=0.01)
    assert coarse.certainty[Q.ACCURACY_HORIZONTAL] is Certainty.ESTIMATED
    assert Q.ACCURACY_HORIZONTAL not in read(cued(at(51.5, -0.12))).columns


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_clock_without_zone_stays_as_it_came_and_one_with_zone_is_utc() -> None:
    summer = "2024-06-14 20:15:47.042"
    local = read(cued(f"{summer}\n{at(51.5, -0.12)}"))
    assert (local.zone, local.clock_us[0]) == (Zone.LOCAL, 1_718_396_147_042_000)
    zoned = read(cued(f"{summer}+01:00\n{at(51.5, -0.12)}"))
    assert (zoned.zone, zoned.clock_us[0]) == (Zone.UTC, 1_718_392_547_042_000)
    assert read(cued(f"2024-13-45 99:15:47\n{at(51.5, -0.12)}")).clock_us[0] == NO_TIME


def test_without_cue_times_elapsed_time_is_the_clock_then_the_steps_then_an_assumption() -> None:
    clocks = "".join(f"{k}\n2017.08.05 14:11:{50 + k}\n{at(51.5, -0.12)}\n\n" for k in range(1, 4))
    assert list(read(clocks).elapsed_us) == [0, 1_000_000, 2_000_000]
    steps = "".join(f"{k}\nFrameCnt : {k}, DiffTime : 40ms\n{at(51.5, -0.12)}\n\n" for k in range(1, 4))
    assert list(read(steps).elapsed_us) == [0, 40_000, 80_000]
    frozen = "".join(
        f"{k}\n00:00:00,000 --> 00:00:00,033\n2017.08.05 14:11:{50 + k}\n{at(51.5, -0.12)}\n\n" for k in range(4)
    )
    assert list(read(frozen).elapsed_us) == [0, 1_000_000, 2_000_000, 3_000_000]
    bare = read("".join(f"{k}\n{at(51.5, -0.12)}\n\n" for k in range(1, 4)))
    assert list(bare.elapsed_us) == [0, 1_000_000, 2_000_000]
    assert any("an assumption" in words for words in bare.warnings)


def test_cues_out_of_turn_are_put_in_order_and_lost_times_between_their_neighbours() -> None:
    text = cued(at(51.1, 0.5), at(51.2, 0.5), at(51.3, 0.5)).split("\n\n")
    swapped = read("\n\n".join([text[1], text[0], text[2], ""]))
    assert list(swapped.column(Q.LATITUDE)) == [51.1, 51.2, 51.3]
    assert any("order of their times" in words for words in swapped.warnings)
    lost = read("\n".join(line for line in "\n\n".join(text).split("\n") if not line.startswith("00:00:01")))
    assert list(lost.elapsed_us) == [0, 1_000_000, 2_000_000]


# --- what is no telemetry, broken or hostile ------------------------------------------------------------------------


def test_subtitles_for_people_and_files_with_nothing_in_them_are_refused_in_words() -> None:
    with pytest.raises(UnsupportedMedia, match="subtitles for people: none of the 2"):
        read(cued("Turn left at latitude 51 (D 3).", "The speed 50 sign, height 3 metres, F 2.8, Hb: 12"))
    with pytest.raises(CorruptMedia, match="empty"):
        dji.read(b"")
    with pytest.raises(CorruptMedia, match="before its first subtitle"):
        dji.read(b"1\n")


def test_a_number_that_a_cut_file_ends_in_is_not_taken() -> None:
    whole = cued(at(51.512345, -0.123456), at(51.512345, -0.123456)).rstrip("\n")
    for end in range(len(whole) - 30, len(whole) + 1):
        found = read(whole[:end])
        for quantity, value in ((Q.LATITUDE, 51.512345), (Q.LONGITUDE, -0.123456)):
            given = found.column(quantity)[found.placed]
            assert given == pytest.approx([value] * len(given))


def test_what_can_be_read_around_damage_is_read() -> None:
    cues = cued(*[at(51.5, -0.12)] * 5).split("\n\n")
    cues[1] = cues[1][:40]
    cues[3] = "\x9f\x80 garbage \ufffd [lat"
    found = read("\n\n".join(cues))
    assert found.placed.sum() >= 3


@settings(max_examples=200)
@given(st.binary(max_size=500))
def test_any_bytes_are_read_or_refused_in_words(data: bytes) -> None:
    read_or_refused(data)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(DIALECTS)),
    st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 20), st.binary(max_size=8)), max_size=6),
    st.integers(0, 3000),
)
def test_a_real_dialect_damaged_anywhere_never_breaks(name: str, damage: list[tuple[int, int, bytes]], end: int) -> None:
    data = bytearray(subtitles(DIALECTS[name]).encode())
    for start, length, instead in damage:
        data[start : start + length] = instead
    read_or_refused(bytes(data[: max(1, end)]))


@given(st.lists(st.text(alphabet="GPSHOMElatiude_[]{}(),.:-+ 0159°mNSEW\n<>\"'é", max_size=80), min_size=1, max_size=4))
def test_words_of_the_dialects_in_any_order_never_break(bodies: list[str]) -> None:
    read_or_refused(cued(*bodies).encode())


def read_or_refused(data: bytes) -> None:
    try:
        found = dji.read(data)
    except ExhibitError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert str(refused)
        assert refused.hint
        return
    placed = found.placed
    assert (np.abs(found.column(Q.LATITUDE)[placed]) <= 90).all()
    assert (np.abs(found.column(Q.LONGITUDE)[placed]) <= 180).all()
    assert all(a <= b for a, b in pairwise(found.elapsed_us.tolist()))


@given(st.floats(-89, 89), st.floats(-179, 179), st.floats(-400, 9000), st.integers(0, 6))
def test_what_is_written_is_read_back(latitude: float, longitude: float, height: float, decimals: int) -> None:
    if max(abs(latitude), abs(longitude)) < 4:
        return  # too near (0, 0): no fix, or radians
    body = f"[latitude: {latitude:.{decimals}f}] [longitude: {longitude:.{decimals}f}] [rel_alt: {height:.3f}]"
    found = read(cued(body))
    assert found.column(Q.HEIGHT_TAKEOFF)[0] == pytest.approx(height, abs=5.1e-4)
    if found.placed[0]:
        assert found.column(Q.LATITUDE)[0] == pytest.approx(latitude, abs=0.51 * 10.0**-decimals)
        assert found.column(Q.LONGITUDE)[0] == pytest.approx(longitude, abs=0.51 * 10.0**-decimals)


def test_a_hostile_line_takes_no_time() -> None:
    for body in (
        "[" * 60_000,
        "GPS(" * 15_000,
        "a" * 60_000,
        "<" * 60_000,
        "1" * 60_000,
        "lat: " * 12_000,
        "(" * 60_000,
        "GPS(1,1" + "1," * 30_000,
    ):
        read_or_refused(subtitles(Dialect(body), 2).encode())

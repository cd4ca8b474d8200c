"""MISB ST 0601: known truth in, the same truth out, and what a real recording says."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Geod

from evidence.errors import ExhibitError, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Flag, Quantity, Target, Telemetry, Zone
from media import frames, probe
from media.telemetry import misb, misb_tags
from tests import klv_making as making

Q = Quantity
DATA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "telemetry"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the telemetry is not there: set EXHIBIT_TEST_DATA")
START_US = 1_750_000_000_000_000
PLAIN: dict[int, making.Value] = {
    5: 271.5, 6: -3.25, 7: 12.5, 10: "Heron", 11: "EO nose", 13: 52.4862, 14: -1.8904, 15: 431.5, 16: 23.5, 17: 13.5,
    18: 33.0, 19: -41.0, 20: 359.0, 21: 812.0, 23: 52.49, 24: -1.88, 25: 121.0, 51: -2.5, 56: 31, 65: 13, 75: 480.0,
    26: 0.001, 27: -0.002, 28: 0.001, 29: 0.002, 30: -0.001, 31: 0.002, 32: -0.001, 33: -0.002, 112: 281.0, 113: 312.0,
}  # fmt: skip
STRAIGHT = {
    13: Q.LATITUDE, 14: Q.LONGITUDE, 15: Q.HEIGHT_SEA, 75: Q.HEIGHT_ELLIPSOID, 113: Q.HEIGHT_GROUND, 5: Q.PLATFORM_YAW,
    6: Q.PLATFORM_PITCH, 7: Q.PLATFORM_ROLL, 16: Q.HORIZONTAL_VIEW, 17: Q.VERTICAL_VIEW, 21: Q.SLANT_RANGE,
    23: Q.CENTRE_LATITUDE, 24: Q.CENTRE_LONGITUDE, 25: Q.CENTRE_HEIGHT_SEA, 51: Q.CLIMB, 112: Q.COURSE,
}  # fmt: skip


def of(*moments: dict[int, making.Value]) -> Telemetry:
    return misb.read_bytes(b"".join(making.local_set(v, START_US + 40_000 * i) for i, v in enumerate(moments)))


def near(telemetry: Telemetry, quantity: Quantity, value: float, within: float) -> None:
    assert abs(telemetry.column(quantity)[0] - value) <= within, quantity


def test_every_value_comes_out_as_it_went_in_to_its_last_step() -> None:
    found = of(PLAIN, PLAIN)
    assert (found.family, found.dialect, found.zone) == (Family.MISB, "ST 0601.13", Zone.UTC)
    assert found.device == "Heron, EO nose"
    assert found.elapsed_us.tolist() == [0, 40_000]
    assert found.clock_us.tolist() == [START_US, START_US + 40_000]
    for tag, quantity in STRAIGHT.items():
        value = PLAIN[tag]
        assert isinstance(value, float)
        near(found, quantity, value, making.step_of(tag))
    near(found, Q.SPEED, 31, 0)
    near(found, Q.CORNER_1_LATITUDE, 52.491, 2e-6)
    near(found, Q.CORNER_4_LONGITUDE, -1.882, 2e-6)
    assert found.warnings == ()
    assert found.placed.all()


@given(st.floats(-89.9, 89.9), st.floats(-180, 180), st.floats(0, 359), st.floats(-19, 19), st.floats(-900, 19_000))
def test_any_place_and_attitude_comes_back(latitude: float, longitude: float, yaw: float, pitch: float, sea: float) -> None:
    said = {13: latitude, 14: longitude, 5: yaw, 6: pitch, 15: sea}
    found = of({**PLAIN, **said})
    for tag, value in said.items():
        if tag not in (13, 14) or found.placed.all():
            near(found, STRAIGHT[tag], value, making.step_of(tag))


def test_full_corners_attitudes_and_heights_come_before_the_short_ones() -> None:
    full: dict[int, making.Value] = {82: 52.5, 83: -1.9, 90: -27.5, 91: 66.0, 104: 25_000.0}
    found = of({**PLAIN, **full})
    near(found, Q.CORNER_1_LATITUDE, 52.5, 1e-7)
    near(found, Q.CORNER_1_LONGITUDE, -1.9, 1e-7)
    near(found, Q.CORNER_2_LATITUDE, 52.491, 2e-6)
    near(found, Q.PLATFORM_PITCH, -27.5, 1e-6)
    near(found, Q.PLATFORM_ROLL, 66.0, 1e-6)
    near(found, Q.HEIGHT_ELLIPSOID, 25_000.0, 0.01)


EXAMPLES = {
    5: ("71c2", 159.974365), 6: ("fd3d", -0.431531724), 7: ("08b8", 3.40586566), 13: ("5595b66d", 60.1768229669783),
    14: ("5b5360c4", 128.426759042045), 15: ("c221", 14190.7195), 16: ("cd9c", 144.571298), 17: ("d917", 152.643626),
    18: ("724a0a20", 160.719211474396), 19: ("87f84b86", -168.792324833941), 20: ("7dc55ece", 176.865437690572),
    21: ("03830926", 68590.983298744), 22: ("1281", 722.819867), 23: ("f101a229", -10.5423886331461),
    24: ("14bc082b", 29.1578901229230), 25: ("34f3", 3216.03723), 51: ("d3fe", -61.8878750), 75: ("c221", 14190.7195),
    96: ("00d92a", 13898.5), 104: ("2f921e", 23456.234), 112: ("1f40", 125.0), 113: ("05f5", 2150.0),
}  # fmt: skip


@pytest.mark.parametrize("tag", EXAMPLES)
def test_the_standards_own_examples_are_met(tag: int) -> None:
    """Source: MISB ST 0601, the example under each tag."""
    value, expected = EXAMPLES[tag]
    found = misb_tags.SCALES[tag].number(bytes.fromhex(value))
    assert (
        found == pytest.approx(expected, rel=2e-8, abs=1e-7) if tag not in (96, 104) else abs((found or 0) - expected) < 0.1
    )


def test_the_standards_examples_of_target_offsets_are_met() -> None:
    """Source: MISB ST 0903, tags 10 and 11 of a VTarget pack."""
    assert misb_tags.OFFSET_SCALE.number(bytes.fromhex("3a6667")) == pytest.approx(10.0, abs=1e-5)
    assert misb_tags.OFFSET_SCALE.number(bytes.fromhex("3e6667")) == pytest.approx(12.0, abs=1e-5)


def test_special_values_of_a_mapped_range_are_nothing_known() -> None:
    """Source: MISB ST 1201: the highest bit with others behind it is infinity, NaN or reserved."""
    scale = misb_tags.Imapb(0, 360)
    assert all(np.isnan(scale.number(bytes.fromhex(v)) or 0) for v in ("d000", "e800", "c800", "ffff"))
    assert scale.number(b"") is None


def test_an_error_indicator_is_nothing_known() -> None:
    unknown = dict.fromkeys((13, 14, 23, 24, 26, 6), making.OUT_OF_RANGE)
    found = of(PLAIN, {**PLAIN, **unknown})
    assert np.isnan(found.column(Q.LATITUDE)).tolist() == [False, True]
    assert np.isnan(found.column(Q.CORNER_1_LATITUDE)).tolist() == [False, True]
    assert found.flags.tolist() == [0, int(Flag.NO_FIX)]
    assert "1 of 2 fixes have no place" in found.warnings
    assert "1 sets give no pitch or roll of the platform: taken as level" in found.warnings
    assert found.certainty[Q.CAMERA_PITCH] is Certainty.ESTIMATED


def test_what_is_missing_is_told_from_the_rest_and_called_derived() -> None:
    less = {tag: value for tag, value in PLAIN.items() if tag not in (16, 25, 56, 112)}
    found = of({**less, 22: 500.0, 78: 170.0, 79: 30.0, 80: -40.0})
    near(found, Q.HORIZONTAL_VIEW, 2 * np.degrees(np.arctan(250 / 812)), 0.02)
    near(found, Q.CENTRE_HEIGHT_SEA, 170 - (480 - 431.5), 1)
    near(found, Q.SPEED, 50, 0.02)
    near(found, Q.COURSE, np.degrees(np.arctan2(-40, 30)) % 360, 0.02)
    derived = {Q.HORIZONTAL_VIEW, Q.CENTRE_HEIGHT_SEA, Q.SPEED, Q.COURSE, Q.CAMERA_YAW, Q.CAMERA_PITCH, Q.CAMERA_ROLL}
    assert {q for q, c in found.certainty.items() if c is Certainty.DERIVED} == derived


def test_the_camera_looks_where_attitude_and_sensor_angles_lead() -> None:
    level: dict[int, making.Value] = {**PLAIN, 5: 90.0, 6: 0.0, 7: 0.0, 18: 30.0, 19: -90.0, 20: 0.0}
    found = of(level)
    near(found, Q.CAMERA_PITCH, -90, 1e-3)
    banked: dict[int, making.Value] = {**PLAIN, 5: 0.0, 6: 0.0, 7: 30.0, 18: 90.0, 19: 0.0, 20: 0.0}
    found = of(banked)
    near(found, Q.CAMERA_YAW, 90, 0.01)
    near(found, Q.CAMERA_PITCH, -30, 0.01)
    near(found, Q.CAMERA_ROLL, 0, 0.01)


def test_a_camera_held_on_a_point_from_a_banked_aircraft_keeps_it() -> None:
    found = of(*making.orbit(200, 5))
    geod = Geod(ellps="WGS84")
    where = (found.column(q) for q in (Q.LONGITUDE, Q.LATITUDE, Q.CENTRE_LONGITUDE, Q.CENTRE_LATITUDE))
    bearing = np.array(geod.inv(*where)[0])
    assert np.abs((found.column(Q.CAMERA_YAW) - bearing + 180) % 360 - 180).max() < 0.01
    assert np.abs(found.column(Q.CAMERA_PITCH) + np.degrees(np.arctan2(120, 200))).max() < 0.01
    assert np.abs(found.column(Q.CAMERA_ROLL)).max() < 0.01


def test_targets_carry_their_box_and_place() -> None:
    aims = [
        making.Aim(5, (100, 50), (139, 89), offset_deg=(0.001, -0.002)),
        making.Aim(300, location_deg=(52.5, -1.75)),
        making.Aim(6, (10, 10), (9, 9)),
    ]
    found = of(PLAIN, {**PLAIN, 74: making.vmti(aims)})
    first, second, third = found.targets
    assert (first.elapsed_us, first.id, first.box_xyxy) == (40_000, 5, (100.0, 50.0, 140.0, 90.0))
    assert first.latitude_deg == pytest.approx(52.491, abs=1e-5)
    assert first.longitude_deg == pytest.approx(-1.882, abs=1e-5)
    assert (second.id, second.box_xyxy) == (300, None)
    assert second.latitude_deg == pytest.approx(52.5, abs=1e-6)
    assert second.longitude_deg == pytest.approx(-1.75, abs=1e-6)
    assert third == Target(40_000, 6, None, None, None)


def test_damage_and_the_unknown_are_counted_in_words() -> None:
    good = making.local_set(PLAIN, START_US)
    bad = bytearray(making.local_set(PLAIN, START_US + 1))
    bad[60] ^= 0xFF
    odd = making.local_set({**PLAIN, 13: b"\x01\x02", 48: b"secret", 200: b"?", 74: b"\x65\x20"}, START_US + 2)
    found = misb.read_bytes(good + bytes(bad) + odd + good[:30])
    assert len(found) == 2
    assert set(found.warnings) >= {
        "1 sets with a wrong checksum were left out",
        "1 sets are damaged or cut short",
        "of an unexpected length, left out: tag 13 × 1",
        "not used: security set (tag 48) × 1",
        "unknown: tag 200 × 1",
        "1 sets of targets are damaged",
    }


def test_a_time_that_is_none_is_no_time() -> None:
    found = misb.read_bytes(making.local_set(PLAIN, 2**64 - 1) + making.local_set(PLAIN))
    assert found.clock_us.tolist() == [NO_TIME, NO_TIME]
    assert found.elapsed_us.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"\xdb", "37 leap seconds were taken off its time, as it says"),
        (
            b"\x25",
            "37 leap seconds were taken off its time, though the standard would add a positive number: an assumption",
        ),
    ],
)
def test_leap_seconds_that_are_counted_in_are_taken_off(value: bytes, said: str) -> None:
    found = of(PLAIN, {**PLAIN, 136: value}, PLAIN)
    assert found.clock_us[0] == START_US - 37_000_000
    assert said in found.warnings
    assert not (found.flags & int(Flag.CLOCK_STEP)).any()


def test_a_correction_of_the_time_is_added_until_another_is_said() -> None:
    later, back = (500_000).to_bytes(4, "big"), (-2_000_000).to_bytes(8, "big", signed=True)
    found = of(PLAIN, {**PLAIN, 137: later}, PLAIN, {**PLAIN, 137: back})
    plain = of(PLAIN, PLAIN, PLAIN, PLAIN)
    assert (found.clock_us - plain.clock_us).tolist() == [0, 500_000, 500_000, -2_000_000]
    assert any("corrected after the flight" in words and "+0.500000 s in 2 sets" in words for words in found.warnings)


def test_sets_in_a_transport_stream_lie_on_their_frames(tmp_path: Path) -> None:
    found = misb.read(making.clip(tmp_path / "orbit.ts", making.orbit(40, 25), fps=25))
    assert found.elapsed_us.tolist() == [i * 40_000 for i in range(40)]
    assert found.frame_synchronous
    assert found.warnings == ()


WITH_KEY = b"\x06\xe1\x01\xf0\x06\x05\x04KLVA"


@pytest.mark.parametrize("announced", [b"\x06\xe1\x01\xf0\x06\x05\x04XXXX", b"\x85\xe1\x01\xf0\x06\x05\x04XXXX", WITH_KEY])
def test_sets_are_found_however_the_stream_is_announced(tmp_path: Path, announced: bytes) -> None:
    clip = making.clip(tmp_path / "orbit.ts", making.orbit(10))
    clip.write_bytes(making.with_program_map(clip.read_bytes(), {WITH_KEY: announced}))
    assert len(misb.read(clip)) == 10


def test_sets_in_access_units_are_found(tmp_path: Path) -> None:
    """Synchronous carriage (ISO/IEC 13818-1, 2.12.4): five bytes before each set, here two sets to a packet."""
    sets = [making.local_set(v, START_US + i) for i, v in enumerate(making.orbit(20))]
    units = [b"\x00\x01\xdf" + len(s).to_bytes(2, "big") + s for s in sets]
    clip = making.clip(tmp_path / "units.ts", [], bare=[a + b for a, b in zip(units[::2], units[1::2], strict=True)])
    clip.write_bytes(making.with_program_map(clip.read_bytes(), {WITH_KEY: b"\x15" + WITH_KEY[1:]}))
    assert len(misb.read(clip)) == 20


def test_sets_without_times_are_laid_beside_the_frames_they_came_with(tmp_path: Path) -> None:
    clip = making.clip(tmp_path / "beside.ts", making.orbit(60))
    clip.write_bytes(making.without_times(clip.read_bytes()))
    found = misb.read(clip)
    assert len(found) == 60
    assert not found.frame_synchronous
    assert "the metadata has no times of its own: placed by where it stands among the frames" in found.warnings
    assert np.abs(np.diff(found.elapsed_us) - 33_333).max() <= 1, "their own clock keeps their distances"
    assert abs(int(found.elapsed_us[0])) < 1_500_000


def test_a_set_over_two_packets_is_one(tmp_path: Path) -> None:
    whole = making.local_set({**PLAIN, 10: "x" * 100}, START_US)
    found = misb.read(making.clip(tmp_path / "split.ts", [], bare=[whole[:90], whole[90:], whole, b"\xff"]))
    assert found.elapsed_us.tolist() == [0, 66_667]


@pytest.mark.parametrize("start", [100, 188 * 40 + 50])
def test_a_recording_that_begins_within_a_packet_is_still_a_recording(tmp_path: Path, start: int) -> None:
    clip = making.clip(tmp_path / "late.ts", making.orbit(60))
    clip.write_bytes(clip.read_bytes()[start:])
    found = misb.read(clip)
    assert len(found) > 20
    assert found.frame_synchronous


def test_one_packet_of_a_stream_that_nobody_announced_stops_nothing(tmp_path: Path) -> None:
    """One damaged byte; the same file is probed and decoded as well."""
    clip = making.clip(tmp_path / "stray.ts", making.orbit(60))
    clip.write_bytes(making.with_a_stray_packet(clip.read_bytes()))
    assert len(misb.read(clip)) == 59
    assert probe.probe(clip).video is not None
    with frames.read_frames(clip, 0) as decoded:
        assert sum(1 for _ in decoded) == 60


def test_a_cut_recording_gives_what_is_whole(tmp_path: Path) -> None:
    clip = making.clip(tmp_path / "cut.ts", making.orbit(60))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    assert 10 < len(misb.read(clip)) < 60


def test_bare_sets_in_a_file_and_what_has_none(tmp_path: Path) -> None:
    (tmp_path / "sets.klv").write_bytes(b"\0\0" + making.local_set(PLAIN, START_US) * 2)
    assert len(misb.read(tmp_path / "sets.klv")) == 2
    (tmp_path / "none.bin").write_bytes(making.KEY + bytes(60))
    with pytest.raises(UnsupportedMedia, match="no MISB set"):
        misb.read(tmp_path / "none.bin")
    with pytest.raises(UnsupportedMedia):
        misb.read_bytes(b"")


@real
def test_the_real_recording_agrees_with_itself() -> None:
    """110 sets over Huntsville, Alabama: where the camera looks, made from five angles, meets the frame centre it names."""
    found = misb.read(DATA / "misb_osh_dev_first40pct.ts")
    assert (len(found), found.dialect, found.frame_synchronous) == (110, "ST 0601.4", True)
    assert (found.elapsed_us[0], found.elapsed_us[-1]) == (0, 3_633_333)
    assert found.clock_us[0] == 1_340_980_354_100_000, "2012-06-29 14:32:34.1 UTC"
    near(found, Q.LATITUDE, 34.721153, 1e-6)
    near(found, Q.LONGITUDE, -86.689130, 1e-6)
    near(found, Q.HEIGHT_SEA, 3047.8, 0.1)
    near(found, Q.SLANT_RANGE, 3657.4, 0.1)
    where = [found.column(q) for q in (Q.LONGITUDE, Q.LATITUDE, Q.CENTRE_LONGITUDE, Q.CENTRE_LATITUDE)]
    bearing, _, way_m = Geod(ellps="WGS84").inv(*where)
    fall = -np.degrees(np.arctan2(found.column(Q.HEIGHT_SEA) - found.column(Q.CENTRE_HEIGHT_SEA), way_m))
    assert np.abs((found.column(Q.CAMERA_YAW) - bearing + 180) % 360 - 180).max() < 0.01
    assert np.abs(found.column(Q.CAMERA_PITCH) - fall).max() < 0.01


@real
def test_the_real_packet_with_a_wrong_checksum_is_refused_in_words() -> None:
    with pytest.raises(UnsupportedMedia, match="1 sets with a wrong checksum"):
        misb.read(DATA / "misb_DynamicConstantMISMMSPacketData.bin")


pieces = st.binary(max_size=60) | st.sampled_from(
    [making.KEY, making.local_set(PLAIN, START_US), making.local_set({74: making.vmti([making.Aim(1, (0, 0), (9, 9))])})]
)


@given(st.lists(pieces, max_size=8), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6))
def test_any_bytes_give_fixes_or_a_refusal(parts: list[bytes], spoilt: list[tuple[int, int]]) -> None:
    data = bytearray(b"".join(parts))
    for place, byte in spoilt:
        if place < len(data):
            data[place] = byte
    with contextlib.suppress(ExhibitError):
        assert len(misb.read_bytes(bytes(data))) > 0


@given(st.dictionaries(st.integers(2, 150), st.binary(max_size=20), max_size=30))
def test_any_items_under_a_right_checksum_give_fixes(values: dict[int, bytes]) -> None:
    found = misb.read_bytes(making.local_set(values))
    assert len(found) == 1
    assert (np.abs(found.column(Q.LATITUDE)[found.placed]) < 90).all()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 255)), max_size=30))
def test_a_damaged_recording_gives_fixes_or_a_refusal(tmp_path: Path, spoilt: list[tuple[int, int]]) -> None:
    clip = tmp_path / "orbit.ts"
    if not clip.exists():
        making.clip(clip, making.orbit(20))
    data = bytearray(clip.read_bytes())
    for place, byte in spoilt:
        data[place % len(data)] = byte
    (tmp_path / "spoilt.ts").write_bytes(data)
    with contextlib.suppress(ExhibitError):
        assert len(misb.read(tmp_path / "spoilt.ts")) > 0

"""GoPro metadata: known truth in, the same truth out, and what real cameras and a real drone say."""

from __future__ import annotations

import contextlib
import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import py_gpmf_parser as gopro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import ExhibitError, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Flag, Quantity
from media.telemetry import gpmf
from tests import gpmf_making as making

Q = Quantity
DATA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "telemetry"
RAW = DATA / "gpmf_raw_juanirache"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the telemetry is not there: set EXHIBIT_TEST_DATA")
BIRMINGHAM: list[making.Fix] = [(52.4862 + i * 1e-6, -1.8904, 120.0 + i, 1.5) for i in range(18)]
BARE = "no video's times: each payload is taken to last 1.001 s, or by its own stamps"


def micros(*moment: int) -> int:
    return round(datetime(*moment, tzinfo=UTC).timestamp() * 1e6)  # type: ignore[arg-type,misc]


def test_samples_of_a_payload_are_spread_over_it() -> None:
    second = making.gps5(BIRMINGHAM[:9], moment="260302090001.000")
    found = gpmf.read_bytes(making.payload([making.gps5(BIRMINGHAM)]) + making.payload([second]))
    assert (found.family, found.dialect, found.device) == (Family.GPMF, "Hero7 Black GPS5", "Hero7 Black")
    assert len(found) == 27
    assert found.elapsed_us[:2].tolist() == [0, 55_611]
    assert found.elapsed_us[18:20].tolist() == [1_001_000, 1_112_222]
    assert found.clock_us[[0, 18]].tolist() == [micros(2026, 3, 2, 9, 0, 0), micros(2026, 3, 2, 9, 0, 1)]
    np.testing.assert_allclose(found.column(Q.LATITUDE)[:18], [f[0] for f in BIRMINGHAM], atol=1e-7)
    np.testing.assert_allclose(found.column(Q.HEIGHT_ELLIPSOID)[:18], [f[2] for f in BIRMINGHAM], atol=1e-3)
    assert set(found.column(Q.ACCURACY_HORIZONTAL)) == {7.5}
    assert found.certainty == {Q.ACCURACY_HORIZONTAL: Certainty.ESTIMATED}
    assert found.warnings == (BARE,)


def test_heights_are_above_the_sea_where_the_camera_says_so() -> None:
    found = gpmf.read_bytes(making.payload([making.gps5(BIRMINGHAM, sea=True)]))
    assert Q.HEIGHT_ELLIPSOID not in found.columns
    assert found.column(Q.HEIGHT_SEA)[0] == 120.0


def test_without_a_lock_there_is_no_place() -> None:
    without = making.gps5(BIRMINGHAM, lock=0, dilution=99.99)
    found = gpmf.read_bytes(making.payload([making.gps5(BIRMINGHAM)]) + making.payload([without]))
    assert found.placed.tolist() == [True] * 18 + [False] * 18
    assert np.isnan(found.column(Q.ACCURACY_HORIZONTAL)[18:]).all()
    assert "18 of 36 fixes have no place" in found.warnings


def test_each_sample_of_gps9_has_its_own_time_and_lock() -> None:
    start = datetime(2026, 3, 2, 23, 59, 59, 500_000, tzinfo=UTC)
    moments = [start + timedelta(milliseconds=100 * i) for i in range(18)]
    streams = [
        making.gps5(BIRMINGHAM),
        making.gps9(BIRMINGHAM, moments, locks=[0, 0, *[3] * 16], stamp_us=5_000_000),
    ]
    later = making.gps9(BIRMINGHAM[:2], moments[:2], locks=[3, 3], stamp_us=6_500_000)
    found = gpmf.read_bytes(making.payload(streams, "HERO11 Black") + making.payload([later]))
    assert found.dialect == "HERO11 Black GPS9"
    assert found.flags[:18].tolist() == [int(Flag.NO_FIX)] * 2 + [0] * 16
    assert found.clock_us[:18].tolist() == [micros(2026, 3, 2, 23, 59, 59) + 500_000 + 100_000 * i for i in range(18)]
    assert found.elapsed_us[[1, 18]].tolist() == [83_333, 1_500_000], "by the stamps, not by the usual second"


def test_times_that_are_no_numbers_are_none() -> None:
    """As nothing but a damaged or hostile file has them: infinitely many days, letters for seconds."""
    for kinds, times in (("dd", b"\x7f\xf0" + bytes(6) + b"\x7f\xf8" + bytes(6)), ("FF", b"dayssecs")):
        row = struct.pack(">5i", 1, 1, 1, 1, 1) + times + struct.pack(">HH", 1, 3)
        stream = making.nest("STRM", [making.text("TYPE", f"lllll{kinds}SS"), making.item("GPS9", "?", len(row), row)])
        assert gpmf.read_bytes(making.payload([stream])).clock_us.tolist() == [NO_TIME]


def test_a_karma_drone_gives_attitude_heights_and_the_clock() -> None:
    fixes = [(52.4862, -1.8904 + i * 1e-6, 150.0, 30.0, 3.0, -4.0, -1.0, 271.5) for i in range(4)]
    attitude = np.radians(5.0), np.radians(-10.0), np.radians(271.5)
    streams = making.karma(
        fixes, attitude_rad=attitude, accuracy_m=(0.8, 1.2), lock=3, since_s=100.0, unix_s=micros(2026, 3, 2, 9) / 1e6
    )
    camera = making.payload([making.nest("STRM", [making.longs("SCAL", 418), making.longs("ACCL", 1, 2, 3)])], "Camera")
    found = gpmf.read_bytes(camera + making.payload(streams, "GoPro Karma v1.0", number=2))
    assert found.dialect == "GoPro Karma v1.0 GLPI"
    assert found.elapsed_us.tolist() == [0, 250_250, 500_500, 750_750]
    assert found.clock_us.tolist() == [micros(2026, 3, 2, 9) + 250_000 * i for i in range(4)]
    expected = {
        Q.HEIGHT_SEA: 150, Q.HEIGHT_TAKEOFF: 30, Q.SPEED: 5, Q.COURSE: 306.87, Q.CLIMB: 1, Q.PLATFORM_YAW: 271.5,
        Q.PLATFORM_PITCH: -10, Q.PLATFORM_ROLL: 5, Q.ACCURACY_HORIZONTAL: 0.8, Q.ACCURACY_VERTICAL: 1.2,
    }  # fmt: skip
    for quantity, value in expected.items():
        np.testing.assert_allclose(found.column(quantity), value, atol=0.01, err_msg=quantity)
    assert found.certainty == {Q.SPEED: Certainty.DERIVED, Q.COURSE: Certainty.DERIVED}
    assert found.placed.all()


def test_metadata_without_a_place_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match="no place"):
        gpmf.read_bytes(making.payload([]))
    with pytest.raises(UnsupportedMedia):
        gpmf.read_bytes(b"")
    (tmp_path / "other.bin").write_bytes(b"nothing at all" * 10)
    with pytest.raises(ExhibitError):
        gpmf.read(tmp_path / "other.bin")


def test_scales_that_make_no_sense_give_no_samples() -> None:
    good = making.payload([making.gps5(BIRMINGHAM)])
    zero = making.longs("SCAL", 10_000_000, 10_000_000, 1000, 1000, 100)
    spoilt = good.replace(zero, making.longs("SCAL", 0, 10_000_000, 1000, 1000, 100))
    assert spoilt != good
    with pytest.raises(UnsupportedMedia, match="no place"):
        gpmf.read_bytes(spoilt)
    assert len(gpmf.read_bytes(good + spoilt)) == 18


@real
def test_the_numbers_are_those_of_gopros_own_parser() -> None:
    data = (RAW / "hero5.raw").read_bytes()
    words = np.frombuffer(data, np.uint32).copy()
    status, stream = gopro.GPMF_Init(words, len(data))
    assert status == gopro.GPMF_ERROR.GPMF_OK
    levels = gopro.GPMF_RECURSE_LEVELS_AND_TOLERANT
    assert gopro.GPMF_FindNext(stream, gopro.Str2FourCC("GPS5"), levels) == gopro.GPMF_ERROR.GPMF_OK
    count, fields = gopro.GPMF_Repeat(stream), gopro.GPMF_ElementsInStruct(stream)
    _, flat = gopro.GPMF_ScaledData(stream, count * fields * 8, 0, count, gopro.GPMF_SampleType.DOUBLE)
    theirs = np.array(flat[: count * fields]).reshape(count, fields)
    ours = gpmf.read_bytes(data)
    for place, quantity in enumerate((Q.LATITUDE, Q.LONGITUDE, Q.HEIGHT_ELLIPSOID, Q.SPEED)):
        np.testing.assert_allclose(ours.column(quantity), theirs[:, place], rtol=0, atol=1e-9)


@real
def test_a_real_drones_clip_gives_its_flight() -> None:
    """Carlsbad, California, along the coast, two metres over the take-off point."""
    found = gpmf.read(DATA / "gopro_karma.mp4")
    assert (len(found), int(found.placed.sum()), found.dialect) == (47, 47, "GoPro Karma v1.0 GLPI")
    assert (found.elapsed_us[0], found.elapsed_us[-1]) == (0, 11_761_750)
    assert found.clock_us[0] == micros(2017, 4, 17, 19, 27, 57) + 526_717, "the file's creation time is 19:27:57"
    first = {q: found.column(q)[0] for q in (Q.LATITUDE, Q.LONGITUDE, Q.HEIGHT_TAKEOFF, Q.HEIGHT_SEA, Q.PLATFORM_YAW)}
    assert [round(v, 3) for v in first.values()] == [33.125, -117.331, 2.003, 15.711, 331.56]
    assert found.warnings == ("not used: battery status (KBAT) × 13",)


@real
@pytest.mark.parametrize(
    ("name", "dialect", "fixes", "placed"),
    [
        ("Fusion", "Fusion GPS5", 19, 19),
        ("consecutive1", "Hero7 Black GPS5", 41, 0),
        ("consecutive2", "Hero7 Black GPS5", 59, 0),
        ("hero11", "HERO11 Black GPS9", 110, 110),
        ("hero5", "Camera GPS5", 18, 18),
        ("hero6", "Hero6 Black GPS5", 17, 0),
        ("hero6+ble", "Hero6 Black GPS5", 18, 0),
        ("hero7", "Hero7 Black GPS5", 308, 308),
        ("karma", "GoPro Karma v1.0 GLPI", 4, 4),
    ],
)
def test_real_payloads_give_their_fixes(name: str, dialect: str, fixes: int, placed: int) -> None:
    found = gpmf.read(RAW / f"{name}.raw")
    assert (found.dialect, len(found), int(found.placed.sum())) == (dialect, fixes, placed)
    assert (found.clock_us != NO_TIME).all()
    assert not (found.flags & int(Flag.JUMP)).any()


@real
def test_a_real_header_without_a_receiver_is_refused_in_words() -> None:
    with pytest.raises(UnsupportedMedia, match="no place"):
        gpmf.read(RAW / "mp4header.raw")


GOOD = making.payload([making.gps5(BIRMINGHAM[:3])]) + making.payload(
    making.karma(
        [(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)], attitude_rad=(0, 0, 0), accuracy_m=(1, 1), lock=3, since_s=1, unix_s=1
    )
)
pieces = st.binary(max_size=40) | st.sampled_from(
    [GOOD, b"DEVC\0\x01\xff\xff", b"GPS5l\x14\0\x01", b"TYPEc\x01\0\x08f[999]SS"]
)


@given(st.lists(pieces, max_size=6), st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=8))
def test_any_bytes_give_fixes_or_a_refusal(parts: list[bytes], spoilt: list[tuple[int, int]]) -> None:
    data = bytearray(b"".join(parts))
    for place, byte in spoilt:
        if place < len(data):
            data[place] = byte
    with contextlib.suppress(ExhibitError):
        assert len(gpmf.read_bytes(bytes(data))) > 0


@given(st.text("bBcdfFGjJlLqQsSU?[]0123456789x", max_size=30), st.binary(max_size=120), st.binary(min_size=4, max_size=40))
def test_any_types_and_scales_give_fixes_or_a_refusal(kinds: str, rows: bytes, scale: bytes) -> None:
    parts = [making.text("TYPE", kinds), making.item("SCAL", "l", 4, scale[: len(scale) // 4 * 4])]
    for key, size in (("GPS9", 32), ("GLPI", 28), ("GPRI", 30), ("SYST", 16), ("GPS5", 20)):
        parts.append(making.item(key, "?", size, rows[: len(rows) // size * size]))
    with contextlib.suppress(ExhibitError):
        gpmf.read_bytes(making.payload([making.nest("STRM", parts)]))

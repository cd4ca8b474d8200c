"""NMEA 0183: a receiver's sentences, grouped by moment, with dates, doubts and checksums."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import ExhibitError, TooLarge, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Flag, Quantity, Zone
from media.telemetry import nmea

Q = Quantity
PLACE = "5229.172,N,00153.424,W"
"""Birmingham: 52.486200, -1.890400."""


def sentence(body: str) -> str:
    return f"${body}*{reduce(lambda total, letter: total ^ ord(letter), body, 0):02X}\r\n"


def gga(at: str, place: str = PLACE, quality: int = 1, satellites: str = "08", dilution: str = "1.1") -> str:
    return sentence(f"GPGGA,{at},{place},{quality},{satellites},{dilution},141.5,M,48.5,M,,")


def rmc(at: str, day: str = "020326", place: str = PLACE, status: str = "A", speed: str = "10.0", talker: str = "GP") -> str:
    return sentence(f"{talker}RMC,{at},{status},{place},{speed},271.5,{day},,,A")


def micros(*moment: int) -> int:
    return round(datetime(*moment, tzinfo=UTC).timestamp() * 1e6)  # type: ignore[arg-type,misc]


def read(*sentences: str) -> nmea.Telemetry:
    return nmea.read_bytes("".join(sentences).encode())


def test_sentences_of_one_moment_are_one_fix() -> None:
    found = read(
        gga("090000.00"), rmc("090000.00"), sentence("GPVTG,271.5,T,,M,10.0,N,18.52,K,A"), sentence("GPGSV,1,1,00"),
        gga("090000.20"), rmc("090000.20"), gga("090001.00"), rmc("090001.00"),
    )  # fmt: skip
    assert (found.family, found.dialect, found.zone) == (Family.NMEA, "NMEA 0183 GP", Zone.UTC)
    assert found.elapsed_us.tolist() == [0, 200_000, 1_000_000]
    assert found.clock_us[0] == micros(2026, 3, 2, 9, 0, 0)
    expected = {
        Q.LATITUDE: 52.4862, Q.LONGITUDE: -1.8904, Q.HEIGHT_SEA: 141.5, Q.HEIGHT_ELLIPSOID: 190.0, Q.SPEED: 5.1444,
        Q.COURSE: 271.5, Q.ACCURACY_HORIZONTAL: 5.5,
    }  # fmt: skip
    assert set(found.columns) == set(expected)
    for quantity, value in expected.items():
        assert found.column(quantity)[0] == pytest.approx(value, abs=1e-4)
    assert found.certainty == {Q.ACCURACY_HORIZONTAL: Certainty.ESTIMATED}
    assert found.warnings == ()


def test_deviations_come_before_the_dilution() -> None:
    found = read(gga("090000"), sentence("GNGST,090000,,,,,3.0,4.0,6.0"), rmc("090000"))
    assert found.column(Q.ACCURACY_HORIZONTAL)[0] == pytest.approx(np.sqrt(12.5))
    assert found.column(Q.ACCURACY_VERTICAL)[0] == 6.0
    assert found.certainty == {}


@pytest.mark.parametrize(
    "without",
    [
        gga("090001", quality=0),
        gga("090001", satellites="00"),
        rmc("090001", status="V"),
        sentence(f"GNGNS,090001,{PLACE},NN,00,99.9,,,,"),
        gga("090001", place=",,,"),
        gga("090001", place="5229.172,N,00153.424,"),
        gga("090001", place="0000.000,N,00000.000,E"),
    ],
)
def test_a_receiver_without_satellites_is_nowhere(without: str) -> None:
    found = read(rmc("090000"), without, rmc("090002"))
    assert found.flags.tolist() == [0, int(Flag.NO_FIX), 0]


def test_of_several_systems_the_one_with_a_fix_is_taken() -> None:
    found = read(
        rmc("090000", status="V", talker="GL"), rmc("090000", talker="GN"), rmc("090001", talker="GN"),
        rmc("090001", status="V", talker="GL"),
    )  # fmt: skip
    assert found.placed.tolist() == [True, True]
    assert found.dialect == "NMEA 0183 GL+GN"


def test_midnight_goes_on_to_the_next_day_with_and_without_dates() -> None:
    dated = read(rmc("235959", "311225"), rmc("000000", "010126"), gga("000001"))
    assert dated.clock_us.tolist() == [micros(2025, 12, 31, 23, 59, 59) + i * 1_000_000 for i in range(3)]
    assert not (dated.flags & int(Flag.CLOCK_STEP)).any()
    plain = read(gga("235959"), gga("000000"), gga("000001"))
    assert plain.elapsed_us.tolist() == [0, 1_000_000, 2_000_000]
    assert plain.clock_us.tolist() == [NO_TIME] * 3
    assert "no sentence has a date: only the time of day is known" in plain.warnings


def test_a_date_that_comes_late_holds_back() -> None:
    found = read(gga("235958"), gga("000000"), rmc("000001", "030326"))
    assert found.clock_us[0] == micros(2026, 3, 2, 23, 59, 58)


def test_a_receiver_that_learns_the_date_is_flagged_where_its_clock_leapt() -> None:
    found = read(rmc("090000", "060180"), rmc("090001", "060180"), rmc("090002"), rmc("090003"))
    assert found.flags.tolist() == [0, 0, int(Flag.CLOCK_STEP), 0]
    assert found.elapsed_us.tolist() == [0, 1_000_000, 2_000_000, 3_000_000]
    assert any("rolled over" in words for words in found.warnings)


def test_wrong_and_missing_checksums_are_left_out_and_counted() -> None:
    bad = rmc("090001").replace("5229.172", "5929.172")
    found = read(rmc("090000"), bad, rmc("090002")[:-5] + "\r\n", "2026-03-02 > " + rmc("090003"), "noise $GPRMC,1*ZZ\n")
    assert found.elapsed_us.tolist() == [0, 3_000_000]
    assert "1 sentences with a wrong checksum were left out" in found.warnings
    assert "2 sentences without a checksum were left out" in found.warnings
    assert not (found.flags & int(Flag.JUMP)).any()


def test_a_logger_that_took_all_checksums_off_is_read_unproven() -> None:
    bare = "".join(line.partition("*")[0] + "\r\n" for line in (gga("090000"), rmc("090000"), rmc("090001")))
    found = nmea.read_bytes(bare.encode())
    assert found.placed.tolist() == [True, True]
    assert found.column(Q.LATITUDE) == pytest.approx([52.4862, 52.4862])
    assert "3 sentences were read unproven: not one has a checksum" in found.warnings


def test_a_system_without_satellites_takes_no_dilution_away() -> None:
    none, some = sentence("GLGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99"), sentence("GPGSA,A,3,,,,,,,,,,,,,2.0,1.4,1.2")
    found = read(gga("090000"), some, none, rmc("090001"), none, some)
    assert found.column(Q.ACCURACY_HORIZONTAL) == pytest.approx([5.5, 7.0])


def test_a_speed_in_knots_alone_is_one() -> None:
    found = read(gga("090000"), sentence("GPVTG,271.5,T,,M,10.0,N,,K,A"))
    assert found.column(Q.SPEED)[0] == pytest.approx(5.1444, abs=1e-4)


def test_a_gns_from_dead_reckoning_alone_says_so() -> None:
    found = read(
        sentence(f"GNGNS,090000,{PLACE},EN,05,1.1,141.5,48.5,,"), sentence(f"GNGNS,090001,{PLACE},AE,05,1.1,141.5,,,")
    )
    assert found.placed.all()
    assert "1 positions come from dead reckoning, not from satellites" in found.warnings


def test_dead_reckoning_is_said() -> None:
    found = read(gga("090000", quality=6), gga("090001"))
    assert "1 positions come from dead reckoning, not from satellites" in found.warnings


def test_what_is_no_receivers_is_refused() -> None:
    for data in (b"", b"$GPGSV,1,1,00*79", b"plain words", sentence("PGRME,1,M").encode()):
        with pytest.raises(UnsupportedMedia, match="no NMEA sentence"):
            nmea.read_bytes(data)


def test_more_than_is_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmea, "MAX_BYTES", 10)
    with pytest.raises(TooLarge):
        read(rmc("090000"))


fields = st.sampled_from(
    ["", "A", "V", "N", "5229.1,N", "99999.9", "1e400", "nan", "-1", "090000", "256199", "00", ","]
) | st.text(st.characters(codec="ascii", exclude_characters="$*\r\n"), max_size=6)
kinds = st.sampled_from(["GPGGA", "GNRMC", "GPGLL", "GNGNS", "GPGST", "GPGSA", "GPVTG", "GPZDA", "PUBXX", "ZZZZZ", "CCGPQ"])


@given(st.lists(st.tuples(kinds, st.lists(fields, max_size=18)), max_size=8), st.text(max_size=10))
def test_any_sentences_give_fixes_or_a_refusal(said: list[tuple[str, list[str]]], noise: str) -> None:
    text = noise.join(sentence(",".join([kind, *parts])) for kind, parts in said)
    with contextlib.suppress(ExhibitError):
        assert len(nmea.read_bytes(text.encode())) > 0


@given(st.binary(max_size=200))
def test_any_bytes_give_fixes_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(ExhibitError):
        nmea.read_bytes(data + b"\n" + rmc("090000").encode() + data)

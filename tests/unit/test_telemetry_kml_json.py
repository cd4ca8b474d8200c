"""KML and JSON: tracks, timed points and records, whole, cut, odd or hostile."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import CorruptMedia, ExhibitError, TooLarge, UnsupportedMedia
from evidence.telemetry import NO_TIME, Family, Flag, Quantity, Telemetry, Zone
from media.telemetry import json_log, kml

Q = Quantity
NINE_US = round(datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp() * 1e6)
WHENS = [f"2026-03-02T09:00:0{i}Z" for i in range(3)]
COORDS = ["-1.8904 52.4862 141.5", "-1.8904 52.4863 142", "-1.8904 52.4864 142.5"]


def document(inside: str) -> bytes:
    spaces = 'xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2"'
    return f'<?xml version="1.0"?><kml {spaces}><Document><Placemark>{inside}</Placemark></Document></kml>'.encode()


def track(mode: str = "absolute") -> str:
    whens, coords = (f"<when>{w}</when>" for w in WHENS), (f"<gx:coord>{c}</gx:coord>" for c in COORDS)
    return f"<gx:Track><altitudeMode>{mode}</altitudeMode>{''.join(whens)}{''.join(coords)}</gx:Track>"


def test_a_track_has_its_times_and_heights() -> None:
    found = kml.read_bytes(document(track()))
    assert (found.family, found.dialect, found.zone) == (Family.KML, "KML track", Zone.UTC)
    assert found.clock_us.tolist() == [NINE_US + i * 1_000_000 for i in range(3)]
    assert found.elapsed_us.tolist() == [0, 1_000_000, 2_000_000]
    assert found.column(Q.LATITUDE).tolist() == [52.4862, 52.4863, 52.4864]
    assert found.column(Q.HEIGHT_SEA).tolist() == [141.5, 142, 142.5]
    assert found.warnings == ()


def test_a_height_counts_as_its_mode_says() -> None:
    assert Q.HEIGHT_GROUND in kml.read_bytes(document(track("relativeToGround"))).columns
    assert set(kml.read_bytes(document(track("clampToGround"))).columns) == {Q.LATITUDE, Q.LONGITUDE}


def test_timed_points_are_a_track_and_a_line_has_no_times() -> None:
    inside = f"<TimeStamp><when>{WHENS[0]}</when></TimeStamp><Point><coordinates>-1.8904,52.4862,0</coordinates></Point>"
    more = inside.replace(WHENS[0], WHENS[2])
    found = kml.read_bytes(document(f"{inside}</Placemark><Placemark>{more}"))
    assert (found.dialect, found.elapsed_us.tolist()) == ("KML timed points", [0, 2_000_000])
    line = kml.read_bytes(document("<LineString><coordinates>-1.8904,52.4862,9 x -1.8904,52.6\n</coordinates></LineString>"))
    assert (len(line), line.dialect) == (2, "KML line")
    assert line.warnings == ("nothing in it has a time: it can't be laid beside a video",)
    assert not (line.flags & int(Flag.JUMP)).any()


def test_a_cut_track_gives_what_stands_before() -> None:
    whole = document(track())
    found = kml.read_bytes(whole[: whole.index(COORDS[2].encode())])
    assert len(found) == 2
    assert found.warnings == ("the file is cut short or damaged in line 1: what stands before was read",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (document("<Point><coordinates>1,2</coordinates></Point>"), "without a track"),
        (b"<kml><Placemark>", "breaks off"),
        (b"<gpx/>", "no KML file"),
        (b'<!DOCTYPE kml [<!ENTITY a "b">]><kml/>', "entities of its own"),
        (b"<kml>" + b"<Folder>" * 1000, "deeper"),
    ],
)
def test_kml_that_is_no_record_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises((UnsupportedMedia, CorruptMedia), match=words):
        kml.read_bytes(data)


def read(content: Any) -> Telemetry:
    return json_log.read_bytes(json.dumps(content).encode())


def test_a_geojson_line_with_times() -> None:
    line = {"type": "LineString", "coordinates": [[-1.8904, 52.4862, 190], [-1.8904, 52.4863, 191]]}
    found = read({"type": "Feature", "geometry": line, "properties": {"coordTimes": WHENS[:2]}})
    assert (found.family, found.dialect, found.zone) == (Family.JSON, "GeoJSON", Zone.UTC)
    assert found.clock_us.tolist() == [NINE_US, NINE_US + 1_000_000]
    assert found.column(Q.HEIGHT_ELLIPSOID).tolist() == [190, 191]
    assert found.column(Q.LONGITUDE).tolist() == [-1.8904, -1.8904]
    lines = {"type": "MultiLineString", "coordinates": [line["coordinates"], line["coordinates"]]}
    about = {"coordinateProperties": {"times": [WHENS[:2], WHENS[1:]]}}
    assert (
        len(read({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": lines, "properties": about}]}))
        == 4
    )


def test_geojson_points_carry_what_their_feature_says() -> None:
    points = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [-1.8904, 52.4862 + i * 1e-5]},
            "properties": {"timestamp": 1_772_442_000_000 + i * 1000, "speed (mph)": 10, "name": "x"},
        }
        for i in range(3)
    ]
    found = read({"type": "FeatureCollection", "features": [*points, None, {"type": "Feature", "geometry": None}]})
    assert found.clock_us.tolist() == [NINE_US + i * 1_000_000 for i in range(3)]
    assert found.column(Q.SPEED)[0] == pytest.approx(4.4704)


def test_records_of_any_names_are_a_table() -> None:
    records = [{"ts": {"utc": WHENS[i]}, "position": {"lat": 52.4862, "lng": -1.8904}, "heading": 90} for i in range(3)]
    found = read({"device": "X", "data": {"fixes": records, "other": [{"a": 1}]}})
    assert found.dialect == "JSON records"
    assert found.elapsed_us.tolist() == [0, 1_000_000, 2_000_000]
    assert found.column(Q.COURSE).tolist() == [90, 90, 90]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "no JSON"),
        (b"[" * 200_000, "no JSON"),
        (b'{"a": 1}', "holds no list"),
        (b'[{"a": 1}]', "no columns that are recognised"),
        (b'{"type": "FeatureCollection", "features": 5}', "holds no list"),
        (b'{"type": "LineString", "coordinates": "1,2"}', "holds no list"),
    ],
)
def test_json_that_is_no_record_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises((UnsupportedMedia, CorruptMedia), match=words):
        json_log.read_bytes(data)


def test_more_than_is_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (kml, json_log):
        monkeypatch.setattr(module, "MAX_BYTES", 5)
        with pytest.raises(TooLarge):
            module.read_bytes(b"<kml></kml>")


def test_points_without_a_number_are_no_fix() -> None:
    found = read([{"lat": None, "lon": None, "speed": 1}, {"lat": 52, "lon": 1, "time": "x"}])
    assert found.flags.tolist() == [int(Flag.NO_FIX), 0]
    assert (found.clock_us == NO_TIME).all()
    assert np.isnan(found.column(Q.LATITUDE)[0])


kinds = st.sampled_from(
    ["kml", "Placemark", "gx:Track", "when", "gx:coord", "Point", "coordinates", "LineString", "altitudeMode"]
)
texts = st.sampled_from([WHENS[0], COORDS[0], "1,2,3 4,5", "nan,inf", "absolute", "", "1e999,0", ",,,", "x"])
pieces = st.one_of(st.builds(lambda k: f"<{k}>", kinds), st.builds(lambda k: f"</{k}>", kinds), texts, st.text(max_size=4))


@given(st.lists(pieces, max_size=20).map("".join))
def test_any_markup_gives_fixes_or_a_refusal(text: str) -> None:
    with contextlib.suppress(ExhibitError):
        assert len(kml.read_bytes(document(track() + text))) > 0


names = st.sampled_from(
    ["type", "features", "geometry", "coordinates", "properties", "lat", "lon", "time", "Point", "LineString"]
)
leaves = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4) | names
shapes = st.sampled_from(["FeatureCollection", "Feature", "LineString", "Point", "MultiLineString"])
values = st.recursive(
    leaves | shapes, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=15
)


@given(values, st.binary(max_size=50))
def test_any_json_gives_fixes_or_a_refusal(content: Any, noise: bytes) -> None:
    with contextlib.suppress(ExhibitError):
        assert len(read(content)) > 0
    with contextlib.suppress(ExhibitError):
        json_log.read_bytes(noise)

"""Places in the formats that other programs read: read back here by other readers than ours."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from xml.etree import ElementTree

import gpxpy
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from casefile.places import Ground, Moved, Places, Seen, Source, spaced
from casefile.places_csv import fixes_csv, footprints_csv, located_csv
from casefile.places_geojson import geojson
from casefile.places_xml import gpx, kml
from evidence.geo import footprints
from evidence.telemetry import NO_TIME, Certainty, Family, Flag, Quantity, Telemetry, Zone
from tests.map_schemas import faults

Q = Quantity
KML = "{http://www.opengis.net/kml/2.2}"
OURS = "{urn:exhibit:telemetry:1}"


def flight(n: int = 6, *, zone: Zone = Zone.LOCAL, longitude: float = -0.12, **columns: list[float]) -> Telemetry:
    values = {
        Q.LATITUDE: 51.5 + np.arange(n) * 1e-4,
        Q.LONGITUDE: np.full(n, longitude),
        Q.HEIGHT_TAKEOFF: np.full(n, 40.0),
        Q.HEIGHT_SEA: np.full(n, 63.5),
        Q.CAMERA_YAW: np.full(n, 10.0),
        Q.CAMERA_PITCH: np.full(n, -90.0),
        Q.FOCAL_LENGTH_35: np.full(n, 24.0),
    }
    values |= {Quantity(name): np.array(column) for name, column in columns.items()}
    return Telemetry(
        family=Family.DJI_SRT,
        dialect="bracketed",
        device="<a & b>",
        zone=zone,
        elapsed_us=np.arange(n) * 1_000_000,
        clock_us=1_718_396_147_042_000 + np.arange(n) * 1_000_000,
        flags=np.zeros(n, np.uint8),
        columns=values,
        certainty={Q.HEIGHT_SEA: Certainty.ESTIMATED},
        warnings=("odd & <said>",),
    )


def lost(telemetry: Telemetry, row: int) -> Telemetry:
    telemetry.flags[row] |= int(Flag.NO_FIX)
    for quantity in (Q.LATITUDE, Q.LONGITUDE):
        telemetry.columns[quantity][row] = np.nan
    return telemetry


SEEN = Seen("ABC/1", 7, "person & <co>", 2_000_000, 51.5, -0.12, (8.0, 3.0, 30.0), Certainty.DERIVED)
WALKS = replace(SEEN, moved=Moved(1.4, 0.6, 37.0, 25.0))
STANDS = replace(SEEN, moved=Moved(0.2, 0.6))


def of(telemetry: Telemetry, *seen: Seen) -> Places:
    ground = Ground("ABC/1", footprints(telemetry, (1920, 1080)))
    return Places([Source.of("ABC/1", telemetry)], [ground], seen)


# --- GeoJSON --------------------------------------------------------------------------------------------------------


def test_geojson_holds_path_fixes_ground_and_what_was_seen() -> None:
    whole = json.loads(geojson(of(lost(flight(), 3), SEEN)))
    kinds = [feature["properties"]["kind"] for feature in whole["features"]]
    assert kinds.count("fix") == 6
    assert kinds.count("footprint") == 5
    assert kinds.count("located") == 1
    (path,) = (feature for feature in whole["features"] if feature["properties"]["kind"] == "path")
    # The line ends where there was no fix, and goes on behind it.
    assert [len(line) for line in path["geometry"]["coordinates"]] == [3, 2]
    assert path["geometry"]["coordinates"][0][0] == [-0.12, 51.5]
    assert path["properties"]["not_measured"] == {"height_sea_m": "estimated"}
    fixes = [feature for feature in whole["features"] if feature["properties"]["kind"] == "fix"]
    assert fixes[3]["geometry"] is None
    assert fixes[3]["properties"]["flags"] == ["no fix"]
    assert fixes[0]["properties"]["claimed"] == "2024-06-14T20:15:47.042000"
    assert fixes[0]["properties"]["utc"] is None
    assert whole["labels"]["latitude_deg"] == "Sensor Latitude (13)"
    west, south, east, north = whole["bbox"]
    assert west < -0.12 < east
    assert south < 51.5 < north


def test_geojson_polygons_are_whole_and_against_the_clock() -> None:
    whole = json.loads(geojson(of(flight())))
    rings = [
        f["geometry"]["coordinates"][0] for f in whole["features"] if f["geometry"] and f["geometry"]["type"] == "Polygon"
    ]
    assert rings
    for ring in rings:
        assert ring[0] == ring[-1]
        assert shapely.Polygon(ring).is_valid
        assert shapely.LinearRing(ring).is_ccw


def test_a_height_is_a_third_coordinate_only_above_the_ellipsoid() -> None:
    assert len(json.loads(geojson(of(flight())))["features"][0]["geometry"]["coordinates"][0][0]) == 2
    known = flight(height_ellipsoid_m=[100.0] * 6)
    assert json.loads(geojson(of(known)))["features"][0]["geometry"]["coordinates"][0][0] == [-0.12, 51.5, 100.0]


def test_a_path_over_the_date_line_is_two_lines() -> None:
    over = flight(longitude_deg=[179.9, 179.95, 179.99, -179.99, -179.95, -179.9])
    whole = json.loads(geojson(of(over)))
    assert [len(line) for line in whole["features"][0]["geometry"]["coordinates"]] == [3, 3]
    assert whole["bbox"][0] > whole["bbox"][2]


def test_a_jump_is_not_drawn_over() -> None:
    jumped = flight()
    jumped.flags[2] |= int(Flag.JUMP)
    assert [len(line) for line in json.loads(geojson(of(jumped)))["features"][0]["geometry"]["coordinates"]] == [2, 4]


# --- GPX ------------------------------------------------------------------------------------------------------------


def test_gpx_is_read_by_another_reader() -> None:
    found = gpxpy.parse(gpx(of(lost(flight(zone=Zone.UTC), 3), SEEN)))
    (track,) = found.tracks
    assert [len(segment.points) for segment in track.segments] == [3, 2]
    point = track.segments[0].points[1]
    assert (point.latitude, point.longitude, point.elevation) == (51.5001, -0.12, 63.5)
    assert point.time is not None
    assert point.time.isoformat() == "2024-06-14T20:15:48.042000+00:00"
    assert found.waypoints[0].name == "person & <co>, track 7"
    assert "odd & <said>" in (track.description or "")


def test_a_local_clock_is_a_claim_in_gpx_and_no_time() -> None:
    text = gpx(of(flight()))
    assert gpxpy.parse(text).tracks[0].segments[0].points[0].time is None
    claimed = [element.text for element in ElementTree.fromstring(text).iter(f"{OURS}claimed")]
    assert claimed[0] == "2024-06-14T20:15:47.042000"


def test_a_corrected_time_is_written_as_utc() -> None:
    telemetry = flight()
    places = Places([Source("ABC/1", telemetry, telemetry.clock_us - 3_600_000_000, 0.5)])
    point = gpxpy.parse(gpx(places)).tracks[0].segments[0].points[0]
    assert point.time is not None
    assert point.time.hour == 19


# --- KML ------------------------------------------------------------------------------------------------------------


def test_kml_has_a_folder_with_lines_polygons_and_an_ellipse() -> None:
    root = ElementTree.fromstring(kml(of(lost(flight(), 3), SEEN), 2_000_000))
    (folder,) = root.iter(f"{KML}Folder")
    assert len(list(folder.iter(f"{KML}LineString"))) == 2
    ring = list(folder.iter(f"{KML}LinearRing"))[-1].findtext(f"{KML}coordinates") or ""
    points = [tuple(map(float, point.split(","))) for point in ring.split()]
    far = [Geod(ellps="WGS84").inv(-0.12, 51.5, longitude, latitude)[2] for longitude, latitude in points]
    assert max(far) == pytest.approx(8.0, abs=0.05)
    assert min(far) == pytest.approx(3.0, abs=0.05)
    azimuth = Geod(ellps="WGS84").inv(-0.12, 51.5, *points[int(np.argmax(far))])[0] % 180
    assert azimuth == pytest.approx(30, abs=1)
    shown = {data.get("name"): data.findtext(f"{KML}displayName") for data in folder.iter(f"{KML}Data")}
    assert shown["height_sea_m"] == "Sensor True Altitude (15)"


# --- CSV ------------------------------------------------------------------------------------------------------------


def test_csv_has_a_row_for_each_fix_and_no_formula() -> None:
    telemetry = lost(flight(), 3)
    places = Places([Source.of("=1+1", telemetry)], [Ground("@x", footprints(telemetry, (1920, 1080)))], [SEEN])
    rows = list(csv.DictReader(io.StringIO(fixes_csv(places))))
    assert len(rows) == 6
    assert rows[0]["exhibit"] == "'=1+1"
    assert (rows[0]["latitude_deg"], rows[0]["height_takeoff_m"], rows[0]["not_measured"]) == (
        "51.5",
        "40",
        "height_sea_m estimated",
    )
    assert (rows[3]["placed"], rows[3]["latitude_deg"], rows[3]["flags"]) == ("no", "", "no fix")
    ground = list(csv.DictReader(io.StringIO(footprints_csv(places))))
    assert len(ground) == 6
    assert ground[0]["certainty"]
    assert float(ground[0]["centre_latitude_deg"]) == pytest.approx(51.5, abs=1e-4)
    (seen,) = csv.DictReader(io.StringIO(located_csv(places)))
    assert (seen["track"], seen["ellipse_major_m"], seen["label"]) == ("7", "8", "person & <co>")


def test_what_moved_has_a_speed_and_what_may_as_well_stand_no_heading() -> None:
    places = of(flight(), SEEN, WALKS, STANDS)
    rows = list(csv.DictReader(io.StringIO(located_csv(places))))
    assert [(row["speed_mps"], row["heading_deg"]) for row in rows] == [("", ""), ("1.4", "37"), ("0.2", "")]
    told = [f["properties"] for f in json.loads(geojson(places))["features"] if f["properties"]["kind"] == "located"]
    assert "speed_mps" not in told[0]
    assert (told[1]["heading_deg"], told[1]["heading_error_deg"], told[2]["heading_deg"]) == (37.0, 25.0, None)
    text = kml(places)
    assert "1.4 ± 0.6 m/s towards 37°" in text
    assert "0.2 ± 0.6 m/s</description>" in text


def test_fixes_are_thinned_by_time_and_not_by_number() -> None:
    assert list(spaced(np.array([0, 10, 999_999, 1_000_000, 5_000_000, 5_100_000]), 1_000_000)) == [0, 3, 4]
    assert len(list(csv.DictReader(io.StringIO(fixes_csv(of(flight()), 2_000_000))))) == 3


def test_what_says_nothing_is_an_empty_collection() -> None:
    nothing = Places()
    assert json.loads(geojson(nothing))["features"] == []
    assert gpxpy.parse(gpx(nothing)).tracks == []
    assert ElementTree.fromstring(kml(nothing)) is not None
    assert len(fixes_csv(nothing).splitlines()) == 1


def test_files_for_maps_are_as_their_schemas_ask() -> None:
    places = of(lost(flight(zone=Zone.UTC), 3), SEEN, WALKS)
    for text in (gpx(places), kml(places)):
        assert faults(ElementTree.fromstring(text)) == []
    assert faults(ElementTree.fromstring(gpx(of(flight(longitude=180.0))))) == []


def test_what_the_schemas_refuse_is_found() -> None:
    good = gpx(of(flight(zone=Zone.UTC), SEEN))
    wrong = (
        good.replace("<ele>63.500</ele>", "").replace("<extensions>", "<extensions><ele>1</ele>"),
        good.replace('lon="-0.1200000"', 'lon="180.0000000"'),
        good.replace("</name><desc>", "</name><desc>x</desc><desc>"),
        good.replace("<time>", "<when>").replace("</time>", "</when>"),
        good.replace('creator="exhibit" ', ""),
        kml(of(flight())).replace("<tessellate>1</tessellate><outer", "<outer"),
    )
    assert [bool(faults(ElementTree.fromstring(text))) for text in wrong] == [True] * 5 + [False]
    twisted = (
        kml(of(flight()))
        .replace("<tessellate>1</tessellate><coordinates>", "<coordinates>")
        .replace("</coordinates></LineString>", "</coordinates><tessellate>1</tessellate></LineString>")
    )
    assert faults(ElementTree.fromstring(twisted))


def test_geojson_is_as_rfc_7946_asks() -> None:
    """Longitude first, rings closed and against the clock, no crs member."""
    whole = json.loads(geojson(of(lost(flight(zone=Zone.UTC), 3), SEEN)))
    assert (whole["type"], "crs" in whole) == ("FeatureCollection", False)
    kinds = set()
    for feature in whole["features"]:
        assert (feature["type"], isinstance(feature["properties"], dict)) == ("Feature", True)
        if feature["geometry"] is None:
            continue
        shape = shapely.geometry.shape(feature["geometry"])
        kinds.add(shape.geom_type)
        assert shape.is_valid
        west, south, east, north = shape.bounds
        assert -0.13 < west <= east < -0.11
        assert 51.4 < south <= north < 51.6
        if shape.geom_type == "Polygon":
            assert shape.exterior.is_closed
            assert shape.exterior.is_ccw
    assert {"Point", "Polygon", "MultiLineString"} <= kinds


def test_labels_of_misb_are_in_every_format_that_has_room_for_them() -> None:
    label = "Sensor True Altitude (15)"
    root = ElementTree.fromstring(gpx(of(flight())))
    assert {element.get("label") for element in root.iter(f"{OURS}height_sea_m")} == {label}
    assert label in kml(of(flight()))
    assert label in json.dumps(json.loads(geojson(of(flight()))), ensure_ascii=False)


def test_a_source_without_dates_says_so() -> None:
    undated = replace(flight(zone=Zone.UTC), clock_us=np.full(6, NO_TIME))
    for text in (gpx(of(undated)), kml(of(undated)), geojson(of(undated))):
        assert "no date and time given" in text


numbers = st.floats(allow_nan=True, allow_infinity=False, width=32)


@given(
    st.lists(st.tuples(st.floats(-89, 89), st.floats(-180, 180), numbers, st.integers(0, 15)), max_size=8),
    st.text(max_size=20),
)
def test_any_fixes_and_names_make_files_that_others_read(rows: list[tuple[float, float, float, int]], name: str) -> None:
    n = len(rows)
    places = np.array([row[:3] for row in rows], float).reshape(n, 3)
    telemetry = Telemetry(
        family=Family.GPX,
        dialect=name,
        device=name,
        zone=Zone.UTC,
        elapsed_us=np.arange(n) * 1_000_000,
        clock_us=np.full(n, NO_TIME),
        flags=np.array([row[3] for row in rows], np.uint8),
        columns={Q.LATITUDE: places[:, 0], Q.LONGITUDE: places[:, 1], Q.HEIGHT_SEA: places[:, 2]},
        certainty={},
    )
    all_of_it = Places([Source.of(name, telemetry)])
    assert len([f for f in json.loads(geojson(all_of_it))["features"] if f["properties"]["kind"] == "fix"]) == n
    gpxpy.parse(gpx(all_of_it))
    for text in (gpx(all_of_it), kml(all_of_it)):
        assert faults(ElementTree.fromstring(text)) == []
    assert len(list(csv.reader(io.StringIO(fixes_csv(all_of_it))))) == n + 1

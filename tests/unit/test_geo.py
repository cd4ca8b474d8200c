"""Footprints and located points against generated flights with known truth; errors against many drawn ones."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from evidence import earth, geo, sight
from evidence.telemetry import Certainty, Family, Flag, Quantity
from media.telemetry import misb
from tests.flights import flight, landing, picture_point, ray_ned

GEOD = Geod(ellps="WGS84")
HD = (1920, 1080)
HALF = float(np.tan(np.radians(35)))

places = st.tuples(st.floats(-80, 80), st.floats(-180, 180))
heights = st.floats(5, 4000)
yaws = st.floats(0, 360)
pitches = st.floats(-90, -25)
rolls = st.floats(-30, 30)


def metres(one, other) -> float:
    return float(GEOD.inv(one[1], one[0], other[1], other[0])[2])


def looking(n=1, **given):
    usual = {"latitude": 51.500012, "longitude": -0.100034, "height_takeoff": 100.0}
    usual |= {"camera_yaw": 0.0, "camera_pitch": -90.0}
    return flight(n, **({**usual, "horizontal_view": 70.0} | given))


# -- against the truth ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(places, heights, yaws, pitches, rolls, st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_a_ray_meets_the_ground_where_pyproj_s_height_is_zero(place, height, yaw, pitch, roll, across, down) -> None:
    flown = looking(
        latitude=place[0], longitude=place[1], height_takeoff=height, camera_yaw=yaw, camera_pitch=pitch, camera_roll=roll
    )
    point = ((across / HALF + 1) * HD[0] / 2, (down / (HALF * 9 / 16) + 1) * HD[1] / 2)
    found = geo.locate(flown, HD, np.array([0]), np.array([point]))
    truth = landing(*place, height, ray_ned(yaw, pitch, roll, across, down))
    ray = ray_ned(yaw, pitch, roll, across, down)
    if ray[2] < np.sin(np.radians(geo.GRAZING_DEG)):
        assert np.isnan(found.latlon_deg).all()
    else:
        assert truth is not None
        assert metres(found.latlon_deg[0], truth) < 1e-3 + 1e-7 * height


@settings(max_examples=40, deadline=None)
@given(places, heights, yaws, pitches, rolls, st.floats(-0.9, 0.9), st.floats(-0.9, 0.9))
def test_a_place_in_the_picture_is_found_again_from_where_it_is_seen(place, height, yaw, pitch, roll, x, y) -> None:
    flown = looking(
        latitude=place[0], longitude=place[1], height_takeoff=height, camera_yaw=yaw, camera_pitch=pitch, camera_roll=roll
    )
    point = np.array([[(x + 1) * HD[0] / 2, (y + 1) * HD[1] / 2]])
    found = geo.locate(flown, HD, np.array([0]), point)
    if np.isfinite(found.latlon_deg).all():
        seen = picture_point((*place, height), (yaw, pitch, roll), tuple(found.latlon_deg[0]))
        assert seen is not None
        assert seen == pytest.approx((x * HALF, y * HALF * 9 / 16), abs=2e-6)


@settings(max_examples=40, deadline=None)
@given(places, st.floats(5, 500), yaws, pitches, yaws)
def test_turning_the_camera_turns_its_footprint(place, height, yaw, pitch, turned) -> None:
    flown = looking(
        2, latitude=place[0], longitude=place[1], height_takeoff=height, camera_pitch=pitch, camera_yaw=[yaw, yaw + turned]
    )
    seen = geo.footprints(flown, HD)
    one, other = (earth.offset_m(seen.camera_deg[i : i + 1], seen.corners_deg[i]) for i in (0, 1))
    t = np.radians(turned)
    back = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
    assert np.abs(one @ back.T - other).max() < 0.05 * (1 + height / 100)


def test_a_camera_that_looks_straight_down_sees_a_rectangle_around_itself() -> None:
    seen = geo.footprints(looking(camera_yaw=0.0), HD)
    corners = earth.offset_m(seen.camera_deg, seen.corners_deg[0])
    wide, high = 100 * HALF, 100 * HALF * 9 / 16
    assert corners == pytest.approx(np.array([[-wide, high], [wide, high], [wide, -high], [-wide, -high]]), abs=0.01)
    assert metres(seen.centre_deg[0], seen.camera_deg[0]) < 1e-6
    assert seen.certainty == (Certainty.DERIVED,)
    assert seen.why == ("",)


def test_a_camera_that_rolls_clockwise_sees_more_on_its_left() -> None:
    """Its right side sinks: the right of the picture comes nearer, the left goes further away."""
    seen = geo.footprints(looking(camera_pitch=-60.0, camera_roll=10.0), HD)
    away = [metres(seen.camera_deg[0], corner) for corner in seen.corners_deg[0]]
    assert away[0] > away[1]
    assert away[3] > away[2]


@settings(max_examples=30, deadline=None)
@given(places, places)
def test_offset_and_moved_undo_each_other(place, by) -> None:
    origin, step = np.array([place]), np.array([[by[0] * 30.0, by[1] * 30.0]])
    assert earth.offset_m(origin, earth.moved(origin, step)) == pytest.approx(step, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(places, st.floats(0, 360), st.floats(1, 8000))
def test_distance_and_area_are_the_ellipsoid_s(place, azimuth, far) -> None:
    lat, lon = place
    corners = [(lat, lon)]
    for turn in (0, 60):
        x, y, _ = GEOD.fwd(lon, lat, azimuth + turn, far)
        corners.append((y, x))
    found = np.array(corners)
    assert float(earth.distance_m(found[0], found[1])) == pytest.approx(far, rel=1e-5)
    area, _ = GEOD.polygon_area_perimeter(found[:, 1], found[:, 0])
    assert float(earth.area_m2(found)) == pytest.approx(abs(area), rel=2e-5, abs=0.01)


# -- the horizon, and what is not known ----------------------------------------------------------------------------------


def test_a_picture_with_the_horizon_in_it_ends_at_a_stated_distance() -> None:
    seen = geo.footprints(looking(camera_pitch=-10.0), HD)
    away = [metres(seen.camera_deg[0], corner) for corner in seen.corners_deg[0]]
    assert away[:2] == pytest.approx([100 * geo.REACH] * 2, rel=3e-3)
    assert max(away[2:]) < 400
    assert seen.why == ("what lies further away than about 1,100 m is left out: the camera looks at the horizon",)
    assert seen.certainty == (Certainty.DERIVED,)


@settings(max_examples=60, deadline=None)
@given(yaws, st.floats(-40, 20), st.floats(-60, 60))
def test_no_corner_is_further_than_the_limit_and_each_is_in_the_picture(yaw, pitch, roll) -> None:
    seen = geo.footprints(looking(camera_yaw=yaw, camera_pitch=pitch, camera_roll=roll), HD)
    for corner in seen.corners_deg[0]:
        if np.isfinite(corner).all():
            assert metres(seen.camera_deg[0], corner) <= 100 * geo.REACH * 1.003
            at = picture_point((51.500012, -0.100034, 100.0), (yaw, pitch, roll), tuple(corner))
            assert at is not None
            assert abs(at[0]) <= HALF * 1.0001
            assert abs(at[1]) <= HALF * 9 / 16 * 1.0001


def test_a_camera_that_looks_at_the_sky_has_no_footprint_and_says_why() -> None:
    seen = geo.footprints(looking(camera_pitch=40.0), HD)
    assert np.isnan(seen.corners_deg).all()
    assert np.isnan(seen.error_m).all()
    assert seen.certainty == (None,)
    assert "above the horizon" in seen.why[0]


def test_points_above_the_horizon_and_outside_the_picture_are_not_placed() -> None:
    points = np.array([[960, 0], [960, 1080], [960, 1081], [np.nan, 0]])
    found = geo.locate(looking(camera_pitch=-10.0), HD, np.zeros(4, np.int64), points)
    assert [c is None for c in found.certainty] == [True, False, True, True]
    assert "less than 5° below" in found.why[0]
    assert "outside" in found.why[2]
    assert np.isnan(found.ellipse[[0, 2, 3]]).all()


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ({"latitude": np.nan}, "no place"),
        ({"height_takeoff": np.nan}, "height above the ground"),
        ({"height_takeoff": -2.4}, "on the ground"),
        ({"flags": np.array([int(Flag.NO_FIX)], np.uint8)}, "no place"),
        ({"height_takeoff": np.nan, "height_sea": 300.0}, "height above the ground"),
    ],
)
def test_there_is_no_footprint_where_too_little_is_known(lacking, words) -> None:
    seen = geo.footprints(looking(**lacking), HD)
    assert np.isnan(seen.corners_deg).all()
    assert np.isnan(seen.centre_deg).all()
    assert seen.certainty == (None,)
    assert words in seen.why[0]


def test_a_drone_that_tells_no_angles_is_taken_to_look_straight_down_and_far_from_surely() -> None:
    seen = geo.footprints(looking(camera_pitch=np.nan, camera_yaw=np.nan), HD)
    assert seen.certainty == (Certainty.ESTIMATED,)
    assert "straight down is taken" in seen.why[0]
    assert "north" in seen.why[0]
    assert metres(seen.centre_deg[0], seen.camera_deg[0]) < 1e-6
    assert 180 < seen.error_m[0] < 260


def test_a_heading_is_taken_from_the_way_it_flies() -> None:
    lat, lon = np.full(11, 51.5), -0.1 + np.arange(11) * 8e-5
    seen = geo.footprints(looking(11, latitude=lat, longitude=lon, camera_yaw=np.nan, camera_pitch=-45.0), HD)
    assert set(seen.certainty) == {Certainty.ESTIMATED}
    assert all("flies" in why for why in seen.why)
    ahead = earth.offset_m(seen.camera_deg, seen.centre_deg)
    assert ahead == pytest.approx(np.tile([100.0, 0.0], (11, 1)), abs=0.1)
    standing = geo.footprints(looking(11, camera_yaw=np.nan, camera_pitch=-45.0), HD)
    assert all("north" in why for why in standing.why)


def test_the_aircraft_s_heading_goes_before_its_way_and_the_camera_s_before_both() -> None:
    known = {"course": 90.0, "speed": 8.0, "platform_yaw": 180.0, "camera_pitch": -45.0}
    for yaw, sure, expected in ((np.nan, Certainty.ESTIMATED, (0, -100)), (270.0, Certainty.DERIVED, (-100, 0))):
        seen = geo.footprints(looking(camera_yaw=yaw, **known), HD)
        assert seen.certainty == (sure,)
        assert earth.offset_m(seen.camera_deg, seen.centre_deg)[0] == pytest.approx(expected, abs=0.1)


def test_heights_are_taken_over_the_ground_then_the_frame_s_middle_then_take_off() -> None:
    every = {"height_ground": 50.0, "height_sea": 230.0, "centre_height_sea": 200.0, "height_takeoff": 100.0}
    for gone, height in ((None, 50), ("height_ground", 30), ("centre_height_sea", 100)):
        if gone:
            every[gone] = np.nan
        seen = geo.footprints(looking(**every), HD)
        width = metres(seen.corners_deg[0, 0], seen.corners_deg[0, 1])
        assert width == pytest.approx(2 * HALF * height, rel=1e-3)


def test_a_slant_range_or_the_frame_s_middle_stands_for_a_missing_angle() -> None:
    seen = geo.footprints(looking(camera_pitch=np.nan, slant_range=200.0, camera_yaw=0.0), HD)
    assert earth.offset_m(seen.camera_deg, seen.centre_deg)[0] == pytest.approx((0, 100 * 3**0.5), abs=0.1)
    assert seen.certainty == (Certainty.DERIVED,)
    middle = earth.moved(np.array([[51.500012, -0.100034]]), np.array([[80.0, -60.0]]))[0]
    told = looking(camera_pitch=np.nan, camera_yaw=np.nan, centre_latitude=middle[0], centre_longitude=middle[1])
    seen = geo.footprints(told, HD)
    assert seen.certainty == (Certainty.DERIVED,)
    inside = earth.offset_m(middle[None], seen.corners_deg[0])
    assert (inside.max(0) > 0).all()
    assert (inside.min(0) < 0).all()


def test_a_focal_length_is_read_by_the_diagonal_of_a_four_to_three_sensor() -> None:
    seen = geo.footprints(looking(horizontal_view=np.nan, focal_length_35=24.0), (4000, 3000))
    corners = earth.offset_m(seen.camera_deg, seen.corners_deg[0])
    assert np.linalg.norm(corners[0]) == pytest.approx(100 * 43.27 / 2 / 24, rel=2e-3)
    upright = geo.footprints(looking(horizontal_view=np.nan, focal_length_35=24.0), (3000, 4000))
    assert np.linalg.norm(earth.offset_m(upright.camera_deg, upright.corners_deg[0])[0]) == pytest.approx(90.14, rel=2e-3)


def test_without_a_field_of_view_a_usual_one_is_taken_for_dji_and_only_the_middle_for_others() -> None:
    seen = geo.footprints(looking(horizontal_view=np.nan), HD)
    assert seen.certainty == (Certainty.ESTIMATED,)
    assert "67°" in seen.why[0]
    other = geo.footprints(looking(horizontal_view=np.nan, family=Family.CSV), HD)
    assert np.isnan(other.corners_deg).all()
    assert np.isfinite(other.centre_deg).all()
    assert "only the middle" in other.why[0]
    assert 5 < other.error_m[0] < 15


def test_corners_that_the_file_brings_are_taken_as_they_are() -> None:
    square = {}
    for k, (lat, lon) in enumerate(((51.6, -0.2), (51.6, -0.1), (51.5, -0.1), (51.5, -0.2)), 1):
        square |= {f"corner_{k}_latitude": lat, f"corner_{k}_longitude": lon}
    seen = geo.footprints(looking(family=Family.MISB, **square), HD)
    assert seen.corners_deg[0].tolist() == [[51.6, -0.2], [51.6, -0.1], [51.5, -0.1], [51.5, -0.2]]
    assert seen.certainty == (Certainty.MEASURED,)
    worth = {Quantity.CORNER_1_LATITUDE: Certainty.DERIVED}
    assert geo.footprints(looking(certainty=worth, **square), HD).certainty == (Certainty.DERIVED,)


def test_corners_far_from_where_the_angles_lead_are_taken_and_said() -> None:
    own = geo.footprints(looking(), HD)
    for east, odd in ((10.0, False), (340.0, True)):
        moved = earth.moved(own.corners_deg[0], np.tile([east, 0.0], (4, 1)))
        given = {f"corner_{k + 1}_{name}": moved[k, j] for k in range(4) for j, name in enumerate(("latitude", "longitude"))}
        seen = geo.footprints(looking(**given), HD)
        assert seen.corners_deg[0] == pytest.approx(moved)
        assert seen.why == (("the file's own corners lie about 340 m from where its angles lead",) if odd else ("",))


@pytest.mark.parametrize("value", [0.0, 91.0, np.nan])
def test_corners_that_are_no_area_on_earth_are_not_taken(value) -> None:
    given = {f"corner_{k}_{name}": value for k in range(1, 5) for name in ("latitude", "longitude")}
    seen = geo.footprints(looking(**given), HD)
    assert seen.corners_deg == pytest.approx(geo.footprints(looking(), HD).corners_deg)
    assert seen.certainty == (Certainty.DERIVED,)


def test_what_a_source_calls_an_estimate_or_a_leap_stays_one() -> None:
    seen = geo.footprints(looking(certainty={Quantity.LATITUDE: Certainty.ESTIMATED}), HD)
    assert seen.certainty == (Certainty.ESTIMATED,)
    seen = geo.footprints(looking(flags=np.array([int(Flag.JUMP)], np.uint8)), HD)
    assert seen.certainty == (Certainty.ESTIMATED,)
    assert "leaps" in seen.why[0]


def test_nothing_gives_nothing() -> None:
    none = flight(0)
    assert len(geo.footprints(none, HD)) == 0
    assert len(geo.locate(looking(), HD, np.zeros(0, np.int64), np.zeros((0, 2)))) == 0
    lost = geo.locate(none, HD, np.array([5]), np.array([[1.0, 1.0]]))
    assert lost.certainty == (None,)
    assert "no place" in lost.why[0]
    bare = geo.footprints(flight(3, latitude=51.0, longitude=0.0, family=Family.GPX))
    assert bare.certainty == (None,) * 3


# -- how good the errors are ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pitch", "roll", "height", "lowest", "highest"),
    [
        (-90.0, 0.0, 60.0, 0.935, 0.965),
        (-45.0, 5.0, 100.0, 0.935, 0.965),
        (-20.0, 0.0, 120.0, 0.93, 0.97),
        (-10.0, 0.0, 50.0, 0.88, 0.98),
    ],
)
def test_an_ellipse_holds_the_truth_95_times_of_100(pitch, roll, height, lowest, highest) -> None:
    """8,000 times the same look, each time with other errors, drawn as the defaults say. Seed 7."""
    n, rng = 8000, np.random.default_rng(7)
    truth = flight(
        1,
        latitude=51.5,
        longitude=-0.1,
        height_takeoff=height,
        camera_yaw=30.0,
        camera_pitch=pitch,
        camera_roll=roll,
        horizontal_view=70.0,
    )
    point = np.array([[1300.0, 700.0]])
    there = geo.locate(truth, HD, np.array([0]), point).latlon_deg
    around = earth.moved(np.tile([51.5, -0.1], (n, 1)), rng.normal(0, sight.PLACE_M, (n, 2)))
    drawn = flight(
        n,
        family=Family.DJI_SRT,
        frame_synchronous=True,
        latitude=around[:, 0],
        longitude=around[:, 1],
        height_takeoff=height + rng.normal(0, sight.HEIGHT_TAKEOFF_M, n),
        camera_yaw=30 + rng.normal(0, sight.YAW_DEG, n),
        camera_pitch=pitch + rng.normal(0, sight.PITCH_DEG, n),
        camera_roll=roll + rng.normal(0, sight.ROLL_DEG, n),
        horizontal_view=2 * np.degrees(np.arctan(HALF * (1 + rng.normal(0, sight.VIEW_SHARE, n)))),
    )
    feet = point + rng.normal(0, geo.FOOT_SHARE, (n, 2)) * np.array(HD) / 2
    found = geo.locate(drawn, HD, drawn.elapsed_us, feet)
    placed = np.isfinite(found.latlon_deg).all(1)
    way = earth.offset_m(found.latlon_deg, np.broadcast_to(there, (n, 2)))
    azimuth = np.radians(found.ellipse[:, 2])
    along = way[:, 0] * np.sin(azimuth) + way[:, 1] * np.cos(azimuth)
    across = way[:, 0] * np.cos(azimuth) - way[:, 1] * np.sin(azimuth)
    held = (along / found.ellipse[:, 0]) ** 2 + (across / found.ellipse[:, 1]) ** 2 <= 1
    assert placed.mean() > 0.99
    assert lowest <= held[placed].mean() <= highest


def test_the_longer_axis_of_an_ellipse_points_away_from_a_camera_that_looks_ahead() -> None:
    for yaw in (20.0, 110.0, 250.0):
        found = geo.locate(looking(camera_yaw=yaw, camera_pitch=-12.0), HD, np.array([0]), np.array([[960.0, 540.0]]))
        assert (found.ellipse[0, 2] - yaw + 90) % 180 == pytest.approx(90, abs=0.1)
        assert found.ellipse[0, 0] > found.ellipse[0, 1] > 0


def test_better_accuracies_from_the_file_make_smaller_errors_and_a_late_fix_larger_ones() -> None:
    plain = geo.footprints(looking(), HD).error_m[0]
    assert geo.footprints(looking(accuracy_horizontal=0.5), HD).error_m[0] < plain
    assert geo.footprints(looking(speed=15.0), HD).error_m[0] > plain
    assert geo.footprints(looking(speed=15.0, frame_synchronous=True), HD).error_m[0] == pytest.approx(plain)
    turning = looking(3, camera_yaw=[350.0, 10.0, 30.0], camera_pitch=-45.0)
    still = looking(3, camera_yaw=10.0, camera_pitch=-45.0)
    assert geo.footprints(turning, HD).error_m[1] > geo.footprints(still, HD).error_m[1]


def test_places_of_four_decimals_are_less_sure() -> None:
    fine = looking(2, latitude=[51.50001, 51.50002], longitude=-0.12345)
    coarse = looking(2, latitude=[51.5, 51.5001], longitude=-0.1234)
    assert geo.footprints(coarse, HD).error_m[0] > geo.footprints(fine, HD).error_m[0] + 2


# -- real metadata -------------------------------------------------------------------------------------------------------

DATA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "telemetry"


@pytest.mark.skipif(not DATA.is_dir(), reason="the telemetry is not there: set EXHIBIT_TEST_DATA")
def test_calculated_footprints_lie_where_a_misb_file_says() -> None:
    told = misb.read(DATA / "misb_osh_dev_first40pct.ts")
    said = ("corner_", "centre_latitude", "centre_longitude")
    bare = replace(told, columns={q: c for q, c in told.columns.items() if not q.value.startswith(said)})
    theirs, ours = geo.footprints(told), geo.footprints(bare)
    assert set(theirs.certainty) == {Certainty.MEASURED}
    assert set(ours.certainty) == {Certainty.DERIVED}
    assert len(ours) > 100
    assert np.median(earth.distance_m(theirs.centre_deg, ours.centre_deg)) < 0.5
    assert np.median(earth.distance_m(theirs.corners_deg, ours.corners_deg)) < 5
    assert earth.distance_m(theirs.corners_deg, ours.corners_deg).max() < 10

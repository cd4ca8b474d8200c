"""Speed and heading of what moves on the ground, against walks whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from evidence import earth, geo, sight
from evidence.speed import motion
from tests.flights import flight

HD = (1920, 1080)
HALF = float(np.tan(np.radians(35)))
START = np.array([[51.500012, -0.100034]])


def pixels(camera: np.ndarray, height: float, yaw: float, pitch: float, ground: np.ndarray) -> np.ndarray:
    """Where places (east, north of the start) are seen by a level camera above other such places: on a flat plane."""
    y, p = np.radians([yaw, pitch])
    ahead = np.array([np.cos(p) * np.sin(y), np.cos(p) * np.cos(y), np.sin(p)])
    right = np.array([np.cos(y), -np.sin(y), 0.0])
    down = -np.cross(right, ahead)
    towards = np.column_stack([ground - camera, np.full(len(ground), -height)])
    depth = towards @ ahead
    across, below = towards @ right / depth / HALF, towards @ down / depth / (HALF * 9 / 16)
    return (np.column_stack([across, below]) + 1) / 2 * np.array(HD)


def walk(seconds: int, pace: tuple[float, float], drift: tuple[float, float] = (0.0, 0.0)):
    """Fixes once a second of a drone at 100 m that looks north at 45°, and somebody who walks from the middle."""
    t = np.arange(seconds, dtype=float)
    camera, walker = t[:, None] * np.array(drift), np.array([0.0, 100.0]) + t[:, None] * np.array(pace)
    places = earth.moved(np.tile(START, (seconds, 1)), camera)
    flown = {"latitude": places[:, 0], "longitude": places[:, 1], "height_takeoff": 100.0}
    flown |= {"camera_yaw": 0.0, "camera_pitch": -45.0, "horizontal_view": 70.0}
    return flown, np.round(t * 1e6).astype(np.int64), pixels(camera, 100.0, 0.0, -45.0, walker)


@pytest.mark.parametrize(("pace", "heading"), [((3.0, 4.0), 36.87), ((-2.0, 0.0), 270.0), ((0.0, -6.0), 180.0)])
@pytest.mark.parametrize("drift", [(0.0, 0.0), (5.0, 2.0)])
def test_speed_and_heading_are_those_of_the_walk_whether_the_drone_stands_or_flies(pace, heading, drift) -> None:
    flown, at, points = walk(6, pace, drift)
    found = motion(flight(6, frame_synchronous=True, **flown), HD, np.zeros(6, np.int64), at, points)
    assert found.speed_mps == pytest.approx(np.full(6, np.hypot(*pace)), rel=0.01)
    moving = np.isfinite(found.heading_deg)
    assert moving[1:-1].all() or np.hypot(*pace) < 3
    assert found.heading_deg[moving] == pytest.approx(np.full(int(moving.sum()), heading), abs=0.5)
    assert (found.speed_error_mps > 0).all()
    assert (found.speed_error_mps[1:-1] < 4).all()


def test_errors_hold_95_times_of_100_when_the_camera_is_wrong_all_the_while() -> None:
    """3,000 walks of three seconds: one error of each kind for the whole of each, a tenth of it anew each second. Seed 3."""
    n, rng = 3000, np.random.default_rng(3)
    flown, at, points = walk(3, (3.0, 4.0), (4.0, 0.0))
    truth = {name: np.tile(np.broadcast_to(value, 3), n) for name, value in flown.items()}
    wrong = {}
    for name, sigma in (
        ("height_takeoff", sight.HEIGHT_TAKEOFF_M),
        ("camera_yaw", sight.YAW_DEG),
        ("camera_pitch", sight.PITCH_DEG),
    ):
        wrong[name] = truth[name] + np.repeat(rng.normal(0, sigma, n), 3) + rng.normal(0, sigma / 10, 3 * n)
    steps = np.repeat(rng.normal(0, sight.PLACE_M, (n, 2)), 3, 0) + rng.normal(0, sight.PLACE_M / 10, (3 * n, 2))
    places = earth.moved(np.stack([truth["latitude"], truth["longitude"]], -1), steps)
    # Walks lie ten minutes apart, so that none is joined with the next.
    moments = (np.repeat(np.arange(n), 3) * 600_000_000 + np.tile(at, n)).astype(np.int64)
    told = truth | wrong | {"latitude": places[:, 0], "longitude": places[:, 1]}
    feet = np.tile(points, (n, 1)) + rng.normal(0, geo.FOOT_SHARE, (3 * n, 2)) * np.array(HD) / 2
    flights = flight(3 * n, elapsed_us=moments, frame_synchronous=True, **told)
    found = motion(flights, HD, np.repeat(np.arange(n), 3), moments, feet)
    middle = np.arange(1, 3 * n, 3)
    off = np.abs(found.speed_mps[middle] - 5.0)
    assert 0.93 <= (off <= found.speed_error_mps[middle]).mean() <= 0.985
    assert np.median(found.speed_error_mps[middle]) < 3
    headed = np.isfinite(found.heading_deg[middle])
    turned = np.abs((found.heading_deg[middle] - 36.87 + 180) % 360 - 180)
    assert headed.mean() > 0.9
    assert 0.92 <= (turned <= found.heading_error_deg[middle])[headed].mean() <= 0.99


def test_who_stands_has_no_heading_and_a_lone_or_lost_point_no_speed() -> None:
    flown, at, points = walk(4, (0.0, 0.0))
    known = flight(4, frame_synchronous=True, **flown)
    found = motion(known, HD, np.zeros(4, np.int64), at, points)
    assert found.speed_mps == pytest.approx(np.zeros(4), abs=0.01)
    assert np.isnan(found.heading_deg).all()
    lone = motion(known, HD, np.arange(4), at, points)
    assert np.isnan(lone.speed_mps).all()
    points[1] = (960.0, 5000.0)
    lost = motion(known, HD, np.zeros(4, np.int64), at, points)
    assert np.isfinite(lost.speed_mps).tolist() == [False, False, True, True]
    assert len(motion(known, HD, np.zeros(0, np.int64), at[:0], points[:0]).speed_mps) == 0


def test_points_that_come_a_little_more_seldom_than_once_a_second_have_a_speed_at_their_ends_too() -> None:
    flown, at, points = walk(5, (3.0, 4.0))
    slow = at * 1002 // 1000
    found = motion(flight(5, elapsed_us=slow, frame_synchronous=True, **flown), HD, np.zeros(5, np.int64), slow, points)
    assert found.speed_mps == pytest.approx(np.full(5, 5 / 1.002), rel=0.01)


def test_two_tracks_are_not_mixed_and_come_in_the_order_that_they_were_asked_for() -> None:
    flown, at, points = walk(4, (0.0, 3.0))
    _, _, others = walk(4, (0.0, -3.0))
    track, when = np.tile([1, 0], 4), np.repeat(at, 2)
    both = np.stack([points, others], 1).reshape(-1, 2)
    found = motion(flight(4, frame_synchronous=True, **flown), HD, track, when, both)
    headings = found.heading_deg[2:6]
    assert headings == pytest.approx([0, 180, 0, 180], abs=1) or (headings + 10) % 360 == pytest.approx(
        [10, 190, 10, 190], abs=1
    )


def test_rounded_places_make_a_speed_unsure() -> None:
    flown, at, points = walk(4, (3.0, 4.0))
    fine = motion(flight(4, frame_synchronous=True, **flown), HD, np.zeros(4, np.int64), at, points)
    flown |= {"latitude": 51.5001, "longitude": -0.1002}
    coarse = motion(flight(4, frame_synchronous=True, **flown), HD, np.zeros(4, np.int64), at, points)
    assert (coarse.speed_error_mps > fine.speed_error_mps + 2).all()

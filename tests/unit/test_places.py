"""Shapes as they are asked for, the cells of the index, and the exact test: nothing that covers a place is lost."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import earth
from evidence.errors import BadInput
from evidence.places import Shape, asked, box, circle, polygon
from evidence.telemetry import NO_TIME
from storage import cells
from storage.blocks import blocks_of, read_block, to_degrees, to_units
from storage.sightings import covering, drawn
from storage.spans import joined, seconds_as_spans
from storage.stretches import POSITION, at_most, held, nearby, stretches_of
from tests.devices import DERIVED, ESTIMATED, MEASURED, rectangle, seconds, wandering

# --- what is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        {"bbox": "1,2,3"},
        {"bbox": "1,2,x,4"},
        {"bbox": "1,nan,2,3"},
        {"bbox": "1,5,2,3"},
        {"bbox": "1,2,1,3"},
        {"bbox": "-181,2,1,3"},
        {"bbox": "1,2,3,89"},
        {"corners": "1,2;3,4"},
        {"corners": "1,2;3,4;x"},
        {"corners": "0,80;120,80;-120,80"},
        {"near": "52,0"},
        {"near": "52,0,0"},
        {"near": "52,0,1e9"},
        {"near": "52,0,5", "bbox": "1,2,3,4"},
    ],
)
def test_what_is_no_shape_is_refused_in_words(address: dict[str, str]) -> None:
    with pytest.raises(BadInput) as refused:
        asked(**address)
    assert refused.value.hint


def test_a_shape_says_how_it_was_asked_for_and_nothing_asked_is_none() -> None:
    assert asked() is None
    shape = asked(corners="-0.1,52;0.1,52;0,52.25")
    assert shape is not None
    assert shape.words == "polygon=-0.1,52;0.1,52;0,52.25"
    assert shape.ring_lonlat == ((-0.1, 52.0), (0.1, 52.0), (0.0, 52.25))


def test_shapes_go_on_across_the_antimeridian() -> None:
    assert box(179, -10, -179, 10).ring_lonlat[1] == (181, -10)
    ring = polygon([(179.5, 0), (-179.5, 0), (-179.5, 1), (179.5, 1)]).ring_lonlat
    assert [lon for lon, _ in ring] == [179.5, 180.5, 180.5, 179.5]


@given(st.floats(-84, 84), st.floats(-180, 180), st.floats(0.5, 20_000), st.floats(0, 360))
def test_a_circle_holds_all_that_is_near_and_little_more(lat: float, lon: float, radius_m: float, turn: float) -> None:
    around = drawn(circle(lat, lon, radius_m))
    way = np.array([np.sin(np.radians(turn)), np.cos(np.radians(turn))])
    for share, inside in ((0.999, True), (1.01, False)):
        place = earth.moved(np.array([lat, lon]), radius_m * share * way)
        east = lon + (place[1] - lon + 180) % 360 - 180
        assert shapely.intersects_xy(around, east, place[0]) == inside


# --- cells -----------------------------------------------------------------------------------------------------------

LATITUDES = st.floats(-84, 84)
LONGITUDES = st.one_of(st.floats(-180, 180), st.floats(179.99, 180), st.floats(-180, -179.99))
SIZES = st.sampled_from([1.0, 30.0, 300.0, 3_000.0, 30_000.0])


def shapes_near(lat: float, lon: float, size_m: float, kind: int, turn: float) -> Shape:
    if kind == 0:
        return circle(lat, lon, size_m)
    ring = rectangle(np.array([[lat, lon]]), np.array([turn]), size_m, size_m * (0.2 if kind == 1 else 1))[0]
    return polygon([(corner[1], corner[0]) for corner in ring.tolist()])


@settings(max_examples=150, deadline=None)
@given(LATITUDES, LONGITUDES, SIZES, SIZES, st.integers(0, 2), st.floats(0, 360), st.floats(-1.2, 1.2), st.floats(0, 360))
def test_what_has_a_point_in_common_with_the_shape_is_among_the_candidates(
    lat: float, lon: float, seen_m: float, asked_m: float, kind: int, yaw: float, apart: float, turn: float
) -> None:
    """A footprint, and a device's position, near the edge of a shape: whatever the exact test finds, the cells gave."""
    here = np.array([[lat, lon]])
    away = apart * (seen_m + asked_m) / 2 * np.array([[np.sin(np.radians(turn)), np.cos(np.radians(turn))]])
    middle = earth.moved(here, away)
    if abs(middle[0, 0]) > 84.5:
        return
    shape = drawn(shapes_near(lat, lon, asked_m, kind, turn))
    records = seconds(middle, rectangle(middle, np.array([yaw]), seen_m, seen_m * 0.6))
    (block,) = blocks_of(records)
    found = covering(read_block(block.seconds), shape)
    ranges = cells.ranges(shape)
    candidate = ranges is None or any(low <= cell <= high for cell in block.cells for low, high in ranges)
    assert candidate or not len(found.row)


def test_few_cells_lead_to_a_place_however_large_it_is() -> None:
    for size_m, most in ((50, 6), (2_000, 60), (30_000, 150), (200_000, 150)):
        middle = np.array([[52.0, 0.1]])
        ground = shapely.Polygon(rectangle(middle, np.array([30.0]), size_m, size_m)[0][:, ::-1])
        assert 1 <= len(cells.of_ground(ground)) <= most
    assert cells.ranges(drawn(box(-170, -80, 170, 80))) is None
    ranges = cells.ranges(drawn(circle(52, 0.1, 20)))
    assert ranges is not None
    assert len(ranges) < 20
    assert all(a[1] < b[0] for a, b in itertools.pairwise(ranges))


# --- the exact test --------------------------------------------------------------------------------------------------


def test_a_spot_in_the_middle_and_large_is_seen_better_than_far_off_at_the_edge() -> None:
    spot = np.array([52.0, 0.0])
    shape = drawn(circle(52.0, 0.0, 10))
    at = np.broadcast_to(spot, (4, 2))
    middles = earth.moved(at, np.array([[0.0, 0.0], [35.0, 0.0], [0.0, 0.0], [0.0, 400.0]]))
    wide = np.concatenate(
        [
            rectangle(middles[:2], np.zeros(2), 84, 47),
            rectangle(middles[2:3], np.zeros(1), 600, 400),
            middles[3:, None] + 0 * at,
        ]
    )
    found = covering(seconds(np.full((4, 2), 10.0), wide), shape)
    assert found.row.tolist() == [0, 1, 2]
    assert found.quality[0] > found.quality[1] > found.quality[2] > 0
    guessed = covering(seconds(np.full((4, 2), 10.0), wide, worth=ESTIMATED), shape)
    assert (guessed.quality < found.quality).all()


def test_a_device_that_stands_there_and_looks_away_is_found_by_its_position() -> None:
    camera = np.array([[52.0, 0.0], [52.0, 0.0], [53.0, 0.0]])
    away = rectangle(camera + np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]), np.zeros(3), 50, 50)
    found = covering(seconds(camera, away), drawn(circle(52.0, 0.0, 10)))
    assert list(zip(found.row.tolist(), found.by.tolist(), strict=True)) == [(0, 0), (1, 1)]


def test_seconds_join_into_spans_of_one_kind() -> None:
    n = 8
    records = seconds(np.broadcast_to([52.0, 0.0], (n, 2)))
    records["placed_by"][4:6] = 0  # two seconds without a fix
    found = covering(records, drawn(circle(52.0, 0.0, 10)))
    at, zeros = records["at_us"][found.row], np.zeros(len(found.row), np.int64)
    told = joined(seconds_as_spans(zeros, zeros, at, np.full(len(at), NO_TIME), found))
    assert [t.tolist() for t in (told.from_us, told.to_us)] == [[0, 6_000_000], [3_000_000, 7_000_000]]
    assert told.by.tolist() == [POSITION, POSITION]
    assert told.certainty.tolist() == [MEASURED, MEASURED]


# --- stretches -------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(LATITUDES, LONGITUDES, SIZES, SIZES, st.integers(0, 2), st.floats(0, 360), st.floats(0, 2), st.integers(0, 9))
def test_a_stretch_tells_of_its_seconds_what_reading_them_would(
    lat: float, lon: float, seen_m: float, asked_m: float, kind: int, turn: float, apart: float, seed: int
) -> None:
    """Held as a whole: every second counts, the best one as well as it is weighed. Not near: none. And never better."""
    random = np.random.default_rng(seed)
    away = apart * (seen_m + asked_m) / 2 * np.array([[np.sin(np.radians(turn)), np.cos(np.radians(turn))]])
    middle = earth.moved(np.array([[lat, lon]]), away)[0]
    if abs(middle[0]) > 84.0:
        return
    way, heading = wandering(random, (float(middle[0]), float(middle[1])), 60)
    way[:, 1] = (way[:, 1] + 180) % 360 - 180
    records = seconds(way, rectangle(way, heading, seen_m, seen_m * 0.6), clock_s=1_000_000)
    records["seen_by"] = random.choice([0, DERIVED, ESTIMATED], 60, p=[0.1, 0.8, 0.1])
    records["placed_by"][random.random(60) < 0.1] = 0
    shape = drawn(shapes_near(lat, lon, asked_m, kind, turn))
    stretches = stretches_of(records)
    found = covering(records, shape)
    near, inside = nearby(stretches, shape)
    best, most = held(stretches, shape), at_most(stretches, shape)
    for row, stretch in enumerate(stretches):
        mine = (records["at_us"] >= stretch["from_us"]) & (records["at_us"] <= stretch["to_us"])
        searchable = mine & ((records["seen_by"] > 0) | (records["placed_by"] > 0))
        covered = np.isin(found.row, np.flatnonzero(mine))
        assert near[row] or not covered.any()
        assert (found.quality[covered] <= most[row] + 1e-6).all()
        if inside[row]:
            assert covered.sum() == searchable.sum()
            assert (found.by[covered] == stretch["by"]).all()
            assert (found.certainty[covered] == stretch["certainty"]).all()
            assert np.isclose(found.quality[covered].max(), best[row], atol=1e-4)


def test_a_stretch_ends_where_its_clock_leaps() -> None:
    records = seconds(np.broadcast_to([52.0, 0.0], (9, 2)), clock_s=0)
    records["clock_us"][3:] += 7_000_000
    records["clock_us"][6:] = NO_TIME
    told = stretches_of(records)
    assert (told["from_us"] // 1_000_000).tolist() == [0, 3, 6]
    assert told["clock_to_us"].tolist() == [2_000_000, 12_000_000, NO_TIME]


def test_blocks_are_minutes_and_keep_every_second() -> None:
    way, heading = wandering(np.random.default_rng(4), (52.0, 0.0), 150)
    records = seconds(way, rectangle(way, heading, 80, 45), first_s=30)
    blocks = list(blocks_of(records))
    assert [block.minute for block in blocks] == [0, 1, 2]
    assert np.array_equal(np.concatenate([read_block(block.seconds) for block in blocks]), records)


def test_places_are_kept_to_a_centimetre_and_what_is_none_on_earth_is_none() -> None:
    degrees = np.array([52.12345678, -179.9999999, np.nan, np.inf, 1e9, 359.0])
    kept = to_degrees(to_units(degrees))
    assert np.allclose(kept[:2], degrees[:2], atol=1e-7)
    assert np.isnan(kept[2:]).all()


def test_ground_that_no_camera_can_see_is_kept_and_not_searched() -> None:
    corners = np.array([[[52.0, 0.0], [52.0, 9.0], [40.0, 9.0], [40.0, 0.0]]])
    (block,) = blocks_of(seconds(np.array([[np.nan, np.nan]]), corners))
    assert not block.cells
    assert not len(covering(read_block(block.seconds), drawn(circle(45, 4, 100))).row)

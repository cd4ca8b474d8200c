"""Tiles leave nothing out, and what is seen in them becomes one box for each thing, borders or not."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.detector import Found
from detectors.motion import Motion
from detectors.plan import Now
from detectors.rules import rule_for
from detectors.tiled import Asked, Still, Tiled, TilePlan, choose
from detectors.tiles import OVERLAP, Sights, cut_sides, layout, merged
from evidence.errors import BadInput

SIZES = st.tuples(st.integers(64, 4200), st.integers(64, 4200))
SCALES = st.sampled_from([0.34, 0.5, 2 / 3, 0.8, 1.0, 1.5])


def kind_of(label: str) -> frozenset[str]:
    return rule_for(label).labels


@given(SIZES, SCALES, st.integers(200, 960))
def test_tiles_are_of_one_size_cover_the_picture_and_overlap(size_wh, scale, side):
    boxes = layout(size_wh, scale, side)
    assert len({(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes}) == 1
    for axis in (0, 1):
        spans = sorted({(box[axis], box[axis + 2]) for box in boxes})
        assert spans[0][0] == 0
        assert spans[-1][1] == size_wh[axis]
        assert all((end - begin) * scale <= side + 2 * scale for begin, end in spans)
        for (_, end), (begin, _) in pairwise(spans):
            assert end - begin >= OVERLAP / scale - 1
    across, down = ({(box[i], box[i + 2]) for box in boxes} for i in (0, 1))
    assert len(boxes) == len(across) * len(down), "every column has every row"


def sights_in(things: list[tuple[float, float, float, float]], size_wh, scale: float, side: int) -> Found:
    """What an eye that sees everything sees in each tile, as much of it as lies there, made one."""
    looks = []
    for tile in layout(size_wh, scale, side):
        there = [
            box
            for x0, y0, x1, y1 in things
            if (box := (max(x0, tile[0]), max(y0, tile[1]), min(x1, tile[2]), min(y1, tile[3])))
            and box[2] - box[0] > 2
            and box[3] - box[1] > 2
        ]
        boxes = np.array(there, np.float32).reshape(-1, 4)
        found = Found(boxes, np.full(len(there), 0.8, np.float32), ("car",) * len(there))
        looks.append((found, cut_sides(boxes, tile, size_wh, scale)))
    return merged(Sights.of(looks), kind_of)


@given(st.integers(0, 1800), st.integers(0, 1000), st.integers(10, 400), st.integers(10, 300), st.integers(320, 640))
def test_a_thing_is_one_box_wherever_borders_cut_it(x, y, w, h, side):
    """Smaller than the overlap or larger than a tile, in a corner where four tiles meet or across all of them."""
    thing = (float(x), float(y), float(min(1920, x + w)), float(min(1080, y + h)))
    found = sights_in([thing], (1920, 1080), 1.0, side)
    assert len(found) == 1
    np.testing.assert_allclose(found.box_xyxy[0], thing, atol=3.1)


@given(st.integers(0, 2**31), st.sampled_from([1.0, 2 / 3]))
def test_things_that_lie_apart_are_each_one_box(seed, scale):
    rng = np.random.default_rng(seed)
    things = []
    for column in range(6):
        for row in range(4):
            x, y = column * 320 + rng.uniform(0, 150), row * 270 + rng.uniform(0, 120)
            things.append((x, y, x + rng.uniform(12, 150), y + rng.uniform(12, 130)))
    found = sights_in(things, (1920, 1080), scale, 512)
    assert len(found) == len(things)
    for thing in things:
        assert np.abs(found.box_xyxy - np.array(thing)).max(axis=1).min() < 5


def look(*rows: tuple[tuple[float, float, float, float], float, str]) -> tuple[Found, np.ndarray]:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    found = Found(boxes, np.array([row[1] for row in rows], np.float32), tuple(row[2] for row in rows))
    return found, np.zeros((len(rows), 4), np.bool_)


def test_several_looks_at_one_thing_are_one_box_named_by_the_surest():
    whole = look(((100, 100, 140, 130), 0.3, "truck"))
    tile = look(((104, 100, 144, 130), 0.9, "car"))
    found = merged(Sights.of([whole, tile]), kind_of)
    assert found.label == ("car",)
    assert found.score.tolist() == pytest.approx([0.9])
    assert found.box_xyxy[0].tolist() == pytest.approx([103, 100, 143, 130], abs=0.1)


def test_two_boxes_of_one_look_are_two_things_and_so_are_two_kinds():
    crowd = look(((100, 100, 140, 200), 0.9, "person"), ((112, 100, 152, 200), 0.8, "person"))
    bicycle = look(((102, 100, 142, 200), 0.7, "bicycle"))
    found = merged(Sights.of([crowd, bicycle]), kind_of)
    assert found.label == ("person", "person", "bicycle")


def test_a_part_is_left_out_where_the_whole_was_seen_and_kept_where_nobody_saw_it():
    whole = look(((500, 100, 700, 200), 0.8, "car"))
    part = look(((500, 100, 640, 200), 0.9, "car"), ((560, 700, 640, 800), 0.9, "car"))
    cut = np.array([[False, False, True, False]] * 2)
    found = merged(Sights.of([whole, (part[0], cut)]), kind_of)
    assert [[round(side) for side in box] for box in found.box_xyxy.tolist()] == [[560, 700, 640, 800], [500, 100, 700, 200]]


def test_nothing_seen_is_nothing():
    assert len(merged(Sights.of([look()]), kind_of)) == 0


class Eye:
    """A model that finds bright squares of at least so many pixels of what it is shown."""

    name, labels, runtime = "eye", ("person",), "test exact"

    def __init__(self, picture_wh: tuple[int, int], sees_from: int = 8) -> None:
        self.picture_wh, self._sees_from = picture_wh, sees_from
        self.seen = 0

    def detect(self, picture: np.ndarray) -> Found:
        import cv2

        self.seen += 1
        assert picture.shape[:2] == (self.picture_wh[1], self.picture_wh[0])
        count, _, stats, _ = cv2.connectedComponentsWithStats((picture[:, :, 0] > 127).astype(np.uint8))
        rows = [(x, y, x + w, y + h) for x, y, w, h, _ in stats[1:count] if max(w, h) >= self._sees_from]
        return Found(np.array(rows, np.float32).reshape(-1, 4), np.full(len(rows), 0.9, np.float32), ("person",) * len(rows))


def picture_of(side: int, at: list[tuple[int, int]], size_wh=(1920, 1080)) -> Still:
    picture = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    for x, y in at:
        picture[y : y + side, x : x + side] = 255
    return Still(picture)


SPREAD = [(200, 150), (700, 400), (1500, 300), (900, 900), (1700, 950)]
WHOLE = (640, 360)


def chosen(asked: Asked, *views: Still, size_wh=(1920, 1080)):
    asked_for: list[bool] = []

    def samples() -> list[Still]:
        asked_for.append(True)
        return list(views)

    whole = Eye((640, round(640 * size_wh[1] / size_wh[0])))
    return choose(asked, whole, Eye, size_wh, 0.35, samples), asked_for


def test_small_things_are_worth_tiles_at_the_smallest_scale_that_shows_them():
    found, _ = chosen(Asked(), picture_of(16, SPREAD), picture_of(16, SPREAD))
    assert found.plan == TilePlan(2 / 3, 640)
    assert found.measured["new_by_scale"] == {"0.667": 10, "1.000": 10}
    smaller, _ = chosen(Asked(), picture_of(10, SPREAD))
    assert smaller.plan == TilePlan(1.0, 640)


def test_large_things_nothing_at_all_and_small_pictures_are_looked_at_as_ever():
    large, _ = chosen(Asked(), picture_of(240, [(100, 100), (900, 500)]))
    assert large.plan is None
    assert "new_by_scale" not in large.measured, "tiles are not even tried"
    empty, _ = chosen(Asked(), picture_of(16, []))
    assert empty.plan is None
    seen_already, _ = chosen(Asked(), picture_of(30, SPREAD))
    assert seen_already.plan is None
    small, asked = chosen(Asked(), picture_of(16, SPREAD, (640, 480)), size_wh=(640, 480))
    assert small.plan is None
    assert not asked, "nothing is decoded for it"


@pytest.mark.parametrize(("height", "scale"), [(8, None), (60, 1.0), (25, 0.7), (400, 1.0)])
def test_height_and_field_of_view_decide_without_a_look(height, scale):
    found, asked = chosen(Asked.read({"mode": "auto", "height_m": height, "view_deg": 80}), picture_of(16, SPREAD))
    assert (found.plan and round(found.plan.scale, 2)) == scale
    assert not asked
    assert found.measured["height_m"] == height


def test_what_a_person_asks_for_is_done():
    assert chosen(Asked.read({"mode": "off"}), picture_of(16, SPREAD))[0].plan is None
    assert chosen(Asked.read({"mode": "416"}))[0].plan == TilePlan(1.0, 416)
    assert chosen(Asked.read({"mode": "1280"}))[0].plan == TilePlan(0.5, 640)
    for wrong in ("some", "12", "-640", "6e2", ""):
        with pytest.raises(BadInput):
            Asked.read({"mode": wrong})


@given(st.one_of(st.text(max_size=6), st.integers(-9999, 9999)), st.floats(), st.floats())
def test_asking_is_refused_in_words_or_understood(mode, height, view):
    try:
        asked = Asked.read({"mode": mode, "height_m": height, "view_deg": view})
    except BadInput:
        return
    assert asked.side or asked.mode in ("auto", "off")
    choose(asked, Eye(WHOLE), Eye, (1920, 1080), 0.35, list)


def at(number: int, rate: int, *, must_look: bool = False) -> Now:
    return Now(number, number, Fraction(number, rate), Motion((0.1, 0.0), 0.9), must_look)


@pytest.mark.parametrize(("rate", "of_ten"), [(30, 4), (10, 10), (5, 10)])
def test_tiles_are_looked_at_ten_times_a_second_and_the_whole_in_every_frame(rate, of_ten):
    view = picture_of(16, SPREAD)
    tiled = Tiled(Eye(WHOLE), Eye, TilePlan(2 / 3, 640), (1920, 1080))
    found = [len(tiled.look(view, at(n, rate))) for n in range(10)]
    assert found.count(len(SPREAD)) == of_ten
    assert found.count(0) == 10 - of_ten
    looks = {line["look"]: line["count"] for line in tiled.looks.to_json()}
    assert looks == {"whole": 10, "tiles": of_ten}
    tiled.begin()
    assert len(tiled.look(view, at(11, rate))) == len(SPREAD), "beginning anew, it looks at once"
    assert all(len(tiled.look(view, at(n, rate, must_look=True))) == len(SPREAD) for n in range(12, 15))


def test_boxes_come_back_to_where_they_are_and_a_picture_of_another_size_is_seen_as_a_whole():
    tiled = Tiled(Eye(WHOLE), Eye, TilePlan(1.0, 512), (1920, 1080))
    found = tiled.detect(cv2_scaled(picture_of(16, SPREAD)))
    assert len(found) == 0
    found = tiled.look(picture_of(16, SPREAD), at(0, 25))
    assert sorted(tuple(map(round, box)) for box in found.box_xyxy.tolist()) == sorted(
        (x, y, x + 16, y + 16) for x, y in SPREAD
    )


def cv2_scaled(view: Still) -> np.ndarray:
    return view.small_rgb(WHOLE)

"""Close looks: tiles that leave nothing out, and parts that give boxes back where they are in the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.close import CloseLooks, tiles
from detectors.detector import Picture, letterbox
from detectors.motion import Motion
from detectors.plan import Now, Record

SIZES = [(1920, 1080), (1080, 1920), (1280, 720), (640, 480), (3840, 2160), (320, 240), (2000, 400), (97, 1500)]


def sheet_for(size_wh: tuple[int, int]) -> tuple[int, int]:
    return letterbox(size_wh, 960, 0).outer_wh


@given(st.tuples(st.integers(96, 4000), st.integers(96, 4000)))
def test_tiles_cover_the_picture_and_fit_their_sheet(size_wh):
    scale = min(1920, max(1280, max(size_wh))) / max(size_wh)
    sheet = sheet_for(size_wh)
    seen = np.zeros((size_wh[1] // 8 + 1, size_wh[0] // 8 + 1), bool)
    for x0, y0, x1, y1 in tiles(size_wh, sheet, scale):
        assert 0 <= x0 < x1 <= size_wh[0]
        assert 0 <= y0 < y1 <= size_wh[1]
        assert round((x1 - x0) * scale) <= sheet[0]
        assert round((y1 - y0) * scale) <= sheet[1]
        seen[y0 // 8 : y1 // 8 + 1, x0 // 8 : x1 // 8 + 1] = True
    assert seen.all()


def at(number: int) -> Now:
    return Now(number, number, Fraction(number, 25), Motion((0.0, 0.0), 0.9, 0.0))


class Dots:
    """A picture with bright dots, as a frame shows it; what is found are the dots."""

    def __init__(self, size_wh: tuple[int, int], dots: list[tuple[int, int]]) -> None:
        self.upright_size_wh = size_wh
        self.picture = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
        for x, y in dots:
            self.picture[y - 4 : y + 5, x - 4 : x + 5] = 255

    def small_rgb(self, size_wh: tuple[int, int]) -> Picture:
        raise AssertionError("a close look needs no picture of the whole")

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_wh: tuple[int, int]) -> Picture:
        import cv2

        x0, y0, x1, y1 = box_xyxy
        return cv2.resize(self.picture[y0:y1, x0:x1], size_wh, interpolation=cv2.INTER_AREA)


def find_dots(sheet: Picture) -> tuple[np.ndarray, np.ndarray]:
    import cv2

    count, _, stats, _ = cv2.connectedComponentsWithStats((sheet[:, :, 0] > 127).astype(np.uint8))
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h, _ in stats[1:count]], np.float32).reshape(-1, 4)
    return boxes, np.full(len(boxes), 0.9, np.float32)


def find_dots_in_each(pictures: Sequence[Callable[[], Picture]]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [find_dots(picture()) for picture in pictures]


@pytest.mark.parametrize("size_wh", SIZES)
def test_everything_is_found_where_it_is(size_wh):
    """Dots everywhere, at the edges and in the corners too, more than one frame's looks are for."""
    across = np.unique(np.linspace(6, size_wh[0] - 7, 6).astype(int))
    down = np.unique(np.linspace(6, size_wh[1] - 7, 5).astype(int))
    dots = [(int(x), int(y)) for x in across for y in down]
    view = Dots(size_wh, dots)
    looks = CloseLooks(find_dots_in_each, size_wh, 0.1, 0.5, Record(), sheet_for(size_wh))
    found = []
    for n in range(200):
        box, score, earlier = looks.at(view, at(n), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        assert len(box) == len(score)
        box = np.concatenate([box, *(one.box for one in earlier)])
        found += [tuple(middle) for middle in ((box[:, :2] + box[:, 2:]) / 2).tolist()]
    room = 6  # A dot that the edge of a tile or a cell cuts has its middle elsewhere.
    assert all(min(np.hypot(x - a, y - b) for a, b in dots) <= room for x, y in found), "nothing where nothing is"
    assert all(min(np.hypot(x - a, y - b) for x, y in found) <= room for a, b in dots), "nothing is missed"


def test_what_is_gone_is_given_up():
    size_wh = (640, 360)
    looks = CloseLooks(find_dots_in_each, size_wh, 0.1, 0.5, Record(), sheet_for(size_wh))
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    there, gone = Dots(size_wh, [(100, 100)]), Dots(size_wh, [])
    seen = [len(looks.at(there, at(n), *nothing)[0]) for n in range(40)]
    assert any(seen[20:])
    for n in range(40, 80):
        assert len(looks.at(gone, at(n), *nothing)[0]) == 0
    record = Record()
    watched = CloseLooks(find_dots_in_each, size_wh, 0.1, 0.5, record, sheet_for(size_wh))
    for n in range(40):
        watched.at(gone, at(n), *nothing)
    assert [(line["look"], line["count"]) for line in record.to_json()] == [("tile", 16)], "nothing is known: tiles only"


def test_a_face_that_stays_is_looked_at_less_and_less_and_a_moving_one_is_not():
    size_wh = (640, 360)
    counts = []
    for step in (0, 3):
        record = Record()
        looks = CloseLooks(find_dots_in_each, size_wh, 0.1, 0.5, record, sheet_for(size_wh))
        for n in range(80):
            looks.at(Dots(size_wh, [(100 + step * n, 100)]), at(n), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        counts.append(next(line["count"] for line in record.to_json() if line["look"] == "faces"))
    assert counts[0] <= 12 < 30 <= counts[1]


def test_a_picture_smaller_than_a_cell_is_left_to_the_whole_look():
    view = Dots((60, 40), [(20, 20)])
    looks = CloseLooks(find_dots_in_each, (60, 40), 0.1, 0.5, Record(), sheet_for((60, 40)))
    assert [len(looks.at(view, at(n), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))[0]) for n in range(8)] == [
        0
    ] * 8

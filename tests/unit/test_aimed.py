"""Aimed looks: what is seen on a sheet of parts is told where it lies in the picture, and nothing else is looked at."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from config.models import ModelTask
from detectors.aimed import AimedFaces, AimedPlates, aimed
from detectors.boxes import overlaps
from detectors.detector import NOTHING, Found, Picture
from detectors.filled import adapted, lowered
from detectors.motion import Motion
from detectors.plan import Now, Record
from detectors.plates import Plates
from detectors.rules import rule_for
from tests.unit.test_close_looks import Dots, find_dots

SIZE_WH = (1920, 1080)


class Sees:
    """Finds bright dots, as a model of faces or plates finds those; `looks` has what it was given."""

    name, runtime, picture_wh = "dots", "here float32", (640, 360)

    def __init__(self, label: str) -> None:
        self.labels = (label,)
        self.looks = Record()

    def detect(self, picture: Picture) -> Found:
        box, score = find_dots(picture)
        return Found(box, score, self.labels * len(score))

    def closely(self, part: Picture) -> tuple[np.ndarray, np.ndarray]:
        return find_dots(part)

    def begin(self) -> None: ...

    def look(self, view: Dots, now: Now) -> Found:
        raise AssertionError("it is aimed")


class Seen(Dots):
    """The same picture, also as a whole."""

    def small_rgb(self, size_wh: tuple[int, int]) -> Picture:
        return self.part_rgb((0, 0, *self.upright_size_wh), size_wh)


def at(number: int) -> Now:
    return Now(number, number, Fraction(number, 5), Motion((0.0, 0.0), 0.9))


def objects(label: str, *boxes: tuple[int, int, int, int]) -> Found:
    return Found(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.5, np.float32), (label,) * len(boxes))


def middles(found: Found) -> list[tuple[float, float]]:
    return sorted((x, y) for x, y in ((found.box_xyxy[:, :2] + found.box_xyxy[:, 2:]) / 2).round().tolist())


def kinds(record: Record) -> list[str]:
    return [look["look"] for look in record.to_json() for _ in range(look["count"])]


PEOPLE = [(100 + 180 * n, 100 + 40 * n, 160 + 180 * n, 260 + 40 * n) for n in range(9)]
"""Standing, with a dot each where the face is."""
FACES = [((x0 + x1) // 2, y0 + 16) for x0, y0, x1, _ in PEOPLE]


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_faces_are_found_on_heads_where_they_are(count):
    view = Seen(SIZE_WH, FACES[:count])
    model = Sees("face")
    detector = AimedFaces(model, SIZE_WH, 0.1, 0.2)
    people = objects("person", *PEOPLE[:count])
    for number in range(6):
        found = detector.aim(view, at(number), people)
        assert len(found) == count
        assert all(np.hypot(a - x, b - y) <= 2 for (a, b), (x, y) in zip(middles(found), FACES[:count], strict=True))
    assert kinds(model.looks) == ["whole"] * 2 + ["heads"] * 6, "the whole once a second"


def test_a_face_on_nobody_is_looked_for_where_it_was():
    view, nothing = Seen(SIZE_WH, [(700, 500)]), Seen(SIZE_WH, [])
    detector = AimedFaces(Sees("face"), SIZE_WH, 0.1, 0.2)
    found = [detector.aim(view, at(number), NOTHING) for number in range(4)]
    assert [len(one) for one in found] == [1, 1, 1, 1]
    assert [len(detector.aim(nothing, at(number), NOTHING)) for number in (4, 5, 6, 7)] == [0] * 4
    assert len(detector.aim(view, at(8), NOTHING)) == 0, "it was given up, and the whole is not yet looked at again"
    assert len(detector.aim(view, at(10), NOTHING)) == 1


def test_plates_are_found_on_vehicles_where_they_are():
    cars = [
        (100, 100, 300, 260),
        (600, 400, 1000, 700),
        (1100, 300, 1250, 400),
        (1500, 800, 1900, 1070),
        (300, 800, 420, 900),
    ]
    plates = [((x0 + x1) // 2, y1 - 20) for x0, _, x1, y1 in cars]
    view, model = Seen(SIZE_WH, plates), Sees("licence plate")
    detector = AimedPlates(Plates(model), SIZE_WH)
    detector.aim(view, at(0), NOTHING)
    for number, count in enumerate((1, 2, 3, 4), start=1):
        found = detector.aim(view, at(number), objects("car", *cars[:count]))
        assert len(found) == count
        assert all(min(np.hypot(a - x, b - y) for a, b in plates[:count]) <= 3 for x, y in middles(found))
    seen = [detector.aim(view, at(number), objects("car", *cars)) for number in (6, 7, 8)]
    there = np.concatenate([one.box_xyxy for one in seen])
    around = np.array([(x - 10, y - 10, x + 10, y + 10) for x, y in plates], np.float32)
    assert (overlaps(around, there).max(axis=1) > 0).all(), "they take turns"
    assert not len(detector.aim(view, at(9), objects("person", PEOPLE[0]))), "no vehicle, no look"


def test_what_is_found_on_a_sheet_does_not_come_from_between_the_parts():
    """A dot where two parts meet on the sheet lies in neither of them by its middle, or in that whose pixel it is."""
    view = Seen(SIZE_WH, [(PEOPLE[0][0] - 6, PEOPLE[0][1] + 10)])
    detector = AimedFaces(Sees("face"), SIZE_WH, 0.1, 0.2)
    detector.aim(Seen(SIZE_WH, []), at(0), NOTHING)
    found = detector.aim(view, at(1), objects("person", *PEOPLE[:4]))
    assert all(np.hypot(x - PEOPLE[0][0] + 6, y - PEOPLE[0][1] - 10) <= 4 for x, y in middles(found))


def test_only_what_can_be_aimed_is():
    face, plates = Sees("face"), Plates(Sees("licence plate"))
    spec = {"low_threshold": 0.1}
    assert aimed(face, SIZE_WH, spec, ["car"]) is face
    assert aimed(plates, SIZE_WH, spec, ["person"]) is plates
    assert isinstance(aimed(face, SIZE_WH, spec, ["person"]), AimedFaces)
    assert isinstance(aimed(plates, SIZE_WH, spec, ["truck"]), AimedPlates)


def test_few_looks_start_a_track_from_less():
    models = [{"name": task.value, "task": task.value, "threshold": 0.5} for task in ModelTask]
    assert lowered(models) == {"objects": 0.35, "faces": 0.4, "plates": 0.35}
    person, face = adapted(rule_for("person")), adapted(rule_for("face"))
    assert (person.least_seen, face.least_seen) == (2, 2)
    assert face.sure > 0, "one faint look makes no track"
    assert 0 < person.sure < rule_for("person").sure

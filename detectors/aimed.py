"""Aimed looks, for an analysis that hides nothing: faces are sought where heads of people are, plates on vehicles.

A whole look for the faces of a full-HD picture costs as much as six sheets of sixteen heads each; one for plates as much
as a sheet of four vehicles, on which a plate is up to three times as large. So at most looks only these are looked at, and
once a second the whole picture as well, for what belongs to nobody who was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from detectors.boxes import middles_apart, suppress
from detectors.detector import NOTHING, Boxes, Detector, Found, Picture, Scores, View, whole_look
from detectors.parts import Part, square_around
from detectors.plan import Now, Record
from detectors.plates import Plates
from evidence.heads import FACE, PERSON, head_of

_WHOLE_EVERY = Fraction(1)
"""Seconds from one look at the whole picture to the next, at least: with half of it as many faces are found, with two fewer
(docs/adr/0011-few-looks-a-second.md)."""
_HEADS, _LONE = 28, 4
"""Heads on one frame, which take turns where there are more; and faces on nobody, where the heads leave no more room."""
_FORGOTTEN = 4
"""Looks in a row at which a face that sits on nobody may not be seen before it is no longer looked for there."""
_PERSON_SCORE, _VEHICLE_SCORE = 0.15, 0.2
"""A head or a plate found on what is no person or vehicle does no harm, and a look at a few is cheap."""
_KNOWN_FROM = 1.25
"""Times the least score from which a face is looked for again where it was."""
_SAME = 0.3
_ENLARGED = 3.0
"""How many times larger than the picture is: more shows nothing more."""
_EDGE = 3
"""Pixels of a part in which the middle of a face can't be trusted."""
_CELL = 96
"""Pixels of the sides of one place on the sheet: a face has about twenty of them then, and is seen as well as larger."""
_SHEETS = ((1, 1), (2, 2), (4, 2), (4, 4))
"""Places across and down."""
_AROUND_HEAD, _AROUND_FACE = 1.25, 4.5
"""Sides of a head's place, or of a face, that are shown."""
_VEHICLES = frozenset({"car", "bus", "truck", "motorcycle"})
_LEAST_VEHICLE = 48
"""Pixels of its longer side: the plate of a smaller one has no ten."""
_GRID = 2
"""Vehicles across and down on a sheet."""
_GAP = 4
"""Pixels around each on the sheet."""
_LARGEST_SCALE = 3.0
"""Larger than that nothing more is seen."""
_AROUND = 0.05
"""Of a vehicle's sides: its box may cut off the plate."""
_GREY = 114


@runtime_checkable
class Aimed(Protocol):
    """A detector that wants to know what others saw on the frame."""

    def aim(self, view: View, now: Now, objects: Found) -> Found:
        """The next frame that is looked at, and the people and vehicles on it. Units: pixels of the upright picture."""
        ...


@runtime_checkable
class Face(Detector, Protocol):
    """A face detector that can look at a part by itself."""

    def closely(self, part: Picture) -> tuple[Boxes, Scores]:
        """Boxes in pixels of the part."""
        ...


class _AtTimes:
    """A detector that looks at the whole now and then; what is in common of those below."""

    def __init__(self, model: Detector) -> None:
        self._model = model
        self.name, self.labels, self.runtime = model.name, model.labels, model.runtime
        self.begin()

    @property
    def picture_wh(self) -> tuple[int, int]:
        return self._model.picture_wh

    @property
    def looks(self) -> Record:
        return self._model.looks

    def detect(self, picture: Picture) -> Found:
        return self._model.detect(picture)

    def look(self, view: View, now: Now) -> Found:
        """The whole, where nothing is known of other models."""
        self.looks.add("whole", self.picture_wh, now.number)
        return whole_look(self._model, view)

    def begin(self) -> None:
        self._last: Fraction | None = None

    def _whole_due(self, now: Now) -> bool:
        due = self._last is None or now.motion.cut or now.second - self._last >= _WHOLE_EVERY
        if due:
            self._last = now.second
        return due


@dataclass(slots=True, eq=False)
class _Seen:
    """A face. `moved`: from the look before. `missed`: looks since it was seen last."""

    box: npt.NDArray[np.float32]
    moved: npt.NDArray[np.float32]
    missed: int = 0


class AimedFaces(_AtTimes):
    """Faces where heads are."""

    def __init__(self, model: Face, size_wh: tuple[int, int], least: float, known: float) -> None:
        """`least`: the score from which a face is told of; `known`: from which it is looked for again where it was."""
        self._closely, self._size_wh, self._least, self._known_from = model.closely, size_wh, least, known
        super().__init__(model)

    def begin(self) -> None:
        super().begin()
        self._known: list[_Seen] = []
        self._turn = 0

    def aim(self, view: View, now: Now, objects: Found) -> Found:
        if view.upright_size_wh != self._size_wh:
            return self.look(view, now)
        if now.motion.cut:
            self._known.clear()
        whole = self.look(view, now) if self._whole_due(now) else NOTHING
        places, most = self._places(objects), _SHEETS[-1][0] * _SHEETS[-1][1]
        seen = [self._sheet(view, places[first : first + most], now) for first in range(0, len(places), most)]
        box = np.concatenate([whole.box_xyxy, *(found for found, _ in seen)])
        score = np.concatenate([whole.score, *(found for _, found in seen)])
        kept = suppress(box, score, np.zeros(len(score), np.int64), _SAME, len(score))
        kept = kept[score[kept] >= self._least]
        box, score = np.clip(box[kept], 0, np.array(self._size_wh * 2)).astype(np.float32), score[kept]
        self._meet(box[score >= self._known_from])  # The surest first: there may be no room for all.
        return Found(box, score, (FACE,) * len(kept))

    def _places(self, objects: Found) -> list[tuple[npt.NDArray[np.float32], float]]:
        people = [i for i, label in enumerate(objects.label) if label == PERSON and objects.score[i] >= _PERSON_SCORE]
        heads = [np.array(head_of(_box(objects.box_xyxy[i]), self._size_wh[1]), np.float32) for i in people]
        if len(heads) > _HEADS:
            heads = [heads[(self._turn + n) % len(heads)] for n in range(_HEADS)]
            self._turn += _HEADS
        faces = _stacked([known.box + known.moved for known in self._known])
        lone = faces[~_inside(faces, _stacked(heads)).any(axis=1)]
        room = max(_LONE, _SHEETS[-1][0] * _SHEETS[-1][1] - len(heads))
        return [*((head, _AROUND_HEAD) for head in heads), *((face, _AROUND_FACE) for face in lone[:room])]

    def _sheet(self, view: View, places: Sequence[tuple[npt.NDArray[np.float32], float]], now: Now) -> tuple[Boxes, Scores]:
        """What is seen on all of these places, laid side by side: one look at sixteen takes as long as eight at one each."""
        across, down = next(shape for shape in _SHEETS if len(places) <= shape[0] * shape[1])
        sheet = np.zeros((down * _CELL, across * _CELL, 3), np.uint8)
        parts = [self._part(place, room) for place, room in places]
        for number, part in enumerate(parts):
            x, y = number % across * _CELL, number // across * _CELL
            sheet[y : y + _CELL, x : x + _CELL] = view.part_rgb(part, (_CELL, _CELL))
        self.looks.add("heads", (across * _CELL, down * _CELL), now.number)
        box, score = self._closely(sheet)
        middle = (box[:, :2] + box[:, 2:]) / 2
        column, row = (middle // _CELL).astype(int).T
        within = middle - np.stack([column, row], axis=1) * _CELL
        cell = row * across + column
        kept = ((within >= _EDGE) & (within < _CELL - _EDGE)).all(axis=1) & (cell >= 0) & (cell < len(parts))
        box, cell = box[kept] - np.tile(np.stack([column, row], axis=1)[kept] * _CELL, 2), cell[kept]
        shown = np.array(parts, np.float32)[cell]
        return np.tile(shown[:, :2], 2) + box * ((shown[:, 2:3] - shown[:, :1]) / _CELL), score[kept]

    def _part(self, place: npt.NDArray[np.float32], room: float) -> Part:
        """The square that is shown, enlarged as much as helps at most."""
        longest = float((place[2:] - place[:2]).max())
        return square_around(place, max(round(room * longest), round(_CELL / _ENLARGED)), self._size_wh)

    def _meet(self, box: Boxes) -> None:
        before, self._known = self._known, []
        near = _near(box, _stacked([known.box + known.moved for known in before]))
        met = np.logical_or.reduce(near, axis=0).tolist()
        for found, close in zip(box, near, strict=True):
            of = np.flatnonzero(close)
            moved = found - before[of[0]].box if len(of) and not before[of[0]].missed else np.zeros(4, np.float32)
            self._known.append(_Seen(found, moved))
            near[:, of] = False  # Each is one face.
        for known in (known for known, seen in zip(before, met, strict=True) if not seen):
            known.missed += 1
            if known.missed < _FORGOTTEN:
                self._known.append(known)


class AimedPlates(_AtTimes):
    """Plates on vehicles, up to four of them side by side in one look."""

    def __init__(self, model: Detector, size_wh: tuple[int, int]) -> None:
        self._size_wh = size_wh
        super().__init__(model)

    def begin(self) -> None:
        super().begin()
        self._turn = 0

    def aim(self, view: View, now: Now, objects: Found) -> Found:
        if view.upright_size_wh != self._size_wh:
            return self.look(view, now)
        found = [self.look(view, now)] if self._whole_due(now) else []
        vehicles = self._vehicles(objects)
        if vehicles:
            self.looks.add("vehicles", self.picture_wh, now.number)
            found.append(self._sheet(view, vehicles))
        if len(found) == 1:
            return found[0]
        box = np.concatenate([np.zeros((0, 4), np.float32), *(one.box_xyxy for one in found)])
        score = np.concatenate([np.zeros(0, np.float32), *(one.score for one in found)])
        kept = suppress(box, score, np.zeros(len(score), np.int64), _SAME, len(score))
        return Found(box[kept], score[kept], self.labels[:1] * len(kept))

    def _vehicles(self, objects: Found) -> list[Part]:
        """The parts of the picture that show them, as many as one sheet holds; they take turns."""
        rows = [i for i, label in enumerate(objects.label) if label in _VEHICLES and objects.score[i] >= _VEHICLE_SCORE]
        boxes = objects.box_xyxy[rows]
        boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= _LEAST_VEHICLE]
        most = _GRID * _GRID
        if len(boxes) > most:
            boxes = np.roll(boxes, -self._turn, axis=0)[:most]
            self._turn += most
        room = (boxes[:, 2:] - boxes[:, :2]) * _AROUND
        low = np.floor(np.maximum(0, boxes[:, :2] - room)).astype(int)
        high = np.ceil(np.minimum(self._size_wh, boxes[:, 2:] + room)).astype(int)
        return [(int(x0), int(y0), int(x1), int(y1)) for (x0, y0), (x1, y1) in zip(low, high, strict=True)]

    def _sheet(self, view: View, parts: Sequence[Part]) -> Found:
        width, height = self.picture_wh
        across = down = 1 if len(parts) == 1 else _GRID
        if len(parts) == 2:
            across, down = (1, 2) if width < height else (2, 1)
        cell_wh = (width // across, height // down)
        sheet = np.full((height, width, 3), _GREY, np.uint8)
        places = []
        for number, part in enumerate(parts):
            x, y = number % across * cell_wh[0], number // across * cell_wh[1]
            part_wh = (part[2] - part[0], part[3] - part[1])
            scale = min(_LARGEST_SCALE, *((cell - _GAP) / side for cell, side in zip(cell_wh, part_wh, strict=True)))
            w, h = (max(1, round(side * scale)) for side in part_wh)
            sheet[y : y + h, x : x + w] = view.part_rgb(part, (w, h))
            places.append((np.array([x, y, x + w, y + h], np.float32), np.array(part[:2], np.float32), scale))
        seen = self._model.detect(sheet)
        rows, boxes = [], []
        for row, inside in enumerate(_inside(seen.box_xyxy, _stacked([place for place, _, _ in places]))):
            for at in np.flatnonzero(inside)[:1].tolist():
                place, corner, scale = places[at]
                rows.append(row)
                boxes.append((seen.box_xyxy[row] - np.tile(place[:2], 2)) / scale + np.tile(corner, 2))
        box = np.array(boxes, np.float32).reshape(-1, 4)
        return Found(np.clip(box, 0, np.array(self._size_wh * 2, np.float32)), seen.score[rows], self.labels[:1] * len(rows))


def _box(box: npt.NDArray[np.float32]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box.tolist()
    return (x0, y0, x1, y1)


def _stacked(boxes: Sequence[npt.NDArray[np.float32]]) -> Boxes:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _inside(boxes: Boxes, places: Boxes) -> npt.NDArray[np.bool_]:
    """Whether the middle of each box lies in each place. Shape: (n, 4), (m, 4) to (n, m)."""
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]
    within: npt.NDArray[np.bool_] = (middle >= places[:, :2]) & (middle < places[:, 2:])
    return np.logical_and(within[..., 0], within[..., 1])


def _near(some: Boxes, others: Boxes) -> npt.NDArray[np.bool_]:
    """Whether the middles of every pair lie no further apart than the longest side of the two. Shape: (n, m)."""
    sides = [(box[:, 2:] - box[:, :2]).max(axis=1, initial=0) for box in (some, others)]
    near: npt.NDArray[np.bool_] = np.less_equal(middles_apart(some, others), np.maximum(sides[0][:, None], sides[1]))
    return near


def aimed(detector: Detector, size_wh: tuple[int, int], spec: Mapping[str, Any], others: Iterable[str]) -> Detector:
    """The detector itself where there is nothing to aim it at. `spec`: its line of DETECT's parameters; `others`: labels
    of what is looked for before it on each frame."""
    if isinstance(detector, Plates) and _VEHICLES & frozenset(others):
        return AimedPlates(detector, size_wh)
    if isinstance(detector, Face) and PERSON in others:
        return AimedFaces(detector, size_wh, spec["low_threshold"], _KNOWN_FROM * spec["low_threshold"])
    return detector

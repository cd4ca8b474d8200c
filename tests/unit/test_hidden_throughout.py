"""From what the detectors saw to the painted samples: whatever they missed between, no frame of a track is left open."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.tracker import follow
from evidence.heads import carried_on
from evidence.redaction import Hide, Margin, Masks, Redaction
from evidence.track import BoxXYXY, Detections
from media.orientation import UPRIGHT
from media.paint import cover
from media.planes import arrays, layout
from tests.unit.test_media_paint import FORMATS, noise

SIZE = (141, 93)
FRAMES = 30
PTS = np.arange(FRAMES, dtype=np.int64)
BASE = Fraction(1, 25)
SURE = 0.5


@st.composite
def seen(draw: st.DrawFn) -> Detections:
    """One or two things that move through the picture, seen on some frames only, surely or faintly."""
    rows: list[tuple[int, BoxXYXY, float, str]] = []
    for label in draw(st.lists(st.sampled_from(["face", "person"]), min_size=1, max_size=2)):
        w, h = draw(st.floats(6, 30)), draw(st.floats(8, 60))
        x, y = draw(st.floats(0, SIZE[0] - w)), draw(st.floats(0, SIZE[1] - h))
        dx, dy = draw(st.floats(-1.5, 1.5)), draw(st.floats(-1, 1))
        for frame in sorted(draw(st.sets(st.integers(0, FRAMES - 1), min_size=1))):
            box = (x + dx * frame, y + dy * frame, x + dx * frame + w, y + dy * frame + h)
            rows.append((frame, box, draw(st.sampled_from([0.2, 0.9])), label))
    rows.sort(key=lambda row: row[0])
    frame = np.array([row[0] for row in rows], np.int64)
    return Detections(
        frame=frame,
        pts=PTS[frame],
        box_xyxy=np.array([row[1] for row in rows], np.float32).reshape(-1, 4),
        score=np.array([row[2] for row in rows], np.float32),
        label=tuple(row[3] for row in rows),
        model=tuple("model" for _ in rows),
        time_base=BASE,
    )


@settings(max_examples=60, deadline=None)
@given(seen(), st.floats(0, 0.5), st.integers(0, 3), st.sampled_from(FORMATS))
def test_every_sample_of_every_frame_of_a_hidden_track_is_painted(
    found: Detections, grow: float, around: int, pixel_format: str
) -> None:
    tracks = carried_on(follow(found, PTS, {"model": SURE}, SIZE)[0], SIZE)
    redaction = Redaction(what=frozenset({Hide.FACES, Hide.PEOPLE}), margin=Margin(grow, around, around))
    masks = Masks(tracks, redaction, SIZE)
    boxes_of: dict[int, list[BoxXYXY]] = {frame: [] for frame in range(FRAMES)}
    for track in tracks:
        for box in track.boxes:
            x0, y0, x1, y1 = box.box_xyxy
            dx, dy = (x1 - x0) * grow, (y1 - y0) * grow
            boxes_of[box.frame].append((x0 - dx, y0 - dy, x1 + dx, y1 + dy))
    for row in range(len(found)):
        if found.label[row] == "face" and found.score[row] > SURE:
            assert boxes_of[int(found.frame[row])], "a face that was surely seen is in a track"
    for frame, boxes in boxes_of.items():
        picture = noise(pixel_format, SIZE, False)
        cover(picture, masks.at(frame), UPRIGHT)
        for box in boxes:
            _assert_painted(arrays(picture), pixel_format, box)


def _assert_painted(planes: list[np.ndarray], pixel_format: str, box: BoxXYXY) -> None:
    """Every sample that shares a pixel with the box, on every plane."""
    form = layout(pixel_format)
    assert form is not None
    left, top = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    right, bottom = min(SIZE[0], int(np.ceil(box[2]))), min(SIZE[1], int(np.ceil(box[3])))
    if left >= right or top >= bottom:
        return
    black = 0 if "j" in pixel_format else 16 << (form.bits - 8)
    for number, plane in enumerate(planes):
        sx, sy = form.step_xy if number else (1, 1)
        under = plane[top // sy : -(-bottom // sy), left // sx : -(-right // sx)]
        assert (under == (1 << (form.bits - 1) if number else black)).all()

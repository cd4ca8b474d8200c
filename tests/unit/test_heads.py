"""Heads from people: every head is hidden on every frame, and a face that turned away is carried on, never invented."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.heads import carried_on, head_of, heads_of
from evidence.redaction import Hide, Masks, Redaction
from evidence.track import BoxXYXY, Origin, Track, TrackBox
from tests.unit.test_redaction import tracks

SIZE = (1280, 720)


def track(number: int, label: str, frames: range, box_at: Callable[[int], BoxXYXY]) -> Track:
    boxes = (TrackBox(frame, frame * 40, box_at(frame), 0.8, Origin.DETECTED) for frame in frames)
    return Track(number, label, "model", Fraction(1, 1000), tuple(boxes))


def walking(frame: int) -> BoxXYXY:
    """A standing person, 80 × 200 pixels, who walks to the right."""
    x = 100.0 + 4 * frame
    return (x, 200.0, x + 80, 400.0)


def face_of(person: BoxXYXY) -> BoxXYXY:
    """20 × 24 pixels, a little right of the middle."""
    x, y = (person[0] + person[2]) / 2 + 6, person[1] + 22
    return (x - 10, y - 12, x + 10, y + 12)


def holds(outer: BoxXYXY, inner: BoxXYXY) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def on_frame(t: Track, frame: int) -> bool:
    return t.boxes[0].frame <= frame <= t.boxes[-1].frame


PERSON = track(1, "person", range(120), walking)
FACE = track(2, "face", range(40, 60), lambda frame: face_of(walking(frame)))


def test_a_face_is_carried_on_both_ways_while_its_person_is_there() -> None:
    person, face = carried_on([PERSON, FACE], SIZE)
    assert person == PERSON
    assert [box.frame for box in face.boxes] == list(range(120))
    assert face.boxes[40:60] == FACE.boxes
    assert {box.origin for box in (*face.boxes[:40], *face.boxes[60:])} == {Origin.TRACKED}
    for box in face.boxes:
        assert box.pts == box.frame * 40
        assert holds(box.box_xyxy, face_of(walking(box.frame)))
        assert holds(walking(box.frame), box.box_xyxy)
        assert box.box_xyxy[3] <= walking(box.frame)[1] + 60, "the head, not the body"


@pytest.mark.parametrize(
    "face",
    [
        pytest.param(track(2, "face", range(40, 42), lambda frame: face_of(walking(frame))), id="seen on two frames only"),
        pytest.param(track(2, "face", range(40, 60), lambda frame: (500.0, 10.0, 520.0, 34.0)), id="of nobody"),
        pytest.param(
            track(2, "face", range(40, 60), lambda frame: (walking(frame)[0], 320.0, walking(frame)[0] + 20, 344.0)),
            id="at the hip",
        ),
        pytest.param(track(2, "licence plate", range(40, 60), lambda frame: face_of(walking(frame))), id="a plate"),
    ],
)
def test_what_is_no_face_of_a_person_is_not_carried_on(face: Track) -> None:
    assert carried_on([PERSON, face], SIZE) == [PERSON, face]


def test_it_ends_where_another_face_of_the_same_person_begins() -> None:
    later = track(3, "face", range(90, 100), lambda frame: face_of(walking(frame)))
    _, first, second = carried_on([PERSON, FACE, later], SIZE)
    assert (first.boxes[0].frame, first.boxes[-1].frame) == (0, 89)
    assert (second.boxes[0].frame, second.boxes[-1].frame) == (60, 119)


def test_it_stays_with_the_person_whose_face_it_was() -> None:
    def other_way(frame: int) -> BoxXYXY:
        x = 540.0 - 4 * frame
        return (x, 205.0, x + 80, 405.0)

    other = track(3, "person", range(120), other_way)
    _, _, face = carried_on([PERSON, other, FACE], SIZE)
    assert all(holds(box.box_xyxy, face_of(walking(box.frame))) for box in face.boxes)


def test_a_head_that_left_over_the_upper_edge_is_not_guessed_at() -> None:
    def leaving(frame: int) -> BoxXYXY:
        y = 100.0 - 5 * frame
        return (300.0, max(0.0, y), 380.0, y + 200)

    def near(frame: int) -> BoxXYXY:
        return (300.0, max(0.0, 100.0 - 20 * frame), 700.0, 720.0)

    for person_at, last in ((leaving, 26), (near, 4)):
        person = track(1, "person", range(40), person_at)
        face = track(2, "face", range(4), lambda frame, at=person_at: face_of(at(frame)))
        _, carried = carried_on([person, face], SIZE)
        assert carried.boxes[-1].frame == last


@given(st.lists(st.one_of(tracks("face"), tracks("person")), max_size=6))
def test_nothing_is_taken_away_moved_or_invented(found: list[Track]) -> None:
    after = carried_on(found, SIZE)
    assert [(t.id, t.label) for t in after] == [(t.id, t.label) for t in found]
    peopled = {box.frame for t in found if t.label == "person" for box in t.boxes}
    for before, now in zip(found, after, strict=True):
        own = {box.frame: box for box in before.boxes}
        assert own.items() <= {box.frame: box for box in now.boxes}.items()
        if before.label != "face":
            assert now == before
        for box in now.boxes:
            if box.frame not in own:
                assert box.origin is Origin.TRACKED
                assert box.frame in peopled
                assert holds((0, 0, *SIZE), box.box_xyxy)


@given(st.lists(st.one_of(tracks("face"), tracks("person")), max_size=4), st.floats(0, 1), st.integers(0, 4))
def test_every_head_is_hidden_on_every_frame_with_its_margin(found: list[Track], grow: float, around: int) -> None:
    from evidence.redaction import Margin

    redaction = Redaction(what=frozenset({Hide.HEADS}), margin=Margin(grow, around, around))
    masks = Masks(found, redaction, SIZE)
    of_frame = {frame: masks.at(frame) for frame in range(400)}
    for t in found:
        for box in t.boxes:
            if t.label == "person" and any(f.label == "face" and on_frame(f, box.frame) for f in found):
                continue  # its head is around that face, if it is his: see below
            head = head_of(box.box_xyxy, SIZE[1]) if t.label == "person" else box.box_xyxy
            dx, dy = (head[2] - head[0]) * grow, (head[3] - head[1]) * grow
            grown = (head[0] - dx, head[1] - dy, head[2] + dx, head[3] + dy)
            assert any(holds(mask, grown) for mask in of_frame[box.frame])


def test_where_a_face_is_seen_its_person_s_head_is_around_it() -> None:
    def near(frame: int) -> BoxXYXY:
        return (300.0 + frame, 100.0, 800.0 + frame, 720.0)

    def its_face(frame: int) -> BoxXYXY:
        return (480.0 + frame, 180.0, 600.0 + frame, 330.0)

    heads = Redaction(what=frozenset({Hide.HEADS}))
    person, face = track(1, "person", range(30), near), track(2, "face", range(10, 20), its_face)
    masks = Masks([person, face], heads, SIZE)
    for frame in range(30):
        head = head_of(near(frame), SIZE[1])
        around = [mask for mask in masks.at(frame) if holds(mask, its_face(frame)) and mask[1] < 100]
        assert around, "up to the top of the person"
        assert any(holds(mask, head) for mask in around) == (not 10 <= frame < 20)
    behind = track(3, "person", range(30), lambda frame: (250.0 + frame, 90.0, 760.0 + frame, 720.0))
    for one in (person, behind):
        masks = Masks([person, behind, face], heads, SIZE)
        for box in one.boxes:
            head = head_of(box.box_xyxy, SIZE[1])
            assert any(holds(mask, head) for mask in masks.at(box.frame)), "whose face it is can't be told"


@given(tracks("person"))
def test_a_head_is_the_upper_part_of_its_person(person: Track) -> None:
    for whole, head in zip(person.boxes, heads_of(person, SIZE[1]).boxes, strict=True):
        assert (head.frame, head.pts) == (whole.frame, whole.pts)
        (x0, y0, x1, y1), (hx0, hy0, hx1, hy1) = whole.box_xyxy, head.box_xyxy
        assert (hx0, hy0, hx1) == (x0, y0, x1)
        assert 0.2 * (y1 - y0) <= hy1 - hy0 + 1e-6
        assert hy1 <= y1 + 1e-6


def test_heads_of_people_and_faces_but_nothing_else_of_them() -> None:
    standing = track(1, "person", range(1), lambda frame: (100.0, 100.0, 180.0, 300.0))
    (mask,) = Masks([standing], Redaction(what=frozenset({Hide.HEADS})), SIZE).at(0)
    assert mask[3] < 160
    (whole,) = Masks([standing], Redaction(what=frozenset({Hide.HEADS, Hide.PEOPLE})), SIZE).at(0)
    assert whole[3] > 300
    near = track(1, "person", range(1), lambda frame: (100.0, 100.0, 400.0, 720.0))
    (mask,) = Masks([near], Redaction(what=frozenset({Hide.HEADS})), SIZE).at(0)
    assert mask[3] > 100 + 310, "whoever isn't seen to the feet may be little more than a head"
    assert Masks([standing], Redaction(what=frozenset({Hide.FACES})), SIZE).at(0) == []

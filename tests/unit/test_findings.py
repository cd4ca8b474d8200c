"""What counts as open in a copy: hits outside the masks, seen again or surely; and the rule for a release."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import Conflict
from evidence.findings import NOT_LOOKED, Finding, Hit, findings, hidden_share, not_looked, require_releasable
from evidence.redaction import BoxXYXY, Masks, Redaction

SURE = {"eyes": 0.5}
LOOKS = tuple(range(0, 301, 5))


def hit(frame: int, box: BoxXYXY = (100, 100, 140, 150), score: float = 0.3, label: str = "face") -> Hit:
    return Hit(frame, box, score, label, "eyes")


def moved(frame: int, right: float) -> Hit:
    return hit(frame, (100 + right, 100, 140 + right, 150))


def test_one_faint_sight_is_nothing_two_in_a_row_or_one_sure_one_are_a_finding() -> None:
    assert findings([hit(10)], LOOKS, 5, SURE) == []
    assert findings([hit(10), hit(40)], LOOKS, 5, SURE) == []
    assert findings([hit(10), moved(15, 400)], LOOKS, 5, SURE) == []
    assert findings([hit(10), hit(15, label="licence plate")], LOOKS, 5, SURE) == []
    assert findings([hit(10), hit(25)], LOOKS, 5, SURE) == [], "missed on two looks between them"
    assert [f.hits for f in findings([hit(10), hit(20)], LOOKS, 5, SURE)] == [(hit(10), hit(20))]
    assert [f.best for f in findings([hit(10, score=0.5)], LOOKS, 5, SURE)] == [hit(10, score=0.5)]


def test_what_moves_on_is_one_thing_and_what_stands_elsewhere_another() -> None:
    walking = [moved(frame, 4 * frame) for frame in range(0, 50, 5)]
    standing = [hit(frame, (400, 300, 440, 350)) for frame in range(0, 50, 5)]
    found = findings([*standing, *walking], LOOKS, 5, SURE)
    assert sorted(len(f.hits) for f in found) == [10, 10]
    assert {f.hits for f in found} == {tuple(walking), tuple(standing)}


def test_looks_beside_a_look_count_as_neighbours() -> None:
    looked = sorted({*LOOKS, 39, 41})
    assert [len(f.hits) for f in findings([hit(40), hit(41)], looked, 5, SURE)] == [2]


def test_a_hit_is_hidden_by_the_masks_together() -> None:
    box: BoxXYXY = (0, 0, 100, 100)
    assert hidden_share(box, []) == 0
    assert hidden_share(box, [(-10, -10, 110, 110)]) == 1
    assert hidden_share(box, [(0, 0, 50, 100)]) == pytest.approx(0.5, abs=0.04)
    assert hidden_share(box, [(0, 0, 50, 100), (50, 0, 100, 50)]) == pytest.approx(0.75, abs=0.04)
    assert hidden_share(box, [(0, 0, 50, 100), (0, 0, 50, 100)]) == pytest.approx(0.5, abs=0.04)


@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.floats(0, 900), st.floats(5, 90)), min_size=1, max_size=6, unique_by=lambda t: t[0]
    ),
    st.integers(0, 20),
)
def test_the_track_of_a_finding_hides_every_sight_of_it_and_every_frame_between(
    sights: list[tuple[int, float, float]], reach: int
) -> None:
    hits = tuple(hit(frame, (x, x / 2, x + side, x / 2 + side)) for frame, x, side in sorted(sights))
    track = Finding(hits).track(7, range(0, 300, 3), Fraction(1, 90), reach)
    masks = Masks([track], Redaction())
    of_frame = {frame: masks.at(frame) for frame in range(100)}
    for each in hits:
        assert hidden_share(each.box_xyxy, of_frame[each.frame]) == 1
    for frame in range(max(0, hits[0].frame - reach), min(99, hits[-1].frame + reach) + 1):
        assert of_frame[frame], f"no mask on frame {frame}"


@pytest.mark.parametrize(
    ("second_look", "why"),
    [
        (None, "nothing has looked"),
        (NOT_LOOKED, "nothing has looked"),
        (not_looked([{"what": "plates", "reason": "no weights"}]), "nothing has looked"),
        ({"needed": True, "models": [{"name": "eyes"}], "open": 2}, "2 place"),
    ],
)
def test_a_copy_with_open_findings_or_without_a_second_look_cannot_be_released(
    second_look: dict[str, object] | None, why: str
) -> None:
    with pytest.raises(Conflict, match=why):
        require_releasable(second_look)


def test_a_copy_whose_findings_are_all_accepted_can_be_released() -> None:
    looked = {"needed": True, "models": [{"name": "eyes"}], "open": 2, "findings": [{"id": 1}, {"id": 2}]}
    with pytest.raises(Conflict, match="1 place"):
        require_releasable(looked, {2})
    with pytest.raises(Conflict, match="2 place"):
        require_releasable(looked, {3, 4})
    require_releasable(looked, {1, 2, 7})


def test_a_copy_in_which_nothing_is_open_or_nothing_is_to_be_found_can_be_released() -> None:
    require_releasable({"needed": True, "models": [{"name": "eyes"}], "open": 0})
    require_releasable(not_looked([]))

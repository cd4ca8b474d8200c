"""What a person labelled, and the arithmetic of how it is told: MOT text, shares, runs, agreement of boxes."""

from __future__ import annotations

import pytest

from detectors.agreement import agreement
from evidence.errors import BadInput
from evidence.figures import longest_run, single_holes, told, wilson
from evidence.truth import TruthBox, read_mot


def test_a_mot_line_is_a_box_of_the_frame_before_its_number() -> None:
    truth = read_mot("2,7,10,20,30,40\n\n1,7,1,2,3,4,0,1,1\n2,8,0,0,5.5,5,1\n", "x.mot.txt")
    assert truth[0] == (TruthBox(7, (1, 2, 4, 6), False),)
    assert truth[1] == (TruthBox(7, (10, 20, 40, 60), True), TruthBox(8, (0, 0, 5.5, 5), True))
    assert list(truth) == [0, 1]
    assert truth[1][0].scaled(2) == (-5, 0, 55, 80)


@pytest.mark.parametrize(
    "line",
    ["1,2,3", "a,1,0,0,5,5", "0,1,0,0,5,5", "1,1,0,0,0,5", "1,1,nan,0,5,5", "1,1,0,0,5,5\n1,1,9,9,5,5", "nan,1,0,0,5,5"],
)
def test_what_is_no_box_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(BadInput, match=r"x\.mot\.txt, line [34]"):
        read_mot(f"9,1,0,0,5,5\n\n{line}\n", "x.mot.txt")


def test_shares_runs_and_holes() -> None:
    # Wilson, 5 of 20: 0.1119 to 0.4687.
    assert wilson(5, 20) == pytest.approx((0.1119, 0.4687), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    frames = dict(enumerate([True, True, False, True, False, False, True]))
    assert (longest_run(frames), single_holes(frames)) == (2, 1)
    gap = {0: True, 1: True, 3: True, 4: False}
    assert (longest_run(gap), single_holes(gap)) == (2, 0), "a frame that isn't judged ends a run and makes no hole"
    whole = told({1: frames, 2: {0: False}})
    assert (whole["count"], whole["of"], whole["identities"]) == (4, 8, 1)


def test_boxes_and_identities_are_paired_one_to_one() -> None:
    truth = {at: (TruthBox(1, (0, 0, 10, 10), True), TruthBox(2, (50, 0, 60, 10), True)) for at in range(4)}
    found = {
        0: (TruthBox(5, (0, 0, 10, 10), True), TruthBox(6, (50, 0, 60, 10), True)),
        1: (TruthBox(5, (1, 0, 11, 10), True), TruthBox(9, (0, 1, 10, 11), True)),
        2: (TruthBox(5, (0, 0, 10, 10), True), TruthBox(7, (50, 0, 60, 10), True)),
        3: (TruthBox(7, (56, 0, 66, 10), True),),
    }
    whole = agreement(truth, found)
    assert (whole["recall"]["count"], whole["recall"]["of"]) == (5, 8)
    assert (whole["precision"]["count"], whole["precision"]["of"]) == (5, 7)
    # 1 with 5 on three frames, 2 with 6 or 7 on one: 2 · 4 of 8 + 7.
    assert whole["idf1"] == pytest.approx(8 / 15)


def test_what_is_found_over_a_box_that_is_not_judged_counts_neither_way() -> None:
    ignored = TruthBox(1, (0, 0, 10, 10), False)
    whole = agreement({0: (ignored,)}, {0: (TruthBox(4, (0, 0, 10, 10), True), TruthBox(5, (90, 0, 99, 9), True))})
    assert (whole["recall"]["of"], whole["recall"]["rate"], whole["precision"]["of"]) == (0, None, 1)
    assert agreement({}, {})["idf1"] is None

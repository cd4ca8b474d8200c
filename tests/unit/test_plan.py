"""Where looking pays: which frames may be passed over, and what is written down."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from detectors.motion import STILL, Motion
from detectors.plan import Due, Now, Record, Stride, joined
from evidence.redaction import Margin

CALM = Motion((0.001, 0.0), 0.8, 0.0)
STRIDE = Stride(4, Fraction(1, 6))


def now(number: int, motion: Motion = CALM, *, rate: int = 25, must_look: bool = False) -> Now:
    return Now(number, number, Fraction(number, rate), motion, must_look)


def looked_at(boxes: dict[int, list[tuple[float, ...]]] | None = None, frames: int = 24, **kind) -> list[int]:
    """The frames that were looked at, when the boxes given by frame are seen from then on."""
    due, seen, looked = Due(STRIDE), np.zeros((0, 4), np.float32), []
    for number in range(frames):
        seen = np.array((boxes or {}).get(number, seen), np.float32).reshape(-1, 4)
        if due.at(now(number, **kind)):
            looked.append(number)
            due.saw(now(number, **kind), seen)
    return looked


def test_a_calm_empty_picture_is_looked_at_every_fourth_frame():
    assert looked_at() == [0, 1, 5, 9, 13, 17, 21]


def test_a_stride_is_shorter_than_what_a_mask_lives_around_its_track():
    assert STRIDE.frames <= min(Margin().before_frames, Margin().after_frames)


def test_few_frames_a_second_are_looked_at_more_densely():
    assert looked_at(rate=15) == [0, 1, *range(3, 24, 2)]
    assert looked_at(rate=10) == list(range(24))


@pytest.mark.parametrize(
    "motion", [Motion((0.02, 0.0), 0.8, 0.1), Motion((0.0, -0.02), 0.8, 0.1), Motion((0.0, 0.0), 0.02, 0.1), STILL]
)
def test_a_moving_camera_or_one_of_which_nothing_is_known_leaves_no_frame_out(motion):
    assert looked_at(motion=motion) == list(range(24))


def test_every_frame_is_every_frame():
    assert looked_at(must_look=True) == list(range(24))


def test_what_is_new_or_lost_is_looked_at_until_it_is_steady():
    one, two = (100, 100, 200, 200), (400, 100, 480, 180)
    assert looked_at({0: [one]}) == [0, 1, 5, 9, 13, 17, 21]
    assert looked_at({0: [one], 8: [one, two], 16: [one]}) == [0, 1, 5, 9, 10, 14, 18, 19, 23]


def test_what_is_fast_is_looked_at_at_every_frame():
    fast = {n: [(30 * n, 100, 30 * n + 100, 200)] for n in range(24)}
    slow = {n: [(10 * n, 100, 10 * n + 100, 200)] for n in range(24)}
    assert looked_at(fast) == list(range(24))
    assert len(looked_at(slow)) < 12


def test_the_record_gives_back_every_frame():
    record, frames = Record(), [0, 1, 2, 3, 7, 11, 15, 16, 30]
    for frame in frames:
        record.add("whole", (960, 540), frame)
        record.add("tile", (768, 576), 2 * frame)
    whole, tile = record.to_json()
    assert (whole["look"], whole["input_wh"], whole["count"]) == ("whole", [960, 540], len(frames))
    assert [first + i * step for first, count, step in whole["frames"] for i in range(count)] == frames
    assert [first + i * step for first, count, step in tile["frames"] for i in range(count)] == [2 * f for f in frames]
    assert len(whole["frames"]) < len(frames)


def test_the_plans_of_segments_make_one_of_the_whole_video():
    def plan(*looked: int, tiles: bool = False) -> dict[str, object]:
        record = Record()
        for frame in looked:
            record.add("whole", (640, 384), frame)
        return {"every_frame": False, "looks": {"model": record.to_json()}, "tiles": {"model": {}} if tiles else {}}

    whole = joined([plan(0, 2, 4), plan(), plan(1, tiles=True)], [6, 4, 5])
    assert whole["looks"] == {
        "model": [{"look": "whole", "input_wh": [640, 384], "count": 4, "frames": [[0, 3, 2], [11, 1, 1]]}]
    }
    assert whole["tiles"] == {"model": {}}
    assert not whole["every_frame"]

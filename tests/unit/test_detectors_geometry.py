from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.boxes import suppress
from detectors.detector import STRIDE, Use, letterbox, scaled
from detectors.yolo import Reading, read_output
from evidence.errors import WrongWeights

SIDES = st.integers(16, 4000)


@given(SIDES, SIDES, st.sampled_from([320, 640, 960]), st.data())
def test_a_box_comes_back_from_the_letterbox_to_where_it_was(width, height, longest, data):
    fit = letterbox((width, height), longest, 114)
    assert all(side % STRIDE == 0 for side in fit.outer_wh)
    assert all(outer - inner < STRIDE for outer, inner in zip(fit.outer_wh, fit.inner_wh, strict=True))
    assert max(fit.inner_wh) == longest
    x = sorted(data.draw(st.tuples(st.floats(0, width), st.floats(0, width))))
    y = sorted(data.draw(st.tuples(st.floats(0, height), st.floats(0, height))))
    scale = fit.inner_wh[0] / width, fit.inner_wh[1] / height
    moved = [v * scale[i % 2] + fit.offset_xy[i % 2] for i, v in enumerate((x[0], y[0], x[1], y[1]))]
    back = fit.back(np.array([moved], np.float32), (width, height))[0]
    np.testing.assert_allclose(back, (x[0], y[0], x[1], y[1]), atol=0.01 * max(width, height) / longest + 0.01)


def test_the_picture_lies_in_the_middle_of_the_padding():
    fit = letterbox((1920, 1080), 640, 114)
    assert (fit.inner_wh, fit.outer_wh, fit.offset_xy) == ((640, 360), (640, 384), (0, 12))
    filled = fit.fill(np.full((1080, 1920, 3), 7, np.uint8))
    assert filled.shape == (384, 640, 3)
    assert (filled[:12] == 114).all()
    assert (filled[12:372] == 7).all()
    assert (filled[372:] == 114).all()


def test_a_box_is_cut_to_the_picture():
    fit = letterbox((640, 360), 640, 0)
    assert fit.back(np.array([[-50, 0, 700, 384]], np.float32), (640, 360)).tolist() == [[0, 0, 640, 360]]


@given(st.integers(0, 40), st.integers(0, 2**31))
def test_suppression_keeps_the_surest_of_each_heap(count, seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 100, (count, 2))
    box = np.concatenate([corner, corner + rng.uniform(5, 60, (count, 2))], axis=1).astype(np.float32)
    score = rng.uniform(0, 1, count).astype(np.float32)
    group = rng.integers(0, 3, count)
    kept = suppress(box, score, group, 0.5, 1000).tolist()

    def iou(a, b):
        sides = np.minimum(box[a, 2:], box[b, 2:]) - np.maximum(box[a, :2], box[b, :2])
        both = float(np.prod(np.maximum(0, sides)))
        return both / (np.prod(box[a, 2:] - box[a, :2]) + np.prod(box[b, 2:] - box[b, :2]) - both)

    assert sorted(kept, key=lambda i: -score[i]) == kept
    for i in range(count):
        rivals = [k for k in kept if k != i and group[k] == group[i] and iou(i, k) > 0.5 and score[k] >= score[i]]
        assert (i in kept) == (not rivals)


READING = Reading(("person", "car", "kite"), frozenset({"person", "car"}), 0.3)


def test_reads_a_score_per_class_and_drops_what_is_not_wanted():
    output = np.zeros((1, 7, 4), np.float32)
    output[0, :4] = np.array([[10, 20, 4, 6]] * 4).T
    output[0, 4:, 0] = (0.9, 0.1, 0.0)
    output[0, 4:, 1] = (0.2, 0.31, 0.0)
    output[0, 4:, 2] = (0.0, 0.0, 0.99)  # a kite
    output[0, 4:, 3] = (0.29, 0.0, 0.0)  # too faint
    box, score, group, label = read_output(output, READING)
    assert label == ["person", "car"]
    assert box.tolist() == [[8, 17, 12, 23]] * 2
    assert score.tolist() == pytest.approx([0.9, 0.31])
    assert group.tolist() == [0, 1]


def test_reads_an_end_to_end_answer():
    rows = [[1, 2, 3, 4, 0.8, 1], [5, 6, 7, 8, 0.7, 2], [0, 0, 1, 1, 0.1, 0]]
    box, score, _, label = read_output(np.array([rows], np.float32), READING)
    assert (box.tolist(), label) == ([[1, 2, 3, 4]], ["car"])
    assert score.tolist() == pytest.approx([0.8])


def test_an_answer_of_another_form_is_refused():
    with pytest.raises(WrongWeights):
        read_output(np.zeros((1, 12, 100), np.float32), READING)


def test_a_model_with_one_class_finds_what_its_task_says(tmp_path):
    use = Use("m", tmp_path, 640, 0.1, single_label="licence plate", renamed={"auto": "car"})
    assert use.labels(("Number_Plate",)) == ("licence plate",)
    assert use.labels(("auto", "bus")) == ("car", "bus")


@pytest.mark.parametrize("size_wh", [(416, 234), (149, 84), (480, 270), (959, 541), (1200, 700)])
def test_no_pixel_is_passed_over_when_a_picture_is_made_small(size_wh):
    lit = np.zeros((540, 960, 3), np.uint8)
    lit[200:204, 300:304] = 255
    small = scaled(lit, size_wh)
    assert small.shape == (size_wh[1], size_wh[0], 3)
    share = 16 / (960 * 540)
    assert small.mean() / 255 == pytest.approx(share, rel=0.25), "as much light as before"

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow.parquet as pq
import pytest

from detectors.table import SegmentSeen, read_raw, write_final, write_raw
from detectors.tracker import follow
from evidence.errors import IntegrityError
from evidence.track import Detections
from workers.tasks import track
from workers.tasks.track import join, mot_lines


def seen(number=0, first_pts=0, frames=(0, 0, 1, 3), count=5, time_base=Fraction(1, 90000)):
    n = len(frames)
    frame = np.array(frames, np.int64)
    frame_pts = first_pts + 3003 * np.arange(count, dtype=np.int64)
    found = Detections(
        frame=frame,
        pts=frame_pts[frame],
        box_xyxy=np.array([[10, 20, 50, 60]] * n, np.float32).reshape(-1, 4),
        score=np.linspace(0.9, 0.6, n, dtype=np.float32),
        label=("face",) * n,
        model=("yunet",) * n,
        time_base=time_base,
    )
    return SegmentSeen(
        number, frame_pts, found, {"size_wh": [640, 360], "models": [], "damage": {"count": 0, "entries": []}}
    )


def equal(a, b):
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("frame", "pts", "box_xyxy", "score", "label", "model")
    )


def test_what_was_seen_comes_back_the_same(tmp_path):
    write_raw(seen(), tmp_path / "raw.parquet")
    back = read_raw(tmp_path / "raw.parquet")
    assert equal(back.detections, seen().detections)
    assert back.detections.time_base == Fraction(1, 90000)
    assert back.frame_pts.tolist() == seen().frame_pts.tolist()
    assert back.about == seen().about


def test_a_segment_in_which_nothing_was_seen_still_has_its_frames(tmp_path):
    write_raw(seen(frames=()), tmp_path / "raw.parquet")
    back = read_raw(tmp_path / "raw.parquet")
    assert len(back.detections) == 0
    assert len(back.frame_pts) == 5


@pytest.mark.parametrize("content", [b"", b"PAR1 not really PAR1", b"{}"])
def test_another_file_is_refused(content, tmp_path):
    (tmp_path / "raw.parquet").write_bytes(content)
    with pytest.raises(IntegrityError):
        read_raw(tmp_path / "raw.parquet")


def test_frames_are_counted_over_all_segments():
    found, frame_pts = join([seen(0), seen(1, first_pts=5 * 3003)])
    assert found.frame.tolist() == [0, 0, 1, 3, 5, 5, 6, 8]
    assert frame_pts[found.frame].tolist() == found.pts.tolist()


@pytest.mark.parametrize(
    "segments",
    [
        [],
        [seen(1)],
        [seen(0), seen(2, first_pts=5 * 3003)],
        [seen(0), seen(1, first_pts=2 * 3003)],
        [seen(0), seen(1, first_pts=5 * 3003, time_base=Fraction(1, 30))],
    ],
)
def test_segments_that_do_not_fit_are_refused(segments):
    with pytest.raises(IntegrityError):
        join(segments)


def test_what_one_segment_was_not_searched_for_counts_as_not_looked_for(tmp_path):
    raw = {}
    for number, looked_for in enumerate([["car", "face"], ["car"], []]):
        # The last one has not a frame: nothing could be missed in it.
        segment = seen(number, first_pts=number * 5 * 3003, frames=(), count=0 if number == 2 else 5)
        segment.about.update(looked_for=looked_for, not_looked_for=[])
        raw[f"raw-{number}.parquet"] = tmp_path / f"raw-{number}.parquet"
        write_raw(segment, raw[f"raw-{number}.parquet"])
    assert track.run(raw, {}, tmp_path, lambda done, total: None)["looked_for"] == ["car"]


def test_the_final_table_has_every_box_and_what_is_in_no_track(tmp_path):
    whole = seen(frames=(0, 1, 3, 4))
    tracks, rest = follow(whole.detections, whole.frame_pts, {"yunet": 0.5}, (640, 360))
    stray = seen(frames=(2,)).detections
    write_final(tracks, stray, tmp_path / "detections.parquet")
    table = pq.read_table(tmp_path / "detections.parquet")
    assert table.column_names == ["frame", "pts", "time_base", "box_xyxy", "score", "label", "track_id", "model", "origin"]
    assert len(rest) == 0
    assert table["frame"].to_pylist() == [0, 1, 2, 2, 3, 4]
    assert table["track_id"].to_pylist() == [1, 1, -1, 1, 1, 1]
    assert table["origin"].to_pylist() == ["detected", "detected", "detected", "interpolated", "detected", "detected"]
    assert table["pts"].to_pylist() == [f * 3003 for f in table["frame"].to_pylist()]
    assert set(table["time_base"].to_pylist()) == {"1/90000"}
    assert table["box_xyxy"].to_pylist()[0] == [10, 20, 50, 60]


def test_mot_counts_frames_from_one_and_gives_corner_and_size():
    whole = seen(frames=(0, 1, 2), count=3)
    tracks, _ = follow(whole.detections, whole.frame_pts, {"yunet": 0.5}, (640, 360))
    assert mot_lines(tracks) == "".join(
        f"{n},1,10.00,20.00,40.00,40.00,{s},1,1\n" for n, s in ((1, "0.9000"), (2, "0.7500"), (3, "0.6000"))
    )

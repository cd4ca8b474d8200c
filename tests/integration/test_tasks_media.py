"""The media tasks as the child runs them, judged on decoded pixels of what they made."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from evidence.clock import micros
from evidence.errors import BadInput, IntegrityError
from evidence.mediatime import MediaTime
from evidence.redaction import AudioPolicy, Hide, Margin, Masks, Redaction, Region, Style
from evidence.redaction import Span as RegionSpan
from evidence.track import Origin, Track, TrackBox
from evidence.wire import moment_to_json, redaction_to_json, track_to_json
from media.frames import Frame, read_frames
from media.planes import arrays, is_full_range
from media.probe import probe
from tests import clips
from workers.tasks import annotate, clip, proxy, redact, sheet, thumbnails

FAST = {"crf": 10, "preset": "ultrafast"}
BoxOf = Callable[[int, tuple[int, int]], tuple[float, float, float, float]]


def unheard(done: int, total: int) -> None:
    del done, total


def middle(number: int, size_wh: tuple[int, int]) -> tuple[float, float, float, float]:
    """A box that drifts over the middle of the picture."""
    w, h = size_wh
    x = w * (0.3 + 0.2 * (number % 20) / 20)
    return (x, h * 0.35, x + w * 0.25, h * 0.65)


def analysed(
    path: Path, label: str = "face", box_of: BoxOf = middle, first: int = 8, last: int | None = None
) -> dict[str, Any]:
    """What TRACK would write for a video in which one thing was followed."""
    video = probe(path).main_video
    assert video is not None
    with read_frames(path, video.index) as reader:
        seen = [(f.pts, f.upright_size_wh) for f in reader]
    last = len(seen) - 6 if last is None else last
    origins = [Origin.DETECTED, Origin.TRACKED, Origin.INTERPOLATED]
    boxes = tuple(TrackBox(n, seen[n][0], box_of(n, seen[n][1]), 0.9, origins[n % 3]) for n in range(first, last))
    return {
        "frame_count": len(seen),
        "frame_pts": [pts for pts, _ in seen],
        "cuts": [],
        "time_base": str(video.time_base),
        "size_wh": list(seen[0][1]),
        "tracks": [track_to_json(Track(1, label, "by hand", video.time_base, boxes))],
        "looked_for": [label],
        "not_looked_for": [{"what": "plates", "reason": "not analysed: no weights"}],
    }


def task_inputs(path: Path, out: Path, analysis: dict[str, Any] | None = None) -> dict[str, Path]:
    tracks = out / "tracks.json"
    tracks.write_text(json.dumps(analysis or analysed(path)), "utf-8")
    return {"original": path, "tracks.json": tracks}


def redacted(path: Path, out: Path, redaction: Redaction, analysis: dict[str, Any] | None = None) -> dict[str, Any]:
    params = {"redaction": redaction_to_json(redaction), "draft": True, "reference": "ABC/1", **FAST}
    return redact.run(task_inputs(path, out, analysis), params, out, unheard)


def frames_of(path: Path) -> list[Frame]:
    video = probe(path).main_video
    assert video is not None
    with read_frames(path, video.index) as reader:
        return list(reader)


def track_in(analysis: dict[str, Any]) -> Track:
    from evidence.wire import track_from_json

    return track_from_json(analysis["tracks"][0])


@pytest.mark.parametrize("kind", sorted(clips.KINDS))
def test_no_frame_of_a_track_shows_what_is_under_its_mask(tmp_path: Path, kind: str) -> None:
    path = clips.KINDS[kind](tmp_path)
    analysis = analysed(path)
    report = redacted(path, tmp_path, Redaction(), analysis)
    before, after = frames_of(path), frames_of(tmp_path / "redacted.mp4")
    assert report["frames_in"] == report["frames_out"] == len(before) == len(after)
    assert_covered(before, after, analysis, Redaction())
    assert report["frames_masked"] == report["masks"] == min(len(before), len(before) - 6 + 5) - 3


def assert_covered(
    before: list[Frame], after: list[Frame], analysis: dict[str, Any], redaction: Redaction, *, outside: bool = True
) -> None:
    """Each mask is black in all planes; outside all masks the picture is what it was, but for coding noise."""
    masks = Masks([track_in(analysis)], redaction)
    for one, other in zip(before, after, strict=True):
        boxes = masks.at(one.index, one.moment)
        shown, was = upright(other), upright(one)
        hidden = np.zeros(was.shape[:2], bool)
        for x0, y0, x1, y1 in boxes:
            hidden[max(0, int(y0)) : int(np.ceil(y1)), max(0, int(x0)) : int(np.ceil(x1))] = True
        shown = shown[: was.shape[0], : was.shape[1]]
        black = 0 if is_full_range(other.picture) else 16
        assert np.abs(shown[hidden][:, 0] - black).max(initial=0) < 24, f"frame {one.index}"
        assert np.abs(shown[hidden][:, 1:] - 128).max(initial=0) < 24, f"frame {one.index}"
        away = ~_grown(hidden, 20)
        if outside and away.any():
            assert np.abs(shown[away] - was[away]).mean() < 12, f"frame {one.index}"


def _grown(marked: np.ndarray, by: int) -> np.ndarray:
    grown = marked.copy()
    ys, xs = np.nonzero(marked)
    if len(ys):
        grown[max(0, ys.min() - by) : ys.max() + by, max(0, xs.min() - by) : xs.max() + by] = True
    return grown


def upright(frame: Frame) -> np.ndarray:
    """Y, U and V of every pixel of the upright picture, as 8-bit numbers."""
    planes = arrays(frame.picture)
    h, w = planes[0].shape
    whole = []
    for plane in planes:
        values = (plane >> 2 if plane.dtype == np.uint16 else plane).astype(np.uint8)
        values = values.repeat(-(-h // plane.shape[0]), axis=0)[:h].repeat(-(-w // plane.shape[1]), axis=1)[:, :w]
        whole.append(frame.orientation.to_upright(values))
    return np.stack(whole, axis=-1).astype(int)


def test_the_margin_covers_before_and_after_and_regions_their_span(tmp_path: Path) -> None:
    path = clips.ntsc(tmp_path)
    analysis = analysed(path, first=10, last=20)
    span = RegionSpan(MediaTime(30 * 1001, Fraction(1, 30000)), MediaTime(33 * 1001, Fraction(1, 30000)))
    redaction = Redaction(margin=Margin(0.1, 4, 6), regions=(Region((8, 60, 60, 100), span, "a notebook"),))
    report = redacted(path, tmp_path, redaction, analysis)
    after = frames_of(tmp_path / "redacted.mp4")
    x0, y0, x1, y1 = (int(edge) for edge in middle(15, (192, 128)))
    for frame in after:
        luma = arrays(frame.picture)[0]
        assert bool(luma[y0:y1, x0 + 8 : x1 - 8].max() < 40) is (6 <= frame.index < 26)
        assert bool(luma[64:96, 12:56].max() < 40) is (30 <= frame.index <= 33)
    assert report["frames_masked"] == 20 + 4
    assert report["tracks_hidden"] == {"face": 1}
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == report


@pytest.mark.parametrize("style", [Style.PIXELATE, Style.BLUR])
def test_other_styles_take_the_detail_away(tmp_path: Path, style: Style) -> None:
    """Over the chequered square that every clip has at frame 15 from x = 45, y = 64."""
    path = clips.silent(tmp_path)
    redacted(path, tmp_path, Redaction(style=style), analysed(path, box_of=lambda number, size: (45, 64, 77, 96)))
    detail = [detail_in(arrays(frames_of(p)[15].picture)[0][64:96, 45:77]) for p in (path, tmp_path / "redacted.mp4")]
    assert detail[1] < detail[0] / 4


def detail_in(luma: np.ndarray) -> float:
    return float(np.abs(np.diff(luma.astype(int), axis=1)).mean())


def test_what_was_not_asked_for_stays_and_muted_sound_is_gone(tmp_path: Path) -> None:
    path = clips.two_tracks(tmp_path)
    report = redacted(
        path, tmp_path, Redaction(what=frozenset({Hide.PLATES}), audio=AudioPolicy.MUTE), analysed(path, label="person")
    )
    assert (report["masks"], report["frames_masked"], report["tracks_hidden"]) == (0, 0, {})
    assert report["audio"] == ["sound track 1: removed", "sound track 2: removed"]
    assert report["not_looked_for"] == [{"what": "plates", "reason": "not analysed: no weights"}]
    with av.open(str(tmp_path / "redacted.mp4")) as container:
        assert [s.type for s in container.streams] == ["video"]
        assert container.metadata["title"].startswith("DRAFT")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.update(frame_count=39, frame_pts=a["frame_pts"][:39]), "never analysed"),
        (lambda a: a.update(frame_count=41, frame_pts=[*a["frame_pts"], 10**6]), "40 frames can be decoded now, but 41"),
        (lambda a: a["frame_pts"].__setitem__(5, a["frame_pts"][5] + 1), "not the frame that was analysed"),
        (lambda a: a.update(size_wh=[128, 192]), "was analysed at 128 × 192"),
        (lambda a: a["tracks"][0]["box_xyxy"].__setitem__(12, [9, 9, float("nan"), 20]), "can't be painted"),
        (lambda a: a["tracks"][0]["box_xyxy"].__setitem__(12, [90, 9, 10, 20]), "can't be painted"),
        (lambda a: a["tracks"][0].update(first_frame=30), "beyond the last frame"),
        (lambda a: a.update(frame_count=7), "can't be used"),
        (lambda a: a.pop("tracks"), "can't be used"),
    ],
)
def test_it_fails_closed(tmp_path: Path, change: Callable[[dict[str, Any]], Any], words: str) -> None:
    path = clips.silent(tmp_path)
    analysis = analysed(path)
    change(analysis)
    with pytest.raises(IntegrityError, match=words):
        redacted(path, tmp_path, Redaction(), analysis)
    assert list(tmp_path.glob("redacted*")) == []
    assert not (tmp_path / "report.json").exists()


def test_a_damaged_video_is_redacted_and_its_damage_told(tmp_path: Path) -> None:
    path = clips.damaged(tmp_path)
    analysis = analysed(path)
    report = redacted(path, tmp_path, Redaction(), analysis)
    assert report["damage_count"] > 0
    assert "can't be decoded" in report["damage"][0]
    # What the decoder puts in place of lost blocks is not the same every time: only the masks are judged.
    assert_covered(frames_of(path), frames_of(tmp_path / "redacted.mp4"), analysis, Redaction(), outside=False)


@pytest.mark.parametrize("kind", ["29.97", "rotated", "mirrored", "odd size", "transport stream"])
def test_annotations_stand_upright_where_the_boxes_are(tmp_path: Path, kind: str) -> None:
    path = clips.KINDS[kind](tmp_path)
    params = {"reference": "ABC/1", "claimed_capture_time": "2026-03-02T09:30:00+00:00", **FAST}
    report = annotate.run(task_inputs(path, tmp_path), params, tmp_path, unheard)
    before, after = frames_of(path), frames_of(tmp_path / "annotated.mp4")
    assert report["frames"] == len(after) == len(before)
    assert report["tracks"] == 1
    frame, was = upright(after[11]), upright(before[11])
    frame = frame[: was.shape[0], : was.shape[1]]
    x0, y0, x1, _ = (int(edge) for edge in middle(11, before[11].upright_size_wh))
    changed = np.abs(frame - was).max(axis=-1) > 50
    assert changed[y0 : y0 + 2, x0:x1].mean() > 0.8, "the upper edge of the box"
    assert changed[-24:, : was.shape[1] // 3].mean() > 0.5, "the lines at the lower left"
    assert not changed[y0 + 12 : y0 + 20, x0 + 12 : x1 - 12].any(), "inside the box"


def _height_of_lines(folder: Path, path: Path, **params: Any) -> int:
    """Of what is burnt in at the lower left of the twelfth frame, in pixels."""
    folder.mkdir()
    annotate.run(task_inputs(path, folder), {"reference": "ABC/1", **params, **FAST}, folder, unheard)
    frame, was = upright(frames_of(folder / "annotated.mp4")[11]), upright(frames_of(path)[11])
    changed = np.abs(frame[: was.shape[0], : was.shape[1]] - was).max(axis=-1) > 50
    return int((changed[was.shape[0] // 2 :, : was.shape[1] // 4].mean(axis=1) > 0.3).sum())


def test_a_corrected_clock_runs_above_its_claim(tmp_path: Path) -> None:
    path = clips.KINDS["29.97"](tmp_path)
    claimed = datetime(2026, 7, 1, 12, tzinfo=UTC)
    alone = _height_of_lines(tmp_path / "alone", path, claimed_capture_time=claimed.isoformat())
    start = {"utc_us": micros(claimed) - 3_590_000_000, "error_s": 0.5, "claim_us": micros(claimed), "zone": "UTC"}
    both = _height_of_lines(tmp_path / "both", path, claimed_capture_time=claimed.isoformat(), corrected=start)
    assert both == pytest.approx(alone * 3 / 2, abs=4), "three lines of one height where there were two"
    assert annotate.clocks({"corrected": {**start, "zone": "local, no zone given"}}) == [
        (claimed - timedelta(seconds=3_590), "Z ±0.5 s corrected"),
        (claimed, " local claimed"),
    ]
    assert annotate.clocks({"corrected": {**start, "error_s": 0.51}})[0][1] == "Z ±0.6 s corrected", "never too small"


def test_letters_of_any_alphabet_do_not_stop_the_drawing(tmp_path: Path) -> None:
    path = clips.silent(tmp_path)
    inputs = task_inputs(path, tmp_path, analysed(path, label="лицо 人 وجه 🙂\n\u202e"))
    annotate.run(inputs, {"reference": "ÅØ/1 \u202e" * 40, **FAST}, tmp_path, unheard)
    assert len(frames_of(tmp_path / "annotated.mp4")) == 40
    with pytest.raises(BadInput):
        annotate.run(inputs, {"claimed_capture_time": "yesterday"}, tmp_path, unheard)


@pytest.mark.parametrize("kind", ["29.97", "variable rate", "open groups", "rotated", "transport stream", "late start"])
def test_a_clip_is_exact_to_the_frame(tmp_path: Path, kind: str) -> None:
    path = clips.KINDS[kind](tmp_path)
    whole = frames_of(path)
    between = Fraction(whole[12].pts + whole[11].pts, 2)
    start = MediaTime(round(between * 2), whole[0].time_base / 2)
    end = whole[25].moment
    params = {"start": moment_to_json(start), "end": moment_to_json(end), **FAST}
    report = clip.run({"source": path}, params, tmp_path, unheard)
    made = frames_of(tmp_path / "clip.mp4")
    numbers = [clips.number_in(arrays(f.picture)[0]) for f in made]
    assert numbers == list(range(12, 26))
    assert [f.moment.seconds for f in made] == [f.moment.seconds - whole[12].moment.seconds for f in whole[12:26]]
    assert report["first"] == moment_to_json(whole[12].moment)
    assert report["last"] == moment_to_json(whole[25].moment)
    for audio in probe(tmp_path / "clip.mp4").audio:
        with av.open(str(tmp_path / "clip.mp4")) as container:
            heard = sum(f.samples / audio.sample_rate_hz for f in container.decode(audio=0))
        assert heard == pytest.approx(float(end.seconds - whole[12].moment.seconds), abs=0.08)


def test_a_clip_of_a_copy_uses_the_times_of_the_original(tmp_path: Path) -> None:
    path = clips.late_start(tmp_path)
    report = annotate.run(task_inputs(path, tmp_path), FAST, tmp_path, unheard)
    assert report["shift_s"] == "10"
    whole = frames_of(path)
    params = {"start": moment_to_json(whole[5].moment), "end": moment_to_json(whole[9].moment), "shift_s": "10", **FAST}
    made = clip.run({"source": tmp_path / "annotated.mp4"}, params, tmp_path, unheard)
    assert (made["frames"], made["first"]["pts"]) == (5, whole[5].pts)


def test_a_span_without_frames_is_refused(tmp_path: Path) -> None:
    path = clips.silent(tmp_path)
    late = moment_to_json(MediaTime(100, Fraction(1)))
    with pytest.raises(BadInput, match="there is no frame"):
        clip.run({"source": path}, {"start": late, "end": late}, tmp_path, unheard)
    with pytest.raises(BadInput, match="can't be understood"):
        clip.run({"source": path}, {"start": late, "end": moment_to_json(MediaTime(9, Fraction(1)))}, tmp_path, unheard)
    assert list(tmp_path.glob("clip*")) == []


@pytest.mark.parametrize(
    "kind", ["29.97", "variable rate", "rotated", "10-bit", "odd size", "two sound tracks", "motion JPEG"]
)
def test_a_proxy_is_upright_small_and_of_the_same_times(tmp_path: Path, kind: str) -> None:
    path = clips.KINDS[kind](tmp_path)
    told: list[int] = []
    report = proxy.run({"original": path}, {"frame_count": 40}, tmp_path, lambda done, total: told.append(done))
    media, before = probe(tmp_path / "proxy.mp4"), probe(path).main_video
    video = media.main_video
    assert video is not None
    assert before is not None
    assert (video.codec, video.pixel_format, video.rotation_degrees) == ("h264", "yuv420p", 0)
    assert video.upright_size_wh == tuple(n - n % 2 for n in before.upright_size_wh)
    assert [a.codec for a in media.audio] == ["aac"] * min(1, len(probe(path).audio))
    times = [[f.moment.seconds for f in frames_of(p)] for p in (path, tmp_path / "proxy.mp4")]
    assert report["frames"] == len(times[0]) == len(times[1])
    assert max(abs(a - b - Fraction(report["shift_s"])) for a, b in zip(*times, strict=True)) < Fraction(1, 1000)
    assert told
    assert told[-1] == report["frames"]
    with Image.open(tmp_path / "poster.jpg") as poster:
        assert poster.size == before.upright_size_wh
    data = (tmp_path / "proxy.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_large_picture_is_made_smaller_for_the_browser(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "large.mp4", clips.Clip(frames=2, size_wh=(2000, 1500), matrix=clips.QUARTER_TURN))
    proxy.run({"original": path}, {}, tmp_path, unheard)
    video = probe(tmp_path / "proxy.mp4").main_video
    assert video is not None
    assert video.size_wh == (720, 960)


def test_thumbnails_show_the_track_at_its_best_frame(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "large.mp4", clips.Clip(size_wh=(640, 480), matrix=clips.QUARTER_TURN))
    report = thumbnails.run(task_inputs(path, tmp_path), {}, tmp_path, unheard)
    assert report == {"thumbnails": [1], "left_out": 0}
    with Image.open(tmp_path / "track-1.jpg") as picture:
        # 480 × 640 upright: the box is 120 × 192, with 0.3 of it on each side.
        assert picture.size == pytest.approx((192, 307), abs=3)
    analysis = analysed(path)
    analysis["tracks"] = [{**analysis["tracks"][0], "id": n, "label": "face" if n < 4 else "dog"} for n in range(1, 7)]
    report = thumbnails.run(task_inputs(path, tmp_path, analysis), {"max_count": 3}, tmp_path, unheard)
    assert (report["thumbnails"], report["left_out"]) == ([1, 4, 5], 3)


def test_a_sheet_shows_the_same_moments_of_every_copy(tmp_path: Path) -> None:
    path = clips.ntsc(tmp_path)
    inputs = task_inputs(path, tmp_path)
    redacted(path, tmp_path, Redaction())
    report = sheet.run({**inputs, "redacted": tmp_path / "redacted.mp4"}, {"columns": 4}, tmp_path, unheard)
    assert len(report["frames"]) == 4
    assert all(a < b for a, b in pairwise(report["frames"]))
    with Image.open(tmp_path / "sheet.jpg") as page:
        assert page.width > 4 * 192
        assert page.height > 2 * 128

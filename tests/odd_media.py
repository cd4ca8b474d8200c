"""Real files that other programs stumble over, each on the way of `exhibit analyse` and `exhibit redact`, and judged.

`python -m tests.odd_media FOLDER` runs the real commands on every file and writes docs/odd-media.md (an hour on two
cores; `--quick`: minutes). The suite takes the quick way (the commands' own tasks in this process, a mask drawn over
the first third of the frames) and compares each line with that page; what is refused goes through the commands there too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler

from evidence.exhibit import Condition, MediaInfo, VideoInfo
from evidence.redaction import Masks, Redaction
from evidence.track import Origin, Track, TrackBox
from evidence.wire import media_from_json, redaction_from_json, redaction_to_json, track_from_json, track_to_json
from media.frames import Frame, Picture, read_frames
from media.planes import arrays, is_full_range, layout
from media.probe import probe
from workers.tasks import detect, redact, track
from workers.tasks import probe as probe_task

PAGE = Path(__file__).parents[1] / "docs" / "odd-media.md"
COLUMNS = ("file", "what is odd", "frames in → out", "times", "picture, upright", "sound", "colours", "what is said")

_LEVELS, _BIAS = 2.0, 0.5
"""Of 255: 99 of 100 blocks of 16 × 16 samples, and each plane on average, may differ by so much outside the masks."""
_APART_S = 0.005
"""Sound may lie so far from where it was: MP4 counts it in other steps than the source."""
_HOLE_S = 0.05
"""A container's own rounding of the sound's times is no hole."""
_RATE_HZ = 8000

ODD = {
    "am_8k24fps_300ms.mp4": "8K",
    "am_bbb_176x144_128kbps_15fps_h263.3gp": "H.263 in 3GP",
    "am_bbb_2500ms.ts": "MPEG-2 and MP2, starts within a group",
    "am_bbb_800x640_768kbps_30fps_avc_2b_firstpts_10_sec.mp4": "starts at 10 s",
    "am_bear-vp9-odd-dimensions.webm": "odd width and height",
    "am_dolbyVision-hdr.MOV": "Dolby Vision, turned",
    "am_hdr10-video-with-sdr-container.mp4": "HDR10, the container says otherwise",
    "am_hlg10-color-test.mp4": "HLG, sound before picture",
    "am_internal_emulator_transformer_output_180_rotated.mp4": "upside down",
    "am_invalid-bitstream.webm": "VP9 that is none",
    "am_mv_with_2_top_shots.mp4": "motion photo, two video tracks",
    "am_pixel-motion-photo-2-hevc-tracks.mp4": "motion photo, two video tracks",
    "am_pixel7_videoOnly_cleaned.mp4": "upside down, full range",
    "am_portrait_4k60.mp4": "4K, 60 a second, turned",
    "am_roadtrip-vp92-10bit.webm": "VP9 of 10 bit",
    "am_sample-with-large-length.avi": "AVI, times of decoding, length too large",
    "am_sample.avi": "AVI with empty frames",
    "am_sample.flv": "Flash",
    "am_sample.mp4": "the sound of it starts late",
    "am_sample_edit_list.mp4": "edit list, HLG, turned",
    "am_sample_empty_track.mp4": "a second video track without a frame",
    "am_sample_h264.ts": "transport stream",
    "am_sample_h264_iframes_only.ts": "key frames only",
    "am_sample_malformed_free_box.mp4": "a box of impossible size",
    "am_sample_missing_stsd.mp4": "sound without its description",
    "am_sample_rotate_and_reflect.mp4": "turned and mirrored",
    "am_sample_sef_slow_motion.mp4": "slow motion, sound first",
    "am_sample_with_increasing_timestamps_320w_240h.mp4": "60 a second, 932 frames",
    "am_sample_with_sdt.ts": "4 KiB of a transport stream",
    "am_sample_with_srt.mkv": "AC-3 and subtitles",
    "am_sample_without_stss.mp4": "no table of key frames",
    "am_silent-black-10s.mp4": "black and silent",
    "cvat_test_rotated_90_video.mp4": "MPEG-4 part 2, turned",
    "decord_corrupted.mp4": "damaged in the middle",
    "decord_unordered.mov": "four frames out of order",
    "decord_video_90.mov": "three frames, turned",
    "derived_hevc10_people.mp4": "HEVC of 10 bit",
    "derived_rot90_face_speech.mp4": "turned",
    "derived_truncated_no_moov.mp4": "cut off before its index",
    "derived_vfr_face_speech.mp4": "variable rate, 33 and 100 ms",
    "exiftool_truncated_M2TS.mts": "1,344 bytes of a transport stream",
    "exiftool_truncated_QuickTime.mov": "an index without pictures",
    "gpac_counter.hvc": "a bare stream without times, cut within its last frame",
    "gpac_fuzz_corpus/france.mp4": "fuzzed index",
    "gpac_fuzz_corpus/gpac.mp4": "scene description only",
    "mde_uuid540.mp4": "a box of a private kind",
    "mp4parse_bipbop_nonfragment_header.mp4": "an index without pictures",
    "mp4parse_chunk_out_of_range.mp4": "an index that contradicts itself",
    "mp4parse_invalid_userdata.mp4": "an index without pictures, broken user data",
    "muxjs_segments/test-middle-pat-pmt.ts": "starts in mid-stream, clock at 16 h",
    "muxjs_segments/test-no-audio-segment.ts": "a sound track without sound",
    "muxjs_segments/test-segment.ts": "one segment of a stream",
    "tc_av1_video.mkv": "AV1",
    "tc_bt709_full_range.mp4": "full range",
    "tc_h265_10bits.mp4": "HEVC of 10 bit",
}


UNDEFINED_END = frozenset({"gpac_counter.hvc"})
"""Cut within the last frame: where its pieces are missing FFmpeg shows what lay in memory, each time something else."""


class Wrong(Exception):
    """A result that is neither right nor a plain refusal."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the two commands made of one file. Without a `copy` they refused it."""

    note: str
    """What is said of its condition, or why it is refused."""
    analysis: dict[str, Any]
    copy: Path | None = None
    report: dict[str, Any] | None = None


Way = Callable[[Path, Path], Result]
"""From a file and an empty folder to what came of it."""


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def by_tasks(path: Path, out: Path) -> Result:
    """The tasks of both commands in this process: no network looks, a mask is drawn by hand."""

    def folder(name: str) -> Path:
        (out / name).mkdir()
        return out / name

    media = media_from_json(probe_task.run({"original": path}, {}, folder("probe"), _quietly))
    video = media.main_video
    if video is None:
        return Result(media.note, {})
    raw = {}
    for piece in media.segments:
        segment = {name: getattr(piece, name) for name in ("number", "start_pts", "end_pts", "frame_count")}
        params = {"stream_index": video.index, "segment": segment, "detectors": [], "keep": [], "not_looked_for": []}
        made = folder(f"detect-{piece.number}")
        detect.run({"original": path}, params, made, _quietly)
        raw[f"raw-{piece.number}.parquet"] = made / "raw.parquet"
    tracks = folder("track") / "tracks.json"
    track.run(raw, {}, tracks.parent, _quietly)
    analysis = json.loads(tracks.read_bytes())
    analysis["tracks"] = [track_to_json(_drawn(analysis))]
    tracks.write_text(json.dumps(analysis), "utf-8")
    made = folder("redact")
    params = {"redaction": redaction_to_json(Redaction()), "draft": True, "crf": 18, "preset": "ultrafast"}
    report = redact.run({"original": path, "tracks.json": tracks}, params, made, _quietly)
    return Result(media.note, analysis, made / "redacted.mp4", report)


def by_commands(path: Path, out: Path) -> Result:
    """`exhibit analyse` and `exhibit redact`, each as a program of its own."""
    copy, report, found = out / "copy.mp4", out / "report.json", out / "found"
    analysed = exhibit("analyse", path, "--out", found, "--labels", "face", "--json")
    # By the tracks that were just found, so that the masks are known here; what is refused has none.
    tracks = ["--tracks", found] if found.exists() else []
    asked = ["-o", copy, "--what", "faces", "--report", report, "--no-second-look", "--json", *tracks]
    answers = [analysed, exhibit("redact", path, *asked)]
    for answer in answers:
        if "Traceback" in answer.stderr:
            raise Wrong(f"a traceback: {answer.stderr}")
    if {answer.returncode for answer in answers} == {2}:
        if list(out.iterdir()):
            raise Wrong(f"refused, and yet there is {[path.name for path in out.iterdir()]}")
        note = answers[0].stderr.splitlines()[0].partition(" can be read: ")[2]
        if note not in answers[1].stderr:
            raise Wrong(f"two words on one file: {answers[0].stderr} {answers[1].stderr}")
        return Result(note, {})
    if any(answer.returncode for answer in answers):
        raise Wrong(f"{[answer.returncode for answer in answers]} {answers[0].stderr} {answers[1].stderr}")
    analysis = json.loads((found / "tracks.json").read_bytes())
    return Result(json.loads(answers[0].stdout)["note"], analysis, copy, json.loads(report.read_bytes()))


def exhibit(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-m", "cli.main", *map(str, arguments)]
    environment = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def line_for(name: str, path: Path, result: Result) -> str:
    """The file's line of the page. Raises: Wrong for a result that isn't right."""
    copy, report = result.copy, result.report
    if copy is None or report is None:
        if not result.note:
            raise Wrong("refused without a word")
        return _line(name, "refused", "", "", "", "", result.note)
    source, made = probe(path), probe(copy)
    video, written = source.main_video, made.main_video
    if video is None or written is None or made.condition is not Condition.READABLE:
        raise Wrong(f"the copy is {made.condition.value}: {made.note}")
    if source.note != result.note:
        raise Wrong(f"said {result.note!r}, is {source.note!r}")
    frames, shift = result.analysis["frame_count"], Fraction(report["shift_s"])
    if not frames == report["frames_in"] == report["frames_out"] == written.frame_count:
        raise Wrong(f"{frames} frames analysed, {written.frame_count} in the copy")
    _judge_pictures(path, copy, result, video, redaction_from_json(report["redaction"]), shift)
    said = [result.note, *report["left_out"]]
    return _line(
        name,
        f"{frames} → {written.frame_count}",
        f"equal, less {float(shift):.3f} s" if shift else "equal",
        _picture(video, written),
        _judge_sound(path, copy, source, made, report, shift),
        "kept",
        "; ".join(filter(None, said)),
    )


def page(lines: list[str]) -> str:
    head = PAGE.read_text("utf-8").partition(_row(COLUMNS))[0]
    return "\n".join([head + _row(COLUMNS), _row(["---"] * len(COLUMNS)), *lines, ""])


def committed() -> dict[str, str]:
    """The lines of the page by their file."""
    lines = PAGE.read_text("utf-8").partition(_row(COLUMNS))[2].splitlines()
    return {line.split("`")[1]: line for line in lines if line.startswith("| `")}


def _line(name: str, *cells: str) -> str:
    return _row([f"`{name}`", ODD[name], *(cell.replace("|", "/") for cell in cells)])


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _quietly(done: int, total: int) -> None:
    """Nobody watches."""


def _drawn(analysis: dict[str, Any]) -> Track:
    """A mask over the first third of the frames, that a smart rendering has something to copy."""
    w, h = analysis["size_wh"]
    box = (w * 0.2, h * 0.3, w * 0.6, h * 0.5)
    pts = analysis["frame_pts"][: -(-analysis["frame_count"] // 3)]
    boxes = tuple(TrackBox(n, at, box, 1, Origin.DETECTED) for n, at in enumerate(pts))
    return Track(1, "face", "by hand", Fraction(analysis["time_base"]), boxes)


def _picture(video: VideoInfo, written: VideoInfo) -> str:
    """Its size and turn. Raises: Wrong when it doesn't stand as the source does."""
    w, h = video.size_wh
    even = (w + w % 2, h + h % 2)
    if (written.size_wh, written.rotation_degrees) != (even, video.rotation_degrees):
        raise Wrong(f"stands as {written.size_wh}, {written.rotation_degrees}°")
    text = f"{w} × {h}" + (f" → {even[0]} × {even[1]}" if even != (w, h) else "")
    text += f", turned {video.rotation_degrees}°" if video.rotation_degrees else ""
    if video.pixel_format.replace("yuvj", "yuv") != written.pixel_format.replace("yuvj", "yuv"):
        text += f", {video.pixel_format} → {written.pixel_format}"
    return text


def _judge_pictures(path: Path, copy: Path, result: Result, video: VideoInfo, redaction: Redaction, shift: Fraction) -> None:
    """Raises: Wrong for a time, a turn, a colour or a mask that isn't right."""
    tracks = [track_from_json(one) for one in result.analysis["tracks"]]
    masks = Masks(tracks, redaction, scenes=result.analysis.get("scenes", ()))
    frames = result.analysis["frame_count"]
    closely = {0, frames // 3, frames * 2 // 3, frames - (2 if path.name in UNDEFINED_END else 1)}
    with (
        read_frames(path, video.index, cuts=result.analysis.get("cuts", ())) as source,
        read_frames(copy, _only_video(copy)) as written,
    ):
        for number, (before, after) in enumerate(zip(source, written, strict=True)):
            if after.moment.seconds != before.moment.seconds - shift:
                raise Wrong(f"frame {number} is shown at {after.moment.seconds}, not {before.moment.seconds - shift}")
            if number == 0 and after.orientation != before.orientation:
                raise Wrong("the copy stands otherwise than its source")
            if number in closely:
                boxes = [after.orientation.box_to_stored(box, after.stored_size_wh) for box in masks.at(before.index)]
                _judge_colours(before.picture, after, boxes)


def _only_video(copy: Path) -> int:
    with av.open(str(copy)) as container:
        (stream,) = container.streams.video
        return stream.index


def _judge_colours(before: Picture, frame: Frame, boxes: list[tuple[float, float, float, float]]) -> None:
    after = frame.picture
    if is_full_range(before) != is_full_range(after):
        raise Wrong("the range of the colours is another one")
    for what in ("colorspace", "color_primaries", "color_trc"):
        if int(getattr(before, what)) != int(getattr(after, what)):
            raise Wrong(f"{what} is {getattr(after, what)}, not {getattr(before, what)}")
    form = layout(before.format.name)
    if form is None:
        raise Wrong(f"{before.format.name} can't be compared here")
    for plane, (old, new) in enumerate(zip(arrays(before), arrays(after), strict=True)):
        h, w = old.shape
        difference = new[:h, :w].astype(np.float32) - old.astype(np.float32) / (1 << form.bits - 8)
        outside = np.ones((h, w), bool)
        for x0, y0, x1, y1 in boxes:
            sx, sy = after.width / new.shape[1], after.height / new.shape[0]
            inner = difference[_span(y0 / sy + 8, y1 / sy - 8), _span(x0 / sx + 8, x1 / sx - 8)]
            if plane == 0 and inner.size:
                black = 0 if is_full_range(after) else 16
                shown = new[_span(y0 + 8, y1 - 8), _span(x0 + 8, x1 - 8)].astype(int)
                if np.abs(shown - black).max() >= 32:
                    raise Wrong("a mask lets something through")
            outside[_span(y0 / sy - 8, y1 / sy + 8), _span(x0 / sx - 8, x1 / sx + 8)] = False
        if abs(difference[outside].mean()) > _BIAS:
            raise Wrong(f"plane {plane} is off by {difference[outside].mean():.2f}")
        difference[~outside] = 0
        blocks = difference[: h // 16 * 16, : w // 16 * 16].reshape(h // 16, 16, w // 16, 16).mean((1, 3))
        if blocks.size and np.percentile(np.abs(blocks), 99) > _LEVELS:
            raise Wrong(f"plane {plane}: blocks are off by {np.percentile(np.abs(blocks), 99):.2f}")


def _span(start: float, end: float) -> slice:
    return slice(max(0, round(start)), max(0, round(end)))


def _judge_sound(path: Path, copy: Path, source: MediaInfo, made: MediaInfo, report: dict[str, Any], shift: Fraction) -> str:
    """What became of each sound track. Raises: Wrong when one is lost without a word, or lies elsewhere."""
    told, kept = [], iter(made.audio)
    for number, (info, words) in enumerate(zip(source.audio, report["audio"], strict=True)):
        if "left out" in words:
            if info.codec and len(_heard(path, number, shift)):
                raise Wrong(f"sound that can be heard is gone: {words}")
            told.append(words.partition(": ")[2])
            continue
        new = next(kept, None)
        if new is None:
            raise Wrong(f"a sound track is gone: {words}")
        _judge_wave(_heard(path, number, shift), _heard(copy, made.audio.index(new), Fraction(0)))
        told.append(f"{info.codec}, copied" if "copied unchanged" in words else f"{info.codec} → {new.codec}")
    if next(kept, None) is not None:
        raise Wrong("the copy has sound that its source has not")
    return ", ".join(told) or "none"


def _heard(path: Path, number: int, shift: Fraction) -> npt.NDArray[np.float32]:
    """What can be heard of a track, on the clock of the copy from its zero, as one channel of `_RATE_HZ`."""
    wave = np.zeros(0, np.float32)
    with av.open(str(path)) as container:
        stream = container.streams.audio[number]
        resampler = AudioResampler("flt", "mono", _RATE_HZ)
        for frame in [*_decoded(container, stream), None]:
            for piece in resampler.resample(frame):
                at = round(((piece.pts or 0) * piece.time_base - shift) * _RATE_HZ)
                at = len(wave) if wave.size and abs(at - len(wave)) < _HOLE_S * _RATE_HZ else at
                samples = piece.to_ndarray().ravel()[max(0, -at) :]
                at = max(0, at)
                wave = np.pad(wave, (0, max(0, at + len(samples) - len(wave))))
                wave[at : at + len(samples)] = samples
    return wave


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Raises nothing: what can't be decoded can't be heard."""
    frames = container.decode(stream)
    while True:
        try:
            yield next(frames)
        except StopIteration:
            return
        except av.error.FFmpegError:
            return


def _judge_wave(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> None:
    if abs(len(before) - len(after)) > 0.1 * _RATE_HZ:
        raise Wrong(f"{len(after) / _RATE_HZ:.3f} s of sound, not {len(before) / _RATE_HZ:.3f} s")
    shared = min(len(before), len(after))
    before, after = before[:shared], after[:shared]
    if np.abs(before).max(initial=0) < 0.001:
        return
    size = 1 << (2 * shared - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size)), size)
    lag = int(np.argmax(product))
    lag -= size if lag > size // 2 else 0
    alike = product.max() / (np.linalg.norm(before) * np.linalg.norm(after) + 1e-9)
    if abs(lag) > _APART_S * _RATE_HZ or alike < 0.9:
        raise Wrong(f"the sound lies {lag / _RATE_HZ:+.3f} s from where it was, alike by {alike:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Write docs/odd-media.md.")
    parser.add_argument("folder", type=Path, help="where the odd files lie")
    parser.add_argument("--quick", action="store_true", help="tasks in this process instead of the real commands")
    parser.add_argument("--only", default="", help="names that contain this; says the lines, writes no page")
    asked = parser.parse_args()
    lines, wrong = [], 0
    for name in files(asked.folder):
        if asked.only not in name:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            try:
                way = by_tasks if asked.quick else by_commands
                lines.append(line_for(name, asked.folder / name, way(asked.folder / name, Path(scratch))))
            except Wrong as exc:
                wrong += 1
                lines.append(_line(name, "WRONG", "", "", "", "", str(exc)))
        print(lines[-1], flush=True)
    if not asked.only:
        PAGE.write_text(page(lines), "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

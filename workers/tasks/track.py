"""TRACK: the raw detections of all segments become tracks over the whole video.

Inputs `raw-0.parquet`, `raw-1.parquet` … (one per segment, as DETECT made them). In `out`:

`tracks.json` (UTF-8, compact JSON), what INDEX, THUMBNAILS, ANNOTATE and REDACT read::

    {"frame_count": 302,                 # frames that really decoded, over all segments
     "frame_pts": [0, 1001, …],          # the pts of each of them; frame i of a track is frame_pts[i]
     "cuts": [0, 1801800, …],            # where each segment started, as it was read
     "scenes": [120, …],                 # frames with which another scene begins: no mask is carried on over them
     "time_base": "1/30000",
     "size_wh": [1920, 1080],            # the upright picture that boxes are measured in
     "tracks": [wire.track_to_json, …],  # by id, from 1 in the order in which they were first seen
     "looks_per_second": 5,               # only where no other frames were looked at: boxes between are filled in
     "models": [{"name", "task", "sha256", "licence", "threshold", "low_threshold", "runtime",
                 "precision", "ran": {file: SHA-256}, "input_wh"}, …],       # what really ran
     "looked_for": ["bicycle", "face", …],        # labels a model was asked for, sorted
     "not_looked_for": [{"what": "plates", "reason": "not analysed: no weights"}, …],
     "original_sha256": "…"}                  # of the file that was looked at

`what` in `not_looked_for` is a catalogue task: objects, faces or plates (people are found by the objects model), or a
single label that the object model does not know.

`tracks.mot.txt`: MOT 1.1, `frame,id,x,y,w,h,score,class,visibility`, frames from 1, class = position in the sorted
list of labels that occur, from 1.

`detections.parquet`: frame (int64), pts (int64), time_base (string), box_xyxy (fixed list of 4 float32), score
(float32), label, track_id (int64, -1: in no track), model, origin (detected | tracked | interpolated).

A box of a face or plate is never much smaller than shortly before and after; the raw detections keep what was seen.

`doubts.json` (UTF-8): where a person should look, what may stand open first, then the most urgent::

    {"frames": 41, "share": 0.136,           # how much of the video that is
     "first": {"spans": 1, "frames": 8, "share": 0.026},    # of it, where something may stand open
     "time_base": "1/30000",
     "cuts": [120, …],                       # frames with which another scene begins
     "doubts": [{"rank": 1, "reason": "broken", "label": "face", "first_frame": 12, "last_frame": 19,
                 "start_pts": 12012, "end_pts": 19019, "tracks": [3, 4]}, …]}

`reason`: see `evidence.doubt.Reason`.

Params: `not_looked_for` (as above, added to what the segments say), `original_sha256`.
Result: {"frames", "last_pts" (of the last frame), "tracks", "labels": {label: tracks}, "doubts", "tiles": [{"model",
"tiles", "why", "measured"}] as DETECT chose (a line for each answer that segments came to), "looked_for",
"not_looked_for", "models"}.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors import motion
from detectors.doubts import Video
from detectors.filled import Filling, adapted, lowered
from detectors.rules import as_written
from detectors.table import SegmentSeen, read_raw, write_final
from detectors.tracker import follow, frames_per_second
from evidence.errors import CorruptMedia, IntegrityError
from evidence.heads import carried_on
from evidence.ports import Progress
from evidence.track import Detections, Track
from evidence.wire import tracks_file
from workers.tasks.doubting import write_doubts


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    segments = sorted((read_raw(path) for path in inputs.values()), key=lambda s: s.number)
    seen, frame_pts = join(segments)
    if not len(frame_pts):
        raise CorruptMedia("not one frame of the video could be decoded")
    progress(0, len(frame_pts))
    models = _once(model for s in segments for model in s.about["models"])
    size_wh = next(s.about["size_wh"] for s in segments if len(s.frame_pts))
    thresholds = {m["name"]: m["threshold"] for m in models}
    motions = motion.joined([s.about.get("motion") for s in segments if len(s.frame_pts)])
    all_pts, per_second = _all_frames(segments)
    few = len(all_pts) > len(frame_pts)
    starts, rules = (lowered(models), adapted) if few else (thresholds, as_written)
    tracks, untracked = follow(seen, frame_pts, starts, (size_wh[0], size_wh[1]), progress, motions, rules)
    tracks = carried_on(tracks, (size_wh[0], size_wh[1]))
    about = {
        **({} if per_second is None else {"looks_per_second": per_second}),
        "models": models,
        "looked_for": _looked_for_everywhere(segments),
        "not_looked_for": _once(
            [*params.get("not_looked_for", []), *(n for s in segments for n in s.about["not_looked_for"])]
        ),
    }
    cuts = [s.about["start_pts"] for s in segments if s.about.get("start_pts") is not None]
    of = str(params.get("original_sha256", ""))
    scenes = [frame for frame, moved in enumerate(motions) if moved.cut]
    rate = frames_per_second(frame_pts, seen.time_base)
    video = Video(len(frame_pts), rate, (size_wh[0], size_wh[1]), scenes, _sharpness(segments, len(frame_pts)))
    filling = None if per_second is None else Filling(frame_pts, all_pts)
    doubts = write_doubts(out, tracks, untracked, video, thresholds, frame_pts, filling)
    if filling is not None:
        tracks, untracked = [filling.track(track) for track in tracks], filling.detections(untracked)
        frame_pts, scenes = all_pts, [filling.frame(look) for look in scenes]
    whole = tracks_file(
        frame_pts.tolist(), seen.time_base, size_wh, tracks, about, cuts=cuts, scenes=scenes, original_sha256=of
    )
    (out / "tracks.json").write_text(whole, "utf-8")
    (out / "tracks.mot.txt").write_text(mot_lines(tracks), "utf-8")
    write_final(tracks, untracked, out / "detections.parquet")
    progress(len(frame_pts), len(frame_pts))
    labels = dict(sorted(Counter(track.label for track in tracks).items()))
    tiles = _once({"model": m, **how} for s in segments for m, how in s.about.get("plan", {}).get("tiles", {}).items())
    counts = {"frames": len(frame_pts), "last_pts": int(frame_pts[-1]), "tracks": len(tracks), "labels": labels}
    return {**counts, "doubts": doubts, "tiles": tiles, **about}


def _all_frames(segments: Sequence[SegmentSeen]) -> tuple[npt.NDArray[np.int64], float | None]:
    """The times of all frames, and how many a second were looked at; None: the models chose among all.

    Raises: IntegrityError for segments that were not looked at in one way.
    """
    asked = {s.about.get("plan", {}).get("looks_per_second") for s in segments}
    if len(asked) > 1:
        raise IntegrityError("the segments were not looked at in one way", hint="Retry the DETECT steps, then this one.")
    found = [np.array(s.about.get("all_pts", s.frame_pts), np.int64) for s in segments]
    return np.concatenate(found), asked.pop()


def _sharpness(segments: Sequence[SegmentSeen], frames: int) -> list[float]:
    """Of each frame; empty where a segment has none recorded."""
    found = [value for s in segments for value in (s.about.get("motion") or {}).get("sharpness", ())]
    return found if len(found) == frames else []


def join(segments: Sequence[SegmentSeen]) -> tuple[Detections, npt.NDArray[np.int64]]:
    """The detections of all segments with frames counted over the whole video, and the pts of every frame.

    Raises: IntegrityError when segments are missing, overlap, or belong to different videos.
    """
    if [s.number for s in segments] != list(range(len(segments))) or not segments:
        raise IntegrityError("the detections of a segment are missing", hint="Retry the DETECT steps, then this one.")
    parts = [s.detections for s in segments]
    frame_pts = np.concatenate([s.frame_pts for s in segments])
    bases = {part.time_base for s, part in zip(segments, parts, strict=True) if len(s.frame_pts)} or {parts[0].time_base}
    if len(bases) > 1 or (np.diff(frame_pts) <= 0).any():
        raise IntegrityError("the segments' frames don't follow one another", hint="Retry PROBE, then the DETECT steps.")
    starts = np.cumsum([0, *(len(s.frame_pts) for s in segments)])
    return (
        Detections(
            frame=np.concatenate([part.frame + start for part, start in zip(parts, starts, strict=False)]),
            pts=np.concatenate([part.pts for part in parts]),
            box_xyxy=np.concatenate([part.box_xyxy for part in parts]),
            score=np.concatenate([part.score for part in parts]),
            label=tuple(label for part in parts for label in part.label),
            model=tuple(model for part in parts for model in part.model),
            time_base=bases.pop(),
            ago=np.concatenate([part.ago for part in parts]),
        ),
        frame_pts,
    )


def _looked_for_everywhere(segments: Sequence[SegmentSeen]) -> list[str]:
    """Workers may differ in their weights: what one segment was not searched for, the video was not searched for.

    Redaction trusts this: a label in it has been looked for on every frame.
    """
    asked = [frozenset(s.about["looked_for"]) for s in segments if len(s.frame_pts)]
    return sorted(frozenset.intersection(*asked))


def mot_lines(tracks: Sequence[Track]) -> str:
    """MOT 1.1, sorted by frame, then id."""
    classes = {label: i for i, label in enumerate(sorted({t.label for t in tracks}), 1)}
    lines = []
    for track in tracks:
        for box in track.boxes:
            x0, y0, x1, y1 = box.box_xyxy
            place = f"{x0:.2f},{y0:.2f},{x1 - x0:.2f},{y1 - y0:.2f}"
            lines.append(
                (box.frame, track.id, f"{box.frame + 1},{track.id},{place},{box.score:.4f},{classes[track.label]},1")
            )
    return "".join(f"{line}\n" for _, _, line in sorted(lines))


def _once(values: Any) -> list[Any]:
    """Equal JSON values once each, in the order in which they came."""
    return list({json.dumps(value, sort_keys=True): value for value in values}.values())

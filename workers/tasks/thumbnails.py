"""THUMBNAILS: one small picture of each track at the frame that shows it best.

Inputs `original`, `tracks.json`. Params, all optional: `max_count` (400; the surest tracks of every label first),
`within_px` (320), `stream_index`, `max_pixels`.
In `out`: `track-<id>.jpg`. Result: {"thumbnails": [track ids], "left_out": how many tracks have none}.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from evidence.ports import Progress
from evidence.track import Track
from media.container import MAX_PIXELS
from media.frames import Frame, read_frames
from media.stills import cropped, save_jpeg, shrunk
from workers.tasks import analysis as analyses

_MARGIN = 0.3
_SEEK_OVER_S = 10
"""Seconds without a wanted frame from which on seeking costs less than decoding."""


def run(inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Raises: IntegrityError, CorruptMedia, UnsupportedMedia, TooLarge."""
    original, analysis = inputs["original"], analyses.read(inputs[analyses.NAME])
    chosen = choose(analysis.tracks, int(params.get("max_count", 400)))
    wanted: dict[int, list[Track]] = defaultdict(list)
    for track in chosen:
        wanted[analysis.frame_pts[track.best.frame]].append(track)
    within = int(params.get("within_px", 320))
    made: list[int] = []
    if wanted:
        index = analyses.stream_index(params, original)
        for frame in frames_at(original, index, sorted(wanted), **analyses.pixel_limit(params)):
            picture = frame.rgb()
            for track in wanted[frame.pts]:
                crop = cropped(picture, track.best.box_xyxy, _MARGIN)
                save_jpeg(shrunk(crop, (within, within)), out / f"track-{track.id}.jpg")
                made.append(track.id)
                progress(len(made), len(chosen))
    return {"thumbnails": sorted(made), "left_out": len(analysis.tracks) - len(made)}


def choose(tracks: Sequence[Track], count: int) -> list[Track]:
    """At most `count` tracks, the labels in turn, of each label the surest first."""
    by_label: dict[str, list[Track]] = defaultdict(list)
    for track in sorted(tracks, key=lambda t: (-t.best.score, t.id)):
        by_label[track.label].append(track)
    in_turn = zip_longest(*(by_label[label] for label in sorted(by_label)))
    return [track for several in in_turn for track in several if track is not None][:count]


def frames_at(
    path: Path, stream_index: int, pts: Sequence[int], max_pixels: int = MAX_PIXELS, seek_over_s: int = _SEEK_OVER_S
) -> Iterator[Frame]:
    """The frames with these times (ascending), decoding only the stretches in which they lie."""
    stretch: list[int] = []
    with read_frames(path, stream_index, max_pixels=max_pixels) as reader:
        far = seek_over_s / reader.time_base
    for time in [*pts, None]:
        if stretch and (time is None or time - stretch[-1] > far):
            wanted = set(stretch)
            with read_frames(path, stream_index, stretch[0], stretch[-1] + 1, max_pixels=max_pixels) as reader:
                yield from (frame for frame in reader if frame.pts in wanted)
            stretch = []
        if time is not None:
            stretch.append(time)

"""Tracks of a few looks a second beside those of every frame: how many are found again.

python -m benchmarks.seldom [CLIP …] [--looks 10,5] [--out FOLDER]

Without a CLIP: all clips and those with a truth under EXHIBIT_TEST_DATA. Each goes through `exhibit analyse --every-frame`
and through `--looks-per-second`, once for each rate. A track of every frame is found again when some track of its kind
overlaps it by 0.3 on a frame at least; a sure one has a score of 0.4 on a frame at least. What only few looks find is
counted as more. Nobody looks at the tracks: some are of nothing, of both sides. --out keeps what was found; what is there
already is not looked for again. Says Markdown (docs/adr/0011-few-looks-a-second.md).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.words import table
from evidence.track import Track
from evidence.wire import track_from_json

OVERLAP = 0.3
SURE = 0.4
WITHIN = 0.02
"""Of the tracks of a kind, so many may be lost."""
KINDS = {
    "people": frozenset({"person"}),
    "vehicles": frozenset({"car", "bus", "truck"}),
    "two-wheelers": frozenset({"bicycle", "motorcycle"}),
    "plates": frozenset({"licence plate"}),
    "faces": frozenset({"face"}),
}
COLUMNS = (*KINDS, "sure faces")
_VIDEO = frozenset({".mp4", ".avi", ".mkv"})
Counts = Mapping[str, tuple[int, int, int]]
"""By column: found again, of, more."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _asked(arguments)
    of_rate: dict[str, dict[str, Counts]] = {looks: {} for looks in asked.looks.split(",")}
    with _folder(asked.out) as out:
        for clip in asked.clips or _all_clips():
            every = _tracks(clip, out, "--every-frame")
            for looks, counts in of_rate.items():
                counts[clip.stem] = compared(every, _tracks(clip, out, "--looks-per-second", looks))
                print(f"{clip.stem}: {looks} looks a second", file=sys.stderr)
    for looks, counts in of_rate.items():
        print(f"\n{looks} looks a second: found again of the tracks of every frame (more)\n\n{_page(counts)}")
    return 0


def compared(every: Sequence[Track], few: Sequence[Track]) -> Counts:
    """`every`, `few`: the tracks of one video, without holes, as they were found by looking at all frames and at few."""
    told = {}
    for kind, labels in KINDS.items():
        ours, theirs = ([_Columns(track) for track in tracks if track.label in labels] for tracks in (every, few))
        told[kind] = _counted(ours, theirs)
        if kind == "faces":
            sure, others = _counted([one for one in ours if one.best >= SURE], theirs), [o for o in theirs if o.best >= SURE]
            told["sure faces"] = (*sure[:2], _counted(ours, others)[2])
    return told


def _counted(ours: Sequence[_Columns], theirs: Sequence[_Columns]) -> tuple[int, int, int]:
    found = sum(any(one.meets(other) for other in theirs) for one in ours)
    return found, len(ours), sum(not any(other.meets(one) for one in ours) for other in theirs)


class _Columns:
    """A track as an array."""

    def __init__(self, track: Track) -> None:
        self.box = np.array([box.box_xyxy for box in track.boxes])
        self.best = max(box.score for box in track.boxes)
        self._first, self._end = track.boxes[0].frame, track.boxes[-1].frame + 1

    def meets(self, other: _Columns) -> bool:
        first, end = max(self._first, other._first), min(self._end, other._end)
        return first < end and bool((_iou(self._at(first, end), other._at(first, end)) >= OVERLAP).any())

    def _at(self, first: int, end: int) -> npt.NDArray[np.float64]:
        return self.box[first - self._first : end - self._first]


def _iou(some: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of each box and the one in the same row. Shape: (n, 4), (n, 4) to (n,)."""
    low, high = np.maximum(some[:, :2], others[:, :2]), np.minimum(some[:, 2:], others[:, 2:])
    both = np.maximum(0, high - low).prod(axis=1)
    areas = [(box[:, 2:] - box[:, :2]).prod(axis=1) for box in (some, others)]
    iou: npt.NDArray[np.float64] = both / np.maximum(1e-6, areas[0] + areas[1] - both)
    return iou


def _page(of_clip: Mapping[str, Counts]) -> str:
    rows = [(clip, *(_cell(counts[column]) for column in COLUMNS)) for clip, counts in of_clip.items()]
    whole: Counter[tuple[str, int]] = Counter()
    for counts in of_clip.values():
        whole.update({(column, place): n for column, found in counts.items() for place, n in enumerate(found)})
    sums = {column: (whole[column, 0], whole[column, 1], whole[column, 2]) for column in COLUMNS}
    rows.append(("**all**", *(f"**{_cell(sums[column])}**" for column in COLUMNS)))
    rows.append((f"within {WITHIN:g}", *(_judged(*sums[column][:2]) for column in COLUMNS)))
    return table(("", *COLUMNS), rows)


def _cell(counts: tuple[int, int, int]) -> str:
    found, of, more = counts
    return f"{found} of {of}" + (f" (+{more})" if more else "") if of or more else ""


def _judged(found: int, of: int) -> str:
    return f"{'yes' if found >= (1 - WITHIN) * of else 'no'}: {found / of:.3f}" if of else ""


def _tracks(clip: Path, out: Path, *how: str) -> list[Track]:
    folder = out / (clip.stem + "".join(how))
    if not folder.exists():
        command = (sys.executable, "-m", "cli.main", "analyse", str(clip), "--out", str(folder), "--json", *how)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return [track_from_json(track) for track in json.loads((folder / "tracks.json").read_bytes())["tracks"]]


def _all_clips() -> list[Path]:
    """Raises: SystemExit when nobody says where they are."""
    data = os.environ.get("EXHIBIT_TEST_DATA")
    if not data:
        raise SystemExit("not measured: name a clip, or set EXHIBIT_TEST_DATA to the folder with clips")
    return [
        file for folder in ("clips", "groundtruth") for file in sorted(Path(data, folder).iterdir()) if file.suffix in _VIDEO
    ]


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="exhibit-seldom-") as folder:
        yield Path(folder)


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIP")
    parser.add_argument("--looks", default="10,5", help="looks a second, comma-separated")
    parser.add_argument("--out", type=Path, help="folder for what is found; without it, nothing is kept")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

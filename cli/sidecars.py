"""Which files of a card belong together: a recording, and the telemetry and subtitles that lie beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SIDECAR_SUFFIXES = frozenset(
    {".srt", ".gpx", ".kml", ".csv", ".tsv", ".klv", ".json", ".geojson", ".nmea", ".log", ".txt", ".ulg", ".vtt", ".ass"}
)
"""What a recording may bring along under its own name. What a file really is the server finds out."""


@dataclass(frozen=True, slots=True)
class Group:
    """A recording and its sidecars; `main` is None for a sidecar whose recording isn't there."""

    main: Path | None
    sidecars: tuple[Path, ...]


def is_sidecar(path: Path) -> bool:
    return path.suffix.lower() in SIDECAR_SUFFIXES


def stem_of(path: Path) -> tuple[Path, str]:
    """What a recording and its sidecars have in common: folder and name without its ending, whatever its case."""
    return path.parent, path.stem.lower()


def grouped(paths: Iterable[Path]) -> Sequence[Group]:
    """The files by recording, each recording before what belongs to it, in the order in which they were named."""
    mains: dict[tuple[Path, str], list[Path]] = {}
    beside: dict[tuple[Path, str], list[Path]] = {}
    for path in dict.fromkeys(paths):
        (beside if is_sidecar(path) else mains).setdefault(stem_of(path), []).append(path)
    groups = []
    for stem, recordings in mains.items():
        # Two recordings of one name (a film and its preview): the sidecars are the first one's.
        groups.append(Group(recordings[0], tuple(beside.pop(stem, ()))))
        groups.extend(Group(other, ()) for other in recordings[1:])
    groups.extend(Group(None, tuple(alone)) for alone in beside.values())
    return groups

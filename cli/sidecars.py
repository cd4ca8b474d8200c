"""Which files of a card belong together: a recording, and the telemetry and subtitles that lie beside it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
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


_LONGEST_FOLDER = 1024
"""What a server takes."""


def folders(paths: Sequence[Path]) -> Mapping[Path, str]:
    """The folder of each file, to be told to the server: as it was named where all were named relatively, else from the
    deepest folder that they share, so that nothing above it is told. Empty where there is nothing to tell.
    """
    if all(not path.is_absolute() and ".." not in path.parts for path in paths):
        return {path: told(path.parent) for path in paths}
    # Links aren't followed: where they lead to was not named.
    places = {path: Path(os.path.abspath(path)).parent for path in paths}  # noqa: PTH100
    shared = os.path.commonpath(list(places.values()))
    return {path: told(place.relative_to(shared)) for path, place in places.items()}


def told(folder: Path) -> str:
    """A relative folder as the server takes it; empty for one that it would refuse: the file is to come in."""
    said = "" if folder == Path() else folder.as_posix()
    refused = len(said) > _LONGEST_FOLDER or not said.isprintable() or "\\" in said or said[1:2] == ":"
    return "" if refused else said


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

"""The second look of `exhibit redact`: what other eyes see open in the copy, mended where that was asked for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from evidence.findings import NOT_LOOKED
from evidence.mediatime import MediaTime
from evidence.redaction import Redaction
from evidence.wire import moment_from_json
from workers.alone import TRACKS, Bench

_MENDED_AT_MOST = 2
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Copy:
    """A redacted copy, the report about it, and the folder with pictures of what is open in it."""

    file: Path
    report: Mapping[str, Any]
    pictures: Path | None = None

    @property
    def open(self) -> int:
        return int(self.report["second_look"]["open"])


@dataclass(frozen=True, slots=True)
class How:
    """How a copy is made: `smart` rendering; whether to `look` at it, and to `mend` what that finds."""

    smart: bool
    look: bool
    mend: bool


def make(work: Bench, file: Path, redaction: Redaction, found: Path | None, how: How) -> Copy:
    """The copy, looked at a second time. To mend it, what was found is hidden too, and the copy made and looked at anew;
    at most twice.
    """
    made, report = work.redact(file, redaction, found, smart=how.smart)
    if not how.look:
        return Copy(made, {**report, "second_look": {**NOT_LOOKED, "mended": []}})
    folder, seen = work.look_again(made, redaction, found)
    mended: list[int] = []
    while how.mend and seen["open"] and len(mended) < _MENDED_AT_MOST:
        mended.append(seen["open"])
        found = folder / TRACKS
        made, again = work.redact(file, redaction, found, smart=how.smart)
        report = {**report, **again, "not_looked_for": report["not_looked_for"]}
        folder, seen = work.look_again(made, redaction, found)
    return Copy(made, {**report, "second_look": {**seen, "mended": mended}}, folder)


def pictures_place(output: Path) -> Path:
    """Where the pictures of what is open in a copy go."""
    return output.with_name(f"{output.stem}-findings")


def put_pictures(copy: Copy, output: Path) -> None:
    """For nobody but the one who asked: they show what should be hidden."""
    pictures = sorted(copy.pictures.glob("finding-*.jpg")) if copy.pictures else []
    if pictures:
        place = pictures_place(output)
        place.mkdir(mode=0o700, parents=True)
        for picture in pictures:
            shutil.move(picture, place / picture.name)


def show(console: Console, second_look: Mapping[str, Any], output: Path) -> None:
    """What was looked at, and the places that a person must look at."""
    if not second_look["models"]:
        console.print("Nothing looked at the copy a second time.")
        return
    if second_look["mended"]:
        console.print(f"Hidden after a second look: {', then '.join(str(n) for n in second_look['mended'])}.")
    names = " and ".join(model["name"] + (" (mirrored)" if model["mirrored"] else "") for model in second_look["models"])
    looked = f"Second look by {names} at {second_look['frames_looked_at']} of {second_look['frames_decoded']} frames"
    if not second_look["open"]:
        console.print(f"{looked}: nothing is open.")
        return
    places = "one place" if second_look["open"] == 1 else f"{second_look['open']} places"
    console.print(f"{looked}: {places} to look at, pictures in {pictures_place(output)}.")
    for finding in second_look["findings"][:_SHOWN]:
        moment: MediaTime = moment_from_json(finding["at"])
        edges = ",".join(f"{edge:.0f}" for edge in finding["box_xyxy"])
        console.print(f"  {finding['id']}: {moment.label()} {finding['label']} {finding['score']:.2f} at {edges}")
    if second_look["open"] > _SHOWN:
        console.print(f"  … and {second_look['open'] - _SHOWN} more; --report lists them all.")

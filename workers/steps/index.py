"""INDEX: the tracks become rows that people search, each with a picture; the doubts about them become rows too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from evidence.doubt import Doubt, Reason
from evidence.steps import Step, StepRun
from evidence.track import Track
from evidence.wire import track_from_json
from storage.ledger.findings import NewDoubts
from storage.ledger.steps import NewOutput, Result
from workers.steps.media import main_video, media_of
from workers.steps.track import DOUBTS, TRACKS
from workers.tools import Tools

_PICTURE = re.compile(r"track-(\d+)\.jpg")


def run(tools: Tools, step_run: StepRun) -> Result:
    exhibit = tools.exhibit(step_run)
    found = tools.output(exhibit.id, Step.TRACK, TRACKS)
    recipe = tools.recipe(Step.INDEX, {}, inputs=[found])
    path = tools.fetch(found, TRACKS)
    whole = json.loads(path.read_bytes())
    tracks = [track_from_json(value) for value in whole["tracks"]]
    doubts = json.loads(tools.fetch(tools.output(exhibit.id, Step.TRACK, DOUBTS), DOUBTS).read_bytes())
    pictures = list(tools.made_before(step_run, recipe))
    if tracks and not pictures:
        with tools.original(exhibit) as original:
            params = {"stream_index": main_video(media_of(exhibit)).index, **tools.caps()}
            out, _ = tools.child("thumbnails", {"original": original, TRACKS: path}, params)
        for picture in sorted(out.glob("track-*.jpg")):
            pictures.append(tools.publish(step_run, recipe, picture, {}))
    return Result(
        recipe.digest,
        pictures,
        note=_note(tracks),
        tracks=tracks,
        thumbnails=_thumbnails(pictures),
        doubts=_new_doubts(doubts, Fraction(whole["time_base"])),
    )


def _new_doubts(value: Mapping[str, Any], time_base: Fraction) -> NewDoubts:
    found = value["doubts"]
    return NewDoubts(
        [Doubt(Reason(d["reason"]), d["label"], d["first_frame"], d["last_frame"], tuple(d["tracks"]), 0.0) for d in found],
        [(d["start_pts"], d["end_pts"]) for d in found],
        time_base,
        value["share"],
    )


def _thumbnails(pictures: list[NewOutput]) -> dict[int, str]:
    named = ((_PICTURE.fullmatch(picture.name), picture.name) for picture in pictures)
    return {int(match[1]): name for match, name in named if match}


def _note(tracks: list[Track]) -> str:
    """How many of each label, in words."""
    labels = [track.label for track in tracks]
    return ", ".join(f"{labels.count(label)} × {label}" for label in sorted(set(labels))) or "nothing found"

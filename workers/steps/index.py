"""INDEX: the tracks become rows that people search, each with a picture."""

from __future__ import annotations

import json
import re

from evidence.steps import Step, StepRun
from evidence.track import Track
from evidence.wire import track_from_json
from storage.ledger.steps import NewOutput, Result
from workers.steps.media import main_video, media_of
from workers.steps.track import TRACKS
from workers.tools import Tools

_PICTURE = re.compile(r"track-(\d+)\.jpg")


def run(tools: Tools, step_run: StepRun) -> Result:
    exhibit = tools.exhibit(step_run)
    found = tools.output(exhibit.id, Step.TRACK, TRACKS)
    recipe = tools.recipe(Step.INDEX, {}, inputs=[found])
    path = tools.fetch(found, TRACKS)
    tracks = [track_from_json(value) for value in json.loads(path.read_bytes())["tracks"]]
    pictures = list(tools.made_before(step_run, recipe))
    if tracks and not pictures:
        with tools.original(exhibit) as original:
            params = {"stream_index": main_video(media_of(exhibit)).index, **tools.caps()}
            out, _ = tools.child("thumbnails", {"original": original, TRACKS: path}, params)
        for picture in sorted(out.glob("track-*.jpg")):
            pictures.append(tools.publish(step_run, recipe, picture, {}))
    return Result(recipe.digest, pictures, note=_note(tracks), tracks=tracks, thumbnails=_thumbnails(pictures))


def _thumbnails(pictures: list[NewOutput]) -> dict[int, str]:
    named = ((_PICTURE.fullmatch(picture.name), picture.name) for picture in pictures)
    return {int(match[1]): name for match, name in named if match}


def _note(tracks: list[Track]) -> str:
    """How many of each label, in words."""
    labels = [track.label for track in tracks]
    return ", ".join(f"{labels.count(label)} × {label}" for label in sorted(set(labels))) or "nothing found"

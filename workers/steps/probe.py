"""PROBE: what the file really is, and how much of it can be read."""

from __future__ import annotations

from evidence.errors import CorruptMedia, TooLarge, UnsupportedMedia
from evidence.exhibit import Condition
from evidence.steps import Step, StepRun
from evidence.wire import media_from_json
from storage.ledger.steps import Result
from workers.tools import Tools


def run(tools: Tools, step_run: StepRun) -> Result:
    """A file that can't be read is a finding, not a failure: it is kept, its condition says so, and no step follows."""
    exhibit = tools.exhibit(step_run)
    settings = tools.settings
    params = {
        "segment_s": settings.segment_s,
        "max_pixels": settings.max_pixels,
        "max_duration_s": settings.max_duration_s,
    }
    recipe = tools.recipe(Step.PROBE, params)
    with tools.original(exhibit) as original:
        try:
            _, found = tools.child("probe", {"original": original}, params)
        except (UnsupportedMedia, CorruptMedia, TooLarge) as exc:
            return Result(recipe.digest, note=str(exc), condition=Condition.UNREADABLE, condition_note=str(exc))
    media = media_from_json(found)
    return Result(recipe.digest, note=media.note, condition=media.condition, condition_note=media.note, media=media)

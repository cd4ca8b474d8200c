"""PROXY: a copy that a browser plays, and its picture."""

from __future__ import annotations

from evidence.steps import Step, StepRun
from storage.ledger.steps import Result
from workers.steps.media import main_video, media_of
from workers.tools import Tools


def run(tools: Tools, step_run: StepRun) -> Result:
    exhibit = tools.exhibit(step_run)
    recipe = tools.recipe(Step.PROXY, {})
    if kept := tools.made_before(step_run, recipe):
        return Result(recipe.digest, kept)
    with tools.original(exhibit) as original:
        video = main_video(media_of(exhibit))
        params = {"stream_index": video.index, "frame_count": video.frame_count, **tools.caps()}
        out, report = tools.child("proxy", {"original": original}, params)
    details = {"report": report}
    outputs = [tools.publish(step_run, recipe, out / name, details) for name in ("proxy.mp4", "poster.jpg")]
    return Result(recipe.digest, outputs)

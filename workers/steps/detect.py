"""DETECT: what the models see in one segment of the video."""

from __future__ import annotations

from typing import Any

from evidence.exhibit import MediaInfo, Segment
from evidence.steps import Step, StepRun
from storage.ledger.steps import Result
from workers.models import detect_params, model_hashes, without_paths
from workers.steps.media import main_video, media_of, missing_in_words, segment_of
from workers.tools import Tools


def raw_name(segment: int) -> str:
    return f"raw-{segment}.parquet"


def run(tools: Tools, step_run: StepRun) -> Result:
    """What no model is there for is said in the note and in the details, never passed over.

    The camera's height isn't told to the models, though tiles could be laid out by it: LOCATE runs beside this step, and the
    segments of one video would be looked at in two ways, by which of the two was sooner. The size of things is measured
    instead, on frames of the whole video, the same for each segment.

    Raises: WrongWeights.
    """
    exhibit = tools.exhibit(step_run)
    media = media_of(exhibit)
    with tools.stop.may_interrupt():  # another worker may be preparing the same model
        models = detect_params(tools.settings, tools.progress)
    params = {**models, **_where(media, segment_of(media, step_run.segment))}
    recipe = tools.recipe(Step.DETECT, without_paths(params), models=model_hashes(params))
    really_ran = [f"{spec['name']} {spec['sha256']}" for spec in params["detectors"]]
    if kept := tools.made_before(step_run, recipe):
        return Result(recipe.digest, kept, note=tools.note_of(kept), models=really_ran)
    with tools.original(exhibit) as original:
        out, report = tools.child("detect", {"original": original}, {**params, **tools.caps()})
    note = missing_in_words(report["not_looked_for"])
    details = {"report": report, "not_looked_for": report["not_looked_for"], "note": note}
    output = tools.publish(step_run, recipe, out / "raw.parquet", details, name=raw_name(step_run.segment))
    return Result(recipe.digest, [output], note=note, models=really_ran)


def _where(media: MediaInfo, segment: Segment) -> dict[str, Any]:
    return {
        "stream_index": main_video(media).index,
        "segment": {
            "number": segment.number,
            "start_pts": segment.start_pts,
            "end_pts": segment.end_pts,
            "frame_count": segment.frame_count,
        },
    }

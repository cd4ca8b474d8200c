"""ANNOTATE: the video with what was found drawn in, and where it comes from burnt in."""

from __future__ import annotations

from evidence.steps import Step, StepRun
from storage.ledger.steps import Result
from workers.steps.media import media_of
from workers.steps.track import TRACKS
from workers.tools import Tools


def run(tools: Tools, step_run: StepRun) -> Result:
    exhibit = tools.exhibit(step_run)
    claimed = exhibit.captured_at or media_of(exhibit).claimed_capture_time
    params = {
        "reference": exhibit.reference,
        "claimed_capture_time": None if claimed is None else claimed.isoformat(),
    }
    found = tools.output(exhibit.id, Step.TRACK, TRACKS)
    recipe = tools.recipe(Step.ANNOTATE, params, inputs=[found])
    if kept := tools.made_before(step_run, recipe):
        return Result(recipe.digest, kept, note=tools.note_of(kept))
    tracks = tools.fetch(found, TRACKS)
    with tools.original(exhibit) as original:
        out, report = tools.child("annotate", {"original": original, TRACKS: tracks}, {**params, **tools.caps()})
    note = str(report.get("note", ""))
    details = {"report": report, "note": note}
    output = tools.publish(step_run, recipe, out / "annotated.mp4", details)
    return Result(recipe.digest, [output], note=note)

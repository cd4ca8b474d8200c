"""ANNOTATE: the video with what was found drawn in, and where it comes from burnt in."""

from __future__ import annotations

from typing import Any

from evidence.clock import micros
from evidence.steps import Step, StepRun
from storage.index.filmed import Filmed
from storage.ledger.steps import Result
from workers.steps.media import main_video, media_of
from workers.steps.track import TRACKS
from workers.tools import Tools


def run(tools: Tools, step_run: StepRun) -> Result:
    exhibit = tools.exhibit(step_run)
    media = media_of(exhibit)
    claimed = exhibit.captured_at or media.claimed_capture_time
    params = {
        "reference": exhibit.reference,
        "claimed_capture_time": None if claimed is None else claimed.isoformat(),
        **_corrected(tools.index.filmed_by_all(exhibit.id)),
    }
    found = tools.output(exhibit.id, Step.TRACK, TRACKS)
    recipe = tools.recipe(Step.ANNOTATE, params, inputs=[found])
    if kept := tools.made_before(step_run, recipe):
        return Result(recipe.digest, kept, note=tools.note_of(kept))
    tracks = tools.fetch(found, TRACKS)
    with tools.original(exhibit) as original:
        inputs = {"original": original, TRACKS: tracks}
        index = main_video(media).index
        out, report = tools.child("annotate", inputs, {**params, "stream_index": index, **tools.caps()})
    note = str(report["note"])
    details = {"report": report, "note": note}
    output = tools.publish(step_run, recipe, out / "annotated.mp4", details)
    return Result(recipe.digest, [output], note=note)


def _corrected(filmed: Filmed | None) -> dict[str, Any]:
    """The clock that is known best, where more is known of it than its own claim."""
    if filmed is None or not filmed.checked:
        return {}
    start = {"utc_us": micros(filmed.start.utc), "error_s": filmed.start.error_s}
    return {"corrected": {**start, "claim_us": filmed.claim.clock_us, "zone": filmed.claim.zone.value}}

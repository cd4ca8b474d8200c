"""TRACK: the detections of all segments, joined into tracks over the whole video."""

from __future__ import annotations

from typing import Any

from evidence.steps import Step, StepRun
from storage.index import Output
from storage.ledger.places import TRACKS as TRACKS
from storage.ledger.steps import Result
from workers.steps.detect import raw_name
from workers.steps.media import media_of, missing_in_words, segment_numbers
from workers.tools import Tools

DOUBTS = "doubts.json"
_NAMES = (TRACKS, "tracks.mot.txt", "detections.parquet", DOUBTS)


def run(tools: Tools, step_run: StepRun) -> Result:
    exhibit = tools.exhibit(step_run)
    raw = [
        tools.output(exhibit.id, Step.DETECT, raw_name(number), segment=number)
        for number in segment_numbers(media_of(exhibit))
    ]
    params = {"not_looked_for": _not_looked_for(raw)}
    recipe = tools.recipe(Step.TRACK, params, inputs=raw)
    if kept := tools.made_before(step_run, recipe):
        return Result(recipe.digest, kept, note=tools.note_of(kept))
    inputs = {output.name: tools.fetch(output) for output in raw}
    out, report = tools.child("track", inputs, {**params, "original_sha256": exhibit.sha256.hex})
    note = missing_in_words(report["not_looked_for"])
    details = {"report": report, "not_looked_for": report["not_looked_for"], "note": note}
    outputs = [tools.publish(step_run, recipe, out / name, details) for name in _NAMES]
    return Result(recipe.digest, outputs, note=note)


def _not_looked_for(raw: list[Output]) -> list[dict[str, Any]]:
    """What one segment at least was not searched for, each once."""
    missing: dict[str, dict[str, Any]] = {}
    for output in raw:
        for line in output.details.get("not_looked_for", []):
            missing.setdefault(line["what"], dict(line))
    return [missing[what] for what in sorted(missing)]

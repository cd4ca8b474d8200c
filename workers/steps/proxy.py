"""PROXY: a copy that a browser plays, and its picture."""

from __future__ import annotations

from evidence.steps import Step, StepRun
from storage.ledger.steps import Result
from workers.tools import Tools


def run(tools: Tools, step_run: StepRun) -> Result:
    exhibit = tools.exhibit(step_run)
    recipe = tools.recipe(Step.PROXY, {})
    if kept := tools.made_before(step_run, recipe):
        return Result(recipe.digest, kept, note=tools.note_of(kept))
    with tools.original(exhibit) as original:
        out, report = tools.child("proxy", {"original": original}, tools.caps())
    note = str(report.get("note", ""))
    details = {"report": report, "note": note}
    names = ("proxy.mp4", "poster.jpg")
    outputs = [tools.publish(step_run, recipe, out / name, details) for name in names if (out / name).exists()]
    return Result(recipe.digest, outputs, note=note)

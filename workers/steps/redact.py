"""REDACT: a draft with faces, and plates where there is a detector for them, covered; or what a person asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.errors import Conflict
from evidence.findings import not_looked
from evidence.redaction import LABELS_OF, Hide, Keep, Redaction
from evidence.steps import Step, StepRun
from evidence.wire import redaction_asked, redaction_to_json
from storage.ledger.steps import Result
from workers.models import model_hashes, second_look_params, without_paths
from workers.steps.media import main_video, media_of, missing_in_words
from workers.steps.track import TRACKS
from workers.tools import Tools

DRAFT_VIDEO = "DRAFT-redacted.mp4"
DRAFT_REPORT = "DRAFT-report.json"


def run(tools: Tools, step_run: StepRun) -> Result:
    """Every redaction made here is a draft: no person has approved it, and everything about it says so.

    Raises: NoDetector when something is to be hidden that nobody looked for; Conflict when the tracks that were chosen
        are those of another analysis. Nothing is written then.
    """
    exhibit = tools.exhibit(step_run)
    found = tools.output(exhibit.id, Step.TRACK, TRACKS)
    not_looked_for = found.details["not_looked_for"]
    redaction = _wanted(step_run.params, frozenset(found.details["report"]["looked_for"]))
    if redaction.analysis not in {"", found.sha256}:
        raise Conflict(
            "the video was analysed again after these tracks were chosen: their numbers may mean others now",
            hint="Look at the new tracks, and ask again.",
        )
    looked_first = {model["name"] for model in found.details["report"]["models"]}
    with tools.stop.may_interrupt():  # another worker may be preparing the same model
        again = second_look_params(tools.settings, tools.progress, redaction, looked_first)
    params = {"redaction": redaction_to_json(redaction), "draft": True, "reference": exhibit.reference}
    decides = {**params, "second_look": without_paths(again)}
    recipe = tools.recipe(Step.REDACT, decides, inputs=[found], models=model_hashes(again))
    if kept := tools.made_before(step_run, recipe):
        return Result(recipe.digest, kept, note=tools.note_of(kept))
    tracks = tools.fetch(found, TRACKS)
    with tools.original(exhibit) as original:
        inputs = {"original": original, TRACKS: tracks}
        index = main_video(media_of(exhibit)).index
        out, report = tools.child("redact", inputs, {**params, "stream_index": index, **tools.caps()})
    report["second_look"], pictures = _look_again(tools, out / "redacted.mp4", tracks, again)
    (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")
    note = _note(redaction, not_looked_for, report["second_look"]["open"], report["location"]["kept"])
    details = {
        "draft": True,
        "redaction": params["redaction"],
        "not_looked_for": not_looked_for,
        "report": report,
        "note": note,
    }
    outputs = [
        tools.publish(step_run, recipe, out / "redacted.mp4", details, name=DRAFT_VIDEO),
        tools.publish(step_run, recipe, out / "report.json", details, name=DRAFT_REPORT),
        # A picture shows what should be hidden: it is as much a draft as the copy.
        *(tools.publish(step_run, recipe, picture, {"draft": True}, name=f"DRAFT-{picture.name}") for picture in pictures),
    ]
    return Result(recipe.digest, outputs, note=note)


def _look_again(tools: Tools, copy: Path, tracks: Path, params: Mapping[str, Any]) -> tuple[dict[str, Any], list[Path]]:
    """What the second look says of the copy, and the pictures of what it found."""
    if not params["detectors"]:
        return not_looked(params["not_looked_for"]), []
    out, report = tools.child("second_look", {"copy": copy, TRACKS: tracks}, {**params, **tools.caps()})
    return report, sorted(out.glob("finding-*.jpg"))


def _wanted(params: Mapping[str, Any], looked_for: frozenset[str]) -> Redaction:
    """What a person asked for; of itself: faces, and plates if they were looked for."""
    if not params:
        plates = {Hide.PLATES} if LABELS_OF[Hide.PLATES] <= looked_for else set()
        redaction = Redaction(what=frozenset({Hide.FACES} | plates))
    else:
        redaction = redaction_asked(params)
    redaction.check_looked_for(looked_for)
    return redaction


def _note(redaction: Redaction, not_looked_for: list[dict[str, str]], places: int, kept: str | None) -> str:
    open_places = f"a second look found {places} {'place' if places == 1 else 'places'} to look at" if places else ""
    covered = f"draft, approved by nobody: {redaction.in_words()} covered"
    return "; ".join(filter(None, [covered, open_places, _of_location(redaction, kept), missing_in_words(not_looked_for)]))


def _of_location(redaction: Redaction, kept: str | None) -> str:
    if kept:
        return f"it says where it was filmed, as was asked: {kept}"
    return "no location in it" + (", nor in the original" if Keep.LOCATION in redaction.keep else "")

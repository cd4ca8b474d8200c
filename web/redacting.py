"""What a redaction of an exhibit may name: what was looked for, tracks of its newest analysis, places in its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from evidence.errors import BadInput, Conflict
from evidence.exhibit import Exhibit
from evidence.mediatime import MediaTime, Span, from_seconds
from evidence.redaction import Redaction
from evidence.steps import Step, StepRun, StepState
from storage.index import Output
from web.context import Context


def checked(context: Context, exhibit: Exhibit, redaction: Redaction) -> Redaction:
    """The same, bound to the analysis whose tracks it names. The step refuses it too; here the person hears of it at once.

    Raises: BadInput, NoDetector; Conflict when its tracks are those of another analysis, or are just being listed anew.
    """
    outputs = context.index.outputs(exhibit.id, step=Step.TRACK, name="tracks.json")
    newest = next(iter(outputs), None)
    redaction.check_looked_for(newest.details["report"]["looked_for"] if newest else ())
    if redaction.regions:
        _require_in_picture(exhibit, redaction)
    if not (redaction.keep_tracks or redaction.only_tracks):
        return redaction
    analysis = analysis_of(outputs, context.index.step_runs(exhibit.id))
    if not analysis or redaction.analysis not in {"", analysis}:
        raise Conflict(
            "the video was analysed again: the numbers of its tracks may mean others now",
            hint="Look at the tracks again, once the step index is done, and choose anew.",
        )
    redaction.check_tracks({row.track_id for row in context.index.tracks(exhibit.id)})
    return replace(redaction, analysis=analysis)


def analysis_of(outputs: Sequence[Output], runs: Sequence[StepRun]) -> str:
    """SHA-256 of the tracks.json whose tracks the index lists; empty while it doesn't list the newest ones.

    `outputs` newest first.
    """
    newest = next((output for output in outputs if output.step is Step.TRACK and output.name == "tracks.json"), None)
    made, listed = _ended(runs, Step.TRACK), _ended(runs, Step.INDEX)
    return newest.sha256 if newest and made and listed and made <= listed else ""


def _ended(runs: Sequence[StepRun], step: Step) -> datetime | None:
    """When the newest run ended, if it is done."""
    newest = max((run for run in runs if run.step is step), key=lambda run: run.created_at, default=None)
    return newest.finished_at if newest and newest.state is StepState.DONE else None


def _require_in_picture(exhibit: Exhibit, redaction: Redaction) -> None:
    media = exhibit.media
    video = media.main_video if media else None
    if media is None or video is None:
        raise BadInput("this exhibit has no picture to draw in", hint="Look at its steps: it may not be probed yet.")
    start = MediaTime(video.start_pts, video.time_base)
    whole = None if media.duration_s is None else Span(start, from_seconds(start.seconds + media.duration_s))
    redaction.check_regions(video.upright_size_wh, whole)

"""Exhibits: their record, the work on them, their tracks, and their bytes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool

from evidence.case import Act
from web import actions
from web.api.answers import LogAnswer, UploadAnswer
from web.api.asked import ClipAsked, FilingAsked, RedactionAsked
from web.api.doubt_answers import AcceptAsked, ReopenAsked
from web.api.exhibit_answers import (
    Clip,
    ClipList,
    ExhibitLine,
    ExhibitList,
    Filed,
    StepAnswer,
    StepList,
    TrackAnswer,
    TrackList,
    Tray,
    TrayLine,
    WholeExhibit,
)
from web.context import asks
from web.footage import find_output
from web.signin import Ctx, Who
from web.streaming import send

router = APIRouter(tags=["exhibits"])
_LOG_LIMIT = 500


@router.get("/uploads/{upload_id}", **asks(Act.SEE_EXHIBIT))
def view_upload(context: Ctx, who: Who, upload_id: str) -> UploadAnswer:
    """How far an upload is, and which exhibit it became."""
    return UploadAnswer.of(actions.view_upload(context, who, upload_id))


@router.get("/tray", **asks(Act.SEE_TRAY))
def tray(context: Ctx, who: Who) -> Tray:
    """Uploads that belong to no case yet."""
    return Tray(exhibits=[TrayLine.of(exhibit) for exhibit in actions.tray(context, who)])


@router.get("/exhibits", **asks(Act.SEE_EXHIBIT))
def my_exhibits(context: Ctx, who: Who) -> ExhibitList:
    """What you uploaded yourself, newest first."""
    return ExhibitList(exhibits=[ExhibitLine.of(view) for view in actions.my_exhibits(context, who)])


@router.get("/exhibits/{exhibit_id}", **asks(Act.SEE_EXHIBIT))
def view_exhibit(context: Ctx, who: Who, exhibit_id: str) -> WholeExhibit:
    """Everything that is known of it: hashes, lock, media, each step's state, outputs."""
    return WholeExhibit.seen(actions.view_exhibit(context, who, exhibit_id))


@router.patch("/exhibits/{exhibit_id}", **asks(Act.FILE_FROM_TRAY))
def file_from_tray(context: Ctx, who: Who, exhibit_id: str, asked: FilingAsked) -> Filed:
    """File an exhibit from the tray with an open case; it gets its reference there."""
    return Filed.of(actions.file_from_tray(context, who, exhibit_id, asked.case))


@router.post("/exhibits/{exhibit_id}/steps/{step}/retry", status_code=202, **asks(Act.PROCESS))
def retry(context: Ctx, who: Who, exhibit_id: str, step: str) -> StepList:
    """Start a step again; `step` is its name, or the id of one run."""
    return StepList(steps=[StepAnswer.of(run) for run in actions.retry(context, who, exhibit_id, step)])


@router.post("/exhibits/{exhibit_id}/steps/{step}/cancel", status_code=202, **asks(Act.PROCESS))
def cancel(context: Ctx, who: Who, exhibit_id: str, step: str) -> StepList:
    """Stop a step, between two frames if it runs."""
    return StepList(steps=[StepAnswer.of(run) for run in actions.cancel(context, who, exhibit_id, step)])


@router.post("/exhibits/{exhibit_id}/redactions", status_code=202, **asks(Act.PROCESS))
def ask_redaction(context: Ctx, who: Who, exhibit_id: str, asked: RedactionAsked) -> StepAnswer:
    """Ask for a new redacted copy; it is a draft until somebody approves it."""
    return StepAnswer.of(actions.ask_redaction(context, who, exhibit_id, asked.redaction(who.user.name)))


@router.post("/exhibits/{exhibit_id}/redactions/{run}/findings/{finding}/accept", **asks(Act.PROCESS))
def accept_finding(
    context: Ctx,
    who: Who,
    exhibit_id: str,
    run: str,
    finding: Annotated[int, PathParameter(ge=1, le=2**31 - 1)],
    asked: AcceptAsked,
) -> WholeExhibit:
    """You looked at a finding of a copy's second look, and it is harmless; `run` is the one that made the copy."""
    actions.accept_finding(context, who, exhibit_id, run, finding, asked.reason)
    return WholeExhibit.seen(actions.view_exhibit(context, who, exhibit_id))


@router.post("/exhibits/{exhibit_id}/redactions/{run}/findings/{finding}/reopen", **asks(Act.PROCESS))
def reopen_finding(
    context: Ctx,
    who: Who,
    exhibit_id: str,
    run: str,
    finding: Annotated[int, PathParameter(ge=1, le=2**31 - 1)],
    asked: ReopenAsked,
) -> WholeExhibit:
    """A finding that was accepted is open again; the log keeps who accepted it, and why."""
    actions.reopen_finding(context, who, exhibit_id, run, finding, asked.reason)
    return WholeExhibit.seen(actions.view_exhibit(context, who, exhibit_id))


@router.post("/exhibits/{exhibit_id}/clips", status_code=202, **asks(Act.PROCESS))
def ask_clip(context: Ctx, who: Who, exhibit_id: str, asked: ClipAsked) -> StepAnswer:
    """Ask for a clip of a span, frame-exact."""
    return StepAnswer.of(actions.ask_clip(context, who, exhibit_id, asked.span(), asked.source))


@router.get("/exhibits/{exhibit_id}/clips", **asks(Act.SEE_EXHIBIT))
def list_clips(context: Ctx, who: Who, exhibit_id: str) -> ClipList:
    """Clips asked for, newest first, with the file of each that is done."""
    return ClipList(clips=[Clip.of_run(run, outputs) for run, outputs in actions.clips(context, who, exhibit_id)])


@router.get("/exhibits/{exhibit_id}/tracks", **asks(Act.SEE_EXHIBIT))
def tracks(context: Ctx, who: Who, exhibit_id: str) -> TrackList:
    """What was seen, from when to when."""
    analysis, found = actions.tracks(context, who, exhibit_id)
    return TrackList(exhibit=exhibit_id, analysis=analysis, tracks=[TrackAnswer.of(track) for track in found])


@router.get("/exhibits/{exhibit_id}/audit", **asks(Act.SEE_AUDIT))
def exhibit_log(context: Ctx, who: Who, exhibit_id: str) -> LogAnswer:
    """The newest events of one exhibit's history."""
    return LogAnswer.of(actions.exhibit_log(context, who, exhibit_id, limit=_LOG_LIMIT))


@router.get("/exhibits/{exhibit_id}/outputs/{name}", response_class=Response, **asks(Act.WATCH))
@router.head("/exhibits/{exhibit_id}/outputs/{name}", include_in_schema=False, **asks(Act.WATCH))
async def fetch_output(
    context: Ctx,
    who: Who,
    request: Request,
    exhibit_id: str,
    name: str,
    run: Annotated[str, Query(max_length=64, description="Only what this step run made.")] = "",
    download: Annotated[bool, Query(description="To be saved, not shown.")] = False,
) -> Response:
    """The bytes: `original`, `proxy`, `annotated`, `redacted`, `clip`, or a file by its name; with HTTP Range.

    The viewing is in the custody log before the first byte leaves.
    """
    footage = await run_in_threadpool(find_output, context, who, exhibit_id, name, run=run)
    return await send(context, who, footage, request.method, request.headers, download=download)

"""Cases, their members, their exhibits, exports and custody log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from evidence.case import Act
from web import actions
from web.api.answers import CaseLine, CaseList, LogAnswer, Person, WholeCase
from web.api.asked import CaseAsked, CaseChangeAsked
from web.api.exhibit_answers import ExhibitLine, ExhibitList, Export, ExportList, StepAnswer
from web.context import asks
from web.footage import find_export
from web.signin import Ctx, Who
from web.streaming import send

router = APIRouter(prefix="/cases", tags=["cases"])
After = Annotated[int, Query(ge=0, le=2**53 - 1, description="Events with a higher number only.")]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("", **asks(Act.SEE_CASE))
def list_cases(context: Ctx, who: Who, q: Annotated[str, Query(max_length=200)] = "") -> CaseList:
    """Your cases, urgent first, then the newest; `q` is part of the reference or the title."""
    return CaseList(cases=[CaseLine.of(case) for case in actions.list_cases(context, who, q)])


@router.post("", status_code=201, **asks(Act.CREATE_CASE))
def create_case(context: Ctx, who: Who, asked: CaseAsked, response: Response) -> CaseLine:
    """A new open case; you are its first member."""
    case = actions.create_case(context, who, asked.reference, asked.title, urgent=asked.urgent)
    response.headers["Location"] = f"/api/v1/cases/{case.id}"
    return CaseLine.of(case)


@router.get("/{case_id}", **asks(Act.SEE_CASE))
def view_case(context: Ctx, who: Who, case_id: str) -> WholeCase:
    """The case with its members, and what you may do here."""
    return WholeCase.seen(actions.view_case(context, who, case_id))


@router.patch("/{case_id}", **asks(Act.MANAGE_CASE))
def change_case(context: Ctx, who: Who, case_id: str, asked: CaseChangeAsked) -> CaseLine:
    """Make it urgent or not, close it or open it again."""
    return CaseLine.of(actions.change_case(context, who, case_id, urgent=asked.urgent, closed=asked.closed))


@router.put("/{case_id}/members/{user}", **asks(Act.MANAGE_CASE))
def add_member(context: Ctx, who: Who, case_id: str, user: str) -> Person:
    """`user` is a user's name or id."""
    return Person.of(actions.add_member(context, who, case_id, user))


@router.delete("/{case_id}/members/{user}", status_code=204, **asks(Act.MANAGE_CASE))
def remove_member(context: Ctx, who: Who, case_id: str, user: str) -> None:
    """Refused when nobody would be left who may manage the case."""
    actions.remove_member(context, who, case_id, user)


@router.get("/{case_id}/exhibits", **asks(Act.SEE_CASE))
def case_exhibits(context: Ctx, who: Who, case_id: str) -> ExhibitList:
    """Those of the case that you may see."""
    return ExhibitList(exhibits=[ExhibitLine.of(view) for view in actions.case_exhibits(context, who, case_id)])


@router.get("/{case_id}/audit", **asks(Act.SEE_AUDIT))
def case_log(context: Ctx, who: Who, case_id: str, after: After = 0, limit: Limit = 500) -> LogAnswer:
    """The custody log of the case, oldest first. Reading it is logged too."""
    return LogAnswer.of(actions.case_log(context, who, case_id, after=after, limit=limit), limit)


@router.post("/{case_id}/exports", status_code=202, **asks(Act.EXPORT))
def ask_export(context: Ctx, who: Who, case_id: str) -> StepAnswer:
    """Ask for the case as a folder with manifest and hashes; a worker makes it."""
    return StepAnswer.of(actions.ask_export(context, who, case_id))


@router.get("/{case_id}/exports", **asks(Act.EXPORT))
def list_exports(context: Ctx, who: Who, case_id: str) -> ExportList:
    """The exports of the case, newest first, with their files."""
    return ExportList(exports=[Export.of_run(run, files) for run, files in actions.exports(context, who, case_id)])


@router.get("/{case_id}/exports/{run}/{name}", response_class=Response, **asks(Act.EXPORT))
@router.head("/{case_id}/exports/{run}/{name}", include_in_schema=False, **asks(Act.EXPORT))
async def fetch_export(context: Ctx, who: Who, request: Request, case_id: str, run: str, name: str) -> Response:
    """A file of an export, with HTTP Range."""
    footage = await run_in_threadpool(find_export, context, who, case_id, run, name)
    return await send(context, who, footage, request.method, request.headers, download=True)

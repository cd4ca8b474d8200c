"""Custody logs: of the cases whose log a person may read, each with the state of the whole chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from casefile.verify import LogCheck
from evidence.case import Act
from web import actions
from web.context import asks
from web.custody import check_chain
from web.overview import exhibit_references
from web.pages.cases import CaseLine, case_path
from web.pages.events import event_lines
from web.pages.rendering import page, sentence
from web.signin import Ctx, Who

router = APIRouter()
_AT_ONCE = 200
_END = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Chain:
    whole: bool
    sentence: str


def _chain(check: LogCheck) -> Chain:
    if check.ok:
        return Chain(
            True, f"All {check.events:,} events of this installation follow from one another, and none was changed."
        )
    return Chain(
        False,
        f"{sentence(check.problem)} Stop, keep the database as it is, and compare it with the last backup and exports.",
    )


@router.get("/log", **asks(Act.SEE_AUDIT))
def list_logs(request: Request, context: Ctx, who: Who) -> Response:
    chain = _chain(check_chain(context, who))
    cases = [CaseLine(case, case_path(case), 0) for case in actions.list_cases(context, who)]
    return page(request, "logs.html", who, chain=chain, cases=cases)


@router.get("/cases/{case_id}/log", **asks(Act.SEE_AUDIT))
def show_log(
    request: Request, context: Ctx, who: Who, case_id: str, before: Annotated[int, Query(ge=1, le=_END)] = _END
) -> Response:
    events = actions.case_log(context, who, case_id, before=before, limit=_AT_ONCE)
    view = actions.view_case(context, who, case_id)
    return page(
        request,
        "case_log.html",
        who,
        case=view.case,
        case_path=case_path(view.case),
        chain=_chain(check_chain(context, who)),
        events=event_lines(events, exhibit_references(context, view.case)),
        newest=before == _END,
        earlier=events[0].number if len(events) == _AT_ONCE else 0,
    )

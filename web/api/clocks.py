"""How far the clocks of recordings lie apart."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from evidence.case import Act
from web import clocks
from web.api.answers import Answer
from web.context import asks
from web.signin import Ctx, Who

router = APIRouter(tags=["places"])


class ClocksApart(Answer):
    first: str
    first_reference: str
    first_clock: str = Field(description="A family of telemetry, or file.")
    second: str
    second_reference: str
    second_clock: str
    offset_s: float = Field(description="How far the second clock is ahead of the first, each as it is corrected now.")
    error_s: float
    rests_on: int = Field(description="Seconds of a common way, or events.")
    contradicts: bool = Field(description="Whether it is more than the errors stated for both clocks allow.")

    @classmethod
    def of(cls, apart: clocks.Apart) -> ClocksApart:
        return cls(
            first=apart.first.id,
            first_reference=apart.first.reference,
            first_clock=apart.first_clock,
            second=apart.second.id,
            second_reference=apart.second.reference,
            second_clock=apart.second_clock,
            offset_s=round(apart.found.offset_s, 3),
            error_s=round(apart.found.error_s, 3),
            rests_on=apart.found.rests_on,
            contradicts=apart.found.contradicts,
        )


class ClocksAnswer(Answer):
    clocks: list[ClocksApart] = Field(description="Those that contradict each other first.")
    too_many: bool = Field(description="Whether there were more recordings than are compared at once.")


@router.get("/cases/{case_id}/clocks", **asks(Act.SEE_CASE))
def clocks_of_case(context: Ctx, who: Who, case_id: str) -> ClocksAnswer:
    """Every two recordings of the case that went the same way."""
    found, too_many = clocks.by_ways(context, who, case_id)
    return ClocksAnswer(clocks=[ClocksApart.of(apart) for apart in found], too_many=too_many)


@router.get("/exhibits/{exhibit_id}/clock/against/{other_id}", **asks(Act.SEE_EXHIBIT))
def clock_against(
    context: Ctx,
    who: Who,
    exhibit_id: str,
    other_id: str,
    events: Annotated[str, Query(max_length=2000, description="Seconds in this and in the other: 12.5,40.2;31,58.8")] = "",
) -> ClocksAnswer:
    """How far two clocks lie apart by events that both recordings show, or else by a common way."""
    asked = clocks.events_asked(events) if events else ()
    found = clocks.against(context, who, exhibit_id, other_id, asked)
    return ClocksAnswer(clocks=[ClocksApart.of(apart) for apart in found], too_many=False)

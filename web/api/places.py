"""Where exhibits were and looked, which sidecar belongs to which video, and how far clocks were off."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from evidence.case import Act
from web import places
from web.api.place_answers import (
    CorrectionAsked,
    CorrectionList,
    PairAsked,
    PairList,
    PartAsked,
    PlacesAnswer,
)
from web.context import asks
from web.signin import Ctx, Who

router = APIRouter(tags=["places"])


@router.get("/exhibits/{exhibit_id}/fixes", **asks(Act.SEE_EXHIBIT))
def fixes(
    context: Ctx,
    who: Who,
    exhibit_id: str,
    every_s: Annotated[int, Query(ge=1, le=86_400, description="One row in so many seconds.")] = 1,
) -> PlacesAnswer:
    """Where it was and what it looked at, about once a second; every fix is in the output that a source names."""
    return PlacesAnswer.seen(places.places(context, who, exhibit_id, every_s=every_s))


@router.get("/exhibits/{exhibit_id}/pairs", **asks(Act.SEE_EXHIBIT))
def pairs(context: Ctx, who: Who, exhibit_id: str) -> PairList:
    """Its sidecars, or the videos that it belongs to."""
    return PairList.of(places.pairs(context, who, exhibit_id))


@router.post("/exhibits/{exhibit_id}/pair", status_code=202, **asks(Act.PROCESS))
def pair(context: Ctx, who: Who, exhibit_id: str, asked: PairAsked) -> PairList:
    """Say that a sidecar and a video belong together; the video is located again."""
    places.pair(context, who, exhibit_id, asked.other, offset_us=asked.offset_us)
    return PairList.of(places.pairs(context, who, exhibit_id))


@router.post("/exhibits/{exhibit_id}/unpair", status_code=202, **asks(Act.PROCESS))
def unpair(context: Ctx, who: Who, exhibit_id: str, asked: PartAsked) -> PairList:
    """Say that they don't belong together; nothing pairs them again by itself."""
    places.unpair(context, who, exhibit_id, asked.other)
    return PairList.of(places.pairs(context, who, exhibit_id))


@router.get("/exhibits/{exhibit_id}/clock", **asks(Act.SEE_EXHIBIT))
def corrections(context: Ctx, who: Who, exhibit_id: str) -> CorrectionList:
    """What is known of its clocks."""
    return CorrectionList.of(places.corrections(context, who, exhibit_id))


@router.post("/exhibits/{exhibit_id}/clock", status_code=202, **asks(Act.PROCESS))
def correct_clock(context: Ctx, who: Who, exhibit_id: str, asked: CorrectionAsked) -> CorrectionList:
    """Say by how much a clock in this exhibit's file was off, and how that is known."""
    places.correct_clock(context, who, exhibit_id, asked.claim, asked.correction(who.user.name))
    return CorrectionList.of(places.corrections(context, who, exhibit_id))

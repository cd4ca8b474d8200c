"""The JSON about doubts: spans of a video in which its tracks may be wrong, ranked; and accepting a finding."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from pydantic import Field

from evidence.doubt import share_first
from evidence.exhibit import Exhibit
from storage.index import DoubtRow
from web.api.answers import Answer, Moment
from web.api.asked import Asked, Line


class DoubtAnswer(Answer):
    rank: int = Field(description="From 1, the most urgent.")
    reason: str = Field(description="broken, dropped, edge, blind, cut, blur, weak, crossing or small.")
    may_be_open: bool = Field(description="Whether what is hidden may stand open there: look at these first.")
    words: str = Field(description="The reason, for people.")
    label: str = Field(description="Of what is doubtful; picture: all of it.")
    first: Moment
    last: Moment
    from_s: float = Field(description="Seconds from the video's first frame; first and last are exact.")
    to_s: float
    first_frame: int
    last_frame: int
    tracks: list[int]

    @classmethod
    def of(cls, doubt: DoubtRow, zero: Fraction) -> DoubtAnswer:
        base = Fraction(doubt.time_base)
        return cls(
            rank=doubt.rank,
            reason=doubt.reason.value,
            may_be_open=doubt.reason.may_be_open,
            words=doubt.reason.words,
            label=doubt.label,
            first=Moment.at(doubt.first_pts, doubt.time_base),
            last=Moment.at(doubt.last_pts, doubt.time_base),
            from_s=round(float(doubt.first_pts * base - zero), 6),
            to_s=round(float(doubt.last_pts * base - zero), 6),
            first_frame=doubt.first_frame,
            last_frame=doubt.last_frame,
            tracks=list(doubt.track_ids),
        )


class DoubtList(Answer):
    share: float = Field(description="Of the video that lies in at least one of them, 0 to 1.")
    share_first: float = Field(description="The same, of those that are to be looked at first.")
    spans: list[DoubtAnswer]

    @classmethod
    def of(cls, doubts: Sequence[DoubtRow], exhibit: Exhibit) -> DoubtList:
        video = exhibit.media.main_video if exhibit.media else None
        zero = video.start_pts * video.time_base if video else Fraction(0)
        share = doubts[0].share if doubts else 0.0
        spans = [DoubtAnswer.of(doubt, zero) for doubt in doubts]
        return cls(share=share, share_first=round(share_first(doubts, share), 4), spans=spans)


class AcceptAsked(Asked):
    reason: Line = Field(description="Why it is harmless; it goes on record with your name.", min_length=1)


class ReopenAsked(Asked):
    reason: Line = Field(description="Why it is not harmless after all; it goes on record with your name.", min_length=1)

"""The JSON about when an exhibit was filmed."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from storage.index.filmed import Filmed
from web.api.answers import Answer


class FilmedAnswer(Answer):
    utc: datetime = Field(description="Of the first moment of its time line, by its clock as it is corrected now.")
    error_s: float = Field(description="The truth is within so many seconds 95 times of 100.")
    rests_on: str
    clock: str = Field(description="Whose: a telemetry family, or file for what the uploader or the file claims.")
    claimed: str = Field(description="What that clock itself says there, with its zone.")

    @classmethod
    def of(cls, filmed: Filmed) -> FilmedAnswer:
        start = filmed.start
        return cls(
            utc=start.utc, error_s=start.error_s, rests_on=start.words, clock=filmed.clock, claimed=filmed.claimed_at(0)
        )

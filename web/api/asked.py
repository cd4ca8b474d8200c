"""The JSON that comes in: bounded, and with nothing in it that a database can't hold."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from evidence.errors import BadInput
from evidence.mediatime import MediaTime, Span, from_seconds
from evidence.redaction import AudioPolicy, Hide, Style

_EXACT = 2**53 - 1
"""The largest integer that every JSON reader, and the custody log's canonical form, keeps exact."""
_LONGEST_DENOMINATOR = 10**9


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("holds a character that is none")
    return text


Line = Annotated[str, Field(max_length=200), AfterValidator(_storable)]
Secret = Annotated[str, Field(max_length=1000, repr=False), AfterValidator(_storable)]


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignInAsked(Asked):
    name: Line
    password: Secret


class PasswordAsked(Asked):
    current: Secret
    new: Secret


class CaseAsked(Asked):
    reference: Line = Field(examples=["01AB/12345/26"])
    title: Line = ""
    urgent: bool = False


class CaseChangeAsked(Asked):
    urgent: bool | None = None
    closed: bool | None = None


class FilingAsked(Asked):
    case: Line = Field(description="The reference of an open case.")


class RedactionAsked(Asked):
    what: frozenset[Hide] = Field(default=frozenset({Hide.FACES}), min_length=1)
    style: Style = Style.SOLID
    audio: AudioPolicy = AudioPolicy.KEEP


class MomentAsked(Asked):
    pts: int = Field(ge=-_EXACT, le=_EXACT)
    time_base: Annotated[str, Field(max_length=40, pattern=r"^[0-9]+/[0-9]+$")] = Field(examples=["1/90000"])

    def moment(self) -> MediaTime:
        ticks, second = (int(part) for part in self.time_base.split("/"))
        if not (0 < ticks <= _LONGEST_DENOMINATOR and 0 < second <= _LONGEST_DENOMINATOR):
            raise BadInput(f"{self.time_base} is no time base", hint="Use the one that the exhibit's media or tracks give.")
        return MediaTime(self.pts, Fraction(ticks, second))


class ClipAsked(Asked):
    """`from` and `to` are frames' moments, both inside the clip: exact, or seconds as text (\"12.5\")."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    start: MomentAsked | Line = Field(alias="from")
    end: MomentAsked | Line = Field(alias="to")
    source: str = Field(default="annotated", description="original, annotated or redacted.", max_length=20)

    def span(self) -> Span:
        start, end = _moment(self.start), _moment(self.end)
        if end < start:
            raise BadInput("the clip would end before it starts", hint="Give from before to.")
        return Span(start, end)


def _moment(value: MomentAsked | str) -> MediaTime:
    if isinstance(value, MomentAsked):
        return value.moment()
    try:
        seconds = Decimal(value)
    except InvalidOperation:
        seconds = Decimal("NaN")
    if not seconds.is_finite() or abs(seconds) > 10**7:
        raise BadInput(f"{value[:40]!r} is no moment", hint='Use {"pts": …, "time_base": "1/90000"}, or seconds as "12.5".')
    return from_seconds(Fraction(seconds))

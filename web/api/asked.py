"""The JSON that comes in: bounded, and with nothing in it that a database can't hold."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from evidence.errors import BadInput
from evidence.mediatime import MediaTime, Span, from_seconds
from evidence.redaction import AudioPolicy, Hide, Keep, Redaction, Region, Style

_EXACT = 2**53 - 1
"""The largest integer that every JSON reader, and the custody log's canonical form, keeps exact."""
_LONGEST_DENOMINATOR = 10**9


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("holds a character that is none")
    return text


Line = Annotated[str, Field(max_length=200), AfterValidator(_storable)]
Edge = Annotated[float, Field(allow_inf_nan=False, ge=0, le=100_000)]
Tracks = Annotated[frozenset[Annotated[int, Field(ge=1, le=2**31 - 1)]], Field(max_length=10_000)]
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


class MomentAsked(Asked):
    pts: int = Field(ge=-_EXACT, le=_EXACT)
    time_base: Annotated[str, Field(max_length=40, pattern=r"^[0-9]+/[0-9]+$")] = Field(examples=["1/90000"])

    def moment(self) -> MediaTime:
        ticks, second = (int(part) for part in self.time_base.split("/"))
        if not (0 < ticks <= _LONGEST_DENOMINATOR and 0 < second <= _LONGEST_DENOMINATOR):
            raise BadInput(f"{self.time_base} is no time base", hint="Use the one that the exhibit's media or tracks give.")
        return MediaTime(self.pts, Fraction(ticks, second))


class RegionAsked(Asked):
    """A rectangle that is hidden from one moment to another, both inside."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    box_xyxy: tuple[Edge, Edge, Edge, Edge] = Field(description="Pixels of the upright picture.")
    start: MomentAsked | Line = Field(alias="from")
    end: MomentAsked | Line = Field(alias="to")
    reason: Line = "drawn by hand"

    def region(self) -> Region:
        start, end = _moment(self.start), _moment(self.end)
        try:
            return Region(self.box_xyxy, Span(start, end), self.reason)
        except ValueError as exc:
            raise BadInput(f"a region can't be used: {exc}", hint="Give x0 < x1, y0 < y1, and from before to.") from exc


class RedactionAsked(Asked):
    """All of a kind, all but some tracks, only some tracks, and regions; both kinds of choice at once are refused."""

    what: frozenset[Hide] = Field(
        default=frozenset({Hide.FACES}), description="May be empty where tracks or regions are named."
    )
    keep_tracks: Tracks = Field(default=frozenset(), description="Left open, of whatever kind they are.")
    only_tracks: Tracks = Field(default=frozenset(), description="Nothing but these is hidden, of whatever kind they are.")
    analysis: str = Field(
        default="", pattern="^([0-9a-f]{64})?$", description="Of the tracks, as their list says it; empty: the newest."
    )
    regions: list[RegionAsked] = Field(default=[], max_length=200)
    keep: frozenset[Keep] = Field(default=frozenset(), description="What the copy keeps that copies otherwise lose.")
    style: Style = Style.SOLID
    audio: AudioPolicy = AudioPolicy.KEEP
    reason: Line = ""

    @model_validator(mode="after")
    def _hides_something(self) -> Self:
        if not (self.what or self.only_tracks or self.regions):
            raise ValueError("nothing to hide was named")
        if self.keep_tracks and self.only_tracks:
            raise ValueError("keep_tracks and only_tracks can't go together")
        return self

    def redaction(self, by: str) -> Redaction:
        narrowed = self.only_tracks and "what" not in self.model_fields_set
        return Redaction(
            what=frozenset() if narrowed else self.what,
            style=self.style,
            audio=self.audio,
            regions=tuple(region.region() for region in self.regions),
            keep_tracks=self.keep_tracks,
            only_tracks=self.only_tracks,
            keep=self.keep,
            analysis=self.analysis,
            reason=self.reason or f"asked for by {by}",
        )


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

"""The form under "Make a new draft": what is hidden, of which tracks, where, how, and why."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from pydantic import BaseModel

from evidence.errors import BadInput, ExhibitError
from evidence.redaction import AudioPolicy, Hide, Keep, Redaction, Region, Style, read_region
from web.pages import words
from web.pages.rendering import sentence

_REASON_LENGTH = 200
_REGIONS = 200


class RedactionForm(BaseModel):
    """As it was typed: nothing is refused before `read`, so that the page can show it again."""

    what: Sequence[str] = ()
    which: str = "all"
    track: Sequence[str] = ()
    analysis: str = ""
    regions: str = ""
    style: str = ""
    audio: str = ""
    keep: Sequence[str] = ()
    reason: str = ""

    def read(self, by: str, clock_zero: Fraction) -> tuple[Redaction | None, dict[str, str], str]:
        """The redaction, or what is wrong by field and a hint.

        `clock_zero`: the moment of the stream at which the player's clock shows zero.
        """
        errors: dict[str, str] = {}
        hint = ""
        what = frozenset(Hide(w) for w in self.what if w in set(Hide))
        tracks = frozenset(int(t) for t in self.track if t.isascii() and t.isdigit() and len(t) < 10)
        if self.which not in words.WHICH:
            errors["which"] = "Choose which tracks are hidden"
        elif self.which != "all" and not tracks:
            errors["track"] = "Tick the tracks that you mean"
        if self.style not in set(Style):
            errors["style"] = "Choose how to cover it"
        if self.audio not in set(AudioPolicy):
            errors["audio"] = "Choose what happens to the sound"
        if len(self.reason) > _REASON_LENGTH:
            errors["reason"] = f"The reason must be {_REASON_LENGTH} characters or fewer"
        drawn: list[Region] = []
        try:
            lines = [line for line in self.regions.splitlines() if line.strip()]
            if len(lines) > _REGIONS:  # cut off, the rest of them would stay open
                raise BadInput(f"{len(lines)} regions are too many", hint=f"Draw {_REGIONS} at most.")
            drawn = [read_region(line, self.reason or "drawn by hand", clock_zero) for line in lines]
        except ExhibitError as error:
            errors["regions"], hint = sentence(str(error)), error.hint
        if not (what or drawn or self.which == "only"):
            errors["what"] = "Choose what to hide"
        if errors:
            return None, errors, hint
        redaction = Redaction(
            what=what,
            style=Style(self.style),
            audio=AudioPolicy(self.audio),
            keep=frozenset(Keep(k) for k in self.keep if k in set(Keep)),
            regions=tuple(drawn),
            keep_tracks=tracks if self.which == "keep" else frozenset(),
            only_tracks=tracks if self.which == "only" else frozenset(),
            analysis=self.analysis if self.which != "all" else "",
            reason=self.reason or f"asked for by {by}",
        )
        return redaction, {}, ""

    def field_of(self, error: ExhibitError) -> str:
        """Beside which field a refusal stands."""
        if "region" in str(error):
            return "regions"
        return "track" if self.which != "all" and "track" in str(error) else "what"

"""What can be fetched of an exhibit: the original, what the steps made, clips and redaction drafts, each with its hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from evidence.case import Act
from evidence.findings import NOT_LOOKED
from evidence.redaction import AudioPolicy, Keep
from evidence.steps import Step, StepRun, StepState
from evidence.wire import moment_from_json, redaction_from_json
from storage.index import Output
from web.exhibit_view import ExhibitView, StepLine
from web.footage import open_findings
from web.pages import words
from web.pages.cards import output_url, share_of
from web.pages.rendering import clock, plural, sentence, size
from web.pages.timeline import decimal

_MADE = {
    "proxy.mp4": ("Playable copy", "Smaller, for watching in a browser"),
    "annotated.mp4": ("Copy with boxes", "Boxes, labels, track numbers, time and reference burnt in"),
    "tracks.json": ("Tracks, as JSON", "Every box of every track, with frame and exact time"),
    "tracks.mot.txt": ("Tracks, as MOT 1.1 text", "For tools that read the MOT format"),
    "detections.parquet": ("Detections, as Parquet", "Every detection, for analysis"),
}
"""Outputs that people fetch, in the order of the list; the others are parts of these."""
_PLACES = 100
"""What is shown of a second look; its report has all."""


@dataclass(frozen=True, slots=True)
class Place:
    """Something that a second look saw open in a copy."""

    name: str
    facts: str
    at: str
    """Seconds on the player's clock."""
    picture: str
    number: int
    accepted: str
    """Who took it for harmless, and why; empty while nobody did."""


@dataclass(frozen=True, slots=True)
class Copy:
    name: str
    facts: str
    url: str = ""
    sha256: str = ""
    draft: bool = False
    run: StepRun | None = None
    share: float | None = None
    open: int = 0
    """How many places a second look found that nobody has accepted."""
    found: int = 0
    """How many it found."""
    places: tuple[Place, ...] = ()
    """The first of them."""


def player_origin(view: ExhibitView) -> Fraction:
    """The moment of the original's stream at which the copies' clock shows zero. Units: seconds."""
    return origin_of(view.outputs)


def origin_of(outputs: Sequence[Output]) -> Fraction:
    """The same, where only the exhibit's outputs are at hand, or those of the step proxy."""
    for output in outputs:
        if output.step is Step.PROXY and output.content_type.startswith("video/"):
            return Fraction(str(output.details.get("report", {}).get("shift_s", "0")))
    return Fraction(0)


def copies(view: ExhibitView) -> list[Copy]:
    """The original first, then what the steps made, then clips, newest first."""
    exhibit = view.exhibit
    found = [
        Copy(
            "Original",
            f"{exhibit.filename} · {size(exhibit.size_bytes)} · exactly as it came",
            output_url(exhibit.id, "original", download=True),
            exhibit.sha256.hex,
        )
    ]
    newest: dict[str, Output] = {}
    for output in view.outputs:
        newest.setdefault(output.name, output)
    found += [_made(newest[name], *_MADE[name]) for name in _MADE if name in newest]
    found += [_clip(line, _video_of(view.outputs, line)) for line in _asked(view, Step.CLIP)]
    return found


def drafts(view: ExhibitView) -> list[Copy]:
    """Every redaction that was asked for or made of itself, newest first."""
    return [_draft(line, _video_of(view.outputs, line), view) for line in _asked(view, Step.REDACT)]


def _asked(view: ExhibitView, step: Step) -> list[StepLine]:
    lines = [line for line in view.steps if line.step is step and line.run is not None]
    return sorted(lines, key=lambda line: line.run.created_at if line.run else view.exhibit.uploaded_at, reverse=True)


def _video_of(outputs: Sequence[Output], line: StepLine) -> Output | None:
    run = line.run
    if run is None or run.state is not StepState.DONE:
        return None
    return next((o for o in outputs if o.step_run_id == run.id and o.content_type.startswith("video/")), None)


def _made(output: Output, name: str, what: str) -> Copy:
    exhibit = output.exhibit_id or ""
    url = output_url(exhibit, output.name, download=True)
    return Copy(name, f"{what} · {size(output.size_bytes)}", url, output.sha256)


def _clip(line: StepLine, output: Output | None) -> Copy:
    run = line.run
    assert run is not None
    source = {"original": "the original", "annotated": "the copy with boxes", "redacted": "the redacted draft"}.get(
        str(run.params.get("source", "original")), "a copy"
    )
    name = f"Clip {_moment(run.params.get('start'))} to {_moment(run.params.get('end'))}"
    return _asked_copy(name, f"from {source}", line, output, draft=run.params.get("source") == "redacted")


def _draft(line: StepLine, output: Output | None, view: ExhibitView) -> Copy:
    run = line.run
    assert run is not None
    wanted: Mapping[str, Any] = (output.details.get("redaction") if output else None) or run.params
    if wanted:
        redaction = redaction_from_json(wanted)
        hidden = redaction.in_words({hide: text.lower() for hide, text in words.HIDE.items()})
        sound = "sound kept" if redaction.audio is AudioPolicy.KEEP else "sound removed"
        kept = _kept(output) if Keep.LOCATION in redaction.keep else ""
        name, facts = f"{sentence(hidden, stop=False)} hidden", f"{words.STYLE[redaction.style].lower()}, {sound}{kept}"
    else:
        name, facts = "First draft", "faces, and number plates where there is a detector for them"
    draft = _asked_copy(name, facts, line, output, draft=True)
    looked: Mapping[str, Any] = output.details.get("report", {}).get("second_look", NOT_LOOKED) if output else NOT_LOOKED
    if output is None or not looked["models"]:
        return draft
    count = open_findings(output, view.accepted.get(output.sha256, {})) or 0
    told = plural(count, "place") + " to look at" if count else "nothing open"
    if count < looked["open"]:
        told += f", and {plural(looked['open'] - count, 'place')} that somebody accepted"
    facts = f"{draft.facts} · a second look found {told}"
    return replace(draft, facts=facts, open=count, found=looked["open"], places=_places(output, looked, view))


def _places(output: Output, looked: Mapping[str, Any], view: ExhibitView) -> tuple[Place, ...]:
    origin, watch = player_origin(view), Act.WATCH in view.acts
    accepted = view.accepted.get(output.sha256, {})
    places = []
    for finding in looked["findings"][:_PLACES]:
        at = max(Fraction(0), moment_from_json(finding["at"]).seconds - origin)
        picture = ""
        if watch and finding["picture"]:
            picture = output_url(output.exhibit_id or "", f"DRAFT-{finding['picture']}", output.step_run_id)
        facts = f"{clock(at)} · score {finding['score']:.2f} · seen on {plural(finding['seen'], 'frame')}"
        by = accepted.get(finding["id"])
        words = f"accepted by {by.made_by}: {by.reason}" if by else ""
        places.append(Place(sentence(finding["label"], stop=False), facts, decimal(at), picture, finding["id"], words))
    return tuple(places)


def _kept(output: Output | None) -> str:
    """What became of the wish that a copy says where it was filmed."""
    if output is None:
        return ", is to say where it was filmed"
    kept = output.details["report"]["location"]["kept"]
    return f", says where it was filmed: {kept}" if kept else ", nothing tells where it was filmed"


def _asked_copy(name: str, facts: str, line: StepLine, output: Output | None, *, draft: bool) -> Copy:
    run = line.run
    assert run is not None
    by = "" if run.requested_by.startswith("system") else f"asked for by {run.requested_by}"
    bits = [facts, by, size(output.size_bytes) if output else "", sentence(run.error), run.hint if run.error else ""]
    return Copy(
        name=name,
        facts=" · ".join(bit for bit in bits if bit),
        url=output_url(output.exhibit_id or "", output.name, run.id, download=True) if output else "",
        sha256=output.sha256 if output else "",
        draft=draft,
        run=run,
        share=share_of(line),
    )


def _moment(value: Any) -> str:
    try:
        return clock(Fraction(int(value["pts"])) * Fraction(value["time_base"]))
    except (KeyError, TypeError, ValueError):
        return "?"

"""CLIP: a span of the original, the annotated or the newest redacted copy, exact to the frame, with its hash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evidence.errors import BadInput
from evidence.exhibit import Exhibit
from evidence.mediatime import Span
from evidence.steps import Step, StepRun
from evidence.wire import moment_from_json
from storage.index import Output
from storage.ledger.steps import Result
from workers.steps.media import main_video, media_of
from workers.steps.redact import DRAFT_VIDEO
from workers.tools import Tools

ORIGINAL = "original"
_COPIES = {"annotated": (Step.ANNOTATE, "annotated.mp4"), "redacted": (Step.REDACT, DRAFT_VIDEO)}


def run(tools: Tools, step_run: StepRun) -> Result:
    """Raises: BadInput for a span or source that is none, NotFound for a copy that isn't made yet."""
    exhibit = tools.exhibit(step_run)
    source, span = _wanted(step_run.params)
    copy = None if source == ORIGINAL else tools.output(exhibit.id, *_COPIES[source])
    params = {key: step_run.params[key] for key in ("source", "start", "end")}
    recipe = tools.recipe(Step.CLIP, params, inputs=[copy] if copy else [])
    if kept := tools.made_before(step_run, recipe):
        return Result(recipe.digest, kept, note=tools.note_of(kept))
    draft = source == "redacted"
    place = {"title": f"{'DRAFT ' if draft else ''}{exhibit.reference} {source}", **_place(exhibit, copy)}
    with _source(tools, exhibit, copy) as path:
        out, report = tools.child("clip", {"source": path}, {**params, **place, **tools.caps()})
    note = f"{source}, {span.start.label()} to {span.end.label()}"
    details = {
        "source": source,
        "source_sha256": copy.sha256 if copy else exhibit.sha256.hex,
        "start": params["start"],
        "end": params["end"],
        "report": report,
        "note": note,
        **({"draft": True} if draft else {}),
    }
    output = tools.publish(step_run, recipe, out / "clip.mp4", details, name=_name(source, span, draft))
    return Result(recipe.digest, [output], note=note)


@contextmanager
def _source(tools: Tools, exhibit: Exhibit, copy: Output | None) -> Iterator[Path]:
    if copy is None:
        with tools.original(exhibit) as path:
            yield path
    else:
        yield tools.fetch(copy)


def _place(exhibit: Exhibit, copy: Output | None) -> dict[str, Any]:
    """Where the original's picture and times are in the source."""
    if copy is None:
        return {"stream_index": main_video(media_of(exhibit)).index}
    return {"shift_s": copy.details["report"]["shift_s"]}


def _wanted(params: Mapping[str, Any]) -> tuple[str, Span]:
    source = params.get("source", ORIGINAL)
    if source != ORIGINAL and source not in _COPIES:
        raise BadInput(f"a clip can't be made from {str(source)[:40]!r}", hint="Choose original, annotated or redacted.")
    try:
        return source, Span(moment_from_json(params["start"]), moment_from_json(params["end"]))
    except (KeyError, ValueError, TypeError) as exc:
        raise BadInput(f"the span of the clip can't be understood: {exc}") from exc


def _name(source: str, span: Span, draft: bool) -> str:
    """Plain in every file system: clip-redacted-0.00.05.000-0.00.09.500.mp4."""
    span_text = f"{span.start.label()}-{span.end.label()}".replace(":", ".")
    return f"{'DRAFT-' if draft else ''}clip-{source}-{span_text}.mp4"

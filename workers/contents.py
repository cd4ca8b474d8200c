"""What goes into a case file, read from the index and the store: for the EXPORT step and for `exhibit export`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from casefile.bag import BagFile, Contents
from casefile.names import exhibit_folder, unique_names
from casefile.record import exhibit_entry, file_entry
from evidence.audit import AuditEvent
from evidence.case import Case, CaseId
from evidence.exhibit import Exhibit
from evidence.ports import ObjectStore
from evidence.steps import Step
from storage.index import Index, Output

_NEWEST_OF = (Step.TRACK, Step.ANNOTATE)
_EVERY_OF = (Step.REDACT, Step.CLIP)
_WHAT = {
    Step.TRACK: "what was detected and tracked by machine",
    Step.ANNOTATE: "annotated copy, made by machine",
    Step.REDACT: "redacted copy, DRAFT: not approved by a person",
    Step.CLIP: "clip",
}
_PAGE = 500


def contents_of(index: Index, store: ObjectStore, case: Case, *, made_by: str, made_at: datetime) -> Contents:
    """Every original of the case, the newest analysis, every redaction and clip, and the case's custody log.

    Nothing is read from the store before the bag is written.
    """
    files: list[BagFile] = []
    entries: list[Mapping[str, Any]] = []
    for exhibit in index.exhibits_of(case.id):
        own, described = _exhibit(store, exhibit, index.outputs(exhibit.id))
        files += own
        entries.append(exhibit_entry(exhibit, index.user(exhibit.uploaded_by).name, described))
    return Contents(
        case_reference=case.reference,
        case_title=case.title,
        made_at=made_at,
        made_by=made_by,
        files=tuple(files),
        exhibits=tuple(entries),
        events=_events(index, case.id),
    )


def _exhibit(store: ObjectStore, exhibit: Exhibit, outputs: Iterable[Output]) -> tuple[list[BagFile], list[dict[str, Any]]]:
    chosen = _chosen(outputs)
    names = unique_names([exhibit.filename, *(_name(output) for output in chosen)])
    folder = exhibit_folder(exhibit.reference)
    paths = [f"{folder}/{name}" for name in names]
    original = BagFile(
        paths[0],
        exhibit.sha256.hex,
        exhibit.size_bytes,
        partial(store.read, exhibit.key, version_id=exhibit.version_id),
    )
    files = [original]
    described = [file_entry(f"data/{paths[0]}", "original", exhibit.sha256.hex, exhibit.size_bytes)]
    for output, path in zip(chosen, paths[1:], strict=True):
        files.append(BagFile(path, output.sha256, output.size_bytes, partial(store.read, output.key)))
        details = {
            "step": output.step.value,
            "recipe": output.recipe,
            "made_at": output.created_at.isoformat(),
            **output.details,
        }
        described.append(file_entry(f"data/{path}", _WHAT[output.step], output.sha256, output.size_bytes, details))
    return files, described


def _chosen(outputs: Iterable[Output]) -> list[Output]:
    """Of the analysis the newest of each name; of what people asked for, all. `outputs` come newest first."""
    chosen: list[Output] = []
    seen: set[tuple[Step, str]] = set()
    for output in outputs:
        if output.step in _EVERY_OF or (output.step in _NEWEST_OF and (output.step, output.name) not in seen):
            seen.add((output.step, output.name))
            chosen.append(output)
    return sorted(chosen, key=lambda output: (list(Step).index(output.step), output.created_at, output.name))


def _name(output: Output) -> str:
    """The output's own name; what a redaction made says DRAFT in it."""
    path = PurePosixPath(output.name)
    if output.step is Step.REDACT and "DRAFT" not in output.name:
        return f"{path.stem}_DRAFT{path.suffix}"
    return path.name


def _events(index: Index, case_id: CaseId) -> Iterator[AuditEvent]:
    after = 0
    while page := index.audit_of_case(case_id, after=after, limit=_PAGE):
        yield from page
        after = page[-1].number

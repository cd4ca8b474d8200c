"""EXPORT: a whole case as one zip that can be checked without this program."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from casefile.bag import BagFile, Contents, write_bag
from casefile.names import exhibit_folder, safe_name, unique_names
from casefile.places import Places
from casefile.record import exhibit_entry, file_entry
from evidence.audit import AuditEvent
from evidence.case import CaseId
from evidence.errors import NotFound
from evidence.exhibit import Exhibit
from evidence.ports import ObjectStore, Progress
from evidence.steps import Step, StepRun
from storage.index import Index, Output
from storage.ledger.steps import Result
from workers.steps import export_places
from workers.tools import Tools

_EVENTS_AT_ONCE = 500
_CASE_PLACES = "places of the case"


def run(tools: Tools, step_run: StepRun) -> Result:
    """Every export is made anew: the custody log in it has grown since the last one."""
    if step_run.case_id is None:
        raise NotFound("the step export belongs to no case")
    case_id = CaseId(step_run.case_id)
    made_at = step_run.started_at or step_run.created_at
    contents = contents_of(tools.index, tools.store, case_id, made_by=step_run.requested_by, made_at=made_at)
    recipe = tools.recipe(Step.EXPORT, {"run": step_run.id, "files": [file.sha256 for file in contents.files]})
    name = safe_name(f"{contents.case_reference.replace('/', '-')}-{made_at:%Y%m%dT%H%M%SZ}.zip")
    written = write_bag(tools.scratch / name, _watched(contents, tools.progress), tools.progress)
    details = {
        "fingerprint": written.fingerprint,
        "files": written.files,
        "payload_bytes": written.size_bytes,
        "events": written.events,
    }
    output = tools.publish(step_run, recipe, written.path, details)
    note = f"{written.files} files; fingerprint {written.fingerprint}"
    return Result(recipe.digest, [output], note=note)


def _watched(contents: Contents, progress: Progress) -> Contents:
    """The same, looking at every chunk whether the work has to stop: one recording may take minutes to copy."""

    def chunks(number: int, file: BagFile) -> Iterator[bytes]:
        for chunk in file.read():
            progress(number, len(contents.files))
            yield chunk

    return replace(
        contents, files=tuple(replace(file, read=partial(chunks, n, file)) for n, file in enumerate(contents.files))
    )


def contents_of(index: Index, store: ObjectStore, case_id: CaseId, *, made_by: str, made_at: datetime) -> Contents:
    """What a pack of the case holds: each exhibit's original and the newest of everything that was made of it."""
    case = index.case(case_id)
    files: list[BagFile] = []
    entries = []
    exhibits = index.exhibits_of(case_id)
    known = frozenset(exhibit.id for exhibit in exhibits)
    found: list[Places] = []
    for exhibit in exhibits:
        places = export_places.of_exhibit(index, exhibit, known)
        of_exhibit, entry = _exhibit(index, store, exhibit, places)
        files += of_exhibit
        entries.append(entry)
        if not export_places.told_by_its_video(index, exhibit, known):
            found.append(places)
    folders = [exhibit_folder(exhibit.reference) for exhibit in exhibits]
    of_case = unique_names([*folders, _CASE_PLACES])[-1]
    files += [_made(f"{of_case}/{name}", data) for name, data in export_places.written(export_places.together(found))]
    return Contents(
        case_reference=case.reference,
        case_title=case.title,
        made_at=made_at,
        made_by=made_by,
        files=tuple(files),
        exhibits=tuple(entries),
        events=_events(index, case_id),
    )


def _exhibit(index: Index, store: ObjectStore, exhibit: Exhibit, places: Places) -> tuple[list[BagFile], dict[str, object]]:
    outputs = _newest(index.outputs(exhibit.id), {source.output for source in index.sources(exhibit.id)})
    written = export_places.written(places)
    folder = exhibit_folder(exhibit.reference)
    names = unique_names([exhibit.filename, *(output.name for output in outputs), *(name for name, _ in written)])
    paths = [f"{folder}/{name}" for name in names]
    files = [
        BagFile(
            paths[0], exhibit.sha256.hex, exhibit.size_bytes, partial(store.read, exhibit.key, version_id=exhibit.version_id)
        )
    ]
    lines = [file_entry(f"data/{paths[0]}", "original", exhibit.sha256.hex, exhibit.size_bytes)]
    for output, path in zip(outputs, paths[1 : 1 + len(outputs)], strict=True):
        files.append(BagFile(path, output.sha256, output.size_bytes, partial(store.read, output.key)))
        lines.append(file_entry(f"data/{path}", _what(output), output.sha256, output.size_bytes, _details(output)))
    for (_, data), path in zip(written, paths[1 + len(outputs) :], strict=True):
        files.append(made := _made(path, data))
        lines.append(file_entry(f"data/{path}", "places", made.sha256, made.size_bytes))
    return files, exhibit_entry(exhibit, index.user(exhibit.uploaded_by).name, lines)


def _made(path: str, data: bytes) -> BagFile:
    return BagFile(path, hashlib.sha256(data).hexdigest(), len(data), lambda: [data])


def _newest(outputs: Sequence[Output], sources: Collection[str]) -> list[Output]:
    """One of each name; what steps only hand to each other, pictures of single tracks, pictures of what a second look found
    open in a copy, and fixes of files that no longer count (a pair was parted) stay in the house.
    """
    newest: dict[str, Output] = {}
    for output in outputs:
        finding = output.step is Step.REDACT and output.content_type == "image/jpeg"
        parted = output.step is Step.LOCATE and output.name not in sources
        if output.step not in {Step.DETECT, Step.INDEX} and not finding and not parted:
            newest.setdefault(output.name, output)
    return [newest[name] for name in sorted(newest)]


def _what(output: Output) -> str:
    return f"{output.step.value}, draft" if output.details.get("draft") else output.step.value


def _details(output: Output) -> dict[str, object]:
    return {**output.details, "recipe": output.recipe, "made_at": f"{output.created_at:%Y-%m-%dT%H:%M:%SZ}"}


def _events(index: Index, case_id: CaseId) -> Iterator[AuditEvent]:
    after = 0
    while events := index.audit_of_case(case_id, after=after, limit=_EVENTS_AT_ONCE):
        yield from events
        after = events[-1].number

"""What people do: each act with its permission and its AuditEvent, whether it comes from a page or the API.

Handing out bytes is in `web.footage`; who may do what is in `evidence.case`, asked through `web.permission`.
Raises (all): NotAllowed, NotFound, Unavailable (DatabaseDown: nothing is shown), besides what is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evidence.audit import AuditEvent, Verb
from evidence.case import Act, Case, CaseId, CaseState, Relation, User, UserId, allows
from evidence.errors import BadInput, CaseClosed, Conflict, NotFound
from evidence.exhibit import Exhibit
from evidence.mediatime import Span
from evidence.redaction import Redaction
from evidence.steps import ENDED, Priority, Step, StepRun, StepState
from evidence.wire import moment_to_json, redaction_to_json
from storage.index import Hit, Output, Query, TrackRow
from storage.ledger.people import SignedIn
from storage.ledger.uploads import Upload, UploadState
from web.context import Context
from web.exhibit_view import ExhibitView, views, whole_view, with_files
from web.footage import ALIASES, ORIGINAL
from web.permission import acts_on_case, find_case, find_exhibit, find_upload, require, require_for_some
from web.redacting import analysis_of, checked

CLIP_SOURCES = (ORIGINAL, "annotated", "redacted")
_ALL_RUNS = 1_000_000


@dataclass(frozen=True, slots=True)
class CaseView:
    case: Case
    members: tuple[User, ...]
    acts: frozenset[Act]


# --- cases and their members ---------------------------------------------------------------------------------------


def list_cases(context: Context, who: SignedIn, text: str = "") -> Sequence[Case]:
    """His cases (an auditor: all), urgent first; `text` is part of the reference or the title."""
    require_for_some(context, who, Act.SEE_CASE)
    cases = context.index.cases_for(who.user, text)
    if text:
        context.ledger.viewings.record(who.user.name, Verb.SEARCHED, details={"cases": text})
    else:
        looked(context, who, "cases")
    return cases


def create_case(context: Context, who: SignedIn, reference: str, title: str = "", *, urgent: bool = False) -> Case:
    """A new open case with its maker as first member. Raises: Conflict (the reference is taken), BadInput."""
    require(context, who, Act.CREATE_CASE)
    case = context.ledger.cases.create(who.user, reference, title)
    return context.ledger.cases.change(who.user, case.id, urgent=True) if urgent else case


def view_case(context: Context, who: SignedIn, case_id: str) -> CaseView:
    case = find_case(context, who, Act.SEE_CASE, case_id)
    looked(context, who, f"case:{case.id}", case_id=case.id)
    return CaseView(case, tuple(context.index.members(case.id)), acts_on_case(context, who, case))


def change_case(
    context: Context, who: SignedIn, case_id: str, *, urgent: bool | None = None, closed: bool | None = None
) -> Case:
    case = find_case(context, who, Act.MANAGE_CASE, case_id)
    if urgent is None and closed is None:
        raise BadInput("nothing to change was given", hint='Send "urgent", "closed" or both.')
    changed = context.ledger.cases.change(who.user, case.id, urgent=urgent, closed=closed)
    context.bell.ring()  # An urgent case may have steps waiting behind others.
    return changed


def add_member(context: Context, who: SignedIn, case_id: str, user: str) -> User:
    """`user` is a name or an id. Adding somebody twice changes nothing."""
    case = find_case(context, who, Act.MANAGE_CASE, case_id)
    member = _user(context, user)
    context.ledger.cases.add_member(who.user, case.id, member.id)
    return member


def remove_member(context: Context, who: SignedIn, case_id: str, user: str) -> None:
    """Raises: Conflict when nobody would be left who may manage the case."""
    case = find_case(context, who, Act.MANAGE_CASE, case_id)
    gone = _user(context, user)
    left = [m for m in context.index.members(case.id) if m.id != gone.id]
    if not any(allows(m, Act.MANAGE_CASE, frozenset({Relation.MEMBER})) for m in left):
        raise Conflict(
            "nobody would be left who may manage this case", hint="Add somebody who may, then remove this member."
        )
    context.ledger.cases.remove_member(who.user, case.id, gone.id)


# --- exhibits, uploads, the tray -----------------------------------------------------------------------------------


def case_exhibits(context: Context, who: SignedIn, case_id: str) -> list[ExhibitView]:
    """Those of the case that he may see: all for who works on it, his own for an officer. An auditor sees no media."""
    case = find_case(context, who, Act.SEE_CASE, case_id)
    require_for_some(context, who, Act.SEE_EXHIBIT)
    looked(context, who, f"exhibits:{case.id}", case_id=case.id)
    return views(context, who, context.index.exhibits_of(case.id), context.index.step_runs(case_id=case.id, limit=_ALL_RUNS))


def my_exhibits(context: Context, who: SignedIn) -> list[ExhibitView]:
    """What he uploaded himself, newest first."""
    require_for_some(context, who, Act.SEE_EXHIBIT)
    looked(context, who, "exhibits:own")
    runs = context.index.step_runs(uploaded_by=who.user.id, limit=_ALL_RUNS)
    return views(context, who, context.index.exhibits_by(who.user), runs)


def view_exhibit(context: Context, who: SignedIn, exhibit_id: str) -> ExhibitView:
    exhibit = find_exhibit(context, who, Act.SEE_EXHIBIT, exhibit_id)
    looked(context, who, f"exhibit:{exhibit.id}", exhibit=exhibit)
    return whole_view(context, who, exhibit)


def tracks(context: Context, who: SignedIn, exhibit_id: str) -> tuple[str, Sequence[TrackRow]]:
    """The analysis whose tracks they are, and the tracks."""
    exhibit = find_exhibit(context, who, Act.SEE_EXHIBIT, exhibit_id)
    looked(context, who, f"tracks:{exhibit.id}", exhibit=exhibit)
    outputs = context.index.outputs(exhibit.id, step=Step.TRACK, name="tracks.json")
    return analysis_of(outputs, context.index.step_runs(exhibit.id)), context.index.tracks(exhibit.id)


def tray(context: Context, who: SignedIn) -> Sequence[Exhibit]:
    """What belongs to no case yet: everybody's for a supervisor or administrator, his own otherwise."""
    require_for_some(context, who, Act.SEE_TRAY)
    looked(context, who, "tray")
    return context.index.unfiled(who.user)


def file_from_tray(context: Context, who: SignedIn, exhibit_id: str, reference: str) -> Exhibit:
    """Into any open case by its reference, as an upload goes there. Raises: Conflict, CaseClosed."""
    exhibit = find_exhibit(context, who, Act.FILE_FROM_TRAY, exhibit_id)
    try:
        case = context.index.case_by_reference(reference.strip())
    except NotFound:
        raise NotFound(
            "there is no case with that reference", hint="Check the reference, or have the case made first."
        ) from None
    filed = context.ledger.exhibits.file(who.user, exhibit.id, case.id)
    context.bell.ring()
    return filed


def view_upload(context: Context, who: SignedIn, upload_id: str) -> Upload:
    """How far an upload of his own is (or of his case, for who works on it)."""
    upload = find_upload(context, who, Act.SEE_EXHIBIT, upload_id)
    if upload.user_id != who.user.id:
        looked(context, who, f"upload:{upload.id}", case_id=upload.case_id)
    return upload


def exhibit_made_of(upload: Upload) -> str | None:
    """The exhibit's id, once there is one; for a duplicate the one that was there before."""
    if upload.state is not UploadState.DONE:
        return None
    return upload.duplicate_of or upload.exhibit_id


# --- work ----------------------------------------------------------------------------------------------------------


def retry(context: Context, who: SignedIn, exhibit_id: str, step: str) -> list[StepRun]:
    """Start a step again: its runs that failed, were cancelled or quarantined; if all are done, all of them.

    `step` is a step's name or the id of one run. Raises: Conflict when it is still waiting or running.
    """
    exhibit = find_exhibit(context, who, Act.PROCESS, exhibit_id)
    runs = _runs_of(context, exhibit, step)
    ended = [r for r in runs if r.state in ENDED]
    again = [r for r in ended if r.state is not StepState.DONE] or (ended if len(ended) == len(runs) else [])
    if not again:
        raise Conflict("the step is still waiting or running", hint="Wait for it, or cancel it first.")
    restarted = [context.ledger.steps.retry(who.user, r.id) for r in again]
    context.bell.ring(len(restarted))
    return restarted


def cancel(context: Context, who: SignedIn, exhibit_id: str, step: str) -> list[StepRun]:
    """Stop a step: a ready run ends at once, a running one between two frames. Raises: Conflict when it has ended."""
    exhibit = find_exhibit(context, who, Act.PROCESS, exhibit_id)
    going = [r for r in _runs_of(context, exhibit, step) if r.state not in ENDED]
    if not going:
        raise Conflict("the step has ended already", hint="There is nothing to cancel.")
    return [context.ledger.steps.cancel(who.user, r.id) for r in going]


def ask_redaction(context: Context, who: SignedIn, exhibit_id: str, redaction: Redaction) -> StepRun:
    """A new draft. Raises: BadInput, NoDetector, Conflict (not analysed yet, or again meanwhile), CaseClosed."""
    exhibit = find_exhibit(context, who, Act.PROCESS, exhibit_id)
    _require_done(context, exhibit, Step.TRACK, "the video has not been analysed yet")
    return _ask(context, who, exhibit, Step.REDACT, redaction_to_json(checked(context, exhibit, redaction)))


def accept_finding(context: Context, who: SignedIn, exhibit_id: str, run: str, finding: int, reason: str) -> None:
    """What a second look found in the copy of this run is harmless: he has looked. Raises: BadInput, Conflict, NotFound."""
    exhibit = find_exhibit(context, who, Act.PROCESS, exhibit_id)
    context.ledger.findings.accept(who.user, exhibit.id, run, finding, reason)


def reopen_finding(context: Context, who: SignedIn, exhibit_id: str, run: str, finding: int, reason: str) -> None:
    """What was accepted in the copy of this run is open again. Raises: BadInput, Conflict, NotFound."""
    exhibit = find_exhibit(context, who, Act.PROCESS, exhibit_id)
    context.ledger.findings.reopen(who.user, exhibit.id, run, finding, reason)


def ask_clip(context: Context, who: SignedIn, exhibit_id: str, span: Span, source: str) -> StepRun:
    """A clip of `span`, cut from the original, the annotated or the newest redacted copy. Raises: BadInput, Conflict."""
    exhibit = find_exhibit(context, who, Act.PROCESS, exhibit_id)
    if source not in CLIP_SOURCES:
        raise BadInput(f"a clip can't be made from {source[:40]!r}", hint=f"Choose one of: {', '.join(CLIP_SOURCES)}.")
    if exhibit.media is None or exhibit.media.main_video is None:
        raise Conflict("this exhibit has no video to cut a clip from", hint="Look at its steps: it may not be probed yet.")
    if source != ORIGINAL:
        _require_done(context, exhibit, ALIASES[source], f"there is no {source} copy yet")
    params = {"source": source, "start": moment_to_json(span.start), "end": moment_to_json(span.end)}
    return _ask(context, who, exhibit, Step.CLIP, params)


def ask_export(context: Context, who: SignedIn, case_id: str) -> StepRun:
    """The case as a folder with manifest and hashes."""
    case = find_case(context, who, Act.EXPORT, case_id)
    run = context.ledger.steps.ask(who.user.name, Step.EXPORT, case_id=case.id)
    context.bell.ring()
    return run


def exports(context: Context, who: SignedIn, case_id: str) -> list[tuple[StepRun, list[Output]]]:
    """Newest first, each with its files."""
    case = find_case(context, who, Act.EXPORT, case_id)
    looked(context, who, f"exports:{case.id}", case_id=case.id)
    runs = [r for r in reversed(context.index.step_runs(case_id=case.id, limit=_ALL_RUNS)) if r.step is Step.EXPORT]
    return with_files(runs, context.index.outputs(case_id=case.id))


def clips(context: Context, who: SignedIn, exhibit_id: str) -> list[tuple[StepRun, list[Output]]]:
    """Newest first, each with its file."""
    exhibit = find_exhibit(context, who, Act.SEE_EXHIBIT, exhibit_id)
    looked(context, who, f"exhibit:{exhibit.id}", exhibit=exhibit)
    runs = [r for r in reversed(context.index.step_runs(exhibit.id)) if r.step is Step.CLIP]
    return with_files(runs, context.index.outputs(exhibit.id, step=Step.CLIP))


# --- looking for things, and the log -------------------------------------------------------------------------------


def search(context: Context, who: SignedIn, query: Query, case: str = "") -> tuple[Sequence[Hit], Sequence[Hit]]:
    """(dated, undated) tracks in what he may watch; `case` is a reference or an id of a case that he may see."""
    require_for_some(context, who, Act.SEE_EXHIBIT)
    query = case_asked_for(context, who, query, case)
    asked = {
        "labels": list(query.labels),
        "kind": query.kind,
        "from": query.after.isoformat() if query.after else None,
        "to": query.before.isoformat() if query.before else None,
        "min_score": str(query.min_score),
        "offset": query.offset,
    }
    found = context.index.search(who.user, query)
    context.ledger.viewings.record(who.user.name, Verb.SEARCHED, case_id=query.case_id, details=asked)
    return found


def case_log(
    context: Context, who: SignedIn, case_id: str, *, after: int = 0, before: int | None = None, limit: int = 500
) -> Sequence[AuditEvent]:
    """The custody log of a case, oldest first: the first events after a number, or the last before one.

    Reading it is logged too.
    """
    case = find_case(context, who, Act.SEE_AUDIT, case_id)
    looked(context, who, f"log:{case.id}", verb=Verb.AUDIT_READ, case_id=case.id)
    return context.index.audit_of_case(case.id, after=after, before=before, limit=limit)


def exhibit_log(context: Context, who: SignedIn, exhibit_id: str, *, limit: int = 500) -> Sequence[AuditEvent]:
    """The history of one exhibit."""
    exhibit = find_exhibit(context, who, Act.SEE_AUDIT, exhibit_id)
    looked(context, who, f"log:{exhibit.id}", verb=Verb.AUDIT_READ, exhibit=exhibit)
    return context.index.audit_of_exhibit(exhibit.id, limit=limit)


# --- the small parts -----------------------------------------------------------------------------------------------


def looked(
    context: Context,
    who: SignedIn,
    at: str,
    *,
    verb: Verb = Verb.VIEWED,
    case_id: str | None = None,
    exhibit: Exhibit | None = None,
) -> None:
    """One event per record and session: pages that follow the progress of work do not fill the log."""
    context.ledger.viewings.open(
        who.user,
        who.session,
        f"record:{at}",
        verb=verb,
        case_id=exhibit.case_id if exhibit else case_id,
        exhibit_id=exhibit.id if exhibit else None,
        details={"record": at.partition(":")[0]},
    )


def _user(context: Context, name_or_id: str) -> User:
    try:
        return context.index.user_by_name(name_or_id)
    except NotFound:
        pass
    try:
        return context.index.user(UserId(name_or_id))
    except NotFound:
        raise NotFound("there is no user of that name", hint="Ask an administrator: exhibit user add NAME.") from None


def _case_named(context: Context, who: SignedIn, reference_or_id: str) -> Case:
    try:
        case_id = context.index.case_by_reference(reference_or_id).id
    except NotFound:
        case_id = CaseId(reference_or_id)
    return find_case(context, who, Act.SEE_CASE, case_id)


def case_asked_for(context: Context, who: SignedIn, query: Query, case: str) -> Query:
    """The question, kept to a case that he may see, where one is named."""
    return replace(query, case_id=_case_named(context, who, case).id) if case else query


def _runs_of(context: Context, exhibit: Exhibit, step: str) -> list[StepRun]:
    """Raises: NotFound for a name that is no step, Conflict for one that has not started."""
    runs = context.index.step_runs(exhibit.id)
    if step not in {s.value for s in Step}:
        found = [r for r in runs if r.id == step]
        if not found:
            raise NotFound(f"there is no step {step[:40]!r}", hint=f"Choose one of: {', '.join(s.value for s in Step)}.")
        return found
    found = [r for r in runs if r.step.value == step]
    if not found:
        raise Conflict("the step has not started yet", hint="It starts by itself when the steps before it are done.")
    return found


def _require_done(context: Context, exhibit: Exhibit, step: Step, otherwise: str) -> None:
    runs = context.index.step_runs(exhibit.id, states=(StepState.DONE.value,))
    if not any(r.step is step for r in runs):
        raise Conflict(otherwise, hint=f"Wait until the step {step.value} is done, or retry it.")


def _ask(context: Context, who: SignedIn, exhibit: Exhibit, step: Step, params: Mapping[str, Any]) -> StepRun:
    """In front of re-runs, as new work is: a person waits for it."""
    if exhibit.case_id and context.index.case(exhibit.case_id).state is CaseState.CLOSED:
        raise CaseClosed("the case is closed")
    run = context.ledger.steps.ask(who.user.name, step, exhibit_id=exhibit.id, params=params, priority=Priority.NEW)
    context.bell.ring()
    return run

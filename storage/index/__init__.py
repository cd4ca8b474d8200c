"""Reads only: find cases, exhibits, steps, outputs, tracks, audit. Nothing here writes or locks.

Who may see what is decided by the caller with `evidence.case.allows`; the queries that list things take
the user and give only what he may see, so that counts leak nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from sqlalchemy import ColumnElement, and_, func, or_, select, true

from evidence.audit import GENESIS, AuditEvent
from evidence.case import Act, Case, CaseId, Relation, User, UserId, allows
from evidence.errors import NotFound
from evidence.exhibit import Exhibit, ExhibitId, UploadId
from evidence.places import Shape
from evidence.steps import ENDED, Step, StepRun, StepRunId
from storage.index.findings import Accepted, DoubtRow, FindingIndex
from storage.index.places import PlaceIndex
from storage.index.search import search
from storage.index.sightings import Seen, sightings
from storage.index.values import ApiToken, Hit, Output, Query, TrackRow, output_of, track_of
from storage.ledger.uploads import Upload, read_upload
from storage.rows import AnyRow, case_of, event_json, event_of, exhibit_of, step_run_of, user_of
from storage.tables import audit, cases, exhibits, memberships, outputs, step_order, step_runs, tokens, tracks, users

_PAGE = 1000

__all__ = ["Accepted", "ApiToken", "DoubtRow", "Hit", "Index", "Output", "Query", "Seen", "TrackRow"]


class Index(PlaceIndex, FindingIndex):
    # people
    def users(self) -> Sequence[User]:
        """Everybody, by name."""
        return [user_of(row) for row in self._all(select(users).order_by(users.c.name))]

    def user(self, user_id: UserId) -> User:
        """Raises: NotFound."""
        return user_of(self._first(select(users).where(users.c.id == user_id)) or _missing("user"))

    def user_by_name(self, name: str) -> User:
        """Raises: NotFound."""
        named = users.c.name == name.strip().lower()
        found = self._first(select(users).where(named))
        if found is None:
            raise NotFound(f"there is no user {name}", hint="exhibit user list shows all of them.")
        return user_of(found)

    def tokens(self, user_id: UserId | None = None) -> Sequence[ApiToken]:
        """API tokens of one person or of all, by name, newest first; ended ones too."""
        found = select(tokens, users.c.name.label("user")).join(users, users.c.id == tokens.c.user_id)
        if user_id is not None:
            found = found.where(tokens.c.user_id == user_id)
        ordered = found.order_by(users.c.name, tokens.c.created_at.desc(), tokens.c.id)
        return [
            ApiToken(row.id, row.user, row.name, row.created_at, row.expires_at, row.revoked_at)
            for row in self._all(ordered)
        ]

    # cases
    def case(self, case_id: CaseId) -> Case:
        """Raises: NotFound."""
        return case_of(self._first(select(cases).where(cases.c.id == case_id)) or _missing("case"))

    def case_by_reference(self, reference: str) -> Case:
        """In whatever spelling. Raises: NotFound."""
        wanted = func.lower(cases.c.reference) == func.lower(" ".join(reference.split()))
        return case_of(self._first(select(cases).where(wanted)) or _missing(f"case {reference}"))

    def cases_for(self, user: User, text: str = "") -> Sequence[Case]:
        """Cases he is a member of (an auditor: all), urgent first, then newest; `text` matches reference or title."""
        wanted = select(cases).where(_cases_of(user)).order_by(cases.c.urgent.desc(), cases.c.created_at.desc(), cases.c.id)
        if text.strip():
            has = or_(
                cases.c.reference.icontains(text.strip(), autoescape=True),
                cases.c.title.icontains(text.strip(), autoescape=True),
            )
            wanted = wanted.where(has)
        return [case_of(row) for row in self._all(wanted)]

    def members(self, case_id: CaseId) -> Sequence[User]:
        """By name."""
        joined = select(users).join(memberships, memberships.c.user_id == users.c.id)
        return [user_of(row) for row in self._all(joined.where(memberships.c.case_id == case_id).order_by(users.c.name))]

    def relations(self, user: User, *, case_id: CaseId | None = None, exhibit: Exhibit | None = None) -> frozenset[Relation]:
        """How he stands to a case, or to an exhibit (as uploader, as member of its case)."""
        found: set[Relation] = set()
        if exhibit is not None:
            case_id = exhibit.case_id
            if exhibit.uploaded_by == user.id:
                found.add(Relation.OWN)
        if case_id is not None:
            is_member = and_(memberships.c.case_id == case_id, memberships.c.user_id == user.id)
            if self._first(select(memberships.c.user_id).where(is_member)) is not None:
                found.add(Relation.MEMBER)
        return frozenset(found)

    # exhibits, uploads
    def exhibit(self, exhibit_id: ExhibitId) -> Exhibit:
        """Raises: NotFound."""
        return exhibit_of(self._first(select(exhibits).where(exhibits.c.id == exhibit_id)) or _missing("exhibit"))

    def exhibit_by_digest(self, case_id: CaseId | None, sha256: str, user_id: UserId, claimed_case: str) -> Exhibit | None:
        """The exhibit of that case that has these bytes; without a case, of that officer's tray under the same claim."""
        in_tray = and_(
            exhibits.c.case_id.is_(None), exhibits.c.uploaded_by == user_id, exhibits.c.claimed_case == claimed_case
        )
        where = in_tray if case_id is None else exhibits.c.case_id == case_id
        row = self._first(select(exhibits).where(where, exhibits.c.sha256 == sha256))
        return None if row is None else exhibit_of(row)

    def exhibits_of(self, case_id: CaseId) -> Sequence[Exhibit]:
        """In the order in which they came."""
        return self._exhibits(exhibits.c.case_id == case_id)

    def exhibits_by(self, user: User) -> Sequence[Exhibit]:
        """What he uploaded himself, newest first."""
        return self._exhibits(exhibits.c.uploaded_by == user.id)[::-1]

    def exhibit_counts(self, user: User) -> Mapping[CaseId, int]:
        """How many exhibits of each case he may see: a count gives away no more than a list would."""
        visible: list[ColumnElement[bool]] = []
        if allows(user, Act.SEE_EXHIBIT, frozenset({Relation.OWN})):
            visible.append(exhibits.c.uploaded_by == user.id)
        if allows(user, Act.SEE_EXHIBIT, frozenset({Relation.MEMBER})):
            his = select(memberships.c.case_id).where(memberships.c.user_id == user.id)
            visible.append(exhibits.c.case_id.in_(his))
        if not visible:
            return {}
        number = func.count().label("number")
        counted = select(exhibits.c.case_id, number).where(exhibits.c.case_id.is_not(None), or_(*visible))
        return {CaseId(row.case_id): int(row.number) for row in self._all(counted.group_by(exhibits.c.case_id))}

    def unfiled(self, user: User) -> Sequence[Exhibit]:
        """The tray: everybody's for a supervisor or administrator, his own otherwise."""
        everybodys = allows(user, Act.SEE_TRAY)
        if not everybodys and not allows(user, Act.SEE_TRAY, frozenset({Relation.OWN})):
            return []
        whose = true() if everybodys else exhibits.c.uploaded_by == user.id
        return self._exhibits(and_(exhibits.c.case_id.is_(None), whose))

    def _exhibits(self, where: ColumnElement[bool]) -> Sequence[Exhibit]:
        ordered = select(exhibits).where(where).order_by(exhibits.c.uploaded_at, exhibits.c.id)
        return [exhibit_of(row) for row in self._all(ordered)]

    def upload(self, upload_id: UploadId) -> Upload:
        """Raises: NotFound."""
        with self._reading() as connection:
            return read_upload(connection, upload_id)

    # steps and outputs
    def step_run(self, run_id: StepRunId) -> StepRun:
        """Raises: NotFound."""
        return step_run_of(self._first(select(step_runs).where(step_runs.c.id == run_id)) or _missing("step run"))

    def step_runs(
        self,
        exhibit_id: ExhibitId | None = None,
        *,
        case_id: CaseId | None = None,
        uploaded_by: UserId | None = None,
        states: Sequence[str] = (),
        limit: int = 1000,
    ) -> Sequence[StepRun]:
        """Oldest first. Of an exhibit, of a case (its exhibits' and its exports'), of somebody's exhibits, or of all."""
        wanted = select(step_runs).order_by(*step_order).limit(limit)
        if exhibit_id is not None:
            wanted = wanted.where(step_runs.c.exhibit_id == exhibit_id)
        if case_id is not None:
            its_own = select(exhibits.c.id).where(exhibits.c.case_id == case_id)
            wanted = wanted.where(or_(step_runs.c.case_id == case_id, step_runs.c.exhibit_id.in_(its_own)))
        if uploaded_by is not None:
            his_own = select(exhibits.c.id).where(exhibits.c.uploaded_by == uploaded_by)
            wanted = wanted.where(step_runs.c.exhibit_id.in_(his_own))
        if states:
            wanted = wanted.where(step_runs.c.state.in_([str(state) for state in states]))
        return [step_run_of(row) for row in self._all(wanted)]

    def step_counts(self) -> Mapping[tuple[str, str], int]:
        """How many rows there are by (step, state), for the metrics."""
        grouped = select(step_runs.c.step, step_runs.c.state, func.count().label("rows"))
        return {(row.step, row.state): row.rows for row in self._all(grouped.group_by(step_runs.c.step, step_runs.c.state))}

    def outputs(
        self, exhibit_id: ExhibitId | None = None, *, case_id: CaseId | None = None, name: str = "", step: Step | None = None
    ) -> Sequence[Output]:
        """Newest first; for `case_id`, outputs of its exports only."""
        wanted = select(outputs).order_by(outputs.c.created_at.desc(), outputs.c.id)
        if exhibit_id is not None:
            wanted = wanted.where(outputs.c.exhibit_id == exhibit_id)
        if case_id is not None:
            wanted = wanted.where(outputs.c.case_id == case_id)
        if name:
            wanted = wanted.where(outputs.c.name == name)
        if step is not None:
            wanted = wanted.where(outputs.c.step == step.value)
        return [output_of(row) for row in self._all(wanted)]

    # tracks
    def tracks(self, exhibit_id: ExhibitId) -> Sequence[TrackRow]:
        """In order of their first appearance."""
        wanted = select(tracks).where(tracks.c.exhibit_id == exhibit_id).order_by(tracks.c.first_pts, tracks.c.track_id)
        return [track_of(row) for row in self._all(wanted)]

    def search(self, user: User, query: Query) -> tuple[Sequence[Hit], Sequence[Hit]]:
        """(dated, undated) hits in what he may watch, the dated ones in order of time.

        Undated ones are given apart even when a time was asked for: nobody knows that they don't belong to it.
        """
        with self._reading() as connection:
            return search(connection, user, query)

    def sightings(self, user: User, shape: Shape, query: Query) -> Sequence[Seen]:
        """What he may watch that filmed that place, or was there: spans, the best first."""
        with self._reading() as connection:
            return sightings(connection, user, shape, query)

    # audit
    def orphans(self, made: Mapping[str, StepRunId], before: datetime) -> Sequence[str]:
        """Of these keys, and the runs that made them, those that no output names though their run ended before that
        moment: an attempt stored them and died."""
        ended = select(step_runs.c.id).where(
            step_runs.c.id.in_(set(made.values())),
            step_runs.c.state.in_([state.value for state in ENDED]),
            step_runs.c.finished_at < before,
        )
        over = {row.id for row in self._all(ended)}
        named = {row.key for row in self._all(select(outputs.c.key).where(outputs.c.key.in_(made)))}
        return [key for key, run in made.items() if run in over and key not in named]

    def audit_of_case(
        self, case_id: CaseId, *, after: int = 0, before: int | None = None, limit: int = 500
    ) -> Sequence[AuditEvent]:
        """Events of the case and of its exhibits, those from before they were filed too; oldest first.

        The first `limit` after number `after`; with `before`, the last `limit` before that number.
        """
        its_own = select(exhibits.c.id).where(exhibits.c.case_id == case_id)
        of_it = or_(audit.c.case_id == case_id, audit.c.exhibit_id.in_(its_own))
        wanted = select(audit).where(of_it, audit.c.number > after).limit(limit)
        if before is None:
            return [event_of(row) for row in self._all(wanted.order_by(audit.c.number))]
        newest = wanted.where(audit.c.number < before).order_by(audit.c.number.desc())
        return [event_of(row) for row in self._all(newest)][::-1]

    def audit_of_exhibit(self, exhibit_id: ExhibitId, *, limit: int = 500) -> Sequence[AuditEvent]:
        """Oldest first; of many, the newest `limit`."""
        newest = select(audit).where(audit.c.exhibit_id == exhibit_id).order_by(audit.c.number.desc()).limit(limit)
        return [event_of(row) for row in self._all(newest)][::-1]

    def audit_events(self, *, after: int = 0) -> Iterator[AuditEvent]:
        """The whole chain in order, streamed."""
        for row in self._audit_rows(after):
            yield event_of(row)

    def audit_json(self, *, after: int = 0) -> Iterator[dict[str, Any]]:
        """The whole chain in order, streamed, each event as docs/custody.md writes it: what `casefile.verify` reads.

        It gives what stands in the table, also where that is no event that this program could have written.
        """
        for row in self._audit_rows(after):
            yield event_json(row)

    def _audit_rows(self, after: int) -> Iterator[AnyRow]:
        # In pages, not by a cursor: the log only grows, and a slow reader holds no connection.
        while rows := self._all(select(audit).where(audit.c.number > after).order_by(audit.c.number).limit(_PAGE)):
            yield from rows
            after = rows[-1].number

    def audit_head(self) -> tuple[int, str]:
        """Number and hash of the last event: what to keep elsewhere, as the tail could be cut off without a trace here."""
        row = self._first(select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1))
        return (0, GENESIS) if row is None else (row.number, row.hash)


def _cases_of(user: User) -> ColumnElement[bool]:
    if allows(user, Act.SEE_CASE):
        return true()
    mine = select(memberships.c.case_id).where(memberships.c.user_id == user.id)
    return cases.c.id.in_(mine)


def _missing(what: str) -> NoReturn:
    raise NotFound(f"there is no such {what}" if " " not in what else f"there is no {what}")

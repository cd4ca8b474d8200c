"""The step rows: claim, progress, finish, retry, cancel. The row is the truth; a ring means only *there is work*."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, insert, or_, select, update

from evidence.audit import Verb
from evidence.case import User
from evidence.errors import Conflict, Fenced, NotFound
from evidence.exhibit import Exhibit, ExhibitId
from evidence.steps import ENDED, NEEDS, Priority, Step, StepRun, StepRunId, StepState, Wanted
from storage.ledger.exhibits import locked_exhibit
from storage.ledger.findings import record_doubts
from storage.ledger.graph import again, follow_up, new_step_row
from storage.ledger.pairing import hold_pairings, locate_again, pair_up
from storage.ledger.places import missed_tracks, record_places
from storage.ledger.results import NewOutput, Result, record_outputs, record_probe, record_tracks
from storage.ledger.writer import Act, Writer, clean
from storage.rows import AnyRow, step_run_of
from storage.tables import cases, exhibits, step_order, step_runs

__all__ = ["NewOutput", "Result", "StepLedger"]

_MOST_KILLED = 3
_PAIRS = frozenset({Step.PROBE, Step.LOCATE})
"""Steps that find out what shows which sidecar belongs to which video: its length and its times."""
_LONGEST_LOG = 8_000


class StepLedger(Writer):
    def ask(
        self,
        actor: str,
        step: Step,
        *,
        exhibit_id: ExhibitId | None = None,
        case_id: str | None = None,
        segment: int = 0,
        params: Mapping[str, Any] | None = None,
        priority: Priority = Priority.NEW,
    ) -> StepRun:
        """A new ready row, logged. Raises: NotFound, Conflict when what the step stands on isn't done yet."""
        with self._transaction() as (connection, now):
            exhibit = None if exhibit_id is None else locked_exhibit(connection, exhibit_id)
            if exhibit is not None:
                _check_needs(connection, exhibit, step)
            row = new_step_row(exhibit_id, Wanted(step, segment, params), actor, now)
            row |= {"priority": priority.value, "case_id": case_id}
            run = step_run_of(connection.execute(insert(step_runs).values(row).returning(step_runs)).one())
            self._log(connection, _act(actor, Verb.STEP_ASKED, run, exhibit, params=run.params), now)
        return run

    def claim(self, worker: str, steps: frozenset[Step], lease: timedelta) -> StepRun | None:
        """The best row this worker can run: urgent cases first, then new evidence, then re-runs; oldest first.

        Takes rows that are ready (and not before `not_before`) and running ones whose lease ran out, which counts
        a killed attempt; after the third the row is QUARANTINED instead. FOR UPDATE SKIP LOCKED. Leases are counted
        by the database's clock, the only one that all machines share.
        """
        if not steps:
            return None
        while True:
            with self._transaction() as (connection, now):
                row = connection.execute(_best_claimable(steps)).first()
                if row is None:
                    return None
                died = row.state == StepState.RUNNING.value
                killed = row.killed + died
                if died and row.cancel_requested:
                    self._end(connection, row, StepState.CANCELLED, now, note="cancelled by a person")
                elif died and killed >= _MOST_KILLED:
                    self._quarantine(connection, row, killed, now)
                else:
                    new = {
                        "state": StepState.RUNNING.value,
                        "attempt": row.attempt + 1,
                        "killed": killed,
                        "lease_until": func.now() + lease,
                        "not_before": None,
                        "worker": clean(worker),
                        "progress_done": 0,
                        "progress_total": 0,
                        "started_at": now,
                        "finished_at": None,
                    }
                    claimed = update(step_runs).where(step_runs.c.id == row.id).values(new).returning(step_runs)
                    return step_run_of(connection.execute(claimed).one())

    def renew(self, run: StepRun, lease: timedelta) -> bool:
        """Hold on to it. False when another attempt has the row by now: stop and throw the output away."""
        renewed = update(step_runs).where(_mine(run)).values(lease_until=func.now() + lease)
        with self._transaction() as (connection, _now):
            return bool(connection.execute(renewed).rowcount)

    def progress(self, run: StepRun, done: int, total: int) -> bool:
        """Write progress. False when the person asked to cancel. Raises: Fenced."""
        new = {"progress_done": done, "progress_total": total}
        statement = update(step_runs).where(_mine(run)).values(new).returning(step_runs.c.cancel_requested)
        with self._transaction() as (connection, _now):
            row = connection.execute(statement).first()
        if row is None:
            raise _fenced(run)
        return not row.cancel_requested

    def finish(self, run: StepRun, result: Result) -> int:
        """Result, outputs, audit event, exhibit fields, tracks and the next ready rows in one transaction.

        When this was a re-run, steps that stand on the older result become ready again too.
        Returns how many rows became ready (ring that often). Raises: Fenced (0 rows: throw the output away).
        """
        with self._transaction() as (connection, now):
            if run.step in _PAIRS:
                hold_pairings(connection)
            # The exhibit first, in every transaction that takes both: no deadlock, and segments end one by one.
            exhibit = None if run.exhibit_id is None else locked_exhibit(connection, run.exhibit_id)
            new = {
                "state": StepState.DONE.value,
                "recipe": result.recipe,
                "note": clean(result.note),
                "killed": 0,
                "cancel_requested": False,
                "lease_until": None,
                "error": "",
                "hint": "",
                "finished_at": now,
                "progress_done": step_runs.c.progress_total,
            }
            if not connection.execute(update(step_runs).where(_mine(run)).values(new)).rowcount:
                raise _fenced(run)
            record_outputs(connection, run, result, now)
            ready: list[str] = []
            paired: list[dict[str, Any]] = []
            if exhibit is not None:
                exhibit = self._record(connection, exhibit, run, result)
                ready = follow_up(connection, exhibit, run.step, now)
                if result.places is not None and missed_tracks(connection, exhibit, result.places):
                    ready += [f"{run.step.value}/0" for _ in locate_again(connection, {exhibit.id})]
                paired = pair_up(connection, exhibit, now) if run.step in _PAIRS else []
            details = {
                "recipe": result.recipe,
                "attempt": run.attempt,
                "note": result.note,
                "models": list(result.models),
                "outputs": {output.name: output.sha256 for output in result.outputs},
                "condition": result.condition,
                "ready": ready,
            }
            self._log(connection, _act(_actor(run), Verb.STEP_DONE, run, exhibit, **details), now)
            for said in paired:
                case_id = exhibit.case_id if exhibit else None
                self._log(connection, Act("system:pairing", Verb.PAIRED, case_id, ExhibitId(said["video"]), said), now)
        return len(ready) + sum(len(said["ready"]) for said in paired)

    @staticmethod
    def _record(connection: Connection, exhibit: Exhibit, run: StepRun, result: Result) -> Exhibit:
        """What the step found, as rows; the exhibit as it stands then."""
        exhibit = record_probe(connection, exhibit, result)
        if result.tracks is not None:
            record_tracks(connection, exhibit, result)
        if result.doubts is not None:
            record_doubts(connection, exhibit, result.doubts)
        if result.places is not None:
            record_places(connection, exhibit, run, result.places)
        return exhibit

    def fail(
        self,
        run: StepRun,
        error: str,
        hint: str,
        log_tail: str,
        *,
        retry_in: timedelta | None = None,
        killed: bool = False,
    ) -> None:
        """FAILED with a plain sentence, or READY again after `retry_in` for a transient fault. Raises: Fenced.

        `killed` counts an attempt whose child was killed: READY again, and QUARANTINED after the third.
        """
        told = {"error": clean(error), "hint": clean(hint), "log_tail": clean(log_tail)[-_LONGEST_LOG:]}
        with self._transaction() as (connection, now):
            row = connection.execute(select(step_runs).where(_mine(run)).with_for_update()).first()
            if row is None:
                raise _fenced(run)
            if killed and row.killed + 1 >= _MOST_KILLED:
                connection.execute(update(step_runs).where(step_runs.c.id == row.id).values(log_tail=told["log_tail"]))
                self._quarantine(connection, row, row.killed + 1, now, last_error=told["error"])
            elif killed or retry_in is not None:
                waits = None if retry_in is None else func.now() + retry_in
                # Not `again`: it keeps its place in the queue and the count of its killed attempts.
                new = told | {
                    "state": StepState.READY.value,
                    "killed": row.killed + killed,
                    "lease_until": None,
                    "not_before": waits,
                }
                connection.execute(update(step_runs).where(step_runs.c.id == row.id).values(new))
            else:
                self._end(connection, row, StepState.FAILED, now, **told)

    def hand_back(self, run: StepRun) -> None:
        """READY again at once (SIGTERM): not a killed attempt. Fenced silently."""
        new = {"state": StepState.READY.value, "lease_until": None, "worker": ""}
        with self._transaction() as (connection, _now):
            connection.execute(update(step_runs).where(_mine(run)).values(new))

    def cancelled(self, run: StepRun) -> None:
        """The step stopped because a person asked for it. Raises: Fenced."""
        with self._transaction() as (connection, now):
            row = connection.execute(select(step_runs).where(_mine(run)).with_for_update()).first()
            if row is None:
                raise _fenced(run)
            self._end(connection, row, StepState.CANCELLED, now, note="cancelled by a person")

    def retry(self, actor: User, run_id: StepRunId) -> StepRun:
        """An ended row becomes READY again as a re-run, attempts kept. Raises: Conflict when it isn't ended."""
        with self._transaction() as (connection, now):
            run, exhibit = _locked_run(connection, run_id)
            if run.state not in ENDED:
                raise Conflict(f"the step is {run.state.value}", hint="Cancel it first, or wait until it has ended.")
            new = again(note="", log_tail="")
            row = connection.execute(
                update(step_runs).where(step_runs.c.id == run_id).values(new).returning(step_runs)
            ).one()
            self._log(connection, _act(actor.name, Verb.STEP_ASKED, run, exhibit, again=True, was=run.state), now)
        return step_run_of(row)

    def cancel(self, actor: User, run_id: StepRunId) -> StepRun:
        """A ready row ends at once; a running one is asked to stop. Raises: Conflict when it has ended."""
        with self._transaction() as (connection, now):
            run, exhibit = _locked_run(connection, run_id)
            if run.state in ENDED:
                raise Conflict(f"the step is {run.state.value} already", hint="There is nothing left to stop.")
            new: dict[str, Any] = {"cancel_requested": True}
            if run.state is StepState.READY:
                new = {
                    "state": StepState.CANCELLED.value,
                    "note": "cancelled by a person",
                    "finished_at": now,
                    "not_before": None,
                }
            row = connection.execute(
                update(step_runs).where(step_runs.c.id == run_id).values(new).returning(step_runs)
            ).one()
            self._log(connection, _act(actor.name, Verb.STEP_CANCELLED, run, exhibit, was=run.state), now)
        return step_run_of(row)

    def ready_count(self, steps: frozenset[Step]) -> int:
        """Rows that a worker of these steps could claim now."""
        counted = select(func.count()).select_from(step_runs).where(_claimable(steps))
        with self._transaction() as (connection, _now):
            return int(connection.execute(counted).scalar_one())

    def _end(self, connection: Connection, row: AnyRow, state: StepState, now: datetime, **new: str) -> None:
        verbs = {
            StepState.FAILED: Verb.STEP_FAILED,
            StepState.CANCELLED: Verb.STEP_CANCELLED,
            StepState.QUARANTINED: Verb.STEP_QUARANTINED,
        }
        values = {"state": state.value, "lease_until": None, "cancel_requested": False, "finished_at": now, **new}
        connection.execute(update(step_runs).where(step_runs.c.id == row.id).values(values))
        run = step_run_of(row)
        exhibit_case = select(exhibits.c.case_id).where(exhibits.c.id == row.exhibit_id)
        case_id = row.case_id or connection.execute(exhibit_case).scalar()
        told = {key: value for key, value in new.items() if key in {"error", "note"}}
        details = {"step": run.step, "segment": run.segment, "run": run.id, "attempt": run.attempt, **told}
        self._log(connection, Act(_actor(run), verbs[state], case_id, run.exhibit_id, details), now)

    def _quarantine(self, connection: Connection, row: AnyRow, killed: int, now: datetime, last_error: str = "") -> None:
        connection.execute(update(step_runs).where(step_runs.c.id == row.id).values(killed=killed))
        said = f" The last one: {last_error}" if last_error else ""
        error = f"{killed} attempts were killed while this step ran.{said}"
        hint = "Look at the last log lines and at the free memory of the worker machines; then retry it by hand."
        self._end(connection, row, StepState.QUARANTINED, now, error=error, hint=hint)


def _claimable(steps: frozenset[Step]) -> ColumnElement[bool]:
    waits = or_(step_runs.c.not_before.is_(None), step_runs.c.not_before <= func.now())
    return and_(
        step_runs.c.step.in_([step.value for step in steps]),
        or_(
            and_(step_runs.c.state == StepState.READY.value, waits),
            and_(step_runs.c.state == StepState.RUNNING.value, step_runs.c.lease_until < func.now()),
        ),
    )


def _best_claimable(steps: frozenset[Step]) -> Select[Any]:
    of_exhibit, of_export = cases.alias("of_exhibit"), cases.alias("of_export")
    urgent = func.coalesce(of_exhibit.c.urgent, of_export.c.urgent, False)
    rerun = case((step_runs.c.priority == Priority.NEW.value, 0), else_=1)
    return (
        select(step_runs)
        .join(exhibits, exhibits.c.id == step_runs.c.exhibit_id, isouter=True)
        .join(of_exhibit, of_exhibit.c.id == exhibits.c.case_id, isouter=True)
        .join(of_export, of_export.c.id == step_runs.c.case_id, isouter=True)
        .where(_claimable(steps))
        .order_by(urgent.desc(), rerun, *step_order)
        .limit(1)
        .with_for_update(of=step_runs, skip_locked=True)
    )


def _mine(run: StepRun) -> ColumnElement[bool]:
    """Whether this attempt still has the row: the fence."""
    return and_(
        step_runs.c.id == run.id,
        step_runs.c.attempt == run.attempt,
        step_runs.c.state == StepState.RUNNING.value,
    )


def _fenced(run: StepRun) -> Fenced:
    return Fenced(f"another attempt has step {run.step.value} by now")


def _actor(run: StepRun) -> str:
    return f"system:worker {run.worker}" if run.worker else "system:worker"


def _act(actor: str, verb: Verb, run: StepRun, exhibit: Exhibit | None, **details: Any) -> Act:
    case_id = run.case_id or (exhibit.case_id if exhibit is not None else None)
    named = {"step": run.step, "segment": run.segment, "run": run.id, **details}
    return Act(actor, verb, case_id, run.exhibit_id, named)


def _check_needs(connection: Connection, exhibit: Exhibit, step: Step) -> None:
    for needed in NEEDS.get(step, frozenset()):
        states = connection.execute(
            select(step_runs.c.state).where(step_runs.c.exhibit_id == exhibit.id, step_runs.c.step == needed.value)
        ).scalars()
        if StepState.DONE.value not in set(states):
            raise Conflict(
                f"step {needed.value} of exhibit {exhibit.reference} isn't done yet",
                hint="Wait until it is, or retry it; the exhibit's page shows how far it is.",
            )


def _locked_run(connection: Connection, run_id: StepRunId) -> tuple[StepRun, Exhibit | None]:
    """The row and its exhibit, both held: the exhibit first, as everywhere. Raises: NotFound."""
    found = connection.execute(select(step_runs.c.exhibit_id).where(step_runs.c.id == run_id)).first()
    if found is None:
        raise NotFound("there is no such step run", hint="exhibit steps list shows all of them.")
    exhibit = None if found.exhibit_id is None else locked_exhibit(connection, found.exhibit_id)
    row = connection.execute(select(step_runs).where(step_runs.c.id == run_id).with_for_update()).one()
    return step_run_of(row), exhibit

"""Which step rows an exhibit needs next, in the transaction in which a step of it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from evidence.exhibit import Exhibit
from evidence.steps import AGAIN_AFTER, NEEDS, Priority, Step, StepRunId, StepState, Wanted, next_steps
from storage.ledger.writer import new_id, storable
from storage.place_tables import telemetry_sources
from storage.tables import step_runs

AUTOMATIC = "system:steps"
"""`requested_by` of the rows that the graph makes by itself, one per step and segment."""

# What stands on a result that is no longer the newest is made anew. A person who cancelled a step meant it, and
# a quarantined one needs a person's look first. A running one is overtaken: its fence no longer holds.
_OVERTAKEN = frozenset({StepState.DONE, StepState.FAILED, StepState.RUNNING})
_BEARS_REFERENCE = frozenset({Step.ANNOTATE, Step.REDACT})


@dataclass(frozen=True, slots=True)
class _Row:
    id: StepRunId
    step: Step
    segment: int
    state: StepState


def new_step_row(exhibit_id: str | None, wanted: Wanted, requested_by: str, now: datetime) -> dict[str, Any]:
    """The column values of a ready row."""
    return {
        "id": new_id(),
        "exhibit_id": exhibit_id,
        "step": wanted.step.value,
        "segment": wanted.segment,
        "params": storable(wanted.params or {}),
        "priority": Priority.NEW.value,
        "state": StepState.READY.value,
        "requested_by": requested_by,
        "created_at": now,
    }


def again(**more: object) -> Mapping[str, Any]:
    """The column values that make an ended or running row ready again; the number of its attempts stays."""
    return {
        "state": StepState.READY.value,
        "priority": Priority.RERUN.value,
        "lease_until": None,
        "not_before": None,
        "worker": "",
        "killed": 0,
        "cancel_requested": False,
        "progress_done": 0,
        "progress_total": 0,
        "error": "",
        "hint": "",
        "finished_at": None,
        **more,
    }


def follow_up(connection: Connection, exhibit: Exhibit, ended: Step, now: datetime) -> list[str]:
    """Make the rows that are wanted now, and those ready again that stood on an older result of `ended`.

    The caller holds the exhibit's row, so of two segments that end at the same moment exactly one sees the other done.
    Gives the names (`detect/3`) of what became ready.
    """
    rows = _automatic_rows(connection, exhibit)
    segments = exhibit.media.segments if exhibit.media is not None else ()
    has_video = exhibit.media is not None and exhibit.media.main_video is not None
    done = frozenset((r.step, r.segment) for r in rows if r.state is StepState.DONE)
    there = frozenset((r.step, r.segment) for r in rows)
    wanted = next_steps(exhibit.file_type, segments, has_video, done, there)
    for new in wanted:
        connection.execute(insert(step_runs).values(new_step_row(exhibit.id, new, AUTOMATIC, now)))
    pieces = {segment.number for segment in segments} or {0}
    stale = list(_stale(rows, ended, pieces, _has_places(connection, exhibit))) if has_video else []
    if stale:
        ids = [row.id for row in stale]
        connection.execute(update(step_runs).where(step_runs.c.id.in_(ids)).values(again()))
    named = [(w.step, w.segment) for w in wanted] + [(r.step, r.segment) for r in stale]
    return [f"{step.value}/{segment}" for step, segment in named]


def renamed(connection: Connection, exhibit_id: str) -> list[str]:
    """Make what bears the exhibit's reference anew: the old one may be another exhibit's in the new case.

    The caller holds the exhibit's row. Gives the names of what became ready.
    """
    stale = [
        step_runs.c.exhibit_id == exhibit_id,
        step_runs.c.requested_by == AUTOMATIC,
        step_runs.c.step.in_([step.value for step in _BEARS_REFERENCE]),
        step_runs.c.state.in_([state.value for state in _OVERTAKEN]),
    ]
    made_ready = update(step_runs).where(*stale).values(again()).returning(step_runs.c.step, step_runs.c.segment)
    return sorted(f"{row.step}/{row.segment}" for row in connection.execute(made_ready))


def _automatic_rows(connection: Connection, exhibit: Exhibit) -> list[_Row]:
    rows = connection.execute(
        select(step_runs.c.id, step_runs.c.step, step_runs.c.segment, step_runs.c.state)
        .where(step_runs.c.exhibit_id == exhibit.id, step_runs.c.requested_by == AUTOMATIC)
        .order_by(step_runs.c.created_at, step_runs.c.id)
    )
    return [_Row(row.id, Step(row.step), row.segment, StepState(row.state)) for row in rows]


def _has_places(connection: Connection, exhibit: Exhibit) -> bool:
    found = select(telemetry_sources.c.id).where(telemetry_sources.c.exhibit_id == exhibit.id).limit(1)
    return connection.execute(found).first() is not None


def _stale(rows: list[_Row], ended: Step, pieces: set[int], has_places: bool) -> Iterable[_Row]:
    """Rows that stand directly on `ended`, once all of its segments are done; their own finish carries it further.

    What only runs again with more (`AGAIN_AFTER`) does so where there is something to add to; while it runs it is left
    alone, and its own finish sees that there is more.
    """
    of_ended = [r for r in rows if r.step is ended and (ended is not Step.DETECT or r.segment in pieces)]
    if any(r.state is not StepState.DONE for r in of_ended):
        return
    for row in rows:
        is_piece = row.step is not Step.DETECT or row.segment in pieces
        more = ended in AGAIN_AFTER.get(row.step, frozenset()) and has_places and row.state is StepState.DONE
        if (more or ended in NEEDS.get(row.step, frozenset())) and row.state in _OVERTAKEN and is_piece:
            yield row

"""Search over tracks, kept to what the person may watch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, DateTime, Interval, Select, cast, false, func, or_, select

from evidence.case import Act, Relation, User, allows
from storage.index.values import Hit, Query, track_of
from storage.rows import exhibit_of
from storage.tables import cases, exhibits, memberships, tracks

# What the uploader claims goes before what the container claims.
CLAIMED = func.coalesce(
    exhibits.c.captured_at, cast(exhibits.c.media["claimed_capture_time"].astext, DateTime(timezone=True))
)


def within_reach(user: User, act: Act) -> ColumnElement[bool]:
    """The exhibits with which `user` may do `act`, as a condition on `exhibits`: the same rule as `allows`."""
    ways: list[ColumnElement[bool]] = [false()]
    if allows(user, act, frozenset({Relation.OWN})):
        ways.append(exhibits.c.uploaded_by == user.id)
    if allows(user, act, frozenset({Relation.MEMBER})):
        mine = select(memberships.c.case_id).where(memberships.c.user_id == user.id)
        ways.append(exhibits.c.case_id.in_(mine))
    return or_(*ways)


def search(connection: Connection, user: User, query: Query) -> tuple[Sequence[Hit], Sequence[Hit]]:
    found = (
        select(tracks, exhibits.c.id, cases.c.reference.label("case_reference"), CLAIMED.label("claimed"))
        .join(exhibits, exhibits.c.id == tracks.c.exhibit_id)
        .join(cases, cases.c.id == exhibits.c.case_id, isouter=True)
        .where(within_reach(user, Act.WATCH), tracks.c.best_score >= query.min_score)
        .limit(query.limit)
        .offset(query.offset)
    )
    if query.labels:
        found = found.where(tracks.c.label.in_(query.labels))
    if query.case_id is not None:
        found = found.where(exhibits.c.case_id == query.case_id)
    if query.kind:
        found = found.where(exhibits.c.kind == query.kind)
    starts = CLAIMED + cast(func.make_interval(0, 0, 0, 0, 0, 0, tracks.c.start_s), Interval)
    ends = CLAIMED + cast(func.make_interval(0, 0, 0, 0, 0, 0, tracks.c.end_s), Interval)
    dated = found.where(CLAIMED.is_not(None)).order_by(starts, exhibits.c.id, tracks.c.track_id)
    if query.after is not None:
        dated = dated.where(ends >= query.after)
    if query.before is not None:
        dated = dated.where(starts <= query.before)
    undated = found.where(CLAIMED.is_(None)).order_by(exhibits.c.uploaded_at, exhibits.c.id, tracks.c.track_id)
    return _hits(connection, dated), _hits(connection, undated)


def _hits(connection: Connection, statement: Select[Any]) -> Sequence[Hit]:
    rows = connection.execute(statement).all()
    wanted = {row.exhibit_id for row in rows}
    # Each exhibit once, with its media description, however many tracks of it were found.
    of_id = {
        row.id: exhibit_of(row)
        for row in connection.execute(select(exhibits).where(exhibits.c.id.in_(wanted)) if wanted else _none())
    }
    return [
        Hit(
            track=track_of(row),
            exhibit=of_id[row.exhibit_id],
            case_reference=row.case_reference or "",
            from_time=row.claimed and row.claimed + timedelta(seconds=row.start_s),
            to_time=row.claimed and row.claimed + timedelta(seconds=row.end_s),
        )
        for row in rows
    ]


def _none() -> Select[Any]:
    return select(exhibits).where(false())

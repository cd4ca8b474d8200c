"""Search over tracks, kept to what the person may watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Subquery,
    Text,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
)

from evidence.case import Act, Relation, User, allows
from evidence.clock import micros
from evidence.exhibit import Exhibit, ExhibitId
from storage.index.filmed import Filmed, filmed
from storage.index.moments import SECOND_US
from storage.index.values import Hit, Query, track_of
from storage.rows import AnyRow, exhibit_of
from storage.tables import cases, exhibits, memberships, tracks


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
    reach = within_reach(user, Act.WATCH)
    mine = [reach]
    if query.case_id is not None:
        mine.append(exhibits.c.case_id == query.case_id)
    if query.kind:
        mine.append(exhibits.c.kind == query.kind)
    when = filmed(connection, and_(*mine), reach)
    times = _as_rows(when)
    found = (
        select(tracks, cases.c.reference.label("case_reference"))
        .join(exhibits, exhibits.c.id == tracks.c.exhibit_id)
        .join(cases, cases.c.id == exhibits.c.case_id, isouter=True)
        .where(*mine, tracks.c.best_score >= query.min_score)
        .limit(query.limit)
        .offset(query.offset)
    )
    if query.labels:
        found = found.where(tracks.c.label.in_(query.labels))
    starts, ends = (times.c.start_us + column * SECOND_US for column in (tracks.c.start_s, tracks.c.end_s))
    dated = found.join(times, times.c.id == exhibits.c.id).order_by(starts, exhibits.c.id, tracks.c.track_id)
    if query.after is not None:
        dated = dated.where(ends + times.c.error_us >= micros(query.after))
    if query.before is not None:
        dated = dated.where(starts - times.c.error_us <= micros(query.before))
    undated = found.join(times, times.c.id == exhibits.c.id, isouter=True).where(times.c.id.is_(None))
    undated = undated.order_by(exhibits.c.uploaded_at, exhibits.c.id, tracks.c.track_id)
    return _hits(connection, dated, when), _hits(connection, undated, when)


def _as_rows(when: Mapping[ExhibitId, Filmed]) -> Subquery:
    """The exhibits' starts as a table, for the database to add the tracks' own times to."""
    columns = {
        "id": (Text, list(when)),
        "start_us": (BigInteger, [micros(one.start.utc) for one in when.values()]),
        "error_us": (BigInteger, [round(one.start.error_s * SECOND_US) for one in when.values()]),
    }
    rows = [func.unnest(bindparam(name, values, type_=ARRAY(kind))).label(name) for name, (kind, values) in columns.items()]
    return select(*rows).subquery("times")


def _hits(connection: Connection, statement: Select[Any], when: Mapping[ExhibitId, Filmed]) -> Sequence[Hit]:
    rows = connection.execute(statement).all()
    wanted = {row.exhibit_id for row in rows}
    # Each exhibit once, with its media description, however many tracks of it were found.
    of_id = {
        row.id: exhibit_of(row)
        for row in connection.execute(select(exhibits).where(exhibits.c.id.in_(wanted)) if wanted else _none())
    }
    return [_hit(row, of_id[row.exhibit_id], when.get(row.exhibit_id)) for row in rows]


def _hit(row: AnyRow, exhibit: Exhibit, when: Filmed | None) -> Hit:
    return Hit(
        track=track_of(row),
        exhibit=exhibit,
        case_reference=row.case_reference or "",
        from_time=when.at(row.start_s) if when else None,
        to_time=when.at(row.end_s) if when else None,
        error_s=when.start.error_s if when else None,
        claimed_from=when.claimed_at(row.start_s) if when else "",
        clock=when.clock if when else "",
    )


def _none() -> Select[Any]:
    return select(exhibits).where(false())

"""Which sidecar belongs to which video: found by itself, in the transaction in which one of the two comes or is read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, insert, or_, select, text, update

from evidence.clock import micros
from evidence.exhibit import Exhibit, ExhibitId, FileType
from evidence.places import How
from evidence.steps import SIDECARS, Step, StepState
from storage.database import lock_number
from storage.ledger.graph import AUTOMATIC, again
from storage.place_tables import pairings, telemetry_sources
from storage.rows import exhibit_of
from storage.tables import exhibits, step_runs

_LOCK = lock_number("pairings", "")
_STALE = frozenset({StepState.DONE, StepState.FAILED, StepState.RUNNING})
_SHARE_US = 2
"""A sidecar that covers half of a video, or a video that covers half of a sidecar, belongs to it by time."""


def hold_pairings(connection: Connection) -> None:
    """Wait for other pairings to end. First of all in a transaction that pairs: of two files that come at the same moment
    the second sees the first, and exhibits are locked in no order that another one could cross.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})


def pair_up(connection: Connection, exhibit: Exhibit, now: datetime) -> list[dict[str, Any]]:
    """Pair a sidecar with its videos, or a video with its sidecars; what was paired, for the custody log.

    A pair that a person has parted stays parted. The caller holds `hold_pairings` and the exhibit's row.
    """
    is_sidecar = exhibit.file_type in SIDECARS
    if not is_sidecar and exhibit.file_type is not FileType.VIDEO:
        return []
    others = [exhibit_of(row) for row in connection.execute(_group(exhibit, sidecars=not is_sidecar))]
    paired: list[dict[str, Any]] = []
    for other in others:
        sidecar, video = (exhibit, other) if is_sidecar else (other, exhibit)
        how = _sign(connection, sidecar, video)
        if how is None or _known(connection, sidecar, video):
            continue
        row = {"sidecar_id": sidecar.id, "video_id": video.id, "how": how.value, "active": True}
        connection.execute(insert(pairings).values({**row, "made_by": "system:pairing", "made_at": now}))
        ready = locate_again(connection, {video.id})
        paired.append({**in_words(sidecar, video), "how": how, "ready": ready})
    return paired


def part_strangers(connection: Connection, exhibit: Exhibit) -> None:
    """Forget the pairs with what lies elsewhere now: the exhibit has been filed with a case. They may meet again there."""
    other = exhibits.alias()
    for mine, theirs in (
        (pairings.c.sidecar_id, pairings.c.video_id),
        (pairings.c.video_id, pairings.c.sidecar_id),
    ):
        elsewhere = select(other.c.id).where(other.c.id == theirs, other.c.case_id.is_distinct_from(exhibit.case_id))
        gone = delete(pairings).where(mine == exhibit.id, theirs.in_(elsewhere)).returning(pairings.c.video_id)
        locate_again(connection, {ExhibitId(video) for video in connection.execute(gone).scalars()})


def in_words(sidecar: Exhibit, video: Exhibit) -> dict[str, Any]:
    """Both of a pair, for the custody log."""
    return {
        "sidecar": sidecar.id,
        "sidecar_reference": sidecar.reference,
        "video": video.id,
        "video_reference": video.reference,
    }


def locate_again(
    connection: Connection, exhibit_ids: Collection[ExhibitId], also: Collection[Step] = frozenset()
) -> list[str]:
    """Make LOCATE, and `also` these, of the exhibits ready again where they have run or run; the ids of the exhibits."""
    # Their rows first, as everywhere: a step of theirs that ends at this moment waits, or is waited for.
    connection.execute(select(exhibits.c.id).where(exhibits.c.id.in_(exhibit_ids)).order_by(exhibits.c.id).with_for_update())
    stale = and_(
        step_runs.c.exhibit_id.in_(exhibit_ids),
        step_runs.c.step.in_([step.value for step in {Step.LOCATE, *also}]),
        step_runs.c.requested_by == AUTOMATIC,
        step_runs.c.state.in_([state.value for state in _STALE]),
    )
    made_ready = connection.execute(update(step_runs).where(stale).values(again()).returning(step_runs.c.exhibit_id))
    return sorted({row.exhibit_id for row in made_ready})


def partners(connection: Connection, exhibit: Exhibit) -> set[ExhibitId]:
    """The exhibit itself and the videos that it is a sidecar of."""
    mine = select(pairings.c.video_id).where(pairings.c.sidecar_id == exhibit.id, pairings.c.active)
    return {exhibit.id, *(ExhibitId(found) for found in connection.execute(mine).scalars())}


def _group(exhibit: Exhibit, *, sidecars: bool) -> Select[Any]:
    """Who could belong to it: of the same case, or of the same person's tray under the same claim."""
    wanted = [kind.value for kind in SIDECARS] if sidecars else [FileType.VIDEO.value]
    together: ColumnElement[bool] = exhibits.c.case_id == exhibit.case_id
    if exhibit.case_id is None:
        together = and_(
            exhibits.c.case_id.is_(None),
            exhibits.c.uploaded_by == exhibit.uploaded_by,
            exhibits.c.claimed_case == exhibit.claimed_case,
        )
    return select(exhibits).where(together, exhibits.c.file_type.in_(wanted)).order_by(exhibits.c.uploaded_at, exhibits.c.id)


def _known(connection: Connection, sidecar: Exhibit, video: Exhibit) -> bool:
    this = and_(pairings.c.sidecar_id == sidecar.id, pairings.c.video_id == video.id)
    return connection.execute(select(pairings.c.how).where(this)).first() is not None


def _sign(connection: Connection, sidecar: Exhibit, video: Exhibit) -> How | None:
    """By what the two belong together, the best sign first; None: by nothing."""
    if sidecar.sidecar_for:
        named = sidecar.sidecar_for.casefold() in {video.id.casefold(), video.filename.casefold()}
        return How.NAMED if named else None
    if _stem(sidecar) != _stem(video):
        return _by_time(connection, sidecar, video)
    # Cameras begin to count anew in each folder of a card: a name says nothing there unless the time does.
    apart = _together(sidecar, video) is False
    return How.STEM if not apart or _overlap(connection, sidecar, video) else None


def _together(sidecar: Exhibit, video: Exhibit) -> bool | None:
    """Whether they lay in one folder. Of two senders nobody knows: each names it from his own card."""
    return same_folder(sidecar.folder, video.folder) if sidecar.uploaded_by == video.uploaded_by else None


def same_folder(one: str, other: str) -> bool | None:
    """Whether two files lay in one folder, as their senders say it; None where that isn't known.

    Of one that was sent from further down, `100MEDIA` beside `DCIM/100MEDIA`, it isn't known.
    """
    first, second = _parts(one), _parts(other)
    if not first or not second:
        return None
    if first == second:
        return True
    short = min(len(first), len(second))
    return None if first[-short:] == second[-short:] else False


def _parts(folder: str) -> tuple[str, ...]:
    return tuple(part for part in folder.replace("\\", "/").casefold().split("/") if part not in ("", "."))


def _stem(exhibit: Exhibit) -> str:
    return PurePosixPath(exhibit.filename.replace("\\", "/")).stem.casefold()


def _by_time(connection: Connection, sidecar: Exhibit, video: Exhibit) -> How | None:
    """Both of one person's devices of one kind, not from two folders, the video without a place of its own, and both
    recorded at the same time.
    """
    # Also in one folder the kind counts: all cameras call theirs DCIM/100MEDIA.
    together = _together(sidecar, video)
    if together is False or (sidecar.uploaded_by, sidecar.kind) != (video.uploaded_by, video.kind):
        return None
    if _has_partner(connection, sidecar, video) or _is_placed(connection, video):
        return None
    if not _overlap(connection, sidecar, video):
        return None
    return How.FOLDER if together else How.TIME


def _overlap(connection: Connection, sidecar: Exhibit, video: Exhibit) -> bool:
    """Whether both were recorded at the same time, as their clocks say."""
    start = _start_us(video)
    duration = None if video.media is None else video.media.duration_s
    if start is None or not duration:
        return False
    ends = start + int(duration * 1_000_000)
    known = telemetry_sources.c.clock_first_us.is_not(None)
    mine = select(telemetry_sources).where(
        telemetry_sources.c.exhibit_id == sidecar.id, telemetry_sources.c.placed > 0, known
    )
    for source in connection.execute(mine):
        common = min(ends, source.clock_last_us) - max(start, source.clock_first_us)
        if common * _SHARE_US >= min(ends - start, source.clock_last_us - source.clock_first_us) and common > 0:
            return True
    return False


def _start_us(video: Exhibit) -> int | None:
    claimed = video.captured_at or (video.media.claimed_capture_time if video.media else None)
    return None if claimed is None else micros(claimed)


def _has_partner(connection: Connection, sidecar: Exhibit, video: Exhibit) -> bool:
    """Whether either of them is known to belong to somebody by a better sign."""
    either = or_(pairings.c.sidecar_id == sidecar.id, pairings.c.video_id == video.id)
    better = and_(either, pairings.c.active, pairings.c.how.not_in([how.value for how in How if how.by_time]))
    return connection.execute(select(pairings.c.how).where(better)).first() is not None


def _is_placed(connection: Connection, video: Exhibit) -> bool:
    own = and_(
        telemetry_sources.c.exhibit_id == video.id,
        telemetry_sources.c.carrier_id == video.id,
        telemetry_sources.c.placed > 1,
    )
    return connection.execute(select(telemetry_sources.c.id).where(own)).first() is not None

"""Where a person should look again: doubts as INDEX gives them back, and findings that a person accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence.audit import Verb
from evidence.case import User
from evidence.doubt import Doubt
from evidence.errors import BadInput, Conflict, NotFound
from evidence.exhibit import Exhibit, ExhibitId
from evidence.steps import Step
from storage.ledger.exhibits import locked_exhibit
from storage.ledger.writer import Act, Writer, clean
from storage.rows import AnyRow
from storage.tables import accepted_findings, doubts, outputs

_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class NewDoubts:
    """What doubts.json says. `pts`: of the first and the last frame of each doubt; `share` of the video in any of them."""

    doubts: Sequence[Doubt] = ()
    pts: Sequence[tuple[int, int]] = ()
    time_base: Fraction = Fraction(1)
    share: float = 0.0


def record_doubts(connection: Connection, exhibit: Exhibit, new: NewDoubts) -> None:
    """Put the doubts of this run in the place of an earlier run's."""
    connection.execute(delete(doubts).where(doubts.c.exhibit_id == exhibit.id))
    rows = [
        {
            "exhibit_id": exhibit.id,
            "rank": rank,
            "reason": doubt.reason.value,
            "label": clean(doubt.label),
            "time_base": str(new.time_base),
            "first_pts": first,
            "last_pts": last,
            "first_frame": doubt.first_frame,
            "last_frame": doubt.last_frame,
            "track_ids": list(doubt.tracks),
            "share": new.share,
        }
        for rank, (doubt, (first, last)) in enumerate(zip(new.doubts, new.pts, strict=True), 1)
    ]
    if rows:
        connection.execute(insert(doubts), rows)


class FindingLedger(Writer):
    def accept(self, actor: User, exhibit_id: ExhibitId, run: str, finding: int, reason: str) -> None:
        """A person has looked at a finding of a second look, and takes it for harmless.

        `run`: the REDACT run whose copy it was found in. Raises: NotFound, BadInput without a reason, Conflict when it is
            accepted already.
        """
        words = _reason(reason, "accepting a finding")
        with self._transaction() as (connection, now):
            exhibit = locked_exhibit(connection, exhibit_id)
            copy, found = _found(connection, exhibit, run, finding)
            row = {
                "exhibit_id": exhibit.id,
                "copy_sha256": copy.sha256,
                "finding": finding,
                "reason": words,
                "made_by": actor.name,
                "made_at": now,
            }
            added = upsert(accepted_findings).values(row).on_conflict_do_nothing().returning(accepted_findings.c.finding)
            if connection.execute(added).first() is None:
                raise Conflict("this finding is accepted already")
            details = _details(copy, run, found, words)
            self._log(connection, Act(actor.name, Verb.FINDING_ACCEPTED, exhibit.case_id, exhibit.id, details), now)

    def reopen(self, actor: User, exhibit_id: ExhibitId, run: str, finding: int, reason: str) -> None:
        """A finding that was accepted is open again: its copy can't be released. The log keeps who accepted it, and why.

        Raises: NotFound, BadInput without a reason, Conflict when it isn't accepted.
        """
        words = _reason(reason, "opening a finding again")
        with self._transaction() as (connection, now):
            exhibit = locked_exhibit(connection, exhibit_id)
            copy, found = _found(connection, exhibit, run, finding)
            of = accepted_findings.c
            mine = (of.exhibit_id == exhibit.id) & (of.copy_sha256 == copy.sha256) & (of.finding == finding)
            was = connection.execute(delete(accepted_findings).where(mine).returning(of.made_by, of.reason)).first()
            if was is None:
                raise Conflict("this finding is not accepted, so it is open")
            details = {**_details(copy, run, found, words), "accepted_by": was.made_by, "accepted_because": was.reason}
            self._log(connection, Act(actor.name, Verb.FINDING_REOPENED, exhibit.case_id, exhibit.id, details), now)


def _reason(reason: str, of: str) -> str:
    """Raises: BadInput for none, or one that is too long."""
    words = " ".join(clean(reason).split())
    if not words or len(words) > _LONGEST_REASON:
        raise BadInput(f"{of} needs a reason", hint=f"Say it in at most {_LONGEST_REASON} characters.")
    return words


def _details(copy: AnyRow, run: str, found: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {
        "copy": copy.name,
        "copy_sha256": copy.sha256,
        "run": run,
        "finding": int(found["id"]),
        "label": str(found["label"]),
        "at": dict(found["at"]),
        "reason": reason,
    }


def _found(connection: Connection, exhibit: Exhibit, run: str, finding: int) -> tuple[AnyRow, Mapping[str, Any]]:
    """The copy that this run made, and the finding in its report. Raises: NotFound."""
    mine = (outputs.c.exhibit_id == exhibit.id) & (outputs.c.step_run_id == run) & (outputs.c.step == Step.REDACT.value)
    for copy in connection.execute(select(outputs).where(mine, outputs.c.content_type.startswith("video/"))):
        for one in copy.details.get("report", {}).get("second_look", {}).get("findings", ()):
            if one["id"] == finding:
                return copy, one
    raise NotFound("there is no such finding", hint="The report of the redacted copy lists them.")

"""The only writer. Each method writes its rows *and* its AuditEvent in one transaction, or neither.

ledger.people      users, passwords, sessions, tokens
ledger.cases       cases and their members
ledger.uploads     resumable upload state
ledger.exhibits    registering, filing, locks, what a probe found
ledger.steps       claim, progress, finish, retry, cancel
ledger.findings    what a second look found, and a person accepts
ledger.places      which sidecar belongs to which video, and what a clock is off by
ledger.viewings    who looked at what; acts without rows of their own
"""

from __future__ import annotations

from sqlalchemy import Engine

from evidence.ports import Clock
from storage.ledger.cases import CaseLedger
from storage.ledger.exhibits import ExhibitLedger
from storage.ledger.findings import FindingLedger
from storage.ledger.people import PeopleLedger
from storage.ledger.places import PlaceLedger
from storage.ledger.steps import StepLedger
from storage.ledger.uploads import UploadLedger
from storage.ledger.viewings import ViewingLedger


class Ledger:
    """All of the writer's parts over one engine and one clock."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.people = PeopleLedger(engine, clock)
        self.cases = CaseLedger(engine, clock)
        self.uploads = UploadLedger(engine, clock)
        self.exhibits = ExhibitLedger(engine, clock)
        self.steps = StepLedger(engine, clock)
        self.findings = FindingLedger(engine, clock)
        self.places = PlaceLedger(engine, clock)
        self.viewings = ViewingLedger(engine, clock)

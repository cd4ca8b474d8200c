"""Cases and their members."""

from __future__ import annotations

from evidence.case import Case, CaseId, User, UserId
from storage.ledger.writer import Writer


class CaseLedger(Writer):
    def create(self, actor: User, reference: str, title: str = "") -> Case:
        """A new open case, the maker its first member. Raises: Conflict when the reference is taken, BadInput for an odd one."""
        raise NotImplementedError

    def change(self, actor: User, case_id: CaseId, *, urgent: bool | None = None, closed: bool | None = None) -> Case: ...

    def add_member(self, actor: User, case_id: CaseId, user_id: UserId) -> None: ...

    def remove_member(self, actor: User, case_id: CaseId, user_id: UserId) -> None: ...

"""What the lists of the pages are made of: counts that leak nothing, and a log that can be read from its end."""

from __future__ import annotations

import pytest

from evidence.case import Role
from storage.index import Index
from tests.factories import Factory


def test_counts_are_of_what_a_person_may_see(index: Index, make: Factory) -> None:
    investigator, officer, stranger = make.user(), make.user(Role.OFFICER), make.user()
    case = make.case(investigator, "OP1/26", officer)
    other = make.case(stranger, "OP2/26")
    for uploader, of in ((investigator, case), (officer, case), (officer, other), (officer, None)):
        make.exhibit(uploader, of)
    assert index.exhibit_counts(investigator) == {case.id: 2}
    assert index.exhibit_counts(stranger) == {other.id: 1}
    assert index.exhibit_counts(officer) == {case.id: 1, other.id: 1}
    assert index.exhibit_counts(make.user(Role.AUDITOR)) == {}


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_the_log_of_a_case_read_from_its_end(index: Index, make: Factory, limit: int) -> None:
    investigator = make.user()
    case = make.case(investigator)
    for _ in range(3):
        make.exhibit(investigator, case)
    whole = index.audit_of_case(case.id)
    read, before = [], whole[-1].number + 1
    while events := index.audit_of_case(case.id, before=before, limit=limit):
        read, before = [*events, *read], events[0].number
    assert read == list(whole)

"""Who may do what: the whole table, cell by cell, and deny by default."""

from __future__ import annotations

import pytest

from evidence.case import Act, Relation, Role, User, UserId, allows

N, O, M = Relation.NONE, Relation.OWN, Relation.MEMBER  # noqa: E741


def _user(role: Role, *, disabled: bool = False) -> User:
    return User(UserId("u"), "name", "Ann Bee-Cee", role, disabled)


@pytest.mark.parametrize("role", Role)
def test_nobody_sees_footage_of_a_case_he_stands_in_no_relation_to(role: Role) -> None:
    for act in (Act.WATCH, Act.SEE_EXHIBIT, Act.PROCESS, Act.EXPORT):
        assert not allows(_user(role), act, frozenset({N}))


def test_an_auditor_reads_logs_and_no_media_even_as_a_member() -> None:
    auditor = _user(Role.AUDITOR)
    assert allows(auditor, Act.SEE_AUDIT, frozenset({N}))
    for act in (Act.WATCH, Act.SEE_EXHIBIT, Act.PROCESS, Act.EXPORT, Act.UPLOAD, Act.MANAGE_CASE):
        assert not allows(auditor, act, frozenset({N, M}))


def test_an_officer_uploads_anywhere_and_sees_only_his_own() -> None:
    officer = _user(Role.OFFICER)
    assert allows(officer, Act.UPLOAD)
    assert allows(officer, Act.WATCH, frozenset({O}))
    assert not allows(officer, Act.WATCH, frozenset({M}))
    assert not allows(officer, Act.PROCESS, frozenset({O, M}))
    assert not allows(officer, Act.CREATE_CASE)


def test_being_administrator_opens_no_case() -> None:
    admin = _user(Role.ADMIN)
    assert allows(admin, Act.MANAGE_USERS)
    assert not allows(admin, Act.SEE_CASE)
    assert not allows(admin, Act.WATCH)
    assert not any(allows(_user(role), Act.MANAGE_USERS) for role in Role if role is not Role.ADMIN)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("act", Act)
def test_a_disabled_user_may_do_nothing(role: Role, act: Act) -> None:
    assert not allows(_user(role, disabled=True), act, frozenset({N, O, M}))


def test_initials_are_letters_of_the_name_people_use() -> None:
    assert _user(Role.OFFICER).initials == "ABC"
    assert User(UserId("u"), "pc1234", "", Role.OFFICER).initials == "PC"

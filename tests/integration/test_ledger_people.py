"""Users, passwords, sessions, tokens: through the real ledger on a real database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher, extract_parameters
from sqlalchemy import select

from evidence.audit import Verb
from evidence.case import Role
from evidence.errors import BadInput, Busy, Conflict, NotAllowed, NotFound
from storage.index import Index
from storage.ledger import Ledger, people
from storage.ledger.people import Sender
from storage.open import Storage
from storage.tables import sessions, tokens, users
from tests.conftest import FixedClock
from tests.factories import PASSWORD, Factory


def verbs(index: Index) -> list[Verb]:
    return [event.verb for event in index.audit_events()]


def test_passwords_are_argon2id_as_rfc_9106_wants(monkeypatch: pytest.MonkeyPatch, make: Factory, storage: Storage) -> None:
    monkeypatch.setattr(people, "_hasher", PasswordHasher())
    user = make.user()
    with storage.engine.connect() as connection:
        stored = connection.execute(select(users.c.password_hash).where(users.c.id == user.id)).scalar_one()
    assert stored.startswith("$argon2id$")
    parameters = extract_parameters(stored)
    assert parameters.memory_cost >= 64 * 1024
    assert parameters.time_cost >= 3


def test_the_first_administrator_is_made_once(ledger: Ledger, index: Index) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = [found for found in pool.map(lambda _: ledger.people.first_admin(), range(4)) if found is not None]
    assert len(made) == 1
    user, password = made[0]
    assert user.role is Role.ADMIN
    assert user.must_change_password
    assert len(password) >= 16
    _, signed_in = ledger.people.sign_in(user.name, password, hours=1, tries=5)
    assert signed_in.user == user
    assert verbs(index) == [Verb.USER_ADDED, Verb.SIGNED_IN]
    assert password not in str(list(index.audit_json()))


@pytest.mark.parametrize("name", ["", " ", "a b", "system:x", "Ä", "a" * 65, "../x", "<b>"])
def test_an_odd_name_is_refused(ledger: Ledger, name: str) -> None:
    with pytest.raises(BadInput):
        ledger.people.add_user("admin", name, "X", Role.OFFICER, PASSWORD)


def test_a_name_is_taken_in_every_spelling(ledger: Ledger, make: Factory, index: Index) -> None:
    make.user(name="PC.Smith")
    with pytest.raises(Conflict):
        make.user(name="pc.smith")
    assert index.user_by_name("Pc.SMITH").name == "pc.smith"


def test_a_short_password_is_refused(ledger: Ledger, make: Factory) -> None:
    make.user(name="pc.smith")
    with pytest.raises(BadInput):
        ledger.people.set_password("pc.smith", "pc.smith", "elevenchars", must_change=False)
    with pytest.raises(BadInput):
        ledger.people.add_user("admin", "other", "X", Role.OFFICER, "x" * 1025)


def test_signing_in_and_out(ledger: Ledger, make: Factory, index: Index, storage: Storage) -> None:
    user = make.user()
    token, signed_in = ledger.people.sign_in(user.name.upper(), PASSWORD, hours=10, tries=5)
    assert ledger.people.by_session(token) == signed_in
    assert signed_in.csrf
    assert ledger.people.by_session(signed_in.session) is None
    assert ledger.people.by_token(token) is None
    with storage.engine.connect() as connection:
        assert token not in str(connection.execute(select(sessions)).all())
    ledger.people.sign_out(token)
    ledger.people.sign_out(token)
    assert ledger.people.by_session(token) is None
    assert verbs(index) == [Verb.USER_ADDED, Verb.SIGNED_IN, Verb.SIGNED_OUT]


def test_a_session_ends_by_itself(ledger: Ledger, make: Factory, clock: FixedClock) -> None:
    token, _ = ledger.people.sign_in(make.user().name, PASSWORD, hours=10, tries=5)
    clock.advance(hours=9, minutes=59)
    assert ledger.people.by_session(token)
    clock.advance(minutes=2)
    assert ledger.people.by_session(token) is None


def test_wrong_name_and_wrong_password_look_the_same_and_are_logged(ledger: Ledger, make: Factory, index: Index) -> None:
    user = make.user()
    said = set()
    for name, password in ((user.name, "wrong password"), ("no.body", PASSWORD), ("x" * 500 + "\x00", PASSWORD)):
        with pytest.raises(NotAllowed) as refused:
            ledger.people.sign_in(name, password, hours=1, tries=5)
        said.add((str(refused.value), refused.value.hint))
    assert len(said) == 1
    failures = [event.details for event in index.audit_events() if event.verb is Verb.SIGN_IN_FAILED]
    assert failures == [{"user": user.name}, {"user": None}, {"user": None}]


def test_a_name_that_failed_too_often_must_wait(ledger: Ledger, make: Factory, clock: FixedClock) -> None:
    user, other = make.user(), make.user()
    for _ in range(3):
        with pytest.raises(NotAllowed):
            ledger.people.sign_in(user.name, "wrong password", hours=1, tries=3)
    with pytest.raises(Busy):
        ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=3)
    ledger.people.sign_in(other.name, PASSWORD, hours=1, tries=3)
    clock.advance(minutes=16)
    ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=3)


def test_an_address_that_failed_too_often_must_wait_whatever_names_it_tries(
    ledger: Ledger, make: Factory, clock: FixedClock
) -> None:
    user, here, elsewhere = make.user(), Sender("10.0.0.7", 4), Sender("10.0.0.8", 4)
    for n in range(3):
        with pytest.raises(NotAllowed):
            ledger.people.sign_in(f"no.body{n}", "wrong password", hours=1, tries=9, sender=here)
    for _ in range(3):
        ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=9, sender=here)
    for name in ("no.body", "FROM 10.0.0.8", "from 10.0.0.8", "from 10.0.0.8", "from 10.0.0.8"):
        with pytest.raises((NotAllowed, Busy)):
            ledger.people.sign_in(name, "wrong password", hours=1, tries=9, sender=here)
    with pytest.raises(Busy, match="from this address"):
        ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=9, sender=here)
    ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=9, sender=elsewhere)
    ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=9)
    clock.advance(minutes=16)
    ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=9, sender=here)


def test_many_guesses_at_once_cannot_outrun_the_limit(ledger: Ledger, make: Factory) -> None:
    user = make.user()

    def guess(n: int) -> type[Exception]:
        with pytest.raises((NotAllowed, Busy)) as refused:
            ledger.people.sign_in(user.name, f"wrong password {n}", hours=1, tries=3)
        return refused.type

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(guess, range(12)))
    assert outcomes.count(NotAllowed) == 3


def test_a_right_password_clears_the_count(ledger: Ledger, make: Factory) -> None:
    user = make.user()
    for _ in range(3):
        with pytest.raises(NotAllowed):
            ledger.people.sign_in(user.name, "wrong password", hours=1, tries=4)
        ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=4)


def test_a_disabled_user_is_out_at_once(ledger: Ledger, make: Factory, index: Index) -> None:
    user = make.user()
    session, _ = ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=5)
    token = ledger.people.create_token("admin", user.name, "phone")
    ledger.people.disable("admin", user.name)
    assert ledger.people.by_session(session) is None
    assert ledger.people.by_token(token) is None
    with pytest.raises(NotAllowed):
        ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=5)
    with pytest.raises(Conflict):
        ledger.people.create_token("admin", user.name, "again")
    assert index.user(user.id).disabled


def test_the_last_administrator_stays(ledger: Ledger, make: Factory) -> None:
    first, second = make.user(Role.ADMIN), make.user(Role.ADMIN)
    ledger.people.disable("x", first.name)
    with pytest.raises(Conflict):
        ledger.people.disable("x", second.name)
    with pytest.raises(NotFound):
        ledger.people.disable("x", "no.body")


def test_two_administrators_cannot_disable_each_other_at_once(ledger: Ledger, make: Factory, index: Index) -> None:
    admins = [make.user(Role.ADMIN), make.user(Role.ADMIN)]

    def disable(name: str) -> bool:
        try:
            ledger.people.disable("x", name)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(disable, [admin.name for admin in admins])) == [False, True]
    assert [user.disabled for user in index.users()].count(True) == 1


def test_a_new_password_by_somebody_else_ends_sessions_and_tokens(ledger: Ledger, make: Factory) -> None:
    user = make.user()
    first, held = ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=5)
    second, _ = ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=5)
    ledger.people.set_password(user.name, user.name, "a new password", must_change=False, keep_session=held.session)
    assert ledger.people.by_session(first)
    assert ledger.people.by_session(second) is None
    token = ledger.people.create_token("admin", user.name, "watch folder")
    ledger.people.set_password(user.name, user.name, "a newer password", must_change=False, keep_session=held.session)
    assert ledger.people.by_token(token)
    ledger.people.set_password("admin", user.name, "another password", must_change=True)
    assert ledger.people.by_session(first) is None
    assert ledger.people.by_token(token) is None
    _, signed_in = ledger.people.sign_in(user.name, "another password", hours=1, tries=5)
    assert signed_in.user.must_change_password


def test_tokens(ledger: Ledger, make: Factory, clock: FixedClock, storage: Storage) -> None:
    user = make.user()
    token = ledger.people.create_token("admin", user.name, "watch folder", days=30)
    signed_in = ledger.people.by_token(token)
    assert signed_in is not None
    assert signed_in.user == user
    assert signed_in.csrf == ""
    assert ledger.people.by_session(token) is None
    with storage.engine.connect() as connection:
        assert token not in str(connection.execute(select(tokens)).all())
    clock.advance(days=31)
    assert ledger.people.by_token(token) is None
    with pytest.raises(BadInput):
        ledger.people.create_token("admin", user.name, "for ever", days=0)
    with pytest.raises(NotFound):
        ledger.people.create_token("admin", "no.body", "x")


def test_a_weaker_hash_is_made_anew_at_sign_in(
    monkeypatch: pytest.MonkeyPatch, ledger: Ledger, make: Factory, storage: Storage
) -> None:
    user = make.user()
    monkeypatch.setattr(people, "_hasher", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=5)
    with storage.engine.connect() as connection:
        stored = connection.execute(select(users.c.password_hash).where(users.c.id == user.id)).scalar_one()
    assert extract_parameters(stored).memory_cost == 16
    ledger.people.sign_in(user.name, PASSWORD, hours=1, tries=5)

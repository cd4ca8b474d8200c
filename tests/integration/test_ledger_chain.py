"""The custody log: nobody can rewrite it, and what somebody does behind its back is found."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import rfc8785
from psycopg import errors
from sqlalchemy import make_url
from typer import Exit

from casefile import verify
from cli.verify import verify as verify_command
from config.settings import Settings
from evidence.audit import Verb, verify_chain
from evidence.errors import ChainBroken, Conflict, DatabaseDown, WrongSchema
from storage import keys
from storage.heads import note_head, noted_heads
from storage.index import Index
from storage.ledger import Ledger
from storage.migrate import migrate, migrate_database
from storage.objects import MinioStore
from storage.open import Storage, open_storage
from tests.factories import Factory


def connect(url: str) -> psycopg.Connection:
    address = make_url(url)
    return psycopg.connect(host=str(address.query["host"]), user=address.username, dbname=address.database, autocommit=True)


@pytest.fixture
def as_app(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings.app_database_url) as connection:
        yield connection


@pytest.fixture
def as_owner(owner_url: str) -> Iterator[psycopg.Connection]:
    with connect(owner_url) as connection:
        yield connection


def write(ledger: Ledger, events: int) -> None:
    for n in range(events):
        ledger.viewings.record("pc.test", Verb.SEARCHED, details={"n": n, "text": 'Zoë said "no" \u2028 \x00'})


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'somebody else'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "DROP TABLE audit",
        "ALTER TABLE audit ADD COLUMN x int",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "CREATE TABLE mine (x int)",
        "UPDATE alembic_version SET version_num = '9'",
        "GRANT UPDATE ON audit TO exhibit_app; UPDATE audit SET actor = 'x'",
        "SET ROLE postgres",
        "CREATE ROLE another SUPERUSER",
    ],
)
def test_the_application_role_cannot_rewrite_the_log(ledger: Ledger, as_app: psycopg.Connection, statement: str) -> None:
    write(ledger, 2)
    before = as_app.execute("SELECT * FROM audit").fetchall()
    with pytest.raises(errors.InsufficientPrivilege):
        as_app.execute(statement)
    assert as_app.execute("SELECT * FROM audit").fetchall() == before


def test_the_application_role_owns_nothing(as_app: psycopg.Connection) -> None:
    owned = as_app.execute("SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user").fetchall()
    assert owned == []


def test_a_log_that_is_whole_verifies_both_ways(ledger: Ledger, index: Index, make: Factory) -> None:
    make.exhibit(make.user(), make.case())
    write(ledger, 5)
    count = verify_chain(index.audit_events(), rfc8785.dumps)
    checked = verify.verify_log(index.audit_json())
    assert checked.ok
    assert checked.events == count == index.audit_head()[0]
    assert checked.head == index.audit_head()[1]


@pytest.mark.parametrize(
    ("change", "first_bad"),
    [
        ("UPDATE audit SET actor = 'pc.tess' WHERE number = 3", 3),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE number = 3", 3),
        ("UPDATE audit SET verb = 'was here' WHERE number = 3", 3),
        ("UPDATE audit SET case_id = 'x' WHERE number = 3", 3),
        ("UPDATE audit SET details = jsonb_set(details, '{n}', '1.5') WHERE number = 3", 3),
        ("UPDATE audit SET details = '{}' WHERE number = 3", 3),
        ("UPDATE audit SET hash = previous WHERE number = 3", 3),
        ("DELETE FROM audit WHERE number = 3", 3),
        ("DELETE FROM audit WHERE number = 1", 1),
        ("UPDATE audit SET number = 99 WHERE number = 3", 3),
    ],
)
def test_a_change_behind_its_back_is_found_and_named(
    ledger: Ledger, index: Index, as_owner: psycopg.Connection, change: str, first_bad: int
) -> None:
    write(ledger, 5)
    as_owner.execute(change)
    checked = verify.verify_log(index.audit_json())
    assert not checked.ok
    assert checked.first_bad == first_bad


def test_the_core_names_the_first_bad_event_too(ledger: Ledger, index: Index, as_owner: psycopg.Connection) -> None:
    write(ledger, 5)
    as_owner.execute("UPDATE audit SET actor = 'x' WHERE number = 4")
    with pytest.raises(ChainBroken, match="event 4 "):
        verify_chain(index.audit_events(), rfc8785.dumps)


def test_a_tail_that_was_cut_off_shows_only_against_a_head_kept_elsewhere(
    ledger: Ledger, index: Index, as_owner: psycopg.Connection
) -> None:
    write(ledger, 5)
    kept = index.audit_head()
    as_owner.execute("DELETE FROM audit WHERE number > 3")
    assert verify.verify_log(index.audit_json()).ok
    assert index.audit_head()[0] < kept[0]


def test_many_writers_leave_no_gap(ledger: Ledger, index: Index) -> None:
    threads = [threading.Thread(target=write, args=(ledger, 25)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify_chain(index.audit_events(), rfc8785.dumps) == 200


def test_rows_and_event_are_written_together_or_not_at_all(
    ledger: Ledger, index: Index, make: Factory, as_owner: psycopg.Connection
) -> None:
    user = make.user()
    before = index.audit_head()
    as_owner.execute("REVOKE INSERT ON audit FROM exhibit_app")
    with pytest.raises(Exception, match="permission denied"):
        ledger.cases.create(user, "OP1")
    assert index.cases_for(user) == []
    assert index.audit_head() == before


def test_migrate_can_be_run_again(settings: Settings, ledger: Ledger, index: Index) -> None:
    write(ledger, 2)
    migrate(settings)
    migrate(settings)
    assert index.audit_head()[0] == 2


def test_a_program_refuses_a_schema_that_is_not_its_own(settings: Settings, as_owner: psycopg.Connection) -> None:
    as_owner.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(WrongSchema, match="exhibit migrate"):
        open_storage(settings)
    as_owner.execute("DROP TABLE alembic_version")
    with pytest.raises(WrongSchema, match="exhibit migrate"):
        open_storage(settings)


def test_a_role_that_could_rewrite_the_log_is_refused(settings: Settings, owner_url: str) -> None:
    with pytest.raises(WrongSchema, match="could rewrite"):
        open_storage(settings.model_copy(update={"app_database_url": owner_url}))
    with pytest.raises(Exception, match="must not connect as the owner"):
        migrate_database(owner_url, owner_url)


def test_a_database_that_is_not_there_is_said_so(settings: Settings) -> None:
    gone = settings.app_database_url.replace("host=", "host=%2Fnowhere")
    with pytest.raises(DatabaseDown):
        open_storage(settings.model_copy(update={"app_database_url": gone}))


def test_heads_noted_in_the_store_show_a_tail_that_was_cut_off(
    ledger: Ledger, index: Index, storage: Storage, as_owner: psycopg.Connection
) -> None:
    def note() -> bool:
        return note_head(index, storage.store, datetime.now(UTC) + timedelta(days=1))

    assert not note()
    write(ledger, 3)
    assert note()
    assert not note()
    write(ledger, 2)
    assert note()
    assert [number for number, _ in noted_heads(storage.store)] == [3, 5]
    as_owner.execute("DELETE FROM audit WHERE number > 4")
    held = {(event["number"], event["hash"]) for event in index.audit_json()}
    assert [head in held for head in noted_heads(storage.store)] == [True, False]


@pytest.mark.minio
def test_a_noted_head_is_locked_where_the_store_can(ledger: Ledger, index: Index, minio_store: MinioStore) -> None:
    write(ledger, 1)
    assert note_head(index, minio_store, datetime.now(UTC) + timedelta(days=1))
    assert not note_head(index, minio_store, datetime.now(UTC) + timedelta(days=1))
    assert list(noted_heads(minio_store)) == [index.audit_head()]
    (key,) = minio_store.list_keys("originals/")
    with pytest.raises(Conflict):
        minio_store.delete(key)
    write(ledger, 1)
    key = keys.log_head(*index.audit_head())
    version = minio_store.put_bytes(key, b"").version_id
    assert note_head(index, minio_store, datetime.now(UTC) + timedelta(days=1)), "whoever put it died before the lock"
    assert minio_store.read_lock(key, version) is not None


def test_verify_log_tells_a_cut_tail_from_a_whole_log(
    ledger: Ledger,
    index: Index,
    storage: Storage,
    settings: Settings,
    as_owner: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("app_database_url", "redis_url"):
        monkeypatch.setenv(f"EXHIBIT_{name.upper()}", getattr(settings, name))
    write(ledger, 5)
    note_head(index, storage.store, datetime.now(UTC))

    def said() -> tuple[int, str]:
        with pytest.raises(Exit) as ended:
            verify_command(log=True, data=settings.data_dir)
        return ended.value.exit_code, capsys.readouterr().out

    code, text = said()
    assert (code, "true, 5 events" in text) == (0, True)
    as_owner.execute("DELETE FROM audit WHERE number = 5")
    code, text = said()
    assert (code, "event 5 was noted" in text) == (1, True)
    as_owner.execute("UPDATE audit SET verb = 'was here' WHERE number = 2")
    code, text = said()
    assert (code, "event 2" in text) == (1, True)

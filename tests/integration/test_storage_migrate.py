"""The migrations make exactly the tables that the program works with, and the role that it works as."""

from __future__ import annotations

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, make_url, text

from config.settings import Settings
from evidence.errors import BadInput, DatabaseDown, Unavailable
from storage import migrate
from storage.migrations import HEAD
from storage.open import open_storage, opened
from storage.place_tables import append_only, taken_back
from storage.tables import metadata


def test_the_newest_version_is_the_one_the_program_names() -> None:
    assert ScriptDirectory(str(migrate._FOLDER)).get_heads() == [HEAD]


def test_the_migrations_make_the_tables_as_they_are_written_down(owner_url: str) -> None:
    engine = create_engine(owner_url, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("missing", ["database_url", "app_database_url"])
def test_both_addresses_are_needed(settings: Settings, missing: str) -> None:
    with pytest.raises(BadInput, match=missing):
        migrate.migrate(settings.model_copy(update={missing: ""}))


def test_an_application_address_that_is_missing_is_said_so(settings: Settings) -> None:
    with pytest.raises(BadInput, match="app_database_url"):
        open_storage(settings.model_copy(update={"app_database_url": ""}))
    with pytest.raises(BadInput, match="can't be understood"):
        open_storage(settings.model_copy(update={"app_database_url": "not an address"}))


def test_a_plain_postgresql_address_works(settings: Settings) -> None:
    plain = settings.app_database_url.replace("postgresql+psycopg://", "postgresql://")
    with opened(settings.model_copy(update={"app_database_url": plain})) as storage:
        assert storage.index.users() == []


def test_another_role_with_a_password_is_made(settings: Settings, owner_url: str) -> None:
    app = make_url(owner_url).set(username="another app", password="it's 100% :secret")
    url = app.render_as_string(hide_password=False)
    try:
        migrate.migrate_database(owner_url, url)
        migrate.migrate_database(owner_url, url)
        with opened(settings.model_copy(update={"app_database_url": url})) as storage:
            assert storage.ledger.people.first_admin() is not None
        with psycopg.connect(host=str(app.query["host"]), user="postgres", dbname=app.database) as connection:
            row = connection.execute(
                "SELECT rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolpassword LIKE 'SCRAM%%'"
                " FROM pg_authid WHERE rolname = 'another app'"
            ).fetchone()
            assert row == (False, False, False, True, True)
    finally:
        with psycopg.connect(host=str(app.query["host"]), user="postgres", dbname=app.database) as connection:
            connection.execute('DROP OWNED BY "another app"')
            connection.execute('DROP ROLE "another app"')


def test_an_owner_that_may_not_is_said_so_and_nothing_is_changed(settings: Settings) -> None:
    app = make_url(settings.app_database_url).set(username="somebody")
    with pytest.raises(Unavailable, match="migration failed"):
        migrate.migrate_database(settings.app_database_url, app.render_as_string())
    with opened(settings) as storage:
        assert storage.index.users() == []


def test_a_database_that_is_away_is_said_so(settings: Settings) -> None:
    with pytest.raises(DatabaseDown):
        migrate.migrate(settings.model_copy(update={"database_url": "postgresql://postgres@127.0.0.1:1/none"}))


def test_what_is_only_added_to_cannot_be_changed_by_the_application(settings: Settings) -> None:
    with opened(settings) as storage, storage.engine.connect() as connection:
        away = {table.name for table in taken_back}
        for table in ("audit", *(table.name for table in append_only), *away):
            asked = [f"has_table_privilege('{table}', '{right}')" for right in ("SELECT", "INSERT", "UPDATE", "DELETE")]
            rights = connection.execute(text(f"SELECT {', '.join(asked)}")).one()
            assert tuple(rights) == (True, True, False, table in away), table

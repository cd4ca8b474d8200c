"""Bring database and store to what this release needs: tables, the application's role, buckets."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from config.settings import Settings
from evidence.errors import BadInput, Unavailable
from storage.database import lock_number, open_engine, translated
from storage.migrations import HEAD
from storage.open import open_store
from storage.place_tables import append_only, taken_back
from storage.tables import audit, metadata

_FOLDER = Path(__file__).with_name("migrations")


def migrate(settings: Settings) -> str:
    """Tables at this release's version, the application's role with its rights, store ready; the version.

    Running it again changes nothing. Two at once wait for each other.

    Raises: BadInput when the owner's address isn't configured, DatabaseDown, Unavailable, StoreDown.
    """
    migrate_database(settings.database_url, settings.app_database_url)
    open_store(settings).prepare()
    return HEAD


def migrate_database(owner_url: str, app_url: str) -> None:
    if not owner_url or not app_url:
        missing = "database_url" if not owner_url else "app_database_url"
        raise BadInput(
            f"setting {missing} is empty: migrations need the owner's address and the application's",
            hint="Set both, or neither for the embedded database; docs/operations.md shows how.",
        )
    pooled = open_engine(owner_url)
    engine = create_engine(pooled.url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    app = make_url(app_url)
    if app.username is None or app.username == engine.url.username:
        raise BadInput(
            "the application must not connect as the owner of the tables",
            hint="Give app_database_url a user of its own, for example exhibit_app; exhibit migrate makes it.",
        )
    try:
        with translated(), engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": lock_number("migrate", "")})
            _run_versions(connection)
            _make_role(connection, app)
            _grant(connection, app.username)
    except DBAPIError as exc:
        raise Unavailable(
            f"the migration failed: {str(exc.orig).strip()}",
            hint="Nothing was changed. The owner's role must be allowed to create tables and roles.",
        ) from exc
    finally:
        engine.dispose()


def _run_versions(connection: Connection) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, HEAD)


def _make_role(connection: Connection, app: URL) -> None:
    """A role that may sign in and owns nothing, with the password of its address where that has one."""
    quote = connection.dialect.identifier_preparer.quote
    role = quote(app.username or "")
    exists = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": app.username}).scalar()
    if not exists:
        connection.execute(text(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT"))
    if app.password and not exists:
        # A role's password can't be a bound parameter: let the server quote it.
        literal = connection.execute(text("SELECT quote_literal(:p)"), {"p": str(app.password)}).scalar_one()
        connection.exec_driver_sql(f"ALTER ROLE {role} PASSWORD {literal}".replace("%", "%%"))


def _grant(connection: Connection, role_name: str) -> None:
    """All that the application needs and no more: it may add to the custody log and the like, never change them."""
    quote = connection.dialect.identifier_preparer.quote
    role = quote(role_name)
    schema = quote(connection.execute(text("SELECT current_schema()")).scalar_one())
    statements = [
        f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
        f"GRANT SELECT ON alembic_version TO {role}",
        *(f"GRANT SELECT, INSERT ON {table.name} TO {role}" for table in (audit, *append_only)),
        *(f"GRANT SELECT, INSERT, DELETE ON {table.name} TO {role}" for table in taken_back),
    ]
    statements += [
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.name} TO {role}"
        for table in metadata.sorted_tables
        if table not in (audit, *append_only, *taken_back)
    ]
    for statement in statements:
        connection.execute(text(statement))

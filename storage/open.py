"""Open the stores that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine

from config.settings import Settings
from evidence.errors import BadInput, ExhibitError
from evidence.ports import Clock, ObjectStore
from storage.database import check_schema, open_engine
from storage.folder import FolderStore
from storage.index import Index
from storage.ledger import Ledger


class SystemClock:
    """This machine's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Storage:
    ledger: Ledger
    index: Index
    store: ObjectStore
    engine: Engine

    def close(self) -> None:
        """Give the connections back; a process that ends need not."""
        self.engine.dispose()


def open_store(settings: Settings) -> ObjectStore:
    if settings.store == "folder":
        return FolderStore(settings.data_dir / "store")
    # The SDK is only loaded where it is used.
    from storage.objects import open_minio

    return open_minio(settings)


def open_storage(settings: Settings, *, clock: Clock | None = None) -> Storage:
    """Connect as the application role. Raises: DatabaseDown, WrongSchema, StoreDown."""
    if not settings.app_database_url:
        raise BadInput(
            "setting app_database_url is empty", hint="Set it, or let the embedded database run (exhibit up does)."
        )
    engine = open_engine(settings.app_database_url)
    try:
        check_schema(engine)
    except ExhibitError:
        engine.dispose()
        raise
    return Storage(Ledger(engine, clock or SystemClock()), Index(engine), open_store(settings), engine)


@contextmanager
def opened(settings: Settings, *, clock: Clock | None = None) -> Iterator[Storage]:
    """`open_storage` for the length of a block."""
    storage = open_storage(settings, clock=clock)
    try:
        yield storage
    finally:
        storage.close()

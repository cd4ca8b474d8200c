"""Fixtures on real servers. Each pytest process (each xdist worker) starts its own, once, on first use.

    clock          a FixedClock: 2026-03-02 09:00 UTC, moved with `clock.advance(seconds=…)`
    settings       Settings: a fresh database (copy of a migrated template), a flushed Valkey, a folder store in tmp_path
    storage        `open_storage(settings)` as the application role, with `clock`; closed after the test
    ledger, index  of `storage`
    owner_url      the address of the same database for the owner of its tables (migrations, tampering)
    valkey_url     a real Valkey, empty
    folder_store   a prepared FolderStore in tmp_path
    minio          a running MinIO server: endpoint, access_key, secret_key
    minio_settings `settings` with store = minio, and buckets of this test's own, prepared
    minio_store    a prepared MinioStore in buckets of this test's own
    server_folder  a folder for embedded servers (pytest closes its own folders to the account PostgreSQL runs as under root)
    make           factories: `make.user(…)`, `make.case(…)`, `make.exhibit(…)` through the real ledger (tests/factories.py)

`fast_passwords` is automatic: real argon2id, with parameters that take no time.
Where CI is set, a missing service is a failure, not a skip.
"""

from __future__ import annotations

import itertools
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from argon2 import PasswordHasher

from config.settings import Settings, load
from storage import embedded, servers
from storage.folder import FolderStore
from storage.index import Index
from storage.ledger import Ledger, people
from storage.minio_server import Server
from storage.objects import MinioStore, open_minio
from storage.open import Storage, open_storage
from tests.factories import Factory
from tests.services import Services, running_minio, running_services

_numbers = itertools.count(1)


class FixedClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, **by: float) -> None:
        self._now += timedelta(**by)


@pytest.fixture(scope="session", autouse=True)
def fast_passwords() -> Iterator[None]:
    """Only in this process: servers that a test starts hash as they do in earnest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with running_services() as started:
        yield started


@pytest.fixture(scope="session")
def minio() -> Iterator[Server]:
    with running_minio() as server:
        yield server


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def valkey_url(services: Services) -> str:
    with redis.Redis.from_url(services.redis_url) as client:
        client.flushall()
    return services.redis_url


@pytest.fixture
def database(services: Services) -> Iterator[str]:
    """The name of a database of this test's own."""
    name = f"test_{next(_numbers)}"
    services.postgres.create(name)
    yield name
    services.postgres.drop(name)


@pytest.fixture
def owner_url(services: Services, database: str) -> str:
    return services.postgres.address(servers.OWNER, database)


@pytest.fixture
def settings(services: Services, database: str, owner_url: str, valkey_url: str, tmp_path: Path) -> Settings:
    given = {
        "data_dir": tmp_path / "data",
        "database_url": owner_url,
        "app_database_url": services.postgres.address(embedded.APP_ROLE, database),
        "redis_url": valkey_url,
        "port": 0,
    }
    loaded = load(given, {})
    FolderStore(loaded.data_dir / "store").prepare()
    return loaded


@pytest.fixture
def storage(settings: Settings, clock: FixedClock) -> Iterator[Storage]:
    opened = open_storage(settings, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def ledger(storage: Storage) -> Ledger:
    return storage.ledger


@pytest.fixture
def index(storage: Storage) -> Index:
    return storage.index


@pytest.fixture
def make(storage: Storage) -> Factory:
    return Factory(storage)


@pytest.fixture
def server_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="exhibit-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder_store(tmp_path: Path) -> FolderStore:
    store = FolderStore(tmp_path / "store")
    store.prepare()
    return store


@pytest.fixture
def minio_settings(settings: Settings, minio: Server) -> Settings:
    changed = settings.model_copy(
        update={
            "store": "minio",
            "minio_endpoint": minio.endpoint,
            "minio_access_key": minio.access_key,
            "minio_secret_key": minio.secret_key,
            "minio_bucket": f"test-{secrets.token_hex(6)}",
        }
    )
    open_minio(changed).prepare()
    return changed


@pytest.fixture
def minio_store(minio: Server) -> MinioStore:
    """Needs no database."""
    given = {
        "store": "minio",
        "minio_endpoint": minio.endpoint,
        "minio_access_key": minio.access_key,
        "minio_secret_key": minio.secret_key,
        "minio_bucket": f"test-{secrets.token_hex(6)}",
    }
    store = open_minio(load(given, {}))
    store.prepare()
    return store

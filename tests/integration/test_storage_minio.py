"""What only MinIO has to care about: locks that don't hold, wrong keys, a server that is away."""

from __future__ import annotations

import io
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from minio import Minio
from minio.commonconfig import GOVERNANCE
from minio.retention import Retention

from config.settings import Settings, load
from evidence.errors import BadInput, Conflict, ExhibitError, NotFound, StoreDown, Unavailable
from storage import minio_server
from storage.minio_server import Server
from storage.objects import MinioStore, open_minio
from storage.open import open_store

pytestmark = pytest.mark.minio


def settings_for(server: Server, **other: object) -> Settings:
    given = {
        "store": "minio",
        "minio_endpoint": server.endpoint,
        "minio_access_key": server.access_key,
        "minio_secret_key": server.secret_key,
        "minio_bucket": f"test-{secrets.token_hex(6)}",
    }
    return load(given | other, {})


@pytest.fixture
def client(minio: Server) -> Minio:
    return Minio(minio.endpoint, minio.access_key, minio.secret_key, secure=False)


def test_the_settings_choose_the_store(minio: Server) -> None:
    assert isinstance(open_store(settings_for(minio)), MinioStore)
    with pytest.raises(BadInput, match="minio_access_key"):
        open_store(settings_for(minio, minio_access_key=""))


def test_originals_are_kept_by_version_and_work_is_not(minio: Server, client: Minio) -> None:
    settings = settings_for(minio)
    store = open_minio(settings)
    store.prepare()
    assert client.get_bucket_versioning(f"{settings.minio_bucket}-originals").status == "Enabled"
    assert client.get_object_lock_config(f"{settings.minio_bucket}-originals").mode is None
    assert store.put_bytes("originals/x", b"x").version_id
    assert store.put_bytes("derived/x", b"x").version_id == ""


def test_a_bucket_that_was_made_without_locks_is_refused(minio: Server, client: Minio) -> None:
    settings = settings_for(minio)
    client.make_bucket(f"{settings.minio_bucket}-originals")
    with pytest.raises(Unavailable, match="without object lock"):
        open_minio(settings).prepare()


@pytest.mark.parametrize(
    "dropped",
    [
        lambda real: lambda *_, **__: None,
        lambda real: (
            lambda bucket, key, kept, version_id: real(
                bucket, key, Retention(GOVERNANCE, kept.retain_until_date), version_id=version_id
            )
        ),
        lambda real: (
            lambda bucket, key, kept, version_id: real(
                bucket, key, Retention(kept.mode, kept.retain_until_date - timedelta(seconds=30)), version_id=version_id
            )
        ),
    ],
    ids=["no lock", "a weaker lock", "a shorter lock"],
)
def test_a_store_that_does_not_hold_its_locks_is_refused(
    minio: Server, monkeypatch: pytest.MonkeyPatch, dropped: Callable[..., object]
) -> None:
    store = open_minio(settings_for(minio))
    monkeypatch.setattr(store._client, "set_object_retention", dropped(store._client.set_object_retention))
    with pytest.raises(Unavailable, match="doesn't hold the locks"):
        store.prepare()


def test_a_locked_original_stays_whoever_asks(minio: Server, minio_store: MinioStore, client: Minio) -> None:
    stored = minio_store.put_bytes("originals/locked", b"evidence")
    minio_store.lock(stored.key, stored.version_id, datetime.now(UTC) + timedelta(days=1))
    bucket = minio_store._originals
    with pytest.raises(Conflict):
        minio_store.delete(stored.key)
    with pytest.raises(Exception, match="WORM"):
        client.remove_object(bucket, stored.key, version_id=stored.version_id)
    # A plain delete and a plain put, with the owner's keys, only lay something on top.
    client.remove_object(bucket, stored.key)
    client.put_object(bucket, stored.key, io.BytesIO(b"forged"), 6)
    assert b"".join(minio_store.read(stored.key, version_id=stored.version_id)) == b"evidence"
    assert minio_store.digest(stored.key, stored.version_id) != minio_store.digest(stored.key)


def test_a_lock_that_was_asked_with_another_version_is_not_found(minio_store: MinioStore) -> None:
    stored = minio_store.put_bytes("originals/x", b"x")
    with pytest.raises((NotFound, StoreDown)):
        minio_store.lock(stored.key, secrets.token_hex(16), datetime.now(UTC) + timedelta(days=1))
    assert minio_store.read_lock(stored.key, stored.version_id) is None


def test_wrong_keys_are_said_so(minio: Server) -> None:
    store = open_minio(settings_for(minio, minio_secret_key="wrong" * 4))
    for act in (store.prepare, store.check, lambda: store.put_bytes("derived/x", b"x"), lambda: store.stat("derived/x")):
        with pytest.raises(StoreDown) as refused:
            act()
        assert "minio_secret_key" in refused.value.hint


def test_buckets_that_are_not_there_are_said_so(minio: Server) -> None:
    store = open_minio(settings_for(minio))
    for act in (store.check, lambda: store.put_bytes("derived/x", b"x"), lambda: list(store.list_keys("derived/"))):
        with pytest.raises(StoreDown) as refused:
            act()
        assert refused.value.hint == "Run: exhibit migrate"


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address that is taken and where nobody answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{silent.getsockname()[1]}"


def test_a_server_that_is_away_is_a_store_that_is_down_soon(minio: Server, nowhere: str, tmp_path: Path) -> None:
    store = open_minio(settings_for(minio, minio_endpoint=nowhere))
    for act in (store.check, lambda: store.put_bytes("derived/x", b"x"), lambda: list(store.read("derived/x"))):
        started = time.monotonic()
        with pytest.raises(StoreDown, match="can't be reached") as refused:
            act()
        assert refused.value.transient
        assert time.monotonic() - started < 5


def test_a_half_written_file_is_no_object(minio_store: MinioStore, tmp_path: Path) -> None:
    path = tmp_path / "video"
    path.write_bytes(bytes(33 * 1024 * 1024))
    real = minio_store._client._upload_part
    calls = []

    def break_off(*args: object) -> object:
        calls.append(args)
        if len(calls) == 2:
            raise ConnectionResetError("the line is dead")
        return real(*args)

    minio_store._client._upload_part = break_off
    with pytest.raises((ExhibitError, ConnectionResetError)):
        minio_store.put_file("derived/video", path)
    with pytest.raises(NotFound):
        minio_store.stat("derived/video")


def test_a_program_that_does_not_start_is_said_so(tmp_path: Path) -> None:
    folder = tmp_path
    program = folder / "minio"
    program.write_text("#!/bin/sh\necho no drive found; exit 1\n")
    program.chmod(0o755)
    with pytest.raises(Unavailable, match="no drive found"), minio_server.serving(program, folder / "d", folder / "log"):
        pass


def test_the_program_is_found_on_the_path_then_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path
    monkeypatch.setenv("PATH", str(folder / "path"))
    assert minio_server.find(folder / "cache") is None
    for place in (folder / "cache/bin/minio", folder / "path/minio"):
        place.parent.mkdir(parents=True)
        place.write_text("#!/bin/sh\n")
        place.chmod(0o755)
        assert minio_server.find(folder / "cache") == minio_server.find_or_build(folder / "cache") == place

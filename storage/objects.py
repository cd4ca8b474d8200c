"""The object store on MinIO: two buckets, STEM-originals with versions and object lock, STEM-work without.

Source: the SDK's defaults (five minutes and five tries) are replaced by 5 s to connect, 30 s to read. Writes are
never sent twice: a second one could meet its own first one. What a killed writer leaves open, MinIO itself
removes after a day.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED, ComposeSource
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from minio.retention import Retention

from config.settings import Settings
from evidence.errors import BadInput, Conflict, ExhibitError, NoSpace, NotFound, StoreDown, Unavailable
from evidence.exhibit import Digest
from evidence.ports import Lock, StoredObject
from storage.folder import write_new_file
from storage.keys import ORIGINALS, checked

_CHUNK = 1024 * 1024
_PART = 16 * _CHUNK
_PRESIGNED_FOR = timedelta(minutes=10)
_PROBE = "lock-check"
_PROBE_LOCK = timedelta(seconds=60)

_NOT_FOUND = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchObject", "NoSuchUpload", "XMinioInvalidObjectName"})
_TAKEN = frozenset(
    {"PreconditionFailed", "ObjectLocked", "InvalidRequest", "MethodNotAllowed", "ConditionalRequestConflict"}
)
_FULL = frozenset({"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage"})
_KEYS = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


def open_minio(settings: Settings) -> MinioStore:
    """Raises: BadInput when the keys aren't configured."""
    if not settings.minio_access_key or not settings.minio_secret_key:
        raise BadInput(
            "settings minio_access_key and minio_secret_key are empty",
            hint="Set both (EXHIBIT_MINIO_ACCESS_KEY, EXHIBIT_MINIO_SECRET_KEY), or store = folder.",
        )
    pool = urllib3.PoolManager(
        maxsize=16,
        timeout=urllib3.Timeout(connect=5, read=30),
        retries=urllib3.Retry(
            total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504], allowed_methods=["GET", "HEAD"]
        ),
        cert_reqs="CERT_REQUIRED",
    )
    client = Minio(
        settings.minio_endpoint,
        access_key=settings.minio_access_key,
        secret_key=settings.minio_secret_key,
        secure=settings.minio_secure,
        http_client=pool,
    )
    return MinioStore(client, pool, settings.minio_endpoint, settings.minio_bucket)


class MinioStore:
    def __init__(self, client: Minio, pool: urllib3.PoolManager, endpoint: str, stem: str) -> None:
        self._client = client
        self._pool = pool
        self._endpoint = endpoint
        self._originals = f"{stem}-originals"
        self._work = f"{stem}-work"

    @property
    def can_lock(self) -> bool:
        return True

    def prepare(self) -> None:
        """Make both buckets, and try whether a lock really holds.

        Raises: Unavailable for a store that keeps no versions or drops locks, StoreDown, NoSpace.
        """
        with _translated("the buckets"):
            for bucket, lock in ((self._originals, True), (self._work, False)):
                if not self._client.bucket_exists(bucket):
                    self._client.make_bucket(bucket, object_lock=lock)
            self._check_lock_configured()
            self._try_lock()

    def _check_lock_configured(self) -> None:
        try:
            versioned = self._client.get_bucket_versioning(self._originals).status == ENABLED
            self._client.get_object_lock_config(self._originals)
        except S3Error as exc:
            if exc.code != "ObjectLockConfigurationNotFoundError":
                raise
            versioned = False
        if not versioned:
            raise Unavailable(
                f"bucket {self._originals} was made without object lock",
                hint="Object lock can only be chosen when a bucket is made: give another minio_bucket name.",
            )

    def _try_lock(self) -> None:
        """Lock an object for a minute, read the lock back, and try to remove it: some stores drop locks silently."""
        self._remove_versions(_PROBE, keep_locked=True)
        until = datetime.now(UTC) + _PROBE_LOCK
        made = self._client.put_object(self._originals, _PROBE, io.BytesIO(b"lock check"), 10)
        version = made.version_id or ""
        self._client.set_object_retention(self._originals, _PROBE, Retention(COMPLIANCE, until), version_id=version)
        lock = self.read_lock(_PROBE, version)
        holds = lock is not None and lock.mode == COMPLIANCE and abs(lock.until - until) < timedelta(seconds=2)
        if holds:
            try:
                self._client.remove_object(self._originals, _PROBE, version_id=version)
            except S3Error:
                return
        raise Unavailable(
            f"the store at {self._endpoint} doesn't hold the locks that it is given",
            hint="Use a store with working S3 object lock (MinIO), or store = folder, which says that it can't lock.",
        )

    def check(self) -> str:
        with _translated("the buckets"):
            for bucket in (self._originals, self._work):
                if not self._client.bucket_exists(bucket):
                    raise StoreDown(f"bucket {bucket} is not there", hint="Run: exhibit migrate")
        return f"MinIO at {self._endpoint}, bucket {self._originals} with object lock"

    def put_bytes(self, key: str, data: bytes) -> StoredObject:
        return self._put_once(key, data, "application/octet-stream")

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> StoredObject:
        with path.open("rb") as source:
            size = path.stat().st_size
            if size <= _PART:
                return self._put_once(key, source.read(), content_type)
            self._refuse_taken(key)
            with _translated(key):
                made = self._client.put_object(
                    self._bucket(key), key, source, size, content_type, part_size=_PART, num_parallel_uploads=1
                )
        return StoredObject(key, size, made.version_id or "")

    def _put_once(self, key: str, data: bytes, content_type: str) -> StoredObject:
        """One request that the server refuses when the key is taken. The SDK has no header for that: presign it."""
        with _translated(key):
            url = self._client.get_presigned_url("PUT", self._bucket(key), checked(key), expires=_PRESIGNED_FOR)
            checksum = hashlib.md5(data, usedforsecurity=False).digest()
            headers = {
                "If-None-Match": "*",
                "Content-Type": content_type,
                "Content-MD5": base64.b64encode(checksum).decode("ascii"),
            }
            answer = self._pool.request("PUT", url, body=data, headers=headers, redirect=False)
            if answer.status != 200:
                raise _refusal(answer, key)
        return StoredObject(key, len(data), answer.headers.get("x-amz-version-id", ""))

    def _refuse_taken(self, key: str) -> None:
        try:
            self.stat(key)
        except NotFound:
            return
        raise Conflict(f"{key} is in the store already")

    def compose(self, key: str, parts: Iterable[str]) -> StoredObject:
        sources = [self.stat(part) for part in parts]
        size = sum(source.size_bytes for source in sources)
        try:
            found = self.stat(key)
        except NotFound:
            pass
        else:
            if found.size_bytes == size:
                return found
            raise Conflict(f"{key} is in the store already")
        with _translated(key):
            made = self._client.compose_object(
                self._bucket(key), key, [ComposeSource(self._bucket(source.key), source.key) for source in sources]
            )
        return StoredObject(key, size, made.version_id or "")

    def stat(self, key: str) -> StoredObject:
        with _translated(key):
            found = self._client.stat_object(self._bucket(key), checked(key))
        return StoredObject(key, found.size, found.version_id or "")

    def read(self, key: str, start: int = 0, length: int | None = None, version_id: str = "") -> Iterator[bytes]:
        if length == 0:
            return
        with _translated(key):
            try:
                answer = self._client.get_object(
                    self._bucket(key), checked(key), offset=start, length=length or 0, version_id=version_id or None
                )
            except S3Error as exc:
                if exc.code == "InvalidRange":
                    return  # from behind the end there is nothing, as in a file
                raise
            try:
                yield from answer.stream(_CHUNK)
            finally:
                answer.close()
                answer.release_conn()

    def digest(self, key: str, version_id: str = "") -> Digest:
        digest = hashlib.sha256()
        for chunk in self.read(key, version_id=version_id):
            digest.update(chunk)
        return Digest(digest.hexdigest())

    def fetch(self, key: str, path: Path, version_id: str = "") -> None:
        write_new_file(path, self.read(key, version_id=version_id))

    def delete(self, key: str) -> None:
        checked(key)
        with _translated(key):
            if key.startswith(ORIGINALS):
                self._remove_versions(key)
            else:
                self._client.remove_object(self._work, key)

    def _remove_versions(self, key: str, *, keep_locked: bool = False) -> None:
        """All versions: a plain delete in a bucket with versions only puts a marker on top."""
        listed = self._client.list_objects(self._originals, prefix=key, include_version=True)
        doomed = [DeleteObject(key, version.version_id) for version in listed if version.object_name == key]
        for failure in self._client.remove_objects(self._originals, doomed):
            if not keep_locked:
                raise Conflict(f"{key} is locked: {failure.message}", hint="A locked original stays until its lock ends.")

    def list_keys(self, prefix: str) -> Iterator[str]:
        with _translated(prefix):
            for found in self._client.list_objects(self._bucket(prefix), prefix=prefix, recursive=True):
                yield found.object_name

    def lock(self, key: str, version_id: str, until: datetime) -> None:
        with _translated(key):
            self._client.set_object_retention(
                self._bucket(key), checked(key), Retention(COMPLIANCE, until.astimezone(UTC)), version_id=version_id or None
            )

    def read_lock(self, key: str, version_id: str) -> Lock | None:
        bucket = self._originals if key == _PROBE else self._bucket(key)
        with _translated(key):
            found = self._client.get_object_retention(bucket, checked(key), version_id=version_id or None)
        if found is None:
            return None
        until = found.retain_until_date
        return Lock(found.mode, until.replace(tzinfo=UTC) if until.tzinfo is None else until.astimezone(UTC))

    def _bucket(self, key: str) -> str:
        return self._originals if key.startswith(ORIGINALS) else self._work


def _refusal(answer: urllib3.BaseHTTPResponse, key: str) -> ExhibitError:
    if answer.status in (409, 412):
        return Conflict(f"{key} is in the store already")
    text = answer.data.decode("utf-8", "replace")
    code = text.partition("<Code>")[2].partition("</Code>")[0]
    return _meaning(code, f"HTTP status {answer.status}", key)


def _meaning(code: str, message: str, key: str) -> ExhibitError:
    if code in _NOT_FOUND:
        return NotFound(f"{key} is not in the store")
    if code in _FULL:
        return NoSpace(f"the store is full: {message}")
    if code in _TAKEN:
        return Conflict(f"the store refuses to touch {key}: {message}")
    if code in _KEYS:
        return StoreDown(
            f"the store refuses our keys: {message}", hint="Check minio_access_key, minio_secret_key and their policy."
        )
    if code == "NoSuchBucket":
        return StoreDown("the store's buckets are not there", hint="Run: exhibit migrate")
    return StoreDown(f"the store can't do it now: {code} {message}")


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except S3Error as exc:
        raise _meaning(exc.code, exc.message or "", key) from exc
    except MinioException as exc:
        raise StoreDown(f"the store answers in a way that makes no sense: {exc}") from exc
    except urllib3.exceptions.HTTPError as exc:
        raise StoreDown(f"the store can't be reached: {type(exc).__name__}") from exc

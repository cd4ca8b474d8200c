"""The checking of finished uploads: join the parts, read the object back, find twins, lock, read the lock back, register.

Every line may be the last one before a power cut: whoever takes the upload up next does the same again and comes to the
same end. The order makes it so: rows change only after the store did, staging goes only after the rows.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.logs import log_context
from config.settings import Settings
from evidence.errors import (
    Busy,
    Cancelled,
    Conflict,
    DigestMismatch,
    ExhibitError,
    Fenced,
    IntegrityError,
    NotFound,
    StoreUnfaithful,
    Unavailable,
    UnsupportedMedia,
)
from evidence.exhibit import Digest, Exhibit
from evidence.ports import Bell, Clock, ObjectStore, StoredObject
from ingest.lease import Lease
from ingest.sniff import HEAD_BYTES, Sniffed, sniff
from ingest.uploads import clear_staging
from storage import keys
from storage.heads import note_head
from storage.index import Index
from storage.ledger import Ledger
from storage.ledger.exhibits import Received
from storage.ledger.uploads import Upload, UploadState
from storage.locks import lock_and_confirm, roll_locks

log = logging.getLogger("exhibit.receive")

_TRIES = 3
"""How often a check that fails for the store's reasons is begun anew before a person has to look."""
_CHECKERS = 3
"""Checks at once: reading a long recording back must not hold up a short one."""
_POLL_S = 1.0
_EXPIRE_EVERY_S, _TIDY_EVERY_S, _ROLL_EVERY_S, _NOTE_EVERY_S, _AGAIN_EVERY_S = 60.0, 900.0, 3600.0, 3600.0, 3600.0
_BROKE = "The check of this file broke off again and again, by a fault of this program ({kind}). All of the file is here."
_BROKE_HINT = "Keep the source medium, and show this to the administrator: the web server's log says more."
_OVER = frozenset({UploadState.DONE, UploadState.REFUSED, UploadState.EXPIRED, UploadState.DELETED})


def _go_on(_point: str) -> None:
    """Where a test may stop the world."""


@dataclass(frozen=True, slots=True)
class _Learnt:
    """What the stored object says when it is read back."""

    stored: StoredObject
    sha256: Digest
    head: bytes


class Receiver:
    """Checks finished uploads of all web servers; any number of them may run against one database and store."""

    def __init__(
        self,
        ledger: Ledger,
        index: Index,
        store: ObjectStore,
        bell: Bell,
        settings: Settings,
        *,
        clock: Clock,
        at: Callable[[str], None] = _go_on,
    ) -> None:
        self._ledger, self._index, self._store, self._bell, self._clock = ledger, index, store, bell, clock
        self._lease = timedelta(seconds=settings.lease_s)
        self._lock_days = settings.lock_days
        self._at = at
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self.last_round = time.monotonic()
        """When the loop last came by, in seconds of `time.monotonic`; `/readyz` may look."""

    # --- one upload ---------------------------------------------------------------------------------------------------

    def check_one(self) -> bool:
        """Check one finished upload; False when none waits. Raises: Unavailable, Busy: it stays to be checked."""
        upload = self._ledger.uploads.claim_checking(self._lease)
        if upload is None:
            return False
        self._check(upload)
        return True

    def _check(self, upload: Upload) -> None:
        with log_context(upload=upload.id), Lease(self._ledger.uploads, upload, self._lease, self._stopping) as lease:
            try:
                self._settle(upload, lease)
            except (Fenced, Cancelled) as gone:
                log.info("left to another check: %s", gone)
            except ExhibitError as error:
                if error.transient and not (isinstance(error, StoreUnfaithful) and upload.attempt >= _TRIES):
                    raise
                log.error("the check failed: %s", error)
                self._ledger.uploads.fail(upload, str(error), error.hint)

    def _settle(self, upload: Upload, lease: Lease) -> None:
        stored = self._store.compose(keys.original(upload.exhibit_id), [part.key for part in upload.parts])
        self._at("composed")
        learnt = self._read_back(upload, stored, lease)
        self._at("read back")
        try:
            sniffed = self._accept(upload, learnt)
        except (DigestMismatch, UnsupportedMedia) as refusal:
            self._refuse(upload, refusal, lease)
            return
        twin = self._twin(upload, learnt)
        if twin is None:
            twin = self._register(upload, learnt, sniffed)
        if twin is not None:
            self._drop(upload, learnt.stored, twin, lease)

    def _read_back(self, upload: Upload, stored: StoredObject, lease: Lease) -> _Learnt:
        """The whole digest, and each part's against the one taken when it came in. Raises: StoreUnfaithful."""
        whole, head = hashlib.sha256(), bytearray()
        chunks = self._store.read(stored.key, version_id=stored.version_id)
        rest = memoryview(b"")
        for part in upload.parts:
            digest, missing = hashlib.sha256(), part.size_bytes
            while missing:
                if not rest:
                    lease.check()
                    chunk = next(chunks, None)
                    if chunk is None:
                        break
                    rest = memoryview(chunk)
                piece = rest[:missing]
                rest = rest[missing:]
                digest.update(piece)
                whole.update(piece)
                if len(head) < HEAD_BYTES:
                    head += piece[: HEAD_BYTES - len(head)]
                missing -= len(piece)
            if missing or digest.hexdigest() != part.sha256:
                self._wrong(stored, f"part {part.number} of what it stored", lease)
        if len(rest) or any(chunks) or stored.size_bytes != upload.size_bytes:
            self._wrong(stored, "another number of bytes", lease)
        return _Learnt(stored, Digest(whole.hexdigest()), bytes(head))

    def _wrong(self, stored: StoredObject, what: str, lease: Lease) -> None:
        lease.sure()
        self._store.delete(stored.key)  # So that the next check joins the parts anew.
        raise StoreUnfaithful(
            f"The store gives back {what} that is not what was received.",
            hint="Keep the source medium and send the file again; tell the administrator about the store.",
        )

    def _accept(self, upload: Upload, learnt: _Learnt) -> Sniffed:
        declared = upload.metadata.get("sha256", "")
        if declared and declared != learnt.sha256.hex:
            raise DigestMismatch(
                f"The file that arrived is not the one that was announced: its SHA-256 is {learnt.sha256.hex},"
                f" the sender said {declared}.",
                hint="Nothing was kept. Check the source medium (the file may have changed meanwhile) and send it again.",
            )
        return sniff(learnt.head, upload.size_bytes, upload.metadata["filename"])

    def _refuse(self, upload: Upload, refusal: ExhibitError, lease: Lease) -> None:
        lease.sure()
        self._store.delete(keys.original(upload.exhibit_id))
        self._at("refused bytes deleted")
        self._ledger.uploads.refuse(upload, str(refusal), refusal.hint)
        self._at("refused")
        clear_staging(self._store, upload.id)

    def _twin(self, upload: Upload, learnt: _Learnt) -> Exhibit | None:
        """An exhibit of the same case that has these bytes; in the tray, the same officer's for the same unknown case."""
        sha256 = learnt.sha256.hex
        twin = self._index.exhibit_by_digest(upload.case_id, sha256, upload.user_id, upload.claimed_case)
        return None if twin is None or twin.id == upload.exhibit_id else twin

    def _drop(self, upload: Upload, stored: StoredObject, twin: Exhibit, lease: Lease) -> None:
        """Link to the twin and remove this copy, unless a lock already holds it: then it goes when the lock ends.

        Raises: IntegrityError when the twin's own bytes are no longer in the store: then these are the only ones.
        """
        if not self._lies_there(twin, lease):
            raise IntegrityError(
                f"These bytes are exhibit {twin.reference} already, but its original is no longer in the store as it was"
                " received. What was sent now is kept.",
                hint="Keep the source medium, and tell the administrator: the store has lost or changed an original.",
            )
        lease.sure()
        if self._store.can_lock and self._store.read_lock(stored.key, stored.version_id) is not None:
            log.warning("a locked copy of exhibit %s stays until its lock ends: %s", twin.id, stored.key)
        else:
            self._store.delete(stored.key)
        self._at("duplicate deleted")
        self._ledger.uploads.drop_duplicate(upload, twin.id)
        self._at("duplicate dropped")
        clear_staging(self._store, upload.id)

    def _lies_there(self, exhibit: Exhibit, lease: Lease) -> bool:
        """Whether the store gives an original back as it was received."""
        whole = hashlib.sha256()
        try:
            for chunk in self._store.read(exhibit.key, version_id=exhibit.version_id):
                lease.check()
                whole.update(chunk)
        except NotFound:
            return False
        return whole.hexdigest() == exhibit.sha256.hex

    def _register(self, upload: Upload, learnt: _Learnt, sniffed: Sniffed) -> Exhibit | None:
        """Lock and register; another exhibit that got in first with the same bytes is given instead."""
        stored = learnt.stored
        until: datetime | None = None
        if self._store.can_lock:
            until = lock_and_confirm(self._store, stored.key, stored.version_id, self._lock_until())
        self._at("locked")
        received = Received(
            key=stored.key,
            version_id=stored.version_id,
            sha256=learnt.sha256,
            size_bytes=stored.size_bytes,
            file_type=sniffed.file_type,
            locked_until=until,
        )
        try:
            exhibit = self._ledger.exhibits.register(upload, received)
        except Conflict as conflict:
            twin = self._twin(upload, learnt)
            if isinstance(conflict, Busy) or twin is None:
                raise
            return twin
        self._at("registered")
        log.info("exhibit %s is in%s", exhibit.id, ", locked" if until else "")
        clear_staging(self._store, upload.id)
        self._at("staging cleared")
        with suppress(Unavailable):  # Workers look for themselves too.
            self._bell.ring()
        return None

    def _lock_until(self) -> datetime:
        return self._clock.now() + timedelta(days=self._lock_days)

    # --- what has to be done now and then -----------------------------------------------------------------------------

    def expire(self) -> int:
        """End unfinished uploads past their time and remove what was staged for them; how many."""
        expired = self._ledger.uploads.expired()
        for upload in expired:
            clear_staging(self._store, upload.id)
        return len(expired)

    def try_failed_again(self) -> int:
        """Check uploads again that failed an hour ago and whose bytes are all here; how many."""
        return self._ledger.uploads.reopen_failed(self._clock.now() - timedelta(seconds=_AGAIN_EVERY_S))

    def tidy(self) -> int:
        """Remove staging that an interrupted end left behind; of how many uploads."""
        seen = dict.fromkeys(keys.upload_of(key) for key in self._store.list_keys(keys.STAGING))
        cleared = 0
        for upload_id in seen:
            with suppress(NotFound):
                if self._index.upload(upload_id).state in _OVER:
                    clear_staging(self._store, upload_id)
                    cleared += 1
        return cleared

    def roll_locks(self) -> int:
        """Extend the locks whose second half has begun; how many."""
        due = self._clock.now() + timedelta(days=self._lock_days) / 2
        return roll_locks(self._ledger.exhibits, self._store, due, self._lock_until())

    def note_head(self) -> bool:
        """Note the custody log's newest event in the store; whether there was a new one."""
        return note_head(self._index, self._store, self._lock_until())

    # --- the loop -----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something is to be checked now; callable from any thread."""
        self._woken.set()

    def run(self, stop: threading.Event) -> None:
        """Check what comes until `stop` is set, then let go at once. The web server runs this in a thread."""
        chores: list[tuple[float, Callable[[], object]]] = [
            (_EXPIRE_EVERY_S, self.expire),
            (_TIDY_EVERY_S, self.tidy),
            (_ROLL_EVERY_S, self.roll_locks),
            (_NOTE_EVERY_S, self.note_head),
            (_AGAIN_EVERY_S, self.try_failed_again),
        ]
        due = [0.0] * len(chores)
        running: dict[Future[None], Upload] = {}
        pause_s = _POLL_S
        with ThreadPoolExecutor(_CHECKERS, thread_name_prefix="receiver") as pool:
            while not stop.is_set():
                self.last_round = time.monotonic()
                self._woken.clear()
                try:
                    for check in [check for check in running if check.done()]:
                        self._ended(check, running.pop(check))
                    if len(running) < _CHECKERS and (upload := self._ledger.uploads.claim_checking(self._lease)):
                        running[pool.submit(self._check, upload)] = upload
                        continue
                    for number, (every_s, chore) in enumerate(chores):
                        if time.monotonic() >= due[number]:
                            due[number] = time.monotonic() + every_s
                            chore()
                    pause_s = _POLL_S
                except ExhibitError as error:
                    pause_s = min(pause_s * 2, 30.0)
                    log.warning("the receiver waits %.0f s: %s", pause_s, error)
                self._pause(stop, running, pause_s)
            self._stopping.set()

    def _ended(self, check: Future[None], upload: Upload) -> None:
        """A fault of this program is tried again as often as one of the store; then the officer is told.

        Raises: Unavailable.
        """
        error = check.exception()
        if isinstance(error, ExhibitError):
            log.warning("a check is left for later: %s", error)
        elif error is not None:
            log.error("the check of upload %s broke at try %d", upload.id, upload.attempt, exc_info=error)
            if upload.attempt >= _TRIES:
                with suppress(Fenced):
                    self._ledger.uploads.fail(upload, _BROKE.format(kind=type(error).__name__), _BROKE_HINT)

    def _pause(self, stop: threading.Event, running: Collection[Future[None]], pause_s: float) -> None:
        """Until something is to be done, in steps short enough to stop in."""
        if len(running) == _CHECKERS:
            wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            return
        until = time.monotonic() + pause_s
        while time.monotonic() < until and not stop.is_set():
            if self._woken.wait(timeout=min(0.2, pause_s)) and pause_s <= _POLL_S:
                return

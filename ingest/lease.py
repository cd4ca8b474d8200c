"""A hold on the check of one upload, renewed while it runs and given up when somebody else has it."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from types import TracebackType

from evidence.errors import Cancelled, ExhibitError, Fenced
from storage.ledger.uploads import Upload, UploadLedger

log = logging.getLogger("exhibit.receive")


class Lease:
    """Renews from a thread: reading a long recording back takes longer than any lease should."""

    def __init__(self, uploads: UploadLedger, upload: Upload, length: timedelta, stopping: threading.Event) -> None:
        self._uploads, self._upload, self._length, self._stopping = uploads, upload, length, stopping
        self._over = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{upload.id[:8]}", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._over.wait(self._length.total_seconds() / 3):
            try:
                if not self._uploads.renew(self._upload, self._length):
                    self._lost.set()
                    return
            except ExhibitError as error:
                log.warning("the lease could not be renewed: %s", error)

    def check(self) -> None:
        """Cheap; between two reads. Raises: Fenced, Cancelled when the server stops."""
        if self._lost.is_set():
            raise Fenced("another server checks this upload by now")
        if self._stopping.is_set():
            raise Cancelled("the server is stopping")

    def sure(self) -> None:
        """Asks the database; before anything is deleted. Raises: Fenced."""
        if not self._uploads.renew(self._upload, self._length):
            raise Fenced("another server checks this upload by now")

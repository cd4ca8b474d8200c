"""Makers of users, cases and exhibits, through the real ledger and store: what they make is what the program makes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from evidence.case import Case, Role, User
from evidence.exhibit import AudioInfo, Condition, Digest, Exhibit, FileType, MediaInfo, Segment, VideoInfo
from evidence.steps import Step, StepRun
from evidence.track import Origin, Track, TrackBox
from storage import keys
from storage.ledger.exhibits import Received
from storage.ledger.steps import Result
from storage.ledger.uploads import Upload, UploadPart
from storage.open import Storage

PASSWORD = "correct horse battery staple"
LEASE = timedelta(seconds=30)
_EXPIRY = timedelta(days=7)


class Factory:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._numbers = itertools.count(1)

    def user(self, role: Role = Role.INVESTIGATOR, name: str = "", display_name: str = "") -> User:
        """Its password is PASSWORD, and need not be changed."""
        name = name or f"{role.value}{next(self._numbers)}"
        shown = display_name or f"Alex {role.value.title()}"
        return self._storage.ledger.people.add_user("system:tests", name, shown, role, PASSWORD, must_change=False)

    def case(self, owner: User | None = None, reference: str = "", *members: User) -> Case:
        owner = owner or self.user()
        case = self._storage.ledger.cases.create(owner, reference or f"OP{next(self._numbers)}/26")
        for member in members:
            self._storage.ledger.cases.add_member(owner, case.id, member.id)
        return case

    def upload(self, user: User, case_reference: str = "", data: bytes = b"", **metadata: str) -> Upload:
        """An upload whose bytes are all in the store as one part: CHECKING."""
        data = data or f"evidence {next(self._numbers)}".encode()
        given = {"filename": "clip.mp4", "kind": "bodyworn", "case": case_reference} | metadata
        uploads = self._storage.ledger.uploads
        upload = uploads.begin(user, len(data), given, expiry=_EXPIRY)
        key = keys.part(upload.id, 1, "test")
        self._storage.store.put_bytes(key, data)
        part = UploadPart(1, key, len(data), hashlib.sha256(data).hexdigest(), True)
        return uploads.advance(upload, part, expiry=_EXPIRY)

    def exhibit(
        self,
        user: User,
        case: Case | None = None,
        data: bytes = b"",
        file_type: FileType = FileType.VIDEO,
        **metadata: str,
    ) -> Exhibit:
        """A registered exhibit, its original in the store, its first step ready. Without a case it lies in the tray."""
        upload = self.upload(user, case.reference if case else "no such case", data, **metadata)
        claimed = self._storage.ledger.uploads.claim_checking(LEASE)
        assert claimed is not None
        assert claimed.id == upload.id, "another upload was waiting for its check"
        return self._storage.ledger.exhibits.register(claimed, self.received(claimed, file_type))

    def received(self, upload: Upload, file_type: FileType = FileType.VIDEO) -> Received:
        """Compose, read back; lock where the store can."""
        store = self._storage.store
        stored = store.compose(keys.original(upload.exhibit_id), [part.key for part in upload.parts])
        until = None
        if store.can_lock:
            store.lock(stored.key, stored.version_id, datetime.now(UTC) + timedelta(days=31))  # a real server, a real clock
            lock = store.read_lock(stored.key, stored.version_id)
            until = lock.until if lock else None
        digest = store.digest(stored.key, stored.version_id)
        return Received(stored.key, stored.version_id, digest, stored.size_bytes, file_type, until)

    def claim(self, *steps: Step, worker: str = "worker-1", lease: timedelta = LEASE) -> StepRun:
        """The next step run, of these steps only where some are given."""
        run = self._storage.ledger.steps.claim(worker, frozenset(steps or Step), lease)
        assert run is not None, "nothing was ready"
        return run

    def finish(self, run: StepRun, **result: Any) -> int:
        """Finish with this result; a PROBE finds a plain video of two segments unless told otherwise."""
        if run.step is Step.PROBE:
            result = {"media": video(), "condition": Condition.READABLE} | result
        if run.step is Step.INDEX:
            result = {"tracks": [track(1)]} | result
        return self._storage.ledger.steps.finish(run, Result(recipe="0" * 16, **result))

    def analysed(self, exhibit: Exhibit, **of_index: Any) -> Exhibit:
        """Take an exhibit through all of its automatic steps (nothing else may be ready)."""
        while run := self._storage.ledger.steps.claim("worker-1", frozenset(Step), LEASE):
            assert run.exhibit_id == exhibit.id
            self.finish(run, **(of_index if run.step is Step.INDEX else {}))
        return self._storage.index.exhibit(exhibit.id)


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())


def video(segments: int = 2, frames: int = 100, **other: Any) -> MediaInfo:
    """A description of a plain 640×360 video at 25 frames a second, starting at pts 0."""
    each = frames // segments
    stream = VideoInfo(0, "h264", "yuv420p", (640, 360), 0, Fraction(1, 25), 0, Fraction(25), frames, False, "tv")
    given: Mapping[str, Any] = {
        "container": "mov,mp4",
        "duration_s": Fraction(frames, 25),
        "video": (stream,),
        "audio": (AudioInfo(1, "aac", 48_000, 2),),
        "other_streams": (),
        "segments": tuple(
            Segment(n, n * each, None if n == segments - 1 else (n + 1) * each, each) for n in range(segments)
        ),
        "condition": Condition.READABLE,
        "note": "",
        "claimed_capture_time": None,
    }
    return MediaInfo(**{**given, **other})


def track(
    number: int, label: str = "person", first: int = 0, frames: int = 10, score: float = 0.9, model: str = "test"
) -> Track:
    """A track of that many frames, one box each, at 25 frames a second."""
    boxes = tuple(
        TrackBox(n, n, (10.0 + n, 10.0, 50.0 + n, 90.0), score, Origin.DETECTED) for n in range(first, first + frames)
    )
    return Track(number, label, model, Fraction(1, 25), boxes)

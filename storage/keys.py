"""Where every object lives: pure functions from ids and recipe to key. Nothing else makes a key."""

from __future__ import annotations

from evidence.errors import BadInput
from evidence.exhibit import ExhibitId, UploadId
from evidence.steps import Step, StepRunId

ORIGINALS = "originals/"
LOG_HEADS = "originals/custody-log/"
STAGING = "staging/"
DERIVED = "derived/"
_LONGEST_KEY = 1024
_LONGEST_STEP = 255
"""Units: bytes, between two slashes; what file systems and S3 servers both take."""


def original(exhibit: ExhibitId) -> str:
    return f"{ORIGINALS}{exhibit}"


def staging_prefix(upload: UploadId) -> str:
    return f"{STAGING}{upload}/"


def log_head(number: int, digest: str) -> str:
    """A noted event of the custody log; the key itself says it all. It lies with the originals, where locks are."""
    return f"{LOG_HEADS}{number:015d}-{digest}"


def part(upload: UploadId, number: int, writer: str) -> str:
    """A whole part of an upload; `number` counts from 1 and sorts as text.

    `writer` names one request: what an interrupted or overtaken request left behind can't be in the way of the next.
    """
    return f"{staging_prefix(upload)}part-{number:06d}-{writer}"


def tail(upload: UploadId, offset: int, writer: str) -> str:
    """The bytes of a part that isn't full yet, up to `offset` of the upload."""
    return f"{staging_prefix(upload)}tail-{offset:015d}-{writer}"


def upload_of(key: str) -> UploadId:
    """Whose staging object that is."""
    return UploadId(key.removeprefix(STAGING).split("/", 1)[0])


def derived(exhibit: ExhibitId, step: Step, recipe: str, attempt: int, name: str) -> str:
    """An output of a step. The attempt is in the key, so a fenced worker can't touch its successor's output."""
    return f"{DERIVED}{exhibit}/{step.value}/{recipe}/{attempt}/{name}"


def case_export(case_id: str, run: str, attempt: int, name: str) -> str:
    return f"{DERIVED}cases/{case_id}/{run}/{attempt}/{name}"


def run_of(key: str) -> StepRunId | None:
    """Which run made that output; None for a key of another form."""
    steps = key.split("/")
    if not key.startswith(DERIVED) or len(steps) < 6:
        return None
    # The place below the attempt begins with the run (workers.tools), in a case's exports the run comes first.
    return StepRunId(steps[3] if steps[1] == "cases" else steps[5])


def checked(key: str) -> str:
    """The key, when it is one that every store takes as nothing but a name.

    Raises: BadInput for one that could mean another place: empty or dotted steps, control characters, backslashes.
    """
    steps = key.split("/")
    odd = any(not step or step.startswith(".") or len(step.encode("utf-8", "replace")) > _LONGEST_STEP for step in steps)
    if odd or len(key.encode("utf-8", "replace")) > _LONGEST_KEY or not key.isprintable() or "\\" in key:
        raise BadInput(f"not a key of an object: {key[:80]!r}", hint="This is a fault of the program: please report it.")
    return key

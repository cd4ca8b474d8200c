"""What a step works with: reading the record, the original, the child, and putting results into the store.

A step can't write to the database with these: what it gives back is recorded by the runner, in one transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.settings import Settings
from evidence.errors import DigestMismatch, NotFound
from evidence.exhibit import Exhibit, ExhibitId
from evidence.ports import ObjectStore, Progress
from evidence.steps import VERSION, Recipe, Step, StepRun
from storage import keys
from storage.index import Index, Output
from storage.ledger.steps import NewOutput
from workers import child
from workers.cache import OriginalCache
from workers.stop import Stop

_CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".zip": "application/zip",
}


@dataclass(frozen=True, slots=True)
class Tools:
    """One attempt's. `scratch` is an empty folder of its own, removed when the attempt ends."""

    settings: Settings
    index: Index
    store: ObjectStore
    cache: OriginalCache
    scratch: Path
    progress: Progress
    stop: Stop
    stored: list[str] = field(default_factory=list)
    """Keys that this attempt has stored: thrown out again when its result can't be recorded."""

    def exhibit(self, run: StepRun) -> Exhibit:
        if run.exhibit_id is None:
            raise NotFound(f"the step {run.step.value} belongs to no exhibit")
        return self.index.exhibit(run.exhibit_id)

    @contextmanager
    def original(self, exhibit: Exhibit) -> Iterator[Path]:
        """The checked local copy of the original."""
        with self.cache.original(exhibit, self.stop) as path:
            yield path

    def child(self, task: str, inputs: Mapping[str, Path], params: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
        """Run a task in a media child; the folder with what it made, and its result."""
        out = self.scratch / task
        out.mkdir()
        return out, child.run(child.Job(task, inputs, out, params), child.Limits.of(self.settings), self.progress)

    def recipe(
        self, step: Step, params: Mapping[str, Any], *, inputs: Sequence[Output] = (), models: Sequence[str] = ()
    ) -> Recipe:
        """The recipe of a step that reads `inputs` besides the original: they decide its result too."""
        whole = {**params, "inputs": [output.sha256 for output in inputs]} if inputs else dict(params)
        return Recipe(step, VERSION[step], whole, tuple(sorted(models)))

    def output(self, exhibit_id: ExhibitId, step: Step, name: str, *, segment: int = 0) -> Output:
        """The newest output of that name. Raises: NotFound."""
        for output in self.index.outputs(exhibit_id, step=step, name=name):
            if output.segment == segment:
                return output
        raise NotFound(
            f"there is no {name} of this exhibit yet", hint=f"Wait for the step {step.value} to end, or retry it."
        )

    def fetch(self, output: Output, name: str = "") -> Path:
        """A local copy of an earlier step's output, checked. Raises: DigestMismatch, StoreDown, NotFound."""
        path = self.scratch / (name or output.name)
        with self.stop.may_interrupt():
            self.store.fetch(output.key, path)
            digest = sha256_of(path)
        if digest != output.sha256:
            raise DigestMismatch(
                f"{output.name} in the store is not what was recorded", hint=f"Retry the step {output.step.value}."
            )
        return path

    def made_before(self, run: StepRun, recipe: Recipe) -> tuple[NewOutput, ...]:
        """The outputs of the same recipe, when they were made before and still lie in the store; else nothing."""
        same = [
            output
            for output in self.index.outputs(run.exhibit_id, step=run.step)
            if output.recipe == recipe.digest and output.segment == run.segment
        ]
        same = [output for output in same if output.step_run_id == same[0].step_run_id]
        if not all(self.is_there(output) for output in same):
            return ()
        return tuple(NewOutput(o.name, o.key, o.sha256, o.size_bytes, o.content_type, o.details) for o in same)

    @staticmethod
    def note_of(outputs: Sequence[NewOutput]) -> str:
        """The note that the step wrote when it made them."""
        return str(outputs[0].details.get("note", "")) if outputs else ""

    def caps(self) -> dict[str, int]:
        """What a task may decode at most."""
        return {"max_pixels": self.settings.max_pixels, "max_duration_s": self.settings.max_duration_s}

    def is_there(self, output: Output) -> bool:
        """Whether it still lies in the store."""
        try:
            return self.store.stat(output.key).size_bytes == output.size_bytes
        except NotFound:
            return False

    def publish(
        self, run: StepRun, recipe: Recipe, path: Path, details: Mapping[str, Any], *, name: str = "", file_name: str = ""
    ) -> NewOutput:
        """Store a file that the step made. `name` is what routes call it, `file_name` the last part of its key."""
        name = name or path.name
        # The run is in the key: two people may ask for the same at the same time.
        place = f"{run.id}/{file_name or name}"
        if run.exhibit_id is not None:
            key = keys.derived(run.exhibit_id, run.step, recipe.digest, run.attempt, place)
        else:
            key = keys.case_export(run.case_id or "", run.id, run.attempt, file_name or name)
        content_type = _CONTENT_TYPES.get(path.suffix, "application/octet-stream")
        self.stored.append(key)
        with self.stop.may_interrupt():
            digest = sha256_of(path)
            stored = self.store.put_file(key, path, content_type)
        return NewOutput(name, key, digest, stored.size_bytes, content_type, details)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

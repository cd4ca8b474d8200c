"""What dead attempts left in the store: removed when nobody can want it any more, and only then."""

from __future__ import annotations

from evidence.steps import Step, StepRun
from storage import keys
from storage.ledger.results import NewOutput
from storage.open import Storage
from tests.conftest import FixedClock
from tests.factories import Factory
from workers.sweep import remove_orphans


def stored(storage: Storage, run: StepRun, name: str, attempt: int | None = None) -> str:
    assert run.exhibit_id is not None
    key = keys.derived(run.exhibit_id, run.step, "recipe", attempt or run.attempt, f"{run.id}/{name}")
    storage.store.put_bytes(key, name.encode())
    return key


def test_what_no_output_names_goes_a_day_after_its_step_ended(storage: Storage, make: Factory, clock: FixedClock) -> None:
    user = make.user()
    one, other = make.exhibit(user), make.exhibit(user)
    done, failed = make.claim(Step.PROBE), make.claim(Step.PROBE)
    assert {done.exhibit_id, failed.exhibit_id} == {one.id, other.id}
    kept = stored(storage, done, "kept.json")
    of_a_dead_attempt = stored(storage, done, "lost.mp4", attempt=7)
    of_a_failed_step = stored(storage, failed, "half.mp4")
    foreign = "derived/of-another-program"
    storage.store.put_bytes(foreign, b"not ours")
    make.finish(done, outputs=(NewOutput("kept.json", kept, "0" * 64, 9, "application/json", {}),))
    everything = sorted([kept, of_a_dead_attempt, of_a_failed_step, foreign])

    clock.advance(days=2)
    assert remove_orphans(storage, clock.now()) == 1, "a step that runs still may record what it stored"
    assert of_a_dead_attempt not in list(storage.store.list_keys(keys.DERIVED))
    storage.ledger.steps.fail(failed, "it can't be done", "", "")
    assert remove_orphans(storage, clock.now()) == 0, "not on the day itself"
    clock.advance(days=1, minutes=1)
    assert remove_orphans(storage, clock.now()) == 1
    left = list(storage.store.list_keys(keys.DERIVED))
    assert left == sorted(set(everything) - {of_a_dead_attempt, of_a_failed_step})
    assert remove_orphans(storage, clock.now()) == 0
    original = storage.index.exhibit(one.id)
    assert storage.store.stat(original.key).size_bytes == original.size_bytes


def test_a_cases_exports_are_known_by_their_run() -> None:
    assert keys.run_of(keys.case_export("case", "run-1", 2, "case.zip")) == "run-1"
    assert keys.run_of(keys.original("exhibit")) is None  # type: ignore[arg-type]

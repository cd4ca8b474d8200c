"""The job graph: from any order of finishing, every step starts exactly once and only after its needs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evidence.exhibit import FileType, Segment
from evidence.steps import NEEDS, Recipe, Step, next_steps


def _segments(count: int) -> tuple[Segment, ...]:
    return tuple(Segment(n, n * 100, (n + 1) * 100 if n + 1 < count else None, 25) for n in range(count))


@given(st.integers(1, 6), st.randoms(use_true_random=False))
def test_every_step_runs_once_after_its_needs_in_any_order(count: int, chance) -> None:  # type: ignore[no-untyped-def]
    segments = _segments(count)
    there: set[tuple[Step, int]] = set()
    done: set[tuple[Step, int]] = set()
    waiting: list[tuple[Step, int]] = []
    while True:
        for wanted in next_steps(FileType.VIDEO, segments, True, frozenset(done), frozenset(there)):
            key = (wanted.step, wanted.segment)
            assert key not in there, "a step was started twice"
            for need in NEEDS[wanted.step]:
                pieces = range(count) if need is Step.DETECT else (0,)
                assert all((need, n) in done for n in pieces), f"{wanted.step} started before {need}"
            there.add(key)
            waiting.append(key)
        if not waiting:
            break
        done.add(waiting.pop(chance.randrange(len(waiting))))
    assert {step for step, _ in done} == set(NEEDS)
    assert {n for step, n in done if step is Step.DETECT} == set(range(count))


def test_a_sidecar_is_only_located_and_an_unreadable_video_ends_after_its_probe() -> None:
    for kind in (FileType.TELEMETRY, FileType.SUBTITLES):
        assert [w.step for w in next_steps(kind, (), False, frozenset(), frozenset())] == [Step.LOCATE]
        assert next_steps(kind, (), False, frozenset(), frozenset({(Step.LOCATE, 0)})) == ()
    probe = (Step.PROBE, 0)
    assert [w.step for w in next_steps(FileType.VIDEO, (), False, frozenset(), frozenset())] == [Step.PROBE]
    assert next_steps(FileType.VIDEO, (), False, frozenset({probe}), frozenset({probe})) == ()


def test_a_recipe_changes_with_whatever_decides_the_output_and_with_nothing_else() -> None:
    base = Recipe(Step.DETECT, 1, {"labels": ["person"], "size": 640}, ("a" * 64, "b" * 64))
    assert base.digest == Recipe(Step.DETECT, 1, {"size": 640, "labels": ["person"]}, ("b" * 64, "a" * 64)).digest
    others = [
        Recipe(Step.TRACK, 1, base.params, base.models),
        Recipe(Step.DETECT, 2, base.params, base.models),
        Recipe(Step.DETECT, 1, {"labels": ["person"], "size": 641}, base.models),
        Recipe(Step.DETECT, 1, base.params, ("a" * 64,)),
    ]
    assert len({base.digest, *(o.digest for o in others)}) == 5

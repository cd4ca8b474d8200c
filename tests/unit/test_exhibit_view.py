"""What a person sees of an exhibit: steps that still wait, the state at a glance, where it lies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from evidence.case import UserId
from evidence.exhibit import Condition, Digest, Exhibit, ExhibitId, ExhibitState, FileType, SourceKind
from evidence.steps import NEEDS, Step, StepRun, StepRunId, StepState
from tests.factories import video
from web.exhibit_view import state, step_lines, storage_words

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def an_exhibit(**other: Any) -> Exhibit:
    return replace(
        Exhibit(
            id=ExhibitId("e"),
            case_id=None,
            claimed_case="",
            reference="AB/1",
            filename="a.mp4",
            kind=SourceKind.DRONE,
            file_type=FileType.VIDEO,
            sha256=Digest("0" * 64),
            size_bytes=1,
            uploaded_by=UserId("u"),
            uploaded_at=NOW,
            captured_at=None,
            device="",
            officer="",
            sidecar_for="",
            folder="",
            condition=Condition.UNKNOWN,
            note="",
            media=None,
            key="originals/e",
            version_id="",
            secured_at=None,
            locked_until=None,
        ),
        **other,
    )


def a_run(step: Step, at: StepState = StepState.DONE, segment: int = 0) -> StepRun:
    return StepRun(
        id=StepRunId(f"{step.value}-{segment}"),
        exhibit_id=ExhibitId("e"),
        case_id=None,
        step=step,
        segment=segment,
        params={},
        state=at,
        attempt=1,
        killed=0,
        recipe="",
        progress_done=0,
        progress_total=0,
        note="",
        error="",
        hint="",
        log_tail="",
        worker="",
        requested_by="system:graph",
        cancel_requested=False,
        created_at=NOW,
        started_at=None,
        finished_at=None,
    )


def seen(exhibit: Exhibit, *runs: StepRun) -> dict[str, str]:
    return {line.step.value: line.state.value for line in step_lines(exhibit, runs)}


PROBED = {"condition": Condition.READABLE, "media": video()}


def test_a_new_video_shows_all_that_is_to_come() -> None:
    lines = step_lines(an_exhibit(), [a_run(Step.PROBE, StepState.READY)])
    assert [line.step for line in lines] == [
        Step.PROBE,
        Step.PROXY,
        Step.LOCATE,
        Step.DETECT,
        Step.TRACK,
        Step.INDEX,
        Step.ANNOTATE,
        Step.REDACT,
    ]
    assert {line.needs for line in lines if line.step is Step.INDEX} == {(Step.TRACK,)}
    assert state(an_exhibit(), lines) is ExhibitState.WORKING


def test_segments_are_lines_of_their_own_in_order() -> None:
    runs = [a_run(Step.PROBE), a_run(Step.DETECT, StepState.RUNNING, 1), a_run(Step.DETECT, segment=0)]
    lines = step_lines(an_exhibit(**PROBED), runs)
    assert [line.run.segment for line in lines if line.step is Step.DETECT and line.run] == [0, 1]
    waiting = next(line for line in lines if line.step is Step.TRACK)
    assert (waiting.state, waiting.needs) == (StepState.WAITING, (Step.DETECT,))


@pytest.mark.parametrize(
    ("exhibit", "steps"),
    [
        (an_exhibit(file_type=FileType.TELEMETRY), {"locate"}),
        (an_exhibit(file_type=FileType.SUBTITLES), {"locate"}),
        (an_exhibit(file_type=FileType.AUDIO), {"probe"}),
        (an_exhibit(condition=Condition.UNREADABLE), {"probe"}),
        (an_exhibit(condition=Condition.READABLE, media=video(video=())), {"probe"}),
    ],
)
def test_what_will_never_come_is_not_promised(exhibit: Exhibit, steps: set[str]) -> None:
    runs = [a_run(Step(next(iter(steps))))]
    assert set(seen(exhibit, *runs)) == steps


def test_steps_that_wait_for_one_that_failed_do_not_look_like_work_going_on() -> None:
    exhibit = an_exhibit()
    lines = step_lines(exhibit, [a_run(Step.PROBE, StepState.FAILED)])
    assert state(exhibit, lines) is ExhibitState.NEEDS_ATTENTION
    assert seen(exhibit, a_run(Step.PROBE, StepState.FAILED))["track"] == "waiting"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition.READABLE, ExhibitState.READY),
        (Condition.PARTLY_READABLE, ExhibitState.PARTLY_READABLE),
        (Condition.UNREADABLE, ExhibitState.UNREADABLE),
    ],
)
def test_when_all_is_done_the_condition_speaks(condition: Condition, expected: ExhibitState) -> None:
    exhibit = an_exhibit(condition=condition, media=video())
    runs = [a_run(step) for step in (*NEEDS, Step.CLIP)]
    assert state(exhibit, step_lines(exhibit, runs)) is expected


def test_only_a_lock_that_was_read_back_is_called_secured() -> None:
    assert storage_words(an_exhibit()) == "stored, not locked"
    assert storage_words(an_exhibit(secured_at=NOW, locked_until=NOW)) == "secured"

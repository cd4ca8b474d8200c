"""An exhibit as a person sees it: its steps (those still waiting too), its state, where it lies, what may be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evidence.case import Act, Case, CaseId, Relation, User
from evidence.exhibit import Condition, Exhibit, ExhibitState, FileType, state_of
from evidence.steps import NEEDS, SIDECARS, Step, StepRun, StepState
from storage.index import Accepted, DoubtRow, Output
from storage.index.filmed import Filmed
from storage.ledger.people import SignedIn
from web.context import Context
from web.permission import acts_in, acts_on_exhibit

STORED_NOT_LOCKED = "stored, not locked"
SECURED = "secured"


@dataclass(frozen=True, slots=True)
class StepLine:
    """One line of the list of steps. `run` is None for a step whose needs are not met yet."""

    step: Step
    state: StepState
    run: StepRun | None = None
    needs: tuple[Step, ...] = ()
    """What a waiting step waits for."""


@dataclass(frozen=True, slots=True)
class ExhibitView:
    exhibit: Exhibit
    case: Case | None
    uploaded_by: User
    state: ExhibitState
    storage: str
    steps: tuple[StepLine, ...]
    outputs: tuple[Output, ...]
    """Newest first."""
    acts: frozenset[Act]
    accepted: Mapping[str, Mapping[int, Accepted]] = field(default_factory=dict)
    """By the SHA-256 of a redacted copy: findings of its second look that a person took for harmless, by number."""
    doubts: tuple[DoubtRow, ...] = ()
    """Where tracks may be wrong, the most urgent first."""
    filmed: Filmed | None = None
    """None where nobody and no device tells when."""

    @property
    def has_poster(self) -> bool:
        return any(line.step is Step.PROXY and line.state is StepState.DONE for line in self.steps)


def storage_words(exhibit: Exhibit) -> str:
    """`secured` only when the lock was read back and committed; otherwise the plain truth."""
    return SECURED if exhibit.secured_at else STORED_NOT_LOCKED


def step_lines(exhibit: Exhibit, runs: Sequence[StepRun]) -> tuple[StepLine, ...]:
    """Every step that ran, runs or will run by itself, in the order of the graph; then what people asked for."""
    by_step: dict[Step, list[StepRun]] = {}
    for run in runs:
        by_step.setdefault(run.step, []).append(run)
    done = {step for step, some in by_step.items() if all(r.state is StepState.DONE for r in some)}
    lines: list[StepLine] = []
    for step, needs in NEEDS.items():
        if step in by_step:
            lines += [StepLine(step, r.state, r) for r in sorted(by_step[step], key=lambda r: (r.segment, r.created_at))]
        elif _will_come(exhibit, step):
            missing = tuple(n for n in Step if n in needs and n not in done)
            lines.append(StepLine(step, StepState.WAITING, needs=missing))
    lines += [StepLine(step, r.state, r) for step in Step if step not in NEEDS for r in by_step.get(step, [])]
    return tuple(lines)


def _will_come(exhibit: Exhibit, step: Step) -> bool:
    """Whether a step without a row is still to come: only video with frames that decode is analysed."""
    if exhibit.file_type in SIDECARS:
        return False  # its one step has its row from the first moment
    if step is Step.PROBE or exhibit.condition is Condition.UNKNOWN:
        return step is Step.PROBE or exhibit.file_type is FileType.VIDEO
    return exhibit.media is not None and exhibit.media.main_video is not None


def state(exhibit: Exhibit, lines: Sequence[StepLine]) -> ExhibitState:
    """Steps that wait for one that failed do not count as work going on."""
    moving = any(line.state in {StepState.READY, StepState.RUNNING} for line in lines)
    states = [line.state.value for line in lines if moving or line.state is not StepState.WAITING]
    return state_of(exhibit.condition, states)


def whole_view(context: Context, who: SignedIn, exhibit: Exhibit) -> ExhibitView:
    """One exhibit with its outputs; the caller has asked whether he may see it."""
    lines = step_lines(exhibit, context.index.step_runs(exhibit.id))
    case = context.index.case(exhibit.case_id) if exhibit.case_id else None
    return ExhibitView(
        exhibit=exhibit,
        case=case,
        uploaded_by=context.index.user(exhibit.uploaded_by),
        state=state(exhibit, lines),
        storage=storage_words(exhibit),
        steps=lines,
        outputs=tuple(context.index.outputs(exhibit.id)),
        acts=acts_on_exhibit(context, who, exhibit),
        accepted=context.index.accepted(exhibit.id),
        doubts=tuple(context.index.doubts(exhibit.id)),
        filmed=context.index.filmed([exhibit.id], who.user).get(exhibit.id),
    )


def views(
    context: Context, who: SignedIn, exhibits: Sequence[Exhibit], runs: Sequence[StepRun] | None = None
) -> list[ExhibitView]:
    """Those he may see, without their outputs; `runs` are their step runs when the caller has them already."""
    cases: dict[CaseId, tuple[Case, frozenset[Relation]]] = {}
    people: dict[str, User] = {}
    of_exhibit: dict[str | None, list[StepRun]] = {}
    for run in runs or ():
        of_exhibit.setdefault(run.exhibit_id, []).append(run)
    filmed = context.index.filmed([exhibit.id for exhibit in exhibits], who.user)
    found = []
    for exhibit in exhibits:
        case, relations = None, frozenset[Relation]()
        if exhibit.case_id is not None:
            if exhibit.case_id not in cases:
                case_id = exhibit.case_id
                cases[case_id] = (context.index.case(case_id), context.index.relations(who.user, case_id=case_id))
            case, relations = cases[exhibit.case_id]
        if exhibit.uploaded_by == who.user.id:
            relations |= {Relation.OWN}
        acts = acts_in(who, exhibit, relations)
        if Act.SEE_EXHIBIT not in acts:
            continue
        if exhibit.uploaded_by not in people:
            people[exhibit.uploaded_by] = context.index.user(exhibit.uploaded_by)
        own = context.index.step_runs(exhibit.id) if runs is None else of_exhibit.get(exhibit.id, [])
        lines = step_lines(exhibit, own)
        found.append(
            ExhibitView(
                exhibit=exhibit,
                case=case,
                uploaded_by=people[exhibit.uploaded_by],
                state=state(exhibit, lines),
                storage=storage_words(exhibit),
                steps=lines,
                outputs=(),
                acts=acts,
                filmed=filmed.get(exhibit.id),
            )
        )
    return found


def with_files(runs: Sequence[StepRun], outputs: Sequence[Output]) -> list[tuple[StepRun, list[Output]]]:
    """Each run with the outputs it made."""
    return [(run, [o for o in outputs if o.step_run_id == run.id]) for run in runs]

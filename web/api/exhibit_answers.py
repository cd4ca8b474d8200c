"""The JSON that goes out about exhibits: media, steps, outputs, tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import Field

from evidence.exhibit import Exhibit
from evidence.steps import Step, StepRun
from evidence.wire import media_to_json
from storage.index import Accepted, Hit, Output, TrackRow
from web.api.answers import API, Answer, Moment, Person
from web.api.doubt_answers import DoubtList
from web.api.time_answers import FilmedAnswer
from web.exhibit_view import ExhibitView, StepLine
from web.footage import download_name, is_draft, open_findings


class Video(Answer):
    index: int
    codec: str
    pixel_format: str
    size_wh: tuple[int, int]
    rotation_degrees: int
    time_base: str
    start_pts: int
    average_rate: str | None = Field(description="Frames per second, as a fraction: 30000/1001.")
    frame_count: int
    variable_rate: bool
    colour_range: str
    attached_picture: bool


class Audio(Answer):
    index: int
    codec: str
    sample_rate_hz: int
    channels: int


class VideoSegment(Answer):
    number: int
    start_pts: int
    end_pts: int | None
    frame_count: int


class Media(Answer):
    """What the probe found by decoding."""

    container: str
    duration_s: str | None = Field(description="Seconds, as a fraction: 1001/30.")
    video: list[Video]
    audio: list[Audio]
    other_streams: list[str]
    segments: list[VideoSegment]
    condition: str
    note: str
    claimed_capture_time: datetime | None


class StepAnswer(Answer):
    step: str
    state: str = Field(description="waiting, ready, running, done, failed, cancelled or quarantined.")
    run: str | None = Field(description="Id of the step run; null while the step waits for others.")
    waits_for: list[str]
    segment: int = 0
    attempt: int = 0
    frames_done: int = 0
    frames_total: int = 0
    note: str = ""
    error: str = ""
    hint: str = ""
    log_tail: str = ""
    params: dict[str, Any] = Field(default_factory=dict)
    requested_by: str = ""
    cancel_requested: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @classmethod
    def of(cls, run: StepRun) -> StepAnswer:
        return cls(
            step=run.step.value,
            state=run.state.value,
            run=run.id,
            waits_for=[],
            segment=run.segment,
            attempt=run.attempt,
            frames_done=run.progress_done,
            frames_total=run.progress_total,
            note=run.note,
            error=run.error,
            hint=run.hint,
            log_tail=run.log_tail,
            params=dict(run.params),
            requested_by=run.requested_by,
            cancel_requested=run.cancel_requested,
            created_at=run.created_at,
            started_at=run.started_at,
            finished_at=run.finished_at,
        )

    @classmethod
    def line(cls, line: StepLine) -> StepAnswer:
        if line.run is not None:
            return cls.of(line.run)
        return cls(step=line.step.value, state=line.state.value, run=None, waits_for=[n.value for n in line.needs])


class StepList(Answer):
    steps: list[StepAnswer]


class AcceptedAnswer(Answer):
    finding: int = Field(description="Its id in details.report.second_look.findings.")
    reason: str
    by: str
    at: datetime

    @classmethod
    def of(cls, accepted: Accepted) -> AcceptedAnswer:
        return cls(finding=accepted.finding, reason=accepted.reason, by=accepted.made_by, at=accepted.made_at)


class OutputAnswer(Answer):
    name: str
    step: str
    run: str
    url: str
    filename: str
    draft: bool = Field(description="A redacted copy that nobody has approved, or cut from one.")
    open_findings: int | None = Field(
        description="Of a redacted copy: places that a second look found and a person must look at, in "
        "details.report.second_look.findings, without those accepted; null where there was no second look."
    )
    accepted_findings: list[AcceptedAnswer] = Field(default_factory=list, description="Looked at, and found harmless.")
    sha256: str
    size_bytes: int
    content_type: str
    details: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, output: Output, accepted: Mapping[int, Accepted] | None = None) -> OutputAnswer:
        name = quote(output.name, safe="")
        if output.exhibit_id:
            url = f"{API}/exhibits/{output.exhibit_id}/outputs/{name}?run={output.step_run_id}"
        else:
            url = f"{API}/cases/{output.case_id}/exports/{output.step_run_id}/{name}"
        return cls(
            name=output.name,
            step=output.step.value,
            run=output.step_run_id,
            url=url,
            filename=download_name(output),
            draft=is_draft(output),
            open_findings=open_findings(output, accepted or ()),
            accepted_findings=[AcceptedAnswer.of(accepted[number]) for number in sorted(accepted)] if accepted else [],
            sha256=output.sha256,
            size_bytes=output.size_bytes,
            content_type=output.content_type,
            details=dict(output.details),
            created_at=output.created_at,
        )


class ExhibitLine(Answer):
    id: str
    case_id: str | None
    case_reference: str | None
    claimed_case: str
    reference: str
    filename: str
    kind: str
    file_type: str
    sha256: str
    size_bytes: int
    state: str
    condition: str
    note: str
    uploaded_by: Person
    uploaded_at: datetime
    captured_at: datetime | None = Field(description="As the uploader or the device claims it.")
    filmed: FilmedAnswer | None = Field(description="Null where nobody and no device tells when.")
    secured_at: datetime | None = Field(description="Read back, locked, lock read back, committed. Null: not locked.")
    locked_until: datetime | None
    storage: str = Field(description='"secured", or "stored, not locked".')
    poster_url: str | None
    steps: list[StepAnswer]

    @classmethod
    def of(cls, view: ExhibitView) -> ExhibitLine:
        exhibit = view.exhibit
        return cls(
            id=exhibit.id,
            case_id=exhibit.case_id,
            case_reference=view.case.reference if view.case else None,
            claimed_case=exhibit.claimed_case,
            reference=exhibit.reference,
            filename=exhibit.filename,
            kind=exhibit.kind.value,
            file_type=exhibit.file_type.value,
            sha256=exhibit.sha256.hex,
            size_bytes=exhibit.size_bytes,
            state=view.state.value,
            condition=exhibit.condition.value,
            note=exhibit.note,
            uploaded_by=Person.of(view.uploaded_by),
            uploaded_at=exhibit.uploaded_at,
            captured_at=exhibit.captured_at,
            filmed=FilmedAnswer.of(view.filmed) if view.filmed else None,
            secured_at=exhibit.secured_at,
            locked_until=exhibit.locked_until,
            storage=view.storage,
            poster_url=f"{API}/exhibits/{exhibit.id}/outputs/poster.jpg" if view.has_poster else None,
            steps=[StepAnswer.line(line) for line in view.steps],
        )


class ExhibitList(Answer):
    exhibits: list[ExhibitLine]


class WholeExhibit(ExhibitLine):
    device: str
    officer: str
    sidecar_for: str
    folder: str = Field(description="Where it lay, relative to what was sent, as the sender says; empty: unknown.")
    media: Media | None
    outputs: list[OutputAnswer] = Field(description="Newest first; the original is always there under that name.")
    doubts: DoubtList
    acts: list[str] = Field(description="What you may do with it.")

    @classmethod
    def seen(cls, view: ExhibitView) -> WholeExhibit:
        exhibit = view.exhibit
        return cls(
            **ExhibitLine.of(view).model_dump(),
            device=exhibit.device,
            officer=exhibit.officer,
            sidecar_for=exhibit.sidecar_for,
            folder=exhibit.folder,
            media=Media(**media_to_json(exhibit.media)) if exhibit.media else None,
            outputs=[
                OutputAnswer.of(o, view.accepted.get(o.sha256) if o.step is Step.REDACT else None) for o in view.outputs
            ],
            doubts=DoubtList.of(view.doubts, exhibit),
            acts=sorted(a.value for a in view.acts),
        )


class TrayLine(Answer):
    id: str
    claimed_case: str
    reference: str
    filename: str
    kind: str
    size_bytes: int
    officer: str
    uploaded_at: datetime

    @classmethod
    def of(cls, exhibit: Exhibit) -> TrayLine:
        return cls(
            id=exhibit.id,
            claimed_case=exhibit.claimed_case,
            reference=exhibit.reference,
            filename=exhibit.filename,
            kind=exhibit.kind.value,
            size_bytes=exhibit.size_bytes,
            officer=exhibit.officer,
            uploaded_at=exhibit.uploaded_at,
        )


class Tray(Answer):
    exhibits: list[TrayLine]


class Filed(Answer):
    id: str
    case_id: str
    reference: str

    @classmethod
    def of(cls, exhibit: Exhibit) -> Filed:
        return cls(id=exhibit.id, case_id=exhibit.case_id or "", reference=exhibit.reference)


class TrackAnswer(Answer):
    track_id: int
    label: str
    model: str
    first: Moment
    last: Moment
    best: Moment
    first_frame: int
    last_frame: int
    best_frame: int
    best_score: float
    best_box_xyxy: tuple[float, float, float, float] = Field(description="Pixels of the upright picture.")
    frames: int
    thumbnail_url: str | None

    @classmethod
    def of(cls, track: TrackRow) -> TrackAnswer:
        picture = quote(track.thumbnail_output, safe="")
        return cls(
            track_id=track.track_id,
            label=track.label,
            model=track.model,
            first=Moment.at(track.first_pts, track.time_base),
            last=Moment.at(track.last_pts, track.time_base),
            best=Moment.at(track.best_pts, track.time_base),
            first_frame=track.first_frame,
            last_frame=track.last_frame,
            best_frame=track.best_frame,
            best_score=round(track.best_score, 4),
            best_box_xyxy=track.best_box_xyxy,
            frames=track.frames,
            thumbnail_url=f"{API}/exhibits/{track.exhibit_id}/outputs/{picture}" if picture else None,
        )


class TrackList(Answer):
    exhibit: str
    analysis: str = Field(description="SHA-256 of the tracks.json whose tracks these are; empty while it is made anew.")
    tracks: list[TrackAnswer]


class HitAnswer(Answer):
    exhibit: str
    exhibit_reference: str
    filename: str
    kind: str
    case_id: str | None
    case_reference: str
    from_time: datetime | None = Field(description="UTC by the exhibit's clock as it is corrected now.")
    to_time: datetime | None
    time_error_s: float | None = Field(description="The truth is within so many seconds 95 times of 100.")
    claimed_from: str = Field(description="What the clock itself says at from_time, with its zone.")
    clock: str = Field(description="Whose: a telemetry family, or file for what the uploader or the file claims.")
    track: TrackAnswer

    @classmethod
    def of(cls, hit: Hit) -> HitAnswer:
        return cls(
            exhibit=hit.exhibit.id,
            exhibit_reference=hit.exhibit.reference,
            filename=hit.exhibit.filename,
            kind=hit.exhibit.kind.value,
            case_id=hit.exhibit.case_id,
            case_reference=hit.case_reference,
            from_time=hit.from_time,
            to_time=hit.to_time,
            time_error_s=hit.error_s,
            claimed_from=hit.claimed_from,
            clock=hit.clock,
            track=TrackAnswer.of(hit.track),
        )


class Clip(StepAnswer):
    file: OutputAnswer | None = Field(description="Null until it is done.")

    @classmethod
    def of_run(cls, run: StepRun, outputs: Sequence[Output]) -> Clip:
        video = next((o for o in outputs if o.content_type.startswith("video/")), None)
        return cls(**StepAnswer.of(run).model_dump(), file=OutputAnswer.of(video) if video else None)


class ClipList(Answer):
    clips: list[Clip]


class Export(StepAnswer):
    files: list[OutputAnswer]

    @classmethod
    def of_run(cls, run: StepRun, outputs: Sequence[Output]) -> Export:
        return cls(**StepAnswer.of(run).model_dump(), files=[OutputAnswer.of(o) for o in outputs])


class ExportList(Answer):
    exports: list[Export]

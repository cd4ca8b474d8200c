"""Everything an exhibit's page shows, gathered once for the whole page and for the parts that are fetched again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Any

from evidence.case import Act
from evidence.exhibit import Condition, Exhibit, ExhibitState, FileType, VideoInfo
from evidence.steps import Step, StepRun, StepState
from storage.ledger.people import SignedIn
from web import actions
from web.context import Context
from web.exhibit_view import ExhibitView, StepLine
from web.pages import place_words, words
from web.pages.cards import exhibit_path, output_url, share_of
from web.pages.copies import copies, drafts, player_origin
from web.pages.doubt_lines import doubts_seen
from web.pages.rendering import clock, moment, plural, sentence, size
from web.pages.timeline import TrackLine, decimal, lanes, track_lines

_ENDED_BADLY = frozenset({StepState.FAILED, StepState.QUARANTINED})
_SHOWN = {
    "footage": ("Footage", Step.PROXY),
    "boxes": ("With boxes", Step.ANNOTATE),
    "redacted": ("Redacted draft", Step.REDACT),
}
_FALLBACK_FRAME = Fraction(1, 25)


@dataclass(frozen=True, slots=True)
class Source:
    """Something the player can show."""

    key: str
    name: str
    url: str
    download: str


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step as the table and the progress bars show it."""

    name: str
    step: Step
    state: StepState
    run: StepRun | None
    share: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Note:
    title: str
    text: str


def seen(context: Context, who: SignedIn, view: ExhibitView, show: str = "") -> dict[str, Any]:
    """`show`: which copy the player starts with."""
    exhibit, watch = view.exhibit, Act.WATCH in view.acts
    sources = _sources(view) if watch else []
    analysis, rows_seen = actions.tracks(context, who, exhibit.id)
    tracks = track_lines(rows_seen, player_origin(view), watch=watch)
    working = view.state is ExhibitState.WORKING
    rows = [_row(line, view.steps) for line in view.steps]
    return {
        "exhibit": exhibit,
        "state": view.state,
        "working": working,
        "case": view.case,
        "case_path": f"/cases/{view.case.id}" if view.case else "",
        "path_here": exhibit_path(exhibit.id),
        "filmed": _filmed(view),
        "may_see_case": view.case is not None and Act.SEE_CASE in view.acts,
        "may_process": Act.PROCESS in view.acts,
        "may_see_log": Act.SEE_AUDIT in view.acts,
        "is_video": exhibit.file_type is FileType.VIDEO,
        "has_picture": _may_have_picture(exhibit),
        "sources": sources,
        "shown": next((s for s in sources if s.key == show), sources[0] if sources else None),
        "poster": output_url(exhibit.id, "poster.jpg") if watch and view.has_poster else "",
        "frame_s": _frame_s(exhibit),
        "duration": exhibit.media.duration_s if exhibit.media else None,
        "analysis": analysis,
        "tracks": tracks,
        "track_choices": {str(t.row.track_id): _choice(t) for t in tracks},
        "picture_wh": exhibit.media.main_video.upright_size_wh if exhibit.media and exhibit.media.main_video else None,
        "lanes": lanes(tracks),
        "tracks_to_come": working and not _done(view, Step.INDEX),
        "no_tracks": _no_tracks(view),
        "player_version": _version([s.url for s in sources], [t.row.track_id for t in tracks], working and not sources),
        "tracks_version": _version([t.row.track_id for t in tracks], _done(view, Step.INDEX)),
        "copies": copies(view) if watch else [],
        "drafts": drafts(view),
        **doubts_seen(view.doubts, player_origin(view), analysed=_done(view, Step.INDEX)),
        "clip_sources": clip_sources(view),
        "steps": rows,
        "progress": _going_on(rows),
        "failed": [row for row in rows if row.state in _ENDED_BADLY],
        "notes": _notes(view),
    }


def _filmed(view: ExhibitView) -> tuple[str, str] | None:
    """When, by the clock that is known best as it is corrected now, and what that clock itself says."""
    if view.filmed is None:
        return None
    start = view.filmed.start
    claim = place_words.said(view.filmed.clock, view.filmed.claimed_at(0))
    return place_words.corrected(start.utc, start.error_s), f"{claim}; {start.words}"


def facts(view: ExhibitView) -> list[tuple[str, str]]:
    """What is known of the file, for the table about it."""
    exhibit, filmed = view.exhibit, _filmed(view) or ("",)
    found = [
        ("File name", exhibit.filename),
        ("Folder, as it was sent", exhibit.folder),
        ("Size", f"{size(exhibit.size_bytes)} ({exhibit.size_bytes:,} bytes)"),
        ("Kind", f"{words.KIND[exhibit.kind]}, {words.FILE_TYPE[exhibit.file_type].lower()}"),
        ("Uploaded", f"{moment(exhibit.uploaded_at)} by {view.uploaded_by.display_name}"),
        ("Filmed", filmed[0]),
        ("Filmed, as the uploader says", moment(exhibit.captured_at, seconds=True)),
        ("Device", exhibit.device),
        ("Officer", exhibit.officer),
        ("Belongs to", exhibit.sidecar_for),
    ]
    if exhibit.media:
        media = exhibit.media
        if media.claimed_capture_time:
            found.append(("Filmed, as the file says", moment(media.claimed_capture_time, seconds=True)))
        if media.duration_s is not None:
            found.append(("Length", f"{float(media.duration_s):.3f} s"))
        found.append(("Container", media.container))
        found += [("Picture", _picture(video)) for video in media.video if not video.attached_picture]
        found += [
            ("Sound", f"{audio.codec}, {audio.sample_rate_hz:,} Hz, {plural(audio.channels, 'channel')}")
            for audio in media.audio
        ]
        if not media.audio:
            found.append(("Sound", "None"))
        if media.other_streams:
            found.append(("Other streams", ", ".join(media.other_streams)))
    return [(name, value) for name, value in found if value]


def clip_sources(view: ExhibitView) -> dict[str, str]:
    """What a clip can be cut from: copies that are there."""
    found = {"original": "The original"}
    if _done(view, Step.ANNOTATE):
        found["annotated"] = "The copy with boxes"
    if _done(view, Step.REDACT):
        found["redacted"] = "The newest redacted draft"
    return found


def _choice(track: TrackLine) -> str:
    name = sentence(track.row.label, stop=False)
    return f"{name} {track.row.track_id}, {clock(track.start)} to {clock(track.end)}"


def _picture(video: VideoInfo) -> str:
    width, height = video.upright_size_wh
    rate = f"{float(video.average_rate):.3f}".rstrip("0").rstrip(".") + " frames a second" if video.average_rate else ""
    bits = [
        f"{video.codec}, {width} × {height}",
        f"turned by {video.rotation_degrees}°" if video.rotation_degrees else "",
        rate + (", varying" if rate and video.variable_rate else ""),
        plural(video.frame_count, "frame"),
    ]
    return ", ".join(bit for bit in bits if bit)


def _sources(view: ExhibitView) -> list[Source]:
    found = []
    for key, (name, step) in _SHOWN.items():
        newest = next((o for o in view.outputs if o.step is step and o.content_type.startswith("video/")), None)
        if newest:
            of = view.exhibit.id, newest.name, newest.step_run_id
            found.append(Source(key, name, output_url(*of), output_url(*of, download=True)))
    return found


def _frame_s(exhibit: Exhibit) -> str:
    """How long a frame lasts on average, for the buttons that step by one."""
    video = exhibit.media.main_video if exhibit.media else None
    rate = video.average_rate if video else None
    return decimal(1 / rate if rate else _FALLBACK_FRAME)


def _may_have_picture(exhibit: Exhibit) -> bool:
    """Not yet looked at counts: the forms must be there when the picture comes while the page is open."""
    if exhibit.media is None:
        return exhibit.file_type is FileType.VIDEO and exhibit.condition is Condition.UNKNOWN
    return exhibit.media.main_video is not None


def _done(view: ExhibitView, step: Step) -> bool:
    own = [line for line in view.steps if line.step is step]
    return any(line.state is StepState.DONE for line in own)


def _row(line: StepLine, lines: Sequence[StepLine]) -> StepRow:
    name = words.STEP[line.step]
    if line.step is Step.DETECT and sum(other.step is Step.DETECT for other in lines) > 1 and line.run:
        name += f", part {line.run.segment + 1}"
    return StepRow(name, line.step, line.state, line.run, share_of(line), _progress(line))


def _progress(line: StepLine) -> str:
    run = line.run
    if run is None:
        return "after: " + ", ".join(words.STEP[need].lower() for need in line.needs) if line.needs else ""
    if run.cancel_requested and line.state is StepState.RUNNING:
        return "stopping"
    if line.state is StepState.RUNNING:
        if run.progress_total:
            return f"{run.progress_done:,} of {run.progress_total:,} frames"
        return "starting"
    if line.state is StepState.DONE and run.started_at and run.finished_at:
        return f"took {_lasted((run.finished_at - run.started_at).total_seconds())}"
    return f"attempt {run.attempt + 1}" if line.state is StepState.READY and run.attempt else ""


def _lasted(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _going_on(rows: Sequence[StepRow]) -> list[StepRow]:
    running = [row for row in rows if row.state is StepState.RUNNING]
    return running or [row for row in rows if row.state is StepState.READY][:1]


def _notes(view: ExhibitView) -> list[Note]:
    """What the machine did not do, said once and in plain sight."""
    found = {
        line.run.note: Note(line.run.note, _LOOKED_NOT)
        for line in view.steps
        if line.step is Step.DETECT and line.run and line.state is StepState.DONE and line.run.note
    }
    return list(found.values())


_LOOKED_NOT = (
    "What was not looked for is not in the list, not in search, and not hidden in a redaction. "
    "Watch the footage, or have the model added and retry the step."
)


def _no_tracks(view: ExhibitView) -> str:
    if _done(view, Step.INDEX):
        return "The detectors saw nothing that they know. That does not mean that nothing was there."
    return "This file was not analysed." if view.state is not ExhibitState.WORKING else ""


def _version(*of: object) -> str:
    """Changes when what it is made of does: a part of the page is only replaced then."""
    return sha256(repr(of).encode()).hexdigest()[:16]

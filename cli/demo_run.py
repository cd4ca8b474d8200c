"""The acts of the demonstration: a folder of its own, a person, an upload over HTTP, its steps, its copies, the log."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.client import Server
from cli.sending import Claims, Memory, Sender
from cli.steps_view import live_steps, step_name
from cli.up import Machine, Say, local_address
from cli.upload import bars
from config.settings import Settings, load
from evidence.errors import BadInput, Conflict, DigestMismatch, Unavailable
from storage.ledger.people import first_password

USER = "demo"
SHOWN = ("annotated", "redacted", "contact sheet")
"""Files whose paths are told at the end."""
_MARK = ".exhibit-demo"
_PASSED_ON = ("MODELS_DIR", "OBJECT_MODEL", "FACE_MODELS", "PLATE_MODEL", "DETECT_LABELS", "WORKERS", "SEGMENT_S", "PORT")
_LOOK_EVERY_S = 0.3


@dataclass(slots=True)
class Story:
    """What is to be said at the end."""

    exhibit: Mapping[str, Any] = field(default_factory=dict)
    tracks: list[Mapping[str, Any]] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    log: str = ""
    log_ok: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        """Steps that did not end well."""
        return [step_name(step) for step in self.exhibit.get("steps", ()) if step["state"] != "done"]


@contextmanager
def settings_for(folder: Path, store: str, say: Say) -> Iterator[Settings]:
    """Settings of its own: whatever installation this machine is configured for stays out of it."""
    data = folder / "data"
    environ = {f"EXHIBIT_{name}": os.environ.get(f"EXHIBIT_{name}", "") for name in _PASSED_ON}
    overrides: dict[str, Any] = {"data_dir": data, "store": store, "log_level": "INFO"}
    if not environ["EXHIBIT_PORT"]:
        overrides["port"] = 0
    settings = load(overrides, environ)
    _fresh(folder, settings)
    if store == "folder":
        yield settings
        return
    from storage.minio_server import find_or_build, serving

    say("MinIO     looking for the server (built once if it isn't there: about five minutes)")
    binary = find_or_build(Path(os.environ.get("EXHIBIT_CACHE") or Path.home() / ".cache/exhibit"))
    with serving(binary, data / "minio", data / "logs" / "minio.log") as server:
        say(f"MinIO     {server.endpoint}, {binary}")
        yield settings.model_copy(
            update={
                "minio_endpoint": server.endpoint,
                "minio_access_key": server.access_key,
                "minio_secret_key": server.secret_key,
            }
        )


def _fresh(folder: Path, settings: Settings) -> None:
    """An empty folder, ours by its mark. Raises: Conflict for a folder that a demo didn't make, or that one uses now."""
    from storage import embedded

    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise Conflict(f"{folder} holds something else", hint="Empty it, or name another one in EXHIBIT_DEMO_DIR.")
        if embedded.is_running(settings):
            raise Conflict(f"a demo is running in {folder}", hint="Stop it, or name another folder in EXHIBIT_DEMO_DIR.")
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MARK).touch()
        (folder / "results").mkdir()
    except OSError as exc:
        raise BadInput(f"{folder} can't be made: {exc.strerror}", hint="Name another one in EXHIBIT_DEMO_DIR.") from exc


def made_clip(folder: Path, say: Say, story: Story) -> Path:
    """A clip that moves over the photographs of the ultralytics package: nothing is downloaded, nothing is shipped."""
    from media.demo_clip import make_demo_clip

    clip = folder / "demo.mp4"
    with timed(story, "make the clip"):
        make_demo_clip(clip)
    say(f"clip      made from photographs: {clip}")
    return clip


def play(machine: Machine, clip: Path, case: str, folder: Path, console: Console, story: Story) -> str:
    """Everything between *ready* and the last line; the password of the person that it makes."""
    password, token = _person(machine)
    with Server(local_address(machine.settings), token) as server:
        made = server.post("/cases", {"reference": case, "title": "Demonstration"})
        with timed(story, "upload"):
            exhibit_id = _upload(server, clip, made["reference"], folder, console)
        with timed(story, "steps"), live_steps(console) as show:
            while True:
                story.exhibit = server.get(f"/exhibits/{exhibit_id}")
                show(story.exhibit["steps"])
                if story.exhibit["state"] != "working":
                    break
                if (code := machine.web.ended()) is not None:
                    raise Unavailable(f"the web server ended (exit code {code})", hint=f"Log: {machine.web.log}")
                time.sleep(_LOOK_EVERY_S)
        story.tracks = server.get(f"/exhibits/{exhibit_id}/tracks")["tracks"]
        with timed(story, "fetch"):
            _fetch_copies(server, story, folder / "results")
    if "tracks.json" in story.files:
        with timed(story, "contact sheet"):
            story.files["contact sheet"] = _sheet(clip, story.files, folder / "results")
    story.log_ok, story.log = _check_log(machine)
    return password


def _person(machine: Machine) -> tuple[str, str]:
    from evidence.case import Role
    from storage.open import opened

    password = first_password()
    with opened(machine.settings) as storage:
        people = storage.ledger.people
        people.add_user("system:demo", USER, "Demo Investigator", Role.INVESTIGATOR, password, must_change=False)
        return password, people.create_token("system:demo", USER, "exhibit demo", days=1)


def _upload(server: Server, clip: Path, case: str, folder: Path, console: Console) -> str:
    """Bring the clip in as `exhibit upload` does; the exhibit's id."""
    sender = Sender(server, Memory(folder / "uploads"))
    with bars(quiet=False) as bar, bar(clip.name) as progress:
        outcome = sender.send(clip, Claims(case=case, kind="other"), progress)
    if outcome.cause is not None:
        raise outcome.cause
    told = f"  upload    {outcome.state} as {outcome.reference}, sha256 {outcome.sha256}"
    console.print(told, highlight=False, soft_wrap=True)
    return outcome.exhibit


def _fetch_copies(server: Server, story: Story, results: Path) -> None:
    """The annotated and the redacted copy and the record of tracks, over HTTP, each compared with its digest."""
    wanted = {"annotate": "annotated", "redact": "redacted"}
    for output in story.exhibit["outputs"]:
        is_video = output["content_type"].startswith("video/")
        name = wanted.get(output["step"]) if is_video else output["name"] if output["name"] == "tracks.json" else None
        if name is None or name in story.files:
            continue
        path = results / output["filename"]
        if server.fetch(output["url"].removeprefix("/api/v1"), path) != output["sha256"]:
            raise DigestMismatch(f"{path.name} is not what was recorded")
        story.files[name] = path


def _sheet(clip: Path, files: Mapping[str, Path], results: Path) -> Path:
    """A contact sheet of the best moments, made in a media child like everything that decodes."""
    from workers import child

    out = results / ".sheet"
    out.mkdir()
    inputs = {"original": clip, **files}
    child.run(child.Job("sheet", inputs, out), child.Limits(timeout_s=600), _unheard)
    sheet = (out / "sheet.jpg").rename(results / "contact-sheet.jpg")
    shutil.rmtree(out)
    return sheet


def _unheard(done: int, total: int) -> None:
    """A contact sheet is quick: nobody needs its progress."""


def _check_log(machine: Machine) -> tuple[bool, str]:
    from casefile.bag import event_to_json
    from casefile.verify import verify_log
    from storage.open import opened

    with opened(machine.settings) as storage:
        check = verify_log(event_to_json(event) for event in storage.index.audit_events())
    return check.ok, f"true, {check.events} events, each as written" if check.ok else f"false, {check.problem}"


@contextmanager
def timed(story: Story, what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    story.seconds[what] = time.monotonic() - began

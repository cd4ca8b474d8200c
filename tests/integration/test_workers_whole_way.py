"""The whole way of a clip through every step, with real children, and what a person asks for afterwards."""

from __future__ import annotations

import json
import os
import signal
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from casefile.verify import main as verify
from config.settings import Settings
from evidence.case import Case, User
from evidence.errors import Busy, DatabaseDown, ExhibitError, StoreDown
from evidence.exhibit import Condition, Exhibit, FileType
from evidence.mediatime import from_seconds
from evidence.redaction import Hide, Redaction
from evidence.steps import NEEDS, Step, StepRun, StepState
from evidence.wire import moment_to_json, redaction_to_json
from storage.ledger.steps import Result, StepLedger
from tests.installation import Installation, below, commands, installed
from tests.panning import pan_clip
from workers import child
from workers.runner import Runner, held
from workers.stop import Stop

AUTOMATIC = set(NEEDS)


class CountingBell:
    def __init__(self) -> None:
        self.rung = 0

    def ring(self, times: int = 1) -> None:
        self.rung += times


@dataclass(slots=True)
class Workshop:
    """One worker in this process, that is told when to work."""

    house: Installation
    user: User
    case: Case
    bell: CountingBell
    stop: Stop

    def exhibit(self, path: Path, **metadata: str) -> Exhibit:
        return self.house.make.exhibit(self.user, self.case, path.read_bytes(), **metadata)

    def work(self, *steps: Step, **settings: object) -> int:
        chosen = self.house.settings.model_copy(update=settings)
        worker = Runner(
            chosen,
            self.house.storage,
            self.bell,
            "worker-1",
            frozenset(steps or Step),
            self.house.folder / "scratch",
            self.stop,
        )
        return worker.run_all()

    def ask(self, step: Step, exhibit: Exhibit, params: dict[str, object]) -> StepRun:
        """Ask for it, have it done, and see how it ended."""
        asked = self.house.storage.ledger.steps.ask(self.user.name, step, exhibit_id=exhibit.id, params=params)
        self.work()
        return self.house.storage.index.step_run(asked.id)

    def run(self, exhibit: Exhibit, step: Step) -> StepRun:
        (run,) = self.house.runs(exhibit.id, step)
        return run

    def keys(self) -> set[str]:
        return set(self.house.storage.store.list_keys("derived/"))


@pytest.fixture
def shop(settings: Settings, tmp_path: Path) -> Iterator[Workshop]:
    with installed(settings, tmp_path) as house:
        user = house.make.user()
        yield Workshop(house, user, house.make.case(user), CountingBell(), Stop())


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pan_clip(tmp_path_factory.mktemp("clips") / "street.mp4", frames=30, size_wh=(480, 270))


CUE = """1
00:00:00,000 --> 00:00:01,000
2026-07-01 12:00:00.000
[latitude: 52.200013] [longitude: 0.120034] [rel_alt: 50.000 abs_alt: 90.000]
"""


def test_places_that_were_read_are_not_read_again_after_the_tracks(
    shop: Workshop, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[child.Job] = []
    really = child.run

    def seen(job: child.Job, *rest: object) -> dict[str, object]:
        jobs.append(job)
        return really(job, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(child, "run", seen)
    film = shop.exhibit(clip, filename="DJI_0042.MP4")
    beside = shop.house.make.exhibit(shop.user, shop.case, CUE.encode(), FileType.TELEMETRY, filename="DJI_0042.SRT")
    shop.work()
    assert shop.run(film, Step.LOCATE).attempt == 2
    first, again = [
        job.inputs.keys() for job in jobs if job.task == "locate" and job.params["filenames"][0] == "DJI_0042.MP4"
    ]
    assert set(first) == {"original", "sidecar-0"}
    assert set(again) == {"telemetry-0.parquet", "tracks.json"}
    (source,) = shop.house.storage.index.sources(film.id)
    assert (source.family.value, source.carrier_id, source.fixes) == ("DJI SRT", beside.id, 1)


def test_a_clip_goes_the_whole_way_without_yolo_weights_and_says_what_it_did_not_look_for(
    shop: Workshop, clip: Path
) -> None:
    exhibit = shop.exhibit(clip, captured_at="2026-03-01T12:00:00Z")
    index, store = shop.house.storage.index, shop.house.storage.store
    shop.work()

    runs = shop.house.runs(exhibit.id)
    assert {run.step: run.state for run in runs} == dict.fromkeys(AUTOMATIC, StepState.DONE), [r.error for r in runs]
    assert shop.bell.rung >= len(AUTOMATIC) - 1
    assert not list((shop.house.folder / "scratch").iterdir())
    detect = shop.run(exhibit, Step.DETECT)
    assert "objects not analysed: no weights" in detect.note
    assert detect.progress_done == detect.progress_total == 30
    assert index.exhibit(exhibit.id).condition is Condition.READABLE

    outputs = {output.name: output for output in index.outputs(exhibit.id)}
    assert set(outputs) >= {
        "proxy.mp4",
        "poster.jpg",
        "raw-0.parquet",
        "tracks.json",
        "tracks.mot.txt",
        "detections.parquet",
        "annotated.mp4",
        "DRAFT-redacted.mp4",
        "DRAFT-report.json",
    }
    for output in outputs.values():
        assert store.digest(output.key).hex == output.sha256
    assert outputs["DRAFT-redacted.mp4"].details["draft"] is True
    assert "objects" in {line["what"] for line in outputs["DRAFT-redacted.mp4"].details["not_looked_for"]}
    looked = outputs["DRAFT-redacted.mp4"].details["report"]["second_look"]
    assert ([m["name"] for m in looked["models"]], looked["frames_decoded"]) == (["centerface"], 30)
    assert json.loads(b"".join(store.read(outputs["DRAFT-report.json"].key)))["second_look"] == looked
    tracks = index.tracks(exhibit.id)
    assert {track.label for track in tracks} == {"face"}
    assert all(track.thumbnail_output in outputs for track in tracks)

    # Again, without anything changed: the same recipe is never run twice.
    before = shop.keys()
    for step in (Step.DETECT, Step.ANNOTATE):
        shop.house.storage.ledger.steps.retry(shop.user, shop.run(exhibit, step).id)
    shop.work()
    assert {run.state for run in shop.house.runs(exhibit.id)} == {StepState.DONE}
    assert shop.keys() == before
    assert {output.name for output in index.outputs(exhibit.id)} == set(outputs)

    _clips(shop, exhibit)
    _redactions(shop, exhibit)
    _export(shop, exhibit)


def _clips(shop: Workshop, exhibit: Exhibit) -> None:
    span = {"start": moment_to_json(from_seconds("0.2")), "end": moment_to_json(from_seconds("0.6"))}
    for source in ("original", "annotated", "redacted"):
        run = shop.ask(Step.CLIP, exhibit, {"source": source, **span})
        assert run.state is StepState.DONE, run.error
        (output,) = (o for o in shop.house.storage.index.outputs(exhibit.id) if o.step_run_id == run.id)
        assert output.details["report"]["frames"] == 11
        assert output.name.startswith("DRAFT-clip-" if source == "redacted" else "clip-")
        assert len(output.details["source_sha256"]) == 64
    before = shop.keys()
    again = shop.ask(Step.CLIP, exhibit, {"source": "original", **span})
    assert (again.state, shop.keys()) == (StepState.DONE, before)
    assert [o for o in shop.house.storage.index.outputs(exhibit.id) if o.step_run_id == again.id], "it has its own row"


def _redactions(shop: Workshop, exhibit: Exhibit) -> None:
    before = shop.keys()
    for what in (Hide.PEOPLE, Hide.PLATES):
        run = shop.ask(Step.REDACT, exhibit, redaction_to_json(Redaction(what=frozenset({what, Hide.FACES}))))
        assert run.state is StepState.FAILED
        assert run.error == f"{what.value} can't be hidden: nothing has looked for them in this video"
        assert run.hint
    assert shop.keys() == before, "nothing was written"
    muted = {**redaction_to_json(Redaction()), "audio": "mute", "style": "pixelate"}
    run = shop.ask(Step.REDACT, exhibit, muted)
    assert run.state is StepState.DONE
    newest = shop.house.storage.index.outputs(exhibit.id, name="DRAFT-redacted.mp4")[0]
    assert newest.step_run_id == run.id
    assert newest.details["redaction"]["style"] == "pixelate"
    _chosen_tracks(shop, exhibit)


def _chosen_tracks(shop: Workshop, exhibit: Exhibit) -> None:
    """Only those are hidden, and only by the numbers of the analysis that is there."""
    tracks = shop.house.storage.index.outputs(exhibit.id, name="tracks.json")[0]
    only = {"what": frozenset[Hide](), "only_tracks": frozenset({1})}
    run = shop.ask(Step.REDACT, exhibit, redaction_to_json(Redaction(**only, analysis=tracks.sha256)))
    assert run.state is StepState.DONE, run.error
    newest = shop.house.storage.index.outputs(exhibit.id, name="DRAFT-redacted.mp4")[0]
    assert sum(newest.details["report"]["tracks_hidden"].values()) == 1
    assert "track 1 covered" in run.note
    run = shop.ask(Step.REDACT, exhibit, redaction_to_json(Redaction(**only, analysis="0" * 64)))
    assert (run.state, "analysed again" in run.error) == (StepState.FAILED, True)
    run = shop.ask(Step.REDACT, exhibit, redaction_to_json(Redaction(keep_tracks=frozenset({999}))))
    assert (run.state, run.error) == (StepState.FAILED, "this analysis has no track 999")
    assert run.hint.startswith("It has: 1")


def _export(shop: Workshop, exhibit: Exhibit) -> None:
    asked = shop.house.storage.ledger.steps.ask(shop.user.name, Step.EXPORT, case_id=shop.case.id)
    shop.work()
    run = shop.house.storage.index.step_run(asked.id)
    assert run.state is StepState.DONE, run.error
    (output,) = shop.house.storage.index.outputs(case_id=shop.case.id)
    packed = shop.house.folder / "case.zip"
    shop.house.storage.store.fetch(output.key, packed)
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(shop.house.folder / "unpacked")
    (folder,) = (shop.house.folder / "unpacked").iterdir()
    assert verify([str(folder)]) == 0
    record = json.loads((folder / "exhibits.json").read_bytes())
    (entry,) = record["exhibits"]
    assert entry["sha256"] == exhibit.sha256.hex
    assert {file["what"] for file in entry["files"]} >= {"original", "annotate", "redact, draft"}


def test_a_file_that_can_not_be_read_is_evidence_and_says_so(shop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40)
    exhibit = shop.exhibit(tmp_path / "broken.mp4")
    shop.work()
    assert {run.step: run.state for run in shop.house.runs(exhibit.id)} == {Step.PROBE: StepState.DONE}
    found = shop.house.storage.index.exhibit(exhibit.id)
    assert found.condition is Condition.UNREADABLE
    assert found.note


def test_an_original_that_is_not_what_was_recorded_fails_the_step_and_is_not_kept(shop: Workshop, clip: Path) -> None:
    exhibit = shop.exhibit(clip)
    stored = shop.house.settings.data_dir / "store" / exhibit.key
    stored.chmod(0o644)
    with stored.open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff\x00\xff")
    shop.work()
    run = shop.run(exhibit, Step.PROBE)
    assert run.state is StepState.FAILED
    assert "not what was recorded" in run.error
    assert run.hint
    assert not [p for p in (shop.house.settings.cache_dir / "originals").iterdir() if p.suffix != ".lock"]


def test_urgent_cases_first_then_new_evidence_then_what_is_run_again(shop: Workshop, clip: Path, tmp_path: Path) -> None:
    ledger, make = shop.house.storage.ledger, shop.house.make
    old = shop.exhibit(clip)
    shop.work(Step.PROBE)
    ledger.steps.retry(shop.user, shop.run(old, Step.PROBE).id)
    new = shop.exhibit(pan_clip(tmp_path / "new.mp4", frames=5, seed=1))
    urgent_case = make.case(shop.user)
    ledger.cases.change(shop.user, urgent_case.id, urgent=True)
    urgent = make.exhibit(shop.user, urgent_case, pan_clip(tmp_path / "urgent.mp4", frames=5, seed=2).read_bytes())
    shop.work(Step.PROBE)
    started = {name: shop.run(exhibit, Step.PROBE).started_at for name, exhibit in (("urgent", urgent), ("new", new))}
    again = shop.run(old, Step.PROBE).started_at
    assert started["urgent"] is not None
    assert started["new"] is not None
    assert again is not None
    assert started["urgent"] < started["new"] < again


def test_a_part_that_is_down_puts_the_step_back_for_later(
    shop: Workshop, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exhibit = shop.exhibit(clip)
    store = type(shop.house.storage.store)

    def down(*_: object, **__: object) -> object:
        raise StoreDown("the store can't be reached")

    with monkeypatch.context() as patch:
        patch.setattr(store, "read", down)
        assert shop.work(Step.PROBE) == 1, "and not again at once"
    run = shop.run(exhibit, Step.PROBE)
    assert (run.state, run.error, run.killed) == (StepState.READY, "the store can't be reached", 0)
    shop.house.until(lambda: shop.work(Step.PROBE), timeout_s=10, every_s=0.2)
    assert shop.run(exhibit, Step.PROBE).state is StepState.DONE


def test_a_result_waits_for_rows_that_others_hold(shop: Workshop, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exhibit = shop.exhibit(clip)
    ledger, held = type(shop.house.storage.ledger.steps), [True]
    finish = ledger.finish

    def held_once(steps: StepLedger, run: StepRun, result: Result) -> int:
        if held:
            held.pop()
            raise Busy("somebody else was changing the same thing")
        return finish(steps, run, result)

    monkeypatch.setattr(ledger, "finish", held_once)
    assert shop.work(Step.PROBE) == 1
    run = shop.run(exhibit, Step.PROBE)
    assert (run.state, run.attempt) == (StepState.DONE, 1), "what was made is not thrown away"


def test_an_export_is_handed_back_in_the_middle_of_a_file(
    shop: Workshop, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.exhibit(clip)
    asked = shop.house.storage.ledger.steps.ask(shop.user.name, Step.EXPORT, case_id=shop.case.id)
    read_on: list[int] = []

    def told_meanwhile(*_: object, **__: object) -> Iterator[bytes]:
        shop.stop.ask()
        for number in range(3):
            read_on.append(number)
            yield b"a long recording"

    monkeypatch.setattr(type(shop.house.storage.store), "read", told_meanwhile)
    shop.work(Step.EXPORT)
    run = shop.house.storage.index.step_run(asked.id)
    assert (run.state, run.killed) == (StepState.READY, 0)
    assert read_on == [0]


@pytest.mark.parametrize("passing", [Busy("held"), DatabaseDown("restarting")])
def test_a_lease_outlives_what_passes(shop: Workshop, clip: Path, passing: ExhibitError) -> None:
    shop.exhibit(clip)
    run = shop.house.storage.ledger.steps.claim("worker-1", frozenset(Step), timedelta(seconds=30))
    assert run is not None
    asked: list[StepRun] = []

    def renew(run: StepRun, lease: timedelta) -> bool:
        del lease
        asked.append(run)
        if len(asked) == 1:
            raise passing
        return True

    with held(renew, run, timedelta(milliseconds=30)) as lost:
        shop.house.until(lambda: len(asked) > 2, every_s=0.01)
        assert not lost.is_set()


def test_a_fault_of_the_program_fails_one_step_and_never_stops_the_queue(
    shop: Workshop, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.tools import Tools

    first, second = shop.exhibit(clip), shop.exhibit(pan_clip(tmp_path / "b.mp4", frames=5, seed=1))
    real = Tools.exhibit

    def faulty(tools: Tools, run: StepRun) -> Exhibit:
        if run.exhibit_id == first.id:
            raise KeyError("a secret name")
        return real(tools, run)

    monkeypatch.setattr(Tools, "exhibit", faulty)
    assert shop.work(Step.PROBE) == 2
    failed = shop.run(first, Step.PROBE)
    assert failed.state is StepState.FAILED
    assert failed.error == "the step probe ended with a fault of the program (KeyError)"
    assert "Traceback" in failed.log_tail
    assert shop.run(second, Step.PROBE).state is StepState.DONE


def test_a_step_that_gets_no_further_is_stopped_and_tried_again(shop: Workshop, clip: Path) -> None:
    exhibit = shop.exhibit(clip)
    shop.work(Step.PROBE)

    def guard_and_task() -> list[int]:
        found = [pid for pid, command in commands(below(os.getpid())).items() if "child_main" in command]
        return found if len(found) == 2 else []

    def freeze_the_first() -> None:
        task, _guard = shop.house.until(guard_and_task)
        os.kill(task, signal.SIGSTOP)

    freezing = threading.Thread(target=freeze_the_first)
    freezing.start()
    shop.work(Step.DETECT, step_silence_s=3)
    freezing.join()
    run = shop.run(exhibit, Step.DETECT)
    assert (run.state, run.attempt) == (StepState.DONE, 2)

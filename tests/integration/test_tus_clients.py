"""Real clients against the real server: tuspy, `exhibit upload`, `exhibit watch`."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient
from typer.testing import CliRunner

from cli.client import Server
from cli.exit_codes import ExitCode
from cli.main import app
from cli.sending import PIECE_BYTES, Claims, Memory, Sender
from cli.watch import DropFolder, Taken
from evidence.case import Role
from evidence.errors import BadInput, Busy, CaseClosed, NotSignedIn, Unavailable
from tests.served import Person, Served, own_settings, served
from tests.services import Services
from tests.speaking_tus import video_bytes

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nGPS(1,2,3)\n"


@pytest.fixture(scope="module")
def here(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("clients")
    with own_settings(services, folder) as settings, served(settings, receiver=True) as running:
        yield running


@pytest.fixture
def officer(here: Served) -> Person:
    return here.person(Role.OFFICER)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def run(here: Served, person: Person | None, *arguments: str) -> tuple[int, Any]:
    environ = {"EXHIBIT_SERVER": here.base_url, "EXHIBIT_TOKEN": person.token if person else ""}
    result = CliRunner().invoke(app, list(arguments), env=environ)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def uploaded(here: Served, person: Person, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code, said = run(here, person, "upload", *arguments, "--json")
    return code, json.loads(said)["uploads"]


# --- tuspy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checked", [False, True])
def test_tuspy_uploads_and_resumes(here: Served, officer: Person, checked: bool) -> None:
    data = video_bytes(3 * 2**20 + 17, 1 + checked)
    client = TusClient(f"{here.base_url}/uploads/", headers=dict(officer.headers))
    first = client.uploader(
        file_stream=io.BytesIO(data),
        chunk_size=700_000,
        metadata={"filename": "clip.mp4", "case": "TUSPY/1", "kind": "drone"},
        upload_checksum=checked,
    )
    first.upload(stop_at=2 * 2**20)
    again = client.uploader(file_stream=io.BytesIO(data), url=first.url, chunk_size=700_000, upload_checksum=checked)
    assert again.offset == first.offset
    again.upload()
    for _ in range(200):
        if exhibit := here.storage.index.exhibits_by(officer.user):
            break
        threading.Event().wait(0.05)
    assert [e.sha256.hex for e in exhibit] == [hashlib.sha256(data).hexdigest()]


# --- exhibit upload -------------------------------------------------------------------------------------------------


def test_upload_brings_files_in_with_their_sidecars(here: Served, officer: Person, tmp_path: Path) -> None:
    case = here.make.case(reference="CLI/1")
    clip, srt = tmp_path / "DJI_0042.MP4", tmp_path / "DJI_0042.SRT"
    clip.write_bytes(video_bytes(PIECE_BYTES + 999, 3))
    srt.write_bytes(SRT)
    code, outcomes = uploaded(here, officer, str(srt), str(clip), "--case", "CLI/1", "--kind", "drone", "--officer", "PC 7")
    assert code == 0
    main, sidecar = outcomes
    assert (main["file"], main["state"], main["case"]) == (str(clip), "stored", "CLI/1")
    assert main["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
    exhibit = here.storage.index.exhibit(main["exhibit"])
    assert (exhibit.case_id, exhibit.reference, exhibit.officer) == (case.id, main["reference"], "PC 7")
    assert here.storage.index.exhibit(sidecar["exhibit"]).sidecar_for == main["exhibit"]


def test_upload_tells_in_which_folder_a_file_lies_and_nothing_above(here: Served, officer: Person, tmp_path: Path) -> None:
    here.make.case(reference="CLI/2")
    for number, name in enumerate(("100/a.mp4", "101/b.mp4")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(video_bytes(5000 + number, 5))
    code, outcomes = uploaded(here, officer, *map(str, sorted(tmp_path.glob("*/*"))), "--case", "CLI/2", "--kind", "drone")
    assert code == 0
    assert [here.storage.index.exhibit(one["exhibit"]).folder for one in outcomes] == ["100", "101"]


def test_run_again_it_tells_the_same_and_sends_nothing(here: Served, officer: Person, tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(video_bytes(5000, 4))
    first = uploaded(here, officer, str(clip), "--case", "AGAIN/1", "--kind", "phone")
    before = here.last_event()
    assert uploaded(here, officer, str(clip), "--case", "AGAIN/1", "--kind", "phone") == first
    assert "upload started" not in here.events(before)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip.read_bytes())
    code, (outcome,) = uploaded(here, officer, str(copy), "--case", "AGAIN/1", "--kind", "phone")
    assert (code, outcome["state"], outcome["exhibit"]) == (0, "duplicate", first[1][0]["exhibit"])


def test_cut_off_it_goes_on_where_it_stopped(here: Served, officer: Person, tmp_path: Path) -> None:
    clip = tmp_path / "long.mp4"
    clip.write_bytes(video_bytes(3 * PIECE_BYTES + 5, 5))
    claims = Claims(case="CUT/1", kind="bodyworn")

    class Cut(Exception):
        pass

    def cut(done: int, total: int) -> None:
        if done >= 2 * PIECE_BYTES:
            raise Cut

    sent: list[int] = []
    with Server(here.base_url, officer.token) as server:
        with pytest.raises(Cut):
            Sender(server, Memory()).send(clip, claims, cut)
        outcome = Sender(server, Memory()).send(clip, claims, lambda done, total: sent.append(done))
    assert sent[0] == 2 * PIECE_BYTES
    assert outcome.state == "stored"
    assert outcome.sha256 == hashlib.sha256(clip.read_bytes()).hexdigest()


def test_a_server_that_is_away_for_a_moment_is_waited_for(here: Served, officer: Person, tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(video_bytes(PIECE_BYTES + 5, 6))
    pauses: list[float] = []

    class Flaky(Server):
        failures = 4

        def append(self, address: str, offset: int, data: bytes) -> int:
            if self.failures:
                self.failures -= 1
                raise Unavailable("the network went away")
            return super().append(address, offset, data)

    with Flaky(here.base_url, officer.token) as server:
        sender = Sender(server, Memory(), pause=pauses.append)
        assert sender.send(clip, Claims("X/1", "phone"), lambda *_: None).state == "stored"
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]


def test_a_file_that_changes_while_it_is_sent_is_not_passed_off_as_itself(
    here: Served, officer: Person, tmp_path: Path
) -> None:
    clip = tmp_path / "growing.mp4"
    clip.write_bytes(video_bytes(2 * PIECE_BYTES, 7))

    def grow(done: int, total: int) -> None:
        if done == PIECE_BYTES:
            with clip.open("ab") as stream:
                stream.write(b"more")

    with Server(here.base_url, officer.token) as server:
        outcome = Sender(server, Memory()).send(clip, Claims("X/1", "phone"), grow)
    assert (outcome.state, outcome.exhibit) == ("refused", "")
    assert "changed while" in outcome.error


def test_refusals_have_words_a_hint_and_an_exit_code(here: Served, officer: Person, tmp_path: Path) -> None:
    owner = here.make.user()
    closed = here.make.case(owner, "SHUT/1")
    here.storage.ledger.cases.change(owner, closed.id, closed=True)
    clip, text = tmp_path / "clip.mp4", tmp_path / "text.mp4"
    clip.write_bytes(video_bytes(5000, 8))
    text.write_bytes(b"no film\n" * 100)
    code, (refused,) = uploaded(here, officer, str(text), "--case", "OPEN/9", "--kind", "phone")
    assert (code, refused["state"]) == (ExitCode.WRONG_USE, "refused")
    assert "text file" in refused["error"]
    assert refused["hint"]
    code, (refused,) = uploaded(here, officer, str(clip), "--case", "SHUT/1", "--kind", "phone")
    assert (code, refused["state"]) == (ExitCode.REFUSED, "refused")
    assert "closed" in refused["error"]
    with pytest.raises(NotSignedIn):
        run(here, Person(officer.user, "wrong"), "upload", str(clip), "--case", "X/1", "--kind", "phone")
    with pytest.raises(BadInput, match="no token"):
        run(here, None, "upload", str(clip), "--case", "X/1", "--kind", "phone")
    with pytest.raises(BadInput, match="can't be read"):
        run(here, officer, "upload", str(tmp_path / "misspelt.mp4"), "--case", "X/1", "--kind", "phone")
    assert run(here, officer, "upload", str(clip), "--case", "X/1", "--kind", "satellite")[0] == ExitCode.WRONG_USE


@pytest.mark.parametrize("address", ["ftp://x", "exhibit.example", "http://exhibit.example"])
def test_a_token_never_travels_in_the_open(address: str) -> None:
    with pytest.raises(BadInput):
        Server(address, "token")


def test_a_server_that_is_not_there_is_said() -> None:
    with Server("http://127.0.0.1:9", "token") as server, pytest.raises(Unavailable, match="can't be reached"):
        server.get("/me")


# --- exhibit watch --------------------------------------------------------------------------------------------------


class Drop:
    """A drop folder, watched by hand: time passes when the test says so."""

    def __init__(self, server: Server, folder: Path, case: str) -> None:
        self.server, self.folder, self.said = server, folder, Claims(case, "bodyworn")
        folder.mkdir(exist_ok=True)
        self.now = 0.0
        self.told: list[tuple[str, str]] = []
        self.restart()

    def restart(self) -> None:
        """A new program on the same folder."""
        self.taken = Taken.of(self.folder, self.server.address, self.said)
        if self.taken.place.exists():
            self.taken.files = json.loads(self.taken.place.read_text())
        self.drop = DropFolder(
            self.folder,
            self.said,
            Sender(self.server, Memory()),
            self.taken,
            settle_s=10,
            tell=lambda outcome: self.told.append((Path(outcome.file).name, outcome.state)),
            clock=lambda: self.now,
        )
        self.taken.place.parent.mkdir(parents=True, exist_ok=True)

    def look(self, after: float = 11) -> list[tuple[str, str]]:
        """What was taken in, `after` seconds later."""
        self.now += after
        before = len(self.told)
        self.drop.look(patient=True)
        return self.told[before:]


@pytest.fixture
def server(here: Served, officer: Person) -> Iterator[Server]:
    with Server(here.base_url, officer.token) as opened:
        yield opened


def test_each_finished_file_is_taken_exactly_once(here: Served, officer: Person, server: Server, tmp_path: Path) -> None:
    drop = Drop(server, tmp_path / "drop", "WATCH/1")
    (drop.folder / "a.mp4").write_bytes(video_bytes(3000, 20))
    (drop.folder / "deep").mkdir()
    (drop.folder / "deep" / "b.mp4").write_bytes(video_bytes(3000, 21))
    assert drop.look() == []  # Seen for the first time: it may still be growing.
    with (drop.folder / "a.mp4").open("ab") as stream:
        stream.write(b"more")
    assert drop.look() == [("b.mp4", "stored")]
    assert drop.look() == [("a.mp4", "stored")]
    assert drop.look() == []
    drop.restart()
    assert drop.look() == []
    assert drop.look() == []
    os.utime(drop.folder / "a.mp4")  # Touched, not changed: the server knows its bytes.
    assert drop.look() + drop.look() == [("a.mp4", "duplicate")]
    assert len(here.storage.index.exhibits_by(officer.user)) == 2
    assert sorted(p.name for p in drop.folder.rglob("*.mp4")) == ["a.mp4", "b.mp4"]


def test_what_isnt_whole_hidden_or_a_link_is_left_alone(
    here: Served, officer: Person, server: Server, tmp_path: Path
) -> None:
    drop = Drop(server, tmp_path / "drop", "WATCH/2")
    other = tmp_path / "elsewhere.mp4"
    other.write_bytes(video_bytes(3000, 22))
    (drop.folder / "link.mp4").symlink_to(other)
    for name in ("a.mp4.part", ".b.mp4", "c.crdownload"):
        (drop.folder / name).write_bytes(video_bytes(3000, 23))
    assert drop.look() + drop.look() + drop.look(100) == []


def test_sidecars_wait_for_their_recording_and_are_linked(
    here: Served, officer: Person, server: Server, tmp_path: Path
) -> None:
    drop = Drop(server, tmp_path / "drop", "WATCH/3")
    (drop.folder / "DJI_1.SRT").write_bytes(SRT)
    (drop.folder / "alone.gpx").write_bytes(b"<gpx></gpx>")
    assert drop.look() + drop.look() == []
    clip = drop.folder / "DJI_1.MP4"
    clip.write_bytes(video_bytes(3000, 24))
    assert drop.look() == []
    assert drop.look() == [("DJI_1.MP4", "stored"), ("DJI_1.SRT", "stored")]
    (drop.folder / "dji_1.csv").write_bytes(b"a,b\n1,2\n3,4\n")
    assert drop.look() + drop.look() == [("dji_1.csv", "stored")]
    assert drop.look(60) == [("alone.gpx", "stored")]
    found = {e.filename: e for e in here.storage.index.exhibits_by(officer.user)}
    assert found["DJI_1.SRT"].sidecar_for == found["dji_1.csv"].sidecar_for == found["DJI_1.MP4"].id
    assert found["alone.gpx"].sidecar_for == ""
    deeper = drop.folder / "card" / "DCIM" / "a.mp4"
    deeper.parent.mkdir(parents=True)
    deeper.write_bytes(video_bytes(3000, 25))
    assert drop.look() + drop.look() == [("a.mp4", "stored")]
    told = {e.filename: e.folder for e in here.storage.index.exhibits_by(officer.user)}
    assert (told["a.mp4"], told["DJI_1.MP4"]) == ("card/DCIM", "")


def test_a_refusal_is_said_once_and_looked_at_again_when_the_file_changes(
    here: Served, officer: Person, server: Server, tmp_path: Path
) -> None:
    drop = Drop(server, tmp_path / "drop", "WATCH/4")
    bad = drop.folder / "bad.mp4"
    bad.write_bytes(b"")
    assert drop.look() + drop.look() == [("bad.mp4", "refused")]
    drop.restart()
    assert drop.look() + drop.look() == []
    bad.write_bytes(video_bytes(3000, 25))
    assert drop.look() + drop.look() == [("bad.mp4", "stored")]


def test_a_closed_case_ends_it_and_costs_no_file(here: Served, officer: Person, server: Server, tmp_path: Path) -> None:
    owner = here.make.user()
    case = here.make.case(owner, "WATCH/5")
    here.storage.ledger.cases.change(owner, case.id, closed=True)
    drop = Drop(server, tmp_path / "drop", "WATCH/5")
    (drop.folder / "a.mp4").write_bytes(video_bytes(3000, 26))
    drop.look()
    with pytest.raises(CaseClosed):
        drop.look()
    here.storage.ledger.cases.change(owner, case.id, closed=False)
    drop.restart()
    assert drop.look() + drop.look() == [("a.mp4", "stored")]


def test_a_server_out_of_reach_is_waited_for(
    here: Served, officer: Person, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = Drop(server, tmp_path / "drop", "WATCH/6")
    (drop.folder / "a.mp4").write_bytes(video_bytes(3000, 27))

    def away(*_: object) -> str:
        raise Unavailable("no network")

    with monkeypatch.context() as patch:
        patch.setattr(drop.server, "create_upload", away)
        assert drop.look() + drop.look() == []
        with pytest.raises(Unavailable):
            drop.drop.look(patient=False)
    assert drop.look() == [("a.mp4", "stored")]


def test_the_command_takes_a_folder_in_once_and_no_second_one_may(
    here: Served, officer: Person, server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(video_bytes(3000, 28))
    shutil.copy(folder / "a.mp4", folder / "b.mp4")
    options = ("watch", str(folder), "--case", "WATCH/7", "--kind", "cctv", "--once", "--settle", "0.2", "--every", "0.1")
    code, said = run(here, officer, *options, "--json")
    assert code == 0
    assert [json.loads(line)["state"] for line in said.splitlines()] == ["stored", "duplicate"]
    assert run(here, officer, *options, "--json") == (0, "")
    (folder / "c.mp4").write_text("no video at all, only words")
    assert run(here, officer, *options)[0] == 2
    assert run(here, officer, *options) == (2, ""), "it is still not in"
    (folder / "c.mp4").unlink()
    assert run(here, officer, *options)[0] == 0
    with Taken.of(folder, here.base_url, Claims("WATCH/7", "cctv")).held(), pytest.raises(Busy):
        run(here, officer, *options)
    with pytest.raises(BadInput):
        run(here, officer, "watch", str(tmp_path / "none"), "--case", "X", "--kind", "cctv")

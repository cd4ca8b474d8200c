"""The second look on a real network that is on every machine: what is open is found, what is hidden is not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cli.main import run as run_command
from config.settings import Settings, load
from evidence.errors import IntegrityError
from evidence.findings import hidden_share
from evidence.redaction import Hide, Margin, Redaction, Style
from evidence.track import Track
from evidence.wire import redaction_to_json, track_from_json, track_to_json
from media.frames import read_frames
from tests.panning import pan_clip
from workers import models
from workers.alone import Bench
from workers.tasks import redact, second_look

FRAMES = 40
EXACT = Margin(0.15, 0, 0)


def unheard(done: int, total: int) -> None:
    del done, total


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A machine without any weights but those in the installed packages."""
    folder = tmp_path_factory.mktemp("data")
    return load({"data_dir": folder}, {"EXHIBIT_MODELS_DIR": str(folder / "none")})


@dataclass(frozen=True)
class Seen:
    """A clip with two faces, and the analysis of it."""

    clip: Path
    analysis: dict[str, Any]

    @property
    def tracks(self) -> list[Track]:
        return [track_from_json(value) for value in self.analysis["tracks"]]


@pytest.fixture(scope="module")
def seen(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("clip")
    clip = pan_clip(folder / "clip.mp4", frames=FRAMES)
    work = Bench(settings, folder, lambda name: _Quiet())
    found = work.analyse(clip, ["face"])
    analysis = json.loads((found.folder / "tracks.json").read_bytes())
    long = [track for track in analysis["tracks"] if len(track["pts"]) == FRAMES]
    assert len(long) == 2, "the two faces are there all the time"
    return Seen(clip, {**analysis, "tracks": long})


class _Quiet:
    def __enter__(self) -> Any:
        return unheard

    def __exit__(self, *_: object) -> None:
        pass


def copy_of(seen: Seen, out: Path, tracks: Sequence[Track], redaction: Redaction) -> dict[str, Path]:
    """A copy in which only `tracks` are hidden, and what the second look takes."""
    out.mkdir(exist_ok=True)
    told = out / "tracks.json"
    told.write_text(json.dumps({**seen.analysis, "tracks": [track_to_json(track) for track in tracks]}), "utf-8")
    params = {"redaction": redaction_to_json(redaction), "preset": "ultrafast"}
    redact.run({"original": seen.clip, "tracks.json": told}, params, out, unheard)
    return {"copy": out / "redacted.mp4", "tracks.json": told}


def look(settings: Settings, inputs: dict[str, Path], redaction: Redaction, out: Path) -> dict[str, Any]:
    out.mkdir()
    params = models.second_look_params(settings, unheard, redaction, {"centerface"})
    return second_look.run(inputs, params, out, unheard)


def without(track: Track, first: int, end: int) -> list[Track]:
    """The track in two pieces, with nothing on the frames from `first` to `end`."""
    pieces = [track.boxes[:first], track.boxes[end:]]
    return [Track(track.id + 10 * n, track.label, track.model, track.time_base, piece) for n, piece in enumerate(pieces)]


@pytest.mark.parametrize("style", Style)
def test_masks_are_no_findings_however_they_are_painted(
    settings: Settings, seen: Seen, tmp_path: Path, style: Style
) -> None:
    redaction = Redaction(style=style)
    inputs = copy_of(seen, tmp_path / "copy", seen.tracks, redaction)
    report = look(settings, inputs, redaction, tmp_path / "look")
    assert (report["open"], report["findings"]) == (0, [])
    assert report["frames_decoded"] == FRAMES
    assert FRAMES // report["every"] <= report["frames_looked_at"] <= FRAMES
    assert list((tmp_path / "look").iterdir()) == []


def test_a_face_left_open_is_found_with_frame_time_box_and_picture_and_mended(
    settings: Settings, seen: Seen, tmp_path: Path
) -> None:
    hidden, left_open = seen.tracks
    redaction = Redaction()
    inputs = copy_of(seen, tmp_path / "copy", [hidden], redaction)
    report = look(settings, inputs, redaction, tmp_path / "look")
    assert report["open"] == 1
    assert [(m["name"], m["mirrored"]) for m in report["models"]] == [("centerface", True)]
    (finding,) = report["findings"]
    assert finding["label"] == "face"
    assert finding["at"]["pts"] == seen.analysis["frame_pts"][finding["frame"]]
    assert finding["first"]["frame"] == 0
    assert finding["last"]["frame"] >= FRAMES - report["every"]
    x0, y0, x1, y1 = left_open.boxes[finding["frame"]].box_xyxy
    assert hidden_share((x0, y0, x1, y1), [tuple(finding["box_xyxy"])]) > 0.5
    with Image.open(tmp_path / "look" / finding["picture"]) as picture:
        crop = np.asarray(picture.convert("RGB"), np.int16)
    with read_frames(inputs["copy"], 0) as reader:
        frame = next(f.rgb() for f in reader if f.index == finding["frame"]).astype(np.int16)
    height, width = crop.shape[:2]
    places = [
        float(np.abs(frame[y : y + height, x : x + width] - crop).mean())
        for y in range(frame.shape[0] - height + 1)
        for x in range(max(0, int(x0) - 2 * width), min(int(x0), frame.shape[1] - width) + 1)
    ]
    assert min(places) < 6, "the picture is a piece of that frame of the copy"

    mended = [track_from_json(value) for value in json.loads((tmp_path / "look/tracks.json").read_bytes())["tracks"]]
    assert [track.id for track in mended] == [hidden.id, hidden.id + 1]
    again = copy_of(seen, tmp_path / "again", mended, redaction)
    assert look(settings, again, redaction, tmp_path / "looked")["open"] == 0


@pytest.mark.parametrize(("first", "end"), [(13, 14), (22, 24)])
def test_a_hole_shorter_than_the_stride_is_looked_into(
    settings: Settings, seen: Seen, tmp_path: Path, first: int, end: int
) -> None:
    one, other = seen.tracks
    redaction = Redaction(margin=EXACT)
    inputs = copy_of(seen, tmp_path / "copy", [*without(one, first, end), other], redaction)
    report = look(settings, inputs, redaction, tmp_path / "look")
    assert report["every"] == 5
    assert [finding["frame"] in range(first, end) for finding in report["findings"]] == [True]


def test_a_track_that_is_left_open_by_name_is_accepted(settings: Settings, seen: Seen, tmp_path: Path) -> None:
    redaction = Redaction(keep_tracks=frozenset({seen.tracks[0].id}))
    inputs = copy_of(seen, tmp_path / "copy", seen.tracks, redaction)
    report = look(settings, inputs, redaction, tmp_path / "look")
    assert report["open"] == 0
    assert report["hits_accepted"] > 0


def test_a_copy_with_other_frames_than_were_analysed_is_refused(settings: Settings, seen: Seen, tmp_path: Path) -> None:
    redaction = Redaction()
    inputs = copy_of(seen, tmp_path / "copy", seen.tracks, redaction)
    for number, change in enumerate((-1, 1)):
        pts = seen.analysis["frame_pts"]
        pts = pts[:change] if change < 0 else [*pts, pts[-1] + 1]
        told = {**seen.analysis, "tracks": [], "frame_count": len(pts), "frame_pts": pts}
        inputs["tracks.json"].write_text(json.dumps(told), "utf-8")
        with pytest.raises(IntegrityError, match="frames"):
            look(settings, inputs, redaction, tmp_path / f"look-{number}")


def test_what_is_chosen_by_hand_or_is_no_face_is_not_looked_for_again(settings: Settings) -> None:
    def detectors(redaction: Redaction) -> list[str]:
        return [d["name"] for d in models.second_look_params(settings, unheard, redaction, ())["detectors"]]

    assert detectors(Redaction()) == ["centerface"]
    assert detectors(Redaction(what=frozenset({Hide.PEOPLE}))) == []
    assert detectors(Redaction(what=frozenset(), only_tracks=frozenset({3}))) == []
    plates = models.second_look_params(settings, unheard, Redaction(what=frozenset({Hide.PLATES})), ())
    assert plates["detectors"] == []
    assert [line["what"] for line in plates["not_looked_for"]] == ["plates"]


def test_another_model_than_the_first_looks_where_there_is_one(settings: Settings) -> None:
    first = models.second_look_params(settings, unheard, Redaction(), {"yunet"})["detectors"]
    assert [(d["name"], d["mirrored"]) for d in first] == [("centerface", False)]


class TestTheCommand:
    """`exhibit redact --tracks` with an analysis in which one face is missing."""

    @pytest.fixture
    def found(self, seen: Seen, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("EXHIBIT_DATA_DIR", str(settings.data_dir))
        monkeypatch.setenv("EXHIBIT_MODELS_DIR", str(tmp_path / "no-models"))
        folder = tmp_path / "found"
        folder.mkdir()
        import hashlib

        told = {
            **seen.analysis,
            "tracks": seen.analysis["tracks"][:1],
            "original_sha256": hashlib.sha256(seen.clip.read_bytes()).hexdigest(),
        }
        (folder / "tracks.json").write_text(json.dumps(told), "utf-8")
        return folder

    def redact(self, seen: Seen, found: Path, *more: str) -> tuple[int, dict[str, Any]]:
        report = found.parent / "report.json"
        copy = found.parent / "copy.mp4"
        arguments = ["redact", str(seen.clip), "-o", str(copy), "--what", "faces", "--tracks", str(found)]
        with pytest.raises(SystemExit) as ended:
            run_command([*arguments, "--report", str(report), *more])
        assert copy.exists()
        told: dict[str, Any] = json.loads(report.read_bytes())
        return int(ended.value.code or 0), told["second_look"]

    def test_ends_with_3_when_places_are_open(self, seen: Seen, found: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, told = self.redact(seen, found)
        assert (code, told["open"]) == (3, 1)
        pictures = found.parent / "copy-findings"
        assert [p.name for p in pictures.iterdir()] == [told["findings"][0]["picture"]]
        assert pictures.stat().st_mode & 0o077 == 0
        assert "one place to look at" in capsys.readouterr().out

    def test_mends_what_it_finds(self, seen: Seen, found: Path) -> None:
        code, told = self.redact(seen, found, "--mend")
        assert (code, told["open"], told["mended"]) == (0, 0, [1])
        assert not (found.parent / "copy-findings").exists()

    def test_does_not_look_when_told_so(self, seen: Seen, found: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, told = self.redact(seen, found, "--no-second-look")
        assert (code, told["models"]) == (0, [])
        assert "Nothing looked" in capsys.readouterr().out

"""A few looks a second: the tracks of a generated clip are those of all frames, and nothing is hidden by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
from evidence.errors import IntegrityError
from evidence.wire import track_from_json
from tests.panning import pan_clip
from workers.tasks import analysis as analyses


def exhibit(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        run([str(a) for a in arguments])
    return int(ended.value.code or 0)


def lasting(whole: dict[str, Any]) -> list[tuple[str, int]]:
    """Label and length of the tracks that last: both faces are there all the time."""
    tracks = [track_from_json(value) for value in whole["tracks"]]
    assert all(whole["frame_pts"][box.frame] == box.pts for track in tracks for box in track.boxes)
    return [(track.label, len(track.boxes)) for track in tracks if len(track.boxes) > 0.6 * whole["frame_count"]]


def test_the_same_tracks_with_exact_times_and_none_of_them_hides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EXHIBIT_MODELS_DIR", str(tmp_path / "no-models"))
    clip = pan_clip(tmp_path / "clip.mp4", frames=50)
    assert exhibit("analyse", clip, "--out", tmp_path / "all") == 0
    assert exhibit("analyse", clip, "--out", tmp_path / "few", "--looks-per-second", "5") == 0
    every, few = (json.loads((tmp_path / name / "tracks.json").read_bytes()) for name in ("all", "few"))
    assert (few["frame_pts"], few["looks_per_second"]) == (every["frame_pts"], 5)
    assert "looks_per_second" not in every
    assert lasting(few)
    assert len(lasting(few)) == len(lasting(every))

    assert exhibit("redact", clip, "-o", tmp_path / "copy.mp4", "--tracks", tmp_path / "few") == 2
    assert "looks a second" in "".join(capsys.readouterr())
    assert not (tmp_path / "copy.mp4").exists()
    with pytest.raises(IntegrityError, match="looked at"):
        analyses.read(tmp_path / "few" / "tracks.json").require_all_frames()

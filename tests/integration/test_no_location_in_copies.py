"""A redacted copy doesn't say where it was filmed, whichever way it was made; and what would say it is noticed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import av
import pytest

from cli.main import run
from evidence.errors import IntegrityError
from media.location import require_none, traces
from tests.panning import pan_clip

KARMA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "telemetry/gopro_karma.mp4"


@pytest.mark.skipif(not KARMA.is_file(), reason="the footage is not there: set EXHIBIT_TEST_DATA")
@pytest.mark.parametrize("how", [(), ("--no-smart",)])
def test_a_karmas_flight_is_gone_from_its_copy(how: tuple[str, ...], tmp_path: Path) -> None:
    assert {"a track of GoPro telemetry", "GoPro GPMF: 47 fixes"} <= set(traces(KARMA))
    copy, report = tmp_path / "copy.mp4", tmp_path / "report.json"
    with pytest.raises(SystemExit) as ended:
        run(["redact", str(KARMA), "--output", str(copy), "--report", str(report), "--no-second-look", *how])
    assert not ended.value.code
    assert json.loads(report.read_bytes())["location"] == {"found": []}
    assert traces(copy) == []
    data = copy.read_bytes()
    assert not any(mark in data for mark in (b"gpmd", b"GPMF", b"GLPI", b"\xa9xyz", b"GoPro"))
    with av.open(str(copy)) as container:
        assert {stream.type for stream in container.streams} <= {"video", "audio"}


def test_what_would_tell_a_place_is_noticed(tmp_path: Path) -> None:
    clip = pan_clip(tmp_path / "clip.mp4", frames=5, size_wh=(160, 90))
    assert traces(clip) == []
    told = tmp_path / "told.mp4"
    with av.open(str(clip)) as source, av.open(str(told), "w") as out:
        out.metadata["location"] = "+52.2000+000.1200/"
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert any("location" in words for words in traces(told))
    with pytest.raises(IntegrityError, match="where it was filmed"):
        require_none(told)

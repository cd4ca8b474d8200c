"""Real files that other programs stumble over: each line of docs/odd-media.md is what comes of it today."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evidence.errors import CorruptMedia
from media.probe import main_stream
from tests import odd_media

DATA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "odd"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the odd files are not there: set EXHIBIT_TEST_DATA")

PAGE = odd_media.committed()
REFUSED = sorted(name for name, line in PAGE.items() if "| refused |" in line)


def test_the_page_has_a_line_for_every_file() -> None:
    assert list(PAGE) == odd_media.files(DATA) == sorted(odd_media.ODD)
    assert not [line for line in PAGE.values() if "WRONG" in line]


@pytest.mark.parametrize("name", sorted(odd_media.ODD))
def test_what_comes_of_it_is_right_and_stands_on_the_page(tmp_path: Path, name: str) -> None:
    assert odd_media.line_for(name, DATA / name, odd_media.by_tasks(DATA / name, tmp_path)) == PAGE[name]


@pytest.mark.parametrize("name", [*REFUSED, "decord_unordered.mov", "decord_corrupted.mp4"])
def test_the_commands_say_the_same_and_leave_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Without weights: of what looks for faces one network comes along, and nothing has to be made ready.
    monkeypatch.setenv("EXHIBIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EXHIBIT_MODELS_DIR", str(tmp_path / "no-models"))
    out = tmp_path / "out"
    out.mkdir()
    assert odd_media.line_for(name, DATA / name, odd_media.by_commands(DATA / name, out)) == PAGE[name]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_has_no_main_stream(name: str) -> None:
    with pytest.raises(CorruptMedia):
        main_stream(DATA / name)

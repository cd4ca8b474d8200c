"""Every file of a folder of telemetry: each line of docs/telemetry.md is what comes of it today."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import telemetry_page

DATA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "telemetry"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the telemetry is not there: set EXHIBIT_TEST_DATA")

PAGE = telemetry_page.committed()


def test_the_page_has_a_line_for_every_file() -> None:
    assert sorted(PAGE) == telemetry_page.files(DATA)


@pytest.mark.parametrize("name", sorted(PAGE))
def test_what_comes_of_a_file_stands_on_the_page(name: str) -> None:
    assert telemetry_page.lines_for(name, DATA / name) == PAGE[name]

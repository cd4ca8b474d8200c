"""What several modules of unit tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import clips
from tests.clips import Made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Each clip of `clips.KINDS` once per module."""
    folder = tmp_path_factory.mktemp("clips")
    found: dict[str, Path] = {}

    def one(kind: str) -> Path:
        if kind not in found:
            found[kind] = clips.KINDS[kind](folder)
        return found[kind]

    return one

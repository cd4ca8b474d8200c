"""Fixtures of several modules here.

room         a receiver's `Room` on each of the stores
folder_room  one on a folder
minio_room   one on MinIO
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.receiving import Room, room_on


@pytest.fixture(params=["folder", pytest.param("minio", marks=pytest.mark.minio)])
def room(request: pytest.FixtureRequest) -> Iterator[Room]:
    with room_on(request.getfixturevalue("minio_settings" if request.param == "minio" else "settings")) as room:
        yield room


@pytest.fixture
def folder_room(settings: Any) -> Iterator[Room]:
    with room_on(settings) as room:
        yield room


@pytest.fixture
def minio_room(minio_settings: Any) -> Iterator[Room]:
    with room_on(minio_settings) as room:
        yield room

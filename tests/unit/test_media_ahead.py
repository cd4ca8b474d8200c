"""Working ahead: the same items in the same order, bounded, errors in their place, and nothing left running."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.errors import CorruptMedia
from media.ahead import ahead
from media.encode import Encoding
from media.frames import Frame, Picture, read_frames
from media.render import render
from tests import clips

FAST = Encoding(crf=10, preset="ultrafast")


def test_the_items_come_in_order() -> None:
    with ahead(range(50), 3) as items:
        assert list(items) == list(range(50))
        assert next(items, None) is None


def test_never_more_are_made_than_may_wait() -> None:
    made = 0
    asked = threading.Event()

    def source() -> Iterator[int]:
        nonlocal made
        for number in range(20):
            made = number + 1
            if number == 3:
                asked.set()
            yield number

    with ahead(source(), 3) as items:
        assert next(items) == 0
        assert asked.wait(10), "the next three are made while nobody asks"
        for number in range(1, 20):
            assert made <= number + 3
            assert next(items) == number


def test_an_error_comes_in_its_place() -> None:
    def source() -> Iterator[int]:
        yield from range(2)
        raise CorruptMedia("broken off")

    with ahead(source(), 5) as items:
        assert [next(items), next(items)] == [0, 1]
        with pytest.raises(CorruptMedia, match="broken off"):
            next(items)


def test_leaving_early_stops_the_source_and_leaves_no_thread() -> None:
    before = threading.active_count()
    made = []

    def source() -> Iterator[int]:
        for number in range(1_000_000):
            made.append(number)
            yield number

    with ahead(source(), 4) as items:
        next(items)
    assert threading.active_count() == before
    assert len(made) <= 6


def refuse(frame: Frame, picture: Picture) -> None:
    del picture
    if frame.index == 7:
        raise CorruptMedia("this one can't be painted")


def leave(frame: Frame, picture: Picture) -> None:
    del frame, picture


def test_when_painting_fails_decoding_ends_and_nothing_is_left(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", clips.Clip(frames=60))
    before = threading.active_count()
    with read_frames(path, 0) as reader, pytest.raises(CorruptMedia, match="can't be painted"):
        render(reader, tmp_path / "out.mp4", refuse, sound=None, encoding=FAST)
    assert threading.active_count() == before
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


def test_when_looking_fails_encoding_ends_and_nothing_is_left(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", clips.Clip(frames=60))

    def looked_at(frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if frame.index == 31:
                raise CorruptMedia("a model gave up")
            yield frame

    with read_frames(path, 0) as reader, pytest.raises(CorruptMedia, match="a model gave up"):
        render(reader, tmp_path / "out.mp4", leave, frames=looked_at(iter(reader)), sound=None, encoding=FAST)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]

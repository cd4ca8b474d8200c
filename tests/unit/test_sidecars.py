"""Which files of a card belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.sidecars import Group, folders, grouped


def paths(*names: str) -> list[Path]:
    return [Path(name) for name in names]


def test_a_recording_goes_before_its_sidecars_whatever_their_order_and_case() -> None:
    found = grouped(paths("DCIM/dji_0042.srt", "DCIM/DJI_0042.MP4", "DCIM/DJI_0042.gpx", "DCIM/DJI_0043.MP4"))
    assert found == [
        Group(Path("DCIM/DJI_0042.MP4"), tuple(paths("DCIM/dji_0042.srt", "DCIM/DJI_0042.gpx"))),
        Group(Path("DCIM/DJI_0043.MP4"), ()),
    ]


def test_a_sidecar_of_another_folder_belongs_to_nothing() -> None:
    assert grouped(paths("a/x.mp4", "b/x.srt")) == [Group(Path("a/x.mp4"), ()), Group(None, tuple(paths("b/x.srt")))]


def test_two_recordings_of_one_name_share_no_sidecar_and_a_file_named_twice_is_one() -> None:
    found = grouped(paths("x.mp4", "x.lrv", "x.srt", "x.mp4"))
    assert found == [Group(Path("x.mp4"), tuple(paths("x.srt"))), Group(Path("x.lrv"), ())]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (("DCIM/100MEDIA/a.mp4", "DCIM/101MEDIA/a.srt"), ("DCIM/100MEDIA", "DCIM/101MEDIA")),
        (("a.mp4", "./b.mp4"), ("", "")),
        (("/home/jane/card/1/a.mp4", "/home/jane/card/2/a.srt"), ("1", "2")),
        (("/home/jane/card/a.mp4", "/home/jane/card/1/b.mp4"), ("", "1")),
        (("/home/jane/a.mp4",), ("",)),
        (("../../card/1/a.mp4", "../../card/2/b.mp4"), ("1", "2")),
        (("new\nline/a.mp4", "back\\slash/b.mp4", "c:/d.mp4", "x" * 1025 + "/e.mp4"), ("", "", "", "")),
    ],
)
def test_a_folder_is_told_as_it_was_named_and_nothing_above_what_was_named(
    named: tuple[str, ...], told: tuple[str, ...]
) -> None:
    assert tuple(folders(paths(*named)).values()) == told

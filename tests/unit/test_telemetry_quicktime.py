"""The place and time in a recording's header."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Flag, Quantity, Zone
from media.telemetry import quicktime
from media.telemetry.times import moment_of

Q = Quantity
NINE_US = round(datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp() * 1e6)


def clip(path: Path, tags: dict[str, str], *, named: bool = False) -> Path:
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"} if named else {}) as out:
        out.metadata.update(tags)
        video = out.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
        frame.pts = 0
        out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_recording_that_names_its_place_has_one_fix(tmp_path: Path, suffix: str) -> None:
    tags = {"location": "+52.4862-001.8904+141.500/", "creation_time": "2026-03-02T09:00:00Z"}
    found = quicktime.read(clip(tmp_path / f"a.{suffix}", tags))
    assert (found.family, found.elapsed_us.tolist(), found.clock_us.tolist()) == (Family.QUICKTIME, [0], [NINE_US])
    assert found.zone is Zone.UTC
    assert [found.column(q)[0] for q in (Q.LATITUDE, Q.LONGITUDE, Q.HEIGHT_SEA)] == [52.4862, -1.8904, 141.5]
    assert found.certainty == {Q.HEIGHT_SEA: Certainty.ESTIMATED}
    assert "the creation time should be UTC; many cameras write their local time there" in found.warnings


def test_a_phones_own_keys_come_first(tmp_path: Path) -> None:
    tags = {
        "location": "+01.0000+001.0000/",
        "com.apple.quicktime.location.ISO6709": "+52.4862-001.8904+141.500/",
        "com.apple.quicktime.location.accuracy.horizontal": "4.766",
        "com.apple.quicktime.creationdate": "2026-03-02T10:00:00+0100",
        "creation_time": "2026-03-02T08:59:58Z",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 15",
    }
    found = quicktime.read(clip(tmp_path / "a.mov", tags, named=True))
    assert found.device == "Apple iPhone 15"
    assert found.clock_us[0] == NINE_US
    assert found.column(Q.LATITUDE)[0] == 52.4862
    assert found.column(Q.ACCURACY_HORIZONTAL)[0] == 4.766


def test_no_place_is_refused_and_a_place_that_is_none_is_no_fix(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match="no place in its header"):
        quicktime.read(clip(tmp_path / "a.mp4", {"creation_time": "2026-03-02T09:00:00Z"}))
    assert quicktime.of_tags({"location-und": "+52.4862-001.8904/"}).placed.all()
    with pytest.raises(UnsupportedMedia, match="none that can be read"):
        quicktime.of_tags({"location": "Birmingham"})
    assert quicktime.of_tags({"location": "+00.0000+000.0000/"}).flags.tolist() == [int(Flag.NO_FIX)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("+52.4862-001.8904/", (52.4862, -1.8904, None)),
        ("+52.4862-001.8904+141.5CRSWGS_84/", (52.4862, -1.8904, 141.5)),
        ("-5229.172+00153.424/", (-52.4862, 1.8904, None)),
        ("+522910.32-0015325.44-12/", (52.4862, -1.8904, -12.0)),
        ("+52-001/", (52.0, -1.0, None)),
        ("+52.4862-1.8904/", (52.4862, -1.8904, None)),
        ("+5.5000+0.1246+132.860", (5.5, 0.1246, 132.86)),
        ("+52-1/", None),
        ("+5299.0-00153.4/", None),
        ("+524-001/", None),
        ("52.4862,-1.8904", None),
        ("", None),
    ],
)
def test_iso_6709_is_read_in_its_three_forms(said: str, expected: tuple[float, float, float | None] | None) -> None:
    found = quicktime.iso_6709(said)
    if expected is None or found is None:
        assert found == expected
    else:
        assert found == pytest.approx(expected, abs=1e-9) if expected[2] is not None else found[2] is None
        assert found[:2] == pytest.approx(expected[:2], abs=1e-9)


@given(st.floats(-89.9, 89.9), st.floats(-179.9, 179.9), st.floats(-1000, 9000))
def test_what_was_written_by_the_standard_is_read(latitude: float, longitude: float, height: float) -> None:
    found = quicktime.iso_6709(f"{latitude:+010.6f}{longitude:+011.6f}{height:+.2f}/")
    assert found == pytest.approx((latitude, longitude, height), abs=6e-3)
    assert found is not None
    assert found[:2] == pytest.approx((latitude, longitude), abs=1e-6)


@given(st.dictionaries(st.sampled_from(["location", "date", "creation_time", "make"]), st.text(max_size=40)))
def test_any_tags_give_a_fix_or_a_refusal(tags: dict[str, str]) -> None:
    try:
        assert len(quicktime.of_tags(tags)) == 1
    except UnsupportedMedia as refused:
        assert "place" in str(refused)  # noqa: PT017


@given(st.datetimes(datetime(1961, 1, 1), datetime(2160, 1, 1)), st.integers(-14 * 60, 14 * 60), st.sampled_from(["", ":"]))
def test_moments_are_read_with_their_zone(moment: datetime, minutes: int, colon: str) -> None:
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{colon}{abs(minutes) % 60:02d}"
    expected = round(moment.replace(microsecond=0, tzinfo=UTC).timestamp()) * 1_000_000 + moment.microsecond
    assert moment_of(f"{moment:%Y-%m-%dT%H:%M:%S.%f}{zone}") == (expected - minutes * 60_000_000, True)
    assert moment_of(f"{moment:%Y-%m-%d %H:%M:%S,%f}") == (expected, False)
    assert moment_of(f"{moment:%Y-%m-%d}") == (NO_TIME, False)

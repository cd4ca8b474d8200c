"""What crosses a border comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from evidence.exhibit import AudioInfo, Condition, Digest, MediaInfo, Segment, VideoInfo, state_of
from evidence.mediatime import MediaTime, Span
from evidence.redaction import AudioPolicy, Hide, Keep, Margin, Redaction, Region, Style
from evidence.track import Origin, Track, TrackBox
from evidence.wire import (
    media_from_json,
    media_to_json,
    redaction_from_json,
    redaction_to_json,
    track_from_json,
    track_to_json,
)


def test_media_info_survives_json() -> None:
    video = VideoInfo(
        0, "hevc", "yuv420p10le", (1920, 1080), 270, Fraction(1, 90_000), -33, Fraction(30_000, 1001), 299, True, "pc"
    )
    media = MediaInfo(
        "mov,mp4", Fraction(299 * 1001, 30_000), (video,), (AudioInfo(1, "aac", 48_000, 2),), ("data: gpmd",),
        (Segment(0, -33, None, 299),), Condition.PARTLY_READABLE, "the last 4 s are missing",
        datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    assert media_from_json(json.loads(json.dumps(media_to_json(media)))) == media
    assert video.upright_size_wh == (1080, 1920)


def test_a_redaction_survives_json_and_an_empty_one_is_the_default() -> None:
    span = Span(MediaTime(5, Fraction(1, 25)), MediaTime(50, Fraction(1, 25)))
    redaction = Redaction(
        frozenset({Hide.PLATES, Hide.PEOPLE}), Style.BLUR, AudioPolicy.MUTE, Margin(0.2, 3, 9),
        (Region((1.5, 2.0, 30.25, 40.0), span, "a child's name on the wall"),), frozenset({4, 2}), frozenset(), "ab" * 32,
        "asked for by the CPS",
    )  # fmt: skip
    assert redaction_from_json(json.loads(json.dumps(redaction_to_json(redaction)))) == redaction
    assert redaction_from_json({}) == Redaction()
    chosen = Redaction(what=frozenset(), only_tracks=frozenset({3}))
    assert redaction_from_json(redaction_to_json(chosen)) == chosen
    kept = replace(chosen, keep=frozenset({Keep.LOCATION}))
    assert redaction_from_json(redaction_to_json(kept)) == kept
    assert "keep" not in redaction_to_json(chosen), "what was asked for before keeps its recipe"
    with pytest.raises(ValueError, match="hats"):
        redaction_from_json({"what": ["hats"]})


def test_a_track_survives_json() -> None:
    boxes = tuple(TrackBox(7 + i, 3003 * i, (1.0, 2.0, 30.5, 40.25), 0.75, Origin.TRACKED) for i in range(5))
    track = Track(3, "face", "yunet", Fraction(1, 90_000), boxes)
    again = track_from_json(json.loads(json.dumps(track_to_json(track))))
    assert again == track
    assert again.span.end == MediaTime(12_012, Fraction(1, 90_000))


def test_a_digest_is_sha256_in_lower_case_hex_or_nothing() -> None:
    assert str(Digest("0" * 64)) == "sha256:" + "0" * 64
    for wrong in ("", "0" * 63, "G" * 64, "A" * 64):
        with pytest.raises(ValueError, match="SHA-256"):
            Digest(wrong)


@pytest.mark.parametrize(
    ("condition", "steps", "shown"),
    [
        (Condition.UNREADABLE, ["done"], "unreadable"),
        (Condition.READABLE, ["done", "running"], "working"),
        (Condition.READABLE, ["done", "failed"], "needs attention"),
        (Condition.READABLE, ["quarantined", "ready"], "working"),
        (Condition.PARTLY_READABLE, ["done", "done"], "partly readable"),
        (Condition.READABLE, ["done", "cancelled"], "ready"),
    ],
)
def test_one_word_for_where_an_exhibit_stands(condition: Condition, steps: list[str], shown: str) -> None:
    assert state_of(condition, steps) == shown

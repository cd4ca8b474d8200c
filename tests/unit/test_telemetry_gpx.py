"""GPX: what recorders and apps write, whole, cut, odd or hostile."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import gpxpy.gpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import CorruptMedia, ExhibitError, TooLarge, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Flag, Quantity, Zone
from media.telemetry import gpx

Q = Quantity
NINE = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)


def point(second: int, more: str = "", kind: str = "trkpt") -> str:
    moment = (NINE + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f'<{kind} lat="{52.4862 + second * 1e-5:.6f}" lon="-1.8904"><time>{moment}</time>{more}</{kind}>'


def track(*points: str, head: str = 'version="1.1" creator="Axon Body 3"', around: str = "") -> bytes:
    body = f"{around}<trk><trkseg>{''.join(points)}</trkseg></trk>"
    return f'<?xml version="1.0"?><gpx {head} xmlns="http://www.topografix.com/GPX/1/1">{body}</gpx>'.encode()


def test_a_track_is_read_with_heights_speed_and_accuracy() -> None:
    extensions = (
        '<extensions><g:TrackPointExtension xmlns:g="http://www.garmin.com/xmlschemas/TrackPointExtension/v2">'
        "<g:speed>3.5</g:speed><g:course>271</g:course></g:TrackPointExtension></extensions>"
    )
    more = f"<ele>141.5</ele><geoidheight>48.5</geoidheight><hdop>1.2</hdop>{extensions}"
    found = gpx.read_bytes(track(point(0, more), point(1, more), point(3, more)))
    assert (found.family, found.dialect, found.device, found.zone) == (Family.GPX, "GPX 1.1", "Axon Body 3", Zone.UTC)
    assert found.elapsed_us.tolist() == [0, 1_000_000, 3_000_000]
    assert found.clock_us[0] == round(NINE.timestamp() * 1e6)
    said = {q: found.column(q)[2] for q in found.columns}
    assert said == {
        Q.LATITUDE: 52.48623, Q.LONGITUDE: -1.8904, Q.HEIGHT_SEA: 141.5, Q.HEIGHT_ELLIPSOID: 190.0,
        Q.ACCURACY_HORIZONTAL: 6.0, Q.SPEED: 3.5, Q.COURSE: 271.0,
    }  # fmt: skip
    assert found.certainty == {Q.ACCURACY_HORIZONTAL: Certainty.ESTIMATED}
    assert found.warnings == ()


def test_the_points_are_those_that_gpxpy_writes_and_reads() -> None:
    made = gpxpy.gpx.GPX()
    made.tracks.append(gpxpy.gpx.GPXTrack())
    for start in (100, 0):
        segment = gpxpy.gpx.GPXTrackSegment()
        for i in range(5):
            moment = NINE + timedelta(seconds=start + i, milliseconds=250)
            segment.points.append(
                gpxpy.gpx.GPXTrackPoint(52.5 + i * 1e-4, -1.9 - start * 1e-4, elevation=100 + i, time=moment)
            )
        made.tracks[0].segments.append(segment)
    text = made.to_xml()
    theirs = sorted(gpxpy.parse(text).walk(only_points=True), key=lambda p: p.time)  # type: ignore[arg-type,return-value]
    found = gpx.read_bytes(text.encode())
    assert found.clock_us.tolist() == [round(p.time.timestamp() * 1e6) for p in theirs if p.time]
    np.testing.assert_array_equal(found.column(Q.LATITUDE), [p.latitude for p in theirs])
    np.testing.assert_array_equal(found.column(Q.HEIGHT_SEA), [p.elevation for p in theirs])
    assert found.elapsed_us.tolist()[5] == 100_000_000, "the segment that came first in time comes first"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-03-02T09:00:00Z", NINE),
        ("2026-03-02T10:00:00.5+01:00", NINE + timedelta(seconds=0.5)),
        ("2026-03-02T04:30:00-0430", NINE),
        ("2026-03-02 09:00:00", NINE),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2026-02-30T09:00:00Z", None),
        ("0000-00-00T00:00:00Z", None),
        ("9999-99-99T99:99:99Z", None),
        ("yesterday", None),
    ],
)
def test_times_are_read_as_the_schema_means_them(said: str, expected: datetime | None) -> None:
    found = gpx.read_bytes(track(f'<trkpt lat="52" lon="1"><time>{said}</time></trkpt>'))
    assert found.clock_us[0] == (NO_TIME if expected is None else round(expected.timestamp() * 1e6))


def test_a_point_that_makes_no_sense_costs_that_point_alone() -> None:
    bad = '<trkpt lat="north" lon="1"><time>tea time</time><ele>high</ele></trkpt>'
    found = gpx.read_bytes(track(point(0), bad, point(2), point(3, "<fix>none</fix>"), point(4)))
    assert found.flags.tolist() == [0, int(Flag.NO_FIX), 0, int(Flag.NO_FIX), 0]
    assert found.elapsed_us.tolist() == [0, 0, 2_000_000, 3_000_000, 4_000_000]


def test_a_file_cut_anywhere_gives_the_points_before() -> None:
    whole = track(*(point(i) for i in range(50)))
    for length in range(len(whole) // 2, len(whole) - 1, 97):
        found = gpx.read_bytes(whole[:length])
        assert len(found) == whole[:length].count(b"</trkpt>")
        assert "the file is cut short or damaged in line 1: the points before that were read" in found.warnings


def test_damage_in_the_middle_is_said() -> None:
    found = gpx.read_bytes(track(point(0), point(1), "<trkpt lat='1' lon=", point(2)))
    assert len(found) == 2


def test_routes_and_marks_are_no_tracks() -> None:
    others = point(7, kind="wpt") + f"<rte>{point(8, kind='rtept')}</rte>"
    found = gpx.read_bytes(track(point(0), around=others))
    assert len(found) == 1
    assert set(found.warnings) == {
        "1 marked points were left out: they are no track",
        "1 points of routes were left out: they were planned, not recorded",
    }
    marked = gpx.read_bytes(f"<gpx version='1.0'>{point(7, kind='wpt')}</gpx>".encode())
    assert "no track: these are points that were marked" in marked.warnings
    with pytest.raises(UnsupportedMedia, match="planned, not recorded"):
        gpx.read_bytes(f"<gpx><rte>{point(8, kind='rtept')}</rte></gpx>".encode())


def test_a_track_without_times_is_kept_and_said() -> None:
    found = gpx.read_bytes(track('<trkpt lat="52" lon="1"/>', '<trkpt lat="53" lon="1"/>'))
    assert found.placed.all()
    assert found.warnings == ("no point has a time: the track can't be laid beside a video",)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings_are_read(encoding: str) -> None:
    text = track(point(0), head='version="1.1" creator="Größe"').decode().replace("?>", f' encoding="{encoding}"?>', 1)
    assert gpx.read_bytes(text.encode(encoding)).device == "Größe"


BOMB = '<!DOCTYPE gpx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><gpx>&b;</gpx>'


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        (BOMB, "entities of its own"),
        ('<!DOCTYPE gpx SYSTEM "file:///etc/passwd"><gpx/>', "entities of its own"),
        ("<gpx>" + "<a>" * 200_000, "deeper"),
        ("<gpx><trk><trkseg><trkpt lat='1' lon='1'>" + "<extensions>" * 50, "deeper"),
        ("<kml></kml>", "no GPX file"),
        ("", "breaks off"),
        ("<gpx/>", "no recorded point"),
    ],
)
def test_what_no_recorder_writes_is_refused_in_words(hostile: str, words: str) -> None:
    with pytest.raises((UnsupportedMedia, CorruptMedia), match=words):
        gpx.read_bytes(hostile.encode())


def test_more_than_is_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpx, "MAX_BYTES", 100)
    with pytest.raises(TooLarge):
        gpx.read_bytes(track(point(0)))


tags = st.sampled_from(["gpx", "trk", "trkseg", "trkpt", "wpt", "time", "ele", "hdop", "x:y", "extensions", "a"])
attributes = st.sampled_from(["", ' lat="52" lon="1"', ' lat="1e999" lon="nan"', " lat='x'", ' version="9"', " xmlns:x='u'"])
texts = st.sampled_from(
    ["2026-03-02T09:00:00Z", "1.5", "-inf", "]]>", "&amp;", "&x;", "<!-- -->", "<![CDATA[<]]>", "<?p?>", "\0"]
)
pieces = st.one_of(
    st.builds(lambda t, a: f"<{t}{a}>", tags, attributes), st.builds(lambda t: f"</{t}>", tags), texts, st.text(max_size=5)
)


@given(st.lists(pieces, max_size=30).map("".join), st.booleans())
def test_any_text_gives_fixes_or_a_refusal(text: str, inside: bool) -> None:
    data = (f"<gpx><trk><trkseg>{point(1)}{text}" if inside else text).encode("utf-8", "replace")
    with contextlib.suppress(ExhibitError):
        assert len(gpx.read_bytes(data)) > 0


@given(st.binary(max_size=200))
def test_any_bytes_give_fixes_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(ExhibitError):
        gpx.read_bytes(data)

"""Media time is exact: no moment is ever rounded on its way."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.mediatime import MediaTime, Span, from_seconds

bases = st.sampled_from(
    [Fraction(1, 90_000), Fraction(1001, 30_000), Fraction(1, 1000), Fraction(1, 12_800), Fraction(1, 1)]
)
moments = st.builds(MediaTime, st.integers(-(10**9), 10**12), bases)


@given(moments, moments)
def test_order_and_equality_are_those_of_the_exact_seconds(a: MediaTime, b: MediaTime) -> None:
    assert (a == b) == (a.seconds == b.seconds)
    assert (a < b) == (a.seconds < b.seconds)
    if a == b:
        assert hash(a) == hash(b)


@given(moments, bases)
def test_a_change_of_base_is_off_by_half_a_tick_at_most(moment: MediaTime, base: Fraction) -> None:
    assert abs(moment.in_base(base).seconds - moment.seconds) <= base / 2
    finer = base / moment.time_base.denominator
    assert moment.in_base(finer).in_base(moment.time_base) == moment


@given(st.integers(0, 10**9))
def test_a_label_never_points_past_its_frame(pts: int) -> None:
    moment = MediaTime(pts, Fraction(1001, 30_000))
    hours, minutes, rest = moment.label().split(":")
    shown = int(hours) * 3600 + int(minutes) * 60 + Fraction(rest)
    assert shown <= moment.seconds < shown + Fraction(1, 1000)


def test_labels_read_as_people_write_time() -> None:
    assert MediaTime(3_723_456, Fraction(1, 1000)).label() == "1:02:03.456"
    assert MediaTime(-1500, Fraction(1, 1000)).label() == "-0:00:01.500"


def test_a_moment_typed_by_a_person_is_kept_exactly() -> None:
    assert from_seconds("12.5").seconds == Fraction(25, 2)
    with pytest.raises(ValueError, match="Invalid literal"):
        from_seconds("soon")


def test_a_time_base_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        MediaTime(0, Fraction(0))


@given(moments, moments, moments)
def test_spans_contain_their_ends_and_overlap_both_ways(a: MediaTime, b: MediaTime, c: MediaTime) -> None:
    start, end = sorted((a, b))
    span = Span(start, end)
    assert span.contains(start)
    assert span.contains(end)
    assert span.contains(c) == (start.seconds <= c.seconds <= end.seconds)
    point = Span(c, c)
    assert span.overlaps(point) == point.overlaps(span) == span.contains(c)


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="end before"):
        Span(MediaTime(2, Fraction(1)), MediaTime(1, Fraction(1)))

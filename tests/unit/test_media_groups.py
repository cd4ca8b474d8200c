"""The rule by which groups of pictures are copied: whatever a file says, no frame with something to hide is in one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.groups import LEAST_BEGINNING, Packets, closed, runs


def packets_of(pts: Sequence[int], opens: Sequence[int] = (0,), cut: Sequence[int] = ()) -> Packets:
    packets = Packets()
    for number, at in enumerate(pts):
        packets.add(at, opens=number in opens, cut=number in cut)
    return packets


def copied_frames(packets: Packets, frame_pts: Sequence[int], masked: Sequence[bool]) -> set[int]:
    return {n for run in runs(closed(packets, frame_pts, masked)) if run.copied for n in range(run.first, run.end)}


@st.composite
def anything(draw: st.DrawFn) -> tuple[Packets, list[int], list[bool]]:
    """Packets as no encoder would write them: times twice, starts anywhere, frames that are not there, cut or more."""
    pts = draw(st.lists(st.integers(-5, 40), min_size=1, max_size=40))
    opens = draw(st.sets(st.integers(0, len(pts) - 1)))
    cut = draw(st.sets(st.integers(0, len(pts) - 1), max_size=3))
    frames = sorted(draw(st.one_of(st.just(set(pts)), st.sets(st.integers(-5, 40), min_size=1))))
    masked = draw(st.lists(st.booleans(), min_size=len(frames), max_size=len(frames)))
    return packets_of(pts, sorted(opens), sorted(cut)), frames, masked


@st.composite
def like_an_encoder(draw: st.DrawFn) -> tuple[Packets, list[int], list[bool], list[int]]:
    """Closed and open groups with any order of decoding inside; also where the closed ones start, in frames."""
    pts: list[int] = []
    opens: list[int] = []
    starts: list[int] = []
    for length in draw(st.lists(st.sampled_from([1, 2, 3, 5, 14, 20]), min_size=1, max_size=6)):
        first = len(pts)
        is_closed = not starts or draw(st.booleans())
        if is_closed:
            opens.append(first)
            starts.append(first)
        rest = draw(st.permutations(range(first + is_closed, first + length)))
        pts += [first, *rest] if is_closed else rest
    masked = draw(st.lists(st.booleans(), min_size=len(pts), max_size=len(pts)))
    return packets_of([7 * n for n in pts], opens), [7 * n for n in range(len(pts))], masked, starts


@given(anything())
def test_a_frame_with_a_mask_is_never_copied(case: tuple[Packets, list[int], list[bool]]) -> None:
    packets, frame_pts, masked = case
    groups = closed(packets, frame_pts, masked)
    made = runs(groups)
    assert not {n for n, hidden in enumerate(masked) if hidden} & copied_frames(*case)
    # Every packet has one run, and so has every frame.
    assert [k for run in made for k in range(run.first_packet, run.end_packet)] == list(range(len(packets)))
    assert [n for run in made for n in range(run.first, run.end)] == list(range(len(frame_pts)))
    for run in made:
        own = packets.pts[run.first_packet : run.end_packet]
        if run.copied:
            assert sorted(own) == frame_pts[run.first : run.end]
            assert packets.opens[run.first_packet]
            assert not any(packets.cut[run.first_packet : run.end_packet])
        assert all(before < min(own) for before in packets.pts[: run.first_packet])
        assert all(after > max(own) for after in packets.pts[run.end_packet :])
    assert sum(run.groups + run.beginnings for run in made) == len(groups)


@given(like_an_encoder())
def test_of_a_whole_video_every_closed_group_without_a_mask_is_copied(
    case: tuple[Packets, list[int], list[bool], list[int]],
) -> None:
    packets, frame_pts, masked, starts = case
    edges = [*starts, len(frame_pts)]
    copied = copied_frames(packets, frame_pts, masked)
    clear = {n for first, end in pairwise(edges) if not any(masked[first:end]) for n in range(first, end)}
    assert not any(masked[n] for n in copied)
    assert clear <= copied
    for first, end in pairwise(edges):
        begun = [n for n in range(first, end) if n in copied - clear]
        assert begun == list(range(first, first + len(begun)))
        assert not begun or LEAST_BEGINNING <= len(begun) < end - first


@given(like_an_encoder())
def test_no_packet_is_decoded_later_than_its_depth_allows(
    case: tuple[Packets, list[int], list[bool], list[int]],
) -> None:
    """The rule for decoding times: each is the time of the frame `depth` places before."""
    packets, frame_pts, masked, _ = case
    depth = max(group.depth for group in closed(packets, frame_pts, masked))
    late = [frame_pts[k - depth] > pts for k, pts in enumerate(packets.pts) if k >= depth]
    assert not any(late)
    if depth:
        assert any(frame_pts[k - depth + 1] > pts for k, pts in enumerate(packets.pts) if k >= depth - 1)


def test_it_must_be_known_of_every_frame() -> None:
    with pytest.raises(ValueError, match="every frame"):
        closed(packets_of([0, 1]), [0, 1], [False])


def test_what_an_edit_list_cuts_is_not_copied() -> None:
    packets = packets_of([-2, -1, 0, 1, 2, 3], opens=(0, 4), cut=(0, 1))
    assert copied_frames(packets, [0, 1, 2, 3], [False] * 4) == {2, 3}


def test_a_recording_that_starts_in_the_middle_of_a_group() -> None:
    packets = packets_of([0, 1, 2, 3], opens=(2,))
    assert copied_frames(packets, [0, 1, 2, 3], [False] * 4) == {2, 3}
    # Its first packets could not be decoded.
    assert copied_frames(packets, [2, 3], [False] * 2) == {0, 1}


def test_of_a_long_group_all_before_the_first_mask_is_copied() -> None:
    pts = [0, *(n + offset for n in range(1, 40, 3) for offset in (2, 0, 1))]
    masked = [n == 20 for n in range(40)]
    assert copied_frames(packets_of(pts), list(range(40)), masked) == set(range(19))
    # Not worth a new key frame.
    assert copied_frames(packets_of(pts), list(range(40)), [n == 11 for n in range(40)]) == set()
    # Decoded early and shown late: nothing before it is complete.
    assert copied_frames(packets_of([0, 39, *range(1, 39)]), list(range(40)), masked) == set()


def test_a_group_with_a_frame_that_does_not_decode_is_not_copied() -> None:
    assert copied_frames(packets_of([0, 1, 2, 3], opens=(0, 2)), [0, 2, 3], [False] * 3) == {1, 2}

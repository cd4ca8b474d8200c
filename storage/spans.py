"""Spans: from when to when something of an exhibit covered a place, joined of seconds and stretches, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.sightings import Seconds
from storage.stretches import LONGEST_HOLE, POSITION

DIGITS = 4
"""Of a quality; what is the same to so many counts as equal."""
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Spans:
    """Columns. Shape: (k,) each; `exhibit` and the two sources are numbers that whoever asks gave them.

    Units: microseconds of media time, and by the device's clock at the first and at the last second.
    """

    exhibit: npt.NDArray[np.int64]
    source_from: npt.NDArray[np.int64]
    source_to: npt.NDArray[np.int64]
    from_us: npt.NDArray[np.int64]
    to_us: npt.NDArray[np.int64]
    best_us: npt.NDArray[np.int64]
    clock_from_us: npt.NDArray[np.int64]
    clock_to_us: npt.NDArray[np.int64]
    by: npt.NDArray[np.int8]
    certainty: npt.NDArray[np.uint8]
    quality: npt.NDArray[np.float64]

    def of(self, some: npt.NDArray[Any] | slice) -> Spans:
        return Spans(*(getattr(self, field.name)[some] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.exhibit)


def seconds_as_spans(
    exhibit: npt.NDArray[np.int64],
    source: npt.NDArray[np.int64],
    at_us: npt.NDArray[np.int64],
    clock_us: npt.NDArray[np.int64],
    found: Seconds,
) -> Spans:
    """Each second by itself. Shape: (k,) each."""
    kind = found.by, found.certainty, found.quality
    return Spans(exhibit, source, source, at_us, at_us, at_us, clock_us, clock_us, *kind)


def put_together(parts: list[Spans]) -> Spans:
    return Spans(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Spans)))


def joined(spans: Spans) -> Spans:
    """Spans of one exhibit that follow one another become one, if they are of one kind and certainty.

    Of seconds of several sources at the same time the best counts; no longer span may lie beside another one's.
    """
    if not len(spans):
        return spans
    second = spans.from_us // _SECOND_US
    order = np.lexsort((-spans.quality, -spans.by.astype(int), second, spans.exhibit))
    again = (np.diff(second[order]) == 0) & (np.diff(spans.exhibit[order]) == 0)
    kept = spans.of(order[np.concatenate([[True], ~again])])
    hole = kept.from_us[1:] // _SECOND_US - kept.to_us[:-1] // _SECOND_US
    parted = (hole > LONGEST_HOLE) | (np.diff(kept.exhibit) != 0) | (np.diff(kept.by) != 0)
    parted |= kept.certainty[1:] != kept.certainty[:-1]
    first = np.concatenate([[0], np.flatnonzero(parted) + 1])
    last = np.concatenate([first[1:] - 1, [len(kept) - 1]])
    group = np.repeat(np.arange(len(first)), last - first + 1)
    by_worth = np.lexsort((-kept.quality, group))
    best = by_worth[first]  # the groups stay in their order: the best of each comes where its first one was
    return Spans(
        kept.exhibit[first],
        kept.source_from[first],
        kept.source_to[last],
        kept.from_us[first],
        kept.to_us[last],
        kept.best_us[best],
        kept.clock_from_us[first],
        kept.clock_to_us[last],
        kept.by[first],
        kept.certainty[first],
        np.round(kept.quality[best], DIGITS),
    )


def best_first(spans: Spans, exhibit_ids: Sequence[str]) -> Spans:
    """What shows the place best first, mere positions after all footprints, the longer of equals first."""
    if not len(spans):
        return spans
    rank = np.argsort(np.argsort(np.array(exhibit_ids)))
    keys = (spans.from_us, rank[spans.exhibit], spans.from_us - spans.to_us, -spans.quality, spans.by == POSITION)
    return spans.of(np.lexsort(keys))

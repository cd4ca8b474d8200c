"""GoPro's metadata format, item by item: keys of four letters, nested, with samples of a stated type.

exhibit reads it itself. `py-gpmf-parser` 0.1.1 gives a stream's scaled numbers and nothing of what they are worth: no lock
(GPSF), no dilution (GPSP), no time (GPSU), no samples of mixed types (GPS9, a Karma's GLPI), and only from an MP4 file.
A test compares the numbers that both can read.

Source: GoPro, "GPMF Introduction" (github.com/gopro/gpmf-parser): length-type-repeat, types, SCAL, TYPE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_NUMBERS = {
    "b": "i1", "B": "u1", "s": ">i2", "S": ">u2", "l": ">i4", "L": ">u4", "j": ">i8", "J": ">u8", "f": ">f4", "d": ">f8",
    "q": ">i4", "Q": ">i8", "F": "S4", "G": "S16", "U": "S16", "c": "S1",
}  # fmt: skip
_FIXED_POINT = {"q": 2.0**-16, "Q": 2.0**-32}
_MAX_FIELDS = 256


@dataclass(frozen=True, slots=True)
class Item:
    key: str
    kind: str
    """One letter; empty for a nest of items."""
    size: int
    count: int
    value: bytes

    @property
    def text(self) -> str:
        return self.value.split(b"\0", 1)[0].decode("latin-1").strip()


def items(data: bytes) -> Iterator[Item]:
    """Those that are whole, up to the first that isn't. Padding between them is passed over."""
    at = 0
    while at + 8 <= len(data):
        if data[at : at + 4] == b"\0\0\0\0":
            at += 4
            continue
        kind, size, count = data[at + 4], data[at + 5], int.from_bytes(data[at + 6 : at + 8], "big")
        length = size * count
        if at + 8 + length > len(data):
            return
        key = data[at : at + 4].decode("latin-1")
        yield Item(key, chr(kind) if kind else "", size, count, data[at + 8 : at + 8 + length])
        at += 8 + (length + 3) // 4 * 4


def samples(item: Item, about: dict[str, Item]) -> npt.NDArray[np.float64]:
    """The samples in their unit: scaled as the stream's SCAL says, their types as its TYPE.

    Shape: (count, fields); no row where types, sizes or scales make no sense.
    """
    kinds = _kinds(item, about)
    if not kinds:
        return np.empty((0, 0))
    row = np.dtype([(str(place), _NUMBERS[kind]) for place, kind in enumerate(kinds)])
    if row.itemsize != item.size:
        return np.empty((0, len(kinds)))
    read = np.frombuffer(item.value, row, count=item.count)
    columns = [_column(read[str(place)], kind) for place, kind in enumerate(kinds)]
    scale = _scale(about.get("SCAL"), len(kinds))
    if scale is None:
        return np.empty((0, len(kinds)))
    return np.stack(columns, axis=1) / scale


def _kinds(item: Item, about: dict[str, Item]) -> str:
    if item.kind == "?":
        kinds = about["TYPE"].text if "TYPE" in about else ""
        # GoPro also writes f[8] for eight times f.
        kinds = re.sub(r"(.)\[(\d{1,3})\]", lambda m: m[1] * min(int(m[2]), _MAX_FIELDS), kinds[:_MAX_FIELDS])
    elif item.kind in _NUMBERS:
        each = np.dtype(_NUMBERS[item.kind]).itemsize
        kinds = item.kind * (item.size // each)
    else:
        return ""
    return kinds if len(kinds) <= _MAX_FIELDS and all(kind in _NUMBERS for kind in kinds) else ""


def _column(read: npt.NDArray[np.generic], kind: str) -> npt.NDArray[np.float64]:
    if np.dtype(_NUMBERS[kind]).kind == "S":
        return np.full(len(read), np.nan)
    return read.astype(np.float64) * _FIXED_POINT.get(kind, 1.0)


def _scale(item: Item | None, fields: int) -> npt.NDArray[np.float64] | None:
    """Shape: (fields,) or (1,)."""
    if item is None:
        return np.ones(1)
    found = samples(Item(item.key, item.kind, item.size, item.count, item.value), {}).reshape(-1)
    return found if len(found) in (1, fields) and (found != 0).all() else None

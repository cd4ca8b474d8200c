"""Moving targets that the sensor's own tracker reported: MISB ST 0903, inside a set of ST 0601 (tag 74).

Source: MISB ST 0903.5: VTarget packs, pixel numbers counted from 1 along the rows, locations as offsets from the frame
    centre or in full.
"""

from __future__ import annotations

import math

from evidence.telemetry import Target
from media.telemetry import klv
from media.telemetry import misb_tags as t


def targets(value: bytes, elapsed_us: int, centre_deg: tuple[float, float]) -> tuple[list[Target], bool]:
    """The targets of one local set, and whether it is whole."""
    content = klv.items(value)
    by_tag = dict(content.values)
    width = int.from_bytes(by_tag.get(t.VMTI_FRAME_WIDTH, b"")[:4], "big")
    series = by_tag.get(t.VMTI_SERIES, b"")
    found: list[Target] = []
    whole, at = not content.cut, 0
    while at < len(series):
        length = klv.ber_length(series, at)
        if length is None or length[1] + length[0] > len(series):
            return found, False
        at = length[1] + length[0]
        pack = series[length[1] : at]
        identity = klv.ber_oid(pack, 0)
        if identity is None:
            whole = False
            continue
        inside = klv.items(pack[identity[1] :])
        whole = whole and not inside.cut
        numbers = dict(inside.values)
        latitude, longitude = _place(numbers, centre_deg)
        found.append(Target(elapsed_us, identity[0], _box(numbers, width), latitude, longitude))
    return found, whole


def _box(numbers: dict[int, bytes], width: int) -> tuple[float, float, float, float] | None:
    """The corners' pixels are both inside: the box ends behind the lower right one."""
    first, last = numbers.get(t.TARGET_UPPER_LEFT), numbers.get(t.TARGET_LOWER_RIGHT)
    if first is None or last is None or not width:
        return None
    left, top = _pixel(first, width)
    right, bottom = _pixel(last, width)
    if right < left or bottom < top:
        return None
    return float(left), float(top), float(right + 1), float(bottom + 1)


def _pixel(value: bytes, width: int) -> tuple[int, int]:
    row, column = divmod(max(int.from_bytes(value[:6], "big") - 1, 0), width)
    return column, row


def _place(numbers: dict[int, bytes], centre_deg: tuple[float, float]) -> tuple[float | None, float | None]:
    location = numbers.get(t.TARGET_LOCATION, b"")
    if len(location) >= 8:
        centre_deg = 0.0, 0.0
        north, east = t.LOCATION_LATITUDE_SCALE.number(location[:4]), t.LOCATION_LONGITUDE_SCALE.number(location[4:8])
    else:
        north = t.OFFSET_SCALE.number(numbers.get(t.TARGET_LATITUDE_OFFSET, b""))
        east = t.OFFSET_SCALE.number(numbers.get(t.TARGET_LONGITUDE_OFFSET, b""))
    if north is None or east is None:
        return None, None
    latitude, longitude = centre_deg[0] + north, centre_deg[1] + east
    possible = math.isfinite(latitude) and math.isfinite(longitude) and abs(latitude) < 90
    return (latitude, (longitude + 180) % 360 - 180) if possible else (None, None)

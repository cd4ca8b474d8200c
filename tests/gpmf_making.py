"""GoPro metadata made from known values: payloads of GPS5, GPS9 or a Karma's streams.

payload([stream, …], device=…)      one payload; several joined are a file of bare payloads
gps5([(lat, lon, m, mps), …], …)    a camera's receiver, older cameras
gps9([(lat, lon, m, mps), …], …)    the same, newer cameras
karma([(lat, lon, sea, takeoff, north, east, down, heading), …], …)    the streams of a Karma drone
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime

Fix = tuple[float, float, float, float]


def item(key: str, kind: str, size: int, value: bytes) -> bytes:
    head = (
        key.encode("latin-1") + (kind.encode("latin-1") or b"\0") + bytes([size]) + (len(value) // size).to_bytes(2, "big")
    )
    return head + value + bytes(-len(value) % 4)


def nest(key: str, parts: Sequence[bytes]) -> bytes:
    return item(key, "", 1, b"".join(parts))


def text(key: str, words: str) -> bytes:
    return item(key, "c", 1, words.encode("latin-1"))


def longs(key: str, *numbers: int) -> bytes:
    return item(key, "l", 4, struct.pack(f">{len(numbers)}i", *numbers))


def payload(streams: Sequence[bytes], device: str = "Hero7 Black", number: int = 1) -> bytes:
    return nest("DEVC", [item("DVID", "L", 4, struct.pack(">I", number)), text("DVNM", device), *streams])


def gps5(
    fixes: Sequence[Fix], *, moment: str = "260302090000.000", lock: int = 3, dilution: float = 1.5, sea: bool = False
) -> bytes:
    rows = b"".join(
        struct.pack(">5i", round(a * 1e7), round(o * 1e7), round(m * 1000), round(v * 1000), round(v * 100))
        for a, o, m, v in fixes
    )
    about = [
        item("GPSF", "L", 4, struct.pack(">I", lock)),
        item("GPSU", "U", 16, moment.encode()),
        item("GPSP", "S", 2, struct.pack(">H", round(dilution * 100))),
        *([item("GPSA", "F", 4, b"MSLV")] if sea else []),
        longs("SCAL", 10_000_000, 10_000_000, 1000, 1000, 100),
    ]
    return nest("STRM", [*about, item("GPS5", "l", 20, rows)])


def gps9(
    fixes: Sequence[Fix],
    moments: Sequence[datetime],
    *,
    locks: Sequence[int],
    stamp_us: int | None = None,
    dilution: float = 1.5,
) -> bytes:
    rows = b""
    for (latitude, longitude, metres, speed), moment, lock in zip(fixes, moments, locks, strict=True):
        since = moment - datetime(2000, 1, 1, tzinfo=UTC)
        place = round(latitude * 1e7), round(longitude * 1e7), round(metres * 1000), round(speed * 1000), round(speed * 100)
        seconds_ms = since.seconds * 1000 + since.microseconds // 1000
        rows += struct.pack(">7iHH", *place, since.days, seconds_ms, round(dilution * 100), lock)
    about = [
        *([] if stamp_us is None else [item("STMP", "J", 8, struct.pack(">Q", stamp_us))]),
        text("TYPE", "lllllllSS"),
        longs("SCAL", 10_000_000, 10_000_000, 1000, 1000, 100, 1, 1000, 100, 1),
    ]
    return nest("STRM", [*about, item("GPS9", "?", 32, rows)])


def karma(
    fixes: Sequence[tuple[float, float, float, float, float, float, float, float]],
    *,
    attitude_rad: tuple[float, float, float],
    accuracy_m: tuple[float, float],
    lock: int,
    since_s: float,
    unix_s: float,
) -> list[bytes]:
    """Samples lie a quarter of a second apart from `since_s` after power-on, which was `unix_s` on the clock."""
    glpi, attd, gpri = b"", b"", b""
    for number, (latitude, longitude, sea, takeoff, north, east, down, heading) in enumerate(fixes):
        now = since_s + number * 0.25
        place = round(latitude * 1e7), round(longitude * 1e7)
        speeds = (round(v * 100) for v in (north, east, down))
        glpi += struct.pack(
            ">I4i3hH", round(now * 1000), *place, round(sea * 1000), round(takeoff * 1000), *speeds, round(heading * 100)
        )
        attd += struct.pack(">I6fB", round(now * 1000), *attitude_rad, 0, 0, 0, 0)
        errors = (round(a * 100) for a in accuracy_m)
        gpri += struct.pack(">Q3i4HBB", round(now * 1e6), *place, round(sea * 1000), *errors, 0, 0, lock, 12)
    places = (1000, 10_000_000, 10_000_000, 1000)
    clock = struct.pack(">QQ", round(since_s * 1e6), round(unix_s * 1000))
    return [
        _mixed("GLPI", "LllllsssS", (*places, 1000, 100, 100, 100, 100), 28, glpi),
        _mixed("ATTD", "LffffffB", (1000, *[1] * 7), 29, attd),
        _mixed("GPRI", "JlllSSSSBB", (1_000_000, *places[1:], 100, 100, 100, 100, 1, 1), 30, gpri),
        _mixed("SYST", "JJ", (1_000_000, 1000), 16, clock),
    ]


def _mixed(key: str, kinds: str, scale: Sequence[int], size: int, rows: bytes) -> bytes:
    return nest("STRM", [text("TYPE", kinds), longs("SCAL", *scale), item(key, "?", size, rows)])

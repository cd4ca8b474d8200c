"""MISB metadata made from known values: sets of ST 0601, targets of ST 0903, and transport streams that carry them.

    local_set({TAG: value, …}, time_us=…)   one set, with its checksum; numbers in degrees and metres, text, or bytes
    vmti([Aim(…)], width, height)           bytes for tag 74
    orbit(frames=…)                         one dict of values a frame: a flight around a point that the camera looks at
    clip(path, [dict, …], fps=…)            a transport stream: a small picture, and a set on each frame's time
    with_program_map(stream, {old: new})    the same stream, its metadata announced in another way
    with_a_stray_packet(stream)            the same stream, with one packet of a stream that nobody announced
    without_times(stream)                   the same stream, its metadata without presentation times

The numbers are made here from the tables of ST 0601 anew, not by the reader's own scales.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from pyproj import Geod

KEY = bytes([0x06, 0x0E, 0x2B, 0x34, 0x02, 0x0B, 0x01, 0x01, 0x0E, 0x01, 0x03, 0x01, 0x01, 0x00, 0x00, 0x00])
OUT_OF_RANGE = float("nan")
"""As a signed tag's value: the error indicator."""

_UNSIGNED = {
    5: (2, 0, 360), 15: (2, -900, 19000), 16: (2, 0, 180), 17: (2, 0, 180), 18: (4, 0, 360), 20: (4, 0, 360),
    21: (4, 0, 5e6), 22: (2, 0, 10000), 25: (2, -900, 19000), 75: (2, -900, 19000), 78: (2, -900, 19000),
}  # fmt: skip
_SIGNED = {
    6: (2, 20), 7: (2, 50), 13: (4, 90), 14: (4, 180), 19: (4, 180), 23: (4, 90), 24: (4, 180), 51: (2, 180),
    79: (2, 327), 80: (2, 327), 90: (4, 90), 91: (4, 90),
    **dict.fromkeys(range(26, 34), (2, 0.075)),
    **{tag: (4, 90 if tag % 2 == 0 else 180) for tag in range(82, 90)},
}  # fmt: skip
_PLAIN = {8: 1, 9: 1, 56: 1, 65: 1, 2: 8}
_IMAPB = {96: (0, 1.5e6, 4), 104: (-900, 40000, 3), 112: (0, 360, 2), 113: (-900, 40000, 3)}

Value = float | str | bytes


def step_of(tag: int) -> float:
    """How far apart two neighbouring values of a tag are."""
    if tag in _UNSIGNED:
        length, low, high = _UNSIGNED[tag]
        return (high - low) / (256**length - 1)
    if tag in _SIGNED:
        length, high = _SIGNED[tag]
        return 2 * high / (256**length - 2)
    low, high, length = _IMAPB[tag]
    return 2.0 ** (math.ceil(math.log2(high - low)) - 8 * length + 1)


def imapb(value: float, low: float, high: float, length: int) -> bytes:
    """Source: MISB ST 1201, forward mapping."""
    scale = 2.0 ** (8 * length - 1 - math.ceil(math.log2(high - low)))
    offset = scale * low - math.floor(scale * low) if low < 0 < high else 0.0
    return math.floor(scale * (value - low) + offset).to_bytes(length, "big")


def item_value(tag: int, value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if tag in _UNSIGNED:
        length, low, high = _UNSIGNED[tag]
        return round((value - low) / (high - low) * (256**length - 1)).to_bytes(length, "big")
    if tag in _SIGNED:
        length, high = _SIGNED[tag]
        if math.isnan(value):
            return b"\x80" + bytes(length - 1)
        return round(value / high * (256**length // 2 - 1)).to_bytes(length, "big", signed=True)
    if tag in _IMAPB:
        return imapb(value, *_IMAPB[tag])
    return int(value).to_bytes(_PLAIN.get(tag, 1), "big")


def length_of(size: int, *, long_form: bool = False) -> bytes:
    if size < 128 and not long_form:
        return bytes([size])
    digits = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    return bytes([0x80 | len(digits)]) + digits


def oid(tag: int) -> bytes:
    digits = [tag & 0x7F]
    while tag := tag >> 7:
        digits.append(0x80 | tag & 0x7F)
    return bytes(reversed(digits))


def items(values: Mapping[int, Value], *, long_form: bool = False) -> bytes:
    coded = [(oid(tag), item_value(tag, value)) for tag, value in values.items()]
    return b"".join(tag + length_of(len(value), long_form=long_form) + value for tag, value in coded)


def local_set(values: Mapping[int, Value], time_us: int | None = None, *, long_form: bool = False) -> bytes:
    """`long_form`: every length as some encoders write it, with a byte that says how long the length is."""
    first = {} if time_us is None else {2: time_us.to_bytes(8, "big")}
    body = items({**first, **values}, long_form=long_form) + b"\x01\x02"
    packet = KEY + length_of(len(body) + 2, long_form=long_form) + body
    total = 0
    for place, byte in enumerate(packet):
        total += byte if place % 2 else byte << 8
    return packet + (total % 65536).to_bytes(2, "big")


@dataclass(frozen=True)
class Aim:
    """A target: box corners as (column, row) from 0, both inside; place as offset from the frame centre, or in full."""

    id: int
    upper_left: tuple[int, int] | None = None
    lower_right: tuple[int, int] | None = None
    offset_deg: tuple[float, float] | None = None
    location_deg: tuple[float, float] | None = None


def vmti(aims: Sequence[Aim], width: int = 640, height: int = 480) -> bytes:
    packs = b""
    for aim in aims:
        inside: dict[int, Value] = {}
        for tag, corner in ((2, aim.upper_left), (3, aim.lower_right)):
            if corner is not None:
                inside[tag] = (corner[1] * width + corner[0] + 1).to_bytes(3, "big")
        if aim.offset_deg is not None:
            inside[10], inside[11] = (imapb(value, -19.2, 19.2, 3) for value in aim.offset_deg)
        if aim.location_deg is not None:
            latitude, longitude = aim.location_deg
            inside[17] = imapb(latitude, -90, 90, 4) + imapb(longitude, -180, 180, 4) + imapb(50, -900, 19000, 2)
        pack = oid(aim.id) + items(inside)
        packs += length_of(len(pack)) + pack
    count = len(aims).to_bytes(1, "big")
    about: dict[int, Value] = {4: b"\x05", 5: count, 6: count, 8: width.to_bytes(2, "big"), 9: height.to_bytes(2, "big")}
    return items({**about, **({101: packs} if packs else {})})


def orbit(
    frames: int = 60,
    fps: int = 30,
    *,
    centre_deg: tuple[float, float] = (52.4862, -1.8904),
    radius_m: float = 200.0,
    height_m: float = 120.0,
    ground_m: float = 100.0,
    speed_mps: float = 10.0,
    view_deg: tuple[float, float] = (20.0, 15.0),
) -> list[dict[int, Value]]:
    """A circle to the right around a point at which the camera looks, the aircraft banked by 10° and nosed up by 3°.

    The line from camera to centre is true on the ellipsoid for its bearing; its fall is that of a flat earth.
    """
    geod = Geod(ellps="WGS84")
    found = []
    slant = math.hypot(radius_m, height_m)
    for frame in range(frames):
        bearing = math.degrees(frame / fps * speed_mps / radius_m)
        longitude, latitude, back = geod.fwd(centre_deg[1], centre_deg[0], bearing, radius_m)
        heading = (bearing + 90) % 360
        azimuth, elevation, roll = _on_platform((back, -math.degrees(math.atan2(height_m, radius_m)), 0), (heading, 3, 10))
        found.append(
            {
                5: heading, 6: 3.0, 7: 10.0, 10: "Test aircraft", 11: "EO", 13: latitude, 14: longitude,
                15: ground_m + height_m, 16: view_deg[0], 17: view_deg[1], 18: azimuth % 360, 19: elevation,
                20: roll % 360, 21: slant, 23: centre_deg[0], 24: centre_deg[1], 25: ground_m, 56: round(speed_mps), 65: 13,
            }
        )  # fmt: skip
    return found


def _on_platform(look: tuple[float, float, float], platform: tuple[float, float, float]) -> tuple[float, float, float]:
    """What the sensor's angles have to be on a platform of that attitude, for the camera to look that way."""
    relative = _matrix(platform).T @ _matrix(look)
    yaw = math.atan2(relative[1, 0], relative[0, 0])
    return (
        math.degrees(yaw),
        -math.degrees(math.asin(relative[2, 0])),
        math.degrees(math.atan2(relative[2, 1], relative[2, 2])),
    )


def _matrix(angles_deg: tuple[float, float, float]) -> np.ndarray:
    """One turn about each axis, multiplied out by numpy."""
    yaw, pitch, roll = (math.radians(a) for a in angles_deg)
    about_down = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    about_right = np.array([[math.cos(pitch), 0, math.sin(pitch)], [0, 1, 0], [-math.sin(pitch), 0, math.cos(pitch)]])
    about_nose = np.array([[1, 0, 0], [0, math.cos(roll), -math.sin(roll)], [0, math.sin(roll), math.cos(roll)]])
    return about_down @ about_right @ about_nose


def clip(
    path: Path,
    moments: Sequence[Mapping[int, Value]],
    *,
    fps: int = 30,
    size_wh: tuple[int, int] = (64, 48),
    start_us: int = 1_750_000_000_000_000,
    bare: Sequence[bytes] | None = None,
) -> Path:
    """A transport stream with one frame for each moment, and its set on the frame's own time.

    `bare`: the payloads, instead of sets made from `moments`.
    """
    payloads = bare or [local_set(v, start_us + round(i * 1e6 / fps)) for i, v in enumerate(moments)]
    with av.open(str(path), "w", format="mpegts") as out:
        video = out.add_stream("libx264", rate=fps, options={"bf": "0", "g": "15"})
        video.width, video.height, video.pix_fmt = *size_wh, "yuv420p"
        data = out.add_data_stream("klv")
        for number, payload in enumerate(payloads):
            picture = np.full((size_wh[1], size_wh[0], 3), number * 7 % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = number
            out.mux(video.encode(frame))
            packet = av.Packet(payload)
            packet.stream, packet.time_base = data, Fraction(1, 90_000)
            packet.pts = packet.dts = number * 90_000 // fps
            out.mux(packet)
        out.mux(video.encode(None))
    return path


def with_program_map(stream: bytes, change: Mapping[bytes, bytes]) -> bytes:
    """The transport stream with these bytes replaced in its program map tables, whose check sums are made anew."""
    out = bytearray(stream)
    for at in range(0, len(out), 188):
        section = at + 5
        if out[at + 1] & 0x40 and out[section : section + 1] == b"\x02" and out[at + 4] == 0:
            end = section + 3 + (int.from_bytes(out[section + 1 : section + 3], "big") & 0xFFF)
            body = bytes(out[section : end - 4])
            for old, new in change.items():
                body = body.replace(old, new)
            out[section:end] = body + _crc(body).to_bytes(4, "big")
    return bytes(out)


def _crc(data: bytes) -> int:
    """Source: ISO/IEC 13818-1, annex A."""
    value = 0xFFFFFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            high = value >> 31 ^ byte >> bit & 1
            value = value << 1 & 0xFFFFFFFF ^ (0x04C11DB7 if high else 0)
    return value


def without_times(stream: bytes) -> bytes:
    """The transport stream as if its metadata had come beside the video: no presentation times on it."""
    out = bytearray(stream)
    for at in range(0, len(out), 188):
        start = at + 4 + (1 + out[at + 4] if out[at + 3] & 0x20 else 0)
        begins = out[at + 1] & 0x40 and out[start : start + 3] == b"\x00\x00\x01"
        if begins and out[start + 3] in (0xFC, 0xBD) and out[start + 7] & 0x80:
            out[start + 7] &= 0x3F
            length = out[start + 8]
            out[start + 9 : start + 9 + length] = b"\xff" * length
    return bytes(out)


def with_a_stray_packet(stream: bytes) -> bytes:
    """The transport stream with one metadata packet under a number that nobody announced, as one wrong byte makes it."""
    out = bytearray(stream)
    begins = [at for at in range(0, len(out), 188) if out[at + 1] & 0x40 and out[at + 2] == 1]
    out[begins[len(begins) * 2 // 3] + 2] = 0x23
    return bytes(out)

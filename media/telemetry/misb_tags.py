"""The numbers of MISB ST 0601 and ST 0903: what each tag means, and how its bytes become degrees and metres.

exhibit reads the sets itself. `klvdata` 0.0.3 was tried on sets with known truth: an error indicator (0x80000000) stops it
with a ValueError, a wrong checksum goes by unnoticed, bytes before the first key put it out of step for good, and a
damaged length ends in an OverflowError. `pymisb` isn't to be had.

Source: MISB ST 0601.19 (tags, ranges, "out of range" indicators), MISB ST 1201.5 (IMAPB), MISB ST 0903.5 (VMTI).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unsigned:
    """All values of so many bytes, spread over a range."""

    length: int
    low: float
    high: float

    def number(self, value: bytes) -> float | None:
        """None for a value of another length."""
        if len(value) != self.length:
            return None
        return self.low + int.from_bytes(value, "big") * (self.high - self.low) / ((1 << 8 * self.length) - 1)


@dataclass(frozen=True, slots=True)
class Signed:
    """Spread over ± a range; the lowest value says "out of range" and becomes NaN."""

    length: int
    high: float

    def number(self, value: bytes) -> float | None:
        if len(value) != self.length:
            return None
        read = int.from_bytes(value, "big", signed=True)
        half = 1 << 8 * self.length - 1
        return math.nan if read == -half else read * self.high / (half - 1)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number as it stands, of any length up to eight bytes."""

    signed: bool = False

    def number(self, value: bytes) -> float | None:
        return float(int.from_bytes(value, "big", signed=self.signed)) if 0 < len(value) <= 8 else None


@dataclass(frozen=True, slots=True)
class Imapb:
    """A range on as many bytes as the sender likes. Source: MISB ST 1201, "reverse mapping" and the special values."""

    low: float
    high: float

    def number(self, value: bytes) -> float | None:
        if not 0 < len(value) <= 8:
            return None
        read, top = int.from_bytes(value, "big"), 1 << (8 * len(value) - 1)
        if read > top:
            return math.nan
        power = math.ceil(math.log2(self.high - self.low))
        forward = 2.0 ** (8 * len(value) - 1 - power)
        offset = forward * self.low - math.floor(forward * self.low) if self.low < 0 < self.high else 0.0
        return (read - offset) / forward + self.low


Scale = Unsigned | Signed | Whole | Imapb

HEADING, PITCH, ROLL, DESIGNATION, SENSOR = 5, 6, 7, 10, 11
TIME, LATITUDE, LONGITUDE, HEIGHT_SEA = 2, 13, 14, 15
HORIZONTAL_VIEW, VERTICAL_VIEW = 16, 17
AZIMUTH, ELEVATION, SENSOR_ROLL = 18, 19, 20
SLANT_RANGE, TARGET_WIDTH = 21, 22
CENTRE_LATITUDE, CENTRE_LONGITUDE, CENTRE_HEIGHT_SEA = 23, 24, 25
CORNER_OFFSETS = ((26, 27), (28, 29), (30, 31), (32, 33))
CORNERS = ((82, 83), (84, 85), (86, 87), (88, 89))
CLIMB, GROUND_SPEED, VERSION, VMTI = 51, 56, 65, 74
HEIGHT_ELLIPSOID, CENTRE_HEIGHT_ELLIPSOID = 75, 78
NORTH_SPEED, EAST_SPEED, FULL_PITCH, FULL_ROLL = 79, 80, 90, 91
LONG_TARGET_WIDTH, LONG_HEIGHT_ELLIPSOID, COURSE, HEIGHT_GROUND, LEAP_SECONDS, CORRECTION = 96, 104, 112, 113, 136, 137

_HEIGHT = Unsigned(2, -900, 19_000)
SCALES: dict[int, Scale] = {
    TIME: Whole(),
    HEADING: Unsigned(2, 0, 360),
    PITCH: Signed(2, 20),
    ROLL: Signed(2, 50),
    LATITUDE: Signed(4, 90),
    LONGITUDE: Signed(4, 180),
    HEIGHT_SEA: _HEIGHT,
    HORIZONTAL_VIEW: Unsigned(2, 0, 180),
    VERTICAL_VIEW: Unsigned(2, 0, 180),
    AZIMUTH: Unsigned(4, 0, 360),
    ELEVATION: Signed(4, 180),
    SENSOR_ROLL: Unsigned(4, 0, 360),
    SLANT_RANGE: Unsigned(4, 0, 5_000_000),
    TARGET_WIDTH: Unsigned(2, 0, 10_000),
    CENTRE_LATITUDE: Signed(4, 90),
    CENTRE_LONGITUDE: Signed(4, 180),
    CENTRE_HEIGHT_SEA: _HEIGHT,
    **{tag: Signed(2, 0.075) for pair in CORNER_OFFSETS for tag in pair},
    CLIMB: Signed(2, 180),
    GROUND_SPEED: Whole(),
    VERSION: Whole(),
    HEIGHT_ELLIPSOID: _HEIGHT,
    CENTRE_HEIGHT_ELLIPSOID: _HEIGHT,
    NORTH_SPEED: Signed(2, 327),
    EAST_SPEED: Signed(2, 327),
    **{latitude: Signed(4, 90) for latitude, _ in CORNERS},
    **{longitude: Signed(4, 180) for _, longitude in CORNERS},
    FULL_PITCH: Signed(4, 90),
    FULL_ROLL: Signed(4, 90),
    LONG_TARGET_WIDTH: Imapb(0, 1_500_000),
    LONG_HEIGHT_ELLIPSOID: Imapb(-900, 40_000),
    COURSE: Imapb(0, 360),
    HEIGHT_GROUND: Imapb(-900, 40_000),
    LEAP_SECONDS: Whole(signed=True),
    CORRECTION: Whole(signed=True),
}
"""Those tags that become numbers here."""

NOT_READ = {
    3: "mission", 4: "tail number", 8: "true airspeed", 9: "indicated airspeed", 12: "image coordinate system",
    34: "icing", 35: "wind direction", 36: "wind speed", 37: "static pressure", 38: "density altitude",
    39: "air temperature", 40: "target latitude", 41: "target longitude", 42: "target elevation",
    43: "track gate width", 44: "track gate height", 45: "target error CE90", 46: "target error LE90",
    47: "flags", 48: "security set", 49: "differential pressure", 50: "angle of attack", 52: "sideslip angle",
    53: "airfield pressure", 54: "airfield elevation", 55: "humidity", 57: "ground range", 58: "fuel", 59: "call sign",
    60: "load", 61: "release", 62: "laser code", 63: "field of view name", 64: "magnetic heading",
    66: "target covariance", 67: "other platform's latitude", 68: "other platform's longitude",
    69: "other platform's altitude", 70: "other platform's name", 71: "other platform's heading",
    72: "event start time", 73: "remote video terminal set", 76: "other platform's height", 77: "operational mode",
    81: "horizon", 92: "angle of attack, full", 93: "sideslip angle, full", 94: "motion imagery identifier",
    95: "radar set", 97: "range image", 98: "geo-registration", 99: "composite imaging", 100: "segment",
    101: "amendment", 102: "deviations", 103: "density altitude, extended", 105: "other platform's height, extended",
    106: "stream designator", 107: "operational base", 108: "broadcast source", 109: "range to recovery",
    110: "time airborne", 111: "propulsion speed", 114: "radar altimeter", 115: "control command",
    116: "control command check", 117: "azimuth rate", 118: "elevation rate", 119: "roll rate", 120: "storage used",
    121: "active wavelengths", 122: "country codes", 123: "satellites in view", 124: "positioning method",
    125: "platform status", 126: "sensor control mode", 127: "frame rate", 128: "wavelengths", 129: "target identifier",
    130: "airbases", 131: "take-off time", 132: "transmission frequency", 133: "storage capacity", 134: "zoom",
    135: "communications method", 138: "payloads",
    139: "active payloads", 140: "stores", 141: "waypoints", 142: "view domain", 143: "metadata substream",
}  # fmt: skip
"""Tags of ST 0601 that exhibit has no use for, in a word or two."""

VMTI_FRAME_WIDTH, VMTI_FRAME_HEIGHT, VMTI_SERIES = 8, 9, 101
TARGET_CENTROID, TARGET_UPPER_LEFT, TARGET_LOWER_RIGHT = 1, 2, 3
TARGET_LATITUDE_OFFSET, TARGET_LONGITUDE_OFFSET, TARGET_LOCATION = 10, 11, 17
OFFSET_SCALE = Imapb(-19.2, 19.2)
LOCATION_LATITUDE_SCALE, LOCATION_LONGITUDE_SCALE = Imapb(-90, 90), Imapb(-180, 180)
"""In a target's location pack: four bytes each, latitude first."""

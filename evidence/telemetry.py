"""What a device said about where it was, where it looked and when: fixes as columns, with what each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag, StrEnum

import numpy as np
import numpy.typing as npt

NO_TIME = np.iinfo(np.int64).min
"""In a column of times: none was given."""


class Family(StrEnum):
    """Which kind of format the fixes came in."""

    DJI_SRT = "DJI SRT"
    MISB = "MISB KLV"
    GPMF = "GoPro GPMF"
    GPX = "GPX"
    NMEA = "NMEA"
    CSV = "CSV"
    QUICKTIME = "QuickTime"
    KML = "KML"
    JSON = "JSON"


class Quantity(StrEnum):
    """One column: what is measured, with its unit. Angles are degrees, lengths metres, speeds metres a second.

    Heights differ by what they are above: the take-off point, mean sea level (a geoid), the WGS84 ellipsoid, the ground.
    `platform_*` is the aircraft's or wearer's attitude; `camera_*` is where the camera looks, absolute: yaw clockwise from
    true north, pitch up from the horizon (-90 looks straight down), roll clockwise.
    """

    LATITUDE = "latitude_deg"
    LONGITUDE = "longitude_deg"
    HEIGHT_TAKEOFF = "height_takeoff_m"
    HEIGHT_SEA = "height_sea_m"
    HEIGHT_ELLIPSOID = "height_ellipsoid_m"
    HEIGHT_GROUND = "height_ground_m"
    HOME_LATITUDE = "home_latitude_deg"
    HOME_LONGITUDE = "home_longitude_deg"
    ACCURACY_HORIZONTAL = "accuracy_horizontal_m"
    """One standard deviation, or what the format gives (CEP 50 %, DOP × 5 m is an estimate and marked so)."""
    ACCURACY_VERTICAL = "accuracy_vertical_m"
    PLATFORM_YAW = "platform_yaw_deg"
    PLATFORM_PITCH = "platform_pitch_deg"
    PLATFORM_ROLL = "platform_roll_deg"
    CAMERA_YAW = "camera_yaw_deg"
    CAMERA_PITCH = "camera_pitch_deg"
    CAMERA_ROLL = "camera_roll_deg"
    HORIZONTAL_VIEW = "horizontal_view_deg"
    VERTICAL_VIEW = "vertical_view_deg"
    FOCAL_LENGTH_35 = "focal_length_35_mm"
    SPEED = "speed_mps"
    CLIMB = "climb_mps"
    COURSE = "course_deg"
    """Where it moves, clockwise from true north."""
    SLANT_RANGE = "slant_range_m"
    CENTRE_LATITUDE = "centre_latitude_deg"
    CENTRE_LONGITUDE = "centre_longitude_deg"
    CENTRE_HEIGHT_SEA = "centre_height_sea_m"
    CORNER_1_LATITUDE = "corner_1_latitude_deg"
    CORNER_1_LONGITUDE = "corner_1_longitude_deg"
    CORNER_2_LATITUDE = "corner_2_latitude_deg"
    CORNER_2_LONGITUDE = "corner_2_longitude_deg"
    CORNER_3_LATITUDE = "corner_3_latitude_deg"
    CORNER_3_LONGITUDE = "corner_3_longitude_deg"
    CORNER_4_LATITUDE = "corner_4_latitude_deg"
    CORNER_4_LONGITUDE = "corner_4_longitude_deg"
    """Corners on the ground, clockwise from the picture's upper left (MISB ST 0601 offset corner points 1 to 4)."""


class Certainty(StrEnum):
    """How a value came to be: read from a sensor, calculated from measured values, or assumed."""

    MEASURED = "measured"
    DERIVED = "derived"
    ESTIMATED = "estimated"


CERTAINTIES = (None, Certainty.MEASURED, Certainty.DERIVED, Certainty.ESTIMATED)
"""By number, where columns hold numbers: in the files that LOCATE writes, and in the database."""


class Flag(IntFlag):
    """What is to be known about one fix."""

    NONE = 0
    NO_FIX = 1
    """No place was given, or one that means none: (0, 0), a receiver without satellites, a value out of range."""
    JUMP = 2
    """The way from the fix before would need an impossible speed. It is kept, flagged."""
    INTERPOLATED = 4
    """Between two fixes, not from the file."""
    CLOCK_STEP = 8
    """The device's clock went back, or leapt, here."""


class Zone(StrEnum):
    """What a device's clock times are in, as its format says; a correction is `evidence.clock`'s."""

    UTC = "UTC"
    LOCAL = "local, no zone given"


@dataclass(frozen=True, slots=True)
class Target:
    """One moving target of MISB ST 0903. Units: `elapsed_us` microseconds; box in pixels of the picture, if given."""

    elapsed_us: int
    id: int
    box_xyxy: tuple[float, float, float, float] | None
    latitude_deg: float | None
    longitude_deg: float | None


@dataclass(frozen=True, slots=True)
class Telemetry:
    """All fixes of one source in the order of elapsed time; row i of every column belongs together.

    Shape: `elapsed_us`, `clock_us`: (n,) int64; `flags`: (n,) uint8; each of `columns`: (n,) float64, NaN where not said.
    Units: `elapsed_us`: microseconds of media time since the video's first frame (a sidecar's: since the zero of its own
        time line); `clock_us`: the device's date and time at that moment, in microseconds since 1970-01-01 in the zone that
        `zone` names, `NO_TIME` where it has none.
    """

    family: Family
    dialect: str
    """The form of the format, in words: `bracketed`, `F/ comma list`, `ST 0601.8`, `HERO6 Black GPS5`."""
    device: str
    """Maker and model as the file says, or empty."""
    zone: Zone
    elapsed_us: npt.NDArray[np.int64]
    clock_us: npt.NDArray[np.int64]
    flags: npt.NDArray[np.uint8]
    columns: Mapping[Quantity, npt.NDArray[np.float64]]
    certainty: Mapping[Quantity, Certainty]
    """Of each column that isn't measured."""
    warnings: tuple[str, ...] = ()
    """What could not be read, or is odd, in plain words."""
    targets: tuple[Target, ...] = ()
    frame_synchronous: bool = False
    """Whether each fix was written with the very frame it lies on (KLV in a transport stream), not beside it."""

    def __post_init__(self) -> None:
        n = len(self.elapsed_us)
        lengths = {len(self.clock_us), len(self.flags), *(len(column) for column in self.columns.values())}
        if lengths != {n}:
            raise ValueError("the columns of Telemetry must have one length")
        if n and (np.diff(self.elapsed_us) < 0).any():
            raise ValueError("fixes must stand in the order of elapsed time")

    def __len__(self) -> int:
        return len(self.elapsed_us)

    def column(self, quantity: Quantity) -> npt.NDArray[np.float64]:
        """Shape: (n,); all NaN where the source has no such column."""
        found = self.columns.get(quantity)
        return np.full(len(self), np.nan) if found is None else found

    @property
    def clock_words(self) -> str:
        """What its device's dates and times are in, or that it gave none: a time of day alone is no clock."""
        return self.zone.value if (self.clock_us != NO_TIME).any() else "no date and time given"

    @property
    def placed(self) -> npt.NDArray[np.bool_]:
        """Which fixes have a place. Shape: (n,)."""
        given: npt.NDArray[np.bool_] = np.isfinite(self.column(Quantity.LATITUDE) + self.column(Quantity.LONGITUDE))
        fixed: npt.NDArray[np.bool_] = np.bitwise_and(self.flags, int(Flag.NO_FIX)) == 0
        return given & fixed

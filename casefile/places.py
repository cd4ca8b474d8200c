"""What goes out of the house about where: fixes, ground in the picture, and places of what was seen, for all formats alike.

Heights say what they are above; a time is UTC only where the format or a correction makes it so; what is estimated is
called that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evidence.clock import from_micros
from evidence.geo import Footprints
from evidence.telemetry import NO_TIME, Certainty, Flag, Quantity, Telemetry, Zone

_LONGEST_GAP_US = 10_000_000
"""A path is not drawn over a longer one."""
_ORDINARY = Certainty.MEASURED

MISB_LABELS = {
    Quantity.LATITUDE: "Sensor Latitude (13)",
    Quantity.LONGITUDE: "Sensor Longitude (14)",
    Quantity.HEIGHT_SEA: "Sensor True Altitude (15)",
    Quantity.HEIGHT_ELLIPSOID: "Sensor Ellipsoid Height (75)",
    Quantity.PLATFORM_YAW: "Platform Heading Angle (5)",
    Quantity.PLATFORM_PITCH: "Platform Pitch Angle (6)",
    Quantity.PLATFORM_ROLL: "Platform Roll Angle (7)",
    Quantity.HORIZONTAL_VIEW: "Sensor Horizontal Field of View (16)",
    Quantity.VERTICAL_VIEW: "Sensor Vertical Field of View (17)",
    Quantity.SLANT_RANGE: "Slant Range (21)",
    Quantity.CENTRE_LATITUDE: "Frame Center Latitude (23)",
    Quantity.CENTRE_LONGITUDE: "Frame Center Longitude (24)",
    Quantity.CENTRE_HEIGHT_SEA: "Frame Center Elevation (25)",
    Quantity.SPEED: "Platform Ground Speed (56)",
}
"""What the same field is called in MISB ST 0601, with its tag."""


@dataclass(frozen=True, slots=True)
class Source:
    """Fixes with what is known about their clock. Shape: `utc_us` (n,), `NO_TIME` where it isn't known. Units: microseconds,
    seconds."""

    name: str
    """Whose they are: the exhibit's reference, or the file's name."""
    telemetry: Telemetry
    utc_us: npt.NDArray[np.int64]
    utc_error_s: float | None = None
    utc_by: str = ""
    """On what UTC rests, in words: a correction, an assumed zone, satellites."""

    @classmethod
    def of(cls, name: str, telemetry: Telemetry) -> Source:
        """Without a correction: UTC where the format says so, else no time but the device's claim."""
        known = telemetry.zone is Zone.UTC
        return cls(name, telemetry, telemetry.clock_us if known else np.full(len(telemetry), NO_TIME))


@dataclass(frozen=True, slots=True)
class Ground:
    """The ground in the picture of one exhibit."""

    name: str
    footprints: Footprints


@dataclass(frozen=True, slots=True)
class Moved:
    """Over about two seconds, with errors that hold 95 times of 100. Units: metres a second, degrees from north; no heading
    where it may as well stand."""

    speed_mps: float
    speed_error_mps: float
    heading_deg: float | None = None
    heading_error_deg: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was seen, on the ground at one moment. Units: degrees; `ellipse_m` half axes in metres (95 %) and the
    azimuth in degrees of the longer one."""

    name: str
    track: int
    label: str
    elapsed_us: int
    latitude_deg: float
    longitude_deg: float
    ellipse_m: tuple[float, float, float]
    certainty: Certainty
    moved: Moved | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """All that is known about where, of one exhibit or of a whole case."""

    sources: Sequence[Source] = ()
    grounds: Sequence[Ground] = ()
    seen: Sequence[Seen] = ()


def utc(utc_us: int) -> str | None:
    """RFC 3339, or None where it isn't known."""
    return None if utc_us == NO_TIME else plain_clock(utc_us) + "Z"


def plain_clock(clock_us: int) -> str:
    """A device's date and time as it came, without a zone."""
    return from_micros(int(clock_us)).replace(tzinfo=None).isoformat()


def not_measured(telemetry: Telemetry) -> dict[str, str]:
    """The fields of a source that are derived or estimated, by name."""
    return {quantity.value: certainty.value for quantity, certainty in telemetry.certainty.items()}


def flag_words(flags: int) -> list[str]:
    return [flag.name.lower().replace("_", " ") for flag in Flag if flag and flags & flag and flag.name]


def certainty_of(telemetry: Telemetry, row: int) -> Certainty:
    """What the place of a fix is worth: what lies between two fixes is no measurement."""
    worth = telemetry.certainty.get(Quantity.LATITUDE, _ORDINARY)
    between = bool(telemetry.flags[row] & int(Flag.INTERPOLATED))
    return Certainty.DERIVED if between and worth is _ORDINARY else worth


def spaced(elapsed_us: npt.NDArray[np.int64], every_us: int) -> npt.NDArray[np.int64]:
    """Rows in different spans of `every_us`, the first of each; all for 0."""
    if every_us <= 0 or not len(elapsed_us):
        return np.arange(len(elapsed_us))
    return np.unique(elapsed_us // every_us, return_index=True)[1]


def with_ground(footprints: Footprints, every_us: int) -> npt.NDArray[np.int64]:
    """Rows that have a footprint, spaced."""
    rows = np.flatnonzero([certainty is not None for certainty in footprints.certainty])
    return rows[spaced(footprints.elapsed_us[rows], every_us)]


def lines(telemetry: Telemetry, rows: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Stretches of placed rows without a gap, a jump or the date line within: what may be drawn as a line."""
    if not len(rows):
        return
    placed = telemetry.placed[rows]
    longitude = telemetry.column(Quantity.LONGITUDE)[rows]
    with np.errstate(invalid="ignore"):
        apart = np.diff(telemetry.elapsed_us[rows]) > _LONGEST_GAP_US
        over = np.abs(np.diff(longitude)) > 180
    jumped = (telemetry.flags[rows[1:]] & int(Flag.JUMP)) != 0
    cuts = np.flatnonzero(apart | over | jumped | ~placed[1:] | ~placed[:-1]) + 1
    for part in np.split(rows, cuts):
        if telemetry.placed[part].all():
            yield part

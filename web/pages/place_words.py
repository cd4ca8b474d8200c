"""Places as people say them: how well they are known, degrees, heights, directions, moments with their error."""

from __future__ import annotations

from datetime import UTC, datetime

from evidence.places import FILE_CLOCK, By
from evidence.telemetry import Certainty
from web.pages.words import Tag

CERTAINTY = {
    Certainty.MEASURED: Tag("Measured", "green"),
    Certainty.DERIVED: Tag("Derived", "blue"),
    Certainty.ESTIMATED: Tag("Estimated", "yellow"),
}
READOUT = {
    "place": "Place",
    "height": "Height",
    "looks": "Looks",
    "speed": "Speed",
    "time": "Time",
    "claimed": "Its clock",
    "ground": "In the picture",
    "flags": "Beware",
}
"""The lines beside the map, by the name that the script fills them under."""
MAP_KEY = {
    "measured": "way, measured",
    "derived": "derived",
    "estimated": "estimated",
    "interpolated": "between two fixes",
    "jump": "impossible jump",
    "ground": "ground in the picture",
    "spot": "seen, with the ellipse it stands in 95 times of 100",
}
FLAGS = {
    "no fix": "no fix",
    "jump": "an impossible speed would have been needed to come here",
    "interpolated": "between two fixes, not from the file",
    "clock step": "the device’s clock leapt here",
}
BY = {By.FOOTPRINT: "in the picture", By.POSITION: "the device was there"}


def degrees(lat: float, lon: float) -> str:
    """Six digits are a tenth of a metre."""
    return f"{_number(lat, 6)}, {_number(lon, 6)}"


def metres(value: float) -> str:
    """`0.4 m`, `12 m`, `1.3 km`."""
    if value < 10:
        return f"{value:.1f} m"
    return f"{value:,.0f} m" if value < 1000 else f"{value / 1000:,.1f} km"


def place(lat: float | None, lon: float | None, accuracy_m: float | None = None) -> str:
    if lat is None or lon is None:
        return "No fix"
    return degrees(lat, lon) + (f" ± {metres(accuracy_m)}" if accuracy_m is not None else "")


def height(above_takeoff_m: float | None, above_sea_m: float | None) -> str:
    found = []
    if above_takeoff_m is not None:
        found.append(f"{_number(above_takeoff_m, 1)} m above take-off")
    if above_sea_m is not None:
        found.append(f"{_number(above_sea_m, 1)} m above sea level")
    return ", ".join(found)


def looks(yaw_deg: float | None, pitch_deg: float | None) -> str:
    found = []
    if yaw_deg is not None:
        found.append(f"{round(yaw_deg) % 360}° from north")
    if pitch_deg is not None:
        found.append(f"{abs(pitch_deg):.0f}° {'down' if pitch_deg < 0 else 'up'}")
    return ", ".join(found)


def corrected(utc: datetime | None, error_s: float | None, *, tenths: bool = True) -> str:
    """`24 November 2026, 07:15:03.2 UTC ± 0.5 s`. Corrected time is told in UTC, as the devices' own times are."""
    if utc is None:
        return ""
    at = utc.astimezone(UTC)
    fraction = f".{at.microsecond // 100_000}" if tenths else ""
    return f"{at.day} {at.strftime('%B %Y, %H:%M:%S')}{fraction} UTC" + (
        f" ± {within(error_s)}" if error_s is not None else ""
    )


def period(start: datetime | None, end: datetime | None, error_s: float | None) -> str:
    """`24 November 2026, 07:15:03 to 07:15:09 UTC ± 1.0 s`, with the second date only where it is another."""
    if start is None or end is None:
        return corrected(start or end, error_s, tenths=False)
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    if first.replace(microsecond=0) == last.replace(microsecond=0):
        return corrected(first, error_s, tenths=False)
    ends = corrected(last, error_s, tenths=False)
    if first.date() == last.date():
        ends = ends.partition(", ")[2]
    return f"{corrected(first, None, tenths=False).removesuffix(' UTC')} to {ends}"


def within(error_s: float) -> str:
    """An error of a clock: `0.5 s`, `60 s`, `61 min`."""
    if error_s < 10:
        return f"{error_s:.1f} s" if error_s >= 0.1 else f"{error_s:.2f} s"
    return f"{error_s:.0f} s" if error_s < 600 else f"{error_s / 60:.0f} min"


def claimed_period(start: str, end: str) -> str:
    """`2026-11-24 07:15:03.000 UTC to 2026-11-24 07:15:09.000 UTC`, as the clock itself says."""
    return start if start == end else f"{start} to {end}"


def said(clock: str, claim: str) -> str:
    """The raw claim with whose it is: `2026-11-24 07:15:03.000 UTC, as the uploader or the file says`."""
    if not claim:
        return ""
    return f"{claim}, as {'the uploader or the file' if clock == FILE_CLOCK else clock} says"


def ellipse(major_m: float, minor_m: float, azimuth_deg: float) -> str:
    if round(major_m, 1) == round(minor_m, 1):
        return f"within {metres(major_m)}"
    return f"within {metres(major_m)} along {round(azimuth_deg) % 180}° from north and {metres(minor_m)} across"


def moving(speed_mps: float | None, error_mps: float | None, heading: float | None, error_deg: float | None) -> str:
    """`1.4 ± 0.6 m/s towards 37° ± 25° from north`; what may as well stand has no heading."""
    if speed_mps is None or error_mps is None:
        return ""
    told = f"{speed_mps:.1f} ± {error_mps:.1f} m/s"
    if heading is None or error_deg is None:
        return told
    return f"{told} towards {round(heading) % 360}° ± {error_deg:.0f}° from north"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")

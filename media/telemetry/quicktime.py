"""The one place that phones and some cameras write into a recording's header, and when they say it was made.

Source: ISO 6709:2008, annex H (±DD.D±DDD.D±height/); Apple, QuickTime File Format (©xyz,
    com.apple.quicktime.location.ISO6709, com.apple.quicktime.creationdate).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from evidence.errors import UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Quantity, Telemetry, Zone
from media import container as containers
from media.telemetry.rows import Rows, believable_us
from media.telemetry.times import moment_of

_LOCATIONS = ("com.apple.quicktime.location.iso6709", "location", "location-eng", "xyz", "©xyz")
_ACCURACIES = ("com.apple.quicktime.location.accuracy.horizontal",)
_MADE = ("com.apple.quicktime.creationdate", "date", "creation_time")
_MAKES = ("com.apple.quicktime.make", "make", "com.android.manufacturer")
_MODELS = ("com.apple.quicktime.model", "model", "com.android.model")

_PART = r"[+-]\d{1,7}(?:[.,]\d{1,12})?"
_ISO_6709 = re.compile(rf"\s*({_PART})({_PART})([+-]\d{{1,6}}(?:[.,]\d{{1,12}})?)?(?:CRS[\w:.-]{{1,40}})?/?\s*")
Q = Quantity


def read(path: Path) -> Telemetry:
    """A single fix, at the first frame.

    Raises: NotFound, UnsupportedMedia where no place is written, CorruptMedia.
    """
    with containers.open_media(path) as container:
        tags = {key.lower(): value for stream in container.streams for key, value in stream.metadata.items()}
        tags |= {key.lower(): value for key, value in container.metadata.items()}
    return of_tags(tags, path.name)


def of_tags(tags: Mapping[str, str], name: str = "the file") -> Telemetry:
    """`tags`: the header's, keys in lower case. Raises: UnsupportedMedia."""
    keys = (*_LOCATIONS, *sorted(key for key in tags if key.startswith("location-")))
    said = next((tags[key] for key in keys if tags.get(key)), "")
    place = iso_6709(said)
    if place is None:
        why = f"the place in its header, {said[:60]!r}, is none that can be read" if said else "no place in its header"
        raise UnsupportedMedia(f"{name} has no telemetry: {why}")
    latitude, longitude, height = place
    values = {Q.LATITUDE: latitude, Q.LONGITUDE: longitude}
    if height is not None:
        values[Q.HEIGHT_SEA] = height
    accuracy = next((tags[key] for key in _ACCURACIES if key in tags), "")
    if re.fullmatch(r"\d{1,6}(?:\.\d{1,12})?", accuracy):
        values[Q.ACCURACY_HORIZONTAL] = float(accuracy)
    made, zoned, warnings = NO_TIME, True, []
    for key in _MADE:
        made, zoned = moment_of(tags.get(key, ""))
        made = believable_us(made)
        if made != NO_TIME:
            if key == "creation_time":
                warnings.append("the creation time should be UTC; many cameras write their local time there")
            break
    rows = Rows()
    rows.add(values, clock_us=made, elapsed_us=0)
    makers = [next((tags[key].strip() for key in keys if tags.get(key)), "") for keys in (_MAKES, _MODELS)]
    return rows.telemetry(
        Family.QUICKTIME,
        "ISO 6709",
        device=" ".join(part for part in makers if part)[:127],
        zone=Zone.UTC if zoned else Zone.LOCAL,
        certainty={Q.HEIGHT_SEA: Certainty.ESTIMATED},
        warnings=[*warnings, "one place for the whole recording, of the moment it began or ended"],
    )


def iso_6709(said: str) -> tuple[float, float, float | None] | None:
    """Latitude, longitude and height; None for what is no such text. A height's zero point isn't said."""
    match = _ISO_6709.fullmatch(said)
    if match is None:
        return None
    latitude, longitude = _degrees(match[1], 2), _degrees(match[2], 3)
    if latitude is None or longitude is None:
        return None
    return latitude, longitude, float(match[3].replace(",", ".")) if match[3] else None


def _degrees(part: str, digits: int) -> float | None:
    """±DD.D, ±DDMM.M or ±DDMMSS.S, with `digits` digits of degrees; also ±D.D, as some cameras leave out zeros in front."""
    sign = -1 if part[0] == "-" else 1
    whole, _, fraction = part[1:].replace(",", ".").partition(".")
    decimals = float(f"0.{fraction or 0}")
    if len(whole) < digits and fraction:
        whole = whole.zfill(digits)
    if len(whole) not in (digits, digits + 2, digits + 4):
        return None
    pieces = [float(whole[:digits]), *(float(whole[i : i + 2]) for i in range(digits, len(whole), 2))]
    pieces[-1] += decimals
    if any(piece >= 60 for piece in pieces[1:]):
        return None
    return sign * float(sum(piece / 60.0**power for power, piece in enumerate(pieces)))

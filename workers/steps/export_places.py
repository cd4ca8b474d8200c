"""The places of a case file: what LOCATE found of each exhibit and of the whole case, in formats that others read.

About one row a second, as on the map, with times by the corrected clocks and what these rest on; every fix with all its
fields lies beside them (`telemetry-0.parquet` …).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np

from casefile.places import Ground, Moved, Places, Seen, Source
from casefile.places_csv import fixes_csv, footprints_csv, located_csv
from casefile.places_geojson import geojson
from casefile.places_xml import gpx, kml
from evidence.clock import ClockClaim, Correction, corrected, corrected_us, satellites_set
from evidence.exhibit import Exhibit, ExhibitId
from evidence.geo import Footprints
from evidence.steps import SIDECARS
from evidence.telemetry import CERTAINTIES, NO_TIME, Certainty, Quantity, Telemetry
from storage.blocks import to_degrees
from storage.index import Index
from storage.index.corrections import newest
from storage.index.places import Fix, LocatedRow
from storage.index.places import Source as Stored

_COLUMNS = {
    Quantity.LATITUDE: "latitude",
    Quantity.LONGITUDE: "longitude",
    Quantity.HEIGHT_TAKEOFF: "height_takeoff_m",
    Quantity.HEIGHT_SEA: "height_sea_m",
    Quantity.ACCURACY_HORIZONTAL: "accuracy_m",
    Quantity.CAMERA_YAW: "yaw_deg",
    Quantity.CAMERA_PITCH: "pitch_deg",
    Quantity.SPEED: "speed_mps",
}


def of_exhibit(index: Index, exhibit: Exhibit, known: Set[ExhibitId]) -> Places:
    """Only from files that are given out with it: `known` are the exhibits of the case file."""
    stored = index.sources(exhibit.id)
    told = [source for source in stored if source.carrier_id in known]
    corrections = newest(index.corrections([source.carrier_id for source in told]))
    sources = [_source(exhibit.reference, source, index.fixes(source.id), corrections) for source in told]
    grounds = [Ground(exhibit.reference, _footprints(index, source)) for source in told]
    rows = index.located(exhibit.id) if len(told) == len(stored) else []
    seen = [
        Seen(
            exhibit.reference,
            row.track_id,
            row.label,
            row.at_us,
            row.latitude,
            row.longitude,
            (row.major_m, row.minor_m, row.azimuth_deg),
            row.certainty,
            _moved(row),
        )
        for row in rows
    ]
    return Places(sources, grounds, seen)


def _moved(row: LocatedRow) -> Moved | None:
    if row.speed_mps is None or row.speed_error_mps is None:
        return None
    return Moved(row.speed_mps, row.speed_error_mps, row.heading_deg, row.heading_error_deg)


def told_by_its_video(index: Index, exhibit: Exhibit, known: Set[ExhibitId]) -> bool:
    """Whether it is a sidecar whose fixes are those of a video of the same case file, on that video's time line."""
    if exhibit.file_type not in SIDECARS:
        return False
    return any(pair.sidecar.id == exhibit.id and pair.video.id in known for pair in index.pairs(exhibit.id))


def together(several: Sequence[Places]) -> Places:
    return Places(
        [source for places in several for source in places.sources],
        [ground for places in several for ground in places.grounds],
        [seen for places in several for seen in places.seen],
    )


def written(places: Places) -> list[tuple[str, bytes]]:
    """Name and content of each file; none where nothing is known. Tables without a row are left out."""
    if not places.sources:
        return []
    texts = {
        "places.geojson": geojson(places),
        "places.gpx": gpx(places),
        "places.kml": kml(places),
        "fixes.csv": fixes_csv(places),
    }
    if any(certainty is not None for ground in places.grounds for certainty in ground.footprints.certainty):
        texts["footprints.csv"] = footprints_csv(places)
    if places.seen:
        texts["located.csv"] = located_csv(places)
    return [(name, text.encode()) for name, text in texts.items()]


def _source(name: str, stored: Stored, fixes: Sequence[Fix], corrections: Mapping[tuple[str, str], Correction]) -> Source:
    clock = np.array([NO_TIME if fix.clock_us is None else fix.clock_us for fix in fixes], np.int64)
    correction = corrections.get((stored.carrier_id, stored.family.value))
    satellites = satellites_set(stored.family, stored.zone)
    utc_us, error_s = corrected_us(clock, stored.zone, correction, satellites)
    known = np.flatnonzero(clock != NO_TIME)
    words = ""
    if len(known):
        words = corrected(ClockClaim(int(clock[known[0]]), stored.zone, satellites=satellites), correction).words
    worst = float(np.nanmax(error_s[known])) if len(known) else None
    return Source(name, _telemetry(stored, fixes, clock), utc_us, worst, words)


def _telemetry(stored: Stored, fixes: Sequence[Fix], clock_us: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Telemetry:
    columns = {
        quantity: np.array([np.nan if getattr(fix, name) is None else getattr(fix, name) for fix in fixes], float)
        for quantity, name in _COLUMNS.items()
    }
    assumed = any(fix.certainty is Certainty.ESTIMATED for fix in fixes)
    places = (Quantity.LATITUDE, Quantity.LONGITUDE)
    return Telemetry(
        family=stored.family,
        dialect=stored.dialect,
        device=stored.device,
        zone=stored.zone,
        elapsed_us=np.array([fix.at_us for fix in fixes], np.int64),
        clock_us=clock_us,
        flags=np.array([fix.flags for fix in fixes], np.uint8),
        columns={name: values for name, values in columns.items() if name in places or np.isfinite(values).any()},
        certainty=dict.fromkeys(places, Certainty.ESTIMATED) if assumed else {},
        warnings=stored.warnings,
    )


def _footprints(index: Index, stored: Stored) -> Footprints:
    seconds = index.seconds(stored.id)
    return Footprints(
        elapsed_us=seconds["at_us"].astype(np.int64),
        centre_deg=to_degrees(seconds["centre"]),
        corners_deg=to_degrees(seconds["corners"]),
        camera_deg=to_degrees(seconds["camera"]),
        error_m=seconds["error_m"].astype(float),
        certainty=tuple(CERTAINTIES[number] for number in seconds["seen_by"].tolist()),
        why=tuple(stored.reasons[number] if number < len(stored.reasons) else "" for number in seconds["why"].tolist()),
    )

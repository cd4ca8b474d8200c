"""The JSON about places: fixes, footprints, located detections, sightings, pairs, clocks. Places are latitude, longitude."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from evidence.clock import Correction, Evidence, from_micros
from evidence.telemetry import CERTAINTIES, NO_TIME, Flag
from storage.blocks import to_degrees
from storage.index import Seen
from storage.index.corrections import CorrectionRow
from storage.index.places import Fix, LocatedRow, Pair, Source
from web.api.answers import Answer
from web.api.asked import Asked, Line
from web.api.exhibit_answers import HitAnswer
from web.places import PlacesSeen, SourceSeen

LatLon = tuple[float, float]


class SourceAnswer(Answer):
    id: str
    exhibit: str = Field(description="Whose file the fixes stand in: this exhibit's own, or a sidecar's.")
    family: str
    dialect: str
    device: str
    zone: str = Field(description="What the device's times are in, as the format says.")
    fixes: int = Field(description="In the file; all of them are in the output of this name.")
    placed: int
    output: str
    offset_s: float = Field(description="Was added to the source's own time, to lie on this exhibit's.")
    residual_s: float | None = Field(description="How much later the exhibit ends than the fixes do.")
    warnings: list[str]

    @classmethod
    def of(cls, source: Source) -> SourceAnswer:
        return cls(
            id=source.id,
            exhibit=source.carrier_id,
            family=source.family.value,
            dialect=source.dialect,
            device=source.device,
            zone=source.zone.value,
            fixes=source.fixes,
            placed=source.placed,
            output=source.output,
            offset_s=source.offset_us / 1e6,
            residual_s=None if source.residual_us is None else source.residual_us / 1e6,
            warnings=list(source.warnings),
        )


class FixAnswer(Answer):
    source: str
    at_s: float = Field(description="Seconds of media time from the first frame.")
    utc: datetime | None = Field(description="By the device's clock as corrected.")
    utc_error_s: float | None
    claimed: str | None = Field(description="The device's date and time as it came, in the source's zone.")
    lat: float | None
    lon: float | None
    height_takeoff_m: float | None
    height_sea_m: float | None
    accuracy_m: float | None
    yaw: float | None = Field(description="The camera's, degrees clockwise from true north.")
    pitch: float | None = Field(description="The camera's, degrees up from the horizon.")
    speed_mps: float | None
    certainty: str | None = Field(description="measured, derived or estimated; null where there is no place.")
    flags: list[str]

    @classmethod
    def of(cls, fix: Fix, utc_us: int, error_s: float) -> FixAnswer:
        dated = utc_us != NO_TIME
        return cls(
            source=fix.source_id,
            at_s=fix.at_us / 1e6,
            utc=from_micros(utc_us) if dated else None,
            utc_error_s=round(error_s, 3) if dated else None,
            claimed=_claimed(fix.clock_us),
            lat=fix.latitude,
            lon=fix.longitude,
            height_takeoff_m=fix.height_takeoff_m,
            height_sea_m=fix.height_sea_m,
            accuracy_m=fix.accuracy_m,
            yaw=fix.yaw_deg,
            pitch=fix.pitch_deg,
            speed_mps=fix.speed_mps,
            certainty=fix.certainty.value if fix.certainty else None,
            flags=[flag.name.lower().replace("_", " ") for flag in Flag if flag & fix.flags and flag.name],
        )


class FootprintAnswer(Answer):
    source: str
    at_s: float
    camera: LatLon | None
    centre: LatLon | None
    corners: list[LatLon] | None = Field(description="Four, clockwise from the picture's upper left.")
    error_m: float | None
    certainty: str | None
    why: str = Field(description="Why there is none, or what was assumed.")


class LocatedAnswer(Answer):
    track: int
    label: str
    at_s: float
    lat: float
    lon: float
    ellipse: tuple[float, float, float] = Field(
        description="Holds the truth 95 times of 100: half axes in metres, azimuth of the longer in degrees."
    )
    certainty: str
    speed_mps: float | None = Field(description="Over two seconds; null where it can't be said.")
    speed_error_mps: float | None = Field(description="Holds 95 times of 100, like that of the heading.")
    heading: float | None = Field(description="Degrees clockwise from true north; null where it may as well stand.")
    heading_error: float | None

    @classmethod
    def of(cls, row: LocatedRow) -> LocatedAnswer:
        return cls(
            track=row.track_id,
            label=row.label,
            at_s=row.at_us / 1e6,
            lat=row.latitude,
            lon=row.longitude,
            ellipse=(round(row.major_m, 2), round(row.minor_m, 2), round(row.azimuth_deg, 1)),
            certainty=row.certainty.value,
            speed_mps=_rounded(row.speed_mps, 2),
            speed_error_mps=_rounded(row.speed_error_mps, 2),
            heading=_rounded(row.heading_deg, 1),
            heading_error=_rounded(row.heading_error_deg, 1),
        )


class PlacesAnswer(Answer):
    exhibit: str
    sources: list[SourceAnswer]
    fixes: list[FixAnswer] = Field(description="By source and time, about one a second or every_s.")
    footprints: list[FootprintAnswer]
    located: list[LocatedAnswer] = Field(description="What was seen, on the ground: by track and time.")

    @classmethod
    def seen(cls, view: PlacesSeen) -> PlacesAnswer:
        return cls(
            exhibit=view.exhibit.id,
            sources=[SourceAnswer.of(found.source) for found in view.sources],
            fixes=[
                FixAnswer.of(fix, utc_us, error_s)
                for found in view.sources
                for fix, utc_us, error_s in zip(found.fixes, found.utc_us.tolist(), found.utc_error_s.tolist(), strict=True)
            ],
            footprints=[footprint for found in view.sources for footprint in _footprints(found)],
            located=[LocatedAnswer.of(row) for row in view.located],
        )


class SightingAnswer(Answer):
    exhibit: str
    reference: str
    filename: str
    case_id: str | None
    case: str
    from_s: float
    to_s: float = Field(description="The last second in which it was there.")
    best_s: float = Field(description="Where it is seen best.")
    utc_from: datetime | None
    utc_to: datetime | None
    utc_error_s: float | None
    claimed_from: str = Field(description="What its clock itself says at from_s, with its zone; empty where nobody tells.")
    claimed_to: str
    by: str = Field(description="footprint: the place was in the picture; position: the device was there.")
    certainty: str
    quality: float = Field(description="0 to 1: how large it is in the picture, how much of it, how near to the middle.")

    @classmethod
    def of(cls, seen: Seen) -> SightingAnswer:
        found = seen.sighting
        return cls(
            exhibit=seen.exhibit.id,
            reference=seen.exhibit.reference,
            filename=seen.exhibit.filename,
            case_id=seen.exhibit.case_id,
            case=seen.case_reference,
            from_s=found.from_s,
            to_s=found.to_s,
            best_s=found.best_s,
            utc_from=found.utc_from,
            utc_to=found.utc_to,
            utc_error_s=found.utc_error_s,
            claimed_from=found.claimed_from,
            claimed_to=found.claimed_to,
            by=found.by.value,
            certainty=found.certainty.value,
            quality=found.quality,
        )


class SearchAnswer(Answer):
    dated: list[HitAnswer]
    undated: list[HitAnswer] = Field(description="In exhibits that nobody and no device dates.")
    sightings: list[SightingAnswer] = Field(description="Where a place was asked for: the best first.")


class PairAnswer(Answer):
    sidecar: str
    sidecar_reference: str
    video: str
    video_reference: str
    how: str
    offset_s: float | None = Field(description="Set by a person; null: by the format, or by the two clocks.")
    made_by: str
    made_at: datetime

    @classmethod
    def of(cls, pair: Pair) -> PairAnswer:
        return cls(
            sidecar=pair.sidecar.id,
            sidecar_reference=pair.sidecar.reference,
            video=pair.video.id,
            video_reference=pair.video.reference,
            how=pair.how.value,
            offset_s=None if pair.offset_us is None else pair.offset_us / 1e6,
            made_by=pair.made_by,
            made_at=pair.made_at,
        )


class PairList(Answer):
    pairs: list[PairAnswer]

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> PairList:
        return cls(pairs=[PairAnswer.of(pair) for pair in pairs])


class CorrectionAnswer(Answer):
    claim: str = Field(description="Whose clock: a family of telemetry, or file.")
    offset_s: float = Field(description="To be added to the claim, read as it stands, to get UTC.")
    error_s: float
    evidence: str
    words: str
    at_s: float | None
    made_by: str
    made_at: datetime

    @classmethod
    def of(cls, row: CorrectionRow) -> CorrectionAnswer:
        made = row.correction
        return cls(
            claim=row.claim,
            offset_s=made.offset_s,
            error_s=made.error_s,
            evidence=made.evidence.value,
            words=made.words,
            at_s=None if made.frame_us is None else made.frame_us / 1e6,
            made_by=made.who,
            made_at=row.made_at,
        )


class CorrectionList(Answer):
    corrections: list[CorrectionAnswer] = Field(description="Oldest first; of each clock the last one counts.")

    @classmethod
    def of(cls, rows: Sequence[CorrectionRow]) -> CorrectionList:
        return cls(corrections=[CorrectionAnswer.of(row) for row in rows])


_Seconds = Annotated[float, Field(allow_inf_nan=False, ge=-(10**10), le=10**10)]


class PairAsked(Asked):
    other: Line = Field(description="Id of the sidecar, or of the video.")
    offset_s: _Seconds | None = Field(default=None, description="To add to the sidecar's time; null: by rule.")

    @property
    def offset_us(self) -> int | None:
        return None if self.offset_s is None else round(self.offset_s * 1e6)


class PartAsked(Asked):
    other: Line = Field(description="Id of the sidecar, or of the video.")


class CorrectionAsked(Asked):
    claim: Line = Field(description="Whose clock: a family of telemetry as the sources say it, or file.")
    offset_s: _Seconds = Field(description="To be added to the claim, read as it stands, to get UTC.")
    error_s: Annotated[float, Field(allow_inf_nan=False, ge=0, le=10**10)]
    evidence: Evidence = Evidence.STATED
    words: Annotated[str, Field(min_length=1, max_length=1000)] = Field(description="What it rests on.")
    at_s: _Seconds | None = Field(default=None, description="The moment of the video that shows it.")

    def correction(self, by: str) -> Correction:
        frame_us = None if self.at_s is None else round(self.at_s * 1e6)
        return Correction(self.offset_s, self.error_s, self.evidence, self.words, by, frame_us)


def _claimed(clock_us: int | None) -> str | None:
    """A device's date and time as it came, without a zone."""
    if clock_us is None:
        return None
    return str(np.datetime64(clock_us, "us").astype("datetime64[ms]"))


def _footprints(found: SourceSeen) -> list[FootprintAnswer]:
    seconds, reasons = found.seconds, found.source.reasons
    camera, centre, corners = (_places(seconds[name]) for name in ("camera", "centre", "corners"))
    return [
        FootprintAnswer(
            source=found.source.id,
            at_s=at_us / 1e6,
            camera=_whole(camera[row]),
            centre=_whole(centre[row]),
            corners=None if seen_by == 0 else _ring(corners[row]),
            error_m=round(error_m, 2) if np.isfinite(error_m) else None,
            certainty=_worth(seen_by),
            why=reasons[why] if why < len(reasons) else "",
        )
        for row, (at_us, error_m, seen_by, why) in enumerate(
            zip(*(seconds[name].tolist() for name in ("at_us", "error_m", "seen_by", "why")), strict=True)
        )
    ]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _places(units: Any) -> list[Any]:
    values: list[Any] = np.round(to_degrees(units), 7).tolist()
    return values


def _whole(place: Sequence[float]) -> LatLon | None:
    return (place[0], place[1]) if all(np.isfinite(value) for value in place) else None


def _ring(corners: Sequence[Sequence[float]]) -> list[LatLon] | None:
    ring = [_whole(corner) for corner in corners]
    return [corner for corner in ring if corner] if all(ring) else None


def _worth(number: int) -> str | None:
    certainty = CERTAINTIES[number] if number < len(CERTAINTIES) else None
    return certainty.value if certainty else None

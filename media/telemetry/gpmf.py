"""GoPro GPMF: the receiver of a camera (GPS5, GPS9) or of a Karma drone (GLPI), from an MP4 file or bare payloads.

Source: GoPro, "GPMF Introduction" (github.com/gopro/gpmf-parser): GPS5, GPS9, GPSF, GPSP, GPSU, GPSA, STMP. A Karma
    writes MAVLink's GLOBAL_POSITION_INT, GPS_RAW_INT, ATTITUDE and SYSTEM_TIME (mavlink.io/en/messages/common.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evidence.clock import micros
from evidence.errors import TooLarge, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Quantity, Telemetry
from media.telemetry import data_stream
from media.telemetry.gpmf_items import Item, items, samples
from media.telemetry.rows import Rows, believable_us

MAX_BYTES = 256 * 1024 * 1024
_MAX_STREAMS = 256
_MAX_PAYLOADS = 100_000
"""More than a day of seconds."""
_USUAL_PAYLOAD_US = 1_001_000
"""What GoPro's cameras put into one payload: a second of video at 29.97 frames."""

_METRES_PER_DILUTION = 5.0
"""A rule of thumb for a receiver without correction; the column is marked as an estimate."""
_NO_DILUTION = 99.0
_LOCK_2D = 2
_DAYS_2000_US = micros(datetime(2000, 1, 1, tzinfo=UTC))
_DAY_US = 86_400 * 1_000_000

_NOTED = {"KBAT": "battery status (KBAT)", "CORI": "camera orientation since start (CORI)", "GRAV": "gravity (GRAV)"}
Q = Quantity


@dataclass(frozen=True, slots=True)
class Payload:
    """What the camera wrote about one second or so. Units: microseconds of media time; `lasts_us` 0 where unknown."""

    data: bytes
    start_us: int
    lasts_us: int


@dataclass
class _Source:
    """One receiver's fixes, gathered over all payloads."""

    rows: Rows = field(default_factory=Rows)
    device: str = ""
    derived: dict[Quantity, Certainty] = field(default_factory=dict)


def read(path: Path) -> Telemetry:
    """An MP4 file with a metadata track, or bare payloads in a file.

    Raises: NotFound, UnsupportedMedia where there is no place in it, CorruptMedia, TooLarge.
    """
    if data_stream.is_bare(path, b"DEVC"):
        if path.stat().st_size > MAX_BYTES:
            raise TooLarge(f"{path.name} is larger than the {MAX_BYTES:,} bytes of metadata that are read here")
        return read_bytes(path.read_bytes(), path.name)
    for stream in data_stream.read(path, MAX_BYTES):
        if stream.data.startswith(b"DEVC"):
            return of_stream(stream, path.name)
    raise UnsupportedMedia(f"{path.name} carries no GoPro metadata")


def of_stream(stream: data_stream.DataStream, name: str) -> Telemetry:
    """Payloads on the media time of the recording that the stream is of. Raises: UnsupportedMedia."""
    return _telemetry(list(islice(_payloads(stream), _MAX_PAYLOADS)), name, [stream.cut] if stream.cut else [])


def read_bytes(data: bytes, name: str = "the file") -> Telemetry:
    """Bare payloads, one behind the other.

    Raises: UnsupportedMedia.
    """
    warning = f"no video's times: each payload is taken to last {_USUAL_PAYLOAD_US / 1e6} s, or by its own stamps"
    return _telemetry(list(_bare(data)), name, [warning])


def _payloads(stream: data_stream.DataStream) -> Iterator[Payload]:
    whole = bytes(stream.data)
    ends = [*stream.starts[1:], len(whole)]
    for number, (start, end) in enumerate(zip(stream.starts, ends, strict=True)):
        timed = stream.pts_us[number] != NO_TIME
        at = stream.pts_us[number] - stream.zero_us if timed else number * _USUAL_PAYLOAD_US
        yield Payload(whole[start:end], at, stream.durations_us[number])


def _bare(data: bytes) -> Iterator[Payload]:
    """A payload ends where a device comes again. Stamped streams say when theirs began."""
    whole = islice((item for item in items(data) if item.key == "DEVC"), _MAX_PAYLOADS)
    groups: list[list[Item]] = []
    seen: set[bytes] = set()
    for device in whole:
        identity = next((i.value for i in items(device.value) if i.key == "DVID"), b"")
        if not groups or identity in seen:
            groups.append([])
            seen = set()
        groups[-1].append(device)
        seen.add(identity)
    stamps = [_stamp(group) for group in groups]
    first = stamps[0] if stamps else None
    for number, (group, stamp) in enumerate(zip(groups, stamps, strict=True)):
        at = number * _USUAL_PAYLOAD_US if stamp is None or first is None else stamp - first
        after = stamps[number + 1] if number + 1 < len(stamps) else None
        lasts = after - stamp if after is not None and stamp is not None else 0
        yield Payload(b"".join(_packed(device) for device in group), at, lasts)


def _packed(item: Item) -> bytes:
    head = item.key.encode("latin-1") + bytes([0, item.size]) + item.count.to_bytes(2, "big")
    return head + item.value + bytes(-len(item.value) % 4)


def _stamp(devices: list[Item]) -> int | None:
    """Of the receiver's stream, microseconds since the recording began."""
    for _, about in _streams(b"".join(_packed(d) for d in devices)):
        if "STMP" in about and ("GPS5" in about or "GPS9" in about):
            return int.from_bytes(about["STMP"].value[:8], "big") & (1 << 53) - 1
    return None


def _streams(payload: bytes) -> Iterator[tuple[str, dict[str, Item]]]:
    """Each stream of each device: the device's name, and the stream's items by key."""
    number = 0
    for device in items(payload):
        if device.key != "DEVC" or device.kind:
            continue
        name = ""
        for item in items(device.value):
            if item.key == "DVNM":
                name = item.text
            elif item.key == "STRM" and not item.kind:
                number += 1
                if number > _MAX_STREAMS:
                    return
                yield name, {inner.key: inner for inner in items(item.value)}


def _telemetry(payloads: list[Payload], name: str, warnings: list[str]) -> Telemetry:
    sources: dict[str, _Source] = {}
    noted: dict[str, int] = {}
    for number, payload in enumerate(payloads):
        if payload.lasts_us <= 0:
            after = payloads[number + 1].start_us - payload.start_us if number + 1 < len(payloads) else 0
            payload = Payload(payload.data, payload.start_us, after if after > 0 else _USUAL_PAYLOAD_US)
        streams = list(_streams(payload.data))
        for device, about in streams:
            for key in noted.keys() | (_NOTED.keys() & about.keys()):
                noted[key] = noted.get(key, 0) + (key in about)
            for kind, take in (("GPS9", _take_gps9), ("GPS5", _take_gps5)):
                if kind in about:
                    take(about, payload, sources.setdefault(kind, _Source()))
                    sources[kind].device = sources[kind].device or device
            if "GLPI" in about:
                _take_karma([a for d, a in streams if d == device], payload, sources.setdefault("GLPI", _Source()))
                sources["GLPI"].device = sources["GLPI"].device or device
    used = next((kind for kind in ("GLPI", "GPS9", "GPS5") if kind in sources and len(sources[kind].rows)), None)
    if used is None:
        raise UnsupportedMedia(f"{name} carries GoPro metadata, but no place in it")
    warnings += [f"not used: {_NOTED[key]} × {count}" for key, count in sorted(noted.items())]
    if used == "GLPI" and len(sources) > 1:
        warnings.append("the camera's own receiver (GPS5) is there as well: the drone's was taken")
    source = sources[used]
    return source.rows.telemetry(
        Family.GPMF, f"{source.device} {used}".strip(), device=source.device, certainty=source.derived, warnings=warnings
    )


def _spread(payload: Payload, count: int) -> npt.NDArray[np.int64]:
    """Samples bear no times: they lie evenly in their payload. Shape: (count,)."""
    return payload.start_us + np.arange(count) * payload.lasts_us // max(count, 1)


def _heights(about: dict[str, Item]) -> Quantity:
    """Above the sea where the camera says so, else above the ellipsoid."""
    return Q.HEIGHT_SEA if "GPSA" in about and about["GPSA"].value[:4] == b"MSLV" else Q.HEIGHT_ELLIPSOID


def _accuracy(dilution: float) -> dict[Quantity, float]:
    known = 0 < dilution < _NO_DILUTION
    return {Q.ACCURACY_HORIZONTAL: dilution * _METRES_PER_DILUTION} if known else {}


def _take_gps5(about: dict[str, Item], payload: Payload, source: _Source) -> None:
    """One lock, dilution and time for the whole payload; the time is that of its first sample."""
    read = samples(about["GPS5"], about)
    if read.shape[1:] != (5,):
        return
    lock = int.from_bytes(about["GPSF"].value[:4], "big") if "GPSF" in about else _LOCK_2D
    dilution = int.from_bytes(about["GPSP"].value[:2], "big") / 100 if "GPSP" in about else 0.0
    first = _date(about["GPSU"].text) if "GPSU" in about else NO_TIME
    height = _heights(about)
    source.derived[Q.ACCURACY_HORIZONTAL] = Certainty.ESTIMATED
    for row, at in zip(read.tolist(), _spread(payload, len(read)).tolist(), strict=True):
        latitude, longitude, metres, speed, _ = row
        values = {Q.LATITUDE: latitude, Q.LONGITUDE: longitude, height: metres, Q.SPEED: speed, **_accuracy(dilution)}
        clock = NO_TIME if first == NO_TIME else first + at - payload.start_us
        source.rows.add(values, clock_us=clock, elapsed_us=at, fix=lock >= _LOCK_2D)


def _take_gps9(about: dict[str, Item], payload: Payload, source: _Source) -> None:
    """Each sample with its own time, dilution and lock."""
    read = samples(about["GPS9"], about)
    if read.shape[1:] != (9,):
        return
    height = _heights(about)
    source.derived[Q.ACCURACY_HORIZONTAL] = Certainty.ESTIMATED
    for row, at in zip(read.tolist(), _spread(payload, len(read)).tolist(), strict=True):
        latitude, longitude, metres, speed, _, days, seconds, dilution, lock = row
        values = {Q.LATITUDE: latitude, Q.LONGITUDE: longitude, height: metres, Q.SPEED: speed, **_accuracy(dilution)}
        clock = _moment(_DAYS_2000_US + days * _DAY_US + seconds * 1e6)
        source.rows.add(values, clock_us=clock, elapsed_us=at, fix=lock >= _LOCK_2D)


def _take_karma(streams: list[dict[str, Item]], payload: Payload, source: _Source) -> None:
    """Position, attitude, receiver and clock come in streams of their own and are joined by the time since power-on."""
    position = _rows(streams, "GLPI", 9)
    raw, attitude, system = _rows(streams, "GPRI", 10), _rows(streams, "ATTD", 8), _rows(streams, "SYST", 2)
    for quantity in (Q.SPEED, Q.COURSE):
        source.derived[quantity] = Certainty.DERIVED
    for row, at in zip(position.tolist(), _spread(payload, len(position)).tolist(), strict=True):
        since_s, latitude, longitude, sea, takeoff, north, east, down, heading = row
        values = {
            Q.LATITUDE: latitude,
            Q.LONGITUDE: longitude,
            Q.HEIGHT_SEA: sea,
            Q.HEIGHT_TAKEOFF: takeoff,
            Q.SPEED: float(np.hypot(north, east)),
            Q.COURSE: float(np.degrees(np.arctan2(east, north)) % 360),
            Q.CLIMB: -down,
            Q.PLATFORM_YAW: heading,
        }
        held = _nearest(attitude, since_s)
        if held is not None:
            values[Q.PLATFORM_ROLL], values[Q.PLATFORM_PITCH] = np.degrees(held[1]), np.degrees(held[2])
        received = _nearest(raw, since_s)
        if received is not None:
            values[Q.ACCURACY_HORIZONTAL], values[Q.ACCURACY_VERTICAL] = received[4], received[5]
        clock = _moment((system[0, 1] - system[0, 0] + since_s) * 1e6) if len(system) else NO_TIME
        source.rows.add(values, clock_us=clock, elapsed_us=at, fix=received is None or received[8] >= _LOCK_2D)


_NEAR_S = 1.0


def _nearest(read: npt.NDArray[np.float64], since_s: float) -> list[float] | None:
    """The sample nearest in time, if one is near."""
    if not len(read):
        return None
    away = np.abs(read[:, 0] - since_s)
    best = int(np.argmin(away))
    return read[best].tolist() if away[best] <= _NEAR_S else None


def _rows(streams: list[dict[str, Item]], key: str, fields: int) -> npt.NDArray[np.float64]:
    for about in streams:
        if key in about:
            read = samples(about[key], about)
            if read.shape[1:] == (fields,):
                return read
    return np.empty((0, fields))


def _moment(clock_us: float) -> int:
    return believable_us(round(clock_us)) if np.isfinite(clock_us) else NO_TIME


def _date(text: str) -> int:
    """`yymmddhhmmss.sss`, in UTC."""
    try:
        return micros(datetime.strptime(text[:16], "%y%m%d%H%M%S.%f").replace(tzinfo=UTC))
    except ValueError:
        return NO_TIME

"""What a column of a log is, told from its heading: any maker's spelling, with its unit in brackets or behind the name.

Nothing here is a list of files: a heading is cut into words, the unit taken off, and the words looked up by rule. A column
that says the most, the least or the limit of something, or speaks of the pilot's controls, is none of ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evidence.telemetry import Quantity

Q = Quantity


class Extra(StrEnum):
    """Columns that become no quantity of their own."""

    NORTH_SPEED = "north"
    EAST_SPEED = "east"
    DOWN_SPEED = "down"
    PLAIN_ALTITUDE = "altitude"
    DILUTION = "dilution"
    SATELLITES = "satellites"
    FIX = "fix"
    LATITUDE_SIDE = "north or south"
    LONGITUDE_SIDE = "east or west"
    BOTH = "latitude and longitude in one"
    PLAIN_HEIGHT = "height"
    HEADING = "heading"
    RECORDING = "recording"
    DEVICE = "device"
    TIME = "time"


Role = Quantity | Extra

_FOOT, _MILE, _NAUTICAL = 0.3048, 1609.344, 1852.0


def _named(*units: tuple[str, float]) -> dict[str, float]:
    return {name: factor for names, factor in units for name in names.split()}


_LENGTHS = _named(
    ("m meter meters metre metres", 1.0),
    ("ft feet foot", _FOOT),
    ("km", 1000.0),
    ("cm", 0.01),
    ("mm", 0.001),
    ("yd yards", 0.9144),
)
_SPEEDS = _named(
    ("ms mps", 1.0),
    ("kmh kph kmph", 1 / 3.6),
    ("mph mih", _MILE / 3600),
    ("kn kt kts knot knots", _NAUTICAL / 3600),
    ("fts fps", _FOOT),
    ("cms", 0.01),
)
_ANGLES = _named(("deg degree degrees", 1.0), ("rad radian radians", 180 / math.pi), ("e7 dege7", 1e-7))
_TIMES = _named(
    ("s sec secs second seconds", 1e6),
    ("ms msec millis millisecond milliseconds", 1e3),
    ("us usec microseconds", 1.0),
    ("min minutes", 6e7),
)
_UNITS = _LENGTHS.keys() | _SPEEDS.keys() | _ANGLES.keys() | _TIMES.keys()

_NOT_OURS = re.compile(
    r"\b(?:max\w*|min|minimum|avg|average|limit\w*|total|wind|target|set ?point|desired|goal|rc|remote|controller|stick"
    r"|operator|pilot|app|battery|motor|esc|raw|error|std|sonar|vps|ground elevation|pressure|temperature|smart|mileage"
    r"|(?:bearing|course|speed|heading|direction|time) accuracy"
    r"|distance|tripod|waypoint|poi|(?<!climb )rate(?! of climb)|acc [xyz]|accel\w*|gyro\w*|mag [xyz]|mag mod|air ?speed"
    r"|ias|tas)\b"
)
_HOME = re.compile(r"\b(?:home|hp|home ?point|take ?off point|launch)\b")
LATITUDE = re.compile(r"\b(?:lat|latitude|latitud|latitudine|breitengrad|breite|breedtegraad)\b")
LONGITUDE = re.compile(r"\b(?:lon|long|lng|longt?itude|longitud|longitudine|l(?:ä|ae)nge(?:ngrad)?|lengtegraad)\b")
_HEIGHT = r"\b(?:alt|altitude|height|elev|elevation|ele|altitud|h(?:ö|oe)he)\b"


def _along(axis: str, letter: str, word: str) -> str:
    way = r"(?:speed|velocity)"
    return rf"\b(?:{axis} ?{way}|{way} {axis}|vel ?(?:{letter}|{word})|v{letter}|v{axis}|{way} (?:{letter}|{word}))\b"


_RULES: tuple[tuple[str, Role], ...] = (
    (r"\b(?:h ?dop|dop|pdop|dilution)\b", Extra.DILUTION),
    (r"\b(?:v ?acc|vac|vertical accuracy|accuracy vertical|altitude accuracy|epv)\b", Q.ACCURACY_VERTICAL),
    (r"^acc$|\b(?:h ?acc|horizontal accuracy|accuracy|eph)\b", Q.ACCURACY_HORIZONTAL),
    (r"\b(?:satellites?|sats?|sat count|num ?sats?|gps num|nsv|sv)\b", Extra.SATELLITES),
    (r"\b(?:fix|fix type|gps (?:status|lock)|valid)$", Extra.FIX),
    (r"^(?:n ?s|lat(?:itude)? (?:hemisphere|dir|direction|ref|n s))$", Extra.LATITUDE_SIDE),
    (r"^(?:e ?w|lon(?:g|gitude)? (?:hemisphere|dir|direction|ref|e w))$", Extra.LONGITUDE_SIDE),
    (r"^(?:gps )?(?:coordinates?|location|position|lat lon(?:g)?|lat lng|latlng|latitude longitude)$", Extra.BOTH),
    (r"\b(?:gimbal|camera|cam|payload)\b.*\b(?:yaw|heading|azimuth|pan)\b", Q.CAMERA_YAW),
    (r"\b(?:gimbal|camera|cam|payload)\b.*\b(?:pitch|tilt|elevation)\b", Q.CAMERA_PITCH),
    (r"\b(?:gimbal|camera|cam|payload)\b.*\broll\b", Q.CAMERA_ROLL),
    (r"\b(?:h(?:orizontal)? ?fov|fov h(?:orizontal)?|horizontal field of view)\b", Q.HORIZONTAL_VIEW),
    (r"\b(?:v(?:ertical)? ?fov|fov v(?:ertical)?|vertical field of view)\b", Q.VERTICAL_VIEW),
    (r"\b(?:vertical (?:speed|velocity)|v ?speed|v ?spd|climb)\b", Q.CLIMB),
    (_along("x", "n", "north"), Extra.NORTH_SPEED),
    (_along("y", "e", "east"), Extra.EAST_SPEED),
    (_along("z", "d", "down"), Extra.DOWN_SPEED),
    (r"(?:^|\b)(?:h ?speed|ground ?speed|speed|velocity|spd|sog|gs|geschwindigkeit|vitesse|velocidad)$", Q.SPEED),
    (r"\b(?:speed|velocity)\b(?: over ground| 2d| gps| horizontal)$", Q.SPEED),
    (rf"(?=.*{_HEIGHT})(?=.*\b(?:ellipsoid\w*|hae|wgs ?84|gnss)\b)", Q.HEIGHT_ELLIPSOID),
    (rf"(?=.*(?:{_HEIGHT}|sea))(?=.*\b(?:msl|amsl|asl|sea ?level|sea|abs|absolute|orthometric)\b)", Q.HEIGHT_SEA),
    (rf"(?=.*(?:{_HEIGHT}|agl))(?=.*\b(?:agl|above ground|ground level)\b)", Q.HEIGHT_GROUND),
    (rf"(?=.*{_HEIGHT})(?=.*\b(?:take ?off|rel|relative|above home|from home|ato)\b)|\bascent$", Q.HEIGHT_TAKEOFF),
    (r"\bheight msl\b", Q.HEIGHT_SEA),
    (r"(?:^|\b)height$", Extra.PLAIN_HEIGHT),
    (rf"(?:^|\b)(?:gps )?{_HEIGHT}(?: gps)?$", Extra.PLAIN_ALTITUDE),
    (r"\b(?:g ?crs|course|cog|track angle|bearing|direction|true track|direction of travel)\b", Q.COURSE),
    (r"\byaw\b", Q.PLATFORM_YAW),
    (r"\b(?:heading|compass|azimuth|hdg)\b", Extra.HEADING),
    (r"\bpitch\b", Q.PLATFORM_PITCH),
    (r"\broll\b", Q.PLATFORM_ROLL),
    (r"\b(?:is ?video|is ?taking ?video|is ?recording|recording|video ?recording)$", Extra.RECORDING),
    (r"^(?:details )?(?:aircraft name|drone (?:type|model)|model|(?:device|camera)(?: id| name| model)?)$", Extra.DEVICE),
    (r"\b(?:time|date|date ?time|timestamp|utc|epoch|seconds|elapsed|clock|(?:recorded|created) at)\b", Extra.TIME),
    (r"\b(?:zeit|uhrzeit|datum|fecha|hora|heure)\b", Extra.TIME),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern), role) for pattern, role in _RULES)
_DRONE = re.compile(r"\b(?:gimbal|osd|rc|flyc\w*|home|drone|aircraft|uav|imu|propeller|fly ?time|flight|ascent|take ?off)\b")


@dataclass(frozen=True, slots=True)
class Heading:
    """One column. `unit` is what the heading says, letters and digits only; empty where it says none."""

    place: int
    words: str
    unit: str
    role: Role | None

    @property
    def factor(self) -> float:
        """What a number of this column is multiplied by to be metres, metres a second or degrees."""
        if self.role in SPEED_ROLES:
            return _SPEEDS.get(self.unit, 1.0)
        if self.role in LENGTH_ROLES:
            return _LENGTHS.get(self.unit, 1.0)
        return _ANGLES.get(self.unit, 1.0)

    @property
    def has_unit(self) -> bool:
        return self.unit in (_SPEEDS if self.role in SPEED_ROLES else _LENGTHS)

    @property
    def semicircles(self) -> bool:
        """Whether it counts parts of a circle as Garmin's recordings do. Source: FIT protocol, position_lat."""
        return bool(re.search(r"\bposition (?:lat|long)|\bsemi ?circles", self.words))

    @property
    def of_kinds(self) -> bool:
        """Whether a fix is named by its kind, not by its quality."""
        return bool(re.search(r"\b(?:fix type|gps lock)$", self.words))

    @property
    def tick_us(self) -> float | None:
        """Microseconds in one of its units of time, if it says one."""
        # GoPro's own export counts in milliseconds under this name.
        return _TIMES.get(self.unit, 1e3 if self.words == "cts" else None)


SPEED_ROLES: frozenset[Role] = frozenset({Q.SPEED, Q.CLIMB, Extra.NORTH_SPEED, Extra.EAST_SPEED, Extra.DOWN_SPEED})
LENGTH_ROLES: frozenset[Role] = frozenset(
    {Q.HEIGHT_TAKEOFF, Q.HEIGHT_SEA, Q.HEIGHT_ELLIPSOID, Q.HEIGHT_GROUND, Extra.PLAIN_ALTITUDE, Q.ACCURACY_HORIZONTAL,
     Q.ACCURACY_VERTICAL, Extra.PLAIN_HEIGHT}
)  # fmt: skip


def heading(place: int, text: str) -> Heading:
    """Source of the words: the logs of DJI (FlightReader, DatCon, ExifTool), Airdata, Litchi, Autel, MAVLink and of
    body-worn cameras' exports; the rule is meant for the next one."""
    text = text.strip().strip("\ufeff'\"")[:200]
    bare = re.sub(r"[\[({][^\])}]{0,40}[\])}]", " ", text)
    parts, unit = _cut(bare), ""
    for inside in map(_cut, re.findall(r"[\[({]([^\])}]{0,40})[\])}]", text)):
        # `[m/s]` is a unit; `[local]`, `(Lat.)` and the rest of `(ft MSL)` are words; `(0)` and `[360]` are neither.
        joined = "".join(inside)
        found = [joined] if joined in _UNITS else [word for word in inside if word in _UNITS][:1]
        unit = found[0] if found else unit
        parts += [word for word in inside if joined not in _UNITS and word not in found and not word.isdigit()]
    words = " ".join(parts)
    if not unit:
        words, unit = _unit_behind(words)
    return Heading(place, words, unit, _role(words))


def _cut(text: str) -> list[str]:
    """Words in small letters, also of camelCase."""
    text = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)(?=[A-Z][a-z])", lambda m: f"{m[1]} {m[2]}" if m[1] else f"{m[3]} ", text)
    return re.findall(r"[^\W_]+", text.lower())


def _unit_behind(words: str) -> tuple[str, str]:
    """`speed km h`, `altitude ft`, `lat deg`, `lat e7`."""
    parts = words.split()
    for count in (2, 1):
        unit = "".join(parts[-count:])
        if len(parts) > count and unit in _UNITS and unit not in ("long", "min"):
            return " ".join(parts[:-count]), unit
    return words, ""


def _role(words: str) -> Role | None:
    home = _HOME.search(words)
    if _NOT_OURS.search(words) and not home:
        return None
    side = re.search(r"\b(?:hemisphere|dir|direction|ref|accuracy|error)\b", words)
    if LATITUDE.search(words) and not LONGITUDE.search(words) and not side:
        return Q.HOME_LATITUDE if home else Q.LATITUDE
    if LONGITUDE.search(words) and not LATITUDE.search(words) and not side:
        return Q.HOME_LONGITUDE if home else Q.LONGITUDE
    found = next((role for pattern, role in _COMPILED if pattern.search(words)), None)
    if home and not re.search(r"\b(?:above|from|over) ", words):
        return None
    if found is None and words in ("t", "ts", "cts", "tst"):
        return Extra.TIME
    return found


def headings(cells: Sequence[str]) -> list[Heading]:
    return [heading(place, cell) for place, cell in enumerate(cells[:1000])]


def of_a_drone(found: Sequence[Heading]) -> bool:
    return any(_DRONE.search(h.words) or h.role is Q.PLATFORM_ROLL for h in found)

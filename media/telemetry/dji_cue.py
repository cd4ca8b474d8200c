"""What one cue of a drone's subtitles says, as numbers under one set of names, in whichever of the forms it is written.

`[latitude: 51.5] [rel_alt: 3.2 abs_alt: 90.1]`, `{"latitude": 51.5}`, `[Drone: Yaw:-146.0, Pitch:-0.6]`,
`GPS (-0.1, 51.5, 16), D 12.3m, H.S 2.1m/s`, `HOME(W: 0.1, N: 51.5)`, `BAROMETER:1.9`: a name, something between, a number,
perhaps a unit. What a number means and in which order two numbers stand is judged over the whole file, in
`media.telemetry.dji`. A number is taken only when it is whole: one that a cut file ends in is not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from html import unescape
from typing import NamedTuple

from evidence.telemetry import NO_TIME
from media.telemetry.dji_clock import clock, of_timestamp


class Measure(NamedTuple):
    value: float
    decimals: int = 0
    """As written: `24.00` has two."""
    unit: str = ""


class Spoken(NamedTuple):
    """`numbers` by our name; `clock_us` as in `Telemetry`, `utc` when it says so itself."""

    clock_us: int
    utc: bool
    numbers: dict[str, Measure]


_NAMES = {
    "latitude": "latitude lat gpslatitude gpslat",
    "longitude": "longitude longtitude lontitude longitute lon lng long gpslongitude gpslon",
    "rel_alt": """altituderel heightrel relalt relativealt relativealtitude relheight relativeheight altrel
        heightabovetakeoff altitudeabovetakeoff takeoffheight ato altato altitudeato heightato""",
    "abs_alt": """altabs altitudeabs heightabs absalt absolutealt absolutealtitude absheight asl amsl altasl mslalt altmsl
        altamsl altitudeasl altitudemsl altitudeamsl heightasl heightmsl heightamsl""",
    "altitude": "altitude alt gpsalt gpsaltitude elevation",
    "ellipsoid": "hae althae altitudehae heighthae altellipsoid altitudeellipsoid heightellipsoid ellipsoidheight",
    "ground": "agl altagl altitudeagl heightagl heightaboveground altitudeaboveground",
    "height": "height",
    "barometer": "barometer baro baroalt baroheight",
    "hb": "hb",
    "hs": "hs",
    "H": "H",
    "D": "D",
    "h.s": "h.s hspeed horizontalspeed groundspeed",
    "speed": "speed spd velocity",
    "v.s": "v.s vspeed verticalspeed",
    "camera_yaw": "gbyaw gimbalyaw gimbalheading camerayaw cameraheading gimbalyawdegree",
    "camera_pitch": "gbpitch gimbalpitch camerapitch gimbalpitchdegree gimbaltilt cameratilt",
    "camera_roll": "gbroll gimbalroll cameraroll gimbalrolldegree",
    "platform_yaw": "droneyaw flightyaw aircraftyaw uavyaw droneheading aircraftheading flightheading flightyawdegree",
    "platform_pitch": "dronepitch flightpitch aircraftpitch uavpitch flightpitchdegree",
    "platform_roll": "droneroll flightroll aircraftroll uavroll flightrolldegree",
    "yaw": "yaw heading compassheading compass",
    "pitch": "pitch",
    "roll": "roll",
    "speed_north": "dronespeedx flightxspeed speedx xspeed velocityx",
    "speed_east": "dronespeedy flightyspeed speedy yspeed velocityy",
    "speed_down": "dronespeedz flightzspeed speedz zspeed velocityz",
    "focal_len": "focallen focallength fl focallen35 focallength35 focallength35mm focallengthin35mmfilm",
    "hfov": "hfov horizontalfov",
    "vfov": "vfov verticalfov",
    "zoom": "dzoomratio dzoom digitalzoom digitalzoomratio",
    "rtk_flag": "rtkflag rtkstatus",
    "rtk_std_lat": "rtkstdlat",
    "rtk_std_lon": "rtkstdlon",
    "rtk_std_height": "rtkstdhgt rtkstdheight rtkstdalt",
    "hdop": "hdop",
    "accuracy": "accuracy horizontalaccuracy hacc gpsaccuracy",
    "satellites": "satellites sats satellitecount gpsnum gpssatellites satnum",
    "home_latitude": "homelatitude homelat",
    "home_longitude": "homelongitude homelongtitude homelon homelng",
    "difference": "difftime",
    "count": "framecnt srtcnt framecount",
    "timestamp": "timestamp unixtime unixtimestamp utctimestamp",
    "iso": "iso",
    "fnum": "fnum",
    "shutter": "ss tv",
}
_SPEEDS = {"hs": "h.s", "vs": "v.s"}
_SPEED_UNITS = frozenset({"m/s", "km/h", "kmh", "kph", "mph", "knots", "kts", "kn"})
_OURS = {theirs: ours for ours, names in _NAMES.items() for theirs in names.split()}
_TELLING = """longitude gps_1 gps_3 home_1 rel_alt abs_alt barometer h.s speed_north camera_yaw camera_pitch
    platform_yaw difference count"""
TELLING = frozenset(_TELLING.split())
"""Names that people's subtitles don't hold: one of them makes the file a drone's."""

_TAG = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,200}\}")
_NUM = r"[+-]?(?:\d{1,40}(?:[.,]\d{1,40}){0,3}|\.\d{1,40})(?:[eE][+-]?\d{1,2})?"
_UNIT = r"km/h|kmh|kph|m/s|mph|knots|kts|kn|ft|feet|km|cm|mm|ms|deg|[mMxX°NSEW]"
_LISTS = re.compile(r"GPS|RTK|HOME|PRY|BARO", re.IGNORECASE)
_NAMED = re.compile(
    r"\b(GPS|RTK|HOME|F\.PRY|G\.PRY|BAROMETER)\s{0,3}[:=]?\s{0,3}[(\[{]([^()\[\]{}]{0,300})[)\]}]", re.IGNORECASE
)
_TWO = rf"{_NUM}\s{{0,3}}[,;]\s{{1,3}}{_NUM}|[+-]?\d{{1,3}}\.\d{{3,20}}\s?,\s?[+-]?\d{{1,3}}\.\d{{3,20}}"
_BARE = re.compile(
    rf"\b(GPS|RTK|HOME)\s{{0,3}}[:=]?\s{{0,3}}((?:{_TWO})(?:\s{{0,3}}[,;]\s{{1,3}}{_NUM}\s?[mM]?)?)(?=[\s\]}})]|,\s?[A-Z])",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?:GPS[ _]?)?(?:coord(?:inate)?s?|location|position|lat[/ ,]?(?:lon|lng))\b"
    r"(?=\s?[:=(\[]\s?\[?[+-]?\d{1,3}\.\d{3})",
    re.IGNORECASE,
)
_UNNAMED = re.compile(r"\([^()]{0,4000}\)")
_OTHERS = "home|take_?off|launch|target|poi|pilot|operator|remote|controller|rc|phone|app|laser|lrf"
"""Who else has a place: it is never taken for the camera's."""
_WHOSE = "drone|aircraft|uav|flight|gimbal|camera|gb|altitude|alt|height"
_OWNERS = rf"\b(?:{_WHOSE}|{_OTHERS})(?:[_ ]?(?:attitude|angles?))?\s{{0,3}}[:=]"
_GROUP = re.compile(
    rf"({_OWNERS})\s{{0,3}}[\[{{]?\s{{0,3}}(?=(?:yaw|pitch|roll|pan|tilt|heading|lat|lon|lng|rel|abs)\w{{0,12}}"
    rf"(?:\s{{0,3}}[:=]|\s{{1,3}}[-+\d]))((?:(?!{_OWNERS})[^\[\]{{}}]){{0,300}})",
    re.IGNORECASE,
)
_IN_GROUP = re.compile(r"\b(yaw|pitch|roll|tilt|heading|rel|abs|lat\w{0,10}|lon\w{0,10}|lng)\b", re.IGNORECASE)
_ANGLES = re.compile(
    r"\b(drone|aircraft|uav|flight|gimbal|camera|gb)\s{0,3}[:=]?\s{0,3}[(\[{]?\s{0,3}"
    rf"((?:(?:y|p|r|yaw|pitch|roll)\s{{0,3}}[:=]?\s{{0,3}}{_NUM}\s?°?[,;\s]{{0,4}}){{2,3}})[)\]}}]?",
    re.IGNORECASE,
)
"""The angles of one whom they name, in whatever brackets, by their first letters too: `GIMBAL(P:-45.0,R:0.0,Y:12.0)`."""
_ANGLE = re.compile(rf"([ypr])[a-z]{{0,4}}\s{{0,3}}[:=]?\s{{0,3}}({_NUM})", re.IGNORECASE)
_AXES = {"y": "yaw", "p": "pitch", "r": "roll"}
_TWO_WORDS = re.compile(
    rf"\b(relative|absolute|rel|abs|gimbal|camera|drone|aircraft|horizontal|vertical|ground|focal|digital|{_OTHERS})[ \t]"
    r"(altitude|alt|height|pitch|yaw|roll|tilt|heading|speed|length|zoom|lat\w{0,10}|lon\w{0,10}|lng)\b",
    re.IGNORECASE,
)
_OF_TWO = re.compile("[ \t](?:alt|height|pitch|yaw|roll|tilt|head|speed|length|zoom|lat|lon|lng)")
_NAMES_PLACE = re.compile(r"\b(?:lat|lon|lng)", re.IGNORECASE)
_COMPASS = re.compile(
    r"(?<![\w.])(?:([NS])\s?:?\s?(\d{1,2}[.,]\d{2,20})°?|(\d{1,2}[.,]\d{2,20})\s?°?\s?([NS]))(?:\s?[,;/]\s?|\s{1,3})"
    r"(?:([EW])\s?:?\s?(\d{1,3}[.,]\d{2,20})°?|(\d{1,3}[.,]\d{2,20})\s?°?\s?([EW]))(?![\w.])"
)
"""Two numbers whose letters say which is which, without any name."""
_PLAIN = str.maketrans("：，；（）［］｛｝＝º˚", ":,;()[]{}=°°")
_SIDE = re.compile(r"(?<=[\d°'\"″′])\s?(north|south|east|west)\b", re.IGNORECASE)
_ABOVE = re.compile(r"\b(altitude|alt|height)\s?\((rel|abs|asl|amsl|msl|agl|ato|hae)\w{0,5}\)", re.IGNORECASE)
_QUOTED = re.compile(r"""["']([A-Za-z][\w. ]{0,40})["']\s{0,3}:""")
_PAIR = re.compile(
    rf"""(?<![\w.])([A-Za-z][\w.-]{{0,40}})(?:[ \t]{{0,3}}[:=]\s{{0,3}}["']?|[ \t]{{1,3}})([NSEW]\s?:?\s?)?"""
    rf"""({_NUM})(?![\d/#]|[.,][\d#])["']?(?:\s?({_UNIT})(?![\w./]))?"""
)
_MINUTES = (
    r"""(?:(\d{1,2}(?:[.,]\d{1,20})?)\s?['′’](?!')\s?(?:(\d{1,2}(?:[.,]\d{1,20})?)\s?(?:["″”]|'')?)?)?"""
    r"""\s?([NSEWnsew](?![A-Za-z]))?"""
)
_COORDINATE = re.compile(rf"([NSEWnsew])?\s?:?\s?({_NUM})\s?°?\s?{_MINUTES}")
_DEGREES = re.compile(
    rf"\b((?:[a-z]\w{{0,20}}_)?(?:lat\w{{0,10}}|lon\w{{0,10}}|lng))\s{{0,3}}[:=]?\s{{0,3}}(([NSEW])?\s?({_NUM})\s?°\s?{_MINUTES})",
    re.IGNORECASE,
)
_BY_LETTERS = re.compile(rf"(?<![\w.])([NSEW])?\s?(\d{{1,3}})\s?°\s?{_MINUTES}(?![\w.])", re.IGNORECASE)
"""Degrees, minutes and a letter, without any name."""
_THIRD = re.compile(rf"({_NUM})\s?([A-Za-z°]{{0,4}})")
_CUT_WORD = re.compile(r"[^\s\]})>,;]+\Z")


def spoken(text: str, *, cut: bool = False) -> Spoken:
    """What the text of a cue says; of two mentions of one thing, the first."""
    text = _PLACE.sub("GPS", _plain(text, cut))
    clock_us, utc, text = clock(text)
    numbers: dict[str, Measure] = {}
    for name, measure in _all_measures(text):
        if math.isfinite(measure.value):
            numbers.setdefault(name, measure)
    counted = numbers.pop("timestamp", None)
    if counted is not None and clock_us == NO_TIME:
        clock_us = of_timestamp(counted.value)
        utc = clock_us != NO_TIME
    return Spoken(clock_us, utc, numbers)


def _plain(text: str, cut: bool) -> str:
    if cut or _opened(text):
        text = _CUT_WORD.sub("", text.rstrip("\n"))
    text = _TAG.sub(" ", text)
    if "&" in text:
        text = unescape(text)
    if not text.isascii():
        text = text.translate(_PLAIN)
    if '"' in text or "'" in text:
        text = _QUOTED.sub(r"\1:", text)
    text = _SIDE.sub(lambda side: side[1][0].upper(), text)
    text = _ABOVE.sub(r"\1_\2", text)
    return text.replace("\\N", "\n").replace("\N{MINUS SIGN}", "-")


def _opened(text: str) -> bool:
    """Whether a bracket is still open at the very end: the number in it may be half a number."""
    stripped = text.rstrip("\n")
    return stripped.rfind("[") > stripped.rfind("]") and not stripped.endswith((">", " "))


def _all_measures(text: str) -> Iterator[tuple[str, Measure]]:
    if _LISTS.search(text):
        for pattern in (_NAMED, _BARE):
            for name, content in pattern.findall(text):
                yield from _tuple(name.upper(), content)
            text = pattern.sub(" ", text)
    if any(word in text.lower() for word in ("gimbal", "camera", "gb", "drone", "aircraft", "uav", "flight")):
        text = _ANGLES.sub(_angles, text)
    if "(" in text:
        # What other names hold in parentheses, such as `Af Rect(X:0, H:0)`, says nothing about the flight.
        text = _UNNAMED.sub(" ", text)
    plain = text.lower()
    if _OF_TWO.search(plain):
        text = _TWO_WORDS.sub(r"\1_\2", text)
    text = _GROUP.sub(_with_prefix, text)
    if "°" in text:
        for found in _DEGREES.finditer(text):
            place = _coordinate(found[2])
            if place is not None and _ours(found[1]):
                yield _ours(found[1]), Measure(place[0], place[1])
        text = _DEGREES.sub(" ", text)
        if "lat" not in plain:
            yield from _by_letters(text)
    for side, north, north_, side_, way, east, east_, way_ in [] if "lat" in plain else _COMPASS.findall(text):
        yield "latitude", _signed(_measure(north or north_, ""), side or side_)
        yield "longitude", _signed(_measure(east or east_, ""), way or way_)
    yield from _pairs(text)


def _by_letters(text: str) -> Iterator[tuple[str, Measure]]:
    """Two coordinates in degrees and minutes whose letters say which is which."""
    for found in _BY_LETTERS.finditer(text):
        place = _coordinate(found[0])
        if place is not None and place[2]:
            yield ("latitude" if place[2] in "NS" else "longitude"), Measure(place[0], place[1])


def _pairs(text: str) -> Iterator[tuple[str, Measure]]:
    for name, before, value, after in _PAIR.findall(text):
        ours = _ours(name)
        if after.lower() in _SPEED_UNITS:
            ours = _SPEEDS.get(name.lower(), ours)
        if ours:
            yield ours, _signed(_measure(value, after), before.strip(": ") or after)


def _with_prefix(group: re.Match[str]) -> str:
    """A name that comes again, without a bracket between, is another's."""
    seen: set[str] = set()
    owner = re.split(r"[_ ]?(?:attitude|angle)|[\s:=]", group[1], maxsplit=1, flags=re.IGNORECASE)[0]

    def prefixed(name: re.Match[str]) -> str:
        again = name[0][:3].lower() in seen
        seen.add(name[0][:3].lower())
        return name[0] if again else f"{owner}_{name[0]}"

    return _IN_GROUP.sub(prefixed, group[2])


def _angles(group: re.Match[str]) -> str:
    return " " + " ".join(f"{group[1]}_{_AXES[axis.lower()]}: {value} " for axis, value in _ANGLE.findall(group[2]))


@lru_cache(maxsize=1024)
def _ours(name: str) -> str:
    if name in {"H", "D"}:
        return name
    short = name.lower().replace("_", "").replace("-", "").rstrip(".")
    if "." in short and short not in _OURS:
        whose, _, short = short.rpartition(".")
        if re.search(rf"\b(?:{_OTHERS})$", whose):
            short = whose.rpartition(".")[2] + short
    return _OURS.get(short, "")


def _measure(value: str, unit: str) -> Measure:
    whole = value.replace(",", ".") if value.count(",") + value.count(".") <= 1 else _without_thousands(value)
    decimals = len(whole.lower().partition("e")[0].partition(".")[2])
    return Measure(float(whole), decimals, unit)


def _without_thousands(value: str) -> str:
    mark = max(value.rfind(","), value.rfind("."))
    if value.count(value[mark]) > 1:
        return re.sub(r"[.,]", "", value)
    return re.sub(r"[.,]", "", value[:mark]) + "." + value[mark + 1 :]


def _signed(measure: Measure, letter: str) -> Measure:
    return measure._replace(value=-abs(measure.value)) if letter.strip().upper() in {"S", "W"} else measure


def _tuple(name: str, content: str) -> Iterator[tuple[str, Measure]]:
    if _NAMES_PLACE.search(content):
        whose = "home_" if name == "HOME" else ""
        for ours, value in _pairs(content):
            if ours in {"latitude", "longitude", "altitude"}:
                yield whose + ours, value
        return
    parts = _parts(content)
    if name == "BAROMETER":
        found = _THIRD.fullmatch(parts[0]) if parts else None
        if found is not None:
            yield "barometer", _measure(found[1], found[2])
    elif name.endswith("PRY"):
        whose = "platform" if name.startswith("F") else "camera"
        for axis, part in zip(("pitch", "roll", "yaw"), parts, strict=False):
            found = _THIRD.fullmatch(part)
            if found is not None and len(parts) == 3:
                yield f"{whose}_{axis}", _measure(found[1], "")
    elif len(parts) >= 2:
        yield from _place("home" if name == "HOME" else "gps", parts)
        if name == "RTK":
            yield "rtk", Measure(1.0)


def _parts(content: str) -> list[str]:
    """The parts of what stands in parentheses. A comma may part them, or be the decimal mark of each."""
    content = content.strip(" ,;")
    if ";" in content:
        return [part.strip() for part in content.split(";")]
    if "." not in content and content.count(",") >= 2:
        wide = re.split(r",\s+", content)
        if 2 <= len(wide) <= 3 and all("," in part for part in wide[:2]):
            return [part.strip() for part in wide]
        narrow = content.split(",")
        if len(narrow) >= 4 and all(re.fullmatch(r"\s*[+-]?\d+\s*\w?", part) for part in narrow):
            pairs = [f"{narrow[k]}.{narrow[k + 1]}" for k in (0, 2)]
            return [part.strip() for part in (*pairs, ".".join(narrow[4:6])) if part]
    mark = "," if "," in content else None
    return [part.strip() for part in content.split(mark)]


def _place(whose: str, parts: list[str]) -> Iterator[tuple[str, Measure]]:
    third = _THIRD.fullmatch(parts[2]) if len(parts) > 2 else None
    if third is not None:
        yield f"{whose}_3", _measure(third[1], third[2])
    first, second = _coordinate(parts[0]), _coordinate(parts[1])
    if first is None or second is None:
        return
    letters = first[2] + second[2]
    prefix = "home_" if whose == "home" else ""
    if letters and not set(letters) <= {"N", "S"} and (letters[0] in "EW" or len(letters) > 1 or letters == second[2]):
        first, second = (second, first) if first[2] in {"E", "W"} or second[2] in {"N", "S"} else (first, second)
        yield f"{prefix}latitude", Measure(first[0], first[1])
        yield f"{prefix}longitude", Measure(second[0], second[1])
    else:
        yield f"{whose}_1", Measure(first[0], first[1])
        yield f"{whose}_2", Measure(second[0], second[1])


def _coordinate(text: str) -> tuple[float, int, str] | None:
    """Degrees, decimals as written, and the letter of the hemisphere, if any."""
    found = _COORDINATE.fullmatch(text.strip())
    if found is None:
        return None
    degrees, decimals, _ = _measure(found[2], "")
    value = abs(degrees)
    for part, per_degree in ((found[3], 60), (found[4], 3600)):
        if part:
            minutes = _measure(part, "")
            value += minutes.value / per_degree
            decimals = minutes.decimals + (2 if per_degree == 60 else 4)
    letter = (found[1] or found[5] or "").upper()
    negative = letter in {"S", "W"} or (not letter and found[2].startswith("-"))
    return (-value if negative else value), decimals, letter

"""What GPX 1.1 and KML 2.2 ask of a file, for the elements that exhibit writes: which may stand in which, and in what order.

The schemas themselves are not among our dependencies. This says the same of the part that is used.
Source: gpx.xsd (topografix.com/GPX/1/1); ogckml22.xsd (OGC 07-147r2).
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

GPX, KML = "{http://www.topografix.com/GPX/1/1}", "{http://www.opengis.net/kml/2.2}"
_GEOMETRY = ("Point", "LineString", "Polygon", "MultiGeometry")
_FEATURE = ("name", "description", "TimeStamp", "ExtendedData")
_POINT = ("ele", "time", "name", "desc", "extensions")
ORDER = {
    f"{GPX}gpx": ("wpt", "trk"),
    f"{GPX}wpt": _POINT,
    f"{GPX}trkpt": _POINT,
    f"{GPX}trk": ("name", "desc", "extensions", "trkseg"),
    f"{GPX}trkseg": ("trkpt",),
    f"{KML}kml": ("Document",),
    f"{KML}Document": ("name", "description", "Folder", "Placemark"),
    f"{KML}Folder": ("name", "description", "Placemark"),
    f"{KML}Placemark": (*_FEATURE, *_GEOMETRY),
    f"{KML}TimeStamp": ("when",),
    f"{KML}ExtendedData": ("Data",),
    f"{KML}Data": ("displayName", "value"),
    f"{KML}Point": ("coordinates",),
    f"{KML}LineString": ("tessellate", "coordinates"),
    f"{KML}Polygon": ("tessellate", "outerBoundaryIs"),
    f"{KML}outerBoundaryIs": ("LinearRing",),
    f"{KML}LinearRing": ("coordinates",),
}
_ANY_ORDER = {f"{KML}MultiGeometry": _GEOMETRY}
_SEVERAL = {"wpt", "trk", "trkseg", "trkpt", "Folder", "Placemark", "Data", *_GEOMETRY}
_NEEDED = {
    f"{GPX}gpx": ("version", "creator"),
    f"{GPX}wpt": ("lat", "lon"),
    f"{GPX}trkpt": ("lat", "lon"),
    f"{KML}Data": ("name",),
}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_TUPLE = re.compile(r"-?\d{1,3}(?:\.\d+)?,-?\d{1,2}(?:\.\d+)?(?:,-?\d+(?:\.\d+)?)?")
_LEAST_POINTS = {f"{KML}Point": 1, f"{KML}LineString": 2, f"{KML}LinearRing": 4}


def faults(root: Element) -> list[str]:
    """What the schemas would refuse, in words."""
    return [fault for element in root.iter() for fault in (*_children(element), *_content(element))]


def _children(element: Element) -> list[str]:
    space, _, name = element.tag.rpartition("}")
    if f"{space}}}" not in (GPX, KML) or name == "extensions":
        return (
            [f"{child.tag} in extensions" for child in element if child.tag.startswith((GPX, KML))]
            if name == "extensions"
            else []
        )
    allowed = ORDER.get(element.tag, _ANY_ORDER.get(element.tag, ()))
    found = [child.tag.removeprefix(f"{space}}}") for child in element]
    said = [f"{child} in {name}" for child in found if child not in allowed]
    if said:
        return said
    places = [allowed.index(child) for child in found]
    if element.tag in ORDER and places != sorted(places):
        said.append(f"in {name}: {found}")
    said += [f"{child} twice in {name}" for child in set(found) if found.count(child) > 1 and child not in _SEVERAL]
    return said + [f"{key} lacks in {name}" for key in _NEEDED.get(element.tag, ()) if not element.get(key)]


def _content(element: Element) -> list[str]:
    text = (element.text or "").strip()
    if element.tag in (f"{GPX}time", f"{KML}when") and not _MOMENT.fullmatch(text):
        return [f"time {text}"]
    if element.tag in (f"{GPX}wpt", f"{GPX}trkpt"):
        latitude, longitude = float(element.get("lat", "nan")), float(element.get("lon", "nan"))
        return [] if -90 <= latitude <= 90 and -180 <= longitude < 180 else [f"place {latitude}, {longitude}"]
    if element.tag not in _LEAST_POINTS:
        return []
    points = (element.findtext(f"{KML}coordinates") or "").split()
    said = [f"coordinates {point}" for point in points if not _TUPLE.fullmatch(point)]
    if len(points) < _LEAST_POINTS[element.tag] or (element.tag == f"{KML}LinearRing" and points[0] != points[-1]):
        said.append(f"{len(points)} points in {element.tag}")
    return said

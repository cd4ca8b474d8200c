"""What one cell of a log says: a number with whatever stands behind it, an angle in degrees, minutes and seconds, a pair."""

from __future__ import annotations

import math
import re

_PAIR = re.compile(r"\s*[(\[]?\s*([-+]?\d{1,3}[.,]\d{2,12})\s*[,;/ ]\s*([-+]?\d{1,3}[.,]\d{2,12})\s*[)\]]?\s*")
_DEGREES = re.compile(
    r"\s*([NSEWnsew])?\s*([-+]?\d{1,3}(?:[.,]\d{1,15})?)\s*(?:°|deg|d)?\s*(?:(\d{1,2}(?:[.,]\d{1,12})?)\s*['′’m]\s*)?"
    r"(?:(\d{1,2}(?:[.,]\d{1,12})?)\s*(?:[\"″”s]|'')\s*)?([NSEWnsew])?\s*"
)
_NUMBER = re.compile(r"[-+]?(?:\d{1,20}(?:[.,]\d{0,20})?|[.,]\d{1,20})(?:[eE][-+]?\d{1,3})?")
_UNIT = re.compile(r"\s*[-+]?[\d.,]{1,24}\s*([A-Za-z]{1,5}(?:\s?/\s?[A-Za-z])?)\s*")
_MINUTES = re.compile(r"(\d{2,3})(\d{2}\.\d{1,10})")
"""As receivers write them (NMEA 0183): two or three digits of degrees, two of minutes."""


def number(text: str) -> float:
    """The number that a cell starts with, whatever unit stands behind it; a comma is a decimal point. NaN for none.

    Of a point and a comma the last one is the decimal point: 1,234.5 and 1.234,5.
    """
    try:
        return float(text)
    except ValueError:
        pass
    text = text.replace(" ", "")
    match = _NUMBER.match(text)
    if match is None:
        return math.nan
    digits = match[0]
    behind = text[len(digits) :]
    for mark, other in ((",", "."), (".", ",")):
        if mark in digits and behind.startswith(other) and behind[1:2].isdigit():
            match = _NUMBER.match(text.replace(mark, ""))
            digits = match[0] if match else ""
            break
    return float(digits.replace(",", ".") or "nan")


def unit(text: str) -> str:
    """The unit behind a cell's number, letters only, in small letters; empty where none stands there."""
    match = _UNIT.fullmatch(text)
    return re.sub(r"[^a-z]", "", match[1].lower()) if match else ""


def degrees(text: str) -> float:
    """52.4862, 52,4862, N 52.4862, 52°29'10.3"N; NaN for anything else."""
    match = _DEGREES.fullmatch(text)
    if match is None:
        return number(text)
    before, whole, minutes, seconds, behind = match.groups()
    value = abs(number(whole)) + number(minutes or "0") / 60 + number(seconds or "0") / 3600
    negative = whole.startswith("-") or (before or behind or "").upper() in ("S", "W")
    return -value if negative else value


def pair(text: str) -> tuple[float, float]:
    match = _PAIR.fullmatch(text)
    return (number(match[1]), number(match[2])) if match else (math.nan, math.nan)


def in_minutes(latitude: str, longitude: str) -> tuple[float, float] | None:
    """5229.172 and 00153.424: degrees and minutes run together, which only the two of them with all their digits show."""
    found = [_MINUTES.fullmatch(re.sub(r"[NSEW\s+-]", "", text.upper())) for text in (latitude, longitude)]
    if found[0] is None or found[1] is None or len(found[0][1]) != 2 or len(found[1][1]) != 3:
        return None
    values = []
    for match, text in zip(found, (latitude, longitude), strict=True):
        if match is None or float(match[2]) >= 60:
            return None
        value = int(match[1]) + float(match[2]) / 60
        values.append(-value if re.search(r"[SW-]", text.upper()) else value)
    return values[0], values[1]

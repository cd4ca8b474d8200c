"""Which text is telemetry or subtitles, and which is none of ours.

Text has no signature, so besides the content a name may be asked for: CSV and JSON go in only when they are called that.
"""

from __future__ import annotations

import re
from enum import Enum, auto


class TextKind(Enum):
    TELEMETRY = auto()
    SUBTITLES = auto()
    PLAYLIST = auto()
    OTHER = auto()


_CONTROLS = bytes(b for b in range(32) if b not in b"\t\n\r\x0c\x1b") + b"\x7f"
_LEAST_BEFORE_ZEROS = 64
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def is_text(head: bytes, *, whole: bool) -> bool:
    """Whether all of `head` is text in UTF-8, UTF-16 with its mark, or a one-byte Western encoding.

    `whole` says that the file ends with it; otherwise a character cut in two at the end is no objection.
    """
    return _decoded(head, whole=whole) is not None


def _decoded(head: bytes, *, whole: bool = False) -> str | None:
    written = head.rstrip(b"\0")
    if not head.startswith(_UTF16) and len(written) >= _LEAST_BEFORE_ZEROS:
        # A recorder that lost power leaves the room that it had kept for more.
        head = written
    if head.startswith(_UTF16):
        even = len(head) - len(head) % 2
        try:
            return head[:even].decode("utf-16")
        except UnicodeDecodeError as error:
            return None if error.start < even - 2 else head[: even - 2].decode("utf-16")
    if not head or head.translate(None, _CONTROLS) != head:
        return None
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not whole and error.start >= len(head) - 3:
            return head[: error.start].decode("utf-8-sig")
    # A one-byte encoding: words with a few accents, not a stretch of high bytes as compressed data is.
    high = sum(byte >= 0x80 for byte in head)
    return head.decode("latin-1") if high * 4 < len(head) else None


_PLAYLIST = re.compile(
    r"\A(?:[ \t]*(?:[#;][^\n]*)?\n)*[ \t]*(?:ffconcat\s+version|\[playlist\]|<asx\b|<smil\b)|#EXTM3U|<MPD[\s>]",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"\A\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<([A-Za-z][\w:.-]*)", re.DOTALL | re.IGNORECASE
)
_CUE = re.compile(
    r"\A\s*(?:\d{1,9}[ \t]*\r*\n?\s*)?(?:\d{1,4}:)?\d{1,2}:\d{2}(?:[,.:]\d{1,9})?[ \t]*-{1,3}[ \t]?>"
    r"|\A\s*\d{1,9}[ \t]*\r*\n\s*\d{4}[.-]\d{1,2}[.-]\d{1,2} \d{1,2}:\d{2}:\d{2}"
)
_NUMBERED = re.compile(r"\A\s*\d{1,9}[ \t]*\r*\n")
_DRONE_WORDS = re.compile(
    r"\b(?:GPS|RTK|HOME|[FG]\.PRY)\s*\(|\b(?:SrtCnt|FrameCnt|DiffTime)\b|\bBAROMETER\s*[:=(]|F/[\d.,]+, SS |\bH\.S\s+[\d-]"
    r"|\[\s*(?:latitude|longt?itude|iso|shutter|rel_alt|abs_alt|gb_yaw|gb_pitch|drone_yaw|focal_len)\s*[:=\s]"
    r"|\blat(?:itude)?[\"']?\s*[:=\uff1a]?\s*[\"']?[+-]?\d{1,2}[.,]\d{3}|\b[NS]\s?:?\s?\d{1,2}[.,]\d{3}|\d[.,]\d{3,}\s?°?\s?[NS]\b"
    r"|\bGPS\b[^\n\d]{0,24}\d{1,3}[.,]\d{4}|\blat(?:itude)?\W{0,4}\d{1,2}\s?[\u00b0\u00ba]"
    r"|\b(?:latitude|longt?itude|rel_alt|abs_alt|g(?:b|imbal)_(?:yaw|pitch))[\"']?\s*[:=]",
    re.IGNORECASE,
)
_NMEA = re.compile(r"\A(?:\$[A-Z]{2}[A-Z0-9]{3},[^\n]*\*[0-9A-Fa-f]{2}\s*){2}")
_CSV_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".log"})
_JSON_SUFFIXES = frozenset({".json", ".geojson"})


def text_kind(head: bytes, suffix: str) -> tuple[TextKind, str]:
    """What the text is, and what people call it."""
    text = _decoded(head) or ""
    start = text[:4096]
    if _PLAYLIST.search(start.replace("\r", "")):
        return TextKind.PLAYLIST, "a playlist"
    if start.startswith("#!"):
        return TextKind.OTHER, "a script"
    root = _MARKUP.match(start)
    if root is not None:
        return _markup(root[1].lower())
    if start.startswith("WEBVTT"):
        return TextKind.SUBTITLES, "WebVTT"
    if re.match(r"\s*\[Script Info\]", start, re.IGNORECASE):
        return TextKind.SUBTITLES, "ASS"
    if _CUE.match(start):
        return (TextKind.TELEMETRY, "DJI SRT") if _DRONE_WORDS.search(text) else (TextKind.SUBTITLES, "SRT")
    if (suffix == ".srt" or _NUMBERED.match(start)) and _DRONE_WORDS.search(text):
        # Cues that have lost their times, or never had any.
        return TextKind.TELEMETRY, "DJI SRT"
    if suffix == ".srt" and re.fullmatch(r"[\s\d]*\d[\s\d]*", start):
        # A recording that ended before its first cue was written leaves just the number.
        return TextKind.SUBTITLES, "SRT"
    if _NMEA.match(start):
        return TextKind.TELEMETRY, "NMEA"
    if suffix in _JSON_SUFFIXES and re.match(r"\s*[\[{]\s*(?:[\"\[{\d\]}-]|\Z)", start):
        return TextKind.TELEMETRY, "JSON"
    if suffix in _CSV_SUFFIXES and _is_table(text):
        return TextKind.TELEMETRY, "CSV"
    return TextKind.OTHER, "a text file"


def _markup(root: str) -> tuple[TextKind, str]:
    if root in {"gpx", "kml"}:
        return TextKind.TELEMETRY, root.upper()
    if root in {"html", "head", "body", "script", "svg"}:
        return TextKind.OTHER, "a web page"
    return TextKind.OTHER, "an XML document"


def _is_table(text: str) -> bool:
    """At least two lines, all with the same separator the same number of times (but for a cut last line and comments)."""
    all_lines = text.splitlines()
    full = [line for line in all_lines[:40] if line.strip() and not line.startswith(("#", "sep="))]
    if len(all_lines) <= 40 and len(full) > 2:
        full.pop()
    if len(full) < 2:
        return False
    for separator in (",", ";", "\t"):
        counts = [_fields(line, separator) for line in full]
        usual = max(set(counts), key=counts.count)
        if usual >= 1 and counts.count(usual) * 10 >= len(counts) * 8:
            return True
    return False


def _fields(line: str, separator: str) -> int:
    """How often the separator stands outside quotes."""
    return re.sub(r'"[^"]*"', "", line).count(separator)

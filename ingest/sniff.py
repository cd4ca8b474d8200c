"""What is this file really? Its first bytes against an allow-list; the name decides nothing but doubt.

Video: MP4/MOV/3GP, Matroska/WebM, AVI, MPEG-TS/PS/M2TS, FLV, MXF, ASF/WMV, raw H.264/H.265/MPEG, and two recorder formats.
Audio: WAV, FLAC, MP3, M4A, OGG, AAC, AMR. Stills: JPEG, PNG, HEIC, TIFF/DNG, WebP. Telemetry: DJI SRT, GPX/KML, CSV,
NMEA, JSON, KLV, GPMF, ULog. Subtitles: SRT, WebVTT, ASS. Everything else is refused in plain words.

Nothing here parses a file: it looks at no more than `HEAD_BYTES`. A damaged recording is evidence too, so a missing index,
a cut end or a lost first sector is no reason to refuse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from evidence.errors import UnsupportedMedia
from evidence.exhibit import FileType
from ingest.sniff_text import TextKind, is_text, text_kind

HEAD_BYTES = 64 * 1024
"""As much of a file as anything here looks at."""

_VIDEO_SUFFIXES = """.mp4 .m4v .mov .3gp .3g2 .mkv .webm .avi .ts .mts .m2ts .mpg .mpeg .vob .flv .f4v .mxf .wmv .asf
    .264 .h264 .avc .265 .h265 .hevc .hvc .dav .lrv .insv .360"""
_AUDIO_SUFFIXES = ".wav .flac .mp3 .m4a .ogg .oga .opus .aac .amr"
_STILL_SUFFIXES = ".jpg .jpeg .png .heic .heif .tif .tiff .dng .webp"
MEDIA_SUFFIXES = frozenset(f"{_VIDEO_SUFFIXES} {_AUDIO_SUFFIXES} {_STILL_SUFFIXES}".split())
"""Names that promise sound or a picture; text under such a name is refused."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What the bytes are, and the format in the words people use for it."""

    file_type: FileType
    format: str


def sniff(head: bytes, size_bytes: int, filename: str) -> Sniffed:
    """What a file of `size_bytes` that begins with `head` is (its first `HEAD_BYTES`, or all of it).

    Raises: UnsupportedMedia, saying in plain words what it is instead.
    """
    if size_bytes == 0:
        raise UnsupportedMedia(
            "The file is empty (zero bytes).", hint="Check that the camera or phone finished writing it, then send it again."
        )
    head = head[:HEAD_BYTES]
    suffix = PurePosixPath(filename.replace("\\", "/")).suffix.lower()
    _refuse_foreign(head)
    whole = len(head) >= size_bytes
    if is_text(head, whole=whole):
        return _text(head, suffix)
    found = _signature(head) or _iso_media(head) or _riff(head) or _transport_stream(head) or _raw_video(head)
    if found is None and suffix in MEDIA_SUFFIXES:
        found = _remains(head)
    if found is None:
        raise UnsupportedMedia(
            f"The content of this file is not a kind of evidence that is known here{_named(suffix)}.",
            hint="Send video, audio, stills, SRT, GPX, CSV, KLV or subtitles. A recorder's own format has to be exported"
            " from the recorder as video first; keep the original medium as well.",
        )
    return found


def _named(suffix: str) -> str:
    return f", although its name ends in {suffix}" if suffix in MEDIA_SUFFIXES else ""


# --- what is certainly something else -------------------------------------------------------------------------------

_FOREIGN = (
    (b"MZ", "a Windows program", "exe"),
    (b"\x7fELF", "a program", "exe"),
    (b"\xfe\xed\xfa\xce", "a program", "exe"),
    (b"\xfe\xed\xfa\xcf", "a program", "exe"),
    (b"\xcf\xfa\xed\xfe", "a program", "exe"),
    (b"\xce\xfa\xed\xfe", "a program", "exe"),
    (b"\xca\xfe\xba\xbe", "a program", "exe"),
    (b"PK\x03\x04", "an archive or an office document", "archive"),
    (b"PK\x05\x06", "an empty archive", "archive"),
    (b"Rar!\x1a\x07", "an archive", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "an archive", "archive"),
    (b"\x1f\x8b\x08", "a compressed file", "archive"),
    (b"BZh", "a compressed file", "archive"),
    (b"\xfd7zXZ\x00", "a compressed file", "archive"),
    (b"\x28\xb5\x2f\xfd", "a compressed file", "archive"),
    (b"MSCF", "an archive", "archive"),
    (b"%PDF", "a PDF document", "document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document", "document"),
    (b"{\\rtf", "a text document", "document"),
    (b"SQLite format 3\x00", "a database", "document"),
)
_ADVICE = {
    "exe": "Programs are never taken in. Where a recorder packed its footage into a player program, export it as video.",
    "archive": "Unpack it and send the files that are in it one by one, so that each becomes an exhibit of its own.",
    "document": "Documents belong in the case management system; send the recording itself.",
}


def _refuse_foreign(head: bytes) -> None:
    for magic, what, advice in _FOREIGN:
        if head.startswith(magic):
            raise UnsupportedMedia(f"This file is {what}, not evidence that can be shown.", hint=_ADVICE[advice])
    if head[257:262] == b"ustar":
        raise UnsupportedMedia("This file is an archive, not evidence that can be shown.", hint=_ADVICE["archive"])
    if _POINTS_ELSEWHERE.match(head):
        raise _playlist()


_POINTS_ELSEWHERE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:#EXTM3U|ffconcat\s)")
"""With anything behind it, text or not: players follow where it points."""


def _playlist() -> UnsupportedMedia:
    return UnsupportedMedia(
        "This file is a playlist: it only points to other files and holds no footage itself.",
        hint="Send the recording that it points to.",
    )


def _text(head: bytes, suffix: str) -> Sniffed:
    kind, what = text_kind(head, suffix)
    if kind is TextKind.PLAYLIST:
        raise _playlist()
    if suffix in MEDIA_SUFFIXES:
        named = "" if kind is TextKind.OTHER else f" ({what})"
        raise UnsupportedMedia(
            f"This is a text file{named}, although its name ends in {suffix}.",
            hint="Send the recording itself; a telemetry or subtitle file goes in under its own name (.srt, .gpx, .csv).",
        )
    if kind is TextKind.TELEMETRY:
        return Sniffed(FileType.TELEMETRY, what)
    if kind is TextKind.SUBTITLES:
        return Sniffed(FileType.SUBTITLES, what)
    raise UnsupportedMedia(
        f"This file is {what}, not evidence that can be shown.",
        hint="Text goes in as telemetry or subtitles only: SRT, GPX, KML, CSV (named .csv), NMEA, JSON (named .json),"
        " WebVTT, ASS.",
    )


# --- what begins with a signature -----------------------------------------------------------------------------------

_SIGNATURES = (
    (b"\x1a\x45\xdf\xa3", FileType.VIDEO, "Matroska/WebM"),
    (b"FLV\x01", FileType.VIDEO, "FLV"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", FileType.VIDEO, "ASF/WMV"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", FileType.VIDEO, "MXF"),
    (b"\x06\x0e\x2b\x34", FileType.TELEMETRY, "KLV"),
    (b"\x00\x00\x01\xba", FileType.VIDEO, "MPEG-PS"),
    (b"\x00\x00\x01\xb3", FileType.VIDEO, "MPEG video"),
    (b"\x00\x00\x01\xb0", FileType.VIDEO, "MPEG-4 video"),
    (b"DHAV", FileType.VIDEO, "DAV (CCTV recorder)"),
    (b"IMKH", FileType.VIDEO, "IMKH (CCTV recorder)"),
    (b"fLaC", FileType.AUDIO, "FLAC"),
    (b"ID3", FileType.AUDIO, "MP3"),
    (b"#!AMR", FileType.AUDIO, "AMR"),
    (b"\xff\xd8\xff", FileType.STILL, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", FileType.STILL, "PNG"),
    (b"II*\x00", FileType.STILL, "TIFF/DNG"),
    (b"MM\x00*", FileType.STILL, "TIFF/DNG"),
    (b"II+\x00", FileType.STILL, "BigTIFF"),
    (b"MM\x00+", FileType.STILL, "BigTIFF"),
    (b"DEVC\x00", FileType.TELEMETRY, "GPMF"),
    (b"DEVC\x01", FileType.TELEMETRY, "GPMF"),
    (b"ULog\x01\x12\x35", FileType.TELEMETRY, "ULog"),
)


def _signature(head: bytes) -> Sniffed | None:
    for magic, file_type, name in _SIGNATURES:
        if head.startswith(magic):
            return Sniffed(file_type, name)
    if head.startswith(b"OggS"):
        moving = b"\x80theora" in head[:4096] or b"BBCD\x00" in head[:4096]
        return Sniffed(FileType.VIDEO, "OGG video") if moving else Sniffed(FileType.AUDIO, "OGG")
    if len(head) >= 4 and head[0] == 0xFF:
        if head[1] & 0xF6 == 0xF0 and (head[2] >> 2) & 0xF < 13:
            return Sniffed(FileType.AUDIO, "AAC")
        layer, bitrate, rate = (head[1] >> 1) & 3, head[2] >> 4, (head[2] >> 2) & 3
        if head[1] & 0xE0 == 0xE0 and layer != 0 and bitrate not in {0, 15} and rate != 3 and (head[1] >> 3) & 3 != 1:
            return Sniffed(FileType.AUDIO, "MP3")
    return None


_BOXES = frozenset(
    {
        b"ftyp",
        b"styp",
        b"moov",
        b"moof",
        b"mdat",
        b"free",
        b"skip",
        b"wide",
        b"pnot",
        b"uuid",
        b"udta",
        b"sidx",
        b"emsg",
        b"prft",
    }
)
_STILL_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"crx "})
_AUDIO_BRANDS = frozenset({b"M4A ", b"M4B ", b"F4A "})


def _iso_media(head: bytes) -> Sniffed | None:
    """ISO base media (MP4, MOV, 3GP, HEIC, M4A): a known box at the start, of a size that a box can have."""
    if len(head) < 8 or head[4:8] not in _BOXES or 1 < int.from_bytes(head[:4], "big") < 8:
        return None
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _STILL_BRANDS:
        return Sniffed(FileType.STILL, "AVIF" if brand == b"avif" else "HEIC")
    if brand in _AUDIO_BRANDS:
        return Sniffed(FileType.AUDIO, "M4A")
    return Sniffed(FileType.VIDEO, "3GP" if brand.startswith(b"3g") else "MOV" if brand == b"qt  " else "MP4")


def _riff(head: bytes) -> Sniffed | None:
    if head[:4] not in {b"RIFF", b"RF64", b"BW64", b"RIFX"}:
        return None
    forms = {b"AVI ": (FileType.VIDEO, "AVI"), b"WAVE": (FileType.AUDIO, "WAV"), b"WEBP": (FileType.STILL, "WebP")}
    found = forms.get(head[8:12])
    return Sniffed(*found) if found else None


def _transport_stream(head: bytes) -> Sniffed | None:
    """MPEG-TS (188), M2TS (192: four bytes of time before each packet) or with check bytes (204).

    A recording cut anywhere may begin inside a packet; the further from the start, the more packets must agree.
    """
    for stride, lead, name in ((188, 0, "MPEG-TS"), (192, 4, "M2TS"), (204, 0, "MPEG-TS")):
        for start in range(min(stride, len(head))):
            if head[start] != 0x47:
                continue
            wanted = 2 if start == lead else 6
            marks = head[start : start + 8 * stride : stride]
            if len(marks) >= wanted and marks.count(0x47) == len(marks):
                return Sniffed(FileType.VIDEO, name)
    return None


_START_CODE = re.compile(rb"\x00\x00\x01([\x00-\x7f])(.)", re.DOTALL)
_H264_FIRST = frozenset({6, 7, 9})
"""What a raw H.264 stream begins with: information, sequence parameters, access unit delimiter."""
_H265_FIRST = frozenset({32, 33, 35, 39})


def _raw_video(head: bytes) -> Sniffed | None:
    """H.264 or H.265 as a bare stream (Annex B); a start code and a first unit that such a stream has."""
    first = _START_CODE.match(head, 1 if head.startswith(b"\x00\x00\x00\x01") else 0)
    if first is None:
        return None
    kind = first[1][0]
    if (kind >> 1) & 0x3F in _H265_FIRST and kind & 0x81 == 0 and first[2] in {b"\x01", b"\x02"}:
        return Sniffed(FileType.VIDEO, "H.265")
    if kind & 0x1F in _H264_FIRST:
        return Sniffed(FileType.VIDEO, "H.264")
    units = [unit[1][0] & 0x1F for unit in _START_CODE.finditer(head)]
    if len(units) >= 3 and all(unit in range(1, 13) for unit in units):
        return Sniffed(FileType.VIDEO, "H.264")
    return None


_REMAINS = re.compile(
    rb"\x00[\x00-\xff]{3}(?:ftyp|moov|moof|mdat|mvhd|trak)|LIST.{4}(?:movi|hdrl)|\x1fC\xb6u|\x1a\x45\xdf\xa3", re.DOTALL
)


def _remains(head: bytes) -> Sniffed | None:
    """A recording whose beginning is lost (a wiped first sector, a recovered card) but whose structure goes on."""
    if _REMAINS.search(head):
        return Sniffed(FileType.VIDEO, "damaged video")
    for start in range(188, min(len(head), 32 * 1024), 188):
        if _transport_stream(head[start : start + 4096]):
            return Sniffed(FileType.VIDEO, "damaged MPEG-TS")
    return None

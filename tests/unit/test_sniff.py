"""What a file really is: every kind that is evidence goes in, whatever else goes out in plain words."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import UnsupportedMedia
from evidence.exhibit import FileType
from ingest.sniff import HEAD_BYTES, sniff
from tests.dji_dialects import DIALECTS, subtitles

DATA = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere"))
NOISE = bytes(range(256)) * 64
TS_188 = (b"\x47\x40\x11\x10" + b"\xff" * 184) * 40
SRT = b"1\r\n00:00:01,000 --> 00:00:02,000\r\nTurn left here.\r\n\r\n"
DJI = b"\xef\xbb\xbf1\n00:00:00,000 --> 00:00:00,033\n[iso : 100] [latitude: 41.42] [longitude: 2.23]\n\n"
GPX = b'<?xml version="1.0"?>\n<!-- unit 7 -->\n<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">\n<trk></trk></gpx>'

ACCEPTED = {
    "mp4": ("a.mp4", b"\x00\x00\x00\x18ftypmp42" + NOISE, FileType.VIDEO),
    "mp4 without index": (
        "a.mp4",
        b"\x00\x00\x00\x20ftypisom" + b"\x00" * 20 + b"\x00\x1e\x84\x80mdat" + NOISE,
        FileType.VIDEO,
    ),
    "mov that begins with its media": ("a.mov", b"\x00\x00\x21\x5bmdat" + NOISE, FileType.VIDEO),
    "3gp": ("a.3gp", b"\x00\x00\x00\x1cftyp3gp4" + NOISE, FileType.VIDEO),
    "matroska": ("a.mkv", b"\x1a\x45\xdf\xa3" + NOISE, FileType.VIDEO),
    "avi": ("a.avi", b"RIFF\x00\x00\x10\x00AVI LIST" + NOISE, FileType.VIDEO),
    "transport stream": ("a.ts", TS_188, FileType.VIDEO),
    "transport stream cut inside a packet": ("a.ts", TS_188[77:], FileType.VIDEO),
    "m2ts": ("a.mts", (b"\x00\x00\x01\x02\x47\x40\x11\x10" + b"\xff" * 184) * 8, FileType.VIDEO),
    "program stream": ("a.mpg", b"\x00\x00\x01\xba" + NOISE, FileType.VIDEO),
    "flv": ("a.flv", b"FLV\x01\x05" + NOISE, FileType.VIDEO),
    "h264": ("a.264", b"\x00\x00\x00\x01\x67\x64\x00\x1f" + NOISE, FileType.VIDEO),
    "h265": ("a.hevc", b"\x00\x00\x00\x01\x40\x01\x0c\x01" + NOISE, FileType.VIDEO),
    "mxf": ("a.mxf", b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01" + NOISE, FileType.VIDEO),
    "wmv": ("a.wmv", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + NOISE, FileType.VIDEO),
    "recorder": ("a.dav", b"DHAV" + NOISE, FileType.VIDEO),
    "wav": ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt " + NOISE, FileType.AUDIO),
    "flac": ("a.flac", b"fLaC\x00" + NOISE, FileType.AUDIO),
    "mp3 with tags": ("a.mp3", b"ID3\x04" + NOISE, FileType.AUDIO),
    "mp3": ("a.mp3", b"\xff\xfb\x90\x64" + NOISE, FileType.AUDIO),
    "aac": ("a.aac", b"\xff\xf1\x50\x80" + NOISE, FileType.AUDIO),
    "m4a": ("a.m4a", b"\x00\x00\x00\x1cftypM4A " + NOISE, FileType.AUDIO),
    "ogg": ("a.ogg", b"OggS\x00\x02" + b"\x00" * 20 + b"\x01vorbis" + NOISE, FileType.AUDIO),
    "ogg video": ("a.ogv", b"OggS\x00\x02" + b"\x00" * 20 + b"\x80theora" + NOISE, FileType.VIDEO),
    "amr": ("a.amr", b"#!AMR\n\x3c" + NOISE, FileType.AUDIO),
    "jpeg": ("a.jpg", b"\xff\xd8\xff\xe1" + NOISE, FileType.STILL),
    "png": ("a.png", b"\x89PNG\r\n\x1a\n" + NOISE, FileType.STILL),
    "heic": ("a.heic", b"\x00\x00\x00\x24ftypheic" + NOISE, FileType.STILL),
    "dng": ("a.dng", b"II*\x00\x08\x00" + NOISE, FileType.STILL),
    "webp": ("a.webp", b"RIFF\x24\x00\x00\x00WEBPVP8 " + NOISE, FileType.STILL),
    "srt": ("a.srt", SRT, FileType.SUBTITLES),
    "srt in utf-16": ("a.srt", SRT.decode().encode("utf-16"), FileType.SUBTITLES),
    "srt in latin-1": ("a.srt", SRT.replace(b"left", "là-bas".encode("latin-1")), FileType.SUBTITLES),
    "srt that ended early": ("a.SRT", b"1\n", FileType.SUBTITLES),
    "dji": ("a.srt", DJI, FileType.TELEMETRY),
    "vtt": ("a.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n", FileType.SUBTITLES),
    "ass": ("a.ass", b"[Script Info]\nTitle: x\n", FileType.SUBTITLES),
    "gpx": ("a.gpx", GPX, FileType.TELEMETRY),
    "kml": ("a.kml", b"<kml><Document/></kml>", FileType.TELEMETRY),
    "csv": ("log.csv", b'time,lat,lon\n1,51.5,-0.1\n2,51.5,"-0,1"\n3,51', FileType.TELEMETRY),
    "csv with semicolons": ("log.csv", b"time;lat;lon\n1;51,5;-0,1\n2;51,5;-0,1\n", FileType.TELEMETRY),
    "nmea": ("log.txt", b"$GPGGA,1,2,3*47\r\n$GPRMC,1,2*6A\r\n", FileType.TELEMETRY),
    "json": ("a.json", b'{"points": [1, 2]}', FileType.TELEMETRY),
    "klv": ("a.klv", bytes.fromhex("060e2b34020b01010e01030101000000") + NOISE, FileType.TELEMETRY),
    "gpmf": ("a.raw", b"DEVC\x00\x01\x13\x90DVID" + NOISE, FileType.TELEMETRY),
    "ulog": ("a.ulg", b"ULog\x01\x12\x35\x01" + NOISE, FileType.TELEMETRY),
    "a wiped first sector": ("a.mp4", b"\x00" * 4096 + b"\x00\x00\x02\x00moov" + NOISE, FileType.VIDEO),
    "a video under another name": ("notes.srt", b"\x00\x00\x00\x18ftypmp42" + NOISE, FileType.VIDEO),
}

REFUSED = {
    "nothing": ("a.mp4", b"", "empty"),
    "text named mp4": ("a.mp4", b"The free encyclopedia says that nothing is free.\n", "text file"),
    "subtitles named mp4": ("a.mp4", SRT, "SRT"),
    "csv named mp4": ("a.mp4", b"a,b\n1,2\n3,4\n", "text file"),
    "a letter": ("letter.txt", b"Dear Sir,\nyours faithfully\n", "text file"),
    "windows program": ("a.mp4", b"MZ\x90\x00" + NOISE, "Windows program"),
    "linux program": ("a.mp4", b"\x7fELF\x02" + NOISE, "program"),
    "script": ("run.csv", b"#!/bin/sh\necho a,b\necho c,d\n", "script"),
    "html": ("a.srt", b"<!DOCTYPE html>\n<html><script>alert(1)</script></html>", "web page"),
    "svg": ("a.png", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "text file"),
    "xml": ("a.xml", b"<?xml version='1.0'?><note/>", "XML"),
    "zip": ("a.mp4", b"PK\x03\x04" + NOISE, "archive"),
    "tar": ("a.mp4", b"x" * 257 + b"ustar\x00" + NOISE, "archive"),
    "gzip": ("a.csv", b"\x1f\x8b\x08\x00" + NOISE, "compressed"),
    "pdf": ("a.jpg", b"%PDF-1.7\n" + NOISE, "PDF"),
    "hls playlist": ("a.mp4", b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4,\nfile:///etc/passwd\n", "playlist"),
    "hls playlist with bytes behind it": ("a.mp4", b"#EXTM3U\n/etc/passwd\n\x00\x00\x00\x18ftypmp42\x00moov", "playlist"),
    "ffconcat": ("a.mp4", b"ffconcat version 1.0\nfile '/etc/passwd'\n", "playlist"),
    "ffconcat behind comments": ("a.csv", b"# a,b\r\n\r\n# c,d\r\n  ffconcat version 1.0\r\nfile a,b\r\n", "playlist"),
    "noise": ("a.bin", NOISE, "not a kind of evidence"),
    "noise named mp4": ("a.mp4", NOISE, "although its name ends in .mp4"),
    "zeros named mp4": ("a.mp4", b"\x00" * 9000, "although its name ends in .mp4"),
}


@pytest.mark.parametrize(("name", "head", "file_type"), ACCEPTED.values(), ids=ACCEPTED)
def test_evidence_is_known_by_its_content(name: str, head: bytes, file_type: FileType) -> None:
    assert sniff(head, len(head), name).file_type is file_type
    # The same file, when more of it follows than was looked at.
    assert sniff(head, len(head) + 10**9, name).file_type is file_type


@pytest.mark.parametrize(("name", "head", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_evidence_is_refused_in_plain_words(name: str, head: bytes, said: str) -> None:
    with pytest.raises(UnsupportedMedia, match=said) as refusal:
        sniff(head, len(head), name)
    assert len(refusal.value.hint) > 20


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_of_drones_is_telemetry_and_no_subtitle(name: str) -> None:
    text = subtitles(DIALECTS[name])
    lines = text.split("\n")
    for written in (text, "\n".join(lines[1:]), "\n".join(line for line in lines if "-->" not in line)):
        for data in (written.encode(), written.encode("utf-8-sig"), written.replace("\n", "\r\n").encode("utf-16")):
            assert sniff(data, len(data), "DJI_0001.SRT").file_type is FileType.TELEMETRY


def test_zeros_behind_a_text_are_room_that_was_kept_and_no_objection() -> None:
    text = subtitles(DIALECTS["Mini 4 Pro"]).encode() + b"\0" * 4096
    assert sniff(text, len(text), "DJI_0001.SRT").file_type is FileType.TELEMETRY


@given(st.binary(min_size=1, max_size=2048), st.sampled_from(["a.mp4", "a.srt", "a.csv", "a.jpg", "a"]))
def test_any_bytes_get_an_answer(head: bytes, name: str) -> None:
    with suppress(UnsupportedMedia):
        assert sniff(head, len(head), name).file_type in FileType


@given(st.integers(min_value=0, max_value=187), st.integers(min_value=6, max_value=40))
def test_a_transport_stream_is_known_wherever_it_was_cut(cut: int, packets: int) -> None:
    packet = struct.pack(">BHB", 0x47, 0x0100, 0x10) + bytes(184)
    assert sniff((packet * (packets + 2))[cut:], 10**6, "a.ts").format == "MPEG-TS"


EMPTY = {"broken_empty.SRT"}
OF_THE_FOLDER = {"odd": {FileType.VIDEO}, "clips": {FileType.VIDEO}, "telemetry": {FileType.TELEMETRY, FileType.SUBTITLES}}


@pytest.mark.skipif(not DATA.is_dir(), reason="no footage at hand")
@pytest.mark.parametrize("folder", OF_THE_FOLDER)
def test_real_footage_goes_in_whole_or_damaged(folder: str) -> None:
    files = [f for f in (DATA / folder).rglob("*") if f.is_file()]
    assert files
    for file in files:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        if file.name in EMPTY:
            with pytest.raises(UnsupportedMedia, match="empty"):
                sniff(head, file.stat().st_size, file.name)
            continue
        found = sniff(head, file.stat().st_size, file.name).file_type
        wanted = {FileType.VIDEO} if file.suffix in {".mp4", ".ts"} else OF_THE_FOLDER[folder]
        assert found in wanted, f"{file.name}: {found}"
        # And its first few thousand bytes alone say the same: so much is here before the first part is full.
        assert sniff(head[:6000], file.stat().st_size, file.name).file_type is found, file.name

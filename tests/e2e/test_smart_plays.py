"""A copy of copied and encoded groups in Chromium: every frame is found by its time, across every join, none lost."""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from playwright.sync_api import Browser, Page

from media.frames import read_frames
from media.orientation import UPRIGHT
from media.planes import arrays
from media.probe import main_stream
from tests import clips
from tests.clips import BLOCK
from tests.services import missing
from tests.smart_clips import CUT_BY_AN_EDIT_LIST, GROUPS_OF_TEN, LONG_GROUPS, OPEN_AMONG_CLOSED, redacted

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

KINDS = {
    **{
        kind: GROUPS_OF_TEN[kind]
        for kind in (
            "no B-frames",
            "one B-frame",
            "three B-frames, pyramid",
            "five B-frames",
            "baseline",
            "variable rate",
            "variable rate, no B-frames",
            "late start",
            "full range",
            "cropped",
        )
    },
    **{f"long groups, {kind}": clip for kind, clip in LONG_GROUPS.items()},
    "open among closed": OPEN_AMONG_CLOSED,
    "edit list": CUT_BY_AN_EDIT_LIST,
}
CLIPS = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "clips"
HIDDEN = (13, 14, 33)
IN_LONG = (17, 18, 55)

_HELP = f"""
const number = (g, source) => {{
  g.drawImage(source, 0, 0);
  let n = 0;
  for (let bit = 0; bit < 8; bit++)
    if (g.getImageData(bit * {BLOCK} + {BLOCK // 2}, {BLOCK // 2}, 1, 1).data[1] > 128) n |= 1 << bit;
  return n;
}};
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const pen = (w, h) => {{
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [w, h];
  return canvas.getContext('2d', {{willReadFrequently: true}});
}};
"""

_SEEK = f"""async ([file, times, expected]) => {{ {_HELP}
  const video = document.createElement('video');
  document.body.append(video);
  const happens = name => new Promise((resolve, reject) => {{
    video.addEventListener(name, resolve, {{once: true}});
    video.addEventListener('error', () => reject(new Error(video.error.message)), {{once: true}});
  }});
  const ready = happens('loadeddata');
  video.muted = true;
  video.src = URL.createObjectURL(new Blob([bytes(file)], {{type: 'video/mp4'}}));
  await ready;
  const g = pen(video.videoWidth, video.videoHeight), found = [];
  for (const [k, at] of times.entries()) {{
    const sought = happens('seeked');
    video.currentTime = at;
    await sought;
    // On a loaded machine the picture can come a moment after the event.
    let shown = number(g, video);
    for (let waited = 0; shown !== expected[k] && waited < 100; waited++) {{
      await new Promise(resolve => requestAnimationFrame(resolve));
      shown = number(g, video);
    }}
    found.push(shown);
  }}
  const back = happens('seeked');
  video.currentTime = 0;
  await back;
  const seen = [];
  const look = () => {{ seen.push(number(g, video)); video.requestVideoFrameCallback(look); }};
  video.requestVideoFrameCallback(look);
  const ended = happens('ended');
  await video.play();
  await ended;
  return {{found, seen, corrupted: video.getVideoPlaybackQuality().corruptedVideoFrames}};
}}"""

_DECODE = f"""async ([description, codec, packets, w, h]) => {{ {_HELP}
  const g = pen(w, h), shown = [];
  let wrong = '';
  const decoder = new VideoDecoder({{
    output: frame => {{ shown.push([frame.timestamp, number(g, frame)]); frame.close(); }},
    error: e => {{ wrong = e.message; }},
  }});
  decoder.configure({{codec, description: bytes(description)}});
  for (const [type, timestamp, data] of packets)
    decoder.decode(new EncodedVideoChunk({{type, timestamp, data: bytes(data)}}));
  await decoder.flush();
  return {{shown, wrong}};
}}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    made = context.new_page()
    # WebCodecs needs a page that counts as secure.
    made.route("https://copy.test/", lambda route: route.fulfill(body="<!doctype html><title>copy</title>"))
    made.goto("https://copy.test/")
    if not made.evaluate("document.createElement('video').canPlayType('video/mp4; codecs=\"avc1.640028\"')"):
        missing("this Chromium has no H.264")
    yield made
    context.close()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def copy_of(kind: str, folder: Path) -> tuple[Path, list[tuple[Fraction, int]]]:
    """The copy, and when each frame is shown, with its number."""
    path = clips.write(folder / "clip.mp4", KINDS[kind])
    report = redacted(path, folder, IN_LONG if kind.startswith("long") else HIDDEN)
    assert report["copied"]["frames_copied"]
    assert report["copied"]["frames_encoded"]
    with read_frames(path, 0) as reader:
        numbers = [(f.moment.seconds - Fraction(report["shift_s"]), f) for f in reader]
        assert all(f.orientation == UPRIGHT for _, f in numbers)
        return folder / "redacted.mp4", [(at, number_of(f)) for at, f in numbers]


def number_of(frame: Any) -> int:
    return clips.number_in(arrays(frame.picture)[0])


# With B-frames, an MP4's durations belong to other frames: where they vary, Chromium takes a neighbour in the source too.
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"variable rate"}))
def test_every_frame_is_found_by_its_time_and_the_whole_plays(page: Page, tmp_path: Path, kind: str) -> None:
    copy, frames = copy_of(kind, tmp_path)
    order = random.Random(kind).sample(range(len(frames)), len(frames))
    ends = [at for at, _ in frames[1:]] + [frames[-1][0] + Fraction(1, 60)]
    times = [float((frames[n][0] + ends[n]) / 2) for n in order]
    expected = [frames[n][1] for n in order]
    told = page.evaluate(_SEEK, [text(copy.read_bytes()), times, expected])
    assert told["found"] == expected
    assert told["corrupted"] == 0
    # Played to its end; a loaded machine may skip frames, but each group of ten is long enough to be seen.
    assert told["seen"] == sorted(told["seen"])
    assert {number // 10 for number in told["seen"]} == {number // 10 for _, number in frames}


def decoded_in(page: Page, copy: Path) -> dict[str, Any]:
    """What Chromium's own decoder makes of it, fed packet by packet: without a clock, so that no frame can be late."""
    with av.open(str(copy)) as container:
        stream = container.streams.video[0]
        description = stream.codec_context.extradata or b""
        size = (stream.codec_context.width, stream.codec_context.height)
        packets = [
            ("key" if p.is_keyframe else "delta", round(p.pts * p.time_base * 1_000_000), text(bytes(p)))
            for p in container.demux(stream)
            if p.size
        ]
    told: dict[str, Any] = page.evaluate(_DECODE, [text(description), f"avc1.{description[1:4].hex()}", packets, *size])
    assert told["wrong"] == ""
    return told


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the footage is not there: set EXHIBIT_TEST_DATA")
@pytest.mark.parametrize("name", ["bikes.mp4", "corridor_person.mp4", "speaker_audio.mp4"])
def test_real_recordings_lose_no_frame(page: Page, tmp_path: Path, name: str) -> None:
    report = redacted(CLIPS / name, tmp_path, range(100, 110))
    assert report["copied"]["groups_copied"]
    with read_frames(CLIPS / name, main_stream(CLIPS / name)) as reader:
        times = [round((f.moment.seconds - Fraction(report["shift_s"])) * 1_000_000) for f in reader]
    assert [at for at, _ in decoded_in(page, tmp_path / "redacted.mp4")["shown"]] == times


@pytest.mark.parametrize("kind", KINDS)
def test_the_decoder_loses_no_frame_at_a_join(page: Page, tmp_path: Path, kind: str) -> None:
    copy, frames = copy_of(kind, tmp_path)
    assert decoded_in(page, copy)["shown"] == [[round(at * 1_000_000), number] for at, number in frames]

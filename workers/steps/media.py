"""What PROBE found of an exhibit, for the steps that come after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from evidence.errors import CorruptMedia, NotFound
from evidence.exhibit import Exhibit, MediaInfo, Segment, VideoInfo


def media_of(exhibit: Exhibit) -> MediaInfo:
    """Raises: NotFound before PROBE is done."""
    if exhibit.media is None:
        raise NotFound(f"{exhibit.reference} has not been probed yet", hint="Wait for the step probe to end, or retry it.")
    return exhibit.media


def segment_of(media: MediaInfo, number: int) -> Segment:
    """Raises: NotFound for a number that the video does not have."""
    for segment in _segments(media):
        if segment.number == number:
            return segment
    raise NotFound(f"the video has no segment {number}", hint="Retry the step probe: it cuts the segments.")


def segment_numbers(media: MediaInfo) -> list[int]:
    return [segment.number for segment in _segments(media)]


def main_video(media: MediaInfo) -> VideoInfo:
    """Raises: CorruptMedia when no frame of it decodes."""
    video = media.main_video
    if video is None:
        raise CorruptMedia("no frame of the video can be read")
    return video


def missing_in_words(not_looked_for: Iterable[Mapping[str, str]]) -> str:
    """What nobody looked for and why, as one sentence: objects not analysed: no weights."""
    return "; ".join(f"{line['what']} {line['reason']}" for line in not_looked_for)


def _segments(media: MediaInfo) -> tuple[Segment, ...]:
    """A short video is one segment, whether the probe says so or not."""
    if media.segments or media.main_video is None:
        return media.segments
    return (Segment(0, media.main_video.start_pts, None, media.main_video.frame_count),)

"""The JSON forms of values that cross a border: into a media child, a database column, a file.

Fractions are written as text (`"1/90000"`), moments as `{"pts": …, "time_base": …}`; nothing is rounded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from evidence.errors import BadInput
from evidence.exhibit import AudioInfo, Condition, MediaInfo, Segment, VideoInfo
from evidence.mediatime import MediaTime, Span
from evidence.redaction import AudioPolicy, Hide, Keep, Margin, Redaction, Region, Style
from evidence.track import Origin, Track, TrackBox


def media_to_json(media: MediaInfo) -> dict[str, Any]:
    return {
        "container": media.container,
        "duration_s": None if media.duration_s is None else str(media.duration_s),
        "video": [
            {
                "index": v.index,
                "codec": v.codec,
                "pixel_format": v.pixel_format,
                "size_wh": list(v.size_wh),
                "rotation_degrees": v.rotation_degrees,
                "time_base": str(v.time_base),
                "start_pts": v.start_pts,
                "average_rate": None if v.average_rate is None else str(v.average_rate),
                "frame_count": v.frame_count,
                "variable_rate": v.variable_rate,
                "colour_range": v.colour_range,
                "attached_picture": v.attached_picture,
            }
            for v in media.video
        ],
        "audio": [
            {"index": a.index, "codec": a.codec, "sample_rate_hz": a.sample_rate_hz, "channels": a.channels}
            for a in media.audio
        ],
        "other_streams": list(media.other_streams),
        "segments": [
            {"number": s.number, "start_pts": s.start_pts, "end_pts": s.end_pts, "frame_count": s.frame_count}
            for s in media.segments
        ],
        "condition": media.condition.value,
        "note": media.note,
        "claimed_capture_time": media.claimed_capture_time and media.claimed_capture_time.isoformat(),
    }


def media_from_json(value: Mapping[str, Any]) -> MediaInfo:
    def fraction(text: str | None) -> Fraction | None:
        return None if text is None else Fraction(text)

    claimed = value["claimed_capture_time"]
    return MediaInfo(
        container=value["container"],
        duration_s=fraction(value["duration_s"]),
        video=tuple(
            VideoInfo(
                index=v["index"],
                codec=v["codec"],
                pixel_format=v["pixel_format"],
                size_wh=(v["size_wh"][0], v["size_wh"][1]),
                rotation_degrees=v["rotation_degrees"],
                time_base=Fraction(v["time_base"]),
                start_pts=v["start_pts"],
                average_rate=fraction(v["average_rate"]),
                frame_count=v["frame_count"],
                variable_rate=v["variable_rate"],
                colour_range=v["colour_range"],
                attached_picture=v["attached_picture"],
            )
            for v in value["video"]
        ),
        audio=tuple(AudioInfo(**a) for a in value["audio"]),
        other_streams=tuple(value["other_streams"]),
        segments=tuple(Segment(**s) for s in value["segments"]),
        condition=Condition(value["condition"]),
        note=value["note"],
        claimed_capture_time=None if claimed is None else datetime.fromisoformat(claimed),
    )


def moment_to_json(moment: MediaTime) -> dict[str, Any]:
    return {"pts": moment.pts, "time_base": str(moment.time_base)}


def moment_from_json(value: Mapping[str, Any]) -> MediaTime:
    return MediaTime(value["pts"], Fraction(value["time_base"]))


def redaction_to_json(redaction: Redaction) -> dict[str, Any]:
    return {
        "what": sorted(w.value for w in redaction.what),
        "style": redaction.style.value,
        "audio": redaction.audio.value,
        # Text, not a float: this goes into recipes and the custody log.
        "margin": {
            "grow": str(redaction.margin.grow),
            "before_frames": redaction.margin.before_frames,
            "after_frames": redaction.margin.after_frames,
            # What was asked for before there was a least keeps its recipe.
            **({"least": str(redaction.margin.least)} if redaction.margin.least else {}),
        },
        "regions": [
            {
                "box_xyxy": [str(c) for c in r.box_xyxy],
                "start": moment_to_json(r.span.start),
                "end": moment_to_json(r.span.end),
                "reason": r.reason,
            }
            for r in redaction.regions
        ],
        "keep_tracks": sorted(redaction.keep_tracks),
        "only_tracks": sorted(redaction.only_tracks),
        # Only where something is kept: what was asked for before keeps its recipe.
        **({"keep": sorted(keep.value for keep in redaction.keep)} if redaction.keep else {}),
        "analysis": redaction.analysis,
        "reason": redaction.reason,
    }


def redaction_asked(value: Mapping[str, Any]) -> Redaction:
    """As `redaction_from_json`. Raises: BadInput for a value that is none."""
    try:
        return redaction_from_json(value)
    except (KeyError, ValueError, TypeError) as exc:
        raise BadInput(f"the redaction that was asked for can't be understood: {exc}") from exc


def redaction_from_json(value: Mapping[str, Any]) -> Redaction:
    """Raises: ValueError, KeyError, TypeError for a value that is none."""
    default = Redaction()
    margin = value.get("margin")
    regions = []
    for r in value.get("regions", []):
        x0, y0, x1, y1 = (float(c) for c in r["box_xyxy"])
        regions.append(Region((x0, y0, x1, y1), Span(moment_from_json(r["start"]), moment_from_json(r["end"])), r["reason"]))
    return Redaction(
        what=frozenset(Hide(w) for w in value["what"]) if "what" in value else default.what,
        style=Style(value.get("style", default.style)),
        audio=AudioPolicy(value.get("audio", default.audio)),
        margin=default.margin
        if margin is None
        else Margin(float(margin["grow"]), margin["before_frames"], margin["after_frames"], float(margin.get("least", 0))),
        regions=tuple(regions),
        keep_tracks=frozenset(int(n) for n in value.get("keep_tracks", ())),
        only_tracks=frozenset(int(n) for n in value.get("only_tracks", ())),
        keep=frozenset(Keep(name) for name in value.get("keep", ())),
        analysis=value.get("analysis", default.analysis),
        reason=value.get("reason", default.reason),
    )


def track_to_json(track: Track) -> dict[str, Any]:
    """Columns, so that a long track stays readable and small."""
    return {
        "id": track.id,
        "label": track.label,
        "model": track.model,
        "time_base": str(track.time_base),
        "first_frame": track.boxes[0].frame,
        "pts": [b.pts for b in track.boxes],
        "box_xyxy": [[round(c, 2) for c in b.box_xyxy] for b in track.boxes],
        "score": [round(b.score, 4) for b in track.boxes],
        "origin": [b.origin.value for b in track.boxes],
    }


def track_from_json(value: Mapping[str, Any]) -> Track:
    columns = zip(value["pts"], value["box_xyxy"], value["score"], value["origin"], strict=True)
    first = value["first_frame"]
    return Track(
        id=value["id"],
        label=value["label"],
        model=value["model"],
        time_base=Fraction(value["time_base"]),
        boxes=tuple(
            TrackBox(first + i, pts, (box[0], box[1], box[2], box[3]), score, Origin(origin))
            for i, (pts, box, score, origin) in enumerate(columns)
        ),
    )


def tracks_file(
    frame_pts: Sequence[int],
    time_base: Fraction,
    size_wh: Sequence[int],
    tracks: Iterable[Track],
    about: Mapping[str, Any],
    *,
    cuts: Sequence[int] = (),
    scenes: Sequence[int] = (),
    original_sha256: str = "",
) -> str:
    """The text of tracks.json; `workers.tasks.track` says what is in it."""
    value = {
        "frame_count": len(frame_pts),
        "frame_pts": list(frame_pts),
        "cuts": list(cuts),
        "scenes": list(scenes),
        "time_base": str(time_base),
        "size_wh": list(size_wh),
        "tracks": [track_to_json(track) for track in tracks],
        **about,
        "original_sha256": original_sha256,
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
